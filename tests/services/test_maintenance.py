from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.maintenance_store import PostgresMaintenanceStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.app import open_services
from pronoia.domain.errors import InvalidInputError, NotFoundError
from pronoia.domain.identifiers import Scope
from pronoia.domain.maintenance import MaintenanceKind, Restoration
from pronoia.domain.records import Access, AccessKind, Filters, Idempotency, RelationshipType
from pronoia.services.drafts import Draft
from pronoia.services.maintenance import Maintenance
from pronoia.services.memories import MemoryEdit
from pronoia.services.recall import SearchRequest
from pronoia.testing.clock import ManualClock
from pronoia.testing.meter import RecordingMeter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pronoia.config import Settings
    from pronoia.ports.snapshots import Snapshot
    from pronoia.services.services import Services

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections=2, timeout_seconds=10)
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, resident_limit=50_000)


async def added(services: Services, scope: Scope, *texts: str) -> list[UUID]:
    return [memory.id for memory in (await services.memories.add(scope, [Draft(text) for text in texts])).memories]


async def texts(services: Services, scope: Scope, version: int | None = None) -> list[str]:
    return sorted(one.text for one in (await services.recall.page(scope, Filters(), minimum_version=version)).memories)


def content(snapshot: Snapshot) -> object:
    """Give all that a snapshot says, but for how far it goes."""
    return replace(snapshot, version=0, activity=0)


async def test_an_archived_memory_is_found_nowhere_and_comes_back_as_it_was(
    services: Services, scope: Scope, store: PostgresMemoryStore
):
    tea, bees = await added(services, scope, "Ada likes green tea", "The bees are well")
    await services.relationships.add(
        scope, tea, bees, kind=RelationshipType.RELATED_TO, strength=0.5, explanation="both Ada's"
    )
    await services.memories.feedback(scope, tea, helpful=True, context=None, satisfaction=None)
    await services.memories.update(scope, tea, MemoryEdit(tags=("drink",)))
    await services.memories._uses.flush()
    before = await store.load(scope, "", None)
    history = await services.memories.history(scope, tea)
    done = await services.maintenance.apply(scope, [services.maintenance.step(MaintenanceKind.ARCHIVE, memory_id=tea)])
    assert await texts(services, scope, done.version) == ["The bees are well"]
    assert (await services.recall.search(scope, SearchRequest("green tea", Filters()))).hits == []
    assert (await store.page(scope, Filters(), None, 0, 10))[1] == 1
    for read in (services.recall.get(scope, tea), services.memories.update(scope, tea, MemoryEdit(tags=()))):
        with pytest.raises(NotFoundError):
            await read
    with pytest.raises(NotFoundError):
        await services.relationships.add(
            scope, bees, tea, kind=RelationshipType.RELATED_TO, strength=0.5, explanation=""
        )
    away = await store.load(scope, "", None)
    assert (away.memories.texts, away.relationships, away.accesses.memory_ids) == (
        ["The bees are well"],
        [],
        bees.bytes * (len(away.accesses.memory_ids) // 16),
    )
    undone = await services.maintenance.undo(scope, done.actions[0].id)
    assert await texts(services, scope, undone.version) == ["Ada likes green tea", "The bees are well"]
    assert content(await store.load(scope, "", None)) == content(before)
    assert await services.memories.history(scope, tea) == history


async def test_a_merge_adds_the_uses_and_its_undo_takes_them_back(
    services: Services, scope: Scope, database: Database, store: PostgresMemoryStore
):
    kept, removed = await added(services, scope, "Ada likes tea", "Ada likes the tea")
    at = (await services.recall.get(scope, kept))[0].created_at
    # Getting it is a use too, which would be written at some moment of what follows.
    await services.recall._uses.flush()
    log = PostgresAccessLog(database)
    await log.record([Access(scope, kept, AccessKind.GET, at + timedelta(seconds=1))])
    await log.record([Access(scope, removed, AccessKind.GET, at + timedelta(seconds=second)) for second in (5, 9)])
    before = [await store.memory(scope, one) for one in (kept, removed)]
    merge = services.maintenance.step(MaintenanceKind.MERGE, memory_id=removed, kept_memory_id=kept)
    done = await services.maintenance.apply(scope, [merge])
    merged = await store.memory(scope, kept)
    assert merged.usage_count == before[0].usage_count + 2
    assert merged.last_accessed == max(one.last_accessed for one in before)
    assert await texts(services, scope, done.version) == ["Ada likes tea"]
    await services.maintenance.undo(scope, done.actions[0].id)
    assert [await store.memory(scope, one) for one in (kept, removed)] == before


async def test_what_is_used_after_a_merge_stays_when_it_is_undone(
    services: Services, scope: Scope, database: Database, store: PostgresMemoryStore
):
    kept, removed = await added(services, scope, "Ada likes tea", "Ada likes the tea")
    log = PostgresAccessLog(database)
    at = (await store.memory(scope, kept)).created_at
    await log.record([Access(scope, removed, AccessKind.GET, at)])
    merge = services.maintenance.step(MaintenanceKind.MERGE, memory_id=removed, kept_memory_id=kept)
    done = await services.maintenance.apply(scope, [merge])
    later = at + timedelta(days=1)
    await log.record([Access(scope, kept, AccessKind.GET, later)])
    await services.maintenance.undo(scope, done.actions[0].id)
    memory = await store.memory(scope, kept)
    assert (memory.usage_count, memory.last_accessed) == (1, later)


async def test_a_removed_link_is_gone_until_it_is_restored(services: Services, scope: Scope):
    tea, bees = await added(services, scope, "Ada likes green tea", "The bees are well")
    link = (
        await services.relationships.add(
            scope, tea, bees, kind=RelationshipType.RELATED_TO, strength=0.5, explanation="both Ada's"
        )
    ).relationship
    assert (await services.relationships.both(scope, tea))[0] == [link]
    removal = services.maintenance.step(MaintenanceKind.REMOVE_LINK, relationship_id=link.id)
    done = await services.maintenance.apply(scope, [removal])
    assert (await services.relationships.both(scope, tea))[0] == []
    await services.maintenance.undo(scope, done.actions[0].id)
    assert (await services.relationships.both(scope, tea))[0] == [link]


async def test_a_link_comes_back_only_when_both_its_ends_have(services: Services, scope: Scope):
    tea, bees = await added(services, scope, "Ada likes green tea", "The bees are well")
    await services.relationships.add(scope, tea, bees, kind=RelationshipType.RELATED_TO, strength=0.5, explanation="")
    for one in (tea, bees):
        await services.maintenance.apply(scope, [services.maintenance.step(MaintenanceKind.ARCHIVE, memory_id=one)])
    await services.maintenance.apply(scope, [Restoration(memory_id=tea)])
    assert await services.relationships.both(scope, tea) == ([], [])
    await services.maintenance.apply(scope, [Restoration(memory_id=bees)])
    assert len((await services.relationships.both(scope, tea))[0]) == 1


async def test_another_process_sees_what_was_archived_and_what_came_back(
    services: Services, settings: Settings, scope: Scope
):
    tea, _ = await added(services, scope, "Ada likes green tea", "The bees are well")
    async with open_services(settings) as other:
        assert len(await texts(other, scope)) == 2
        done = await services.maintenance.apply(
            scope, [services.maintenance.step(MaintenanceKind.ARCHIVE, memory_id=tea)]
        )
        assert await texts(other, scope, done.version) == ["The bees are well"]
        undone = await services.maintenance.undo(scope, done.actions[0].id)
        assert await texts(other, scope, undone.version) == ["Ada likes green tea", "The bees are well"]


async def test_another_process_sees_the_counts_of_a_merge(
    services: Services, settings: Settings, scope: Scope, database: Database
):
    kept, removed = await added(services, scope, "Ada likes tea", "Ada likes the tea")
    at = (await services.recall.page(scope, Filters())).memories[0].created_at
    await PostgresAccessLog(database).record([Access(scope, removed, AccessKind.GET, at)] * 3)
    async with open_services(settings) as other:
        await texts(other, scope)
        merge = services.maintenance.step(MaintenanceKind.MERGE, memory_id=removed, kept_memory_id=kept)
        done = await services.maintenance.apply(scope, [merge])
        page = await other.recall.page(scope, Filters(), minimum_version=done.version)
        assert [(one.id, one.usage_count) for one in page.memories] == [(kept, 3)]


async def test_all_steps_are_done_or_none(services: Services, scope: Scope):
    tea, _ = await added(services, scope, "Ada likes green tea", "The bees are well")
    maintenance = services.maintenance
    steps = [maintenance.step(MaintenanceKind.ARCHIVE, memory_id=one) for one in (tea, uuid4())]
    with pytest.raises(NotFoundError):
        await maintenance.apply(scope, steps)
    assert len(await texts(services, scope)) == 2
    assert await maintenance.actions(scope) == []


async def test_the_memory_of_another_user_is_neither_taken_nor_given_back(services: Services, scope: Scope):
    tea, kept = await added(services, scope, "Ada likes tea", "Ada likes the tea")
    stranger = Scope(scope.organisation_id, "grace")
    (own,) = await added(services, stranger, "Grace likes tea")
    maintenance = services.maintenance
    for step in (
        maintenance.step(MaintenanceKind.ARCHIVE, memory_id=tea),
        maintenance.step(MaintenanceKind.MERGE, memory_id=own, kept_memory_id=kept),
        maintenance.step(MaintenanceKind.MERGE, memory_id=tea, kept_memory_id=own),
    ):
        with pytest.raises(NotFoundError):
            await maintenance.apply(stranger, [step])
    done = await maintenance.apply(scope, [maintenance.step(MaintenanceKind.ARCHIVE, memory_id=tea)])
    with pytest.raises(NotFoundError):
        await maintenance.undo(stranger, done.actions[0].id)
    assert await texts(services, scope) == ["Ada likes the tea"]
    assert await maintenance.actions(stranger) == []


async def test_a_repeated_request_does_it_once_and_a_second_undo_changes_nothing(services: Services, scope: Scope):
    (tea,) = await added(services, scope, "Ada likes tea")
    once = Idempotency("once", b"hash")
    step = services.maintenance.step(MaintenanceKind.ARCHIVE, memory_id=tea)
    first = await services.maintenance.apply(scope, [step], once)
    again = await services.maintenance.apply(scope, [replace(step, id=uuid4())], once)
    assert again == replace(first, replayed=True)
    undone = await services.maintenance.undo(scope, step.id)
    assert (await services.maintenance.undo(scope, step.id)).actions == undone.actions
    assert await services.maintenance.actions(scope) == list(undone.actions)
    assert await texts(services, scope) == ["Ada likes tea"]


async def test_after_thirty_days_what_was_archived_is_deleted_for_good(
    services: Services, scope: Scope, database: Database, store: PostgresMemoryStore
):
    tea, bees, dogs = await added(services, scope, "Ada likes green tea", "The bees are well", "Rex is a dog")
    link = (
        await services.relationships.add(
            scope, bees, dogs, kind=RelationshipType.RELATED_TO, strength=0.5, explanation=""
        )
    ).relationship
    steps = [
        services.maintenance.step(MaintenanceKind.ARCHIVE, memory_id=tea),
        services.maintenance.step(MaintenanceKind.REMOVE_LINK, relationship_id=link.id),
    ]
    done = await services.maintenance.apply(scope, steps)
    clock = ManualClock(done.actions[0].at + timedelta(days=29, hours=23))
    with ThreadPoolExecutor(1) as executor:
        later = Maintenance(
            store=PostgresMaintenanceStore(database, resident_limit=50_000),
            residents=services.maintenance._residents,
            excerpts=services.maintenance._excerpts,
            changes=services.maintenance._changes,
            clock=clock,
            meter=RecordingMeter(),
            executor=executor,
        )
        assert await later.purge() == 0
        clock.advance(3_600 * 2)
        assert await later.purge() == 2
        assert await later.purge() == 0
    with pytest.raises(NotFoundError):
        await services.maintenance.undo(scope, done.actions[0].id)
    assert await services.maintenance.actions(scope) == []
    assert [one.event for one in await services.memories.history(scope, tea)] == ["DELETE"]
    assert (await store.state(scope)).memory_count == 2
    assert await texts(services, scope) == ["Rex is a dog", "The bees are well"]


async def test_what_was_archived_can_be_deleted_and_is_forgotten_with_its_user(
    services: Services, scope: Scope, database: Database
):
    tea, bees = await added(services, scope, "Ada likes green tea", "The bees are well")
    for one in (tea, bees):
        await services.maintenance.apply(scope, [services.maintenance.step(MaintenanceKind.ARCHIVE, memory_id=one)])
    await services.memories.delete(scope, tea)
    assert [one.memory_id for one in await services.maintenance.actions(scope)] == [bees]
    await services.memories.forget(scope)
    assert await services.maintenance.actions(scope) == []
    async with database.reading(scope.organisation_id) as connection:
        assert await connection.fetchval("select count(*) from memories") == 0


async def test_a_new_text_does_not_repeat_an_archived_one(services: Services, scope: Scope):
    (tea,) = await added(services, scope, "Ada likes green tea")
    await services.maintenance.apply(scope, [services.maintenance.step(MaintenanceKind.ARCHIVE, memory_id=tea)])
    written = await services.memories.add(scope, [Draft("Ada likes green tea")])
    assert written.memories[0].duplicate_of is None


async def test_applying_a_suggestion_does_what_it_says(services: Services, scope: Scope):
    kept, removed = await added(services, scope, "Ada likes green tea", "Ada likes green tea")
    findings, _ = await services.maintenance.suggestions(scope)
    (suggestion,) = findings.duplicates
    assert (suggestion.memory.id, suggestion.related[0].id, suggestion.type) == (kept, removed, "merge")
    await services.maintenance.apply(scope, [services.maintenance.suggested_step(suggestion.id)])
    assert (await services.maintenance.suggestions(scope))[0].duplicates == []
    assert [one.id for one in (await services.recall.page(scope, Filters())).memories] == [kept]


@pytest.mark.parametrize("wrong", ["", "merge", f"merge:{UUID(int=1)}", "archive:tea", f"delete:{UUID(int=1)}"])
async def test_what_is_no_suggestion_is_refused(services: Services, wrong: str):
    with pytest.raises(InvalidInputError) as refused:
        services.maintenance.suggested_step(wrong)
    assert refused.value.details["field"] == "suggestion_ids"
