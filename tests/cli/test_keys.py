"""`tracker keys`: API keys are shown once and kept as hashes; key files are ours alone and never overwritten."""

import json
import sqlite3
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import KeySet, OKPKey

from tracker.adapters.key_files import load_encryption_keys, load_signing_keys, make_jwks

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


# ---------------------------------------------------------------------------------------------- API keys


def rows(folder):
    with sqlite3.connect(folder / "tracker.db") as connection:
        found = connection.execute("SELECT * FROM api_key").fetchall()
    connection.close()
    return found


def test_a_key_is_shown_once_and_only_its_hash_is_kept(run, folder):
    done = run("keys", "add-api-key", "--name", "dash[b]board", "--scope", "read, write", "--expires", "2099-01-01")
    (key,) = done.lines
    prefix, key_id, secret = key.split("_", 2)
    assert (done.status, prefix) == (0, "trk")
    listed, as_json = run("keys", "list"), run("keys", "list", "--json")
    assert secret not in listed.out + as_json.out + str(rows(folder))
    assert secret.encode() not in b"".join(path.read_bytes() for path in folder.glob("tracker.db*"))
    assert listed.lines[1].split() == [key_id, "dash[b]board", "read,write", "2099-01-01", "00:00:00", "–"]
    answer = json.loads(as_json.out)
    assert answer["next_cursor"] is None
    (item,) = answer["items"]
    assert item.keys() == {"id", "name", "scopes", "created_at", "expires_at", "revoked_at"}
    assert (item["scopes"], item["expires_at"]) == (["read", "write"], "2099-01-01T00:00:00.000000Z")


def test_a_key_is_revoked_once(run, filled):
    key_id = run("keys", "add-api-key", "--name", "x").lines[0].split("_")[1]
    assert run("keys", "revoke", key_id).lines == [f"{key_id} is revoked."]
    assert json.loads(run("keys", "list", "--json").out)["items"][0]["revoked_at"] is not None
    for unknown in (key_id, "nope", "\x1b[2J"):
        done = run("keys", "revoke", unknown)
        assert done.status == 1
        assert done.says.endswith("that could be revoked; `tracker keys list` shows them.")
        assert "\x1b" not in done.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--name", "x", "--scope", "read,cook"), "Give the key scopes among admin, audit, read, write."),
        (("--name", "x", "--scope", ","), "Give the key scopes among admin, audit, read, write."),
        (("--name", ""), "Give the key a name of 1 to 128 printable characters."),
        (("--name", "\x1b[2J\u202e"), "Give the key a name of 1 to 128 printable characters."),
        (("--name", "x" * 129), "Give the key a name of 1 to 128 printable characters."),
        (("--name", "x", "--expires", "2020-01-01"), "The key would have expired already."),
        (("--name", "x", "--expires", "soon"), "--expires"),
        ((), "--name"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(run, filled, arguments, sentence):
    done = run("keys", "add-api-key", *arguments)
    assert done.status == 2
    assert sentence in done.says
    assert rows(filled) == []


def test_there_are_none(run, filled):
    assert run("keys", "list").lines == ["There are no API keys."]


# ---------------------------------------------------------------------------------------------- key files


@pytest.mark.parametrize(
    ("kind", "algorithm", "use"), [("signing", "PS256", "sig"), ("encryption", "RSA-OAEP-256", "enc")]
)
def test_a_made_set_holds_one_private_key_and_is_ours_alone(run, bare, kind, algorithm, use):
    done = run("keys", "make", kind, "--out", "new.json", "--kid", "key-1")
    assert (done.status, done.lines) == (0, ["new.json is made; nobody but you can read it."])
    assert stat.S_IMODE((bare / "new.json").stat().st_mode) == 0o600
    (key,) = KeySet.import_key_set(json.loads((bare / "new.json").read_text())).keys
    assert key.is_private
    assert (key.kid, key.alg, key.get("use"), key.raw_value.key_size) == ("key-1", algorithm, use, 2048)


def test_a_kid_is_the_thumbprint_unless_given(run, bare):
    run("keys", "make", "signing", "--out", "new.json")
    (key,) = KeySet.import_key_set(json.loads((bare / "new.json").read_text())).keys
    assert key.kid == key.thumbprint()


def pem(key=None, *, password=None):
    key = key or rsa.generate_private_key(65537, 2048)
    hidden = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden)


@pytest.mark.parametrize(("kind", "kept"), [("signing", "PS256"), ("encryption", "RSA-OAEP-256")])
def test_a_key_that_is_there_as_pem_is_taken_over_under_its_id(run, bare, kind, kept):
    private = rsa.generate_private_key(65537, 2048)
    (bare / "own.key").write_bytes(b"a remark\n" + pem(private))
    (bare / "own.key").chmod(0o600)
    done = run("keys", "make", kind, "--from", "own.key", "--kid", "tf-1", "--out", "own.jwks.json")
    assert (done.status, done.lines) == (0, ["own.jwks.json is made of own.key; nobody but you can read it."])
    assert stat.S_IMODE((bare / "own.jwks.json").stat().st_mode) == 0o600
    (key,) = KeySet.import_key_set(json.loads((bare / "own.jwks.json").read_text())).keys
    assert (key.kid, key.alg) == ("tf-1", kept)
    assert key.raw_value.private_numbers() == private.private_numbers()
    load = load_signing_keys if kind == "signing" else load_encryption_keys
    assert [one.kid for one in load(bare / "own.jwks.json")] == ["tf-1"]


CANNOT_BE_TAKEN_OVER = {
    "public half": (b"-----BEGIN PUBLIC KEY-----\n", "holds public key and no private key; name the file"),
    "JSON": (b"{}", "holds no PEM; name the file of the private key."),
    "damaged": (b"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", "that can be read; export it again"),
    "password": (
        lambda: pem(password=b"secret"),
        "has a password; write the key without with `openssl pkey -in own.key",
    ),
    "elliptic curve": (lambda: pem(ec.generate_private_key(ec.SECP256R1())), "holds no RSA key"),
    "1024 bits": (lambda: pem(rsa.generate_private_key(65537, 1024)), "is not of 2048 to 8192 bits"),
}


@pytest.mark.parametrize("name", CANNOT_BE_TAKEN_OVER)
def test_what_cannot_be_taken_over_is_told_in_a_sentence(run, bare, name):
    content, words = CANNOT_BE_TAKEN_OVER[name]
    (bare / "own.key").write_bytes(content() if callable(content) else content)
    (bare / "own.key").chmod(0o600)
    done = run("keys", "make", "signing", "--from", "own.key", "--kid", "tf-1", "--out", "own.jwks.json")
    assert (done.status, words in done.says) == (2, True), done
    assert not (bare / "own.jwks.json").exists()


def test_the_id_of_a_key_that_is_registered_is_not_made_up(run, bare):
    (bare / "own.key").write_bytes(pem())
    done = run("keys", "make", "signing", "--from", "own.key", "--out", "own.jwks.json")
    assert (done.status, done.says) == (2, "Give the id under which the directory has this key, with --kid.")
    done = run("keys", "make", "signing", "--from", "own.key", "--kid", "ö", "--out", "own.jwks.json")
    assert (done.status, "A key id is 1 to 256" in done.says) == (2, True)


def test_a_checkpoint_key_is_one_private_ed25519_key(run, bare):
    assert run("keys", "make", "checkpoint", "--out", "new.json").status == 0
    assert stat.S_IMODE((bare / "new.json").stat().st_mode) == 0o600
    key = OKPKey.import_key(json.loads((bare / "new.json").read_text()))
    assert isinstance(key.raw_value, ed25519.Ed25519PrivateKey)


def use_notification_keys(run, folder):
    assert run("keys", "make", "notifications", "--out", "keys/notifications.jwks.json").status == 0
    file = folder / "tracker.toml"
    file.write_text(
        file.read_text().replace("[notifications]", '[notifications]\nsigning_key = "keys/notifications.jwks.json"')
    )
    return json.loads((folder / "keys" / "notifications.jwks.json").read_text())["keys"][0]


def test_keys_for_notifications_are_made_published_and_listed(run, folder):
    key = use_notification_keys(run, folder)
    assert stat.S_IMODE((folder / "keys" / "notifications.jwks.json").stat().st_mode) == 0o600
    shown = run("keys", "public").out
    (public,) = json.loads(shown)["notification_jwks"]["keys"]
    assert (public["x"], public["kid"]) == (key["x"], key["kid"])
    assert PRIVATE & set(public) == set()
    assert key["d"] not in shown
    in_use = json.loads(run("keys", "in-use", "--json").out)["items"]
    assert (key["kid"], "signs notifications") in [(one["kid"], one["role"]) for one in in_use]
    assert f"notifications are signed with {key['kid']}; secrets are encrypted with " in run("check").out


def test_a_key_for_notifications_that_cannot_be_used_is_told_by_check(run, folder):
    use_notification_keys(run, folder)
    (folder / "keys" / "notifications.jwks.json").write_text("{}")
    done = run("check")
    assert done.status == 2
    assert "notifications.jwks.json is not a JWK Set" in done.out


@pytest.mark.parametrize("kind", ["signing", "encryption", "checkpoint", "notifications"])
def test_nothing_is_overwritten(run, bare, kind):
    (bare / "there.json").write_text("precious")
    (bare / "link.json").symlink_to("nowhere.json")
    for name in ("there.json", "link.json", "."):
        done = run("keys", "make", kind, "--out", name)
        assert done.status == 2
        assert "choose another file." in done.says
    assert (bare / "there.json").read_text() == "precious"
    assert not (bare / "nowhere.json").exists()


def test_a_folder_that_is_missing_is_named(run, bare):
    done = run("keys", "make", "signing", "--out", "away/new.json")
    assert (done.status, done.says) == (2, "The folder away is not there; make it.")


def test_a_kid_that_cannot_be_is_refused_before_anything_is_made(run, bare):
    done = run("keys", "make", "signing", "--out", "new.json", "--kid", "a\x1bb")
    assert done.status == 2
    assert "key id" in done.says
    assert list(bare.iterdir()) == []


# ---------------------------------------------------------------------------------------------- public halves


def names(value):
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names(inner)


def test_public_prints_what_others_need_and_no_private_member(run, folder):
    done = run("keys", "public")
    shown = json.loads(done.out)
    assert (done.status, done.err) == (0, "")
    assert PRIVATE & set(names(shown)) == set()
    assert shown["checkpoint_vkey"].startswith("tracker.example/journal+")
    ((client_id, sets),) = shown["clients"].items()
    assert client_id == "tpp-client-001"
    private = {
        kind: json.loads((folder / "keys" / f"{kind}.jwks.json").read_text()) for kind in ("signing", "encryption")
    }
    for kind, jwks in private.items():
        (public,) = KeySet.import_key_set(sets[f"{kind}_jwks"]).keys
        assert not public.is_private
        assert public.as_dict()["n"] == jwks["keys"][0]["n"]
        assert public.kid == jwks["keys"][0]["kid"]
        assert not any(jwks["keys"][0][name] in done.out for name in ("d", "p", "q"))


def test_public_needs_no_database_and_no_checkpoint_key(run, folder):
    file = folder / "tracker.toml"
    file.write_text(file.read_text().partition("[audit]")[0])
    assert json.loads(run("keys", "public").out).keys() == {"clients"}
    assert not (folder / "tracker.db").exists()


def test_public_refuses_a_key_file_that_others_can_read(run, folder):
    (folder / "keys" / "encryption.jwks.json").chmod(0o640)
    done = run("keys", "public")
    assert done.status == 2
    assert "run `chmod 600 " in done.says


# ---------------------------------------------------------------------------------------------- which are in use


def join(folder, kind, new_kid):
    """Put a new key before those that are there, as an operator does."""
    path = folder / "keys" / f"{kind}.jwks.json"
    old = json.loads(path.read_text())["keys"]
    new = json.loads(make_jwks(kind, new_kid))["keys"]
    path.write_text(json.dumps({"keys": new + old}))
    return old[0]["kid"]


def test_which_keys_are_in_use(run, folder):
    old_signing, old_encryption = join(folder, "signing", "sig-2"), join(folder, "encryption", "enc-2")
    items = json.loads(run("keys", "in-use", "--json").out)["items"]
    (secret,) = json.loads((folder / "keys" / "secrets.jwks.json").read_text())["keys"]
    assert [(item["kid"], item["role"]) for item in items] == [
        ("sig-2", "signs"),
        (old_signing, "ready to sign"),
        ("enc-2", "opens events"),
        (old_encryption, "opens events"),
        (secret["kid"], "encrypts secrets"),
    ]
    assert [item["client_id"] for item in items] == ["tpp-client-001"] * 4 + [""]
    assert items[0]["file"].endswith("signing.jwks.json")
    lines = run("keys", "in-use").lines
    assert lines[0].split("  ")[0] == "kid"
    assert len(lines) == 6
    found = run("check").out
    assert f"tpp-client-001 signs with sig-2, opens events for enc-2, {old_encryption}; " in found


def test_which_keys_are_in_use_without_a_client(run, bare):
    assert run("keys", "in-use").lines == ["There are no clients in the configuration."]


def test_broken_key_files_are_not_in_use(run, folder):
    (folder / "keys" / "signing.jwks.json").write_text("{")
    done = run("keys", "in-use")
    assert (done.status, "is not JSON" in done.says) == (2, True)


# ---------------------------------------------------------------------------------------------- secrets in the database


def secrets_in(folder):
    with sqlite3.connect(folder / "tracker.db") as connection:
        found = [secret for (secret,) in connection.execute("SELECT secret FROM subscription ORDER BY id")]
    connection.close()
    return found


def leave_out(folder, line):
    file = folder / "tracker.toml"
    before = file.read_text()
    file.write_text(before.replace(line, ""))
    return lambda: file.write_text(before)


HOOK = "https://hooks.example.com/x"
SECRETS_KEY = 'secrets_key = "keys/secrets.jwks.json"\n'


def test_secrets_are_encrypted_from_when_there_is_a_key_and_older_ones_when_told(run, filled):
    put_back = leave_out(filled, SECRETS_KEY)
    made = run("subscriptions", "add", HOOK).lines[1].split()[1]
    assert secrets_in(filled) == [made]
    assert (
        "secrets               those of subscriptions are not encrypted in the database; make a key" in run("check").out
    )
    refused = run("keys", "seal")
    assert (refused.status, "make one with `tracker keys make secrets`" in refused.says) == (2, True)
    put_back()
    assert (
        "those of 1 subscription(s) are not encrypted with the first key; run `tracker keys seal`" in run("check").out
    )
    assert run("keys", "seal").lines == ["1 encrypted now, 0 before."]
    assert made not in str(secrets_in(filled))
    other = run("subscriptions", "add", HOOK).lines[1].split()[1]
    assert all(secret.startswith("aesgcm:") for secret in secrets_in(filled))
    assert run("keys", "seal").lines == ["0 encrypted now, 2 before."]
    done = run("check").out
    assert "ok    secrets               those of subscriptions are encrypted" in done
    assert "ok    at rest               values are encrypted under 0 key(s) of consents, and these too" in done
    everything = b"".join(path.read_bytes() for path in filled.glob("tracker.db*"))
    assert other.encode() not in everything


def test_a_subscription_whose_key_is_missing_is_told_of_and_can_be_given_another_secret(run, filled):
    one = run("subscriptions", "add", HOOK).lines[0].split()[1]
    (filled / "keys" / "secrets.jwks.json").unlink()
    run("keys", "make", "secrets", "--out", "keys/secrets.jwks.json")
    (found,) = json.loads(run("subscriptions", "list", "--json").out)["items"]
    assert "which at_rest_keys does not hold" in found["last_error"]
    done = run("check")
    assert (done.status, "FAIL  secrets               those of 1 subscription(s) cannot be read" in done.out) == (
        1,
        True,
    )
    assert "cannot be read; put the key back" in run("keys", "seal").err
    assert run("subscriptions", "rotate-secret", one).out.startswith("secret  whsec_")
    (found,) = json.loads(run("subscriptions", "list", "--json").out)["items"]
    assert found["last_error"] is None
    assert run("keys", "seal").lines == ["0 encrypted now, 1 before."]
