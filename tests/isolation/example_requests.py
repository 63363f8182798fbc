"""A valid request of every operation, made from what it says it takes: a route that is added is tried by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from msgspec import inspect

from pronoia.faces.http.operation import Nothing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pronoia.faces.http.operation import AnyOperation

PARAMETER = re.compile(r"\{(\w+)\}")
WORD = "harmless"
OF_NOBODY = {"component": "database"}
"""Parameters of paths that name no thing of anybody."""
QUESTIONS = ("q", "query", "context")
"""Not needed each, but one of them mostly is."""
LEFT_OUT = object()


@dataclass
class ExampleRequest:
    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None

    @property
    def sent(self) -> str:
        return f"{self.path} {self.query} {self.body}"


def example(operation: AnyOperation, ids: Mapping[str, str]) -> ExampleRequest:
    """Name `ids` wherever one is taken. Raises KeyError for a parameter of a path that nothing is known of."""
    known = {**OF_NOBODY, **ids}
    path = PARAMETER.sub(lambda found: quote(known[found.group(1)], safe=""), operation.path)
    query = _struct(inspect.type_info(operation.query), ids)
    body = None if operation.body is Nothing else _struct(inspect.type_info(operation.body), ids)
    if body is not None and not operation.of_user and "user_id" in fields_of(operation.body):
        body["user_id"] = ids["user_id"]
    return ExampleRequest(operation.method, path, query, body)


def names_somebody(operation: AnyOperation) -> bool:
    """Say whether the path holds an id."""
    return any(name not in OF_NOBODY for name in PARAMETER.findall(operation.path))


def _struct(kind: Any, ids: Mapping[str, str]) -> dict[str, Any]:
    """Give what is needed, and every id that may be named besides."""
    made = {
        one.encode_name: value
        for one in kind.fields
        if (one.required or one.name in QUESTIONS or _holds_id(one.type))
        and (value := _value(one.name, one.type, ids)) is not LEFT_OUT
    }
    return made if kind.tag_field is None else {kind.tag_field: kind.tag, **made}


def _value(name: str, kind: Any, ids: Mapping[str, str]) -> Any:
    return MAKERS[type(kind)](name, kind, ids)


MAKERS: dict[type, Any] = {
    inspect.Metadata: lambda name, kind, ids: _value(name, kind.type, ids),
    inspect.UnionType: lambda name, kind, ids: next(
        value for one in kind.types if (value := _value(name, one, ids)) is not LEFT_OUT
    ),
    inspect.NoneType: lambda *_: LEFT_OUT,
    inspect.CustomType: lambda *_: LEFT_OUT,
    inspect.RawType: lambda *_: LEFT_OUT,
    inspect.UUIDType: lambda name, _, ids: ids.get(name, ids["memory_id"]),
    inspect.StrType: lambda name, _, ids: ids["user_id"] if name == "user_id" else WORD,
    inspect.EnumType: lambda _name, kind, _ids: next(iter(kind.cls)).value,
    inspect.LiteralType: lambda _name, kind, _ids: kind.values[0],
    inspect.BoolType: lambda *_: True,
    inspect.IntType: lambda *_: 1,
    inspect.FloatType: lambda *_: 1,
    inspect.ListType: lambda name, kind, ids: [_value(name, kind.item_type, ids)],
    inspect.StructType: lambda _, kind, ids: _struct(kind, ids),
    inspect.DictType: lambda *_: {},
}
"""An example of each type that a field may have."""


def _holds_id(kind: Any) -> bool:
    match kind:
        case inspect.UUIDType():
            return True
        case inspect.Metadata():
            return _holds_id(kind.type)
        case inspect.ListType():
            return _holds_id(kind.item_type)
        case inspect.UnionType():
            return any(_holds_id(one) for one in kind.types)
        case inspect.StructType():
            return any(_holds_id(one.type) for one in kind.fields)
    return False


def fields_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Give the fields of a struct by the names that clients send."""
    return {one.encode_name: one.type for one in inspect.type_info(kind).fields}  # pyright: ignore[reportAttributeAccessIssue]
