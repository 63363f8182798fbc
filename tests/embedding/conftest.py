from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from embedding_server import DIMENSIONS, KEY, EmbeddingServer

from pronoia.adapters.embedding.openai_compatible import OpenAICompatibleEmbedder
from pronoia.adapters.embedding.static import StaticEmbedder
from pronoia.resilience.retry import RetryPolicy
from pronoia.testing.embedder import HashingEmbedder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pronoia.ports.embedder import Embedder


@pytest.fixture
async def embedding_server() -> AsyncIterator[EmbeddingServer]:
    server = EmbeddingServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def remote(embedding_server: EmbeddingServer) -> AsyncIterator[OpenAICompatibleEmbedder]:
    """Give an embedder of the server; five seconds are a limit no passing test comes near."""
    embedder = OpenAICompatibleEmbedder(
        url=embedding_server.url,
        model="tiny",
        key=KEY,
        dimensions=DIMENSIONS,
        timeout_seconds=5.0,
        retries=RetryPolicy(first_wait_seconds=0.01),
    )
    yield embedder
    await embedder.close()


@pytest.fixture
async def static() -> AsyncIterator[StaticEmbedder]:
    embedder = StaticEmbedder()
    yield embedder
    await embedder.close()


@pytest.fixture
def hashing() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture(params=["static", "hashing", "remote"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    """Give each embedder in turn: what holds for one holds for all."""
    return request.getfixturevalue(request.param)
