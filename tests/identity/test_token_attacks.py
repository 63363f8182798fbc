"""Nobody is let in by a token but whom a trusted provider vouches for; `-s` shows how often each attack was tried."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import pytest
from attacks import ATTACKS, Target
from identity_provider import ALGORITHMS, AUDIENCE, ProviderServer, claims, signing_key

from database_administration import address, administer
from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.identifiers import DEFAULT_ORGANISATION, new_id
from pronoia.faces.http.application import create_http_app
from pronoia.services.keys import CACHE_SECONDS
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from uuid import UUID

pytestmark = pytest.mark.anyio
MEMORIES = "/api/v1/memories"
REPLAYED = "replayed after being revoked"
ROLES = (None, "reader", "admin")


@dataclass
class Served:
    """A server that trusts two providers, each for an organisation of its own."""

    http: httpx2.AsyncClient
    clock: ManualClock
    provider: ProviderServer
    other: ProviderServer
    tries: Counter[str]
    successes: Counter[str]

    def token(self, algorithm: str = "ES256", **changes) -> str:
        return signing_key(algorithm, algorithm).sign(claims(self.provider.issuer, self.now, **changes))

    def other_token(self, **changes) -> str:
        return signing_key("ES256", "other").sign(claims(self.other.issuer, self.now, **changes))

    @property
    def now(self) -> float:
        return self.clock.now().timestamp()

    async def send(self, method: str, path: str, token: str, **request) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}", **request.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **request)


@pytest.fixture(scope="module")
def attacked_url(postgres_url, template) -> Iterator[str]:
    """Give one database for all of these tests; they keep apart by users."""
    administer(postgres_url, f"create database attacked owner pronoia template {template}")
    yield address(postgres_url, database="attacked")
    administer(postgres_url, "drop database attacked with (force)")


@pytest.fixture(scope="module")
async def served(attacked_url, tmp_path_factory) -> AsyncIterator[Served]:
    provider = ProviderServer([signing_key(algorithm, algorithm) for algorithm in ALGORITHMS])
    other = ProviderServer([signing_key("ES256", "other")])
    await provider.start()
    await other.start()
    clock, telemetry = ManualClock(), open_telemetry()
    path = tmp_path_factory.mktemp("identity") / "providers.toml"
    path.write_text(
        trusting("corporate", provider, DEFAULT_ORGANISATION, "enterprise")
        + trusting("partner", other, new_id(clock.now()), "free")
    )
    settings = read_settings(
        {},
        database_url=attacked_url,
        identity_providers=str(path),
        learning_schedule=False,
        anonymous_rate_limit=0,
    )
    async with open_services(settings, clock, telemetry=telemetry) as services:
        # A busy machine switches no feature off here: the clock that would bring it back stands still.
        services.resilience._degradation.observe = lambda _: None
        app = create_http_app(services, settings, clock.now, telemetry=telemetry)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://server") as http:
            served = Served(http, clock, provider, other, Counter(), Counter())
            yield served
    await provider.stop()
    await other.stop()
    report(served)


def trusting(name: str, server: ProviderServer, organisation: UUID, plan: str) -> str:
    """Write an entry of the operator's file."""
    return (
        f"[providers.{name}]\nissuer = '{server.issuer}'\naudience = '{AUDIENCE}'\n"
        f"keys_url = '{server.keys_url}'\norganisation = '{organisation}'\nplan = '{plan}'\n"
    )


def report(served: Served) -> None:
    rows = [(name, served.tries[name], served.successes[name]) for name in (*ATTACKS, REPLAYED)]
    rows.append(("all", served.tries.total(), served.successes.total()))
    print(f"\n{'attack':<40}{'tries':>7}{'let in':>8}")  # noqa: T201 - for whoever asks with -s
    print("\n".join(f"{name:<40}{tries:>7}{let_in:>8}" for name, tries, let_in in rows))  # noqa: T201 - the same


def check_refusal(answer: httpx2.Response, token: str) -> None:
    """Hold a refusal to the shape of errors. It says nothing of why, and repeats nothing of what was sent."""
    assert answer.status_code == 401, answer.text
    body = answer.json()
    assert body["code"] in {"INVALID_TOKEN", "INVALID_API_KEY"}
    assert body["error"] == {name: body[name] for name in body["error"]}
    assert set(body) == {"error", "code", "message", "requestId", "timestamp"}
    assert body["requestId"] == answer.headers["X-Request-ID"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert len(token) < 20 or token not in answer.text


@pytest.mark.parametrize("attack", ATTACKS)
async def test_no_attack_lets_anybody_in(served, attack):
    keys = tuple(signing_key(algorithm, algorithm) for algorithm in ALGORITHMS)
    target = Target(served.provider.issuer, served.other.issuer, served.now, keys)
    for honest in target.honest():
        assert (await served.send("GET", MEMORIES, honest)).status_code == 200
    for token in ATTACKS[attack](target):
        answer = await served.send("GET", MEMORIES, token)
        served.tries[attack] += 1
        served.successes[attack] += answer.is_success
        check_refusal(answer, token)
    for honest in target.honest():
        assert (await served.send("GET", MEMORIES, honest)).status_code == 200
    assert served.tries[attack] >= 9
    assert (served.provider.fetches, served.other.fetches) == (1, 1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["other", AUDIENCE]},
        {"role": "member"},
        {"role": ["reader", "member"]},
        {"jti": "1", "scope": "openid", "nested": {"a": [1]}},
    ],
    ids=str,
)
async def test_whom_a_provider_vouches_for_is_let_in(served, algorithm, changes):
    token = served.token(algorithm, sub=f"user-{uuid4().hex}", **changes)
    stored = await served.send("POST", MEMORIES, token, json={"text": "Ada likes saffron."})
    assert stored.status_code == 201, stored.text
    found = (await served.send("GET", MEMORIES, token)).json()["memories"]
    assert [memory["text"] for memory in found] == ["Ada likes saffron."]


@pytest.mark.parametrize("kind", ["jwt", "JWT", "at+jwt", "application/at+jwt", None])
async def test_tokens_for_access_of_every_type_are_let_in(served, kind):
    token = signing_key("ES256", "ES256").sign(claims(served.provider.issuer, served.now), typ=kind)
    assert (await served.send("GET", MEMORIES, token)).status_code == 200


async def test_clocks_may_differ_by_the_leeway_and_no_more(served):
    assert (await served.send("GET", MEMORIES, served.token(iat=served.now + 30))).status_code == 200
    assert (await served.send("GET", MEMORIES, served.token(iat=served.now - 60, exp=served.now - 29))).is_success
    late = served.token(iat=served.now - 60, exp=served.now - 30)
    check_refusal(await served.send("GET", MEMORIES, late), late)


async def test_the_same_name_at_another_provider_is_another_person(served):
    name = f"user-{uuid4().hex}"
    stored = await served.send("POST", MEMORIES, served.token(sub=name), json={"text": "Of the one."})
    path = f"{MEMORIES}/{stored.json()['id']}"
    assert (await served.send("GET", path, served.token(sub=name))).status_code == 200
    theirs = served.other_token(sub=name, organisation=str(DEFAULT_ORGANISATION), org_id=str(DEFAULT_ORGANISATION))
    assert (await served.send("GET", path, theirs)).status_code == 404
    assert (await served.send("GET", MEMORIES, theirs)).json()["memories"] == []


async def test_a_token_is_bound_to_its_user_whomever_the_request_names(served):
    mine, victim = f"user-{uuid4().hex}", f"user-{uuid4().hex}"
    await served.send("POST", MEMORIES, served.token(sub=victim), json={"text": "Of the victim."})
    answer = await served.send(
        "GET", MEMORIES, served.token(sub=mine, role="admin"), params={"user_id": victim}, headers={"X-User-ID": victim}
    )
    assert answer.json()["memories"] == []


@pytest.mark.parametrize(
    ("role", "reads", "writes", "looks"),
    [("reader", 200, 403, 403), ("member", 200, 201, 403), (None, 200, 201, 403), ("admin", 200, 201, 200)],
)
async def test_a_role_says_what_a_user_may_do(served, role, reads, writes, looks):
    token = served.token(sub=f"user-{uuid4().hex}", role=role)
    answers = [
        await served.send("GET", MEMORIES, token),
        await served.send("POST", MEMORIES, token, json={"text": "Something."}),
        await served.send("GET", "/api/v1/monitoring/metrics", token),
    ]
    assert [answer.status_code for answer in answers] == [reads, writes, looks]


async def test_the_role_that_an_organisation_gives_bounds_a_token(served):
    name = f"user-{uuid4().hex}"
    member, admin = served.token(sub=name), served.token(role="admin")
    assert (await served.send("POST", MEMORIES, member, json={"text": "Something."})).status_code == 201
    given = await served.send("PATCH", f"/api/v1/users/{name}", admin, json={"role": "reader"})
    assert given.status_code == 200, given.text
    assert (await served.send("POST", MEMORIES, member, json={"text": "More."})).status_code == 403
    assert (await served.send("GET", MEMORIES, served.token(sub=name, role="admin"))).status_code == 200
    assert (await served.send("GET", "/api/v1/keys", served.token(sub=name, role="admin"))).status_code == 403


async def test_a_token_that_its_organisation_revoked_is_not_let_in_again(served):
    name = f"user-{uuid4().hex}"
    key = await served.send("POST", "/api/v1/keys", served.token(role="admin"), json={"user_id": name})
    tokens = [served.token(algorithm, sub=name, role=role) for algorithm in ALGORITHMS for role in ROLES]
    ahead = served.token(sub=name, iat=served.now + 30)
    others = [served.token(), served.other_token(sub=name)]
    for token in (*tokens, ahead, *others):
        assert (await served.send("GET", MEMORIES, token)).status_code == 200
    path = f"/api/v1/users/{name}/tokens"
    assert (await served.send("DELETE", path, served.token(sub=name))).status_code == 403
    revoked = await served.send("DELETE", path, served.token(role="admin"))
    assert revoked.status_code == 200, revoked.text
    assert datetime.fromisoformat(revoked.json()["tokens_not_before"]).timestamp() == served.now + 30
    for token in (*tokens, ahead, served.token(sub=name)):
        for method, route in (("GET", MEMORIES), ("POST", f"{MEMORIES}/search"), ("DELETE", path)):
            answer = await served.send(method, route, token, json={"query": "tea"})
            served.tries[REPLAYED] += 1
            served.successes[REPLAYED] += answer.is_success
            check_refusal(answer, token)
    bearer = {"Authorization": f"Bearer {key.json()['key']}"}
    assert (await served.http.get(MEMORIES, headers=bearer)).status_code == 200
    for token in others:
        assert (await served.send("GET", MEMORIES, token)).status_code == 200
    served.clock.advance(31)
    assert (await served.send("GET", MEMORIES, served.token(sub=name))).status_code == 200
    check_refusal(await served.send("GET", MEMORIES, tokens[0]), tokens[0])


async def test_forgetting_a_user_gives_no_revoked_token_back(served):
    name = f"user-{uuid4().hex}"
    token, admin = served.token(sub=name), served.token(role="admin")
    await served.send("POST", MEMORIES, token, json={"text": "Something."})
    await served.send("DELETE", f"/api/v1/users/{name}/tokens", admin)
    erased = await served.send("DELETE", "/api/v1/subjects", admin, params={"user_id": name})
    assert erased.status_code == 200, erased.text
    served.clock.advance(CACHE_SECONDS)
    check_refusal(await served.send("GET", MEMORIES, token), token)


async def test_an_admin_makes_keys_of_their_own_organisation_and_no_better_plan(served):
    made = await served.send("POST", "/api/v1/keys", served.other_token(role="admin"), json={"user_id": "ada"})
    assert made.status_code == 201, made.text
    keys = (await served.send("GET", "/api/v1/keys", served.token(role="admin"))).json()["keys"]
    assert made.json()["id"] not in {key["id"] for key in keys}
    better = {"user_id": "ada", "plan": "pro"}
    answer = await served.send("POST", "/api/v1/keys", served.other_token(role="admin"), json=better)
    assert answer.status_code == 403


async def test_budgets_are_those_of_the_user_and_the_providers_plan(served):
    answers = [
        await served.send("GET", "/api/v1/rate-limit", token) for token in (served.token(), served.other_token())
    ]
    assert [(one.json()["plan"], one.json()["limit"]) for one in answers] == [("enterprise", 60_000), ("free", 100)]


async def test_keys_go_on_working_beside_tokens(served):
    answer = await served.http.get(MEMORIES, headers={"Authorization": "Bearer pronoia_nonsense"})
    assert (answer.status_code, json.loads(answer.content)["code"]) == (401, "INVALID_API_KEY")
