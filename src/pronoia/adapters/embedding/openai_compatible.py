"""Embeddings from any endpoint that speaks OpenAI's `POST /embeddings`: OpenAI, Ollama, vLLM, TEI and others."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx2
import stamina

from pronoia.adapters.embedding.openai_answer import largest_answer, read_vectors, retry_after, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pronoia.domain.records import Vector

BATCH_TEXTS = 32
"""Texts in a request: its answer decodes in a few milliseconds on the event loop."""
CONCURRENT_REQUESTS = 4
ATTEMPTS = 3
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 1.0
JITTER_SECONDS = 0.2
TRANSIENT_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class _TransientError(Exception):
    """A failure that may be gone at the next attempt."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


class OpenAICompatibleEmbedder:
    """Asks an endpoint, within one deadline for each `embed`, waiting and retries included.

    No redirects, no proxies of the environment, no compressed answers, and never more bytes than the vectors asked
    for can take. Whatever goes wrong, it raises EmbeddingUnavailableError with a `reason` that holds no secret.
    """

    def __init__(self, *, url: str, model: str, key: str, dimensions: int, timeout_seconds: float) -> None:
        self._model = model
        self._dimensions = dimensions
        self._timeout = timeout_seconds
        self._url = f"{url.rstrip('/')}/embeddings"
        self._slots = asyncio.Semaphore(CONCURRENT_REQUESTS)
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        self._client = httpx2.AsyncClient(
            headers=headers,
            timeout=timeout_seconds,
            follow_redirects=False,
            trust_env=False,
            limits=httpx2.Limits(max_connections=CONCURRENT_REQUESTS),
        )

    @property
    def space(self) -> str:
        """Name the model and its size; the endpoint's address may change without a new space."""
        return f"{self._model}-{self._dimensions}"

    @property
    def dimensions(self) -> int:
        """Give the configured size; an answer of another size is refused."""
        return self._dimensions

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Embed texts in order, some requests side by side. Raises EmbeddingUnavailableError."""
        batches = [texts[start : start + BATCH_TEXTS] for start in range(0, len(texts), BATCH_TEXTS)]
        try:
            async with asyncio.timeout(self._timeout), asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._embed_batch(batch)) for batch in batches]
        except TimeoutError as error:
            raise unavailable(f"it did not answer within {self._timeout:g} s") from error
        except ExceptionGroup as failures:
            first = failures.exceptions[0]
            if isinstance(first, _TransientError):
                raise unavailable(first.reason) from first
            raise first from None
        return [vector for task in tasks for vector in task.result()]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _embed_batch(self, texts: Sequence[str]) -> list[Vector]:
        deadline = asyncio.get_running_loop().time() + self._timeout
        async for attempt in stamina.retry_context(
            on=_backoff(deadline),
            attempts=ATTEMPTS,
            timeout=self._timeout,
            wait_initial=FIRST_WAIT_SECONDS,
            wait_max=LONGEST_WAIT_SECONDS,
            wait_jitter=JITTER_SECONDS,
        ):
            with attempt:
                async with self._slots:
                    body = await self._ask(texts)
                return read_vectors(body, count=len(texts), dimensions=self._dimensions, space=self.space)
        raise AssertionError("a retry context ends by returning or raising")

    async def _ask(self, texts: Sequence[str]) -> bytes:
        question = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        try:
            async with self._client.stream("POST", self._url, json=question) as response:
                _check_head(response)
                return await _read_body(response, largest_answer(len(texts), self._dimensions))
        except httpx2.TransportError as error:
            # The name of the class alone: some messages quote the address, which may carry a password.
            raise _TransientError(f"the connection failed ({type(error).__name__})") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeEncodeError) as error:
            raise unavailable(f"the request cannot be made ({type(error).__name__})") from error


def _backoff(deadline: float) -> Callable[[Exception], bool | float]:
    def wait_before_next(error: Exception) -> bool | float:
        if not isinstance(error, _TransientError):
            return False
        if error.wait is None:
            return True
        # To wait past the deadline would only turn a clear refusal into a timeout.
        return error.wait if asyncio.get_running_loop().time() + error.wait < deadline else False

    return wait_before_next


def _check_head(response: httpx2.Response) -> None:
    status = response.status_code
    if status in TRANSIENT_STATUS:
        raise _TransientError(f"it answered {status}", retry_after(response.headers))
    if status != HTTPStatus.OK:
        raise unavailable(f"it answered {status}")
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise unavailable("its answer is not JSON")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise unavailable("its answer is compressed, though none was asked for")


async def _read_body(response: httpx2.Response, limit: int) -> bytes:
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > limit:
            raise unavailable(f"its answer is larger than {limit} bytes")
    return bytes(body)
