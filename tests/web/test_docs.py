"""The page that people read."""

import html
import re
import shlex
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from tests.checkpointing import a_signer
from tests.usecases.bench import data
from tests.web.site import Site
from tracker.web.api import examples
from tracker.web.application import api_document
from tracker.web.docs import docs_page
from tracker.web.problems import TITLES

PAGE = docs_page(api_document())


class Read(HTMLParser):
    """What stands on a page: tags, where they lead, what they are called, what is said."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(str(value))
            if name in {"href", "src", "action"}:
                self.links.append(str(value))

    def handle_data(self, data: str) -> None:
        self.text += data


READ = Read(PAGE)


async def test_the_page_is_for_everybody_and_may_load_nothing(site: Site) -> None:
    said = await site.call_bare("GET", "/docs")
    assert (said.status, said.body.decode()) == (200, PAGE)
    assert said.headers["Content-Type"] == "text/html; charset=utf-8"
    assert said.headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert "script" not in said.headers["Content-Security-Policy"]


def test_the_page_holds_all_that_it_shows() -> None:
    assert not READ.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert "url(" not in PAGE
    assert "@import" not in PAGE
    assert {link for link in READ.links if not link.startswith("#")} == {"/openapi.json"}
    assert not {name for name in READ.attributes if name.startswith("on") or name == "style"}


def test_every_link_leads_somewhere_and_every_place_has_one_name() -> None:
    assert len(READ.ids) == len(set(READ.ids))
    assert {link[1:] for link in READ.links if link.startswith("#")} <= set(READ.ids)


def test_every_operation_problem_and_schema_is_shown() -> None:
    document = api_document()
    for verbs in document["paths"].values():
        for operation in verbs.values():
            assert operation["operationId"] in READ.ids
            assert operation["summary"] in READ.text
            for parameter in operation.get("parameters", []):
                assert parameter.get("description", "").replace("`", "") in READ.text
    # A problem's `type` is a place on this page.
    assert {f"problem-{code}" for code in TITLES} <= set(READ.ids)
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= set(READ.ids)
    assert "$" not in re.sub(r"\$(KEY|URL)|\$\n|\$$|[)}*]\$", "", READ.text), "something was not filled in"


def test_what_comes_from_the_document_is_escaped() -> None:
    document = api_document()
    path = "/v1/consents/lookup"
    spoilt = {**document["paths"][path]["get"], "summary": "<script>alert(1)</script>", "description": 'a"b`<i>`&'}
    page = docs_page({**document, "paths": {path: {"get": spoilt}}})
    assert "<script" not in page
    assert "<code>&lt;i&gt;</code>&amp;" in page


async def test_every_call_on_the_page_is_one_that_works(site: Site) -> None:
    site.hub.message = {"Data": data(ConsentId=examples.PARAMETERS["consent_id"])}
    commands = [
        html.unescape(text) for text in re.findall(r"<pre(?: class=\"long\")?>(curl .*?)</pre>", PAGE, re.DOTALL)
    ]
    assert len(commands) == sum(len(verbs) for verbs in api_document()["paths"].values())
    site.tracker.auditing.checkpoints.sign_with([a_signer()])
    await site.tracker.auditing.checkpoints.at_head()
    site.tracker.services.feed.close()  # a stream would go on for good
    codes = []
    for command in commands:
        words = shlex.split(command.replace("\\\n", ""))
        options = dict(pairwise(words))
        headers = dict(words[n + 1].split(": ") for n, word in enumerate(words) if word == "-H")
        assert headers.pop("Authorization") == "Bearer $KEY"
        (url,) = [word for word in words if word.startswith("$URL")]
        sent = {"data": options["-d"]} if "-d" in options else {}
        said = await site.call(options.get("-X", "GET"), url.removeprefix("$URL"), headers=headers, **sent)
        codes.append(said.status if said.status < 400 else said.problem)
    # Only what has a key of ours in its path is not there.
    assert set(codes) == {
        200,
        201,
        202,
        "consent_not_found",
        "subscription_not_found",
        "checkpoint_not_found",
        "quarantined_event_not_found",
        "hold_not_found",
        "export_not_found",
    }
    assert codes.count("consent_not_found") == 1


@pytest.mark.parametrize("command", ["tracker keys add-api-key --name me --scope read,write"])
def test_the_command_for_a_key_is_named(command: str) -> None:
    assert command in READ.text
