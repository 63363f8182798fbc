"""Embeddings from any endpoint that speaks OpenAI's `POST /embeddings`: OpenAI, Ollama, vLLM, TEI and others."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from http import HTTPStatus
from random import SystemRandom
from typing import TYPE_CHECKING

import httpx2
import stamina

from pronoia.adapters.embedding.openai_answer import largest_answer, read_vectors, retry_after, unavailable
from pronoia.domain.errors import EmbeddingUnavailableError
from pronoia.resilience import policies
from pronoia.resilience.breaker import Breaker, CircuitOpenError, Outcome
from pronoia.resilience.bulkhead import Bulkhead, BulkheadFullError
from pronoia.resilience.deadline import deadline, time_left
from pronoia.resilience.retry import RetryBudget, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pronoia.domain.records import Vector

BATCH_TEXTS = 32
"""Texts in a request: its answer decodes in a few milliseconds on the event loop."""
CONCURRENT_REQUESTS = 10
QUEUED_REQUESTS = 50
TRANSIENT_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class _TransientError(Exception):
    """A failure that may be gone at the next attempt. `fault` says whose: the endpoint's, or that of our asking."""

    def __init__(self, reason: str, wait: float | None = None, *, fault: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.fault = fault


class _RefusedError(Exception):
    """The endpoint is well, and refuses what we ask."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OpenAICompatibleEmbedder:
    """Asks an endpoint, within one deadline for each `embed`, waiting and retries included.

    An endpoint that fails repeatedly is left alone for a while by the breaker, and retries are a small share of all
    requests by the budget.
    No redirects, no proxies of the environment, no compressed answers, and never more bytes than the vectors asked
    for can take. Whatever goes wrong, it raises EmbeddingUnavailableError with a `reason` that holds no secret.
    """

    def __init__(
        self,
        *,
        url: str,
        model: str,
        key: str,
        dimensions: int,
        timeout_seconds: float,
        breaker: Breaker | None = None,
        bulkhead: Bulkhead | None = None,
        retries: RetryPolicy | None = None,
        budget: RetryBudget | None = None,
        retried: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """`retried` is told of each retry that was wanted, and whether the budget granted it."""
        self._model = model
        self._dimensions = dimensions
        self._timeout = timeout_seconds
        self._url = f"{url.rstrip('/')}/embeddings"
        self._breaker = breaker or Breaker("embedding", policies.EMBEDDING)
        self._bulkhead = bulkhead or Bulkhead(
            "embedding",
            concurrent=CONCURRENT_REQUESTS,
            queue=QUEUED_REQUESTS,
            longest_wait_seconds=timeout_seconds,
        )
        self._retries = retries or RetryPolicy()
        self._budget = budget or RetryBudget()
        self._retried = retried
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        self._client = httpx2.AsyncClient(
            headers=headers,
            timeout=timeout_seconds,
            follow_redirects=False,
            trust_env=False,
            # The bulkhead bounds them.
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=CONCURRENT_REQUESTS),
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
        patient = 2 * time_left(self._timeout) >= self._timeout
        try:
            with deadline(self._timeout):
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self._embed_batch(batch, patient=patient)) for batch in batches]
        except ExceptionGroup as failures:
            raise self._unavailable(failures.exceptions[0]) from failures.exceptions[0]
        return [vector for task in tasks for vector in task.result()]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _embed_batch(self, texts: Sequence[str], *, patient: bool) -> list[Vector]:
        self._budget.called()
        backoff = _Backoff(self._retries, self._budget, self._retried)
        async for attempt in stamina.retry_context(on=backoff, attempts=None, timeout=None):
            with attempt:
                async with self._bulkhead.place():
                    with self._breaker.guard(partial(_judge, patient=patient)):
                        async with asyncio.timeout(time_left(self._timeout)):
                            body = await self._ask(texts)
                            return read_vectors(body, count=len(texts), dimensions=self._dimensions, space=self.space)
        raise AssertionError("a retry context ends by returning or raising")

    def _unavailable(self, error: Exception) -> Exception:
        match error:
            case _TransientError() | _RefusedError():
                return unavailable(error.reason)
            case TimeoutError():
                return unavailable(f"it did not answer within {self._timeout:g} s")
            case CircuitOpenError():
                return unavailable("it failed repeatedly and is not asked now")
            case BulkheadFullError():
                return unavailable("too many wait for it")
            case _:
                return error

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
            raise _RefusedError(f"the request cannot be made ({type(error).__name__})") from error


class _Backoff:
    """Tells stamina whether to try again, and after how many seconds."""

    def __init__(self, policy: RetryPolicy, budget: RetryBudget, retried: Callable[[bool], None]) -> None:
        self._policy = policy
        self._budget = budget
        self._retried = retried
        self._retry = 0

    def __call__(self, error: Exception) -> bool | float:
        self._retry += 1
        if not isinstance(error, _TransientError) or self._retry > self._policy.retries:
            return False
        wait = self._policy.wait(self._retry, SystemRandom().random) if error.wait is None else error.wait
        if wait >= time_left(math.inf):
            return False  # to wait past the deadline would only turn a clear refusal into a timeout
        granted = self._budget.spend()
        self._retried(granted)
        return wait if granted else False


def _judge(error: BaseException, *, patient: bool) -> Outcome:
    """Say what an error tells about the endpoint. `patient`: it was given its fair time to answer."""
    match error:
        case _TransientError(fault=True) | EmbeddingUnavailableError():
            return Outcome.FAILURE
        case TimeoutError():
            return Outcome.FAILURE if patient else Outcome.IGNORED
        case _:
            return Outcome.IGNORED


def _check_head(response: httpx2.Response) -> None:
    status = response.status_code
    if status in TRANSIENT_STATUS:
        raise _TransientError(
            f"it answered {status}", retry_after(response.headers), fault=status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )
    if status != HTTPStatus.OK:
        raise _RefusedError(f"it answered {status}")
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
