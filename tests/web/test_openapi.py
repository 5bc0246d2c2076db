"""The OpenAPI document: valid, complete, up to date, and true to what is answered (which Site checks on every call)."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.web.described import operation_at, require_as_described, validator
from tests.web.site import Site
from tracker.web.api import examples
from tracker.web.application import OPERATIONS, api_document
from tracker.web.problems import TITLES

DOCUMENT = api_document()
KEPT = Path(__file__).parents[2] / "docs" / "openapi.json"
UNDESCRIBED = {
    ("GET", "/livez"),
    ("GET", "/metrics"),
    ("GET", "/readyz"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("POST", "/webhooks/{profile}"),
    ("POST", "/webhooks/{profile}/{provider}"),
}
"""Routes that no caller of the back office's API needs to know of."""


def test_the_document_is_valid_openapi_3_1() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(json.loads(json.dumps(DOCUMENT))).iter_errors()] == []


def test_the_document_that_is_kept_is_that_of_this_version() -> None:
    assert json.loads(KEPT.read_text("utf-8")) == DOCUMENT, (
        "run python -m tracker.web.openapi > docs/openapi.json and look at what changed"
    )


async def test_the_document_is_served_without_a_key(site: Site) -> None:
    said = await site.call_bare("GET", "/openapi.json")
    assert said.status == 200
    assert said.headers["Content-Type"].startswith("application/json")
    assert said.json == DOCUMENT


async def test_every_route_is_described_and_every_described_route_is_there(site: Site) -> None:
    routes = {
        (route.method, route.resource.canonical)
        for route in site.client.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {(verb.upper(), path) for path, verbs in DOCUMENT["paths"].items() for verb in verbs}
    assert routes - UNDESCRIBED == described
    assert routes >= UNDESCRIBED
    assert {path.split("/")[1] for _, path in described} == {"v1"}


def _refs(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(_refs(value) for value in node.values()))
    return set().union(*(_refs(value) for value in node)) if isinstance(node, list) else set()


def test_no_schema_is_missing_and_none_is_left_over() -> None:
    names = {ref.rpartition("/")[2] for ref in _refs(DOCUMENT)}
    assert names == set(DOCUMENT["components"]["schemas"])


def test_every_operation_has_a_name_of_its_own_a_summary_and_what_can_go_wrong() -> None:
    operations = [operation for verbs in DOCUMENT["paths"].values() for operation in verbs.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == len(OPERATIONS)
    for operation in operations:
        assert operation["summary"][0].isupper()
        assert not operation["summary"].endswith(".")
        about_keys = {"401", "403"} if operation.get("security") != [] else set()
        assert {"422", "500", "503"} | about_keys == set(operation["responses"]) & {"401", "403", "422", "500", "503"}
    codes = {
        code
        for operation in operations
        for status, answer in operation["responses"].items()
        if status >= "4"
        for code in re.findall(r"`(\w+)`", answer["description"])
    }
    # What no route is there for cannot be described by one.
    assert codes == set(TITLES) - {"not_found", "method_not_allowed"}


def test_every_parameter_is_explained() -> None:
    for path, verbs in DOCUMENT["paths"].items():
        for operation in verbs.values():
            named = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
            assert named == re.findall(r"{(\w+)}", path)
            for parameter in operation.get("parameters", []):
                # These say with their names all there is to say.
                plain = {"limit", "provider", "kind", "user_ref", "base_consent_id", "consent_id"}
                assert parameter.get("description") or parameter["name"] in plain, (path, parameter["name"])
                assert "null" not in json.dumps(parameter["schema"])


@pytest.mark.parametrize("name", list(examples.OF_MODELS))
def test_every_example_is_one(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    assert schema["examples"] == [examples.OF_MODELS[name]]
    validator(name).validate(examples.OF_MODELS[name])
    unknown = examples.OF_MODELS[name] | {"nonsense": 1}
    assert validator(name).is_valid(unknown) == (schema.get("additionalProperties") is not False)


async def test_the_examples_are_taken_and_look_like_what_is_answered(site: Site) -> None:
    made = await site.call("POST", "/v1/consents", json=examples.REGISTRATION)
    assert made.status == 201
    assert list(made.json) == list(examples.CONSENT)
    one = made.headers["Location"]
    assert list((await site.get(f"{one}/usable")).json) == list(examples.USABLE)
    assert (await site.call("POST", "/v1/subscriptions", json=examples.SUBSCRIPTION)).status == 201
    (entry,) = (await site.get("/v1/journal", key=await site.add_key("read"))).json["items"]
    assert set(entry) == set(examples.ENTRY)
    assert set(entry["data"]) == set(examples.ENTRY["data"])


@pytest.mark.parametrize(
    ("status", "content_type", "value"),
    [
        (418, "application/json", {}),
        (200, "text/plain", examples.CONSENT),
        (200, "application/json", {}),
        (200, "application/json", examples.CONSENT | {"status": "Unheard"}),
        (200, "application/json", examples.CONSENT | {"learned_at": "yesterday"}),
        (404, "application/problem+json", {"type": "/", "title": "x", "status": 404, "code": "unheard"}),
        (404, "application/problem+json", {"type": "/", "title": "x", "status": 404}),
    ],
    ids=["status", "type", "empty", "enum", "format", "code", "problem"],
)
def test_an_answer_that_is_not_as_described_would_be_noticed(status: int, content_type: str, value: Any) -> None:
    path = "/v1/consents/demobank/c"
    assert operation_at("GET", path) is not None
    require_as_described("GET", path, 200, "application/json; charset=utf-8", examples.CONSENT)
    with pytest.raises((AssertionError, jsonschema.ValidationError)):
        require_as_described("GET", path, status, content_type, value)
