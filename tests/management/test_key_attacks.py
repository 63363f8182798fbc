"""Guessing keys, and getting around the limits. Run with -s to see the table of tries and successes.

FAULTS=long makes every guess against PostgreSQL.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import random
import secrets
import string
from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import pytest

from pronoia.config import networks_of
from pronoia.domain.errors import InvalidCredentialError
from pronoia.domain.records import ApiKey, Permission, Plan
from pronoia.faces.http.addresses import client_address
from pronoia.ports.key_store import FoundKey
from pronoia.services import key_format
from pronoia.services import keys as services_keys
from pronoia.services.key_format import key_text, new_key_id, new_secret
from pronoia.services.keys import Keys
from pronoia.services.rate_limiter import RateLimiter
from pronoia.services.rate_limits import Budget, Limits, RateLimits
from pronoia.testing.clock import ManualClock
from pronoia.testing.limit_store import InMemoryLimitStore
from pronoia.testing.meter import RecordingMeter

pytestmark = pytest.mark.anyio

LONG = os.environ.get("FAULTS") == "long"
SEED = random.SystemRandom().randrange(1 << 32)
GUESSES = 100_000
MANY = 20_000 if LONG else 3_000
AT_ONCE = 200
LIMIT = 20
ALLOWED = LIMIT * 1.05
CHARACTERS = string.ascii_letters + string.digits


def told(attack, tries, successes, note=""):
    print(f"| {attack} | {tries:,} | {successes:,} | {note}")  # noqa: T201 - the table


class CountingStore:
    """Holds one key in memory, or asks the real store; counts the lookups."""

    def __init__(self, key: ApiKey, store=None):
        self._key, self._store, self.finds = key, store, 0

    async def find(self, key_id):
        self.finds += 1
        if self._store is not None:
            return await self._store.find(key_id)
        return FoundKey(self._key, None) if key_id == self._key.id else None


@pytest.fixture
async def target(organisation):
    """Give a key that works, and an authenticator to guess it at."""
    key, text = await organisation.keys.create(
        user_id="ada", plan=Plan.PRO, permissions=Permission, organisation_id=organisation.id
    )

    def authenticator(*, real):
        store = CountingStore(key, organisation.store if real else None)
        return store, Keys(store=store, clock=ManualClock())

    return SimpleNamespace(key=key, text=text, authenticator=authenticator)


async def entered(keys, guesses):
    """Try all guesses, some at once, and count how many were let in."""

    async def attempt(guess):
        try:
            await keys.authenticate(guess)
        except InvalidCredentialError:
            return 0
        return 1

    total = 0
    for first in range(0, len(guesses), AT_ONCE):
        total += sum(await asyncio.gather(*map(attempt, guesses[first : first + AT_ONCE])))
    return total


def shapeless(chooser, text):
    """Write what is of no key's form: noise, injections, pieces, and more than a key."""
    forms = (
        lambda: "".join(chooser.choices(string.printable, k=chooser.randrange(1, 100))),
        lambda: text[: chooser.randrange(1, len(text))],
        lambda: text + chooser.choice([" ", "\n", "\x00", "'--", "a"]),
        text.swapcase,
    )
    return chooser.choice(forms)()


def mistyped(chooser, text):
    """Change one character of the id, the secret or the checksum."""
    place = chooser.choice([place for place in range(8, len(text)) if text[place] != "_"])
    other = chooser.choice([one for one in CHARACTERS if one != text[place]])
    return text[:place] + other + text[place + 1 :]


async def test_what_is_no_key_or_mistyped_is_refused_without_a_lookup(target):
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it when the test fails
    chooser = random.Random(SEED)  # noqa: S311 - a test's choices
    store, keys = target.authenticator(real=False)
    for name, make, share in (("of no key's form", shapeless, 0.2), ("one character changed", mistyped, 0.4)):
        guesses = [make(chooser, target.text) for _ in range(int(GUESSES * share))]
        successes = await entered(keys, guesses)
        told(name, len(guesses), successes, f"{store.finds} lookups")
        assert (successes, store.finds) == (0, 0)
    assert (await keys.authenticate(target.text)).id == target.key.id


@pytest.mark.parametrize("real", [False, True])
async def test_guesses_of_the_right_form_never_succeed_and_leave_nothing_behind(target, real):
    store, keys = target.authenticator(real=real)
    assert (await keys.authenticate(target.text)).id == target.key.id
    count = int(GUESSES * 0.2) if LONG or not real else 500
    attacks = {
        "unknown id, right checksum": [key_text(new_key_id(), new_secret()) for _ in range(count)],
        "known id, other secret": [key_text(target.key.id, new_secret()) for _ in range(count)],
    }
    for name, guesses in attacks.items():
        successes = await entered(keys, guesses)
        told(f"{name} ({'PostgreSQL' if real else 'in memory'})", count, successes)
        assert successes == 0
    # One lookup a guess, and nothing that grows with the guesses.
    assert store.finds <= 2 * count + 1
    assert (len(keys._found), len(keys._proved), len(keys._finding._flights)) == (1, 1, 0)
    assert keys.knows(target.text)


class Work:
    """What an attempt costs: hashes of secrets, comparisons of hashes, and lookups."""

    def __init__(self, monkeypatch):
        self.hashes = self.comparisons = 0
        monkeypatch.setattr(key_format, "hash_secret", self._counted("hashes", key_format.hash_secret))
        monkeypatch.setattr(services_keys, "compare_digest", self._counted("comparisons", hmac.compare_digest))

    def _counted(self, name, call):
        def counted(*arguments):
            setattr(self, name, getattr(self, name) + 1)
            return call(*arguments)

        return counted

    async def of(self, guess, store, keys):
        before = (self.hashes, self.comparisons, store.finds)
        assert await entered(keys, [guess]) == 0
        return tuple(
            after - was for after, was in zip((self.hashes, self.comparisons, store.finds), before, strict=True)
        )


async def test_a_guess_costs_the_same_whether_its_id_is_known_or_not(target, monkeypatch):
    store, holding = target.authenticator(real=False)
    assert (await holding.authenticate(target.text)).id == target.key.id
    other_store, not_holding = target.authenticator(real=False)
    former = new_secret()
    rotated = replace(
        target.key, previous_secret_hash=key_format.hash_secret(former), previous_valid_until=ManualClock().now()
    )
    rotated_store = CountingStore(rotated)
    rotated_keys = Keys(store=rotated_store, clock=ManualClock())
    work = Work(monkeypatch)
    unknown, known = key_text(new_key_id(), new_secret()), key_text(target.key.id, new_secret())
    costs = {
        "unknown": await work.of(unknown, store, holding),
        "known and held": await work.of(known, store, holding),
        "known and not held": await work.of(known, other_store, not_holding),
        "rotated": await work.of(known, rotated_store, rotated_keys),
        "former, out of time": await work.of(key_text(target.key.id, former), rotated_store, rotated_keys),
    }
    assert set(costs.values()) == {(1, 4, 1)}, costs


@pytest.fixture
def limits():
    clock = ManualClock()
    limiter = RateLimiter(
        store=InMemoryLimitStore(clock), clock=clock, meter=RecordingMeter(), load=lambda: 0.0
    )  # fmt: skip
    return SimpleNamespace(limiter=limiter, rates=RateLimits(limiter=limiter, limits=Limits(address=LIMIT)))


def fail():
    raise InvalidCredentialError("wrong")


async def attempts(limits, addresses):
    """Fail to authenticate from each address, and count how often there was leave to try."""
    admitted = 0
    for address in addresses:
        try:
            async with limits.rates.attempt(address) as usage:
                if usage.is_refused:
                    continue
                fail()
        except InvalidCredentialError:
            admitted += 1
    return admitted


def seen(peer, *forwarded, trusted=""):
    """Give the address that a request is charged to."""
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return client_address({"client": (peer, 1), "headers": headers}, networks_of(trusted))


def made_up():
    return ".".join(str(secrets.randbelow(256)) for _ in range(4))


@pytest.mark.parametrize(
    ("attack", "tries", "address"),
    [
        ("fake keys from one address", GUESSES, lambda: seen("203.0.113.9")),
        ("X-Forwarded-For made up, no proxy", MANY, lambda: seen("203.0.113.9", made_up(), made_up())),
        (
            "X-Forwarded-For made up, behind a proxy",
            MANY,
            lambda: seen("10.0.0.1", f"{made_up()}, {made_up()}", "203.0.113.9", trusted="10.0.0.0/8"),
        ),
        (
            "hopping within an IPv6 /64",
            MANY,
            lambda: seen(f"2001:db8:1:2:{secrets.token_hex(2)}:{secrets.token_hex(2)}:{secrets.token_hex(2)}:1"),
        ),
        ("IPv4 written as IPv6", 1_000, lambda: seen(secrets.choice(["203.0.113.9", "::ffff:203.0.113.9"]))),
    ],
)
async def test_attempts_are_limited_whatever_address_they_claim(limits, attack, tries, address):
    admitted = await attempts(limits, (address() for _ in range(tries)))
    told(attack, tries, admitted, f"limit {LIMIT}")
    assert 0 < admitted <= ALLOWED


async def test_a_service_key_does_not_outrun_its_organisation_by_naming_many_users(limits):
    key = ApiKey("k", uuid4(), None, frozenset(Permission), Plan.FREE, b"", ManualClock().now())
    tries, admitted = MANY, 0
    for number in range(tries):
        usage = await limits.rates.charge(key, f"user-{number}", Budget.ORDINARY)
        admitted += not usage.is_refused
    told("one service key, a user a request", tries, admitted, "limit 1,000")
    assert 0 < admitted <= 1_050


async def test_any_number_of_addresses_is_counted_in_bounded_memory(limits):
    maximum = limits.limiter._maximum_subjects = 1_000
    tries = maximum + MANY
    await attempts(limits, (seen(f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1") for number in range(tries)))
    told("an address of another /64 each time", tries, len(limits.limiter._entries), "budgets held in memory")
    assert len(limits.limiter._entries) == maximum
