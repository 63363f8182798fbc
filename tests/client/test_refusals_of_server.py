"""What Pronoia itself refuses, as the clients tell it."""

from __future__ import annotations

import pytest

from pronoia.client import AuthenticationError, NotFoundError, ValidationError

UNKNOWN = "019a0000-0000-7000-8000-000000000000"


@pytest.mark.parametrize("verb", ["get", "delete", "history", "relationships", "graph", "unrelate"])
def test_an_unknown_id_is_not_found(client, verb):
    with pytest.raises(NotFoundError):
        getattr(client, verb)(UNKNOWN)


def test_changing_or_judging_an_unknown_memory_is_not_found(client):
    with pytest.raises(NotFoundError):
        client.update(UNKNOWN, text="new")
    with pytest.raises(NotFoundError):
        client.feedback(UNKNOWN, helpful=True)


def test_a_wrong_key_is_refused(server, open_client):
    stranger = open_client(api_key="pk_live_000000000000_nothing", base_url=server.url, user_id="ada")
    with pytest.raises(AuthenticationError) as caught:
        stranger.get_all()
    assert (caught.value.status, caught.value.code) == (401, "INVALID_API_KEY")


def test_a_service_key_must_name_its_user(server, open_client):
    service = open_client(api_key=server.service_key, base_url=server.url)
    with pytest.raises(ValidationError, match="user_id"):
        service.get_all()


@pytest.mark.parametrize("text", ["", "   \n"])
def test_an_empty_text_is_refused_by_name(client, text):
    with pytest.raises(ValidationError) as caught:
        client.remember(text)
    assert caught.value.status == 400
    assert caught.value.details["field"] == "text"


def test_a_text_that_is_too_long_is_refused_with_the_limit(client):
    with pytest.raises(ValidationError) as caught:
        client.remember("a" * 10_001)
    assert caught.value.code == "INVALID_TEXT_LENGTH"
    assert 10_000 in caught.value.details.values()
    assert client.get_all() == []


def test_a_batch_with_one_bad_memory_stores_none(client):
    with pytest.raises(ValidationError):
        client.add_many(["A good text.", " "])
    assert client.get_all() == []
