"""The journal's document is enough to verify an export: here is a verifier written from it alone.

Its first half uses the standard library and Ed25519, and nothing of the tracker's. It verifies the example that stands in the
document, and exports that the tracker has just made; and where an export is spoilt, it says no where ours says no.
"""

import gzip
import json
import re
import shutil
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.checkpointing import a_signer, checkpointing
from tests.contract.facts import a_subscription
from tests.journal import drafts
from tests.profiles import uae_payloads
from tests.usecases.bench import CONSENT, Bench, data, event, message, open_bench, our_crypto
from tests.usecases.chain import EXPIRY, NEXT, hear, renew
from tests.usecases.keeping import OF_RETENTION, be_retained
from tracker.adapters.checkpoint_signer import Ed25519NoteSigner, checkpoint_vkey
from tracker.adapters.parquet import ParquetWriter
from tracker.domain import decision, lifecycle, overlay
from tracker.domain.completion import CompletionTerms
from tracker.domain.errors import RevocationRefusedError
from tracker.journal import leaf
from tracker.journal.csv_form import CSV_NAME, HEAD, csv_lines
from tracker.journal.export import EntryWriter, row_of
from tracker.journal.folder import ExportFolder
from tracker.journal.gap import Gap
from tracker.journal.selection import Part, Selection, whole
from tracker.journal.table import publish_table
from tracker.journal.verify import Answer, verify_export
from tracker.usecases.complete import COMPLETED, OVERDUE, CompletionReport, Completions
from tracker.usecases.drift import DRIFT_FOUND
from tracker.usecases.expire import AUTHORIZATION_OVERDUE
from tracker.usecases.export import Exporting
from tracker.usecases.payments import PAYMENT_CHANGED
from tracker.usecases.proofs import Proofs
from tracker.usecases.wake import Bell

DOCUMENT = (Path(__file__).parents[2] / "docs" / "journal.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```\w+ (\S+)\n(.*?)\n```$", DOCUMENT, re.MULTILINE | re.DOTALL))


# ---------------------------------------------------------------------------------------------- a verifier


class Refused(Exception):  # noqa: N818 - a verdict
    """The export is not intact."""


def require(holds: bool, what: str) -> None:
    if not holds:
        raise Refused(what)


def canonical(value: Any) -> bytes:
    return text_of(value).encode()


def text_of(value: Any) -> str:
    match value:
        case dict():
            names = sorted(value, key=lambda name: name.encode("utf-16-be"))
            return "{" + ",".join(f"{text_of(name)}:{text_of(value[name])}" for name in names) + "}"
        case list():
            return "[" + ",".join(map(text_of, value)) + "]"
        case bool() | None | str():
            return json.dumps(value, ensure_ascii=False)
        case int() if abs(value) <= 2**53:
            return str(value)
        case _:
            return number(float(value))


def number(value: float) -> str:
    if value == 0:
        return "0"
    sign, all_digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, all_digits))
    assert isinstance(exponent, int)
    point = len(digits) + exponent
    if len(digits) <= point <= 21:
        shown = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        shown = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        shown = f"0.{'0' * -point}{digits}"
    else:
        shown = f"{digits[0]}{'.' * (len(digits) > 1)}{digits[1:]}e{point - 1:+d}"
    return "-" * sign + shown


def only_json(text: bytes) -> Any:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        require(len(dict(pairs)) == len(pairs), "a member twice")
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise Refused(constant)

    try:
        return json.loads(text.decode(), object_pairs_hook=members, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Refused("not JSON") from error


Form = Callable[[Any], bool]


def like(pattern: str) -> Form:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def or_null(form: Form) -> Form:
    return lambda value: value is None or form(value)


def is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def is_whole(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 2**53


def is_time(value: Any) -> bool:
    if not like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")(value):
        return False
    try:
        return bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def in_base64url(text: Any) -> bytes:
    require(isinstance(text, str), "no text")
    try:
        found = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise Refused("not base64url") from error
    require(urlsafe_b64encode(found).rstrip(b"=").decode() == text, "not base64url")
    return found


def is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(in_base64url(value)) == 32


ANY_TEXT = like(r"(?s:.*)")
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
HEX = like(r"[0-9a-f]{64}")
LEAF: dict[str, Form] = {
    "specversion": lambda value: value == "1.0",
    "datacontenttype": lambda value: value == "application/json",
    "id": like(UUID),
    "source": like(f"urn:uuid:{UUID}"),
    "type": like(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+"),
    "subject": ANY_TEXT,
    "time": is_time,
    "sequence": like(r"\d{20}"),
    "data": lambda value: isinstance(value, dict),
}
DATA: dict[str, Form] = {
    **dict.fromkeys(
        ("provider", "kind", "consent_id", "from", "to", "channel", "revoked_by", "reason"), or_null(ANY_TEXT)
    ),
    **dict.fromkeys(("late", "corrected", "inferred", "confirmed", "usable"), is_bool),
    **dict.fromkeys(("status_date_time", "received_at"), or_null(is_time)),
    "tracking_id": or_null(like(UUID)),
    "previous": or_null(is_whole),
    "judge": is_whole,
    "evidence": lambda value: isinstance(value, list),
    "private_digest": or_null(is_digest),
}
EVIDENCE: dict[str, Form] = {
    "channel": ANY_TEXT,
    "signed": is_bool,
    "jws_sha256": or_null(HEX),
    "jwe_sha256": or_null(HEX),
    "kid": or_null(ANY_TEXT),
    "jwk_thumbprint": or_null(is_digest),
}
LINE: dict[str, Form] = {
    "entry": lambda value: isinstance(value, dict),
    "leaf_hash": HEX,
    "private": or_null(lambda value: isinstance(value, dict)),
    "private_salt": or_null(ANY_TEXT),
}


PROVED: dict[str, Form] = {**LINE, "proof": lambda value: isinstance(value, list) and all(map(HEX, value))}


def require_form(value: Any, forms: dict[str, Form]) -> None:
    require(isinstance(value, dict) and value.keys() == forms.keys(), "other members")
    for name, form in forms.items():
        require(form(value[name]), name)


def root_of(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


@dataclass
class Verdict:
    root: str
    by_whom: str
    counts: list[int] = field(default_factory=lambda: [0, 0, 0])


def verify(folder: Path, vkeys: list[str]) -> Verdict:
    """Verify an export as the document says."""
    manifest = only_json((folder / "manifest.json").read_bytes())
    require_manifest(manifest)
    packed = (folder / "entries.jsonl.gz").read_bytes()
    try:
        lines = gzip.decompress(packed).splitlines(keepends=True)
    except (OSError, EOFError) as error:
        raise Refused("gzip") from error
    verdict = Verdict(manifest["root_hash"], "")
    leaves: list[bytes] = []
    last_of: dict[str, int] = {}
    first, is_filter = manifest["range"]["from"], manifest.get("left", ()) is None
    n, time = first - 1, ""
    for line in lines:
        members = only_json(line)
        require_form(members, PROVED if is_filter else LINE)
        entry = members["entry"]
        n = number_of(entry, n, manifest) if is_filter else number_behind(entry, n, leaves, is_first=n == first - 1)
        require(entry.get("sequence") == f"{n:020d}", f"entry {n} is missing")
        leaves.append(sha256(b"\x00" + canonical(entry)).digest())
        require(leaves[-1].hex() == members["leaf_hash"], "hash")
        require_leaf(entry)
        require(entry["source"] == f"urn:uuid:{manifest['journal_id']}", "source")
        require(entry["time"] >= time, "time")
        previous, before = entry["data"]["previous"], last_of.get(entry["subject"])
        require(previous == before or (before is None and previous is not None and previous < first), "previous")
        require_chosen(entry, manifest.get("selection"))
        if is_filter:
            root = root_by(leaves[-1], n - 1, manifest["tree_size"], [bytes.fromhex(one) for one in members["proof"]])
            require(root is not None and root.hex() == manifest["root_hash"], "proof")
        require_private(members)
        require(canonical(members) + b"\n" == line and len(line) <= 4 * 2**20, "line")
        time, last_of[entry["subject"]] = entry["time"], n
        verdict.counts[word_of(entry["data"])] += 1
    require(len(lines) == manifest["count"], "count")
    if not is_filter:
        require(n == manifest["range"]["to"], "range")
        require(root_between(leaves, manifest).hex() == manifest["root_hash"], "root")
    file = {"name": "entries.jsonl.gz", "bytes": len(packed), "sha256": sha256(packed).hexdigest()}
    require(manifest["file"] == file, "file")
    verdict.by_whom = by_whom(manifest, vkeys)
    return verdict


LOST = sha256(b"\x00consent-tracker/journal-gap").digest()


def gap_in(entry: dict[str, Any]) -> tuple[int, int] | None:
    """The first and the last of the entries that this one declares as lost."""
    if entry.get("type") != "journal.gap":
        return None
    said = entry.get("data")
    require(isinstance(said, dict), "data")
    first, last, reason = said.get("from"), said.get("to"), said.get("reason")
    is_number = like(r"[1-9][0-9]{0,18}")
    require(is_number(first) and is_number(last), "a gap that is none")
    require(int(first) <= int(last) and entry.get("sequence") == f"{int(last) + 1:020d}", "a gap that ends elsewhere")
    found = re.fullmatch(r"backup_restored,size_([1-9][0-9]{0,18}),root_[0-9a-f]{64}", reason or "")
    require(found is not None and int(found[1]) <= int(last), "a gap that names nothing")
    return int(first), int(last)


def number_behind(entry: dict[str, Any], before: int, leaves: list[bytes], *, is_first: bool) -> int:
    """The next number; or, of a declared gap, the one after it, when its leaves are in their places."""
    lost = gap_in(entry)
    if lost is None:
        return before + 1
    begin, end = lost
    begins = begin == before + 1 or (is_first and begin <= before + 1 <= end + 1)
    require(begins, "a gap that begins elsewhere")
    leaves += [LOST] * (end - before)
    return end + 1


def number_of(entry: dict[str, Any], before: int, manifest: dict[str, Any]) -> int:
    told = entry.get("sequence")
    require(like(r"\d{20}")(told) and before < int(told) <= manifest["range"]["to"], "sequence")
    return int(told)


def require_chosen(entry: dict[str, Any], selection: dict[str, Any] | None) -> None:
    if selection is None:
        return
    said = entry["data"]
    for name in ("provider", "kind"):
        require(selection[name] in (None, said[name]), name)
    require(selection["tracking_ids"] is None or said["tracking_id"] in selection["tracking_ids"], "tracking_id")
    require(selection["from"] is None or entry["time"] >= selection["from"], "from")
    require(selection["to"] is None or entry["time"] < selection["to"], "to")


def root_by(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes | None:
    """RFC 6962, section 2.1.1, from the root down: which half the leaf is in decides on which side its sibling stands."""
    if size == 1:
        return leaf if not proof else None
    if not proof:
        return None
    k = 1 << (size - 1).bit_length() - 1
    *rest, sibling = proof
    half = root_by(leaf, index, k, rest) if index < k else root_by(leaf, index - k, size - k, rest)
    if half is None:
        return None
    return sha256(b"\x01" + (half + sibling if index < k else sibling + half)).digest()


def root_between(leaves: list[bytes], manifest: dict[str, Any]) -> bytes:
    """The root over what lies left, the leaves, and what lies right."""
    first, size = manifest["range"]["from"] - 1, manifest["tree_size"]
    known: dict[tuple[int, int], bytes] = {(first + n, 1): leaf for n, leaf in enumerate(leaves)}
    at, left = 0, [bytes.fromhex(one) for one in manifest.get("left", ())]
    heights = [h for h in reversed(range(first.bit_length())) if first >> h & 1]
    require(len(heights) == len(left), "left")
    for height, one in zip(heights, left):
        known[at, 1 << height] = one
        at += 1 << height
    at = first + len(leaves)
    for one in manifest.get("right", ()):
        require(at < int(size), "right")
        width = 1
        while at % (2 * width) == 0 and at + 2 * width <= size:
            width *= 2
        known[at, width] = bytes.fromhex(one)
        at += width
    require(at == size, "right")
    return root_over(0, size, known)


def root_over(first: int, count: int, known: dict[tuple[int, int], bytes]) -> bytes:
    if (first, count) in known:
        return known[first, count]
    if not count:
        return sha256(b"").digest()
    require(count > 1, "a leaf that nobody knows")
    k = 1 << (count - 1).bit_length() - 1
    return sha256(b"\x01" + root_over(first, k, known) + root_over(first + k, count - k, known)).digest()


def require_manifest(manifest: Any) -> None:
    names = {"format", "version", "journal_id", "range", "count", "tree_size", "file", "root_hash", "checkpoint"}
    is_part = isinstance(manifest, dict) and manifest.get("version") == 2
    names |= {"selection", "left", "right"} if is_part else set()
    require(isinstance(manifest, dict) and manifest.keys() == names, "manifest")
    count, span = manifest["count"], manifest["range"]
    require(type(count) is int and type(manifest["tree_size"]) is int, "count")
    if is_part:
        require_part(manifest, span, count)
    else:
        size = manifest["tree_size"]
        require((size >= count > 0 or size == count == 0) and span == {"from": 1, "to": size}, "range")
    require((manifest["format"], manifest["version"]) == ("consent-tracker/journal-export", 1 + is_part), "format")
    require(like(UUID)(manifest["journal_id"]) and HEX(manifest["root_hash"]), "manifest")
    require(or_null(ANY_TEXT)(manifest["checkpoint"]), "checkpoint")


SELECTION: dict[str, Form] = {
    **dict.fromkeys(("provider", "kind", "consent_id", "user_ref"), or_null(ANY_TEXT)),
    **dict.fromkeys(("from", "to"), or_null(is_time)),
    "tracking_ids": or_null(
        lambda value: isinstance(value, list) and all(map(like(UUID), value)) and value == sorted(set(value))
    ),
}


def require_part(manifest: dict[str, Any], span: Any, count: int) -> None:
    selection = manifest["selection"]
    require_form(selection, SELECTION)
    require(
        isinstance(span, dict) and span.keys() == {"from", "to"} and {type(one) for one in span.values()} == {int},
        "range",
    )
    require(1 <= span["from"] <= span["to"] + 1 and span["to"] <= manifest["tree_size"], "range")
    named = selection["consent_id"] is not None or selection["user_ref"] is not None
    require(named == (selection["tracking_ids"] is not None), "tracking_ids")
    is_filter = any(selection[name] is not None for name in ("provider", "kind", "tracking_ids"))
    for side in ("left", "right"):
        hashes = manifest[side]
        require((hashes is None) == is_filter, side)
        require(is_filter or (isinstance(hashes, list) and all(map(HEX, hashes))), side)
    width = span["to"] - span["from"] + 1
    require(0 <= count <= width and (is_filter or (count > 0) == (width > 0)), "count")
    is_all = not any(is_set is not None for is_set in selection.values())
    require(not is_all or (span["from"] > 1 and span["to"] == manifest["tree_size"]), "selection")


def require_leaf(entry: Any) -> None:
    require_form(entry, LEAF)
    said = entry["data"]
    require_form(said, DATA)
    for item in said["evidence"]:
        require_form(item, EVIDENCE)
        require(item["jws_sha256"] is not None or not item["signed"], "signed")
    if said["tracking_id"] is not None:
        require(None not in (said["provider"], said["kind"]), "no provider or kind")
        require(entry["subject"] == f"{said['provider']}/{said['tracking_id']}", "subject")
        return
    require(said["kind"] is None and said["consent_id"] is None, "a consent's members")
    flags = ("late", "corrected", "inferred", "confirmed", "usable")
    require(not any(said[flag] for flag in flags) and not said["evidence"], "says something of a consent")
    is_provider = said["provider"] is not None and entry["subject"] == f"provider/{said['provider']}"
    is_other = said["provider"] is None and like(f"(subscription|journal)/{UUID}")(entry["subject"])
    require(is_provider or is_other, "subject")


def require_private(members: dict[str, Any]) -> None:
    private, salt = members["private"], members["private_salt"]
    require((private is None) == (salt is None), "private and salt")
    if private is not None:
        salt_bytes = in_base64url(salt)
        digest = urlsafe_b64encode(sha256(salt_bytes + canonical(private)).digest()).rstrip(b"=").decode()
        require(len(salt_bytes) == 32 and digest == members["entry"]["data"]["private_digest"], "private_digest")


def word_of(said: dict[str, Any]) -> int:
    """0: a signed word of the holder's, 1: an unsigned one, 2: our own."""
    holders = ("webhook", "poll")
    if said["channel"] not in holders:
        return 2
    return 0 if any(item["signed"] and item["channel"] in holders for item in said["evidence"]) else 1


def by_whom(manifest: dict[str, Any], vkeys: list[str]) -> str:
    note = manifest["checkpoint"]
    if note is None:
        return "unanchored"
    text, gap, below = note.rpartition("\n\n")
    lines = below.split("\n")
    if not gap or lines.pop() or not lines:
        return "no"
    text += "\n"
    origin, size, root = text.split("\n")[:3]
    if (size, root) != (str(manifest["tree_size"]), b64encode(bytes.fromhex(manifest["root_hash"])).decode()):
        return "no"
    answer = "unanchored"
    for line in lines:
        _, name, signature = line.split(" ")
        key_hash, signed = b64decode(signature)[:4], b64decode(signature)[4:]
        for trusted in vkeys:
            its_name, its_hash, its_key = trusted.split("+", 2)
            key = b64decode(its_key)
            assert sha256(its_name.encode() + b"\n" + key).digest()[:4].hex() == its_hash
            if name == its_name == origin and key_hash.hex() == its_hash:
                try:
                    Ed25519PublicKey.from_public_bytes(key[1:]).verify(signed, text.encode())
                except InvalidSignature:
                    return "no"
                answer = f"{its_name}+{its_hash}"
    return answer


# ---------------------------------------------------------------------------------------------- the example


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The folder that the document shows."""
    folder = tmp_path / "example"
    folder.mkdir()
    (folder / "manifest.json").write_text(BLOCKS["manifest.json"] + "\n", "utf-8")
    (folder / "entries.jsonl.gz").write_bytes(b64decode(BLOCKS["entries.jsonl.gz"]))
    return folder


def example_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress((folder / "entries.jsonl.gz").read_bytes()).splitlines()]


def table(*first: str) -> list[list[str]]:
    """The rows below the table header that begins with these cells."""
    head = re.escape("| " + " | ".join(first) + " |")
    found = re.search(rf"^{head}.*\n\|[-|]+\|\n((?:\|.*\n)+)", DOCUMENT, re.MULTILINE)
    assert found is not None
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in found[1].splitlines()]


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_example_is_verified(example: Path) -> None:
    verdict = verify(example, [BLOCKS["VKEY"]])
    assert verdict.by_whom == "+".join(BLOCKS["VKEY"].split("+", 2)[:2])
    assert verdict.counts == [2, 0, 1]
    ours = verify_export(example, [BLOCKS["VKEY"]])
    assert ours.accepted
    assert verdict.root in ours.intact.sentence


def test_example_shown_in_parts_is_the_example(example: Path) -> None:
    lines = example_lines(example)
    manifest = json.loads(BLOCKS["manifest.json"])
    assert json.loads(BLOCKS["entry"]) == lines[1]["entry"]
    assert manifest["checkpoint"] == BLOCKS["checkpoint"] + "\n"
    told = {what: value.strip("`") for what, value in table("what", "value")}
    leaves = [sha256(b"\x00" + canonical(line["entry"])).digest() for line in lines]
    salt, private = bytes.fromhex(told["salt of entry 1"]), told["private value of entry 1"].encode()
    digest = urlsafe_b64encode(sha256(salt + private).digest()).rstrip(b"=").decode()
    assert digest == told["`private_digest` of entry 1"] == lines[0]["entry"]["data"]["private_digest"]
    assert in_base64url(lines[0]["private_salt"]) == salt
    assert [told[f"leaf {n}"] for n in range(3)] == [one.hex() for one in leaves]
    assert told["node over leaves 0 and 1"] == sha256(b"\x01" + leaves[0] + leaves[1]).hexdigest()
    assert told["root"] == root_of(leaves).hex() == manifest["root_hash"]


# ---------------------------------------------------------------------------------------------- fresh exports


async def _live(bench: Bench) -> None:
    """Let consents have every type of entry."""
    await bench.register(user_ref="customer-42", terms={"Amount": 12.5, "Note": "Zoë", "Tiny": 1e-7})
    await bench.deliver(event(data()))
    await bench.deliver(event(None, message=message(uae_payloads.payment(ConsentId=CONSENT))))
    bench.advance(minutes=10)
    bench.holders.answers[CONSENT] = {"Data": data(Permissions=["ReadBalances"])}
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    earlier = data("AwaitingAuthorization", "2026-03-02T10:20:00+04:00")
    unheard_of = data("Frozen", "2026-03-02T15:20:00+04:00")
    for found in (earlier, unheard_of):
        await bench.deliver(event(found, message=message(found, at=str(found["StatusUpdateDateTime"]))))
    bench.advance(minutes=10)
    bench.holders.signed = False
    bench.holders.answers[CONSENT] = {"Data": data(at="2026-03-02T15:21:00+04:00")}
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    bench.holders.answers[CONSENT] = {"Data": data("Suspended", "2026-03-02T15:25:00+04:00")}
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    bench.advance(seconds=301)
    await bench.look_after()
    bench.holders.answers[CONSENT] = {"Data": data(at="2026-03-02T15:27:00+04:00")}
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    await renew(bench)
    bench.advance(days=2)
    await bench.notices.run_once()
    await hear(bench, "Revoked", NEXT)
    bench.clock.set(EXPIRY - timedelta(days=1))
    await bench.notices.run_once()
    tracking_id = (await bench.consent()).tracking_id
    await bench.pausing.pause(tracking_id)
    await bench.pausing.resume(tracking_id)
    bench.holders.said.append(RevocationRefusedError("Consent.BusinessRuleViolation"))
    await bench.revoker.request(tracking_id, "TPP")
    await bench.revoker.carry_out(tracking_id)
    await bench.revoker.withdraw(tracking_id)
    bench.clock.set(EXPIRY + timedelta(seconds=1))
    await bench.expiry.run_once()
    bench.holders.answers[CONSENT] = {"Data": data("Expired", "2026-09-01T00:00:00+04:00")}
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    await bench.register("another")
    bench.advance(minutes=15)
    await bench.expiry.run_once()
    await be_retained(bench)
    await _have_work_done(bench)


async def _have_work_done(bench: Bench) -> None:
    """Let a subscriber report what it did after the first entry, and be late with the rest."""
    asked = CompletionTerms(types=("consent.registered",), work=("data_deleted",), within=timedelta(minutes=5))
    subscription = a_subscription(completion=asked)
    await bench.store.add_subscription(subscription)
    completions = Completions(bench.store, bench.office, Bell())
    evidence = "https://crm.example/4711"
    done = CompletionReport(sequence=1, work="data_deleted", evidence_url=evidence, done_at=bench.clock.now())
    await completions.report(subscription.id, done, lambda _: None)
    await completions.run_once()


WITHOUT_STATUS = {PAYMENT_CHANGED, OVERDUE, COMPLETED, *OF_RETENTION}


async def test_what_the_tracker_records_and_exports_is_as_documented(database: Path, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    vkey = checkpoint_vkey(key, "demo.example/journal")
    async with open_bench(database, our_crypto(tmp_path)) as bench:
        await _live(bench)
        signer = Ed25519NoteSigner(key, "demo.example/journal")
        checkpoints = checkpointing(bench.store, bench.clock, signer)
        exporting = Exporting(bench.store, Proofs(bench.store), checkpoints)
        await exporting.export(tmp_path / "export")
        lines = example_lines(tmp_path / "export")
    assert verify(tmp_path / "export", [vkey]).by_whom == "+".join(vkey.split("+", 2)[:2])
    entries = [line["entry"] for line in lines]
    documented = {names_in(row[0])[0]: row for row in table("`type`", "when")}
    assert {entry["type"] for entry in entries} == documented.keys()
    for entry in entries:
        _require_documented(entry, documented[entry["type"]])


def _require_documented(entry: dict[str, Any], row: list[str]) -> None:
    said = entry["data"]
    by_clock = said["channel"] == "clock"
    members = ("from", "status_date_time", "received_at", "channel", "evidence")
    for name, cell in zip(members, row[2:7], strict=True):
        is_there = said[name] not in (None, [])
        wanted = {"null": False, "empty": False, "set": True, "one": True, "maybe": not by_clock}[cell]
        assert is_there == wanted, (entry["type"], name)
    assert len(said["evidence"]) <= 1
    assert (said["to"] is None) == (entry["type"] in {"consent.expiring", "consent.overlap_found", *WITHOUT_STATUS})
    assert said["inferred"] is not said["confirmed"]
    assert (said["reason"] is not None) == ("`reason`" in row[1])
    assert said["late"] is (entry["type"] == "consent.status_learned_late")


def _untouched(folder: Path) -> None:
    pass


def _exchanged(folder: Path) -> None:
    lines = drafts.read_lines(folder)
    drafts.write_lines(folder, [lines[1], lines[0], *lines[2:]])


def _with_blanks(folder: Path) -> None:
    lines = drafts.read_lines(folder)
    drafts.write_lines(folder, [lines[0].replace(b'":', b'": ', 1), *lines[1:]])


def _cut(folder: Path) -> None:
    drafts.write_lines(folder, drafts.read_lines(folder)[:-1])


def _changed(change: Callable[[dict[str, Any]], None], *, rehash: bool = False) -> Callable[[Path], None]:
    return lambda folder: drafts.change_line(folder, 1, change, rehash=rehash)


def _noted(change: Callable[[str], str | None]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        note = json.loads((folder / "manifest.json").read_bytes())["checkpoint"]
        drafts.change_manifest(folder, checkpoint=change(note))

    return spoil


SPOILT = {
    "nothing": _untouched,
    "two lines exchanged": _exchanged,
    "white space": _with_blanks,
    "last line missing": _cut,
    "usable turned around": _changed(lambda line: line["entry"]["data"].update(usable=True)),
    "another hash": _changed(lambda line: line.update(leaf_hash="0" * 64)),
    "all of it rehashed": _changed(lambda line: line["entry"]["data"].update(usable=True), rehash=True),
    "member missing": _changed(lambda line: line["entry"]["data"].pop("late"), rehash=True),
    "another subject": _changed(lambda line: line["entry"].update(subject="otherbank/1"), rehash=True),
    "another journal": _changed(lambda line: line["entry"].update(source=f"urn:uuid:{drafts.uuid(9)}"), rehash=True),
    "private value": _changed(lambda line: line["private"].update(user_ref="somebody else")),
    "salt alone": _changed(lambda line: line.update(private=None)),
    "private value destroyed": _changed(lambda line: line.update(private=None, private_salt=None)),
    "no checkpoint": _noted(lambda note: None),
    "checkpoint of another size": _noted(lambda note: note.replace("\n12\n", "\n13\n")),
    "signature of another text": _noted(lambda note: note[:-9] + ("A" if note[-9] != "A" else "B") + note[-8:]),
    "no signature": _noted(lambda note: note.partition("\n\n")[0]),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("trusting", [True, False], ids=["trusting", "unknown key"])
def test_both_verifiers_agree(
    folder: Path, signer: drafts.Signer, spoil: Callable[[Path], None], trusting: bool
) -> None:
    spoil(folder)
    vkeys = [signer.vkey] if trusting else []
    ours = verify_export(folder, vkeys)
    try:
        verdict = verify(folder, vkeys)
    except Refused:
        assert ours.intact.answer is Answer.NO
        return
    assert ours.intact.answer is Answer.OK
    assert verdict.by_whom == {Answer.OK: signer.short, Answer.NO: "no"}.get(ours.by_whom.answer, "unanchored")
    told = re.findall(r"(\d+) (?:entry |entries )?on ", ours.holders_word.sentence)
    assert list(map(int, told)) == verdict.counts


def test_most_of_what_is_spoilt_is_refused(good: Path, signer: drafts.Signer, tmp_path: Path) -> None:
    """The comparison above would also hold for two verifiers that accept everything."""
    answers: Counter[str] = Counter()
    for number_of_copy, spoil in enumerate(SPOILT.values()):
        folder = Path(shutil.copytree(good, tmp_path / str(number_of_copy)))
        spoil(folder)
        try:
            answers[verify(folder, [signer.vkey]).by_whom] += 1
        except Refused:
            answers["not intact"] += 1
    assert answers == {"not intact": 11, signer.short: 2, "unanchored": 1, "no": 3}


def _part(first: int, last: int, **chosen: Any) -> Part:
    return Part(
        journal_id=drafts.JOURNAL_ID, selection=Selection(**chosen), first=first, last=last, tree_size=drafts.COUNT
    )


def _at(sequence: int) -> datetime:
    return drafts.START + timedelta(seconds=sequence)


PARTS = {
    "a stretch": _part(4, 9, since=_at(4), until=_at(10)),
    "the end": _part(6, 12, since=_at(6)),
    "the beginning": _part(1, 5, until=_at(6)),
    "nothing": _part(13, 12, since=_at(99)),
    "a filter": _part(1, 12, user_ref="customer-1", tracking_ids=(drafts.uuid(101),)),
    "a filter in a stretch": _part(5, 12, since=_at(5), provider="demobank", kind="account-access"),
    "none of a filter": _part(1, 12, provider="otherbank"),
}
HASHES = ["0" * 64]
SPOILT_PARTS: dict[str, Callable[[Path], None]] = {
    "nothing": _untouched,
    "last line missing": _cut,
    "usable turned around": _changed(lambda line: line["entry"]["data"].update(usable=True), rehash=True),
    "private value destroyed": _changed(lambda line: line.update(private=None, private_salt=None)),
    "another root": lambda folder: drafts.change_manifest(folder, root_hash="1" * 64),
    "larger tree": lambda folder: drafts.change_manifest(folder, tree_size=13),
    "left taken away": lambda folder: drafts.change_manifest(folder, left=[]),
    "right made up": lambda folder: drafts.change_manifest(folder, right=HASHES),
    "left and right null": lambda folder: drafts.change_manifest(folder, left=None, right=None),
    "range moved": lambda folder: drafts.change_manifest(folder, range={"from": 2, "to": 7}),
    "nothing chosen": lambda folder: drafts.change_manifest(folder, selection=Selection().members()),
    "another provider chosen": lambda folder: drafts.change_manifest(
        folder, selection=Selection(provider="b").members(), left=None, right=None
    ),
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("spoil", SPOILT_PARTS.values(), ids=SPOILT_PARTS)
def test_both_verifiers_agree_on_parts(
    tmp_path: Path, signer: drafts.Signer, part: Part, spoil: Callable[[Path], None]
) -> None:
    folder = drafts.export_part(tmp_path / "part", drafts.ENTRIES, part, signer)
    if spoil is _untouched:
        assert verify(folder, [signer.vkey]).by_whom == signer.short
    elif len(drafts.read_lines(folder)) < 2:
        pytest.skip("there is nothing to spoil")
    else:
        spoil(folder)
    ours = verify_export(folder, [signer.vkey])
    try:
        verdict = verify(folder, [signer.vkey])
    except Refused:
        assert ours.intact.answer is Answer.NO
        return
    assert ours.intact.answer is Answer.OK
    assert verdict.by_whom == {Answer.OK: signer.short, Answer.NO: "no"}.get(ours.by_whom.answer, "unanchored")
    assert spoil in (_untouched, SPOILT_PARTS["private value destroyed"], _cut) or ours.by_whom.answer is Answer.OK


def test_duckdb_reads_what_the_document_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    drafts.export(tmp_path / "export", drafts.ENTRIES)
    part = whole(drafts.JOURNAL_ID, drafts.COUNT)
    table = ExportFolder(tmp_path / "table", part.members())
    with EntryWriter(table, part, CSV_NAME, lines=csv_lines, head=HEAD) as writer:
        writer.add(list(map(row_of, drafts.ENTRIES)))
        writer.finish()
    publish_table(table, part, "csv", drafts.COUNT, [CSV_NAME], None)
    columns = ExportFolder(tmp_path / "columns", part.members())
    with ParquetWriter(columns, part) as packed:
        packed.add(list(map(row_of, drafts.ENTRIES)))
        publish_table(columns, part, "parquet", drafts.COUNT, packed.finish(), None)
    monkeypatch.chdir(tmp_path)
    commands = re.search(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)
    assert commands is not None
    by_type, to, latest = (duckdb.sql(command).fetchall() for command in commands[1].strip().splitlines())
    assert dict(by_type) == Counter(entry.type for entry in drafts.ENTRIES)
    assert dict(to) == Counter(e.to_status for e in drafts.ENTRIES if e.type == "consent.status_changed")
    assert latest == [("demobank", drafts.COUNT)]


def test_empty_journal(tmp_path: Path, signer: drafts.Signer) -> None:
    assert verify(drafts.export(tmp_path / "out", [], signer), [signer.vkey]).root == sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1e21, "1e+21"),
        (1e20, "1" + "0" * 20),
        (-1.5e-7, "-1.5e-7"),
        (0.000001, "0.000001"),
        (2**70, "1.1805916207174113e+21"),
    ],
)
def test_numbers(value: float, shown: str) -> None:
    assert text_of(value) == shown


# ---------------------------------------------------------------------------------------------- a declared gap


@pytest_asyncio.fixture
async def with_gap(database: Path, tmp_path: Path) -> Path:
    """An export of a journal that was restored: entries 1 to 4, then 5 to 16 lost, as 17 says, then two more."""
    async with open_bench(database, our_crypto(tmp_path)) as bench:
        await bench.register(user_ref="customer-42")
        await bench.deliver(event(data()))
        for name in ("two", "three"):
            await bench.register(name)
        gap = Gap(first=5, last=16, size=9, root=bytes(range(32)))
        await bench.store.restored.jump(lambda _head, _gaps: gap, drafts.uuid(77), bench.clock.now())
        for name in ("four", "five"):
            await bench.register(name)
        checkpoints = checkpointing(bench.store, bench.clock, a_signer())
        await Exporting(bench.store, Proofs(bench.store), checkpoints).export(tmp_path / "export")
    return tmp_path / "export"


def test_a_declared_gap_is_verified_as_documented(with_gap: Path) -> None:
    verdict = verify(with_gap, [a_signer().vkey])
    ours = verify_export(with_gap, [a_signer().vkey])
    assert ours.accepted, ours
    assert verdict.root in ours.intact.sentence
    assert "7 entries, 1 to 19" in ours.intact.sentence
    assert verdict.by_whom != "unanchored"
    hashes = re.findall(r"^    ([0-9a-f]{64})$", DOCUMENT, re.MULTILINE)
    assert LOST.hex() in hashes


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("from", "6"),
        ("from", "05"),
        ("to", "15"),
        ("to", None),
        ("reason", None),
        ("reason", "backup_restored,size_17,root_" + "0" * 64),
        ("reason", "backup_restored"),
    ],
)
def test_a_gap_that_is_none_is_refused_by_both(with_gap: Path, member: str, value: str | None) -> None:
    def spoil(lines: list[dict[str, Any]]) -> None:
        lines[4]["entry"]["data"][member] = value

    _refused_by_both(with_gap, spoil)


def test_missing_entries_without_such_an_entry_are_refused_by_both(with_gap: Path) -> None:
    _refused_by_both(with_gap, lambda lines: lines.pop(4))


def _refused_by_both(folder: Path, spoil: Callable[[list[dict[str, Any]]], Any]) -> None:
    """All that can be mended by whoever changed it is mended."""
    lines = example_lines(folder)
    spoil(lines)
    for line in lines:
        line["leaf_hash"] = sha256(b"\x00" + canonical(line["entry"])).hexdigest()
    packed = gzip.compress(b"".join(canonical(line) + b"\n" for line in lines))
    (folder / "entries.jsonl.gz").write_bytes(packed)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["file"] |= {"bytes": len(packed), "sha256": sha256(packed).hexdigest()}
    manifest["count"] = len(lines)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    ours = verify_export(folder, []).intact
    assert ours.answer is Answer.NO
    with pytest.raises(Refused) as theirs:
        verify(folder, [])
    assert "have another root" not in ours.sentence  # what is wrong is seen before that
    assert str(theirs.value) != "root"


# ---------------------------------------------------------------------------------------------- the tables


def test_tables_name_what_the_code_has() -> None:
    members = [name for row in table("member", "form", "meaning") for name in names_in(row[0])]
    assert sorted(members) == sorted([*leaf.LEAF, *leaf.DATA])
    evidence = DOCUMENT.partition("### Evidence")[2].partition("###")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", evidence, re.MULTILINE)) == leaf.EVIDENCE.keys()
    assert leaf.LEAF.keys() == LEAF.keys()
    assert leaf.DATA.keys() == DATA.keys()
    types = {names_in(row[0])[0] for row in table("`type`", "when")}
    notices = {"consent.expiring", "consent.overlap_found", AUTHORIZATION_OVERDUE, DRIFT_FOUND}
    assert types == {"consent.registered", *notices, *WITHOUT_STATUS, *lifecycle.Telling, *overlay.Deed}


def test_reasons_are_those_of_the_judge() -> None:
    sources = "".join(Path(str(module.__file__)).read_text("utf-8") for module in (decision, lifecycle))
    codes = re.findall(r'Contradiction\("(\w+)"|reasons=\["(\w+)"\]', sources)
    assert {names_in(row[0])[0] for row in table("`reason`", "the contradiction")} == {a or b for a, b in codes}
