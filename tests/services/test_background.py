from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.change_feed import PostgresChangeFeed
from pronoia.adapters.postgres.contribution_store import PostgresContributionStore
from pronoia.adapters.postgres.insight_store import PostgresInsightStore
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.ranking_store import PostgresRankingStore
from pronoia.adapters.postgres.subject_store import PostgresSubjectStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.postgres.work_queue import PostgresWorkQueue
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Permission, Plan
from pronoia.memory.residents import Residents
from pronoia.recall.prior import shipped_prior
from pronoia.resilience.clock import SystemClock
from pronoia.services.answers import Answers
from pronoia.services.background import Background
from pronoia.services.caches import Caches
from pronoia.services.changes import Changes
from pronoia.services.drafts import Draft
from pronoia.services.erasures import Erasures
from pronoia.services.keys import Keys
from pronoia.services.memories import Memories, MemoryEdit
from pronoia.services.outcomes import Outcomes
from pronoia.services.prediction_learning import PredictionLearning
from pronoia.services.ranking_weights import RankingWeights
from pronoia.services.uses import Uses
from pronoia.testing.embedder import HashingEmbedder
from pronoia.testing.meter import RecordingMeter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections=4, timeout_seconds=10)
    yield database
    await database.close()


@pytest.fixture
async def owner(database: Database) -> Scope:
    scope = Scope(uuid4(), "ada")
    await Keys(store=PostgresKeyStore(database), clock=SystemClock()).create(
        user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=scope.organisation_id
    )
    return scope


@contextmanager
def services(
    database: Database, database_url: str, embedder: HashingEmbedder, resident_limit: int
) -> Iterator[tuple[Memories, Background, PostgresMemoryStore]]:
    clock = SystemClock()
    store = PostgresMemoryStore(database, resident_limit=resident_limit)
    residents = Residents(
        store,
        RecordingMeter(),
        space=embedder.space,
        dimensions=embedder.dimensions,
        budget_bytes=1 << 20,
        resident_limit=resident_limit,
    )
    feed = PostgresChangeFeed(database, direct_url=database_url, timeout_seconds=10)
    changes = Changes(feed=feed, residents=residents)
    uses = Uses(access_log=PostgresAccessLog(database), residents=residents, changes=changes, clock=clock)
    with ThreadPoolExecutor(1) as executor:
        ranking_weights = RankingWeights(
            store=PostgresRankingStore(database), embedder=embedder, residents=residents, clock=clock,
            meter=RecordingMeter(), executor=executor, prior=shipped_prior(),
        )  # fmt: skip
        learning = PredictionLearning(
            store=PostgresContributionStore(database), residents=residents, clock=clock, utc_offset=lambda _: 0.0
        )
        caches = Caches(tiers=[], clock=clock, meter=RecordingMeter(), draw=lambda: 0.0)
        answers = Answers(
            caches=caches, residents=residents, uses=uses, ranking_weights=ranking_weights, learning=learning,
            clock=clock, edition="",
        )  # fmt: skip
        memories = Memories(
            store=store, embedder=embedder, residents=residents, changes=changes, uses=uses,
            outcomes=Outcomes(store=PostgresInsightStore(database), clock=clock, meter=RecordingMeter()),
            learning=learning, answers=answers,
            erasures=Erasures(
                store=PostgresSubjectStore(database, direct_url=database_url), ledger=None, clock=clock,
                meter=RecordingMeter(),
            ),
            ranking_weights=ranking_weights, clock=clock, meter=RecordingMeter(), maximum_text_length=1_000,
        )  # fmt: skip
        background = Background(
            store=store, queue=PostgresWorkQueue(database), embedder=embedder, residents=residents, changes=changes,
            clock=clock, meter=RecordingMeter(), executor=executor,
        )  # fmt: skip
        yield memories, background, store


@pytest.mark.parametrize("resident_limit", [100, 0])
async def test_a_vector_that_could_not_be_had_is_filled_in_later_as_if_it_had_been(
    database: Database, database_url: str, owner: Scope, resident_limit: int
) -> None:
    embedder = HashingEmbedder()
    with services(database, database_url, embedder, resident_limit) as (memories, background, store):
        draft = Draft("keeps bees", speaker="Grace")
        await memories.add(owner, [draft])
        embedder.failing = True
        await memories.add(owner, [draft])
        embedder.failing = False
        assert await background.run_once()
        loaded = await store.load(owner, embedder.space, None)
        assert loaded.memories.embedded == [True, True]
        size = len(loaded.memories.vectors) // 2
        assert loaded.memories.vectors[:size] == loaded.memories.vectors[size:]


async def test_an_edited_text_still_belongs_to_its_speaker_and_its_day(
    database: Database, database_url: str, owner: Scope
) -> None:

    embedder = HashingEmbedder()
    with services(database, database_url, embedder, 100) as (memories, _, store):
        day = datetime(2024, 5, 8, tzinfo=UTC)
        written = await memories.add(owner, [Draft("keeps cats", speaker="Grace", occurred_at=day)])
        await memories.update(owner, written.memories[0].id, MemoryEdit(text="keeps bees"))
        await memories.add(owner, [Draft("keeps bees", speaker="Grace", occurred_at=day)])
        loaded = await store.load(owner, embedder.space, None)
        size = len(loaded.memories.vectors) // 2
        assert loaded.memories.vectors[:size] == loaded.memories.vectors[size:]
        half = len(loaded.memories.terms) // 2
        assert loaded.memories.terms[:half] == loaded.memories.terms[half:]
