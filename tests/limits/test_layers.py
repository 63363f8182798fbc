"""What each plan allows, and which requests are charged to whom."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from pronoia.domain.errors import InvalidCredentialError, StoreUnavailableError, UnavailableError
from pronoia.domain.records import ApiKey, Permission, Plan
from pronoia.services.rate_limiter import RateLimiter
from pronoia.services.rate_limits import NO_LIMITS, Budget, Limits, RateLimits
from pronoia.testing.limit_store import InMemoryLimitStore

pytestmark = pytest.mark.anyio
ORGANISATION = UUID(int=1)


def key(plan=Plan.FREE, organisation=ORGANISATION):
    return ApiKey(uuid4().hex, organisation, None, frozenset(Permission), plan, b"", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def store(clock):
    return InMemoryLimitStore(clock)


@pytest.fixture
def limited(store, clock, meter):
    def make(limits=None):
        limiter = RateLimiter(store=store, clock=clock, meter=meter, load=lambda: 0.0)
        return RateLimits(limiter=limiter, limits=limits or Limits())

    return make


async def admitted(limits, key, user, budget=Budget.ORDINARY, *, times):
    """Count how many of so many requests are admitted, and give what refused the others."""
    count, refusing = 0, set()
    for _ in range(times):
        usage = await limits.charge(key, user, budget)
        count += not usage.is_refused
        if usage.is_refused:
            refusing.add(usage.limiter)
    return count, refusing


@pytest.mark.parametrize(("plan", "factor"), [("free", 1), ("pro", 10), ("team", 50), ("enterprise", 600)])
async def test_a_plan_multiplies_the_documented_numbers(limited, plan, factor):
    usages = await limited().of_principal(key(Plan(plan)), "ada")
    assert {usage.limiter: usage.limit for usage in usages} == {
        "organisation": 1_000 * factor,
        "user": 100 * factor,
        "expensive": 20 * factor,
        "learning": 10 * factor,
    }


async def test_users_and_organisations_do_not_spend_each_others_budgets(limited):
    limits, other = limited(Limits(burst=0)), key(organisation=UUID(int=2))
    assert await admitted(limits, key(), "ada", times=120) == (100, {"user"})
    assert await admitted(limits, key(), "bob", times=120) == (100, {"user"})
    assert await admitted(limits, other, "ada", times=120) == (100, {"user"})


async def test_all_users_of_an_organisation_share_its_budget(limited):
    limits, service = limited(Limits(organisation=150, burst=0)), key()
    assert await admitted(limits, service, "ada", times=100) == (100, set())
    assert await admitted(limits, service, "bob", times=100) == (50, {"organisation"})


@pytest.mark.parametrize(
    ("budget", "limiter", "allowed"), [("expensive", "expensive", 20), ("learning", "learning", 10)]
)
async def test_a_narrower_budget_is_spent_beside_the_wider_ones(limited, budget, limiter, allowed):
    limits = limited(Limits(burst=0))
    assert await admitted(limits, key(), "ada", Budget(budget), times=30) == (allowed, {limiter})
    assert await admitted(limits, key(), "ada", times=120) == (100 - allowed, {"user"})


async def test_the_instance_is_limited_only_if_told(limited):
    limits = limited(Limits(instance=30, burst=0))
    assert await admitted(limits, key(), "ada", times=20) == (20, set())
    other = key(Plan.ENTERPRISE, UUID(int=2))
    assert await admitted(limits, other, "bob", times=20) == (10, {"global"})


async def test_what_is_free_spends_nothing(limited):
    limits = limited()
    for _ in range(200):
        assert await limits.charge(key(), "ada", Budget.FREE) is None
    assert [usage.remaining for usage in await limits.of_principal(key(), "ada")] == [1_000, 100, 20, 10]


async def test_a_request_without_a_user_is_charged_to_its_key(limited):
    limits, one = limited(Limits(burst=0)), key()
    assert await admitted(limits, one, None, times=120) == (100, {"user"})
    assert await admitted(limits, one, f"key:{one.id}", times=1) == (1, set())


async def test_the_tightest_budget_is_told(limited):
    limits = limited()
    assert (await limits.charge(key(), "ada", Budget.ORDINARY)).limiter == "user"
    assert (await limits.charge(key(), "ada", Budget.EXPENSIVE)).limiter == "expensive"


async def fail(limits, address, error=InvalidCredentialError):
    with pytest.raises(error):
        async with limits.attempt(address) as usage:
            raise error("no")
    return usage


async def test_failed_attempts_are_charged_to_their_address_and_others_are_not(limited, clock):
    limits = limited()
    for _ in range(50):
        async with limits.attempt("192.0.2.1"):
            pass
    for _ in range(50):
        await fail(limits, "192.0.2.1", StoreUnavailableError)
    remaining = [(await fail(limits, "192.0.2.1")).remaining for _ in range(20)]
    assert remaining == list(range(19, -1, -1))
    assert (await fail(limits, "192.0.2.1")).is_refused
    assert not (await fail(limits, "192.0.2.2")).is_refused
    clock.advance(3)
    assert not (await fail(limits, "192.0.2.1")).is_refused


async def test_an_attempt_that_is_refused_gives_nothing_back(limited):
    limits = limited()
    for _ in range(20):
        await fail(limits, "192.0.2.1")
    for _ in range(3):
        assert (await fail(limits, "192.0.2.1", StoreUnavailableError)).is_refused


async def test_without_the_store_known_keys_are_served_by_local_limits_and_no_attempt_is_made(limited, store):
    limits = limited(Limits(burst=0))
    store.failing = True
    assert await admitted(limits, key(), "ada", times=120) == (100, {"user"})
    with pytest.raises(UnavailableError):
        async with limits.attempt("192.0.2.1"):
            pytest.fail("the attempt was made")


async def test_limits_that_are_off_refuse_nobody(limited, store):
    limits = limited(NO_LIMITS)
    for _ in range(200):
        assert await limits.charge(key(), "ada", Budget.EXPENSIVE) is None
        assert await fail(limits, "192.0.2.1") is None
    assert limits.of_address("192.0.2.1") is None
    assert store.calls == 0


@pytest.mark.parametrize(("plan", "threshold"), [(Plan.FREE, 50), (Plan.PRO, 500)])
async def test_more_than_a_plans_burst_within_ten_seconds_halves_the_budget(limited, plan, threshold):
    limits = limited()
    for _ in range(threshold):
        assert not (await limits.charge(key(plan), "ada", Budget.ORDINARY)).in_burst
    usage = await limits.charge(key(plan), "ada", Budget.ORDINARY)
    assert (usage.in_burst, usage.limit) == (True, threshold)
