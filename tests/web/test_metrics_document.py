"""What the operations document says of metrics and of the log's members is what the code does."""

import re
from pathlib import Path

from tests.usecases.bench import data
from tests.web.site import Site, open_site
from tests.web.test_metrics import samples
from tracker.cli.logs import FIELDS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
CHAPTER = DOCUMENT.partition("\n## Metrics\n")[2].partition("\n## ")[0]
ROWS = [[cell.strip() for cell in row.strip("|").split("|")] for row in CHAPTER.splitlines() if row.startswith("| `")]
TABLE = {row[0].strip("`"): re.findall(r"`(\w+)`", row[1]) for row in ROWS}


def registered(site: Site) -> dict[str, list[str]]:
    """Every metric that the registry has, by the name under which it is looked for, and its labels."""
    found: dict[str, list[str]] = {}
    for family in site.tracker.registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels}
        found[name] = sorted(labels - {"le"})
    return found


async def test_the_table_has_every_metric_and_no_other(site: Site) -> None:
    await samples(site)
    assert sorted(TABLE) == sorted(registered(site))
    assert len(TABLE) == len(ROWS)


async def test_the_table_has_the_labels_of_each_metric(database: Path, keys: Path) -> None:
    async with open_site(database, keys, daily_requests=100) as site:
        await _live(site)
        await samples(site)
        assert registered(site) == {name: sorted(labels) for name, labels in TABLE.items()}


async def _live(site: Site) -> None:
    """Let there be something of everything."""
    await site.register()
    site.advance(1)
    await site.call("POST", "/v1/subscriptions", json={"url": "https://example.com/hook"})
    for body in (b"hello", site.event(), site.event(key="other hub")):
        await site.post(body)
        await site.work_off()
    await site.call("POST", "/v1/consents/demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10/refresh")
    site.tracker.meters.subscriber_told(outcome="delivered", seconds=1)
    site.tracker.meters.revocation_sent(provider="demobank", outcome="accepted")
    await site.post(site.event(data("Suspended", site.clock.now().isoformat())))
    await site.work_off()
    await site.tracker.pulse.write()
    await site.tracker.watch.run_once()


def test_the_document_names_the_members_of_a_line() -> None:
    log = DOCUMENT.partition("\n## The log\n")[2].partition("\n## ")[0]
    named = re.findall(r"`(\w+)`", log.partition('With `format = "json"`')[2].partition(". These names stay")[0])
    assert named == ["at", "level", "logger", "message", *FIELDS, "error"]
