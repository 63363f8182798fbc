from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pronoia.client.filters import resolve_filters


def test_scopes_are_read_from_filters():
    conditions = resolve_filters({"user_id": "ada", "agent_id": "helper", "run_id": "s1"})
    assert conditions.user_id == "ada"
    assert conditions.fields == {"agent_id": "helper", "session_id": "s1"}


def test_a_session_may_be_called_by_either_name():
    assert resolve_filters({"session_id": "s1"}) == resolve_filters(run_id="s1")


def test_the_servers_own_conditions_are_read_from_filters():
    conditions = resolve_filters(
        {"project_id": "p", "source": "chat", "tags": ["a", "b"], "created_after": "2026-01-01"}
    )
    assert conditions.fields == {
        "project_id": "p",
        "source": "chat",
        "tags": ["a", "b"],
        "created_after": "2026-01-01",
    }


def test_other_names_are_keys_of_the_metadata():
    conditions = resolve_filters({"topic": "tea", "metadata": {"cups": 2}}, metadata={"hot": True})
    assert conditions.fields == {"metadata": {"hot": True, "topic": "tea", "cups": 2}}


def test_a_metadata_value_may_be_null():
    assert resolve_filters({"topic": None}).fields == {"metadata": {"topic": None}}


def test_arguments_and_filters_unite():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    conditions = resolve_filters({"agent_id": "helper"}, user_id="ada", created_before=at)
    assert conditions.user_id == "ada"
    assert conditions.fields == {"agent_id": "helper", "created_before": at}


def test_the_same_condition_twice_is_one():
    assert resolve_filters({"user_id": "ada"}, user_id="ada").user_id == "ada"


@pytest.mark.parametrize(
    ("filters", "arguments"),
    [
        ({"user_id": "ada"}, {"user_id": "bob"}),
        ({"run_id": "s1", "session_id": "s2"}, {}),
        ({"topic": "tea"}, {"metadata": {"topic": "coffee"}}),
        ({"topic": "tea", "metadata": {"topic": "coffee"}}, {}),
    ],
)
def test_conditions_that_contradict_are_refused(filters, arguments):
    with pytest.raises(ValueError, match="given twice"):
        resolve_filters(filters, **arguments)


@pytest.mark.parametrize("filters", [{"AND": [{"user_id": "ada"}]}, {"cups": {"gt": 2}}, {"NOT": "x"}, {"list": [1]}])
def test_operators_are_refused_instead_of_matching_nothing(filters):
    with pytest.raises(ValueError, match="operators are not supported"):
        resolve_filters(filters)


def test_a_lone_tag_is_one_tag():
    assert resolve_filters(tags="work").fields == {"tags": ["work"]}
    assert resolve_filters({"tags": "work"}).fields == {"tags": ["work"]}


def test_nothing_given_is_no_condition():
    conditions = resolve_filters(None)
    assert conditions.user_id is None
    assert conditions.fields == {}
