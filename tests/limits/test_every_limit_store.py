"""What every shared store of budgets does, and the one for tests likewise."""

from __future__ import annotations

import asyncio
import random
import time
from uuid import UUID, uuid4

import pytest

from pronoia.ports.limit_store import CellClaim

pytestmark = pytest.mark.anyio

ORGANISATION = UUID(int=1)
SLOW = 1e6
"""Seconds a cell: nothing comes back during a test."""


def claim(key=b"key", *, organisation=ORGANISATION, interval=SLOW, limit=100, wanted=1.0, minimum=None, returned=0.0):
    minimum = wanted if minimum is None else minimum
    return CellClaim(organisation, key, interval, limit, wanted, minimum, returned)


@pytest.fixture
def key():
    return uuid4().bytes


async def test_a_budget_gives_its_limit_and_no_more(limit_store, key):
    grants = [(await limit_store.take([claim(key, limit=3)]))[0] for _ in range(4)]
    assert [grant.cells for grant in grants] == [1, 1, 1, 0]
    assert [grant.spent for grant in grants] == [1, 2, 3, 3]
    assert grants[-1].backlog_seconds == pytest.approx(3 * SLOW, rel=1e-6)


async def test_what_was_taken_comes_back_with_time(limit_store, key):
    started = time.monotonic()
    (first,) = await limit_store.take([claim(key, interval=0.01, limit=1_000, wanted=1_000)])
    assert first.cells == 1_000
    assert first.backlog_seconds == pytest.approx(10)
    (later,) = await limit_store.take([claim(key, interval=0.01, limit=1_000, wanted=1_000, minimum=0.001)])
    assert 0 < later.cells <= 100 * (time.monotonic() - started) + 0.01
    assert later.backlog_seconds <= 10 + 1e-6


async def test_what_is_there_is_given_if_it_is_of_use(limit_store, key):
    await limit_store.take([claim(key, wanted=95)])
    (none,) = await limit_store.take([claim(key, wanted=10, minimum=6)])
    (some,) = await limit_store.take([claim(key, wanted=10, minimum=2.5)])
    assert (none.cells, some.cells) == (0, pytest.approx(5, abs=1e-3))


async def test_what_is_returned_can_be_taken_again(limit_store, key):
    await limit_store.take([claim(key, wanted=100)])
    (grant,) = await limit_store.take([claim(key, wanted=30, returned=40)])
    assert (grant.cells, grant.spent) == (30, 90)
    assert grant.backlog_seconds == pytest.approx(90 * SLOW, rel=1e-6)


async def test_returning_more_than_was_taken_saves_nothing_up(limit_store, key):
    await limit_store.take([claim(key, wanted=1)])
    (grant,) = await limit_store.take([claim(key, wanted=200, minimum=1, returned=50)])
    assert grant.cells == pytest.approx(100, abs=1e-3)


async def test_looking_takes_nothing(limit_store, key):
    await limit_store.take([claim(key, wanted=40)])
    for _ in range(2):
        (seen,) = await limit_store.take([claim(key, wanted=0)])
        assert (seen.cells, seen.spent) == (0, 40)
        assert seen.backlog_seconds == pytest.approx(40 * SLOW, rel=1e-6)


async def test_keys_and_organisations_have_budgets_of_their_own_and_answers_keep_their_order(limit_store, key):
    other = uuid4().bytes
    claims = [
        claim(key, wanted=60),
        claim(other, wanted=10),
        claim(key, organisation=UUID(int=0), wanted=20),
    ]
    assert [grant.cells for grant in await limit_store.take(claims)] == [60, 10, 20]
    claims.reverse()
    assert [grant.cells for grant in await limit_store.take(claims)] == [20, 10, 0]


async def test_many_who_take_at_once_get_the_limit_together(open_limit_store, key):
    stores = [await open_limit_store() for _ in range(4)]
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    draw = random.Random(seed)  # noqa: S311 - no secret
    keys = [key, uuid4().bytes]

    async def spend(store):
        total = 0.0
        for _ in range(50):
            wanted = draw.uniform(0.5, 3)
            claims = [claim(one, limit=150, wanted=wanted, minimum=0.5) for one in draw.sample(keys, 2)]
            total += sum(grant.cells for grant in await store.take(claims))
        return total

    total = sum(await asyncio.gather(*(spend(store) for store in stores)))
    assert total == pytest.approx(300, abs=1.01)
