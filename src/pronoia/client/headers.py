from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pronoia.client.settings import user_agent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pronoia.client.requests import Request
    from pronoia.client.settings import ClientSettings

_VERSION = "X-Memory-Version"
_USER_AGENT = user_agent()


def request_headers(
    settings: ClientSettings, request: Request, user: str | None, seen_version: int | None
) -> dict[str, str]:
    """Write the headers of a call. They are the same at every attempt, so a repeated write is known as one."""
    headers = {"X-API-Key": settings.api_key, "Accept": "application/json", "User-Agent": _USER_AGENT}
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    if request.idempotency_key is not None:
        headers["Idempotency-Key"] = request.idempotency_key
    if user is not None and _fits_a_header(user):
        headers["X-User-ID"] = user
    if seen_version is not None:
        headers[_VERSION] = str(seen_version)
    return headers


def request_query(request: Request, user: str | None) -> dict[str, str]:
    """Write the query of a call. A user whose name no header can carry is named here."""
    query = dict(request.query)
    if user is not None and not _fits_a_header(user):
        query["user_id"] = user
    return query


def version_of(headers: Mapping[str, str]) -> int | None:
    """Read the user's memory version off an answer."""
    text = headers.get(_VERSION, "")
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def _fits_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()
