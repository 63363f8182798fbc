"""What publishes keys may be down, slow or hostile: asking it ends in time, in bounds, and at that address."""

from __future__ import annotations

import asyncio

import pytest
from identity_provider import answer

from pronoia.adapters.identity import key_endpoint
from pronoia.adapters.identity.key_endpoint import KeyEndpoint
from pronoia.adapters.identity.key_set import MAXIMUM_SET_BYTES
from pronoia.domain.errors import ConfigurationError, IdentityUnavailableError
from pronoia.resilience.breaker import Breaker, BreakerPolicy

pytestmark = pytest.mark.anyio


@pytest.fixture
async def endpoint(provider):
    endpoint = KeyEndpoint(provider.keys_url, Breaker("identity", BreakerPolicy(failures=2)), setting="keys_url")
    yield endpoint
    await endpoint.close()


async def reason(endpoint):
    with pytest.raises(IdentityUnavailableError) as caught:
        await endpoint.fetch()
    return caught.value.details["reason"]


async def test_an_endless_answer_is_cut_off(endpoint, provider):
    provider.endless = True
    assert await reason(endpoint) == f"its answer is larger than {MAXIMUM_SET_BYTES} bytes"
    assert provider.sent_bytes < 20 << 20


async def test_a_provider_that_hangs_is_waited_for_no_longer_than_allowed(provider, monkeypatch):
    monkeypatch.setattr(key_endpoint, "TIMEOUT_SECONDS", 0.1)
    endpoint = KeyEndpoint(provider.keys_url, None, setting="keys_url")
    provider.silent = True
    async with asyncio.timeout(3):
        assert (await reason(endpoint)).startswith(("it did not answer", "the connection failed"))
    await endpoint.close()


async def test_a_redirect_is_not_followed(endpoint, provider):
    provider.reply = answer(b"", "302 Found", Location=f"{provider.issuer}/elsewhere")
    assert await reason(endpoint) == "it answered 302"
    assert provider.fetches == 1


async def test_a_provider_that_failed_repeatedly_is_left_alone(endpoint, provider):
    provider.reply = answer(b"", "500 Internal Server Error")
    assert [await reason(endpoint) for _ in range(2)] == ["it answered 500"] * 2
    assert await reason(endpoint) == "it failed repeatedly and is left alone for a while"
    assert provider.fetches == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
async def test_this_machine_may_be_asked_in_the_clear(host):
    await KeyEndpoint(f"http://{host}:8443/keys", None, setting="keys_url").close()


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.com/keys",
        "http://10.0.0.1/keys",
        "http://127.0.0.1.example.com/keys",
        "http://localhost.example.com/keys",
        "ftp://127.0.0.1/keys",
        "file:///etc/passwd",
        "https:///keys",
        "login.example.com/keys",
        "http://[::1/keys",
    ],
)
async def test_every_other_address_must_be_https(url):
    with pytest.raises(ConfigurationError, match="keys_url of corporate"):
        KeyEndpoint(url, None, setting="keys_url of corporate")
