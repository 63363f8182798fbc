"""Posts JSON to an address that the operator gave."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2

from pronoia.domain.errors import AlertNotSentError, ConfigurationError
from pronoia.resilience import policies
from pronoia.resilience.breaker import Breaker, CircuitOpenError, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIMEOUT_SECONDS = 5.0
MAXIMUM_ANSWER_BYTES = 64 * 1024
SCHEMES = ("http", "https")


class Webhook:
    """Posts within TIMEOUT_SECONDS, to the one address and no other: no redirect is followed, no proxy taken.

    The address is the operator's own and may be in a private network. It may hold a secret, so no error repeats it.
    """

    def __init__(self, url: str, breaker: Breaker | None, *, setting: str) -> None:
        """Raise ConfigurationError, naming the setting, if the address is none."""
        self._breaker = breaker or Breaker("webhook", policies.EXTERNAL)
        try:
            parsed = httpx2.URL(url)
        except httpx2.InvalidURL as error:
            raise ConfigurationError(f"{setting} is no URL.") from error
        if parsed.scheme not in SCHEMES or not parsed.host:
            raise ConfigurationError(f"{setting} must begin with https:// or http:// and name a host.")
        self._url = parsed
        self._client = httpx2.AsyncClient(
            headers={"accept-encoding": "identity"},
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=False,
            limits=httpx2.Limits(max_connections=1),
        )

    async def post(self, body: Mapping[str, object] | Sequence[object]) -> None:
        """Post, and expect an answer of 2xx. Raises AlertNotSentError, at once where it failed repeatedly."""
        try:
            with self._breaker.guard(_judge):
                await self._post(body)
        except CircuitOpenError as error:
            raise _not_sent("it failed repeatedly and is left alone for a while") from error

    async def _post(self, body: Mapping[str, object] | Sequence[object]) -> None:
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                self._client.stream("POST", self._url, json=body) as response,
            ):
                if not response.is_success:
                    raise _not_sent(f"it answered {response.status_code}")
                await _read(response)
        except TimeoutError as error:
            raise _not_sent(f"it did not answer within {TIMEOUT_SECONDS:g} s") from error
        except httpx2.HTTPError as error:
            raise _not_sent(f"the connection failed ({type(error).__name__})") from error

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


async def _read(response: httpx2.Response) -> None:
    """Read the answer to its end, so that the connection can be used again, unless it is too long."""
    size = 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > MAXIMUM_ANSWER_BYTES:
            return


def _judge(error: BaseException) -> Outcome:
    return Outcome.FAILURE if isinstance(error, AlertNotSentError) else Outcome.IGNORED


def _not_sent(reason: str) -> AlertNotSentError:
    return AlertNotSentError(f"The receiver was not told: {reason}.", reason=reason)
