"""Every route, tried by everybody who may not. Run with -s to see the table."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from cases import NOT_GIVEN, make_cases
from example_requests import example
from recorded_log import recorded_log
from tenants import API, OTHER, OWNER, furnish, make_tenant

from pronoia.faces.http.application import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpx2
    from cases import Case
    from example_requests import ExampleRequest
    from recorded_log import RecordedLog
    from tenants import Tenant, World

    from pronoia.faces.http.operation import AnyOperation

pytestmark = pytest.mark.anyio

# What takes things away is tried last, and what takes most at the very end.
TAKEN_LAST = ("/api/v1/memories/{memory_id}", "/api/v1/memories", "/api/v1/subjects")
IN_ORDER = sorted(
    OPERATIONS,
    key=lambda one: (
        one.method == "DELETE",
        any(word in one.path for word in ("quarantine", "release", "rollback")),
        one.path in TAKEN_LAST and TAKEN_LAST.index(one.path) + 1,
    ),
)
COUNTED = ("audit_log", "audit_heads", "rate_limits")


@dataclass
class Tried:
    """What was answered, by route and case."""

    answers: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    leaks: list[str] = field(default_factory=list)

    def table(self) -> str:
        names = list(dict.fromkeys(name for one in self.answers.values() for name in one))
        head = f"{'':58}" + " ".join(f"{name:>13}" for name in names)
        lines = [
            f"{route:58}" + " ".join(f"{one.get(name, '-'):>13}" for name in names)
            for route, one in self.answers.items()
        ]
        total = sum(len(one) for one in self.answers.values())
        return "\n".join(
            [head, *lines, f"routes {len(lines)}, cases {len(names)}, tries {total}, leaks {len(self.leaks)}"]
        )


@dataclass
class Matrix:
    world: World
    victim: Tenant
    other: Tenant
    owner: Tenant
    cases: list[Case]
    tried: Tried
    log: RecordedLog


@pytest.fixture(scope="module")
async def matrix(opening: Callable[[], World]) -> AsyncIterator[Matrix]:
    tenants = [make_tenant() for _ in range(3)]
    with recorded_log() as log:
        async with opening() as world:
            for tenant in tenants:
                await furnish(world, tenant)
        # All that was waiting is written now, so nobody but the cases changes a row.
        async with opening() as world:
            tried = Tried()
            yield Matrix(world, *tenants, await make_cases(world, tenants[0], tenants[1]), tried, log)
            print("\n" + tried.table())  # noqa: T201 - the report


async def send(world: World, request: ExampleRequest, headers: dict[str, str]) -> httpx2.Response:
    return await world.http.request(
        request.method, request.path, params=request.query, json=request.body, headers=headers
    )


async def attempt(matrix: Matrix, case: Case, operation: AnyOperation) -> str | None:
    """Try one case on one route, and say what was wrong with the answer."""
    expected = case.expected(operation)
    if expected is None:
        return None
    request = case.request(operation)
    answer = await send(matrix.world, request, dict(case.headers))
    route = f"{operation.method} {operation.path}"
    matrix.tried.answers[route][case.name] = answer.status_code
    leaks = matrix.victim.leaks_into(f"{answer.text} {answer.headers}", request.sent)
    matrix.tried.leaks += [f"{route}: {leak}" for leak in leaks]
    if leaks or answer.status_code not in expected:
        return f"{case.name}: {route}: {answer.status_code} not in {expected}, {leaks}: {answer.text[:300]}"
    return None


async def test_every_request_of_the_matrix_is_one_that_its_owner_may_make(matrix: Matrix):
    """Else a refusal would say nothing."""
    refused = []
    for operation in IN_ORDER:
        request = example(operation, matrix.owner.ids | {"user_id": OWNER})
        answer = await send(matrix.world, request, {"X-API-Key": matrix.owner.keys["owner"]})
        if not answer.is_success:
            refused.append(f"{request.method} {request.path} {request.body}: {answer.status_code} {answer.text[:300]}")
    assert not refused, "\n".join(refused)


async def test_nobody_reaches_what_is_anothers_by_any_route(matrix: Matrix):
    wrong = []
    before = await owned(matrix)
    for case in matrix.cases:
        wrong += [one for operation in IN_ORDER if (one := await attempt(matrix, case, operation))]
        after = await owned(matrix)
        wrong += [f"{case.name} changed {row}" for row in before ^ after]
        before = after
    assert not wrong, "\n".join(wrong)


async def owned(matrix: Matrix) -> set[str]:
    """Give all that the victim has, but for what tells of the attempts: they are counted, and are the other user's."""
    rows = await matrix.world.rows(matrix.victim)
    return {row for row in rows if not row.startswith(COUNTED) and f'"user_id": "{OTHER}"' not in row}


async def test_nothing_of_it_is_kept_by_another_organisation_or_shown_to_everybody(matrix: Matrix):
    """Caches, jobs, learned state and the audit log included."""
    for tenant in (matrix.other, matrix.owner):
        kept = await matrix.world.rows(tenant)
        assert kept
        marks = (matrix.victim.canary, matrix.victim.canary.encode().hex(), str(matrix.victim.organisation_id))
        assert [row for row in kept if any(one in row for one in marks)] == []
    for operation in OPERATIONS:
        if operation.permission is None:
            answer = await send(matrix.world, example(operation, matrix.victim.ids), {})
            assert not matrix.victim.leaks_into(answer.text), operation.path


async def test_no_line_of_the_log_and_no_metric_holds_what_is_anybodys(matrix: Matrix):
    """Not even in lines about its owner's requests: these hold who asked what route, and no more."""
    text = await matrix.log.text(matrix.world.http)
    told = [json.loads(line) for line in text.splitlines()]
    routes = {line["route"] for line in told if line["message"] == "request.answered"}
    assert routes >= {one.path for one in OPERATIONS if one.permission is not None}
    metrics = (await matrix.world.http.get("/metrics")).text
    assert "http_requests_total{" in metrics
    assert f'"{OWNER}"' not in metrics
    for tenant in (matrix.victim, matrix.other, matrix.owner):
        assert [(leak, line) for line in told for leak in tenant.leaks_into(str(line))] == []
        assert tenant.leaks_into(metrics) == []
        assert [key for key in tenant.keys.values() if key in text or key in metrics] == []


async def test_what_a_memory_is_given_besides_its_fields_is_not_taken(matrix: Matrix):
    more = {**NOT_GIVEN, "organisation_id": str(matrix.victim.organisation_id), "id": matrix.victim.ids["memory_id"]}
    key = await matrix.world.key(matrix.other, OWNER)
    headers = {"X-API-Key": key}
    plain = (await matrix.world.http.post(f"{API}/memories", json={"text": "one"}, headers=headers)).json()
    answer = await matrix.world.http.post(f"{API}/memories", json={"text": "two", **more}, headers=headers)
    assert answer.status_code == 201, answer.text
    stored = answer.json()
    assert stored["user_id"] == OWNER
    taken = {name for name in more if name in stored and stored[name] != plain[name]}
    assert taken == {"id", "provenance"}
    assert all(stored[name] != more[name] for name in taken)
