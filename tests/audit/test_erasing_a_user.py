from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg
import pytest
from audit_makers import chain_all

from pronoia.adapters.postgres.audit_chain import open_audit_chain
from pronoia.domain.audit import AuditAction, acting
from pronoia.domain.identifiers import Scope
from pronoia.domain.principals import ProvidedUser
from pronoia.domain.records import Plan
from pronoia.faces.http.auditing import actor_of
from pronoia.faces.http.watch import Exchange
from pronoia.services.audit.verification import ChainVerifier

if TYPE_CHECKING:
    from conftest import Audited

pytestmark = pytest.mark.anyio


async def test_the_user_of_a_token_acts_by_a_pseudonym_that_goes_with_the_user(audited: Audited):
    exchange = Exchange(request_id="Grace asks", method="POST", route="/api/v1/keys")
    exchange.principal = ProvidedUser(
        id="corporate/Grace-canary-91",
        organisation_id=audited.organisation_id,
        user_id="Grace-canary-91",
        permissions=frozenset(),
        plan=Plan.FREE,
        issued_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    with acting(actor_of(exchange)):
        await audited.services.audit.record(audited.organisation_id, AuditAction.AUDIT_TESTED)
        await audited.services.audit.record(
            audited.organisation_id, AuditAction.AUDIT_TESTED, user_id="Grace-canary-91"
        )
    first, second = await audited.rows(actions=["audit_tested"])
    assert first.actor == second.actor == f"token:corporate:{second.subject}"
    assert (first.route, first.request_id, first.subject) == ("POST /api/v1/keys", None, None)
    await audited.services.memories.forget(Scope(audited.organisation_id, "Grace-canary-91"))
    with acting(actor_of(exchange)):
        await audited.services.audit.record(audited.organisation_id, AuditAction.AUDIT_TESTED)
    assert (await audited.rows(actions=["audit_tested"]))[-1].actor != first.actor
    assert "canary" not in str(await audited.rows())


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
