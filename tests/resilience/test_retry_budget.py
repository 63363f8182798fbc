from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pronoia.resilience.retry import RetryBudget, RetryPolicy


def test_the_waits_are_one_two_and_four_seconds_and_never_more_than_thirty() -> None:
    policy = RetryPolicy()
    assert [policy.wait(retry, lambda: 0.0) for retry in (1, 2, 3, 9)] == [1.0, 2.0, 4.0, 30.0]


def test_chance_shortens_a_wait_by_half_at_most() -> None:
    assert RetryPolicy().wait(2, lambda: 1.0) == 1.0


@given(st.lists(st.booleans(), max_size=500))
def test_retries_are_a_tenth_of_the_calls_and_what_was_saved(retried: list[bool]) -> None:
    budget = RetryBudget(share=0.1, reserve=10)
    granted = 0
    for wants_retry in retried:
        budget.called()
        granted += wants_retry and budget.spend()
    assert granted <= 10 + 0.1 * len(retried)


def test_a_spent_budget_grants_a_retry_for_every_tenth_call() -> None:
    budget = RetryBudget(share=0.1, reserve=2)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    granted = 0
    for _ in range(101):
        budget.called()
        granted += budget.spend()
    assert granted == 10
