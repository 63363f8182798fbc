from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

import httpx2

from pronoia.client.errors import AuthenticationError
from pronoia.client.retry import RetryPolicy

DEFAULT_URL = "http://127.0.0.1:8080"
API_PATH = "/api/v1"


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Where a client calls and as whom. The key is kept out of every representation."""

    api_key: str = field(repr=False)
    base_url: str
    user_id: str | None
    timeout: float
    retry: RetryPolicy
    read_your_writes: bool

    def url(self, path: str) -> str:
        """Give the address of a path below the API, such as `/memories`."""
        return self.base_url + API_PATH + path


def resolve_settings(
    *,
    api_key: str | None,
    base_url: str | None,
    user_id: str | None,
    timeout: float,
    retry: RetryPolicy | None,
    read_your_writes: bool,
) -> ClientSettings:
    """Fill what was not given from PRONOIA_API_KEY and PRONOIA_URL.

    Raises AuthenticationError without a key, ValueError for an address or a value that cannot work.
    """
    key = (api_key or os.environ.get("PRONOIA_API_KEY", "")).strip()
    if not key:
        raise AuthenticationError("No API key: pass api_key or set PRONOIA_API_KEY.", code="MISSING_API_KEY")
    if not (key.isascii() and key.isprintable()):
        raise ValueError("The API key holds characters that no key has; was it cut or pasted wrongly?")
    if timeout <= 0:
        raise ValueError("timeout must be above zero seconds.")
    return ClientSettings(
        api_key=key,
        base_url=_clean_url(base_url or os.environ.get("PRONOIA_URL") or DEFAULT_URL),
        user_id=user_id,
        timeout=timeout,
        retry=retry or RetryPolicy(),
        read_your_writes=read_your_writes,
    )


def user_agent() -> str:
    """Name this client and its version, as `pronoia-python/1.2.3 httpx2/2.16.2 python/3.11.7`."""
    try:
        own = version("pronoia")
    except PackageNotFoundError:
        own = "0"
    return f"pronoia-python/{own} httpx2/{httpx2.__version__} python/{platform.python_version()}"


def _clean_url(text: str) -> str:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise ValueError(f"base_url is not an address: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("base_url must look like http://127.0.0.1:8080")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("base_url cannot carry a user, a query or a fragment.")
    return text.rstrip("/").removesuffix(API_PATH)
