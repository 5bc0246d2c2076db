"""The page of an evidence pack: what it says, that nothing in a pack is markup, and how a browser lays it out."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.journal.drafts import Signer
from tests.journal.packs import Said, a_pack, anchors, check, resigned
from tests.journal.test_pack_tampering import changed
from tests.web.test_docs_in_a_browser import _LOOK, NAMES
from tracker.journal.pack_page import page
from tracker.journal.verify_pack import Anchors, verify_pack

WIDTHS = (320, 390, 768, 1280)


@pytest.fixture(scope="module")
def pack(signer: Signer) -> bytes:
    return a_pack(signer)


class Reader(HTMLParser):
    """What a browser sees: elements, their attributes, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(pack: bytes, given: Anchors) -> Reader:
    return Reader(page(pack, verify_pack(pack, given)))


def test_the_page_shows_what_the_pack_says(pack: bytes, signer: Signer) -> None:
    reader = seen(pack, anchors(signer))
    for told in (
        "Verified",
        f"key {signer.short}",
        "3 entries on tokens signed by keys of demobank that you trust",
        "NotStaged → Authorized",
        "Suspended → Revoked",
        "signed by the holder's key 'hub-sig2-demobank-1', which you trust",
        "customer-42",
        "Haushalt für Zoë",
        "https://crm.example",
        "data_deleted",
        "key crm",
        "there may be later ones from 13 on",
    ):
        assert told in reader.text, told


@pytest.mark.parametrize(
    ("given", "says"), [("all", "Verified"), ("nothing", "Not verified to the end"), ("spoilt", "Not to be believed")]
)
def test_the_result_is_told(pack: bytes, signer: Signer, given: str, says: str) -> None:
    spoilt = pack.replace(b"Revoked", b"Sevoked", 1)
    read = seen(spoilt if given == "spoilt" else pack, anchors(signer) if given == "all" else Anchors())
    assert says in read.text
    if given == "spoilt":  # of what is not intact nothing is shown
        assert "customer-42" not in read.text
        assert "what it says is not what its leaf_hash was made of" in read.text


def test_the_page_needs_nothing_and_forbids_all(pack: bytes, signer: Signer) -> None:
    reader = seen(pack, anchors(signer))
    policy = next(a["content"] for tag, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert {tag for tag, _ in reader.elements} <= TAGS
    assert not {name for _, attributes in reader.elements for name in attributes} & {"src", "href", "style", "onload"}


TAGS = {
    *[
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "footer",
        "section",
        "h1",
        "h2",
        "h3",
        "p",
        "dl",
        "dt",
        "dd",
        "ol",
        "li",
        "span",
        "pre",
        "code",
    ]
}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}
HOSTILE = "</td><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e\x1b[2J"


def _everywhere(said: Said) -> None:
    said["origin"] = said["origin"]
    said["consent"] |= {"profile": HOSTILE, "issuer": HOSTILE, "client_id": HOSTILE}
    said["told"][0] |= {"description": HOSTILE, "address": HOSTILE}
    said["told"][0]["work"][0] |= {"work": HOSTILE, "evidence_url": "javascript:alert(1)"}
    said["access"][0] |= {"who": HOSTILE, "what": HOSTILE}
    said["keys"][0] |= {"kid": HOSTILE, "jwks_uri": HOSTILE}
    said["tokens"][0]["verification"]["checks"] = [HOSTILE]
    said["unsigned_answers"] = [
        {"received_at": said["made_at"], "status": HOSTILE, "status_date_time": said["made_at"]}
    ]


def test_nothing_in_a_pack_is_markup(pack: bytes, signer: Signer) -> None:
    made = resigned(changed(pack, _everywhere), signer)
    verdict = check(made, signer)
    assert verdict.pack is not None
    shown = page(made, verdict)
    reader = Reader(shown)
    assert "script" not in {tag for tag, _ in reader.elements}
    assert "img" not in {tag for tag, _ in reader.elements}
    assert reader.text.count("<script>alert(1)</script>") >= 8
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    assert "\\u202e" in shown


# ---------------------------------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no chromium here to look at the page with")
    return found


def run(browser: str, folder: Path, *options: str) -> str:
    # Without a sandbox, which root has none of: it looks at nothing but a page of ours.
    fixed = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={folder}")
    done = subprocess.run((browser, *fixed, *options), capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def long_words(said: Said) -> None:
    said["told"][0] |= {"description": "x" * 300, "address": "https://" + "y" * 200}
    said["access"][0] |= {"who": "z" * 300}
    said["consent"]["issuer"] = "https://" + "i" * 300


@pytest.mark.parametrize("change", [lambda said: None, long_words], ids=["usual", "long words"])
def test_nothing_is_cut_off_and_nothing_is_faint(
    browser: str, tmp_path: Path, pack: bytes, signer: Signer, change: Callable[[Said], None]
) -> None:
    made = resigned(changed(pack, change), signer)
    shown = html.escape(page(made, check(made, signer)), quote=True)
    frames = "".join(
        f'<iframe srcdoc="{shown}" style="width:{width}px;height:800px;border:0"></iframe>' for width in WIDTHS
    )
    # Our own policy keeps styles that a script sets from the page: its paper is white, and is taken for that.
    look = _LOOK.replace('probe.style.background = "Canvas"; const paper', "const paper").replace(
        "parts(view.getComputedStyle(probe).backgroundColor)", "[255, 255, 255, 1]"
    )
    file = tmp_path / "look.html"
    file.write_text(f'{frames}<p id="found"></p><script>onload = () => {{ {look} }}</script>', encoding="utf-8")
    told = re.search(r'<p id="found">(.*?)</p>', run(browser, tmp_path, "--dump-dom", file.as_uri()), re.DOTALL)
    assert told is not None
    found: dict[str, Any] = json.loads(html.unescape(told[1]))
    assert set(found) == {str(width) for width in WIDTHS}
    for width, one in found.items():
        assert one["shown"] > 100
        assert (one["out"], one["faint"]) == ([], []), width
        assert one["whole"] <= int(width)


def test_it_prints(browser: str, tmp_path: Path, pack: bytes, signer: Signer) -> None:
    (tmp_path / "page.html").write_text(page(pack, check(pack, signer)), encoding="utf-8")
    run(browser, tmp_path, f"--print-to-pdf={tmp_path / 'page.pdf'}", (tmp_path / "page.html").as_uri())
    printed = (tmp_path / "page.pdf").read_bytes()
    assert printed.startswith(b"%PDF-")
    assert 1 <= len(re.findall(rb"/Type /Page\b", printed)) <= 6
