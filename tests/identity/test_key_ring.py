"""A provider is asked for its keys seldom, whatever is sent here; and while it is down, its last keys serve."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from identity_provider import ALGORITHMS, answer, claims, signing_key

from pronoia.domain.errors import IdentityUnavailableError, InvalidTokenError
from pronoia.domain.organisations import Standing
from pronoia.services.identity.key_ring import FRESH_SECONDS, PAUSE_SECONDS, STALE_SECONDS, UNKNOWN_SECONDS
from pronoia.testing.meter import series

pytestmark = pytest.mark.anyio

DOWN = answer(b"{}", "503 Service Unavailable")


async def anybody(_):
    return Standing()


async def let_in(tokens, token):
    """Say whether a token is accepted."""
    try:
        await tokens.authenticate(token, anybody)
    except InvalidTokenError:
        return False
    return True


async def test_many_callers_wait_for_one_fetch(ring, provider):
    keys = await asyncio.gather(*(ring.find(algorithm) for algorithm in ALGORITHMS * 20))
    assert [key.id for key in keys] == list(ALGORITHMS * 20)
    assert provider.fetches == 1


async def test_a_thousand_tokens_with_invented_key_ids_cost_one_fetch_a_minute(tokens, provider, clock):
    forger = signing_key("EdDSA", "stolen")
    fetches, tries, successes, served = [], 0, 0, 0
    for _minute in range(10):
        before, forged = provider.fetches, claims(provider.issuer, clock.now().timestamp())
        honest = signing_key("ES256", "ES256").sign(forged)
        for _ in range(100):
            successes += await let_in(tokens, forger.sign(forged, kid=uuid4().hex))
            served += await let_in(tokens, honest)
            tries += 1
        fetches.append(provider.fetches - before)
        clock.advance(PAUSE_SECONDS)
    assert max(fetches) == 1
    assert (tries, successes, served) == (1_000, 0, 1_000)


async def test_one_key_id_that_is_unknown_is_not_asked_for_every_minute(ring, provider, clock):
    for _ in range(int(UNKNOWN_SECONDS / PAUSE_SECONDS)):
        assert await ring.find("gone") is None
        clock.advance(PAUSE_SECONDS)
    assert provider.fetches == 1
    assert await ring.find("gone") is None
    assert provider.fetches == 2


async def test_a_key_id_that_came_before_its_key_is_asked_for_as_soon_as_the_pause_is_over(ring, provider, clock):
    await ring.refresh()
    provider.keys = [*provider.keys, signing_key("ES256", "next")]
    clock.advance(PAUSE_SECONDS - 1)
    assert await ring.find("next") is None
    clock.advance(1)
    assert (await ring.find("next")).id == "next"


async def test_what_is_unknown_is_bounded(ring):
    await asyncio.gather(*(ring.find(f"{number:0255}") for number in range(3_000)))
    assert 900 < len(ring._unknown) <= 1_000


async def test_both_keys_work_while_they_are_rotated_and_the_old_one_stops_when_it_is_withdrawn(
    tokens, ring, provider, clock
):
    old, new = signing_key("RS256", "RS256"), signing_key("RS256", "next")
    provider.keys = [old]
    assert await let_in(tokens, old.sign(claims(provider.issuer, clock.now().timestamp())))
    provider.keys = [old, new]
    clock.advance(PAUSE_SECONDS)
    honest = claims(provider.issuer, clock.now().timestamp())
    assert [await let_in(tokens, key.sign(honest)) for key in (new, old, new)] == [True, True, True]
    provider.keys = [new]
    clock.advance(FRESH_SECONDS)
    await ring.refresh()
    assert [await let_in(tokens, key.sign(honest)) for key in (old, new)] == [False, True]


async def test_keys_are_fetched_again_only_when_they_are_no_longer_fresh(ring, provider, clock):
    await ring.refresh()
    clock.advance(FRESH_SECONDS - 1)
    await ring.refresh()
    assert provider.fetches == 1
    clock.advance(1)
    await ring.refresh()
    assert provider.fetches == 2


@pytest.mark.parametrize(
    "failure",
    [
        DOWN,
        answer(b"<html><body>Sign in</body></html>", Content_Type="text/html"),
        answer(b'{"keys": []}'),
        answer(b'{"keys": [{"kty": "oct", "kid": "RS256", "k": "c2VjcmV0"}]}'),
        answer(b"[" * 200_000),
        answer(b"", "302 Found", Location="http://127.0.0.1:1/keys"),
        answer(b"\x1f\x8b", Content_Encoding="gzip"),
        b"nonsense\r\n\r\n",
    ],
    ids=["503", "HTML", "no keys", "no use", "nested", "redirect", "compressed", "no HTTP"],
)
async def test_while_a_provider_fails_its_last_keys_serve_for_a_bounded_time(ring, provider, clock, meter, failure):
    await ring.refresh()
    provider.reply = failure
    clock.advance(FRESH_SECONDS)
    await ring.refresh()
    assert provider.fetches == 2
    assert meter.counts[series("identity_key_fetches_total", outcome="failed")] == 1
    assert (await ring.find("ES256")).algorithm == "ES256"
    clock.advance(STALE_SECONDS - FRESH_SECONDS)
    with pytest.raises(IdentityUnavailableError):
        await ring.find("ES256")
    provider.reply = None
    clock.advance(PAUSE_SECONDS)
    assert (await ring.find("ES256")).algorithm == "ES256"


async def test_a_provider_that_was_never_reached_makes_nobody_a_forger(tokens, provider, clock):
    provider.reply = DOWN
    token = signing_key("EdDSA", "EdDSA").sign(claims(provider.issuer, clock.now().timestamp()))
    for _ in range(20):
        with pytest.raises(IdentityUnavailableError):
            await tokens.authenticate(token, anybody)
    assert provider.fetches == 1
    provider.reply = None
    clock.advance(PAUSE_SECONDS)
    assert await let_in(tokens, token)


async def test_known_keys_are_found_while_the_provider_hangs(ring, provider, clock):
    await ring.refresh()
    provider.silent = True
    clock.advance(FRESH_SECONDS)
    provider.asked.clear()
    refreshing = asyncio.create_task(ring.refresh())
    await provider.asked.wait()
    async with asyncio.timeout(1):
        assert (await ring.find("RS256")).id == "RS256"
    assert not refreshing.done()
    await provider.stop()
    await refreshing


async def test_tokens_that_are_wrong_besides_their_key_make_no_provider_be_asked(tokens, provider, clock):
    forger, now = signing_key("EdDSA", "stolen"), clock.now().timestamp()
    for changes in ({"aud": "other"}, {"exp": now - 60}, {"iat": now + 60}, {"sub": None}, {"iss": "https://other"}):
        assert not await let_in(tokens, forger.sign(claims(provider.issuer, now, **changes)))
    assert provider.fetches == 0
