"""Bytes of a request to typed values; whatever is wrong with them becomes an InvalidInputError naming the field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl

import msgspec

from pronoia.domain.errors import InvalidInputError, MissingFieldError

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = TypeVar("Value")

MAXIMUM_QUERY_FIELDS = 100
PLACE = re.compile(r" - at `(?:key in )?\$?\.?(.*)`$")
MISSING = re.compile(r"missing required field `(.*?)`")
BOUND = re.compile(r"(?:<=|>=|<|>) (-?[\d.]+)")


def decode_json(decoder: msgspec.json.Decoder[Value], body: bytes) -> Value:
    """Decode a body. An empty one counts as an empty object."""
    try:
        return decoder.decode(body or b"{}")
    except msgspec.ValidationError as error:
        raise wrong_value(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"The body is not valid JSON: {error}", field="body") from error
    except RecursionError as error:
        raise InvalidInputError("The body is nested too deeply.", field="body") from error


def read_query(query_string: bytes) -> dict[str, str]:
    """Read a query string. Of a name that is repeated, the values are joined by commas."""
    try:
        pairs = parse_qsl(
            query_string.decode(), keep_blank_values=False, errors="strict", max_num_fields=MAXIMUM_QUERY_FIELDS
        )
    except ValueError as error:
        raise InvalidInputError("The query string is malformed.", field="query") from error
    values: dict[str, str] = {}
    for name, value in pairs:
        if "\0" in value:
            raise InvalidInputError(f"{name} must not contain NUL.", field=name)
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def convert_query(values: Mapping[str, str], kind: type[Value]) -> Value:
    """Give a query string's values the types of `kind`."""
    try:
        return msgspec.convert(dict(values), kind, strict=False)
    except msgspec.ValidationError as error:
        raise wrong_value(error) from error


def wrong_value(error: msgspec.ValidationError) -> InvalidInputError:
    """Name the field that a validation error is about, and the bound it crossed."""
    message = str(error)
    place = PLACE.search(message)
    inside = place.group(1) if place else ""
    missing = MISSING.search(message)
    if missing:
        name = f"{inside}.{missing.group(1)}".lstrip(".")
        return MissingFieldError(f"{name} is required.", field=name)
    field = inside or "body"
    details: dict[str, object] = {"field": field}
    bound = BOUND.search(message)
    if bound:
        details["limit"] = float(bound.group(1)) if "." in bound.group(1) else int(bound.group(1))
    return InvalidInputError(f"{field}: {message.partition(' - at ')[0]}.", **details)
