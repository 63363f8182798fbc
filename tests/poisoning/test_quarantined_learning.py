"""What quarantine does to what was learned, to other processes, and with time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import httpx2
import msgspec
import pytest

from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.errors import NotFoundError
from pronoia.domain.identifiers import new_id
from pronoia.domain.records import Filters, Permission, Plan, RelationshipType
from pronoia.domain.trust import Origin, Trust
from pronoia.faces.http.application import create_http_app
from pronoia.ports.quarantine_store import Selection
from pronoia.recall.prior import shipped_prior
from pronoia.resilience.clock import SystemClock
from pronoia.services.drafts import Draft
from pronoia.services.recall import SearchRequest
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.services.services import Services

pytestmark = pytest.mark.anyio

TOPICS = [first + second for first in ("bram", "cled", "frot", "glim", "plon", "trux") for second in "abdefgiklm"]
MISLED = msgspec.structs.replace(shipped_prior(), weights={"words": 0.01, "length": 1.0})
"""A prior that ranks long memories first, whatever is asked."""
TAUGHT = 45


async def ranked(services: Services, scope: Scope, query: str, version: int | None = None) -> dict[UUID, float]:
    found = await services.recall.search(scope, SearchRequest(query, Filters(), min_score=0.0), version)
    return {hit.memory.id: hit.score for hit in found.hits}


async def test_weights_are_not_learned_from_what_is_quarantined_and_again_when_it_is_released(
    database_url: str, scope: Scope
):
    settings = read_settings({}, database_url=database_url)
    async with open_services(settings, prior=MISLED) as services:
        drafts = [Draft(f"Notes about {topic}" + " river stone" * (place % 7)) for place, topic in enumerate(TOPICS)]
        origin = Origin(Trust.UNTRUSTED, "crawler")
        ids = [one.id for one in (await services.memories.add(scope, drafts, None, origin)).memories]
        for place in range(TAUGHT):
            question = f"What about {TOPICS[place]}?"
            await ranked(services, scope, question)
            await services.memories.feedback(scope, ids[place], helpful=True, context=question, satisfaction=None)
        await services.ranking_weights.settled()
        assert await services.ranking_weights.of(scope) is not None
        before = await ranked(services, scope, "What about truxa?")

        await services.quarantine.add(scope, Selection(memory_ids=tuple(ids[:TAUGHT])))
        assert await services.ranking_weights.of(scope) is None
        assert await _examples(database_url) == 0
        await services.ranking_weights.settled()
        assert await services.ranking_weights.of(scope) is None

        await services.quarantine.release(scope, Selection(key_id="crawler"))
        assert await _examples(database_url) == TAUGHT
        await services.ranking_weights.of(scope)
        await services.ranking_weights.settled()
        assert await services.ranking_weights.of(scope) is not None
        assert (await ranked(services, scope, "What about truxa?")).keys() == before.keys()


async def test_no_example_is_kept_of_what_is_quarantined(database_url: str, services: Services, scope: Scope):
    written = await services.memories.add(scope, [Draft("Ada keeps bees"), Draft("Ada keeps wasps")])
    first, second = (one.id for one in written.memories)
    await ranked(services, scope, "What does Ada keep?")
    await services.quarantine.add(scope, Selection(memory_ids=(first,)))
    with pytest.raises(NotFoundError):
        await services.memories.feedback(scope, first, helpful=True, context=None, satisfaction=None)
    services.ranking_weights.used(scope, first)
    services.ranking_weights.used(scope, second)
    await services.ranking_weights.settled()
    (shown,) = await _rows(database_url, "select shown from ranking_examples where archived_by is null")
    assert first not in shown[0]


async def test_another_process_follows(services: Services, elsewhere: Services, scope: Scope):
    written = await services.memories.add(scope, [Draft("Ada keeps bees"), Draft("Ada keeps wasps")])
    first, second = (one.id for one in written.memories)
    before = await ranked(elsewhere, scope, "What does Ada keep?", written.version)
    assert before.keys() == {first, second}
    moved = await services.quarantine.add(scope, Selection(memory_ids=(first,)))
    assert (await ranked(elsewhere, scope, "What does Ada keep?", moved.version)).keys() == {second}
    released = await services.quarantine.release(scope, Selection(memory_ids=(first,)))
    assert await ranked(elsewhere, scope, "What does Ada keep?", released.version) == before
    low = await elsewhere.memories.add(scope, [Draft("Ada is poison")], None, Origin(Trust.UNTRUSTED, "crawler"))
    assert await _written(services, scope, low.memories[0].id, low.version) == low.memories[0].provenance


async def _written(services: Services, scope: Scope, memory_id: UUID, version: int) -> object:
    memory, _, _ = await services.recall.get(scope, memory_id, None, version)
    assert memory.trust is Trust.UNTRUSTED
    return memory.provenance


async def test_what_two_quarantines_hold_comes_back_only_from_both(services: Services, scope: Scope):
    written = await services.memories.add(scope, [Draft("Ada keeps bees"), Draft("Ada keeps wasps")])
    first, second = (one.id for one in written.memories)
    kind = RelationshipType.CAUSED_BY
    await services.relationships.add(scope, first, second, kind=kind, strength=0.9, explanation="")
    for one in (first, second):
        await services.quarantine.add(scope, Selection(memory_ids=(one,)))
    await services.quarantine.release(scope, Selection(memory_ids=(first,)))
    outgoing, _ = await services.relationships.both(scope, first)
    assert kind not in {one.type for one in outgoing}
    await services.quarantine.release(scope, Selection(memory_ids=(second,)))
    outgoing, _ = await services.relationships.both(scope, first)
    assert kind in {one.type for one in outgoing}


async def test_a_rollback_is_deleted_after_thirty_days_and_a_quarantine_is_not(database_url: str, scope: Scope):
    settings = read_settings({}, database_url=database_url)
    async with open_services(settings) as services:
        imported = Origin(batch_id=new_id(SystemClock().now()), route="pronoia import")
        poison = await services.memories.add(scope, [Draft("Poison"), Draft("More poison")], None, imported)
        doubtful = await services.memories.add(scope, [Draft("Doubtful")])
        await services.quarantine.add(scope, Selection(memory_ids=(doubtful.memories[0].id,)))
        assert imported.batch_id is not None
        await services.quarantine.rollback(scope, imported.batch_id)
        assert {one.id for one in await services.quarantine.listed(scope)} == {
            *(one.id for one in poison.memories),
            doubtful.memories[0].id,
        }
    async with open_services(settings, ManualClock(SystemClock().now() + timedelta(days=31))) as later:
        await later.maintenance.purge()
        await later.maintenance.purge()
        assert [one.id for one in await later.quarantine.listed(scope)] == [doubtful.memories[0].id]
        await later.quarantine.release(scope, Selection(memory_ids=(doubtful.memories[0].id,)))
        assert (await ranked(later, scope, "Doubtful")).keys() == {doubtful.memories[0].id}


async def test_a_setting_says_what_is_answered_with(database_url: str, scope: Scope):
    settings = read_settings({"PRONOIA_MINIMUM_TRUST": "unverified"}, database_url=database_url)
    telemetry = open_telemetry()
    async with open_services(settings, telemetry=telemetry) as services:
        _, key = await services.keys.create(
            user_id=scope.user_id, plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=scope.organisation_id
        )
        await services.memories.add(scope, [Draft("Ada keeps bees")])
        await services.memories.add(scope, [Draft("Ada keeps wasps")], None, Origin(Trust.UNTRUSTED))
        transport = httpx2.ASGITransport(app=create_http_app(services, settings, telemetry=telemetry))
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://server", headers={"X-API-Key": key}
        ) as http:
            asked = {"query": "Ada keeps", "min_score": 0}
            found = (await http.post("/api/v1/memories/search", json=asked)).json()
            every = (await http.post("/api/v1/memories/search", json={**asked, "min_trust": "untrusted"})).json()
        assert [one["text"] for one in found["memories"]] == ["Ada keeps bees"]
        assert every["count"] == 2


async def test_above_the_resident_limit_trust_is_asked_for_in_the_database(database_url: str, scope: Scope):
    async with open_services(read_settings({}, database_url=database_url, resident_limit=1)) as services:
        await services.memories.add(scope, [Draft("Ada keeps bees")])
        await services.memories.add(scope, [Draft("Ada keeps wasps")], None, Origin(Trust.UNTRUSTED))
        for query in ("Ada keeps", "session:s"):
            request = SearchRequest(query, Filters(minimum_trust=Trust.TRUSTED), min_score=0.0)
            found = await services.recall.search(scope, request)
            assert [hit.memory.text for hit in found.hits] == ([] if query == "session:s" else ["Ada keeps bees"])


async def _examples(database_url: str) -> int:
    ((count,),) = await _rows(database_url, "select count(*) from ranking_examples where archived_by is null")
    return count


async def _rows(database_url: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database_url, timeout=10)
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()
