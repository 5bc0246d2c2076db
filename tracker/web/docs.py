"""The OpenAPI document as a page to read: no scripts, nothing fetched from elsewhere."""

from html import escape
from typing import Any

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--accent:#0b7285}
body{font:16px/1.55 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:2rem 1.2rem 6rem}
h1{margin:0 0 .2rem}h2{margin:3rem 0 .6rem;border-bottom:2px solid var(--line);text-transform:capitalize}
h3{margin:0;font-size:1rem;font-weight:600}nav a{margin-right:1rem}code,pre{font:.87em ui-monospace,monospace}
details{border:1px solid var(--line);border-radius:.5rem;margin:.6rem 0}summary{padding:.6rem .9rem;cursor:pointer}
summary h3{display:inline}details>div{padding:.2rem .9rem 1rem;border-top:1px solid var(--line)}
.verb{display:inline-block;min-width:4.2rem;font-weight:700;color:var(--accent)}.path{margin-right:.8rem}
table{border-collapse:collapse;width:100%;margin:.4rem 0 1rem;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--soft)}
th{font-weight:600}a{color:var(--accent)}.soft{opacity:.75}
"""


def docs_page(document: dict[str, Any]) -> str:
    """Render the document."""
    info, schemas = document["info"], document["components"]["schemas"]
    groups: dict[str, list[str]] = {}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(verb, path, operation))
    links = "".join(f'<a href="#{tag}">{tag}</a>' for tag in [*groups, "schemas"])
    body = "".join(f'<h2 id="{tag}">{tag}</h2>{"".join(operations)}' for tag, operations in groups.items())
    types = "".join(_schema(name, schema) for name, schema in schemas.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>"
        f'<h1>{escape(info["title"])} <span class="soft">{escape(info["version"])}</span></h1>'
        f"<p>{_prose(info['description'])}</p>"
        f"<p>Every call carries <code>Authorization: Bearer trk_…</code>; make a key with "
        f"<code>tracker keys add-api-key --name me --scope read,write</code>. Errors are "
        f"<code>application/problem+json</code> with a stable <code>code</code>. The same in machine form: "
        f'<a href="/openapi.json">openapi.json</a>.</p><nav>{links}</nav>{body}<h2 id="schemas">Schemas</h2>{types}</html>'
    )


def _operation(verb: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<p>{_prose(operation['description'])}</p>"]
    if parameters := operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{escape(p['name'])}</code><td>{p['in']}{', required' if p['required'] else ''}"
            f"<td>{_type(p['schema'])}<td>{_prose(p.get('description', ''))}"
            for p in parameters
        )
        parts.append(f"<table><tr><th>Parameter<th>Where<th>Type<th>Meaning{rows}</table>")
    if body := operation.get("requestBody"):
        parts.append(f"<p>Body: {_type(body['content']['application/json']['schema'])}</p>")
    rows = "".join(
        f"<tr><td><code>{status}</code><td>{_prose(response['description'])}<td>{_content(response)}"
        for status, response in operation["responses"].items()
    )
    parts.append(f"<table><tr><th>Status<th>When<th>Body{rows}</table>")
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><h3><span class="verb">{verb.upper()}</span>'
        f'<code class="path">{escape(path)}</code></h3><span class="soft">{escape(operation["summary"])}</span>'
        f"</summary><div>{''.join(parts)}</div></details>"
    )


def _content(response: dict[str, Any]) -> str:
    return "".join(_type(content["schema"]) for content in response.get("content", {}).values())


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(member)}</code><td>{_type(found)}{'' if member in required else ' <i>optional</i>'}"
        f"<td>{_prose(found.get('description', ''))}"
        for member, found in schema.get("properties", {}).items()
    )
    values = ", ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", ()))
    about = _prose(schema.get("description", "").splitlines()[0] if schema.get("description") else "")
    table = f"<table><tr><th>Member<th>Type<th>Meaning{rows}</table>" if rows else f"<p>{values}</p>"
    return (
        f'<details id="schema-{escape(name)}"><summary><h3>{escape(name)}</h3> <span class="soft">{about}</span></summary>'
        f"<div>{table}</div></details>"
    )


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(kind) for kind in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    kind = escape(str(schema.get("format", schema.get("type", "anything"))))
    return f"{kind} <code>{escape(schema['pattern'])}</code>" if "pattern" in schema else kind


def _prose(text: str) -> str:
    """Escape, and set what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts)).replace("\n\n", "<br>")
