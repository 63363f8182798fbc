from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from store_makers import NOW, erasure, memory

from pronoia.adapters.postgres.organisation_store import (
    PostgresOrganisationStore,
    PostgresProjectStore,
    PostgresUserStore,
)
from pronoia.domain.errors import AlreadyExistsError, IdempotencyConflictError, NotFoundError
from pronoia.domain.organisations import Organisation, Project, Standing
from pronoia.domain.records import Idempotency
from pronoia.domain.roles import Role

if TYPE_CHECKING:
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.identifiers import Scope

pytestmark = pytest.mark.anyio


async def test_an_organisation_is_made_shown_renamed_and_listed(database: Database) -> None:
    organisations = PostgresOrganisationStore(database)
    one, other = Organisation(uuid4(), "One", NOW), Organisation(uuid4(), "One", NOW + timedelta(seconds=1))
    await organisations.create(other)
    await organisations.create(one)
    assert await organisations.every() == [one, other]
    assert await organisations.rename(one.id, "Two") == replace(one, name="Two")
    assert await organisations.get(one.id) == replace(one, name="Two")
    assert await organisations.get(other.id) == other
    for attempt in (organisations.get(uuid4()), organisations.rename(uuid4(), "x")):
        with pytest.raises(NotFoundError):
            await attempt


async def test_projects_are_declared_once_listed_by_name_and_changed(database: Database, scope: Scope) -> None:
    projects, mine = PostgresProjectStore(database), scope.organisation_id
    plain, kept = Project("a plain one", None, NOW), Project("kept", 30, NOW)
    assert [await projects.create(mine, one) for one in (kept, plain)] == [kept, plain]
    for _ in range(2):
        # Sent again it is refused again: what was refused has not used its key.
        with pytest.raises(AlreadyExistsError):
            await projects.create(mine, replace(kept, retention_days=None), Idempotency("key", b"hash"))
    assert await projects.listed(mine, "", 10, archived=False) == [plain, kept]
    assert await projects.listed(mine, plain.id, 10, archived=False) == [kept]
    archived = replace(kept, retention_days=7, archived_at=NOW)
    assert await projects.change(mine, kept.id, lambda _: archived) == archived
    assert await projects.listed(mine, "", 10, archived=False) == [plain]
    assert await projects.listed(mine, "", 10, archived=True) == [plain, archived]
    for attempt in (projects.get(uuid4(), "kept"), projects.change(uuid4(), "kept", lambda one: one)):
        with pytest.raises(NotFoundError):
            await attempt


async def test_a_user_is_listed_with_role_and_counts(
    store: PostgresMemoryStore, database: Database, scope: Scope
) -> None:
    users = PostgresUserStore(database)
    await store.add(scope, [memory("one"), memory("two")], None)
    named = await users.set_role(scope.organisation_id, "bob", Role.READER)
    ada = await users.get(scope.organisation_id, "ada")
    assert (ada.role, ada.memory_count, ada.memory_version) == (None, 2, 1)
    assert (named.id, named.role, named.memory_count, named.memory_version) == ("bob", Role.READER, 0, 0)
    assert await users.listed(scope.organisation_id, "", 10) == [ada, named]
    assert await users.listed(scope.organisation_id, "ada", 10) == [named]
    assert await users.listed(uuid4(), "", 10) == []
    with pytest.raises(NotFoundError):
        await users.get(uuid4(), "ada")


async def test_a_role_outlives_forgetting_and_versions_go_on(
    store: PostgresMemoryStore, database: Database, scope: Scope
) -> None:
    users = PostgresUserStore(database)
    await store.add(scope, [memory("one")], None)
    await users.set_role(scope.organisation_id, "ada", Role.READER)
    forgotten = await store.forget(scope, None, erasure())
    assert await users.listed(scope.organisation_id, "", 10) == []
    assert (await users.standing(scope.organisation_id, "ada")).role is Role.READER
    again = await users.set_role(scope.organisation_id, "ada", Role.MEMBER)
    assert (again.role, again.memory_version) == (Role.MEMBER, forgotten.version)
    assert (await store.add(scope, [memory("two")], None)).version == forgotten.version + 1
    assert (await users.set_role(scope.organisation_id, "ada", None)).role is None
    assert await users.standing(scope.organisation_id, "ada") == Standing()


async def test_a_role_is_set_while_the_user_writes(
    store: PostgresMemoryStore, database: Database, scope: Scope
) -> None:
    users = PostgresUserStore(database)
    await asyncio.gather(
        *(store.add(scope, [memory(str(number))], None) for number in range(10)),
        *(users.set_role(scope.organisation_id, "ada", role) for role in list(Role) * 3),
    )
    assert (await users.get(scope.organisation_id, "ada")).memory_count == 10


async def test_a_revocation_of_tokens_is_moved_on_and_never_back_and_outlives_forgetting(
    store: PostgresMemoryStore, database: Database, scope: Scope
) -> None:
    users, mine, later = PostgresUserStore(database), scope.organisation_id, NOW + timedelta(hours=1)
    assert (await users.revoke_tokens(mine, "ada", NOW)).tokens_not_before == NOW
    assert (await users.revoke_tokens(mine, "ada", later)).tokens_not_before == later
    assert (await users.revoke_tokens(mine, "ada", NOW)).tokens_not_before == later
    await store.forget(scope, None, erasure())
    assert await users.standing(mine, "ada") == Standing(None, later)
    assert [await users.standing(mine, "bob"), await users.standing(uuid4(), "ada")] == [Standing(), Standing()]


async def test_the_same_request_sent_side_by_side_is_done_once(database: Database, scope: Scope) -> None:
    projects, once = PostgresProjectStore(database), Idempotency("key", b"hash")
    wanted = Project("apollo", 30, NOW)
    made = await asyncio.gather(*(projects.create(scope.organisation_id, wanted, once) for _ in range(5)))
    assert made == [wanted] * 5
    with pytest.raises(IdempotencyConflictError):
        await projects.create(scope.organisation_id, wanted, Idempotency("key", b"another hash"))


async def test_a_write_that_failed_leaves_its_key_to_be_used_again(database: Database, scope: Scope) -> None:
    projects, once = PostgresProjectStore(database), Idempotency("key", b"hash")
    archived = Project("apollo", 30, NOW, NOW)
    with pytest.raises(NotFoundError):
        await projects.change(scope.organisation_id, "apollo", lambda _: archived, once)
    await projects.create(scope.organisation_id, replace(archived, archived_at=None))
    assert await projects.change(scope.organisation_id, "apollo", lambda _: archived, once) == archived
