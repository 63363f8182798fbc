from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pronoia.client import requests
from pronoia.client._async.anticipating import AsyncAnticipating
from pronoia.client._async.reading import AsyncReading
from pronoia.client._async.relating import AsyncRelating
from pronoia.client._async.transport import AsyncTransport
from pronoia.client._async.writing import AsyncWriting
from pronoia.client.models import Health
from pronoia.client.settings import resolve_settings
from pronoia.client.timing import AsyncTiming

if TYPE_CHECKING:
    from types import TracebackType

    import httpx2

    from pronoia.client.retry import RetryPolicy


class AsyncPronoia(AsyncWriting, AsyncReading, AsyncAnticipating, AsyncRelating):
    """A connection to a Pronoia server. Open one and keep it: it pools its connections.

        async with AsyncPronoia() as memory:
            await memory.add("Ada drinks her coffee black.", user_id="ada")
            for hit in await memory.search("How does Ada take coffee?", user_id="ada"):
                print(hit.score, hit.text)

    Every call raises a PronoiaError if it fails. Requests that met a lost connection or the statuses 429, 502, 503 or
    504 are sent again as `retry` says; a write is never done twice by that, because every attempt carries the same
    idempotency key. With `read_your_writes`, a read through this client is never older than its own writes before,
    whichever server process answers.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        user_id: str | None = None,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
        read_your_writes: bool = True,
        http_client: httpx2.AsyncClient | None = None,
        timing: AsyncTiming | None = None,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        `api_key` defaults to PRONOIA_API_KEY, `base_url` to PRONOIA_URL, then to http://127.0.0.1:8080. `user_id` is
        the user of calls that name none (for keys that may name one). `timeout` is the seconds to wait for a
        connection, and for each piece of an answer. An `http_client` of your own brings its proxies and certificates,
        and you close it.
        """
        settings = resolve_settings(
            api_key=api_key,
            base_url=base_url,
            user_id=user_id,
            timeout=timeout,
            retry=retry,
            read_your_writes=read_your_writes,
        )
        self._settings = settings
        self._transport = AsyncTransport(settings, timing or AsyncTiming(), http_client)

    async def health(self) -> Health:
        """Ask whether the server is up."""
        return await self._transport.send(requests.read("/health", None), Health)

    async def close(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._settings.base_url!r}, user_id={self._settings.user_id!r})"
