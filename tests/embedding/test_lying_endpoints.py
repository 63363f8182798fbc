from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import structlog
from embedding_server import DIMENSIONS, KEY, EmbeddingServer, Reply, answer, answer_with, honest_items

from pronoia.adapters.embedding.openai_answer import largest_answer, retry_after
from pronoia.adapters.embedding.openai_compatible import (
    BATCH_TEXTS,
    CONCURRENT_REQUESTS,
    OpenAICompatibleEmbedder,
)
from pronoia.domain.errors import EmbeddingUnavailableError
from pronoia.resilience.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedding_server import Received

ATTEMPTS = 1 + RetryPolicy().retries

pytestmark = pytest.mark.anyio


def impatient(server: EmbeddingServer) -> OpenAICompatibleEmbedder:
    return OpenAICompatibleEmbedder(url=server.url, model="tiny", key=KEY, dimensions=DIMENSIONS, timeout_seconds=0.3)


async def refusal(embedder: OpenAICompatibleEmbedder, *texts: str) -> str:
    with pytest.raises(EmbeddingUnavailableError) as raised:
        await embedder.embed(texts or ("bees", "wine"))
    assert KEY not in str(raised.value)
    return str(raised.value.details["reason"])


async def test_a_request_names_the_model_and_carries_the_key(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer
) -> None:
    await remote.embed(["bees"])
    (received,) = embedding_server.received
    assert received.path == "/v1/embeddings"
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.body == {"model": "tiny", "input": ["bees"], "encoding_format": "float"}


async def test_vectors_go_to_their_texts_by_index_whatever_the_order_of_the_answer(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer
) -> None:
    straight = await remote.embed(["bees", "wine"])
    embedding_server.replies.append(answer_with(lambda items: items.reverse()))
    assert await remote.embed(["bees", "wine"]) == straight


async def test_vectors_of_any_length_are_scaled_to_one(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer
) -> None:
    straight = await remote.embed(["bees"])

    def stretch(items: list[dict[str, object]]) -> None:
        items[0]["embedding"] = [number * 1e300 for number in items[0]["embedding"]]

    embedding_server.replies.append(answer_with(stretch))
    (stretched,) = await remote.embed(["bees"])
    np.testing.assert_allclose(
        np.frombuffer(stretched.values, "<f4"), np.frombuffer(straight[0].values, "<f4"), atol=1e-6
    )


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_passing_failure_is_tried_again(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer, status: int
) -> None:
    embedding_server.replies.append(lambda _: Reply(status))
    assert len(await remote.embed(["bees"])) == 1
    assert len(embedding_server.received) == 2


async def test_a_lasting_failure_is_reported_after_a_few_attempts(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer
) -> None:
    embedding_server.replies.extend([lambda _: Reply(500)] * 10)
    assert await refusal(remote) == "it answered 500"
    assert len(embedding_server.received) == ATTEMPTS


async def test_a_connection_that_breaks_is_tried_again(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer
) -> None:
    async def break_once(writer: asyncio.StreamWriter) -> None:
        embedding_server.instead = None
        writer.close()

    embedding_server.instead = break_once
    assert len(await remote.embed(["bees"])) == 1
    assert len(embedding_server.received) == 2


async def test_nobody_listening_is_reported(embedding_server: EmbeddingServer) -> None:
    await embedding_server.stop()
    embedder = impatient(embedding_server)
    assert await refusal(embedder) in {"the connection failed (ConnectError)", "it did not answer within 0.3 s"}
    await embedder.close()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Mon, 05 Jan 2026 10:00:09 GMT", "date": "Mon, 05 Jan 2026 10:00:00 GMT"}, 9.0),
        ({"retry-after": "Mon, 05 Jan 2026 09:00:00 GMT", "date": "Mon, 05 Jan 2026 10:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 05 Jan 2026 10:00:09 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
def test_the_wait_an_endpoint_asks_for_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "3600"},
        {"Date": "Mon, 05 Jan 2026 10:00:00 GMT", "Retry-After": "Mon, 05 Jan 2026 11:00:00 GMT"},
    ],
)
async def test_a_wait_beyond_the_deadline_is_refused_at_once(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer, headers: dict[str, str]
) -> None:
    embedding_server.replies.extend([lambda _: Reply(429, headers)] * 2)
    assert await refusal(remote) == "it answered 429"
    assert len(embedding_server.received) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_a_refused_request_is_not_repeated(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer, status: int
) -> None:
    embedding_server.replies.append(lambda _: Reply(status, body=b'{"error": "no"}'))
    assert await refusal(remote) == f"it answered {status}"
    assert len(embedding_server.received) == 1


async def test_a_redirect_is_not_followed(remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer) -> None:
    embedding_server.replies.append(lambda _: Reply(307, {"Location": "/elsewhere"}))
    assert await refusal(remote) == "it answered 307"
    assert [received.path for received in embedding_server.received] == ["/v1/embeddings"]


async def test_an_endpoint_that_hangs_is_left_at_the_deadline(embedding_server: EmbeddingServer) -> None:
    async def hang(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    embedding_server.instead = hang
    embedder = impatient(embedding_server)
    assert await refusal(embedder) == "it did not answer within 0.3 s"
    await embedder.close()


async def test_an_endpoint_that_drips_is_left_at_the_deadline(embedding_server: EmbeddingServer) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    embedding_server.instead = drip
    embedder = impatient(embedding_server)
    assert await refusal(embedder) == "it did not answer within 0.3 s"
    await embedder.close()


async def test_an_endless_body_is_cut_at_what_the_vectors_can_take(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer
) -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n")
        while sent < 100_000_000:
            writer.write(b" " * 65_536)
            await writer.drain()
            sent += 65_536

    embedding_server.instead = flood
    assert await refusal(remote) == f"its answer is larger than {largest_answer(2, DIMENSIONS)} bytes"
    assert sent < 50_000_000


async def test_a_compressed_body_is_refused_before_it_can_grow(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer
) -> None:
    embedding_server.replies.append(lambda _: Reply(headers={"Content-Encoding": "gzip"}, body=b"\x1f\x8b"))
    assert await refusal(remote) == "its answer is compressed, though none was asked for"


def short(items: list[dict[str, object]]) -> None:
    items.pop()


def twice(items: list[dict[str, object]]) -> None:
    items[1]["index"] = 0


def beyond(items: list[dict[str, object]]) -> None:
    items[1]["index"] = 2


def narrow(items: list[dict[str, object]]) -> None:
    items[0]["embedding"] = [1.0, 2.0]


def infinite(items: list[dict[str, object]]) -> None:
    items[0]["embedding"][3] = 12345.5


def stringly(items: list[dict[str, object]]) -> None:
    items[0]["embedding"][3] = "0.5"


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (answer_with(short), "it answered 1 vectors for 2 texts"),
        (answer_with(twice), "its indexes do not name each text once"),
        (answer_with(beyond), "its indexes do not name each text once"),
        (answer_with(narrow), "its vectors have 2 numbers where 8 are configured"),
        (answer_with(stringly), "its answer is not a list of embeddings"),
        (lambda _: Reply(body=b"<html>Welcome</html>", media_type="text/html"), "its answer is not JSON"),
        (lambda _: Reply(body=b"<html>Welcome</html>"), "its answer is not a list of embeddings"),
        (lambda _: Reply(body=b'{"data": null}'), "its answer is not a list of embeddings"),
        (lambda _: Reply(body=b"[" * 10_000), "its answer is not a list of embeddings"),
        (lambda _: Reply(body=b""), "its answer is not a list of embeddings"),
    ],
)
async def test_an_answer_that_is_not_one_vector_a_text_is_refused(
    remote: OpenAICompatibleEmbedder,
    embedding_server: EmbeddingServer,
    lie: Callable[[Received], Reply],
    reason: str,
) -> None:
    embedding_server.replies.append(lie)
    assert (await refusal(remote)).startswith(reason)
    assert len(embedding_server.received) == 1


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e999", b"null"])
async def test_a_number_that_is_not_finite_is_refused(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer, number: bytes
) -> None:
    def reply(received: Received) -> Reply:
        items = honest_items(received)
        infinite(items)
        return Reply(body=answer(items).body.replace(b"12345.5", number))

    embedding_server.replies.append(reply)
    reason = await refusal(remote)
    assert reason.startswith(("its answer is not a list of embeddings", "a number of its answer is not finite"))


async def test_many_texts_go_in_bounded_batches_a_few_at_a_time(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer
) -> None:
    texts = [f"bottle {number}" for number in range(10 * BATCH_TEXTS + 1)]
    vectors = await remote.embed(texts)
    assert len(vectors) == len(texts)
    assert sorted(len(received.body["input"]) for received in embedding_server.received) == [1] + [BATCH_TEXTS] * 10
    assert embedding_server.busiest <= CONCURRENT_REQUESTS


async def test_the_key_is_in_no_log_and_no_error(
    remote: OpenAICompatibleEmbedder, embedding_server: EmbeddingServer, caplog: pytest.LogCaptureFixture
) -> None:
    embedding_server.replies.extend([lambda _: Reply(500)] * ATTEMPTS)
    with structlog.testing.capture_logs() as events, caplog.at_level("DEBUG"):
        await refusal(remote)
    assert KEY not in json.dumps(events, default=str)
    assert KEY not in caplog.text
