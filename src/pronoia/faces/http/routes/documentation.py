from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pronoia.faces.http.openapi import openapi_document
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.page import CONTENT_SECURITY_POLICY, documentation_page
from pronoia.faces.http.routes.health import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence


def documentation(operations: Sequence[AnyOperation]) -> tuple[AnyOperation, ...]:
    """Make the operations that describe the others. Both answers are rendered once."""
    document = openapi_document(operations, VERSION)
    encoded = msgspec.json.encode(document)
    rendered = documentation_page(document).encode()

    async def openapi(_: Call[Nothing, Nothing]) -> Answer:
        return Answer(encoded)

    async def page(_: Call[Nothing, Nothing]) -> Answer:
        headers = {"content-security-policy": CONTENT_SECURITY_POLICY}
        return Answer(rendered, headers=headers)

    return (
        Operation("GET", "/openapi.json", "Describe this API.", openapi, dict[str, Any], None, Nothing, Nothing),
        Operation(
            "GET",
            "/docs",
            "Describe this API to people.",
            page,
            str,
            None,
            Nothing,
            Nothing,
            media_type="text/html",
        ),
    )
