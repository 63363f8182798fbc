from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import httpx2
import msgspec

from pronoia.client.errors import ConnectionFailedError, PronoiaError, UnexpectedAnswerError, error_from_answer
from pronoia.client.headers import request_headers, request_query, version_of
from pronoia.client.retry import RetryBudget, retry_after_seconds
from pronoia.client.versions import SeenVersions

if TYPE_CHECKING:
    from pronoia.client.requests import Request
    from pronoia.client.settings import ClientSettings
    from pronoia.client.timing import AsyncTiming

Answer = TypeVar("Answer")

MAXIMUM_ANSWER_BYTES = 64 * 1024 * 1024


class AsyncTransport:
    """Sends requests until one is answered, or the call's attempts or time are spent."""

    def __init__(self, settings: ClientSettings, timing: AsyncTiming, http: httpx2.AsyncClient | None) -> None:
        self._settings = settings
        self._timing = timing
        self._owns_http = http is None
        self._http = http or httpx2.AsyncClient()
        self._versions = SeenVersions()

    async def send(self, request: Request, answer: type[Answer]) -> Answer:
        """Send a request and read its answer. Raises PronoiaError, of the kind that says what went wrong."""
        body = await self._send(request)
        try:
            return msgspec.json.decode(body, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnexpectedAnswerError(f"The answer is not what was promised: {error}") from error

    async def run(self, request: Request) -> None:
        """Send a request whose answer holds nothing but its success."""
        await self._send(request)

    def forget_version(self, user_id: str) -> None:
        self._versions.forget(user_id)

    async def close(self) -> None:
        """Close the connections, unless the caller brought them."""
        if self._owns_http:
            await self._http.aclose()

    async def _send(self, request: Request) -> bytes:
        user = request.user_id or self._settings.user_id
        seen = self._versions.get(user or "") if request.is_read and self._settings.read_your_writes else None
        headers = request_headers(self._settings, request, user, seen)
        query = request_query(request, user)
        budget = RetryBudget(self._settings.retry, self._timing.random, self._timing.monotonic)
        while True:
            try:
                answer_headers, body = await self._attempt(request, headers, query, budget)
            except PronoiaError as error:
                delay = budget.delay_after(error)
                if delay is None:
                    raise
                await self._timing.sleep(delay)
            else:
                version = version_of(answer_headers)
                if version is not None:
                    self._versions.saw(user or "", version)
                return body

    async def _attempt(
        self, request: Request, headers: dict[str, str], query: dict[str, str], budget: RetryBudget
    ) -> tuple[httpx2.Headers, bytes]:
        timeout = budget.timeout(self._settings.timeout)
        try:
            async with self._http.stream(
                request.method,
                self._settings.url(request.path),
                params=query,
                content=request.body,
                headers=headers,
                timeout=timeout,
                follow_redirects=False,
            ) as response:
                body = await self._read(response, budget)
        except httpx2.TimeoutException as error:
            raise ConnectionFailedError(f"No answer within {timeout:g} seconds.", code="TIMEOUT") from error
        except httpx2.TransportError as error:
            reason = str(error) or type(error).__name__
            raise ConnectionFailedError(f"No answer: {reason}", code="CONNECTION_FAILED") from error
        except httpx2.DecodingError as error:
            raise UnexpectedAnswerError(f"The answer's body is damaged: {error}") from error
        if response.is_success:
            return response.headers, body
        raise error_from_answer(
            response.status_code,
            body,
            request_id=response.headers.get("X-Request-ID"),
            retry_after=retry_after_seconds(response.headers.get("Retry-After"), self._timing.now()),
        )

    async def _read(self, response: httpx2.Response, budget: RetryBudget) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAXIMUM_ANSWER_BYTES:
                raise UnexpectedAnswerError("The answer is too large.", status=response.status_code)
            # The timeout holds for each piece: a server that drips would outlast the call without this.
            if budget.remaining <= 0:
                raise ConnectionFailedError("The answer took longer than the call may.", code="TIMEOUT")
        return bytes(body)
