"""The document of evidence packs is enough to verify one: here is a verifier written from it, and from that of the journal.

It uses none of the tracker's code; the holder's signatures are verified with joserfc. It verifies the example beside the document
and packs that the tracker has just made, and says no where ours says no.
"""

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tests import tokens
from tests.journal.drafts import Signer
from tests.journal.packs import a_pack
from tests.journal.test_document import (
    Refused,
    _live,
    canonical,
    only_json,
    require,
    require_leaf,
    require_private,
)
from tests.journal.test_pack_tampering import FALSE, WRONG, changed, told, written
from tests.usecases.bench import open_bench, our_crypto
from tests.usecases.test_evidence import ANCHORS, SIGNER, packs_of
from tracker.journal.pack_schema import schema_text
from tracker.journal.verify import Answer
from tracker.journal.verify_pack import Anchors, verify_pack
from tracker.journal.verify_tokens import Word

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = (DOCS / "evidence.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```\w+ (\S+)\n(.*?)\n```$", DOCUMENT, re.MULTILINE | re.DOTALL))
EXAMPLE = (DOCS / "evidence-example.json").read_bytes()
SCHEMA = json.loads(schema_text())

Said = dict[str, Any]
Statement = tuple[str, str, datetime, str]

# ---------------------------------------------------------------------------------------------- a verifier


def verify(data: bytes, vkey: str, jwks: dict[str, Any], published: str | None = None) -> dict[int, str]:
    """Verify a pack as the document says; give what each entry rests on."""
    file = only_json(data)
    try:
        jsonschema.validate(file, SCHEMA)
        written_so = canonical(file) + b"\n"
        body = canonical(file["pack"])
    except (jsonschema.ValidationError, UnicodeEncodeError) as error:
        raise Refused("form") from error
    require(written_so == data, "not as packs are written")
    require(sha256(body).hexdigest() == file["sha256"], "sha256")
    pack = file["pack"]
    require_entries(pack)
    require_keys_and_tokens(pack)
    require_terms(pack)
    origin, size, root = pack["origin"], pack["tree"]["size"], bytes.fromhex(pack["tree"]["root_hash"])
    require_signed(pack["tree"]["checkpoint"], (origin, size, root), vkey)
    require_signed(file["seal"], (origin + "/evidence-pack", size, sha256(body).digest()), vkey)
    if published is not None:
        require_grown(pack, published)
    return words_of(pack, jwks)


def require_entries(pack: Said) -> None:
    tree, consent, before = pack["tree"], pack["consent"], None
    time = ""
    for part in pack["entries"]:
        entry = part["entry"]
        leaf = sha256(b"\x00" + canonical(entry)).digest()
        require(leaf.hex() == part["leaf_hash"], "leaf_hash")
        require_leaf(entry)
        require_private(part)
        said, sequence = entry["data"], int(entry["sequence"])
        require(entry["source"] == f"urn:uuid:{pack['journal_id']}", "source")
        require(
            all(said[name] == consent[name] for name in ("tracking_id", "provider", "consent_id", "kind")), "consent"
        )
        require(said["previous"] == before and entry["time"] >= time and sequence > (before or 0), "previous")
        path = [bytes.fromhex(node) for node in part["proof"]]
        require(sequence <= tree["size"], "beyond the tree")
        require(climbed(leaf, sequence - 1, tree["size"], path).hex() == tree["root_hash"], "proof")
        before, time = sequence, entry["time"]


def climbed(node: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that a path leads to, by the recursive definition of RFC 6962 section 2.1.1 turned around."""
    if size == 1:
        require(not path, "proof too long")
        return node
    require(bool(path), "proof too short")
    k = 1 << (size - 1).bit_length() - 1
    if index < k:
        return sha256(b"\x01" + climbed(node, index, k, path[:-1]) + path[-1]).digest()
    return sha256(b"\x01" + path[-1] + climbed(node, index - k, size - k, path[:-1])).digest()


def require_keys_and_tokens(pack: Said) -> None:
    keys = {key["jwk_thumbprint"]: key for key in pack["keys"]}
    for name, key in keys.items():
        require(key["jwk"]["kty"] == "RSA" and thumbprint_of(key["jwk"]) == name, "thumbprint")
    found = {token["jws_sha256"] for token in pack["tokens"]}
    require(len(found) == len(pack["tokens"]) and len(keys) == len(pack["keys"]), "twice")
    require(keys.keys() == {token["jwk_thumbprint"] for token in pack["tokens"]}, "keys")
    for token in pack["tokens"]:
        require(sha256(token["jws"].encode()).hexdigest() == token["jws_sha256"], "token's hash")


def thumbprint_of(jwk: Said) -> str:
    members = json.dumps({name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"), sort_keys=True)
    return urlsafe_b64encode(sha256(members.encode()).digest()).rstrip(b"=").decode()


def require_terms(pack: Said) -> None:
    by_sequence = {int(part["entry"]["sequence"]): part for part in pack["entries"]}
    if (terms := pack["terms"]) is not None:
        stated, granted = by_sequence.get(terms["stated_by"]), by_sequence.get(terms["authorized_by"])
        require(stated is not None and granted is not None and terms["stated_by"] <= terms["authorized_by"], "terms")
        assert stated is not None and granted is not None
        require(granted["entry"]["data"]["to"] == "Authorized", "never authorized")
        require((stated["private"] or {}).get("terms") == terms["data"], "terms")
    left_out, stated_by = pack["left_out"], None
    for sequence, part in by_sequence.items():
        data = part["entry"]["data"]
        if "terms" in (part["private"] or {}):
            stated_by = sequence
        elif part["private"] is None and data["private_digest"] and part["entry"]["type"].startswith("consent."):
            stated_by = None
        if data["to"] == "Authorized":
            expected = None if stated_by is None else (sequence, stated_by)
            require(expected == (terms and (terms["authorized_by"], terms["stated_by"])), "other terms")
            break
    shown = [part for part in pack["entries"] if part["private"] is not None]
    require("private" not in left_out or (not shown and pack["terms"] is None), "left out")
    require("tokens" not in left_out or not pack["tokens"], "left out")
    told = {part["sequence"] for one in pack["told"] for part in (*one["entries"], *one["work"])}
    require(told <= by_sequence.keys(), "told")


def require_signed(note: str | None, signed: tuple[str, int, bytes], vkey: str) -> None:
    name, key_hash, encoded = vkey.split("+", 2)
    text, _, below = (note or "").rpartition("\n\n")
    require(text + "\n" == f"{signed[0]}\n{signed[1]}\n{b64encode(signed[2]).decode()}\n", "note of something else")
    for line in below.splitlines():
        _, signer, signature = line.split(" ")
        if (signer, b64decode(signature)[:4].hex()) == (name, key_hash):
            try:
                key = Ed25519PublicKey.from_public_bytes(b64decode(encoded)[1:])
                key.verify(b64decode(signature)[4:], text.encode() + b"\n")
            except InvalidSignature as error:
                raise Refused("signature") from error
            return
    raise Refused("not signed by the trusted key")


def require_grown(pack: Said, published: str) -> None:
    origin, size, root = published.split("\n")[:3]
    require(origin == pack["origin"], "origin")
    known = {one["size"]: one for one in pack["tree"]["consistency"]} | {
        pack["tree"]["size"]: pack["tree"] | {"proof": None}
    }
    proof = known[int(size)]
    require(b64encode(bytes.fromhex(proof["root_hash"])).decode() == root, "another history")
    if proof["proof"] is not None:
        path = [bytes.fromhex(node) for node in proof["proof"]]
        old, new = grown(int(size), pack["tree"]["size"], path, bytes.fromhex(proof["root_hash"]), whole=True)
        require((old.hex(), new.hex()) == (proof["root_hash"], pack["tree"]["root_hash"]), "consistency")


def grown(m: int, n: int, path: list[bytes], known: bytes, *, whole: bool) -> tuple[bytes, bytes]:
    """Old and new root by a consistency proof: RFC 6962 section 2.1.2 turned around."""
    if m == n:
        if whole:
            require(not path, "proof too long")
            return known, known
        require(len(path) == 1, "proof")
        return path[0], path[0]
    require(bool(path), "proof too short")
    k = 1 << (n - 1).bit_length() - 1
    if m <= k:
        old, new = grown(m, k, path[:-1], known, whole=whole)
        return old, sha256(b"\x01" + new + path[-1]).digest()
    old, new = grown(m - k, n - k, path[:-1], known, whole=False)
    return sha256(b"\x01" + path[-1] + old).digest(), sha256(b"\x01" + path[-1] + new).digest()


# the holder's word


def words_of(pack: Said, jwks: dict[str, Any]) -> dict[int, str]:
    consent = pack["consent"]
    trusted = {thumbprint_of(key): key for key in jwks["keys"]}
    own = {key["jwk_thumbprint"]: key["jwk"] for key in pack["keys"]}
    claims: dict[str, Any] = {}
    for token in pack["tokens"]:
        name = token["jwk_thumbprint"]
        require(name in trusted or token["kid"] not in {key.get("kid") for key in jwks["keys"]}, "another key")
        claims[token["jws_sha256"]] = verified(token, trusted.get(name, own[name]))
        require_claims(claims[token["jws_sha256"]], token, token["received_at"], consent)
    stated = {name: statement_of(said, consent["consent_id"]) for name, said in claims.items()}
    by_name = {token["jws_sha256"]: token for token in pack["tokens"]}
    answers = [
        (one["received_at"], ("consent", one["status"].lower(), instant(one["status_date_time"]), ""))
        for one in pack["unsigned_answers"]
    ]
    words, last = {}, None
    for part in pack["entries"]:
        entry, said = part["entry"], part["entry"]["data"]
        sequence, word = int(entry["sequence"]), "own"
        for proof in said["evidence"] if said["channel"] in {"webhook", "poll"} else ():
            word = "unsigned"
            if not proof["signed"]:
                continue
            require(proof["jws_sha256"] in by_name, "no token")
            token = by_name[proof["jws_sha256"]]
            for name in ("kid", "jwk_thumbprint", "jwe_sha256"):
                require(token[name] == proof[name], name)
            is_event = "EventType" in message_of(claims[proof["jws_sha256"]]).get("Meta", {})
            require(is_event == (proof["channel"] == "webhook"), "way")
            if said["received_at"] is not None:
                require_claims(claims[proof["jws_sha256"]], token, said["received_at"], consent)
            terms = (part["private"] or {}).get("terms")
            require(terms is None or terms == message_of(claims[proof["jws_sha256"]])["Data"], "other terms")
            had = [stated[name] for name, one in by_name.items() if one["received_at"] <= entry["time"]]
            tells, moves = told_by(entry), entry["type"] in {"consent.status_changed", "consent.status_confirmed"}
            is_stated = tells is None or any(meets(tells, one) for one in [stated[proof["jws_sha256"]], *had])
            if tells is None or (not moves and said["to"] not in {None, last} and is_stated):
                word = "own"
            elif is_stated:
                word = "holder's" if token["jwk_thumbprint"] in trusted else "unanchored"
            else:
                unsigned = (*tells[:3], "")
                require(any(at <= entry["time"] and meets(unsigned, one) for at, one in answers), "says something else")
                word = "unsigned" if moves or said["to"] in {None, last} else "own"
        words[sequence], last = word, said["to"] or last
    return words


def verified(token: Said, jwk: Said) -> Any:
    try:
        found = jws.deserialize_compact(
            token["jws"], RSAKey.import_key({n: jwk[n] for n in ("kty", "n", "e")}), ["PS256"]
        )
    except (JoseError, ValueError) as error:
        raise Refused("token") from error
    require(found.headers()["kid"] == token["kid"], "kid")
    require(not {"crit", "b64", "zip"} & found.headers().keys(), "header")
    said = only_json(found.payload)
    require(isinstance(said, dict), "claims")
    return said


def require_claims(said: Said, token: Said, received_at: str, consent: Said) -> None:
    done = token["verification"] or {"iss": consent["issuer"], "aud": []}
    require(said.get("iss") == done["iss"], "iss")
    audience = said.get("aud", [])
    audience = audience if isinstance(audience, list) else [audience]
    is_event = "EventType" in message_of(said).get("Meta", {})
    if "aud" in said or is_event:
        require(bool({consent["client_id"], *done["aud"]} & set(audience)), "aud")
    at, ends, begins = instant(received_at).timestamp(), said.get("exp"), said.get("nbf", 0)
    require(all(isinstance(t, int | float) and not isinstance(t, bool) for t in (ends, begins)), "exp")
    require(begins - 60 <= at <= ends + 60, "not valid then")


def message_of(said: Said) -> Said:
    found = said.get("message")
    require(isinstance(found, dict), "message")
    return dict(found)


def instant(text: str) -> datetime:
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=timezone(timedelta(hours=4)))


def statement_of(said: Said, consent_id: str) -> Statement | None:
    found = message_of(said)
    meta, about = found.get("Meta", {}), found.get("Data") or {}
    require((meta.get("ConsentId") or about.get("ConsentId")) == consent_id, "another consent")
    require(about.get("ConsentId", consent_id) == consent_id, "ids disagree")
    if "PaymentId" in about:
        ends = dict.fromkeys(
            ("AcceptedSettlementCompleted", "AcceptedCreditSettlementCompleted", "AcceptedWithoutPosting"), "successful"
        )
        outcome = (ends | {"Rejected": "failed"}).get(about["Status"], "pending")
        return "payment", outcome, instant(about["StatusUpdateDateTime"]), ""
    if "EventType" in meta and not about.keys() & {"Permissions", "ControlParameters"}:
        return None
    return "consent", about["Status"].lower(), instant(about["StatusUpdateDateTime"]), about.get("RevokedBy", "")


def told_by(entry: Said) -> Statement | None:
    said, name = entry["data"], entry["type"]
    if said["status_date_time"] is None:
        return None
    since, by = instant(said["status_date_time"]), said["revoked_by"] or ""
    if name == "payment.status_changed":
        return "payment", said["reason"], since, ""
    if name == "consent.drift_found":
        return "consent", said["reason"].removesuffix("_missed"), since, by
    if name in {"consent.status_changed", "consent.status_confirmed"} and not said["inferred"]:
        return "consent", said["to"].lower(), since, by
    if name in {"consent.status_learned_late", "consent.irregular", "consent.terms_changed"}:
        return "consent", "", since, by
    return None


def meets(tells: Statement, stated: Statement | None) -> bool:
    if stated is None:
        return False
    return (
        (tells[0], tells[2]) == (stated[0], stated[2]) and tells[1] in {"", stated[1]} and tells[3] in {"", stated[3]}
    )


# ---------------------------------------------------------------------------------------------- packs

THEIRS = {"own": Word.OWN, "unsigned": Word.UNSIGNED, "holder's": Word.HOLDERS, "unanchored": Word.UNANCHORED}


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_example_is_verified() -> None:
    jwks, published = json.loads(BLOCKS["bank.jwks.json"]), BLOCKS["published.txt"] + "\n"
    words = verify(EXAMPLE, BLOCKS["VKEY"], jwks, published)
    assert list(words.values()) == ["own", "holder's", "holder's"]
    anchors = Anchors(vkeys=[BLOCKS["VKEY"]], holder_keys=json.dumps(jwks).encode(), checkpoint=published)
    ours = verify_pack(EXAMPLE, anchors)
    assert ours.accepted, ours.lines()
    assert {one.sequence: one.word for one in ours.words} == {n: THEIRS[word] for n, word in words.items()}


async def test_a_pack_with_every_kind_of_entry_is_verified_alike(
    database: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with open_bench(database, our_crypto(tmp_path_factory.mktemp("keys"))) as bench:
        await _live(bench)
        # Those that were disposed of have no tokens left to be packed.
        consents = bench.rows("SELECT provider, consent_id FROM consent")
        made = [
            await packs_of(bench, SIGNER).pack(str(p), str(consent_id))
            for p, consent_id in sorted(tuple(map(str, c)) for c in consents)
        ]
    seen = set()
    for data in made:
        ours = verify_pack(data, ANCHORS)
        assert ours.intact.answer is Answer.OK, ours.lines()
        assert ours.holders_word.answer is not Answer.NO, ours.lines()
        theirs = verify(data, SIGNER.vkey, json.loads(tokens.hub_jwks()))
        assert {one.sequence: one.word for one in ours.words} == {n: THEIRS[word] for n, word in theirs.items()}
        seen |= {part["entry"]["type"] for part in json.loads(data)["pack"]["entries"]}
    assert {"payment.status_changed", "consent.drift_found", "consent.irregular", "consent.status_learned_late"} <= seen


@pytest.fixture(scope="module")
def pack(signer: Signer) -> bytes:
    return a_pack(signer)


def test_a_pack_made_by_hand_is_verified_alike(pack: bytes, signer: Signer) -> None:
    words = verify(pack, signer.vkey, json.loads(tokens.hub_jwks()))
    assert list(words.values()) == ["own", "holder's", "holder's", "holder's"]


@pytest.mark.parametrize("name", [name for name in WRONG if name != "half a surrogate pair"])
def test_what_we_refuse_is_refused_by_others(pack: bytes, signer: Signer, name: str) -> None:
    spoilt = written(changed(pack, WRONG[name][0]), pack)
    with pytest.raises(Refused):
        verify(spoilt, signer.vkey, json.loads(tokens.hub_jwks()))


@pytest.mark.parametrize("name", FALSE)
def test_what_is_not_the_holders_word_is_not_to_others(signer: Signer, name: str) -> None:
    with pytest.raises(Refused):
        verify(told(signer, FALSE[name][0]), signer.vkey, json.loads(tokens.hub_jwks()))
