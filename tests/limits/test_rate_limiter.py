"""The limiter of one process, and of several on one store, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import random
import tracemalloc
from uuid import UUID

import pytest

from pronoia.domain.errors import UnavailableError
from pronoia.ports.limit_store import CellGrant
from pronoia.resilience.rate_limit import LEASE_SECONDS, Rate
from pronoia.services.rate_limiter import PENALTY_SECONDS, STORE_SECONDS, Demand, RateLimiter, Subject
from pronoia.testing.limit_store import InMemoryLimitStore
from pronoia.testing.meter import series

pytestmark = pytest.mark.anyio
ORGANISATION = UUID(int=1)


def demand(name="ada", limit=100, **fields):
    return Demand(Subject("user", ORGANISATION, "free", name), Rate(limit), **fields)


@pytest.fixture
def store(clock):
    return InMemoryLimitStore(clock)


@pytest.fixture
def load():
    return [0.0]


@pytest.fixture
def make_limiter(store, clock, meter, load):
    return lambda **options: RateLimiter(store=store, clock=clock, meter=meter, load=lambda: load[0], **options)


@pytest.fixture
def limiter(make_limiter):
    return make_limiter()


async def admitted(limiter, *demands, times):
    """Count how many of so many requests are admitted."""
    count = 0
    for _ in range(times):
        count += not any(usage.is_refused for usage in await limiter.admit(demands))
    return count


async def test_a_budget_is_spent_and_comes_back(limiter, clock):
    assert await admitted(limiter, demand(), times=150) == 100
    clock.advance(6)
    assert await admitted(limiter, demand(), times=150) == 10
    clock.advance(600)
    assert await admitted(limiter, demand(), times=150) == 100


async def test_an_answer_tells_limit_remaining_and_reset(limiter, clock):
    (first,) = await limiter.admit([demand()])
    assert (first.limiter, first.limit, first.remaining, first.is_refused) == ("user", 100, 99, False)
    assert first.reset_seconds == pytest.approx(0.6)
    await admitted(limiter, demand(), times=99)
    clock.advance(0.1)
    (refused,) = await limiter.admit([demand()])
    assert (refused.limit, refused.remaining, refused.is_refused) == (100, 0, True)
    assert refused.retry_after_seconds == pytest.approx(0.5)
    assert refused.reset_seconds == pytest.approx(59.9)


async def test_who_waits_as_long_as_told_is_admitted(limiter, clock):
    await admitted(limiter, demand(), times=100)
    (refused,) = await limiter.admit([demand()])
    clock.advance(refused.retry_after_seconds)
    (usage,) = await limiter.admit([demand()])
    assert not usage.is_refused


async def test_a_request_that_one_budget_refuses_spends_nothing_of_the_others(limiter):
    wide, narrow = demand("organisation", limit=1_000), demand("narrow", limit=2)
    assert await admitted(limiter, wide, narrow, times=50) == 2
    (usage,) = await limiter.look([wide])
    assert usage.remaining == 998
    assert await admitted(limiter, wide, times=2_000) == 998


async def test_a_refusal_names_the_budgets_that_refuse_and_is_counted(limiter, meter):
    await admitted(limiter, demand("wide"), demand("narrow", limit=1), times=1)
    usages = await limiter.admit([demand("wide"), demand("narrow", limit=1)])
    assert [usage.limit for usage in usages] == [1]
    assert meter.counts[series("rate_limit_rejects_total", limiter_type="user")] == 1


async def test_large_budgets_are_paid_from_a_block_and_small_ones_are_exact(limiter, store):
    assert await admitted(limiter, demand("large", limit=60_000), times=3_000) == 3_000
    assert store.calls == 10
    assert await admitted(limiter, demand("small", limit=100), times=50) == 50
    assert store.calls == 60


async def test_a_refused_flood_does_not_reach_the_store(limiter, store):
    await admitted(limiter, demand(limit=5), times=5)
    calls = store.calls
    assert await admitted(limiter, demand(limit=5), times=1_000) == 0
    assert store.calls == calls


async def test_processes_share_a_budget(make_limiter):
    limiters = [make_limiter() for _ in range(4)]
    total = sum([await admitted(limiter, demand(limit=40), times=100) for limiter in limiters])
    assert total == 40


async def test_processes_admit_together_no_more_than_one_would(make_limiter, clock):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    draw = random.Random(seed)  # noqa: S311 - no secret
    limiters = [make_limiter() for _ in range(8)]
    total, seconds = 0, 0.0
    for _ in range(400):
        clock.advance(pause := draw.expovariate(5))
        seconds += pause
        total += await admitted(draw.choice(limiters), demand(limit=1_000), times=draw.randrange(20))
    assert total <= 1_000 + seconds * 1_000 / 60
    assert total >= 0.95 * min(1_000 + seconds * 1_000 / 60, total)


async def test_a_block_that_was_not_used_is_given_back(limiter, make_limiter, clock):
    assert await admitted(limiter, demand(limit=1_000), times=1) == 1
    clock.advance(LEASE_SECONDS)
    assert await admitted(limiter, demand(limit=1_000), times=1) == 1
    (seen,) = await make_limiter().look([demand(limit=1_000)])
    assert seen.remaining == 995


async def test_a_block_beside_a_full_budget_is_not_told_as_more_than_the_limit(limiter, clock):
    await limiter.admit([demand(limit=1_000)])
    clock.advance(LEASE_SECONDS / 2)
    (usage,) = await limiter.admit([demand(limit=1_000)])
    assert (usage.limit, usage.remaining) == (1_000, 1_000)


async def test_requests_that_come_together_wait_for_one_answer_and_take_one_block(limiter, store):
    usages = await asyncio.gather(*(limiter.admit([demand(limit=60_000)]) for _ in range(200)))
    assert not any(usage.is_refused for (usage,) in usages)
    assert store.calls == 1
    assert min(usage.remaining for (usage,) in usages) == 60_000 - 200


async def test_what_is_refunded_can_be_spent_again(limiter):
    await admitted(limiter, demand(limit=1), times=1)
    limiter.refund([demand(limit=1)])
    assert await admitted(limiter, demand(limit=1), times=2) == 1


@pytest.mark.parametrize(("measured", "admits"), [(0.0, 100), (0.5, 75), (1.0, 50), (7.0, 50), (-1.0, 100)])
async def test_budgets_shrink_with_load_to_a_half(limiter, load, measured, admits):
    load[0] = measured
    (first,) = await limiter.admit([demand()])
    assert (first.limit, first.remaining) == (admits, admits - 1)
    assert await admitted(limiter, demand(), times=150) == admits - 1


async def test_a_budget_of_one_is_not_shut_by_load(limiter, load):
    load[0] = 1.0
    assert await admitted(limiter, demand(limit=1), times=3) == 1


async def test_after_a_burst_requests_cost_twice_for_a_minute(limiter, clock, meter):
    bursting = demand(limit=1_000, burst=50)
    for _ in range(10):
        (usage,) = await limiter.admit([bursting])
        assert (usage.limit, usage.in_burst) == (1_000, False)
        await admitted(limiter, bursting, times=4)
    (usage,) = await limiter.admit([bursting])
    assert (usage.limit, usage.in_burst) == (500, True)
    assert meter.counts[series("rate_limit_bursts_total")] == 1
    (before,) = await limiter.look([bursting])
    assert await admitted(limiter, bursting, times=10) == 10
    (after,) = await limiter.look([bursting])
    assert after.remaining == before.remaining - 10
    clock.advance(PENALTY_SECONDS)
    (usage,) = await limiter.admit([bursting])
    assert (usage.limit, usage.in_burst) == (1_000, False)


async def test_a_burst_that_is_spread_over_processes_is_seen(make_limiter):
    limiters = [make_limiter() for _ in range(5)]
    bursting = demand(limit=100, burst=50)
    for _ in range(10):
        for limiter in limiters:
            (usage,) = await limiter.admit([bursting])
            assert not usage.in_burst
    for limiter in limiters:
        (usage,) = await limiter.admit([bursting])
        assert usage.in_burst


async def test_a_store_that_was_emptied_gives_full_budgets(make_limiter, store):
    await admitted(make_limiter(), demand(), times=100)
    store.clear()
    assert await admitted(make_limiter(), demand(), times=150) == 100


async def test_without_the_store_a_process_goes_on_from_what_it_knew(limiter, store, meter, clock):
    await admitted(limiter, demand(), times=40)
    store.failing = True
    assert await admitted(limiter, demand(), times=150) == 60
    assert await admitted(limiter, demand("new", limit=7), times=150) == 7
    assert meter.counts[series("rate_limit_store_failures_total")] == 1
    clock.advance(6)
    assert await admitted(limiter, demand(), times=150) == 10
    assert meter.counts[series("rate_limit_store_failures_total")] == 2


async def test_what_must_be_counted_is_refused_without_the_store_and_admitted_when_it_is_back(limiter, store, clock):
    store.failing = True
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await limiter.admit([demand()], strict=True)
    assert store.calls == 1
    store.failing = False
    clock.advance(1)
    (usage,) = await limiter.admit([demand()], strict=True)
    assert usage.remaining == 99


async def test_a_store_that_never_answers_is_given_up(clock, meter):
    class Silent:
        async def take(self, _):
            await asyncio.Event().wait()

    limiter = RateLimiter(store=Silent(), clock=clock, meter=meter, load=lambda: 0.0)
    async with asyncio.timeout(20 * STORE_SECONDS):
        assert await admitted(limiter, demand(limit=5), times=20) == 5
    assert meter.counts[series("rate_limit_store_failures_total")] == 1


async def test_any_number_of_names_takes_no_more_memory_than_the_map_may_hold(clock, meter):
    limiter = RateLimiter(store=_Generous(), clock=clock, meter=meter, load=lambda: 0.0, maximum_subjects=500)

    async def attack(first):
        for name in range(first, first + 5_000):
            await limiter.admit([demand(str(name))], strict=True)
            await asyncio.sleep(0)  # lets the loop forget its cancelled timers

    await attack(0)
    tracemalloc.start()
    await attack(5_000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(limiter._entries) == 500
    # The 500 themselves are new; 4,500 are gone.
    assert grown < 500 * 2_000


class _Generous:
    async def take(self, claims):
        return [CellGrant(claim.wanted, 0.0, 0.0) for claim in claims]
