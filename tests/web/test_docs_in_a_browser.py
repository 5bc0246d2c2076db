"""The page that people read, as a browser lays it out: on a telephone, a tablet and a desk, by day and by night."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tracker.web.application import api_document
from tracker.web.docs import docs_page

WIDTHS = (320, 390, 768, 1280)
NAMES = ("chromium", "chromium-browser", "google-chrome")

# All that can be opened is. What sticks out at the right is cut off there; blocks that scroll by themselves may hold more.
# Contrast as WCAG 2.2 §1.4.3 measures it, of whatever shows text of its own.
_LOOK = """
const frames = [...document.querySelectorAll("iframe")], found = {};
const light = c => { c /= 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4 };
const luminance = c => .2126 * light(c[0]) + .7152 * light(c[1]) + .0722 * light(c[2]);
const parts = text => { const n = text.match(/[\\d.]+/g).map(Number); return [...n.slice(0, 3), n[3] ?? 1] };
const over = (top, alpha, below) => top.slice(0, 3).map((c, i) => c * alpha + below[i] * (1 - alpha));
function contrast(element, view, paper) {
  let below = paper, opacity = 1, ground = [];
  for (let e = element; e; e = e.parentElement) {
    const style = view.getComputedStyle(e); ground.unshift(parts(style.backgroundColor)); opacity *= style.opacity;
  }
  for (const layer of ground) below = over(layer, layer[3], below);
  const ink = over(parts(view.getComputedStyle(element).color), opacity, below);
  const [a, b] = [luminance(ink), luminance(below)].sort((x, y) => y - x);
  return (a + .05) / (b + .05);
}
for (const frame of frames) {
  const view = frame.contentWindow, page = view.document, width = frame.clientWidth;
  page.querySelectorAll("details").forEach(d => d.open = true);
  const probe = page.body.appendChild(page.createElement("div"));
  probe.style.background = "Canvas"; const paper = parts(view.getComputedStyle(probe).backgroundColor); probe.remove();
  const shown = [...page.body.querySelectorAll("*")].filter(e => e.getClientRects().length);
  const name = e => e.tagName + " " + e.textContent.slice(0, 60);
  const speaks = e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim());
  found[width] = {
    paper: paper.slice(0, 3), shown: shown.length, whole: page.documentElement.scrollWidth,
    out: shown.filter(e => !e.closest("pre.long") && e.getBoundingClientRect().right > width + .5).map(name),
    faint: shown.filter(e => speaks(e) && contrast(e, view, paper) < 4.5).map(name),
  };
}
document.getElementById("found").textContent = JSON.stringify(found);
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no chromium here to look at the page with")
    return found


def look(browser: str, folder: Path, *options: str) -> dict[str, Any]:
    """Lay the page out at all widths, and measure."""
    page = html.escape(docs_page(api_document()), quote=True)
    frames = "".join(
        f'<iframe srcdoc="{page}" style="width:{width}px;height:800px;border:0"></iframe>' for width in WIDTHS
    )
    file = folder / "look.html"
    file.write_text(f'{frames}<p id="found"></p><script>onload = () => {{ {_LOOK} }}</script>', encoding="utf-8")
    # Without a sandbox, which root has none of: it looks at nothing but a page of ours.
    fixed = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={folder}")
    done = subprocess.run(
        (browser, *fixed, *options, "--dump-dom", file.as_uri()), capture_output=True, text=True, check=True, timeout=60
    )
    told = re.search(r'<p id="found">(.*?)</p>', done.stdout, re.DOTALL)
    assert told is not None, done.stderr
    found: dict[str, Any] = json.loads(html.unescape(told[1]))
    assert set(found) == {str(width) for width in WIDTHS}
    return found


@pytest.mark.parametrize(("scheme", "number"), [("light", 1), ("dark", 0)])
def test_nothing_is_cut_off_and_nothing_is_faint(browser: str, tmp_path: Path, scheme: str, number: int) -> None:
    found = look(browser, tmp_path, f"--blink-settings=preferredColorScheme={number}")
    for width, seen in found.items():
        assert seen["shown"] > 1000
        assert (min(seen["paper"]) > 200) == (scheme == "light")
        assert (seen["out"], seen["faint"]) == ([], []), width
        assert seen["whole"] <= int(width)
