"""What a person may ask for: all that is held about them, and that it goes."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
from collections import Counter
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from canaries import (
    CANARY,
    TEXTS,
    holders,
    names_of,
    says,
    settled,
    tables_that_name,
    tables_that_say,
    used_in_every_way,
)

from database_administration import address
from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.records import Filters, Permission, Plan
from pronoia.services.recall import SearchRequest

pytestmark = pytest.mark.anyio

EXPORT, SUBJECTS = "/api/v1/subjects/export", "/api/v1/subjects"
SECONDS = 20
PERSON = {"user_id": "ada"}
BYTES_OF_OTHERS = ("pg_wal",)
"""Folders of the cluster whose bytes are not those of tables: the log of changes, until it is recycled."""


@pytest.fixture
async def ids(inside):
    return await used_in_every_way(inside)


@pytest.fixture
def headers_of(inside):
    """Give what makes a key and gives the headers that use it."""

    async def make(user, *permissions):
        _, secret = await inside.services.keys.create(
            user_id=user, plan=Plan.ENTERPRISE, permissions=permissions, organisation_id=inside.scope.organisation_id
        )
        return {"X-API-Key": secret}

    return make


def read_export(answer):
    """Check an export against its manifest, and give its records by type."""
    assert answer.status_code == 200, answer.text
    *lines, last = answer.content.splitlines(keepends=True)
    manifest, records = json.loads(last), [json.loads(line) for line in lines]
    assert manifest["type"] == "manifest"
    assert manifest["sha256"] == hashlib.sha256(b"".join(lines)).hexdigest()
    assert manifest["counts"] == Counter(one["type"] for one in records)
    return manifest, records


async def test_a_person_is_told_all_that_is_held_about_them_by_their_own_key(inside, headers_of, ids):
    answer = await inside.http.get(EXPORT, params=PERSON, headers=await headers_of("ada", Permission.READ))
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    manifest, records = read_export(answer)
    assert manifest["user_id"] == "ada"
    assert {one["record"]["id"]: one["record"]["text"] for one in records if one["type"] == "memories"} == dict(
        zip(ids, (TEXTS[0] + " and dusk", *TEXTS[1:]), strict=True)
    )
    assert {
        "audit_log",
        *("accesses", "feedback", "relationships", "memory_revisions", "ranking_examples", "ranking_weights"),
        *("learning_metrics", "learning_runs", "idempotency_keys", "api_keys"),
    } <= set(manifest["counts"])
    outcome = next(one["record"]["outcome"] for one in records if one["type"] == "idempotency_keys")
    assert outcome["version"] > 0
    assert "secret" not in answer.text


async def test_what_the_process_still_keeps_to_itself_is_exported_too(inside):
    memory = await inside.post("/memories", text="Ada likes tea")
    await inside.get(f"/memories/{memory['id']}", context="a use of just now")
    _, records = read_export(await inside.http.get(EXPORT, params=PERSON))
    assert "a use of just now" in [one["record"]["context"] for one in records if one["type"] == "accesses"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_key_of_one_person_may_name_no_other_unless_it_is_an_administrators(
    inside, refused, headers_of, method
):
    path = EXPORT if method == "GET" else SUBJECTS
    reader = await headers_of("eve", Permission.READ, Permission.WRITE, Permission.LEARN)
    refused(await inside.http.request(method, path, params=PERSON, headers=reader), 403, "FORBIDDEN")
    admin = await headers_of("eve", *Permission)
    assert (await inside.http.request(method, path, params=PERSON, headers=admin)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_service_key_without_the_scope_admin_may_neither_export_nor_erase(inside, refused, headers_of, method):
    path = EXPORT if method == "GET" else SUBJECTS
    headers = await headers_of(None, Permission.READ, Permission.WRITE, Permission.LEARN)
    refused(await inside.http.request(method, path, params=PERSON, headers=headers), 403, "FORBIDDEN")


async def test_a_person_cannot_erase_themselves_without_the_scope_admin(inside, refused, headers_of):
    headers = await headers_of("ada", Permission.READ, Permission.WRITE)
    refused(await inside.http.delete(SUBJECTS, params=PERSON, headers=headers), 403, "FORBIDDEN")


async def test_exports_beyond_those_that_may_run_wait_and_are_then_refused(inside, refused, monkeypatch):
    bulkhead = inside.services.subjects._bulkhead
    monkeypatch.setattr(bulkhead, "_longest_wait_seconds", 0.01)
    async with bulkhead.place(), bulkhead.place():
        refused(await inside.http.get(EXPORT, params=PERSON), 503, "OVERLOADED")
    read_export(await inside.http.get(EXPORT, params=PERSON))


async def test_an_export_that_is_given_up_gives_its_connection_back(inside):
    await inside.post("/memories", text="Ada likes tea")
    lines = inside.services.subjects.export(inside.scope)
    await anext(lines)
    assert inside.services.subjects._bulkhead.in_use == 1
    await lines.aclose()
    assert inside.services.subjects._bulkhead.in_use == 0
    await asyncio.gather(*(inside.http.get(EXPORT, params=PERSON) for _ in range(4)))


async def test_an_erased_person_is_nowhere_not_even_in_their_keys(inside, headers_of, database_url, ids):
    assert {"memories", "api_keys"} <= await tables_that_name(database_url, "ada")
    headers = await headers_of(None, Permission.ADMIN)
    once = {**headers, "Idempotency-Key": "once"}
    answer = await inside.http.delete(SUBJECTS, params=PERSON, headers=once)
    assert answer.status_code == 200, answer.text
    receipt = answer.json()
    assert (receipt["counts"]["memories"], receipt["counts"]["api_keys"]) == (3, 1)
    await settled(inside)
    gc.collect()
    names = [name for memory_id in ids for name in names_of(memory_id)]
    words = (*names, CANARY, "green tea", "deployment")
    assert await tables_that_say(database_url, *names) == {"audit_log"}
    assert await tables_that_say(database_url, CANARY, "green tea", "deployment") == set()
    assert await tables_that_name(database_url, "ada") == set()
    assert holders(inside.services, says(*words)) == []
    refused_now = await inside.http.get("/api/v1/memories")
    assert refused_now.status_code == 401
    assert (await inside.http.delete(SUBJECTS, params=PERSON, headers=once)).json() == receipt


async def test_another_process_lets_go_of_an_erased_person_too(inside, database_url):
    memory = await inside.post("/memories", text=f"The {CANARY} clock strikes twice before dawn")
    words = (CANARY, *names_of(memory["id"]))
    async with open_services(read_settings({}, database_url=database_url, learning_schedule=False)) as other:
        changes, listening, dropped = other.memories._changes, asyncio.Event(), asyncio.Event()
        changes._lost, changes._drop = _telling(changes._lost, listening), _telling(changes._drop, dropped)
        # Only a process that listens already can be told.
        await asyncio.wait_for(listening.wait(), SECONDS)
        found = await other.recall.search(inside.scope, SearchRequest(f"the {CANARY} clock", Filters()))
        assert [str(hit.memory.id) for hit in found.hits] == [memory["id"]]
        del found
        await other.ranking_weights.of(inside.scope)
        assert holders(other, says(*words))
        await inside.services.subjects.erase(inside.scope)
        await asyncio.wait_for(dropped.wait(), SECONDS)
        gc.collect()
        assert holders(other, says(*words)) == []


def _telling(call, event):
    def told(*arguments):
        call(*arguments)
        event.set()

    return told


async def _files_that_say(url, words):
    """Name the files of the cluster, but for other databases and the log of changes, with bytes of a word."""
    connection = await asyncpg.connect(address(url, user="postgres"))
    try:
        await connection.execute("checkpoint")
        folder = await connection.fetchval("show data_directory")
        own = str(await connection.fetchval("select oid from pg_database where datname = current_database()"))
    finally:
        await connection.close()
    return await asyncio.to_thread(_search, Path(folder), own, words)


def _search(folder, own, words):
    found = set()
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        is_of_others = parts[0] in BYTES_OF_OTHERS or (parts[0] == "base" and parts[1:2] != (own,))
        if not is_of_others and path.is_file():
            content = path.read_bytes()
            found |= {("/".join(parts), word) for word in words if word in content}
    return found


async def test_no_file_of_a_table_has_a_byte_of_an_erased_person_once_they_are_written_anew(
    inside, headers_of, database_url, ids
):
    # Rows of others keep the pages in use, so that nothing is cut off merely because a table is empty.
    others = await headers_of("grace", *Permission)
    for text in ("Grace keeps bees", "Grace sails on Sunday"):
        (await inside.http.post("/api/v1/memories", json={"text": text}, headers=others)).raise_for_status()
    words = {CANARY.encode(), b"green tea", b"deployment", *(UUID(memory_id).bytes for memory_id in ids)}
    connection = await asyncpg.connect(database_url)
    await connection.execute("analyze")
    await connection.close()
    assert {word for _, word in await _files_that_say(database_url, words)} == words
    await inside.services.subjects.erase(inside.scope)
    await settled(inside)
    tables = await inside.services.subjects.rewrite()
    assert {"memories", "accesses", "api_keys", "users", "shared_answers"} <= set(tables)
    assert await _files_that_say(database_url, words) == set()
    kept = await inside.http.get("/api/v1/memories", headers=others)
    assert {one["text"] for one in kept.json()["memories"]} == {"Grace keeps bees", "Grace sails on Sunday"}
