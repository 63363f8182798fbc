"""Keys that expire, are rotated and are revoked, as several processes see them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from pronoia.domain.errors import InvalidCredentialError, InvalidInputError, NotFoundError
from pronoia.domain.identifiers import Scope
from pronoia.domain.organisations import Standing
from pronoia.domain.records import Permission, Plan
from pronoia.domain.roles import Role
from pronoia.services.key_format import key_text, new_secret
from pronoia.services.key_uses import PAUSE_SECONDS, KeyUses
from pronoia.services.keys import CACHE_SECONDS, LONGEST_OVERLAP, Keys

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)


async def make(organisation, *, user_id="ada", permissions=Permission, expires_at=None):
    return await organisation.keys.create(
        user_id=user_id, plan=Plan.PRO, permissions=permissions, organisation_id=organisation.id,
        expires_at=expires_at,
    )  # fmt: skip


async def is_let_in(keys, text):
    try:
        await keys.authenticate(text)
    except InvalidCredentialError:
        return False
    return True


async def test_an_expired_key_is_refused_to_the_second_though_it_is_cached(organisation):
    _, text = await make(organisation, expires_at=organisation.clock.now() + timedelta(seconds=2))
    assert await is_let_in(organisation.keys, text)
    organisation.clock.advance(1.9)
    assert await is_let_in(organisation.keys, text)
    organisation.clock.advance(0.1)
    with pytest.raises(InvalidCredentialError, match="expired at 2026-01-01T00:00:02Z"):
        await organisation.keys.authenticate(text)


@pytest.mark.parametrize("seconds", [0, -1])
async def test_a_key_cannot_be_made_to_have_expired(organisation, seconds):
    with pytest.raises(InvalidInputError):
        await make(organisation, expires_at=organisation.clock.now() + timedelta(seconds=seconds))


async def test_both_secrets_work_in_every_process_until_the_overlap_ends(organisation):
    key, former = await make(organisation)
    elsewhere = organisation.another_process()
    assert await is_let_in(elsewhere, former)
    rotated, new = await organisation.keys.rotate(organisation.id, key.id, overlap=HOUR)
    assert rotated.id == key.id
    # At once, and though the other process has just read the key as it was.
    for keys in (organisation.keys, elsewhere):
        for text in (former, new, former):
            assert (await keys.authenticate(text)).id == key.id
            assert keys.knows(text)
    organisation.clock.advance(3_599.9)
    assert await is_let_in(elsewhere, former)
    organisation.clock.advance(0.1)
    for keys in (organisation.keys, elsewhere):
        assert not await is_let_in(keys, former)
        assert not keys.knows(former)
        assert await is_let_in(keys, new)


async def test_who_changes_to_a_new_secret_is_no_stranger_where_the_former_one_is_in_use(organisation):
    key, former = await make(organisation)
    elsewhere = organisation.another_process()
    assert await is_let_in(elsewhere, former)
    _, new = await organisation.keys.rotate(organisation.id, key.id, overlap=HOUR)
    assert not elsewhere.knows(new)
    organisation.clock.advance(CACHE_SECONDS)
    assert await is_let_in(elsewhere, former)
    assert elsewhere.knows(new)
    assert not elsewhere.knows(key_text(key.id, new_secret()))


async def test_without_an_overlap_the_former_secret_stops_in_every_process_within_the_cache_time(organisation):
    key, former = await make(organisation)
    elsewhere = organisation.another_process()
    assert await is_let_in(elsewhere, former)
    _, new = await organisation.keys.rotate(organisation.id, key.id, overlap=timedelta(0))
    assert not await is_let_in(organisation.keys, former)
    organisation.clock.advance(CACHE_SECONDS)
    assert not await is_let_in(elsewhere, former)
    assert await is_let_in(elsewhere, new)


async def test_rotating_again_during_the_overlap_is_refused_and_leaves_both_secrets_as_they_are(organisation):
    key, former = await make(organisation)
    _, new = await organisation.keys.rotate(organisation.id, key.id, overlap=HOUR)
    with pytest.raises(InvalidInputError, match="works until 2026-01-01T01:00:00Z"):
        await organisation.keys.rotate(organisation.id, key.id, overlap=HOUR)
    assert [await is_let_in(organisation.keys, text) for text in (former, new)] == [True, True]
    organisation.clock.advance(3_600)
    _, newest = await organisation.keys.rotate(organisation.id, key.id, overlap=HOUR)
    assert [await is_let_in(organisation.keys, text) for text in (former, new, newest)] == [False, True, True]


async def test_a_secret_whose_answer_was_lost_is_replaced_without_hurting_who_uses_the_former_one(organisation):
    key, former = await make(organisation)
    _, lost = await organisation.keys.rotate(organisation.id, key.id, overlap=HOUR)
    again, new = await organisation.keys.rotate(organisation.id, key.id, overlap=2 * HOUR, replace_new=True)
    assert again.previous_valid_until == organisation.clock.now() + HOUR
    assert [await is_let_in(organisation.keys, text) for text in (former, lost, new)] == [True, False, True]


async def test_a_key_that_is_of_no_use_any_more_is_not_rotated(organisation):
    key, _ = await make(organisation, expires_at=organisation.clock.now() + HOUR)
    revoked, _ = await make(organisation)
    await organisation.keys.revoke(organisation.id, revoked.id)
    organisation.clock.advance(3_600)
    for one in (key, revoked):
        with pytest.raises(InvalidInputError):
            await organisation.keys.rotate(organisation.id, one.id)
    with pytest.raises(NotFoundError):
        await organisation.keys.rotate(organisation.id, "nobody")


@pytest.mark.parametrize("overlap", [LONGEST_OVERLAP + timedelta(seconds=1), timedelta(seconds=-1)])
async def test_an_overlap_has_bounds(organisation, overlap):
    key, _ = await make(organisation)
    with pytest.raises(InvalidInputError):
        await organisation.keys.rotate(organisation.id, key.id, overlap=overlap)


async def test_rotating_can_move_the_end_of_a_key(organisation):
    end = organisation.clock.now() + HOUR
    key, former = await make(organisation, expires_at=end)
    kept, _ = await organisation.keys.rotate(organisation.id, key.id, overlap=timedelta(0))
    assert kept.expires_at == end
    moved, new = await organisation.keys.rotate(organisation.id, key.id, expires_at=end + HOUR)
    assert moved.expires_at == end + HOUR
    organisation.clock.advance(3_600)
    assert [await is_let_in(organisation.keys, text) for text in (former, new)] == [False, True]


async def test_revoking_stops_both_secrets(organisation):
    key, former = await make(organisation)
    _, new = await organisation.keys.rotate(organisation.id, key.id)
    first = await organisation.keys.revoke(organisation.id, key.id)
    organisation.clock.advance(60)
    assert await organisation.keys.revoke(organisation.id, key.id) == first
    assert [await is_let_in(organisation.keys, text) for text in (former, new)] == [False, False]


async def test_what_the_store_takes_too_long_to_say_is_not_believed(organisation):
    key, text = await make(organisation)

    class Slow:
        def __init__(self):
            self.asked, self.goes_on = asyncio.Event(), asyncio.Event()

        async def find(self, key_id):
            found = await organisation.store.find(key_id)
            self.asked.set()
            await self.goes_on.wait()
            return found

    store = Slow()
    keys = Keys(store=store, clock=organisation.clock)
    keys._finding._timeout_seconds = 0.05
    asked = asyncio.create_task(keys.authenticate(text))
    await store.asked.wait()
    await organisation.keys.revoke(organisation.id, key.id)
    with pytest.raises(TimeoutError):
        await asked
    store.goes_on.set()
    assert not await is_let_in(keys, text)


async def test_the_time_a_lookup_may_take_and_the_time_it_is_believed_are_one_and_below_five_seconds(organisation):
    assert organisation.keys._finding._timeout_seconds == CACHE_SECONDS <= 4


async def test_a_role_bounds_the_keys_of_its_user_within_the_cache_time(organisation):
    _, text = await make(organisation)
    _, service = await make(organisation, user_id=None)
    for role, left in ((Role.READER, {"read"}), (Role.MEMBER, {"read", "write", "learn"}), (None, set(Permission))):
        await organisation.users.set_role(organisation.id, "ada", role)
        organisation.clock.advance(CACHE_SECONDS)
        assert (await organisation.keys.authenticate(text)).permissions == left
        assert (await organisation.keys.authenticate(service)).permissions == set(Permission)


async def test_a_role_gives_a_key_nothing_that_it_did_not_have(organisation):
    _, text = await make(organisation, permissions=[Permission.LEARN])
    await organisation.users.set_role(organisation.id, "ada", Role.ADMIN)
    assert (await organisation.keys.authenticate(text)).permissions == {"learn"}
    await organisation.users.set_role(organisation.id, "ada", Role.READER)
    organisation.clock.advance(CACHE_SECONDS)
    assert (await organisation.keys.authenticate(text)).permissions == set()


async def test_the_last_use_is_written_once_a_minute_behind_the_requests(organisation):
    uses = KeyUses(store=organisation.store, clock=organisation.clock)
    keys = Keys(store=organisation.store, clock=organisation.clock, used=uses.record)
    key, text = await make(organisation)
    first = organisation.clock.now()

    async def written():
        await uses.flush()
        return (await organisation.keys.get(organisation.id, key.id)).last_used_at

    for _ in range(100):
        await keys.authenticate(text)
    assert len(uses._pending) == 1
    assert (await organisation.keys.get(organisation.id, key.id)).last_used_at is None
    assert await written() == first
    organisation.clock.advance(PAUSE_SECONDS - 0.1)
    await keys.authenticate(text)
    assert await written() == first
    organisation.clock.advance(0.1)
    await keys.authenticate(text)
    assert await written() == first + timedelta(seconds=60)


async def test_a_refused_key_is_not_noted_as_used(organisation):
    uses = KeyUses(store=organisation.store, clock=organisation.clock)
    keys = Keys(store=organisation.store, clock=organisation.clock, used=uses.record)
    key, text = await make(organisation)
    await organisation.keys.revoke(organisation.id, key.id)
    assert not await is_let_in(keys, text)
    assert uses._pending == []


async def test_a_role_is_asked_for_once_in_the_cache_time_and_known_here_at_once(organisation):
    await make(organisation)
    ada = Scope(organisation.id, "ada")
    here, elsewhere = organisation.users, organisation.other_users
    assert [(await users.standing(ada)).role for users in (here, elsewhere)] == [None, None]
    await here.set_role(organisation.id, "ada", Role.READER)
    assert [(await users.standing(ada)).role for users in (here, elsewhere)] == [Role.READER, None]
    organisation.clock.advance(CACHE_SECONDS)
    assert (await elsewhere.standing(ada)).role is Role.READER
    assert await elsewhere.standing(Scope(organisation.id, "bob")) == Standing()


async def test_revoked_tokens_are_known_here_at_once_and_elsewhere_within_the_cache_time(organisation):
    await make(organisation)
    ada, bob = Scope(organisation.id, "ada"), Scope(organisation.id, "bob")
    here, elsewhere = organisation.users, organisation.other_users
    assert [await users.standing(ada) for users in (here, elsewhere)] == [Standing(), Standing()]
    await here.set_role(organisation.id, "ada", Role.READER)
    revoked = await here.revoke_tokens(organisation.id, "ada")
    assert revoked.tokens_not_before == organisation.clock.now() + organisation.leeway
    standing = Standing(Role.READER, revoked.tokens_not_before)
    assert [await users.standing(ada) for users in (here, elsewhere)] == [standing, Standing()]
    organisation.clock.advance(CACHE_SECONDS)
    assert await elsewhere.standing(ada) == standing
    assert await elsewhere.standing(bob) == Standing()
