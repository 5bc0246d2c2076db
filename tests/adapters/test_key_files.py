"""Our own keys: what a file must be, that each is parsed once, and that what we make can be used by others."""

import json
import logging
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey
from jwcrypto.jwk import JWK

from tests.tokens import (
    CLIENT_ID,
    HUB_KID,
    JWKS_URI,
    OUR_KID,
    PUSH,
    b64,
    claims,
    ec_key,
    ed_key,
    event,
    hub_jwks,
    jwk_set,
    private_jwk,
    public_jwk,
    rsa_key,
    uint,
)
from tracker.adapters.jose import DecryptionKey, JwcryptoEventCrypto, sign_ps256, verification_keys
from tracker.adapters.key_files import (
    event_keys,
    load_checkpoint_key,
    load_encryption_keys,
    load_signing_keys,
    make_checkpoint_key,
    make_jwks,
    public_jwks,
    write_private,
)
from tracker.domain.errors import ConfigurationError


@pytest.fixture
def file(tmp_path):
    """Write a key file as it should be: for its owner only."""

    def write(content, mode=0o600, name="keys.json"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    return write


def one_key(**changes):
    return private_jwk(rsa_key("ours"), **({"kid": OUR_KID} | changes))


# ---------------------------------------------------------------------------------------------- loading


def test_keys_are_loaded_in_their_order(file):
    path = file(jwk_set(one_key(), private_jwk(rsa_key("retired"), kid="old", use="enc", alg="RSA-OAEP", exp=1)))
    assert [key.kid for key in load_encryption_keys(path)] == [OUR_KID, "old"]
    path = file(
        jwk_set(one_key(), private_jwk(rsa_key("retired"), kid="old", use="sig", alg="PS256", key_ops=["sign"]))
    )
    assert [key.kid for key in load_signing_keys(path)] == [OUR_KID, "old"]


def incomplete():
    whole = one_key()
    return {name: whole[name] for name in whole if name not in {"p", "q", "dp", "dq", "qi"}}


def of_two_keys():
    return one_key() | {"d": private_jwk(rsa_key("retired"))["d"]}


UNUSABLE = {
    "empty": (b"", "is not JSON"),
    "PEM": (b"-----BEGIN PRIVATE KEY-----\nMIIE", "is PEM and not a JWK Set; write it as one, .* --from .* --kid KID"),
    "PEM with a password": (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIE", "is PEM and not a JWK Set"),
    "certificate": (b"-----BEGIN CERTIFICATE-----\nMIIE", r"is PEM \(CERTIFICATE\) and not our private key"),
    "public PEM": (b"-----BEGIN PUBLIC KEY-----\nMIIE", r"is PEM \(PUBLIC KEY\) and not our private key"),
    "DER": (
        b"\x30\x82\x04\xbd\x02\x01",
        "is DER or PKCS#12 and not a JWK Set; .* --from PEM --kid KID --out .*keys.jwks.json",
    ),
    "name twice": (b'{"keys": [], "keys": []}', "is not JSON"),
    "one JWK, no set": (lambda: json.dumps(one_key()).encode(), r'is not a JWK Set but one JWK; put {"keys": \['),
    "a list, no set": (lambda: json.dumps([one_key()]).encode(), 'is not a JWK Set but a list; put {"keys": before'),
    "no keys": (b'{"keys": []}', "is not a JWK Set"),
    "keys an object": (b'{"keys": {}}', "is not a JWK Set"),
    "key a text": (b'{"keys": ["key"]}', 'has no "kid"'),
    "kid missing": (lambda: jwk_set({**one_key(), "kid": None}), 'Key 1 in .* has no "kid"'),
    "kid empty": (lambda: jwk_set(one_key(), one_key(kid="")), 'Key 2 in .* has no "kid"'),
    "kid a number": (lambda: jwk_set(one_key(kid=1)), 'has no "kid"'),
    "kid twice": (lambda: jwk_set(one_key(), one_key()), f"the \"kid\" '{OUR_KID}'"),
    "public only": (
        lambda: jwk_set(public_jwk(rsa_key("ours"), kid=OUR_KID)),
        "private part: it is the public half; put",
    ),
    "primes missing": (lambda: jwk_set(incomplete()), "has no primes; export it again with all of d, p, q"),
    "private part null": (lambda: jwk_set(one_key(d=None)), "is damaged"),
    "private part of another key": (lambda: jwk_set(of_two_keys()), "is damaged"),
    "private part not base64url": (lambda: jwk_set(one_key(d="é")), "is damaged"),
    "more than two primes": (lambda: jwk_set(one_key(oth=[])), "is damaged"),
    "elliptic curve": (lambda: jwk_set(public_jwk(ec_key("any"), kid=OUR_KID)), "is not an RSA key"),
    "symmetric": (lambda: jwk_set({"kty": "oct", "k": "AAAA", "kid": OUR_KID}), "is not an RSA key"),
    "1024 bits": (lambda: jwk_set(private_jwk(rsa_key("small", 1024), kid=OUR_KID)), "2048 to 8192 bits"),
    "exponent 3": (lambda: jwk_set(private_jwk(rsa_key("cubic", exponent=3), kid=OUR_KID)), "exponent of 65537"),
    "exponent 1": (lambda: jwk_set(one_key(e="AQ")), "is damaged"),
    "use unknown": (lambda: jwk_set(one_key(use="tls")), 'by its "use" or "alg"'),
    "alg unknown": (lambda: jwk_set(one_key(alg="RS256")), 'by its "use" or "alg"; if it .* let it say "use": "'),
    "alg a list": (lambda: jwk_set(one_key(alg=["PS256"])), 'by its "use" or "alg"'),
    "key_ops of a public key": (lambda: jwk_set(one_key(key_ops=["verify", "wrapKey"])), "is damaged or not for"),
    "key_ops a number": (lambda: jwk_set(one_key(key_ops=1)), "is damaged or not for"),
}


@pytest.mark.parametrize("load", [load_signing_keys, load_encryption_keys])
@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_file_is_refused_in_one_sentence(name, load, file):
    content, complaint = UNUSABLE[name]
    path = file(content() if callable(content) else content)
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        load(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert message.endswith(".")
    assert private_jwk(rsa_key("ours"))["d"] not in message


@pytest.mark.parametrize(
    ("load", "members"),
    [
        (load_signing_keys, {"use": "enc"}),
        (load_signing_keys, {"alg": "RSA-OAEP-256"}),
        (load_signing_keys, {"key_ops": ["decrypt", "unwrapKey"]}),
        (load_encryption_keys, {"use": "sig"}),
        (load_encryption_keys, {"alg": "PS256"}),
        (load_encryption_keys, {"key_ops": ["sign"]}),
    ],
)
def test_key_is_used_for_its_own_purpose_only(load, members, file):
    with pytest.raises(ConfigurationError, match="not for"):
        load(file(jwk_set(one_key(**members))))


@pytest.mark.parametrize(
    ("load", "members"),
    [
        (load_signing_keys, {"use": "enc", "alg": "RSA-OAEP-256"}),
        (load_signing_keys, {"alg": "RSA-OAEP"}),
        (load_encryption_keys, {"use": "sig", "alg": "PS256"}),
        (load_encryption_keys, {"use": "sig"}),
    ],
)
def test_files_that_were_swapped_are_told_as_such(load, members, file):
    with pytest.raises(ConfigurationError, match="are the files of signing_jwks and encryption_jwks swapped"):
        load(file(jwk_set(one_key(**members))))


@pytest.mark.parametrize("load", [load_signing_keys, load_encryption_keys, load_checkpoint_key])
def test_file_that_cannot_be_read_is_refused_with_the_way_out(load, tmp_path):
    missing = tmp_path / "missing.json"
    with pytest.raises(ConfigurationError, match=r"No such file.*`tracker keys make \w+ --out .*missing.json`"):
        load(missing)
    for path in (tmp_path, tmp_path / "a\0b"):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            load(path)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o666, 0o602, 0o644])
def test_file_that_is_open_to_others_is_refused(mode, file):
    path = file(jwk_set(one_key()), mode)
    with pytest.raises(ConfigurationError, match=f"mode {mode:04o}.*chmod 600") as caught:
        load_signing_keys(path)
    assert str(path) in str(caught.value)


def test_file_that_is_open_to_others_is_used_with_a_warning_when_that_is_asked_for(file, caplog):
    path = file(jwk_set(one_key()), 0o644)
    with caplog.at_level(logging.WARNING):
        assert load_signing_keys(path, "warn")
    assert "chmod 600" in caplog.text


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_file_of_its_owner_alone_is_used_without_a_word(mode, file, caplog):
    assert load_signing_keys(file(jwk_set(one_key()), mode))
    assert not caplog.records


# ---------------------------------------------------------------------------------------------- several clients


def test_keys_of_several_clients_name_their_client(file):
    ours = load_encryption_keys(file(jwk_set(one_key())))
    theirs = load_encryption_keys(file(jwk_set(private_jwk(rsa_key("retired"), kid="b"))))
    keys = event_keys({CLIENT_ID: ours, "tpp-client-002": theirs})
    assert {kid: client for kid, (client, _) in keys.items()} == {OUR_KID: CLIENT_ID, "b": "tpp-client-002"}


def test_one_key_id_for_two_clients_is_refused(file):
    key = DecryptionKey(OUR_KID, JWK())
    for another in (key, DecryptionKey(OUR_KID, JWK())):
        with pytest.raises(ConfigurationError, match=f"{CLIENT_ID} and tpp-client-002"):
            event_keys({CLIENT_ID: [key], "tpp-client-002": [another]})


# ---------------------------------------------------------------------------------------------- once


def test_private_key_is_parsed_once_and_never_for_an_event(file, monkeypatch):
    parsed = []
    whole = JWK._rsa_pri_n
    monkeypatch.setattr(JWK, "_rsa_pri_n", lambda jwk: parsed.append("private") or whole(jwk))
    imported = JWK.import_key
    monkeypatch.setattr(JWK, "import_key", lambda jwk, **members: parsed.append("import") or imported(jwk, **members))

    ours = load_encryption_keys(file(jwk_set(one_key())))
    (signing,) = load_signing_keys(file(jwk_set(one_key())))
    assert parsed == ["import", "private"] * 2

    hub_key = verification_keys(hub_jwks(), JWKS_URI)[HUB_KID]
    crypto = JwcryptoEventCrypto(event_keys({CLIENT_ID: ours}))
    parsed.clear()
    for number in range(5):
        said = claims(jti=str(number))
        assert crypto.verify(crypto.decrypt(event(said), PUSH).plaintext, hub_key, PUSH.jws_algs) == said
        sign_ps256(said, signing)
    assert not parsed


# ---------------------------------------------------------------------------------------------- making


def test_made_keys_can_be_loaded_and_read_by_another_library(tmp_path):
    for kind, load, alg in (
        ("signing", load_signing_keys, "PS256"),
        ("encryption", load_encryption_keys, "RSA-OAEP-256"),
    ):
        path = tmp_path / kind
        write_private(path, make_jwks(kind))
        (key,) = load(path)
        (member,) = json.loads(path.read_text())["keys"]
        read = RSAKey.import_key(member)
        assert key.kid == read.thumbprint() == read.kid
        assert (member["alg"], read.private_key.key_size) == (alg, 2048)


def test_made_key_can_have_a_name(tmp_path):
    write_private(tmp_path / "k", make_jwks("signing", "tpp-sig-2026"))
    assert load_signing_keys(tmp_path / "k")[0].kid == "tpp-sig-2026"


@pytest.mark.parametrize("kid", ["", "a\nb", "é", "k" * 257])
def test_key_cannot_have_any_name(kid):
    with pytest.raises(ConfigurationError, match="key id"):
        make_jwks("encryption", kid)


def test_public_half_has_no_secret():
    private = make_jwks("signing", "a")
    (published,) = json.loads(public_jwks(private))["keys"]
    assert published == {name: json.loads(private)["keys"][0][name] for name in ("kty", "kid", "use", "alg", "n", "e")}
    assert [*verification_keys(public_jwks(private).encode(), JWKS_URI)] == ["a"]


def test_public_half_has_certificates_but_nothing_unknown():
    whole = jwk_set(one_key(x5c=["MII"], key_ops=["sign"], secret_note="d", oth=[])).decode()
    (published,) = json.loads(public_jwks(whole))["keys"]
    assert published.keys() == {"kty", "kid", "n", "e", "x5c"}


NO_SET = {
    "empty": lambda: "",
    "a list": lambda: "[]",
    "no keys": lambda: "{}",
    "key a number": lambda: '{"keys": [1]}',
    "key symmetric": lambda: '{"keys": [{"kty": "oct", "k": "AA"}]}',
    "checkpoint key": make_checkpoint_key,
}


@pytest.mark.parametrize("name", NO_SET)
def test_public_half_of_what_is_no_set_is_refused(name):
    with pytest.raises(ConfigurationError, match="not a JWK Set"):
        public_jwks(NO_SET[name]())


# ---------------------------------------------------------------------------------------------- checkpoints


def test_made_checkpoint_key_can_be_loaded(tmp_path):
    write_private(tmp_path / "k", make_checkpoint_key())
    key, member = load_checkpoint_key(tmp_path / "k"), json.loads((tmp_path / "k").read_text())
    assert (member["x"], member["d"]) == (b64(key.public_key().public_bytes_raw()), b64(key.private_bytes_raw()))


ED = {"kty": "OKP", "crv": "Ed25519"}


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(lambda: public_jwk(ed_key("a")), id="public only"),
        pytest.param(lambda: public_jwk(ed_key("a")) | {"d": b64(ed_key("b").private_bytes_raw())}, id="of two keys"),
        pytest.param(lambda: public_jwk(ed_key("a")) | {"d": "AAAA"}, id="too short"),
        pytest.param(lambda: {"kty": "OKP", "crv": "Ed25519", "d": "AAAA"}, id="public half missing"),
        pytest.param(lambda: public_jwk(ed_key("a")) | {"d": 5}, id="a number"),
        pytest.param(lambda: public_jwk(ed_key("a")) | {"d": "AAAA", "crv": "Ed448"}, id="other curve"),
        pytest.param(one_key, id="RSA"),
        pytest.param(lambda: {"keys": []}, id="a set"),
        pytest.param(lambda: [1], id="a list"),
    ],
)
def test_checkpoint_key_that_is_none_is_refused(member, file):
    path = file(json.dumps(member()))
    with pytest.raises(ConfigurationError, match="does not hold one private Ed25519 JWK"):
        load_checkpoint_key(path)


def test_checkpoint_key_that_is_open_to_others_is_refused(file):
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_checkpoint_key(file(make_checkpoint_key(), 0o644))


# ---------------------------------------------------------------------------------------------- writing


def test_written_file_is_its_owners_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        write_private(tmp_path / "k", "text\n")
    finally:
        os.umask(before)
    assert (tmp_path / "k").read_text() == "text\n"
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600


def test_existing_file_is_never_overwritten(tmp_path):
    (tmp_path / "k").write_text("a key in use")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("k", "link"):
        with pytest.raises(ConfigurationError, match="exists already"):
            write_private(tmp_path / name, "new")
    assert (tmp_path / "k").read_text() == "a key in use"
    assert not (tmp_path / "nowhere").exists()


def test_file_that_cannot_be_written_is_said_so(tmp_path):
    with pytest.raises(ConfigurationError, match="No such file"):
        write_private(tmp_path / "no" / "k", "text")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_half_written_file_is_not_left_behind(tmp_path, monkeypatch):
    full = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: full(path, *rest) and full("/dev/full", os.O_WRONLY))
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_private(tmp_path / "k", "text")
    assert not (tmp_path / "k").exists()


def test_uint_of_the_builders_is_what_the_library_reads():
    """The builders of these tests make JWKs by hand: let the library say that they are right."""
    numbers = rsa_key("ours").public_key().public_numbers()
    read = JWK(**public_jwk(rsa_key("ours"))).get_op_key("verify")
    assert isinstance(read, rsa.RSAPublicKey)
    assert read.public_numbers() == numbers
    assert uint(65537) == "AQAB"


def test_the_command_for_a_pem_file_can_be_copied(file, tmp_path):
    path = file("-----BEGIN PRIVATE KEY-----", name="own.key.pem")
    command = f"`tracker keys make signing --from {path} --kid KID --out {tmp_path / 'own.jwks.json'}`."
    with pytest.raises(ConfigurationError) as caught:
        load_signing_keys(path)
    assert str(caught.value).endswith(command)


def test_a_file_of_another_user_is_not_to_be_made_again(file):
    path = file(jwk_set(one_key()), mode=0)
    was = os.geteuid()
    if was == 0:  # whom no mode stops
        os.seteuid(65534)
    try:
        with pytest.raises(
            ConfigurationError, match=r"Permission denied\); make the user that runs the tracker its owner"
        ):
            load_signing_keys(path)
    finally:
        os.seteuid(was)
