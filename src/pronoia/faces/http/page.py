"""The OpenAPI document as a page: plain HTML, no script and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import Any

Json = dict[str, Any]

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow:auto;padding:1rem;background:#8881}"
    "details{border-top:1px solid #8886;padding:.4rem 0}summary{cursor:pointer}"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}"
    ":root{color-scheme:light dark}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def documentation_page(document: Json) -> str:
    """Render an OpenAPI document."""
    title = escape(document["info"]["title"])
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    schemas = "".join(_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f"<h1>{title} {escape(document['info']['version'])}</h1>"
        '<p>The same as <a href="/openapi.json">openapi.json</a>. Send the key as <code>X-API-Key</code>.</p>'
        f"<h2>Operations</h2>{operations}<h2>Schemas</h2>{schemas}</body></html>"
    )


def _operation(method: str, path: str, operation: Json) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td>"
        f"<td>{'required' if one['required'] else ''}</td>"
        f"<td><code>{escape(json.dumps(one['schema']))}</code></td></tr>"
        for one in operation["parameters"]
    )
    table = f"<table><tr><th>Name</th><th>In</th><th></th><th>Schema</th></tr>{rows}</table>" if rows else ""
    body = operation.get("requestBody")
    sent = f"<p>Body: {_reference(body['content'])}</p>" if body else ""
    answers = "".join(
        f"<li>{escape(status)} {escape(answer['description'])} {_reference(answer['content'])}</li>"
        for status, answer in operation["responses"].items()
    )
    heading = f"<code>{escape(method.upper())} {escape(path)}</code> {escape(operation['summary'])}"
    return f"<details><summary>{heading}</summary>{table}{sent}<ul>{answers}</ul></details>"


def _schema(name: str, schema: Json) -> str:
    text = escape(json.dumps(schema, indent=2))
    return f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary><pre>{text}</pre></details>'


def _reference(content: Json) -> str:
    (media,) = content.values()
    schema = media["schema"]
    target = schema.get("$ref", schema.get("items", {}).get("$ref", ""))
    name = escape(target.rsplit("/", 1)[-1])
    return f'<a href="#{name}">{name}</a>' if name else ""
