"""Who tries a route that is not theirs, with what, and what they must be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from example_requests import example, fields_of, names_somebody
from tenants import OTHER, OWNER

from pronoia.domain.records import Permission, Plan
from pronoia.domain.roles import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from example_requests import ExampleRequest
    from tenants import Tenant, World

    from pronoia.faces.http.operation import AnyOperation

    Expected = Callable[[AnyOperation], set[int] | None]

ANSWERED = {200, 201, 400, 403, 404, 409}
"""Of one's own, or nothing at all. Whatever it says is searched for what is another's."""
OF_EVERYBODY = {"/api/v1/users/{user_id}", "/api/v1/users/{user_id}/tokens"}
"""They speak of whoever has a name in one's own organisation; the same name may be in others."""
NOT_GIVEN = {
    "organisation_id": "",
    "user_id": OTHER,
    "permissions": list(Permission),
    "plan": Plan.ENTERPRISE,
    "is_admin": True,
    "id": "",
    "provenance": {"written_by": "key:another"},
    "quarantined": False,
    "usage_count": 1_000_000,
    "helpfulness_score": 1.0,
    "created_at": "2000-01-01T00:00:00Z",
    "secret_hash": "00",
    "revoked_at": None,
}


@dataclass(frozen=True)
class Case:
    name: str
    headers: Mapping[str, str]
    ids: Mapping[str, str]
    expected: Expected
    """The statuses that are right, or None if the case does not concern the operation."""
    names: str | None = None
    """Whom the request says it is about, wherever it can."""
    added: Mapping[str, Any] = field(default_factory=dict)
    without_user: bool = False

    def request(self, operation: AnyOperation) -> ExampleRequest:
        made = example(operation, self.ids)
        if self.without_user:
            made.query.pop("user_id", None)
        if self.names is not None:
            made.query["user_id"] = self.names
            made.body = None if made.body is None else {**made.body, "user_id": self.names}
        if self.added and made.body is not None:
            known = fields_of(operation.body)
            made.body |= {
                name: value for name, value in self.added.items() if name not in known or name in {"plan", "user_id"}
            }
        return made


def _always(status: int) -> Expected:
    return lambda operation: None if operation.permission is None else {status}


def _without(*permissions: Permission) -> Expected:
    return lambda operation: {403} if operation.permission in permissions else None


def _elsewhere(operation: AnyOperation) -> set[int] | None:
    if operation.permission is None:
        return None
    if not names_somebody(operation) or operation.path in OF_EVERYBODY:
        return ANSWERED
    return {404}


def _to_another_user(operation: AnyOperation) -> set[int] | None:
    return {403} if operation.permission is Permission.ADMIN else _elsewhere(operation)


def _with_more(operation: AnyOperation) -> set[int] | None:
    return None if operation.permission is None else ANSWERED


async def make_cases(world: World, victim: Tenant, other: Tenant) -> list[Case]:
    """Try to reach what `victim` has, mostly out of `other`."""

    def case(name: str, key: str, expected: Expected, **fields: Any) -> Case:
        headers = {"X-API-Key": key, **fields.pop("headers", {})}
        return Case(name, headers, fields.pop("ids", victim.ids), expected, **fields)

    async def weaker(permission: Permission) -> Case:
        key = await world.key(victim, OWNER, set(Permission) - {permission, Permission.ADMIN})
        return case(f"no {permission}", key, _without(permission, Permission.ADMIN))

    async def of_role(role: Role, *missing: Permission) -> Case:
        user = f"one {role}"
        await world.services.users.set_role(victim.organisation_id, user, role)
        return case(role, await world.key(victim, user), _without(*missing))

    revoked, expired = await world.key(victim, OWNER), await _expired(world, victim)
    await world.services.keys.revoke(victim.organisation_id, revoked.split("_")[1])
    everything = await world.key(victim, OTHER, set(Permission) - {Permission.ADMIN})
    more = NOT_GIVEN | {"organisation_id": str(victim.organisation_id), "id": victim.ids["memory_id"]}
    return [
        case("fields", await world.key(other, OWNER, plan=Plan.PRO), _with_more, ids=other.ids, added=more),
        case("organisation", other.keys["owner"], _elsewhere),
        case("organisation*", other.keys["service"], _elsewhere, headers={"X-User-ID": OWNER}, names=OWNER),
        case("user", everything, _to_another_user, headers={"X-User-ID": OWNER}, names=OWNER),
        *[await weaker(one) for one in Permission],
        case("no scope", await world.key(victim, OWNER, set()), _always(403)),
        await of_role(Role.READER, Permission.WRITE, Permission.LEARN, Permission.ADMIN),
        await of_role(Role.MEMBER, Permission.ADMIN),
        case("no user", victim.keys["service"], lambda one: {400} if one.permission and one.of_user else None,
             without_user=True),
        case("no key", "", _always(401)),
        case("wrong key", _mistyped(victim.keys["owner"]), _always(401)),
        case("revoked", revoked, _always(401)),
        case("expired", expired, _always(401)),
    ]  # fmt: skip


def _mistyped(key: str) -> str:
    return key[:-1] + ("x" if key[-1] != "x" else "y")


async def _expired(world: World, tenant: Tenant) -> str:
    key = await world.key(tenant, OWNER, expires_at=world.clock.now() + timedelta(seconds=1))
    world.clock.advance(2)
    return key
