"""Gives a user who used their memory in every way, and looks for what they said wherever it could be."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import Executor
from types import FunctionType, ModuleType
from uuid import UUID

import asyncpg

CANARY = "Zanzibarine"
TEXTS = (
    f"The {CANARY} clock strikes twice before dawn",
    "Ada prefers green tea in the morning",
    "The deployment to production is on Friday at noon",
)


async def tables_that_say(database_url, *words):
    """Name the tables with a row that holds one of the words, as text or within bytes."""
    return await _tables(database_url, [form for word in words for form in (word, word.encode().hex())])


async def tables_that_name(database_url, name):
    """Name the tables with a row that holds a name as a word: a short one may be within a digest."""
    return await _tables(database_url, [rf"\m{name}\M", name.encode().hex()])


async def _tables(database_url, patterns):
    # The owner of the tables sees the rows of all.
    connection = await asyncpg.connect(database_url)
    try:
        names = await connection.fetch(
            "select oid::regclass::text as name from pg_class "
            "where relkind in ('r', 'm', 'p') and relnamespace = 'public'::regnamespace"
        )
        assert len(names) > 15
        return {
            row["name"]
            for row in names
            if await connection.fetchval(
                f"select exists (select from {row['name']} r where r::text ~* any($1::text[]))",  # noqa: S608 - a name of the catalogue
                patterns,
            )
        }
    finally:
        await connection.close()


def holders(root, is_it):
    """Name the ways to what is looked for, through all that an object refers to."""
    passed = (type, ModuleType, asyncio.AbstractEventLoop, asyncio.Future, asyncpg.Pool, Executor)
    found, seen, left = [], set(), [(root, "")]
    while left:
        one, path = left.pop()
        if id(one) in seen or isinstance(one, passed):
            continue
        seen.add(id(one))
        if is_it(one):
            found.append(path)
        inner = one.__closure__ or () if isinstance(one, FunctionType) else gc.get_referents(one)
        left += [(other, f"{path}/{type(one).__name__}"[-300:]) for other in inner]
    return found


def says(*words):
    def is_it(one):
        if isinstance(one, UUID):
            return str(one) in words
        if isinstance(one, str):
            return any(word in one for word in words)
        return isinstance(one, bytes) and any(word.encode() in one for word in words)

    return is_it


def names_of(memory_id):
    return memory_id, UUID(memory_id).hex


async def settled(inside):
    """Have everything that is written behind the requests written."""
    services = inside.services
    await services.ranking_weights.settled()
    await services.recall._uses.flush()
    await services.recall._outcomes.flush()
    await services.caches.settled()
    await services.ranking_weights.flush()


async def used_in_every_way(inside):
    """Write memories, use them in every way there is, and give their ids."""
    written = await inside.http.post(
        "/api/v1/memories/batch", json={"memories": [{"text": text, "tags": [text]} for text in TEXTS]},
        headers={"Idempotency-Key": "the batch"},
    )  # fmt: skip
    ids = [memory["id"] for memory in written.json()["memories"]]
    query = f"When does the {CANARY} clock strike?"
    for other in ids[1:]:
        await inside.post("/relationships", memory_id=ids[0], related_memory_id=other, type="caused_by", strength=0.9)
    changed = await inside.http.put(
        f"/api/v1/memories/{ids[0]}", json={"text": TEXTS[0] + " and dusk"}, headers={"Idempotency-Key": "the change"}
    )
    assert changed.is_success, changed.text
    for memory_id in ids:
        await inside.post("/memories/search", query=query, learning_mode=True)
        await inside.post("/memories/suggest", context=query, min_confidence=0)
        await inside.post("/memories/predict", context=query, min_confidence=0)
        await inside.get(f"/memories/{memory_id}", context=f"{CANARY} at noon")
        await inside.post(f"/memories/{memory_id}/feedback", helpful=True, context=query, user_satisfaction=0.9)
    await inside.post("/memories/search", query=query)
    await inside.post("/learning/analyze")
    await inside.services.insights.keep_measures(inside.scope)
    await settled(inside)
    await inside.get("/memories/meta/patterns")
    await inside.get("/learning/metrics")
    await inside.get("/learning/maintenance-suggestions")
    await settled(inside)
    return ids
