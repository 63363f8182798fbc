from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from workers import working

from pronoia.adapters.cache.local import LocalTier
from pronoia.domain.errors import EmbeddingUnavailableError
from pronoia.domain.identifiers import Scope
from pronoia.services.caches import Caches
from pronoia.services.query_vectors import QueryVectors
from pronoia.testing.embedder import HashingEmbedder
from pronoia.testing.meter import RecordingMeter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.domain.records import Vector
    from pronoia.testing.clock import ManualClock

pytestmark = pytest.mark.anyio
ADA = Scope(uuid4(), "ada")
GRACE = Scope(ADA.organisation_id, "grace")
STRANGER = Scope(uuid4(), "ada")


class CountingEmbedder(HashingEmbedder):
    texts: list[str]

    def __init__(self) -> None:
        super().__init__()
        self.texts = []

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        self.texts += texts
        return await super().embed(texts)


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
def vectors(embedder: CountingEmbedder, clock: ManualClock) -> QueryVectors:
    tier = LocalTier(name="1", lifetime_seconds=300, maximum_keys=100, maximum_bytes=1 << 20, clock=clock)
    caches = Caches(tiers=[tier], clock=clock, meter=RecordingMeter(), draw=lambda: 0.0)
    return QueryVectors(embedder=embedder, caches=caches)


async def test_a_query_is_embedded_once_for_the_users_of_an_organisation_and_for_no_others(
    vectors: QueryVectors, embedder: CountingEmbedder
) -> None:
    (wanted,) = await embedder.embed(["bees"])
    embedder.texts.clear()
    for scope in (ADA, ADA, GRACE):
        assert await vectors.of(scope, "bees") == wanted
    assert embedder.texts == ["bees"]
    assert await vectors.of(STRANGER, "bees") == wanted
    assert await vectors.of(ADA, "wasps") != wanted
    assert embedder.texts == ["bees", "bees", "wasps"]


async def test_a_query_that_could_not_be_embedded_is_tried_again(
    vectors: QueryVectors, embedder: CountingEmbedder
) -> None:
    embedder.failing = True
    assert await vectors.of(ADA, "bees") is None
    embedder.failing = False
    assert await vectors.of(ADA, "bees") is not None


async def test_what_is_answered_while_the_embedder_is_away_is_not_kept(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise EmbeddingUnavailableError("away")

    async with working(database_url, clock, uuid4()) as worker:
        await worker.remember("Ada keeps bees")
        await worker.settle()

        async def search() -> tuple[str, object]:
            request = {"json": {"query": "who keeps bees", "min_score": 0.0}}
            body = (await worker.call("POST", "/memories/search", **request)).json()
            return body["search_method"], body["memories"][0]["similarity"]

        with monkeypatch.context() as broken:
            broken.setattr(worker.services.recall._embedder, "embed", away)
            assert await search() == ("text_search", None)
        method, similarity = await search()
        assert method == "vector_similarity"
        assert similarity > 0.5
