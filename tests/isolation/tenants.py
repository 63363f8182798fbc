"""Organisations that own something of every kind, all of it marked, and what of it shows up elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg

from database_administration import address
from pronoia.domain.records import Permission, Plan

if TYPE_CHECKING:
    from collections.abc import Collection

    import httpx2
    from litestar.types import ASGIApp

    from pronoia.services.services import Services
    from pronoia.testing.clock import ManualClock

API = "/api/v1"
OWNER, OTHER = "ada", "eve"
"""Ada is in every organisation, and owns what is tried to reach. Eve is another user."""
TABLES = """
    select table_name::text from information_schema.columns
    where table_schema = 'public' and column_name = 'organisation_id' and table_name in
        (select table_name from information_schema.tables where table_type = 'BASE TABLE')
"""


@dataclass
class Tenant:
    organisation_id: UUID
    canary: str
    """In every text that the organisation stores."""
    ids: dict[str, str] = field(default_factory=dict)
    """One of every kind, by the names of parameters and fields."""
    keys: dict[str, str] = field(default_factory=dict)

    def leaks_into(self, text: str, sent: str = "") -> list[str]:
        """Name what is shown of this organisation and was not in the request."""
        # Whoever names a user may have one of that name.
        ids = [one for name, one in self.ids.items() if name != "user_id"]
        return [one for one in (self.canary, str(self.organisation_id), *ids) if one in text and one not in sent]


@dataclass
class World:
    http: httpx2.AsyncClient
    services: Services
    clock: ManualClock
    database_url: str
    app: ASGIApp

    async def rows(self, tenant: Tenant, tables: Collection[str] = ()) -> set[str]:
        """Give every row of an organisation as text; of all tables, unless some are named."""
        connection = await asyncpg.connect(address(self.database_url, user="postgres"), timeout=10)
        try:
            names = tables or [row[0] for row in await connection.fetch(TABLES)]
            # The last use of a key is written by whoever uses it.
            rows = " union all ".join(
                f"select '{name} ' || (to_jsonb(t) - 'last_used_at')::text from {name} t where organisation_id = $1"  # noqa: S608 - ours
                for name in names
            )
            return {row[0] for row in await connection.fetch(rows, tenant.organisation_id)}
        finally:
            await connection.close()

    async def key(
        self, tenant: Tenant, user_id: str | None, permissions: Collection[Permission] = Permission, **fields: Any
    ) -> str:
        values = {"plan": Plan.ENTERPRISE, "organisation_id": tenant.organisation_id, **fields}
        return (await self.services.keys.create(user_id=user_id, permissions=permissions, **values))[1]


def make_tenant() -> Tenant:
    return Tenant(uuid4(), f"canary{uuid4().hex[:12]}")


async def furnish(world: World, tenant: Tenant) -> None:
    """Give a new organisation one thing of every kind, and learned and cached state, by the API alone."""
    canary, ids = tenant.canary, tenant.ids
    tenant.keys["owner"] = await world.key(tenant, OWNER)
    tenant.keys["service"] = await world.key(tenant, None)

    async def call(method: str, path: str, user: str = OWNER, **request: Any) -> Any:
        headers = {"X-Service-Token": tenant.keys["service"], "X-User-ID": user}
        answer = await world.http.request(method, API + path, headers=headers, **request)
        assert answer.is_success, (path, answer.text)
        return answer.json()

    async def remember(text: str, user: str = OWNER) -> str:
        marked = {"tags": [canary], "source": canary, "project_id": canary, "metadata": {"m": canary}}
        body = {"text": f"{text} {canary}", "session_id": canary, "agent_id": canary, "speaker": canary, **marked}
        made = await call("POST", "/memories", user, json=body)
        ids.setdefault("batch_id", made["provenance"]["batch_id"])
        return made["id"]

    ids["user_id"] = f"vera-{uuid4().hex[:12]}"
    ids["memory_id"], ids["related_memory_id"] = await remember("tea at four"), await remember("cake at five")
    archived = await remember("an old song")
    await remember("tea at four")
    await remember("seen by vera", ids["user_id"])
    for path in ("", "/history", "/relationships", "/graph"):
        await call("GET", f"/memories/{ids['memory_id']}{path}")
    ids["remove"] = ids["related_memory_id"]
    pair = {"memory_id": ids["memory_id"], "related_memory_id": ids["related_memory_id"]}
    ids["relationship_id"] = (await call("POST", "/relationships", json={**pair, "explanation": canary}))["id"]
    await call("POST", f"/memories/{ids['memory_id']}/feedback", json={"helpful": True, "context": canary})
    step = {"action": "archive", "memory_id": archived}
    done = await call("POST", "/learning/maintenance/apply", json={"actions": [step]})
    ids["action_id"] = done["actions"][0]["id"]
    for path in ("search", "recall", "suggest", "predict"):
        question = {"context": f"tea {canary}"} if path in {"suggest", "predict"} else {"query": f"tea {canary}"}
        for _ in range(3):
            await call("POST", f"/memories/{path}", json=question)
    await call("POST", "/learning/analyze", json={"auto_apply": True})
    await call("PATCH", "/organisation", json={"name": canary})
    made = await call("POST", "/keys", json={"user_id": ids["user_id"], "scopes": ["read"]})
    ids["key_id"] = made["id"]
    ids["project_id"] = f"project {canary}"
    await call("POST", "/projects", json={"project_id": ids["project_id"]})
