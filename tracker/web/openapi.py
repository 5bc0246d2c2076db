"""The OpenAPI document, made from the operations and their models."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tracker.web.api.operation import Operation
from tracker.web.api.schemas import ProblemOut
from tracker.web.problems import STATUSES

_REF = "#/components/schemas/{model}"
_ALWAYS = ("unauthorized", "forbidden", "internal_error", "not_ready")
_PARAMETERS = {
    "provider": "The provider's id in the configuration.",
    "consent_id": "What the holder calls the consent; percent-encoded once.",
    "tracking_id": "Our own key of the consent.",
    "subscription_id": "The subscription's id.",
}

Mode = Literal["validation", "serialization"]


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Describe the operations in OpenAPI 3.1."""
    wanted: dict[tuple[type[BaseModel], Mode], None] = {(ProblemOut, "serialization"): None}
    for operation in operations:
        wanted |= {(model, "serialization"): None for model in operation.answers.values() if model is not None}
        wanted |= {(model, "validation"): None for model in (operation.body, operation.query) if model is not None}
    refs, definitions = models_json_schema(list(wanted), ref_template=_REF)
    schemas: dict[str, Any] = definitions.get("$defs", {})
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, refs, schemas)
    for operation in operations:  # what is in the query is said there, parameter by parameter
        if operation.query is not None:
            schemas.pop(_name(refs[operation.query, "validation"]), None)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Consent tracker",
            "version": version("consent-tracker"),
            "description": (
                "What a back office asks about its customers' consents. Times are RFC 3339 in UTC; `…_date_time` is the "
                "holder's, `…_at` is ours."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"api_key": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "api_key": {"type": "http", "scheme": "bearer", "bearerFormat": "trk_…", "description": "An API key."}
            },
        },
    }


def _operation(operation: Operation, refs: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.handle.__module__.rpartition(".")[2] + "_" + operation.handle.__name__,
        "tags": [operation.path.split("/")[2]],
        "summary": operation.summary,
        "description": f"{operation.description}\n\nScope: `{operation.scope}`.".strip(),
        "responses": _responses(operation, refs),
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "description": _PARAMETERS[name], "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query is not None:
        schema = schemas[_name(refs[operation.query, "validation"])]
        parameters += [_query_parameter(name, found, schema) for name, found in schema.get("properties", {}).items()]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": refs[operation.body, "validation"]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _query_parameter(name: str, found: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in found.items() if key not in {"title", "description", "default"}}
    kinds = [kind for kind in rest.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:  # a parameter that is left out is not null
        rest = kinds[0]
    if found.get("default") is not None:
        rest = {**rest, "default": found["default"]}
    described = {"name": name, "in": "query", "required": name in schema.get("required", []), "schema": rest}
    return described | ({"description": found["description"]} if "description" in found else {})


def _responses(operation: Operation, refs: Any) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in operation.answers.items():
        described: dict[str, Any] = {"description": "Done." if model is None else (model.__doc__ or "").splitlines()[0]}
        if model is not None:
            described["content"] = {"application/json": {"schema": refs[model, "serialization"]}}
        responses[str(status)] = described
    codes = [*operation.problems, *_ALWAYS]
    if operation.body is not None:
        codes += ["malformed_json", "unsupported_media_type", "invalid_request", "body_too_large"]
    elif operation.query is not None:
        codes += ["invalid_request"]
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUSES[code], []).append(code)
    for status, its_codes in sorted(by_status.items()):
        content = {"application/problem+json": {"schema": refs[ProblemOut, "serialization"]}}
        responses[str(status)] = {"description": ", ".join(f"`{code}`" for code in its_codes), "content": content}
    return responses


def _name(ref: dict[str, Any]) -> str:
    return str(ref["$ref"]).rpartition("/")[2]
