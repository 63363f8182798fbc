"""Keys of an identity provider at the address where it publishes them."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING

import httpx2

from pronoia.adapters.identity.key_set import MAXIMUM_SET_BYTES, read_key_set, unavailable
from pronoia.domain.errors import ConfigurationError, IdentityUnavailableError
from pronoia.resilience import policies
from pronoia.resilience.breaker import Breaker, CircuitOpenError, Outcome

if TYPE_CHECKING:
    from pronoia.adapters.identity.key_set import PublicKey

TIMEOUT_SECONDS = 5.0


class KeyEndpoint:
    """A KeySource that asks the one address and no other: no redirect is followed, no proxy taken.

    It answers within TIMEOUT_SECONDS and MAXIMUM_SET_BYTES or counts as failed. The address may be in a private
    network, but must be HTTPS: whoever can change the keys on their way can sign tokens for everybody.
    """

    def __init__(self, url: str, breaker: Breaker | None, *, setting: str) -> None:
        """Raise ConfigurationError, naming the setting, for an address that must not be asked."""
        self._url = _checked(url, setting)
        self._breaker = breaker or Breaker("identity", policies.EXTERNAL)
        self._client = httpx2.AsyncClient(
            headers={"accept": "application/jwk-set+json, application/json", "accept-encoding": "identity"},
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=False,
            # It is asked once a minute at most, and nothing is gained by a connection that is kept.
            limits=httpx2.Limits(max_connections=1, max_keepalive_connections=0),
        )

    async def fetch(self) -> list[PublicKey]:
        """Give the keys that are published now. Raises IdentityUnavailableError, at once where it failed repeatedly."""
        try:
            with self._breaker.guard(_judge):
                return read_key_set(await self._ask())
        except CircuitOpenError as error:
            raise unavailable("it failed repeatedly and is left alone for a while") from error

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _ask(self) -> bytes:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), self._client.stream("GET", self._url) as response:
                if response.status_code != HTTPStatus.OK:
                    raise unavailable(f"it answered {response.status_code}")
                if response.headers.get("content-encoding", "identity").lower() != "identity":
                    raise unavailable("its answer is compressed, though none was asked for")
                return await _read(response)
        except TimeoutError as error:
            raise unavailable(f"it did not answer within {TIMEOUT_SECONDS:g} s") from error
        except httpx2.HTTPError as error:
            raise unavailable(f"the connection failed ({type(error).__name__})") from error


async def _read(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAXIMUM_SET_BYTES:
            raise unavailable(f"its answer is larger than {MAXIMUM_SET_BYTES} bytes")
    return bytes(body)


def _checked(url: str, setting: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ConfigurationError(f"{setting} is no URL.") from error
    secure = parsed.scheme == "https" or (parsed.scheme == "http" and _is_this_machine(parsed.host))
    if not secure or not parsed.host:
        raise ConfigurationError(f"{setting} must begin with https:// and name a host; http:// is for this machine.")
    return parsed


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _judge(error: BaseException) -> Outcome:
    return Outcome.FAILURE if isinstance(error, IdentityUnavailableError) else Outcome.IGNORED
