"""The running service against its own description, by somebody who knows nothing but that."""

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig

from tests.usecases.bench import data
from tests.web.site import open_site

load_all_checks()
DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text("utf-8"))
"""Another test sees to it that this is what the service serves."""

REFUSED_ALTHOUGH_DESCRIBED = {
    "A signed note has": "a note has a form of its own",
    "A note is": "likewise",
    "A checkpoint": "likewise",
    "either sequence or from_size": "a proof is of one of two: a schema that says so is hard to read",
    "The tree does not reach": "how far it does the schema cannot say",
    "There is no entry": "likewise how many entries there are",
    "There are not": "likewise",
    " entries.": "likewise",
    "name a consent together": "two values that belong together: a schema that says so is hard to read",
    "one of tracking_id, provider with consent_id": "likewise",
    "A consent is named with its provider": "likewise",
    "is another consent's than": "whose a key is the schema cannot say",
    "go together": "two values that belong together",
    "lies after the one from which": "two times of which one is the later",
    "Consent records tell": "which formats can be chosen by time",
    "cursor_invalid": "a cursor is opaque: the schema cannot say which ones we gave out",
    "should have no control characters": "the pattern language of JSON Schema has no portable class for them",
    "/max_age": "a number that is written in more digits than we take",
    "from_sequence is from 1": "it may not lie ahead of the journal, which grows",
    "Input should be a valid integer": "an integer that is written with a fraction, such as 1.0",
    "/terms": "numbers and texts that have no canonical form",
    "URL": "what a URL may be, and where it may point, is more than a pattern says",
    "either code_received or error": "the answers of a journey are one of two: a schema that says so is hard to read",
    "goes with": "likewise",
    "key_id names": "it must be the id of a key that there is",
    "The authorization details": "they are the holder's, of a form that the profile knows",
    "one of sequence": "a job resends one thing: a schema that says so is hard to read",
    "failed.until lies after": "two times of which one is the later",
    "to_sequence is not before": "likewise two numbers",
    "A sequence to resend is from 1": "it may not lie ahead of where the subscriber is",
    "done_at lies ahead": "an instant that is over",
    "lies in the future": "likewise",
    "each once": "no piece of work twice",
    "token_url begins with": "where tokens may be fetched is more than a pattern says",
    "With another host": "what must be given again depends on the URL before",
    "behind the question mark": "what a broker's URL may say there depends on the broker",
    "client_certificate": "there are those of the configuration",
    "signatures are": "`v1` is always among them",
    "v1a cannot be signed": "the configuration may have no key for it",
    "header": "names and values of headers have rules that would make the schema hard to read",
    "client_id has": "printable ASCII, as the standard wants it",
    "client_secret has": "likewise",
    "scope is": "likewise",
    "is not the challenge": "a text that was posted elsewhere",
    "of filter": "what the words of a filter may be depends on their place",
}
"""Where the service refuses what fits its schema, by words of the problem; and why."""

SAID_BETTER_BELOW = ["positive_data_acceptance"]
NOT_HERE = {
    "/v1/consents/batch": ["negative_data_rejection"],  # it says row by row what is wrong, and takes the other rows
    "/v1/subscriptions/preview": ["allow_header_conformance"],  # likewise a subscription
    "/v1/quarantine/retry": ["allow_header_conformance"],  # an event could have this id, so that place answers GET too
}
"""Checks that do not fit an operation."""


@pytest.fixture(scope="module")
def served(template_database: Path, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A site in a thread of its own: whoever calls it here does not know asyncio. Gives its URL and a key."""
    database = Path(shutil.copy(template_database, tmp_path_factory.mktemp("described") / "tracker.db"))
    ready: Future[tuple[str, str]] = Future()
    stop: Future[None] = Future()

    async def serve() -> None:
        async with open_site(database, keys) as site:
            site.hub.message = {"Data": data()}
            site.tracker.services.feed.close()  # nobody waits for an entry, and streams end at once
            await site.register()
            await site.post(site.event())
            await site.work_off()
            ready.set_result((str(site.client.make_url("")).rstrip("/"), site.key))
            await asyncio.wrap_future(stop)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    yield ready.result(30)
    stop.set_result(None)
    thread.join(30)


SCHEMA = schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig())


@SCHEMA.parametrize()
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_it_is_as_described(case: schemathesis.Case, served: tuple[str, str]) -> None:
    url, key = served
    headers = {"Authorization": f"Bearer {key}"}
    excluded = schemathesis.checks.CHECKS.get_by_names([*SAID_BETTER_BELOW, *NOT_HERE.get(case.path, [])])
    response = case.call_and_validate(base_url=url, headers=headers, excluded_checks=excluded, timeout=20)
    if response.status_code == 422 and case.meta is not None and case.meta.generation.mode.is_positive:
        assert any(words in response.text for words in REFUSED_ALTHOUGH_DESCRIBED), response.text


def test_all_operations_were_tried() -> None:
    described = [
        (method, path) for path, item in DOCUMENT["paths"].items() for method in item if method != "parameters"
    ]
    assert len(list(SCHEMA.get_all_operations())) == len(described) > 10
