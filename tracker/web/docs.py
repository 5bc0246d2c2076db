"""The OpenAPI document as a page to read: no scripts, nothing fetched from elsewhere."""

import json
import shlex
from collections.abc import Iterable, Mapping
from html import escape
from string import Template
from typing import Any
from urllib.parse import quote

from tracker.web.docs_page import PAGE
from tracker.web.problems import TITLES


def docs_page(document: Mapping[str, Any]) -> str:
    """Render the document."""
    info, schemas = document["info"], document["components"]["schemas"]
    groups: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    overview: dict[str, list[str]] = {tag: [] for tag in groups}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            tag = operation["tags"][0]
            groups[tag].append(_operation(verb, path, operation, schemas))
            overview[tag].append(_overview(verb, path, operation))
    told = document["webhooks"]["entry"]["post"]
    return Template(PAGE).substitute(
        title=escape(info["title"]),
        version=escape(info["version"]),
        about=_prose(info["description"]),
        overview="".join(f"<tbody>{''.join(rows)}</tbody>" for rows in overview.values()),
        links="".join(f'<a href="#{tag}">{tag}</a>' for tag in groups),
        operations="".join(f'<h2 id="{tag}">{tag}</h2>{"".join(parts)}' for tag, parts in groups.items()),
        told=_told(told, schemas),
        problems="".join(
            f'<tr id="problem-{code}"><td><code>{code}</code><td>{status}<td>{escape(title)}.'
            for code, (status, title) in TITLES.items()
        ),
        schemas="".join(_schema(name, schema) for name, schema in schemas.items()),
    )


def _overview(verb: str, path: str, operation: Mapping[str, Any]) -> str:
    link = f'<a href="#{escape(operation["operationId"])}"><code>{escape(path)}</code></a>'
    return f'<tr><td><b class="{verb}">{verb.upper()}</b><td>{link}<td>{escape(operation["summary"])}'


def _operation(verb: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    parts = [f"<p>{_prose(operation['description'])}</p>", _example_call(verb, path, operation, schemas)]
    if parameters := operation.get("parameters"):
        rows = (
            f"<tr><td><code>{escape(p['name'])}</code>{'' if p['required'] else ' <i>optional</i>'}<td>{p['in']}"
            f"<td>{_type(p['schema'])}<td>{_prose(p.get('description', ''))}"
            for p in parameters
        )
        parts.append(_table(("Parameter", "In", "Type", "Meaning"), rows))
    if body := operation.get("requestBody"):
        parts.append(f"<p>Body: {_type(_content_schema(body))}</p>")
    good = {status: answer for status, answer in operation["responses"].items() if status < "4"}
    answer = next(iter(good.values()))  # where there are several, they have one shape
    shown = f": {_type(_content_schema(answer))}" if "content" in answer else ""
    parts.append(f"<p>Answers {' or '.join(f'<b>{status}</b>' for status in good)}{shown}</p>")
    if example := _example(answer, schemas):
        parts.append(_long(example) if isinstance(example, str) else _json(example))
    refusals = (
        f"<tr><td>{status}<td>{_problem_links(answer['description'])}"
        for status, answer in operation["responses"].items()
        if status not in good and "content" in answer
    )
    parts.append(_table(("Status", "Problem"), refusals))
    return (
        f'<details><summary><b class="{verb}">{verb.upper()}</b>'
        f'<code class="path">{escape(path)}</code><span class="soft">{escape(operation["summary"])}</span></summary>'
        f'<div id="{escape(operation["operationId"])}">{"".join(parts)}</div></details>'
    )


def _example_call(verb: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    needed = {p["name"]: p for p in operation.get("parameters", ()) if p["required"]}
    values = {name: quote(parameter["schema"]["examples"][0], safe="") for name, parameter in needed.items()}
    in_query = [f"{name}={value}" for name, value in values.items() if needed[name]["in"] == "query"]
    url = f'"$URL{path.format_map(values)}?{"&".join(in_query)}"' if in_query else f"$URL{path.format_map(values)}"
    words = ["curl", *([] if verb == "get" else ["-X", verb.upper()]), url, '-H "Authorization: Bearer $KEY"']
    command = " ".join(words)
    if not (body := operation.get("requestBody")):
        return f"<pre>{escape(command)}</pre>"
    sent = shlex.quote(json.dumps(_example(body, schemas), indent=2))
    command += f" \\\n  -H 'Content-Type: application/json' \\\n  -d {sent}"
    return _long(command)


def _told(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    rows = (
        f"<tr><td><code>{escape(header['name'])}</code><td>{_prose(header['description'])}"
        for header in operation["parameters"]
    )
    body = operation["requestBody"]
    return (
        f"<p>{_prose(operation['description'])}</p>{_table(('Header', 'Meaning'), rows)}"
        f"<p>Body: {_type(_content_schema(body))}</p>{_json(_example(body, schemas))}"
    )


def _content_schema(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = next(iter(holder["content"].values()))["schema"]
    return schema


def _example(holder: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    if "content" not in holder:
        return None
    if shown := next(iter(holder["content"].values())).get("example"):
        return shown
    name = _content_schema(holder).get("$ref", "").rpartition("/")[2]
    if not name:  # a file
        return None
    return next(iter(schemas[name].get("examples", ())), None)


def _json(value: Any) -> str:
    return _long(json.dumps(value, indent=2))


def _long(text: str) -> str:
    return f'<pre class="long">{escape(text)}</pre>'


def _table(headings: Iterable[str], rows: Iterable[str]) -> str:
    return f"<table><tr>{''.join(f'<th>{heading}' for heading in headings)}{''.join(rows)}</table>"


def _problem_links(codes: str) -> str:
    names = [code.strip("`") for code in codes.split(", ")]
    return ", ".join(f'<a href="#problem-{name}"><code>{name}</code></a>' for name in names)


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        f"<tr><td><code>{escape(member)}</code>{'' if member in required else ' <i>optional</i>'}<td>{_type(found)}"
        f"<td>{_prose(found.get('description', ''))}"
        for member, found in schema.get("properties", {}).items()
    ]
    values = ", ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", ()))
    about = _prose(schema.get("description", "").partition("\n\n")[0])
    table = _table(("Member", "Type", "Meaning"), rows) if rows else f"<p>{values}</p>"
    return (
        f'<details><summary><code class="path">{escape(name)}</code>'
        f'<span class="soft">{about}</span></summary><div id="schema-{escape(name)}">{table}</div></details>'
    )


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(kind) for kind in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    kind = escape(str(schema.get("format", schema.get("type", "anything"))))
    bounds = [words.format(schema[name]) for name, words in _BOUNDS.items() if name in schema]
    return ", ".join([kind, *bounds]) + (f" <code>{escape(schema['pattern'])}</code>" if "pattern" in schema else "")


_BOUNDS = {
    "minimum": "from {}",
    "maximum": "up to {}",
    "maxLength": "at most {} characters",
    "default": "default {}",
}


def _prose(text: str) -> str:
    """Escape, and set what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts)).replace("\n\n", "<br>")
