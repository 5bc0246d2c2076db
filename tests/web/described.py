"""Holds answers against what the OpenAPI document says of them."""

import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from tracker.web.application import api_document

Place = tuple[re.Pattern[str], dict[str, Any]]


@cache
def _places() -> list[Place]:
    paths = api_document()["paths"]
    found = sorted(paths, key=lambda path: path.count("{"))  # a name goes before a parameter
    return [(re.compile(re.sub(r"{\w+}", "[^/]+", path)), paths[path]) for path in found]


def operation_at(method: str, path: str) -> dict[str, Any] | None:
    """What the document says of a call; None if it says nothing."""
    plain = path.partition("?")[0]
    found = next((verbs for pattern, verbs in _places() if pattern.fullmatch(plain)), {})
    operation: dict[str, Any] | None = found.get(method.lower())
    return operation


@cache
def validator(name: str) -> Validator:
    """What checks a value against one of the document's schemas, formats too."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": api_document()["components"]}
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def schema_name(holder: dict[str, Any]) -> tuple[str, str]:
    """The content type that a body has, and the name of its schema."""
    ((content_type, content),) = holder["content"].items()
    return content_type, content["schema"]["$ref"].rpartition("/")[2]


def require_as_described(method: str, path: str, status: int, content_type: str, value: Any) -> None:
    """Fail unless an answer is one that the document names. Calls that it does not know may answer anything."""
    operation = operation_at(method, path)
    if operation is None:
        return
    assert str(status) in operation["responses"], f"{method} {path} answered {status}, which is not described"
    described = operation["responses"][str(status)]
    if "content" not in described:
        assert value is None
        return
    if "text/event-stream" in described["content"]:
        assert content_type.partition(";")[0] == "text/event-stream"
        return
    if "text/plain" in described["content"]:
        if content_type.partition(";")[0] == "text/plain":
            return
        described = {**described, "content": {"application/json": described["content"]["application/json"]}}
    if "application/octet-stream" in described["content"]:
        assert content_type == "application/octet-stream"
        return
    wanted, name = schema_name(described)
    assert content_type.partition(";")[0] == wanted
    validator(name).validate(value)
    if status >= 400:
        assert f"`{value['code']}`" in described["description"], f"{method} {path} does not name {value['code']}"
