"""An evidence pack as a page for people: the verification's result, a timeline, and what it rests on.

One file that needs nothing else: no script, no font, no picture from elsewhere, and a policy that forbids any. Whatever the pack
says is shown as text. The page proves nothing, and says so: the pack does.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any, Final

from tracker.journal.pack import PRIVATE, Pack
from tracker.journal.pack_page_style import STYLE
from tracker.journal.verify import Answer, Finding
from tracker.journal.verify_pack import PackVerdict
from tracker.journal.verify_tokens import EntryWord

_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'"
)
_SIGNS: Final = {Answer.OK: "yes", Answer.NO: "no", Answer.UNKNOWN: "open", Answer.UNANCHORED: "open"}
"""How an answer looks."""

Part = Mapping[str, Any]


def page(data: bytes, verdict: PackVerdict) -> str:
    """Make the page of a pack that was verified.

    Args:
        data: The file.
        verdict: What came of verifying it. Of a pack that is not intact nothing is shown but that.
    """
    pack = verdict.pack
    title = "Evidence pack that is broken" if pack is None else f"Consent {pack.said['consent']['consent_id']}"
    body = "".join(_body(data, verdict, pack, title))
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_text(_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _body(data: bytes, verdict: PackVerdict, pack: Pack | None, title: str) -> Iterator[str]:
    yield f"<header>\n<p>Evidence pack</p>\n<h1>{_text(title)}</h1>\n</header>\n<main>\n"
    yield from _verdict(verdict)
    if pack is not None:
        words = {one.sequence: one for one in verdict.words}
        yield from _facts(pack)
        yield from _timeline(pack, words)
        yield from _terms(pack)
        yield from _tokens(pack)
        yield from _told(pack)
        yield from _access(pack)
    yield (
        "</main>\n<footer>\n<p>This page proves nothing by itself. It shows what <code>tracker evidence verify</code> found in "
        f"the file with the SHA-256 <code>{sha256(data).hexdigest()}</code>. Verify that file, with keys that you did not get "
        "from it.</p>\n</footer>\n"
    )


def _verdict(verdict: PackVerdict) -> Iterator[str]:
    sign = "yes" if verdict.accepted else "no" if _is_wrong(verdict) else "open"
    says = {"yes": "Verified", "no": "Not to be believed", "open": "Not verified to the end"}[sign]
    yield f'<section class="verdict {sign}">\n<h2>{says}</h2>\n<dl>\n'
    for name, finding in _answers(verdict):
        yield f'<dt>{name}</dt><dd class="{_SIGNS[finding.answer]}">{_text(finding.sentence)}</dd>\n'
    yield f"<dt>covers</dt><dd>{_text(verdict.covers)}</dd>\n</dl>\n</section>\n"


def _answers(verdict: PackVerdict) -> tuple[tuple[str, Finding], ...]:
    return (("intact", verdict.intact), ("by whom", verdict.by_whom), ("holder’s word", verdict.holders_word))


def _is_wrong(verdict: PackVerdict) -> bool:
    return any(finding.answer is Answer.NO for _, finding in _answers(verdict))


def _facts(pack: Pack) -> Iterator[str]:
    said = pack.said
    consent, tree = said["consent"], said["tree"]
    facts = (
        ("Provider", consent["provider"]),
        ("Issuer", consent["issuer"]),
        ("Kind", consent["kind"]),
        ("Our key of it", consent["tracking_id"]),
        ("Our application", consent["client_id"]),
        ("Journal", pack.origin),
        ("Tree", f"{tree['size']} entries, root {tree['root_hash']}"),
        ("Made", _time(said["made_at"])),
        ("Left out", ", ".join(said["left_out"]) or "nothing"),
    )
    rows = "".join(f"<dt>{name}</dt><dd>{_text(value)}</dd>\n" for name, value in facts)
    yield f'<section>\n<h2>What it is about</h2>\n<dl class="facts">\n{rows}</dl>\n</section>\n'


def _timeline(pack: Pack, words: Mapping[int, EntryWord]) -> Iterator[str]:
    yield '<section>\n<h2>Timeline</h2>\n<p>In the order in which it was recorded. Times are UTC.</p>\n<ol class="timeline">\n'
    for part in pack.said["entries"]:
        yield from _entry(part, words[int(part["entry"]["sequence"])])
    yield "</ol>\n</section>\n"


def _entry(part: Part, word: EntryWord) -> Iterator[str]:
    leaf = part["entry"]
    data = leaf["data"]
    time = _text(_time(leaf["time"]))
    yield f'<li class="{word.word.name.lower()}">\n<p class="when">{time} <span>#{word.sequence}</span></p>\n'
    yield f"<h3>{_text(_what(leaf))}</h3>\n"
    facts = [
        ("holder’s time", data["status_date_time"] and _time(data["status_date_time"])),
        ("received", data["received_at"] and _time(data["received_at"])),
        ("came by", data["channel"]),
        ("may be used", "yes" if data["usable"] else "no"),
        ("revoked by", data["revoked_by"]),
        ("reason", data["reason"]),
        ("marked", ", ".join(flag for flag in ("late", "corrected", "inferred") if data[flag])),
        ("rests on", word.sentence),
    ]
    yield "<dl>\n" + "".join(f"<dt>{name}</dt><dd>{_text(value)}</dd>\n" for name, value in facts if value) + "</dl>\n"
    if part["private"] is not None:
        yield f"<pre>{_text(_pretty(part['private']))}</pre>\n"
    elif data["private_digest"] is not None:
        yield '<p class="note">Its private value is not shown here.</p>\n'
    yield "</li>\n"


def _what(leaf: Part) -> str:
    """Say in a few words what an entry tells."""
    data, name = leaf["data"], str(leaf["type"])
    said = name.rpartition(".")[2].replace("_", " ")
    if data["from"] is not None and data["to"] is not None and data["from"] != data["to"]:
        return f"{data['from']} → {data['to']}" + ("" if said == "status changed" else f" ({said})")
    about = "" if name.startswith("consent.") else f"{name.partition('.')[0]} "
    return f"{about}{said}" + (f": {data['to']}" if data["to"] is not None else "")


def _terms(pack: Pack) -> Iterator[str]:
    terms = pack.said["terms"]
    yield "<section>\n<h2>Terms as granted</h2>\n"
    if terms is None:
        why = "left out" if PRIVATE in pack.said["left_out"] else "not on record, or not any more"
        yield f'<p class="note">They are {why}.</p>\n'
    else:
        yield f"<p>As entry #{terms['stated_by']} has them, when #{terms['authorized_by']} told that it was authorized.</p>\n"
        yield f"<pre>{_text(_pretty(terms['data']))}</pre>\n"
    yield "</section>\n"


def _tokens(pack: Pack) -> Iterator[str]:
    said = pack.said
    yield "<section>\n<h2>The holder’s tokens</h2>\n"
    yield from _table(
        ("SHA-256", "received", "key", "checked then"),
        (
            (
                token["jws_sha256"],
                _time(token["received_at"]),
                token["kid"],
                "not noted" if token["verification"] is None else ", ".join(token["verification"]["checks"]),
            )
            for token in said["tokens"]
        ),
        "There are none.",
    )
    yield "<h2>The holder’s keys</h2>\n"
    yield from _table(
        ("key", "thumbprint", "from", "fetched", "TLS certificates, SHA-256", "x5c"),
        (
            (
                key["kid"],
                key["jwk_thumbprint"],
                key["jwks_uri"],
                "not noted" if key["fetched_at"] is None else _time(key["fetched_at"]),
                ", ".join(key["tls_chain_sha256"]) or "none noted",
                f"{len(key['x5c'])} certificate(s)" if key["x5c"] else "none",
            )
            for key in said["keys"]
        ),
        "There are none.",
    )
    yield "<h2>What the holder answered without signing it</h2>\n"
    yield from _table(
        ("received", "status", "since"),
        (
            (_time(one["received_at"]), one["status"], _time(one["status_date_time"]))
            for one in said["unsigned_answers"]
        ),
        "Nothing.",
    )
    yield "</section>\n"


def _told(pack: Pack) -> Iterator[str]:
    told = pack.said["told"]
    yield "<section>\n<h2>Who was told</h2>\n"
    yield from _table(
        ("subscriber", "entry", "state", "refused"),
        (
            (_subscriber(one), f"#{part['sequence']}", part["state"].replace("_", " "), part["attempts"] or "–")
            for one in told
            for part in one["entries"]
        ),
        "Nobody is to be told of these entries.",
    )
    yield "<h2>What they reported</h2>\n"
    yield from _table(
        ("subscriber", "entry", "work", "due", "reported", "proof"),
        (
            (
                _subscriber(one),
                f"#{work['sequence']}",
                work["work"],
                _time(work["due_at"]),
                "not yet" if work["reported_at"] is None else _time(work["reported_at"]),
                work["evidence_url"] or "–",
            )
            for one in told
            for work in one["work"]
        ),
        "Nothing was asked of anybody.",
    )
    yield "</section>\n"


def _subscriber(one: Part) -> str:
    return f"{one['description'] or one['subscription_id']} ({one['address'] or 'polls'})"


def _access(pack: Pack) -> Iterator[str]:
    yield "<section>\n<h2>Who looked</h2>\n"
    yield from _table(
        ("when", "who", "what"),
        ((_time(look["at"]), look["who"], look["what"]) for look in pack.said["access"]),
        "No look is on record.",
    )
    yield "</section>\n"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]], nothing: str) -> Iterator[str]:
    """A table whose cells say their heads too: on a narrow screen each row stands as a list."""
    found = list(rows)
    if not found:
        yield f'<p class="note">{nothing}</p>\n'
        return
    yield (
        "<table>\n<thead><tr>"
        + "".join(f'<th scope="col">{_text(head)}</th>' for head in heads)
        + "</tr></thead>\n<tbody>\n"
    )
    for row in found:
        cells = (f'<td data-head="{_text(head)}">{_text(cell)}</td>' for head, cell in zip(heads, row, strict=True))
        yield "<tr>" + "".join(cells) + "</tr>\n"
    yield "</tbody>\n</table>\n"


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _time(text: str) -> str:
    """A time of the journal's, for people: to the second, and finer where that says anything."""
    return text.replace("T", " ").removesuffix("Z").removesuffix(".000000")


def _text(value: object) -> str:
    """Show whatever it is as text: no markup, and nothing that turns the direction of what stands around it."""
    plain = "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape", "backslashreplace").decode()
        for c in str(value)
    )
    return escape(plain, quote=True)
