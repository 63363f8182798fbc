from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
from audit_makers import chain_all

from pronoia.adapters.postgres.audit_chain import open_audit_chain
from pronoia.services.audit.verification import ChainVerifier

if TYPE_CHECKING:
    from conftest import Audited

pytestmark = pytest.mark.anyio


async def test_the_chain_of_an_erased_user_is_whole_and_leads_to_nobody(audited: Audited, database_url: str):
    _, service = await audited.key(user=None)
    headers = {"X-Service-Token": service, "X-User-ID": "Grace-canary-91"}
    await audited.http.post("/api/v1/memories", json={"text": "a"}, headers=headers)
    (before,) = await audited.rows(actions=["memory_created"])
    erased = await audited.http.delete("/api/v1/memories", params={"user_id": "Grace-canary-91"}, headers=headers)
    assert erased.status_code == 200
    (forgotten,) = await audited.rows(actions=["user_forgotten"])
    assert forgotten.subject == before.subject
    await audited.http.post("/api/v1/memories", json={"text": "b"}, headers=headers)
    _, after = await audited.rows(actions=["memory_created"])
    assert after.subject not in {before.subject, None}
    connection = await asyncpg.connect(database_url, timeout=10, command_timeout=10)
    assert await connection.fetchval("select count(*) from users where pseudonym = $1", before.subject) == 0
    told = await connection.fetch("select l::text as told from audit_log l")
    await connection.close()
    assert not [one for one in told if "canary" in one["told"].lower()]
    await chain_all(audited.database)
    async with open_audit_chain(database_url, timeout_seconds=10) as chain:
        verifier = ChainVerifier(await chain.heads(), {})
        async for one in chain.rows():
            verifier.take(one)
    assert verifier.finish() == []
    assert verifier.rows >= 6
