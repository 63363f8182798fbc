"""What is deleted is searched for, in every table and in all that the services hold."""

from __future__ import annotations

import gc

import pytest
from canaries import CANARY, holders, names_of, says, settled, tables_that_name, tables_that_say, used_in_every_way

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ids(inside):
    return await used_in_every_way(inside)


async def test_a_deleted_memory_is_nowhere_but_by_its_id_in_the_lists_of_what_is_gone_and_was_done(
    inside, database_url, ids
):
    words = (*names_of(ids[0]), "clock strikes twice")
    held = inside.services.recall._residents.peek(inside.scope)
    assert {"memories", "accesses", "feedback", "ranking_examples", "idempotency_keys", "shared_answers"} <= (
        await tables_that_say(database_url, *words)
    )
    assert holders(inside.services, says(*words))
    (await inside.http.delete(f"/api/v1/memories/{ids[0]}")).raise_for_status()
    await settled(inside)
    gc.collect()
    assert await tables_that_say(database_url, *words) == {"removals", "audit_log"}
    assert await tables_that_say(database_url, "clock strikes twice") == set()
    assert holders(inside.services, says(*words)) == []
    assert held.count == 2
    again = await inside.post("/memories/predict", min_confidence=0)
    assert {one["id"] for one in again["predictions"]} == set(ids[1:])


async def test_a_forgotten_user_is_nowhere_but_in_their_key(inside, database_url, ids):
    assert "memories" in await tables_that_say(database_url, CANARY)
    (await inside.http.delete("/api/v1/memories?user_id=ada")).raise_for_status()
    await settled(inside)
    gc.collect()
    names = [name for memory_id in ids for name in names_of(memory_id)]
    words = (*names, CANARY, "green tea", "deployment")
    assert await tables_that_say(database_url, *names) == {"audit_log"}
    assert await tables_that_say(database_url, CANARY, "green tea", "deployment") == set()
    assert await tables_that_name(database_url, "ada") == {"api_keys"}
    assert holders(inside.services, says(*words)) == []
