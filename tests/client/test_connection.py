from __future__ import annotations

import asyncio

import answers
import httpx2
import pytest
from scripted_server import Reply

from pronoia.client import AsyncPronoia, AuthenticationError, Pronoia

HEALTHY = Reply(200, {"status": "ok", "version": "1.2.3", "service": "pronoia"})
BOTH = pytest.mark.parametrize("kind", [AsyncPronoia, Pronoia])


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in ("PRONOIA_API_KEY", "PRONOIA_URL"):
        monkeypatch.delenv(name, raising=False)


def test_key_and_address_come_from_the_environment(open_client, scripted, monkeypatch):
    monkeypatch.setenv("PRONOIA_API_KEY", " key-of-environment\n")
    monkeypatch.setenv("PRONOIA_URL", scripted.url)
    scripted.will(HEALTHY)
    assert open_client().health().version == "1.2.3"
    assert scripted.received[0].headers["X-API-Key"] == "key-of-environment"


def test_arguments_win_over_the_environment(connect, scripted, monkeypatch):
    monkeypatch.setenv("PRONOIA_API_KEY", "other")
    monkeypatch.setenv("PRONOIA_URL", "http://127.0.0.1:9")
    scripted.will(HEALTHY)
    assert connect().health().status == "ok"
    assert scripted.received[0].headers["X-API-Key"] == "key-1"


@BOTH
def test_without_an_address_it_is_the_local_default(kind):
    assert "base_url='http://127.0.0.1:8080'" in repr(kind("key-1"))


@BOTH
def test_without_a_key_nothing_is_sent(kind):
    with pytest.raises(AuthenticationError, match="PRONOIA_API_KEY") as caught:
        kind()
    assert caught.value.code == "MISSING_API_KEY"
    assert caught.value.status is None


@BOTH
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(kind):
    with pytest.raises(ValueError, match="API key") as caught:
        kind("geheim\r\nX-Other: ü")
    assert "geheim" not in str(caught.value)


@BOTH
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:8080",
        "ftp://host",
        "http://",
        "http://user:word@host",
        "http://host?a=1",
        "http://host#a",
        "http://host:port",
    ],
)
def test_an_address_that_cannot_work_is_refused(kind, address):
    with pytest.raises(ValueError, match="base_url"):
        kind("key-1", address)


@BOTH
def test_a_timeout_of_zero_is_refused(kind):
    with pytest.raises(ValueError, match="timeout"):
        kind("key-1", timeout=0)


@pytest.mark.parametrize("ending", ["", "/", "/api/v1", "/api/v1/"])
def test_an_address_may_end_in_the_path_of_the_api(connect, scripted, ending):
    scripted.will(HEALTHY)
    connect(base_url=scripted.url + ending).health()
    assert scripted.received[0].path == "/api/v1/health"


def test_an_address_may_have_a_prefix(connect, scripted):
    scripted.will(HEALTHY)
    connect(base_url=f"{scripted.url}/memory").health()
    assert scripted.received[0].path == "/memory/api/v1/health"


@BOTH
def test_its_representation_hides_the_key(kind):
    client = kind("secret-key", "http://host:1", user_id="ada")
    assert repr(client) == f"{kind.__name__}(base_url='http://host:1', user_id='ada')"
    assert "secret-key" not in repr(vars(client)["_settings"])


def test_it_names_itself(connect, scripted):
    scripted.will(HEALTHY)
    connect().health()
    assert scripted.received[0].headers["User-Agent"].startswith("pronoia-python/")
    assert scripted.received[0].headers["Accept"] == "application/json"


def test_the_blocking_client_closes_at_the_end_of_its_block(scripted):
    scripted.will(HEALTHY)
    with Pronoia("key-1", scripted.url) as client:
        assert client.health().status == "ok"
    with pytest.raises(RuntimeError, match="closed"):
        client.health()


def test_the_asynchronous_client_closes_at_the_end_of_its_block(scripted):
    scripted.will(HEALTHY)

    async def use() -> None:
        async with AsyncPronoia("key-1", scripted.url) as client:
            assert (await client.health()).status == "ok"
        with pytest.raises(RuntimeError, match="closed"):
            await client.health()

    asyncio.run(use())


def test_a_connection_is_used_again(connect, scripted):
    scripted.will(HEALTHY, HEALTHY)
    client = connect()
    client.health()
    client.health()
    assert [received.headers.get("Connection") for received in scripted.received] == ["keep-alive", "keep-alive"]


def test_an_http_client_of_the_callers_is_used_and_left_open(scripted):
    scripted.will(HEALTHY, HEALTHY)
    with httpx2.Client(headers={"X-Extra": "1"}) as http:
        with Pronoia("key-1", scripted.url, http_client=http) as client:
            client.health()
        assert http.get(f"{scripted.url}/direct").status_code == 200
    assert scripted.received[0].headers["X-Extra"] == "1"
    assert scripted.received[0].headers["X-API-Key"] == "key-1"
    assert "X-API-Key" not in scripted.received[1].headers


def test_many_asynchronous_calls_share_one_client(scripted):
    scripted.will(*[Reply(201, answers.memory(str(number))) for number in range(20)])

    async def use() -> set[str]:
        async with AsyncPronoia("key-1", scripted.url) as client:
            stored = await asyncio.gather(*(client.remember(f"text {number}") for number in range(20)))
        return {memory.id for memory in stored}

    assert asyncio.run(use()) == {str(number) for number in range(20)}
