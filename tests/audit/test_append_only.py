from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
from audit_makers import ONE, all_rows, row

from pronoia.adapters.postgres.audit_store import PostgresAuditStore
from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pronoia.adapters.postgres.transactions import Database

pytestmark = pytest.mark.anyio


FORBIDDEN = (
    "update audit_log set actor = 'nobody'",
    "update audit_log set number = null",
    "delete from audit_log",
    "truncate audit_log",
    "update audit_heads set number = 0",
    "delete from audit_heads",
    "insert into audit_heads values (current_tenant(), 9, '', now())",
    "insert into audit_log (organisation_id, action, outcome, actor, at) values ($1, 'a', 'refused', 'b', now())",
    "insert into audit_log (organisation_id, action, outcome, actor, number) values ($1, 'a', 'refused', 'b', 1)",
)
ADD = "insert into audit_log (organisation_id, action, outcome, actor) values ($1, 'a', 'refused', $2)"


async def test_the_role_of_the_server_can_only_add_rows_and_says_neither_when_nor_where(database: Database):
    await PostgresAuditStore(database).record([row()])
    before = await all_rows(database, ONE)
    for statement in FORBIDDEN:
        with pytest.raises(ConfigurationError) as refused:
            async with database.writing(ONE) as connection:
                await connection.execute(statement.replace("$1", f"'{ONE}'"))
        assert isinstance(refused.value.__cause__, asyncpg.InsufficientPrivilegeError), statement
    assert await all_rows(database, ONE) == before


async def test_rows_have_no_gaps_where_transactions_were_rolled_back(database: Database):
    store = PostgresAuditStore(database)
    await store.record([row(number=1)])
    with pytest.raises(LookupError):
        await _record_in_vain(database)
    await store.record([row(number=2)])
    assert [one.number for one in await all_rows(database, ONE)] == [1, 2]


async def test_a_row_that_was_committed_late_is_chained_after_those_that_were_there(database: Database):
    store = PostgresAuditStore(database)
    async with database.writing(ONE) as slow:
        await slow.execute(
            "insert into audit_log (organisation_id, action, outcome, actor) values ($1, 'a', 'refused', 'slow')", ONE
        )
        await store.record([row()])
        assert [one.number for one in await all_rows(database, ONE)] == [1]
    assert [one.actor for one in await all_rows(database, ONE)][-1] == "slow"


async def _record_in_vain(database: Database) -> None:
    async with database.writing(ONE) as connection:
        await connection.execute(ADD, ONE, "in vain")
        raise LookupError
