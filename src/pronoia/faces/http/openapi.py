"""The OpenAPI document, made from the same operations that serve."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, cast

import msgspec

from pronoia.faces.http.operation import Nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.faces.http.operation import AnyOperation

PARAMETER = re.compile(r"\{(\w+)\}")
REFERENCE = "#/components/schemas/{name}"
ERROR_SCHEMA = {
    "type": "object",
    "required": ["error", "message", "code", "requestId", "timestamp"],
    "properties": {
        "error": {"description": "The reason phrase, or the same facts again.", "type": ["string", "object"]},
        "message": {"type": "string"},
        "code": {"type": "string"},
        "requestId": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "details": {"type": "object"},
        "retryAfter": {"description": "Seconds; of a 429 only.", "type": "integer"},
    },
}
HEADERS = (
    ("X-User-ID", "The user, where a service key is used."),
    ("X-Memory-Version", "Answer at least as new as this version of the user's memory."),
    ("Idempotency-Key", "Requests with the same key are the same request, for 24 hours."),
)
IDENTIFIER = {"type": "string", "format": "uuid"}
NAME = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^/]+$"}
NAMES = {"key_id": {"type": "string", "pattern": "^[0-9A-Za-z]{12}$"}, "project_id": NAME, "user_id": NAME}
"""What stands in a path and is no UUID."""
COMMON_ERRORS = {"401": "No valid key or token.", "403": "The scope is lacking.", "404": "Unknown, or another user's.",
                 "409": "The Idempotency-Key was used for another request, or the name is taken.",
                 "429": "A limit is reached; `Retry-After` says when to come back."}  # fmt: skip
EVERY_ERROR = {"400": "The request is wrong; `details` names the field.", "408": "It did not arrive in time.",
               "413": "The body is too large.", "503": "A part does not answer now."}  # fmt: skip

Json = dict[str, Any]


def openapi_document(operations: Sequence[AnyOperation], version: str) -> Json:
    """Write the OpenAPI 3.1 document of the operations."""
    # HitAnswer is named by reference only: search encodes its items once for two keys.
    from pronoia.faces.http.schemas.search import HitAnswer  # noqa: PLC0415 - the document alone needs it

    types = [HitAnswer, *(kind for one in operations for kind in (one.answer, one.body, one.query))]
    schemas, components = msgspec.json.schema_components(types, schema_hook=_any_value, ref_template=REFERENCE)
    by_type = {repr(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, by_type, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pronoia", "version": version, "summary": "A memory server."},
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": ERROR_SCHEMA},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "service": {"type": "apiKey", "in": "header", "name": "X-Service-Token"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _any_value(kind: type) -> Json:
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError


def _operation(operation: AnyOperation, by_type: Json, components: Json) -> Json:
    errors = EVERY_ERROR if operation.permission is None else {**EVERY_ERROR, **COMMON_ERRORS}
    document: Json = {
        "operationId": _operation_id(operation),
        "summary": operation.summary,
        "tags": [_subject(operation.path)],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation, components)],
        "responses": {
            str(int(operation.status)): _content("Done.", by_type[repr(operation.answer)], operation.media_type),
            **{status: _content(text, {"$ref": REFERENCE.format(name="Error")}) for status, text in errors.items()},
        },
    }
    if operation.path in {"/health/ready", "/api/v1/monitoring/ready"}:
        document["responses"]["503"] = _content("Not ready.", by_type[repr(operation.answer)])
    description = inspect.getdoc(operation.handle)
    if description:
        document["description"] = description
    if operation.permission is not None:
        document["parameters"].extend(_header_parameters(operation))
        document["security"] = [{"key": []}, {"service": []}, {"bearer": []}]
    if operation.body is not Nothing:
        body = _content("", by_type[repr(operation.body)])
        document["requestBody"] = {"required": True, "content": body["content"]}
    return document


def _path_parameters(operation: AnyOperation) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": NAMES.get(name, IDENTIFIER)}
        for name in PARAMETER.findall(operation.path)
    ]


def _query_parameters(operation: AnyOperation, components: Json) -> list[Json]:
    if operation.query is Nothing:
        return []
    schema = cast("Json", components[operation.query.__name__])
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": one}
        for name, one in schema["properties"].items()
    ]


def _header_parameters(operation: AnyOperation) -> list[Json]:
    schemas: dict[str, Json] = {
        "X-User-ID": {"type": "string", "minLength": 1, "maxLength": 255},
        "X-Memory-Version": {"type": "integer", "minimum": 0},
        "Idempotency-Key": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x20-\x7e]+$"},
    }
    taken = {"X-User-ID"} if operation.of_user else set[str]()
    if operation.method != "GET" and operation.permission != "read":
        taken |= set[str]() if operation.repeatable else {"Idempotency-Key"}
    elif operation.of_user:
        taken |= {"X-Memory-Version"}
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": schemas[name]}
        for name, text in HEADERS
        if name in taken
    ]


def _content(description: str, schema: Json, media_type: str = "application/json") -> Json:
    return {"description": description, "content": {media_type.partition(";")[0]: {"schema": schema}}}


def _operation_id(operation: AnyOperation) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", operation.path).strip("_") or "root"
    return f"{operation.method.lower()}_{words}"


def _subject(path: str) -> str:
    parts = path.removeprefix("/api/v1").strip("/").split("/")
    return parts[0] or "root"
