"""The OpenAPI document, made from the operations and their models.

`python -m tracker.web.openapi > docs/openapi.json` writes it down; a test requires that file to be up to date.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from tracker.web.api import examples
from tracker.web.api.operation import Operation
from tracker.web.api.shapes.journal import EntryOut
from tracker.web.api.shapes.problem import ProblemOut
from tracker.web.problems import STATUSES

Mode = Literal["validation", "serialization"]
_REF = "#/components/schemas/{model}"
_ALWAYS = ("unauthorized", "forbidden", "invalid_request", "internal_error", "not_ready")
_AUTHORIZATION = 2  # of these are about the key
_WITH_FILE = (200, 206)
_WITH_BODY = ("malformed_json", "unsupported_media_type", "body_too_large")
_PARAMETERS = {
    "provider": "The provider's id in the configuration.",
    "consent_id": "What the holder calls the consent; percent-encoded once.",
    "base_consent_id": "What the first of a chain of renewals is called; percent-encoded once.",
    "tracking_id": "Our own key of the consent.",
    "subscription_id": "The subscription's id.",
    "job_id": "The id of the job.",
    "export_id": "The id of the export.",
    "file_name": "The name of a file of it.",
    "event_id": "The id of the event in the quarantine.",
    "hold_id": "The id of the legal hold.",
}
# Wherever the one can be, the other can.
_TOO = {"consent_not_found": ("consent_disposed",)}
_HEADERS = {
    "ETag": "The version, in quotes.",
    "Location": "Where it is from now on.",
    "Retry-After": "Seconds after which it is worth another try.",
    "WWW-Authenticate": "What kind of key to show.",
}
_VERSIONED = frozenset({"ConsentOut", "SubscriptionOut", "NewSubscriptionOut", "FollowedOut"})
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "Do it only if the thing is at this version: its `ETag`. `*` stands for any; what has no `ETag` has no other.",
    "schema": {"type": "string", "examples": ['"3"']},
}
_ABOUT = (
    "What a back office asks about its customers' consents. Times are RFC 3339 in UTC, with microseconds; those named "
    "`…_date_time` are the holder's, those named `…_at` are ours."
)


class _Untitled(GenerateJsonSchema):
    """Members have names; titles made of these would say them twice."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Never."""
        return False


class _Shapes:
    """The schemas of all models that the operations use."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        wanted: dict[tuple[type[BaseModel], Mode], None] = {
            (ProblemOut, "serialization"): None,
            (EntryOut, "serialization"): None,
        }
        for operation in operations:
            wanted |= {(model, "serialization"): None for model in operation.answers.values() if model is not None}
            wanted[operation.query, "validation"] = None
            if operation.body is not None:
                wanted[operation.body, "validation"] = None
        self._refs, definitions = models_json_schema(list(wanted), ref_template=_REF, schema_generator=_Untitled)
        self._schemas: dict[str, Any] = definitions["$defs"]
        queries = {self._name(operation.query, "validation") for operation in operations}
        # What is in the query is said there, parameter by parameter.
        self._queries = {name: self._schemas.pop(name) for name in queries}
        for name, example in examples.OF_MODELS.items():
            self._schemas[name]["examples"] = [example]

    def named(self) -> dict[str, Any]:
        """All of them, by name."""
        return dict(sorted(self._schemas.items()))

    def ref(self, model: type[BaseModel], mode: Mode) -> Any:
        """The reference to one."""
        return self._refs[model, mode]

    def query(self, model: type[BaseModel]) -> dict[str, Any]:
        """The schema of a query string."""
        found: dict[str, Any] = self._queries[self._name(model, "validation")]
        return found

    def _name(self, model: type[BaseModel], mode: Mode) -> str:
        return str(self.ref(model, mode)["$ref"]).rpartition("/")[2]


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Describe the operations in OpenAPI 3.1."""
    shapes = _Shapes(operations)
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, shapes)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Consent tracker",
            "version": version("consent-tracker"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This service."}],
        "security": [{"api_key": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(_tag(operation) for operation in operations)],
        "paths": paths,
        "webhooks": {"entry": {"post": _webhook(shapes)}},
        "components": {
            "schemas": shapes.named(),
            "securitySchemes": {
                "api_key": {"type": "http", "scheme": "bearer", "bearerFormat": "trk_…", "description": "An API key."}
            },
        },
    }


def _tag(operation: Operation) -> str:
    return operation.path.split("/")[2]


def _operation(operation: Operation, shapes: _Shapes) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.handle.__module__.rpartition(".")[2] + "_" + operation.handle.__name__,
        "tags": [_tag(operation)],
        "summary": operation.summary,
        "description": f"{operation.description}\n\n{_who(operation)}".strip(),
        "responses": _responses(operation, shapes),
    }
    if operation.scope is None:
        described["security"] = []
    query = shapes.query(operation.query)
    parameters = [
        *(_path_parameter(name) for name in re.findall(r"{(\w+)}", operation.path)),
        *(_query_parameter(name, found, query) for name, found in query.get("properties", {}).items()),
    ]
    if "version_conflict" in operation.problems:
        parameters.append(_IF_MATCH)
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": shapes.ref(operation.body, "validation")}}
        described["requestBody"] = {"required": operation.body_is_required, "content": content}
    return described


def _who(operation: Operation) -> str:
    return "No key is needed." if operation.scope is None else f"Scope: `{operation.scope}`."


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string", "examples": [examples.PARAMETERS[name]]}
    return {"name": name, "in": "path", "required": True, "description": _PARAMETERS[name], "schema": schema}


def _query_parameter(name: str, found: dict[str, Any], query: Mapping[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in found.items() if key not in {"title", "description", "default"}}
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:  # a parameter that is left out is not null
        schema = kinds[0]
    if found.get("default") is not None:
        schema = {**schema, "default": found["default"]}
    if name in examples.PARAMETERS:
        schema = {**schema, "examples": [examples.PARAMETERS[name]]}
    described = {"name": name, "in": "query", "required": name in query.get("required", []), "schema": schema}
    return described | ({"description": found["description"]} if "description" in found else {})


def _responses(operation: Operation, shapes: _Shapes) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in operation.answers.items():
        described: dict[str, Any] = {"description": "Done." if model is None else (model.__doc__ or "").splitlines()[0]}
        if operation.is_stream:
            described["content"] = {"text/event-stream": {"schema": {"type": "string"}, "example": examples.STREAM}}
        elif operation.is_file and status in _WITH_FILE:
            described["content"] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        elif model is not None:
            described["content"] = {"application/json": {"schema": shapes.ref(model, "serialization")}}
            if operation.also_text:
                described["content"]["text/plain"] = {"schema": {"type": "string"}}
        names = [] if model is None or model.__name__ not in _VERSIONED else ["ETag"]
        _with_headers(described, names + ["Location"] * (status == HTTPStatus.CREATED))
        responses[str(status)] = described
    by_status: dict[int, list[str]] = {}
    always = _ALWAYS if operation.scope is not None else _ALWAYS[_AUTHORIZATION:]
    problems = [code for named in operation.problems for code in (named, *_TOO.get(named, ()))]
    for code in (*problems, *always, *(_WITH_BODY if operation.body is not None else ())):
        by_status.setdefault(STATUSES[code], []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = _problem(status, codes, shapes)
    return responses


def _problem(status: int, codes: Sequence[str], shapes: _Shapes) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": shapes.ref(ProblemOut, "serialization")}}
    described = {"description": ", ".join(f"`{code}`" for code in codes), "content": content}
    headers = {401: ["WWW-Authenticate"], 403: ["WWW-Authenticate"], 503: ["Retry-After"]}
    return _with_headers(described, headers.get(status, []))


def _with_headers(described: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    if names:
        described["headers"] = {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in names}
    return described


def _webhook(shapes: _Shapes) -> dict[str, Any]:
    """What we post to subscribers. Spec: Standard Webhooks, CloudEvents 1.0 (JSON, structured mode)."""
    headers = {
        "webhook-id": "The entry's id; the same on every attempt.",
        "webhook-timestamp": "When this attempt was made, in seconds since 1970.",
        "webhook-signature": (
            "`v1,` and a base64 HMAC-SHA256 of id, timestamp and body, with dots between, under the subscription's secret; "
            "one for each secret that is in force, with blanks between. Where `v1a` is wanted, also `v1a,` and a base64 "
            "Ed25519 signature of the same by a key of `/v1/notification-keys`."
        ),
    }
    return {
        "operationId": "told",
        "tags": ["subscriptions"],
        "summary": "What a subscriber is told",
        "description": (
            "One entry a request, in order for each consent, at least once: drop an id that you have seen. Answer with any 2xx "
            "within 20 s; 410 ends the subscription, 429 and 503 are obeyed with their `Retry-After`, redirects are failures, "
            "and everything else is tried again."
        ),
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in headers.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/cloudevents+json": {"schema": shapes.ref(EntryOut, "serialization")}},
        },
        "responses": {"2XX": {"description": "Told."}},
    }


def main() -> None:
    """Print the document as it is kept in the documentation."""
    from tracker.web.application import api_document  # noqa: PLC0415 - it imports this module

    json.dump(api_document(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
