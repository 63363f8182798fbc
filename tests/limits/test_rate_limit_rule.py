"""The rule alone, on a clock that the test moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronoia.resilience.rate_limit import LEASE_SECONDS, Lease, Rate, Taken, take

RATE = Rate(limit=100)
STEPS = st.lists(
    st.tuples(st.floats(0, 30), st.floats(0.1, 40), st.floats(0.1, 40)).map(lambda one: (one[0], one[1], min(one[1:]))),
    max_size=200,
)


def test_a_full_budget_gives_its_limit_at_once_and_then_one_cell_an_interval():
    backlog = 0.0
    for _ in range(100):
        taken = take(RATE, backlog, 1, 1)
        assert taken.cells == pytest.approx(1)
        backlog = taken.backlog_seconds
    assert backlog == pytest.approx(60)
    assert take(RATE, backlog, 1, 1).cells == 0
    assert take(RATE, backlog - 0.59, 1, 1).cells == 0
    assert take(RATE, backlog - 0.6, 1, 1).cells == pytest.approx(1)


def test_less_than_wanted_is_taken_but_never_less_than_is_of_use():
    assert take(RATE, 0.6 * 95, 10, 3) == Taken(pytest.approx(5), pytest.approx(60))
    assert take(RATE, 0.6 * 95, 10, 6) == Taken(0, 0.6 * 95)


@given(STEPS)
def test_no_window_gives_more_than_the_limit_and_what_comes_back_meanwhile(steps):
    now, full_at, given_away = 0.0, 0.0, [(0.0, 0.0)]
    for pause, wanted, minimum in steps:
        now += pause
        taken = take(RATE, max(full_at - now, 0.0), wanted, minimum)
        assert taken.cells == 0 or minimum - 1e-5 <= taken.cells <= wanted
        full_at = now + taken.backlog_seconds
        given_away.append((now, taken.cells))
    for first, (start, _) in enumerate(given_away):
        total = 0.0
        for at, cells in given_away[first:]:
            total += cells
            assert total <= RATE.limit + (at - start) / RATE.interval + 1e-3


def test_who_waits_as_long_as_told_is_admitted():
    lease = Lease(RATE)
    lease.renew(take(RATE, 59.7, 1, 1), now=0.0)
    wait = lease.wait(1, now=0.0)
    assert wait == pytest.approx(0.3)
    assert lease.wait(1, now=wait) == 0
    assert take(RATE, lease.backlog(wait), 1, 1).cells == pytest.approx(1)


def test_what_is_held_pays_until_it_is_spent_or_old():
    lease = Lease(RATE)
    assert not lease.covers(1, now=0.0)
    lease.renew(Taken(3, 1.8), now=0.0)
    lease.spend(2)
    assert lease.covers(1, now=0.0)
    assert not lease.covers(2, now=0.0)
    assert lease.available(0.0) == pytest.approx(98)
    assert lease.surrender(LEASE_SECONDS - 1) == 0
    assert not lease.covers(1, now=LEASE_SECONDS)
    assert lease.surrender(LEASE_SECONDS) == 1
    assert lease.missing(2, now=LEASE_SECONDS) == 2
