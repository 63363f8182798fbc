from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pronoia.app import open_services
from pronoia.domain.errors import InvalidInputError, NotFoundError
from pronoia.domain.records import Filters
from pronoia.services.drafts import Draft
from pronoia.services.recall import SearchRequest

if TYPE_CHECKING:
    from pronoia.config import Settings
    from pronoia.domain.identifiers import Scope
    from pronoia.services.recall import Found
    from pronoia.services.services import Services

pytestmark = pytest.mark.anyio

DRAFTS = [
    Draft("Ada prefers green tea in the morning", tags=("tea", "habit"), metadata={"room": "kitchen"}),
    Draft("The deployment is on Friday at noon", project_id="work", source="chat"),
    Draft("Grace keeps bees on her roof", session_id="honey", speaker="Grace"),
    Draft("They made 12 jars last year", session_id="honey", speaker="Grace"),
    Draft("Das Passwort steht im Safe", tags=("habit",), metadata={"room": "office", "floor": 2}),
]


def texts(found: Found) -> list[str]:
    return [hit.memory.text for hit in found.hits]


async def test_the_best_answer_comes_first(services: Services, scope: Scope):
    await services.memories.add(scope, DRAFTS)
    for query, best in (("What tea does Ada like?", 0), ("when do we deploy", 1)):
        found = await services.recall.search(scope, SearchRequest(query, Filters()))
        assert texts(found)[0] == DRAFTS[best].text


async def test_a_result_without_evidence_of_its_own_scores_low_however_sure_the_first_is(
    services: Services, scope: Scope
):
    said = ["Grace keeps bees on her roof", "Grace sells honey at the market", "The password is in the safe"]
    await services.memories.add(scope, [Draft(text) for text in said])
    found = await services.recall.search(scope, SearchRequest("Where does Grace keep her bees?", Filters()))
    assert texts(found) == said
    answer, related, unrelated = (hit.score for hit in found.hits)
    assert answer > 0.9
    assert 0.1 < related < 0.5
    assert unrelated < 0.1


async def test_a_search_that_finds_nothing_good_says_so(services: Services, scope: Scope):
    await services.memories.add(scope, DRAFTS)
    found = await services.recall.search(scope, SearchRequest("quantum chromodynamics zebra", Filters()))
    assert (found.hits, found.abstained) == ([], True)
    assert found.best_score is not None
    everything = SearchRequest("quantum chromodynamics zebra", Filters(), min_score=0.0)
    assert len((await services.recall.search(scope, everything)).hits) == len(DRAFTS)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(project_id="work"), {1}),
        (Filters(source="chat"), {1}),
        (Filters(session_id="honey"), {2, 3}),
        (Filters(tags=("habit",)), {0, 4}),
        (Filters(tags=("habit", "tea")), {0}),
        (Filters(metadata={"room": "office"}), {4}),
        (Filters(metadata={"floor": 2}), {4}),
        (Filters(metadata={"floor": True}), set()),
        (Filters(agent_id="nobody"), set()),
        (Filters(created_after=datetime(2200, 1, 1, tzinfo=UTC)), set()),
        (Filters(created_before=datetime(2200, 1, 1, tzinfo=UTC)), {0, 1, 2, 3, 4}),
    ],
)
async def test_only_what_matches_the_filters_is_found(
    services: Services, scope: Scope, filters: Filters, expected: set[int]
):
    await services.memories.add(scope, DRAFTS)
    found = await services.recall.search(scope, SearchRequest("anything", filters, min_score=0.0))
    assert set(texts(found)) == {DRAFTS[place].text for place in expected}
    assert (await services.recall.page(scope, filters)).total == len(expected)


async def test_an_explanation_adds_up_to_the_order(services: Services, scope: Scope):
    await services.memories.add(scope, DRAFTS)
    request = SearchRequest("green tea", Filters(), min_score=0.0, explain=True)
    found = await services.recall.search(scope, request)
    totals = [sum(float(part["contribution"]) for part in hit.explanation or ()) for hit in found.hits]
    assert totals == sorted(totals, reverse=True)
    assert all(
        float(part["contribution"]) == pytest.approx(float(part["standardised"]) * float(part["weight"]), abs=1e-5)
        for part in found.hits[0].explanation or ()
    )


async def test_a_used_memory_weighs_more_than_its_base_score(services: Services, scope: Scope):
    memory_id = (await services.memories.add(scope, DRAFTS)).memories[0].id
    for _ in range(10):
        await services.recall.get(scope, memory_id)
    request = SearchRequest("green tea", Filters(), weight_by_usage=True, min_score=0.0)
    hit = (await services.recall.search(scope, request)).hits[0]
    assert hit.memory.usage_count == 10
    assert hit.usage_boost > 1
    assert hit.boosted_by_usage


async def test_learning_mode_counts_what_was_found_as_used(services: Services, scope: Scope):
    await services.memories.add(scope, DRAFTS)
    for learning in (False, True):
        await services.recall.search(scope, SearchRequest("green tea", Filters(), limit=1, learning_mode=learning))
    memories = (await services.recall.page(scope, Filters())).memories
    assert sum(memory.usage_count for memory in memories) == 1


async def test_a_session_is_read_in_the_order_in_which_it_happened(services: Services, scope: Scope):
    start = datetime(2026, 5, 8, tzinfo=UTC)
    for minute in (2, 0, 1):
        draft = Draft(f"turn {minute}", session_id="s", occurred_at=start + timedelta(minutes=minute))
        await services.memories.add(scope, [draft])
    found = await services.recall.search(scope, SearchRequest("session:s", Filters(), limit=100))
    assert texts(found) == ["turn 0", "turn 1", "turn 2"]


async def test_cursors_walk_through_all_memories_once(services: Services, scope: Scope):
    await services.memories.add(scope, [Draft(f"number {number}") for number in range(7)])
    seen: list[str] = []
    cursor = None
    while True:
        page = await services.recall.page(scope, Filters(), before=cursor, limit=3)
        seen += [memory.text for memory in page.memories]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"number {number}" for number in range(6, -1, -1)]


async def test_a_cursor_still_tells_its_place_when_its_memory_is_gone(services: Services, scope: Scope):
    await services.memories.add(scope, [Draft(f"number {number}") for number in range(5)])
    for ascending, rest in ((False, ["number 2", "number 1", "number 0"]), (True, ["number 2", "number 4"])):
        page = await services.recall.page(scope, Filters(), limit=2, ascending=ascending)
        assert page.next_cursor is not None
        await services.memories.delete(scope, page.next_cursor)
        page = await services.recall.page(scope, Filters(), before=page.next_cursor, ascending=ascending)
        assert [memory.text for memory in page.memories] == rest


async def test_another_process_reads_what_was_written_here(services: Services, settings: Settings, scope: Scope):
    async with open_services(settings) as other:
        assert (await other.recall.page(scope, Filters())).total == 0
        for number in range(20):
            written = await services.memories.add(scope, [Draft(f"number {number}")])
            page = await other.recall.page(scope, Filters(), minimum_version=written.version)
            assert page.total == number + 1
            # Later, if relationships were found meanwhile.
            assert page.version >= written.version


async def test_a_version_that_was_never_written_is_refused(services: Services, scope: Scope):
    await services.memories.add(scope, DRAFTS)
    with pytest.raises(InvalidInputError) as refused:
        await services.recall.page(scope, Filters(), minimum_version=99)
    assert refused.value.details["field"] == "X-Memory-Version"


async def test_users_above_the_resident_limit_are_answered_too(settings: Settings, scope: Scope):
    import msgspec  # noqa: PLC0415  # only this test changes a setting

    async with open_services(msgspec.structs.replace(settings, resident_limit=3)) as services:
        written = await services.memories.add(scope, DRAFTS)
        found = await services.recall.search(scope, SearchRequest("green tea morning", Filters()))
        assert texts(found)[0] == DRAFTS[0].text
        assert (await services.recall.page(scope, Filters())).total == len(DRAFTS)
        oldest = await services.recall.page(scope, Filters(), ascending=True)
        assert [memory.text for memory in oldest.memories] == [draft.text for draft in DRAFTS]
        assert (await services.recall.get(scope, written.memories[1].id))[0].text == DRAFTS[1].text
        with pytest.raises(NotFoundError):
            await services.recall.get(scope, scope.organisation_id)
