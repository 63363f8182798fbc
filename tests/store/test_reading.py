from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from store_makers import NOW, memory

from pronoia.domain.records import Access, AccessKind, Filters

if TYPE_CHECKING:
    from pronoia.adapters.postgres.access_log import PostgresAccessLog
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.domain.identifiers import Scope

pytestmark = pytest.mark.anyio


async def test_pages_are_newest_first_with_the_count_of_all(store: PostgresMemoryStore, scope: Scope) -> None:
    new = [memory(f"text {number}") for number in range(5)]
    await store.add(scope, new, None)
    page, total = await store.page(scope, Filters(), None, 0, 2)
    assert ([one.id for one in page], total) == ([new[4].id, new[3].id], 5)
    page, total = await store.page(scope, Filters(), page[-1].id, 0, 2)
    assert ([one.id for one in page], total) == ([new[2].id, new[1].id], 5)
    page, total = await store.page(scope, Filters(), None, 4, 2)
    assert ([one.id for one in page], total) == ([new[0].id], 5)


async def test_pages_are_oldest_first_where_asked(store: PostgresMemoryStore, scope: Scope) -> None:
    new = [memory(f"text {number}") for number in range(5)]
    await store.add(scope, new, None)
    page, _ = await store.page(scope, Filters(), None, 0, 2, ascending=True)
    assert [one.id for one in page] == [new[0].id, new[1].id]
    page, total = await store.page(scope, Filters(), page[-1].id, 1, 2, ascending=True)
    assert ([one.id for one in page], total) == ([new[3].id, new[4].id], 5)


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        (Filters(), "abc"),
        (Filters(project_id="p"), "a"),
        (Filters(source="chat"), "b"),
        (Filters(session_id="s"), "c"),
        (Filters(agent_id="g"), "c"),
        (Filters(tags=("x",)), "ab"),
        (Filters(tags=("x", "y")), "b"),
        (Filters(metadata={"n": 1}), "a"),
        (Filters(metadata={"n": 1.5, "ok": True}), "b"),
        (Filters(metadata={"none": None}), "c"),
        (Filters(metadata={"n": "1"}), ""),
        (Filters(created_after=NOW + timedelta(days=1)), "bc"),
        (Filters(created_before=NOW + timedelta(days=2)), "a"),
        (Filters(tags=("x",), source="chat"), "b"),
    ],
)
async def test_filters_keep_what_matches_all_of_them(
    store: PostgresMemoryStore, scope: Scope, filters: Filters, matches: str
) -> None:
    await store.add(
        scope,
        [
            memory("a", project_id="p", tags=("x",), metadata='{"n": 1, "list": [1]}'),
            memory(
                "b",
                source="chat",
                tags=("y", "x"),
                metadata='{"n": 1.5, "ok": true}',
                created_at=NOW + timedelta(days=2),
            ),
            memory("c", session_id="s", agent_id="g", metadata='{"none": null}', created_at=NOW + timedelta(days=3)),
        ],
        None,
    )
    page, total = await store.page(scope, filters, None, 0, 10)
    assert sorted(one.text for one in page) == list(matches)
    assert total == len(matches)


async def test_a_page_tells_how_often_memories_were_used(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, scope: Scope
) -> None:
    new = memory()
    await store.add(scope, [new], None)
    await accesses.record([Access(scope, new.id, AccessKind.GET, NOW)])
    ((read,), _) = await store.page(scope, Filters(), None, 0, 10)
    assert (read.usage_count, read.last_accessed) == (1, NOW)
    assert read == await store.memory(scope, new.id)
