from __future__ import annotations

import answers
import pytest
from scripted_server import Reply


def memories(first, last):
    return [answers.memory(f"m{number}") for number in range(first, last)]


def will_give_five(scripted):
    scripted.will(
        Reply(200, answers.page(*memories(0, 2), total=5, next_cursor="c1")),
        Reply(200, answers.page(*memories(2, 4), total=5, next_cursor="c2")),
        Reply(200, answers.page(*memories(4, 5), total=5)),
    )


def queries(scripted):
    return [received.query for received in scripted.received]


@pytest.mark.parametrize("verb", ["get_all", "iterate"])
def test_every_page_is_followed_to_the_end(connect, scripted, verb):
    will_give_five(scripted)
    found = getattr(connect(), verb)(page_size=2, user_id="ada")
    assert [memory.id for memory in found] == ["m0", "m1", "m2", "m3", "m4"]
    assert queries(scripted) == [
        {"limit": "2"},
        {"limit": "2", "cursor": "c1"},
        {"limit": "2", "cursor": "c2"},
    ]
    assert {received.headers["X-User-ID"] for received in scripted.received} == {"ada"}


@pytest.mark.parametrize("verb", ["get_all", "iterate"])
def test_no_more_is_asked_for_than_the_limit(connect, scripted, verb):
    scripted.will(
        Reply(200, answers.page(*memories(0, 2), next_cursor="c1")),
        Reply(200, answers.page(*memories(2, 3), next_cursor="c2")),
    )
    found = getattr(connect(), verb)(page_size=2, limit=3)
    assert [memory.id for memory in found] == ["m0", "m1", "m2"]
    assert queries(scripted) == [{"limit": "2"}, {"limit": "1", "cursor": "c1"}]


def test_a_limit_of_nothing_asks_nothing(connect, scripted):
    assert connect().get_all(limit=0) == []
    assert scripted.received == []


def test_a_server_that_repeats_its_cursor_does_not_hold_the_client(connect, scripted):
    scripted.will(*[Reply(200, answers.page(*memories(0, 1), next_cursor="c1"))] * 2)
    assert len(connect().get_all()) == 2


def test_a_page_says_how_many_there_are_and_how_to_go_on(connect, scripted):
    scripted.will(Reply(200, answers.page(*memories(0, 2), total=5, next_cursor="c1")))
    page = connect().get_page(limit=2)
    assert (len(page.memories), page.total, page.next_cursor) == (2, 5, "c1")


def test_conditions_are_written_into_the_query(connect, scripted):
    scripted.will(Reply(200, answers.page()))
    connect().get_all(
        filters={"user_id": "ada", "topic": "tea"}, agent_id="helper", run_id="s1", tags=["a", "b"], source="chat"
    )
    assert queries(scripted) == [
        {
            "agent_id": "helper",
            "session_id": "s1",
            "source": "chat",
            "tags": "a,b",
            "metadata": '{"topic":"tea"}',
            "limit": "100",
        }
    ]


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_a_page_size_out_of_bounds_is_refused(connect, scripted, size):
    with pytest.raises(ValueError, match="from 1 to 1000"):
        connect().get_all(page_size=size)
    assert scripted.received == []
