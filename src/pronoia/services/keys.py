"""API keys: made, shown once, and recognised without keeping what could be stolen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from pronoia.domain.errors import (
    AlreadyExistsError,
    InvalidCredentialError,
    InvalidInputError,
    MissingCredentialError,
)
from pronoia.domain.permissions import bounded
from pronoia.domain.records import ApiKey
from pronoia.domain.trust import Trust
from pronoia.resilience.cache import ExpiringStore, SingleFlight
from pronoia.services.drafts import check_name
from pronoia.services.key_format import hash_secret, key_text, new_key_id, new_secret, read_claim

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.records import Idempotency, Permission, Plan
    from pronoia.ports.clock import Clock
    from pronoia.ports.key_store import KeyStore

CACHE_SECONDS = 3.0
"""How long a key is believed, from when the store was asked for it. An answer that takes longer is not waited for, so
whatever is changed of a key is heeded by every process within this time."""
PROVED_SECONDS = 3_600.0
"""Whoever proved a key so lately is no stranger, though the key is looked up again."""
CACHE_SIZE = 10_000
CACHED_BYTES = 1_500
"""What a key takes in memory, with room."""
DEFAULT_OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)
PAGE = 1_000

_NO_HASH = bytes(32)


class Keys:
    """Makes, changes and revokes keys, and authenticates their bearers."""

    def __init__(self, *, store: KeyStore, clock: Clock, used: Callable[[ApiKey], None] | None = None) -> None:
        """Take `used` to hear of every key that was recognised; it must not wait."""
        self._store = store
        self._clock = clock
        self._used = used
        self._found: ExpiringStore[str, ApiKey] = ExpiringStore(
            maximum_keys=CACHE_SIZE, maximum_bytes=CACHE_SIZE * CACHED_BYTES, now=clock.monotonic
        )
        self._proved: ExpiringStore[bytes, str] = ExpiringStore(
            maximum_keys=CACHE_SIZE, maximum_bytes=CACHE_SIZE * CACHED_BYTES, now=clock.monotonic
        )
        self._finding: SingleFlight[tuple[str, bytes], ApiKey | None] = SingleFlight(timeout_seconds=CACHE_SECONDS)

    async def create(
        self,
        *,
        user_id: str | None,
        plan: Plan,
        permissions: Collection[Permission],
        organisation_id: UUID,
        expires_at: datetime | None = None,
        trust: Trust = Trust.TRUSTED,
        idempotency: Idempotency | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key; without a user, one whose bearer names the user. The text is given here and never again.

        Raises AlreadyExistsError if the same request made one before.
        """
        if user_id is not None:
            check_name(user_id, "user_id")
        now = self._clock.now()
        _check_future(expires_at, now)
        secret = new_secret()
        key = ApiKey(
            id=new_key_id(),
            organisation_id=organisation_id,
            user_id=user_id,
            permissions=frozenset(permissions),
            plan=plan,
            secret_hash=hash_secret(secret),
            created_at=now,
            expires_at=expires_at,
            trust=trust,
        )
        earlier = await self._store.create(key, idempotency)
        if earlier is not None:
            raise AlreadyExistsError(
                f"This request made the key {earlier} before. Its text was in that answer alone: if it was lost, "
                "rotate the key.",
                field="Idempotency-Key",
                id=earlier,
            )
        return key, key_text(key.id, secret)

    async def authenticate(self, text: str | None) -> ApiKey:
        """Give the key that a text proves, with what its user's role leaves of its permissions.

        Raises MissingCredentialError or InvalidCredentialError. What is not of a key's form, or mistyped, is refused
        without asking the store.
        """
        if not text:
            raise MissingCredentialError("An API key is needed. Send it in the X-API-Key header.")
        claim = read_claim(text)
        if claim is None:
            raise InvalidCredentialError("This is not an API key of this server. Check that it was copied whole.")
        now = self._clock.now()
        key = self._found.get(claim.key_id)
        # An unknown id costs the same comparisons as a known one, held here or not.
        if not _proves(claim.secret_hash, key, now):
            # Another process may just have given out a new secret. Keyed by secret: who waits knew it before it was
            # asked for.
            flight = (claim.key_id, claim.secret_hash)
            key = await self._finding.run(flight, partial(self._read, claim.key_id))
        proved = _proves(claim.secret_hash, key, now)
        if key is None or not proved or key.revoked_at is not None or _has_expired(key, now):
            self._proved.drop_group(claim.secret_hash)
            if key is not None and proved and key.revoked_at is None:
                raise InvalidCredentialError(f"This API key expired at {key.expires_at:%Y-%m-%dT%H:%M:%SZ}.")
            raise InvalidCredentialError("This API key is unknown, or was revoked or replaced.")
        self._prove(claim.secret_hash, key)
        return key

    def knows(self, text: str | None) -> bool:
        """Whether a text proved itself here lately, or proves a key that is held; it may be revoked since."""
        claim = read_claim(text or "")
        if claim is None:
            return False
        if self._proved.get(claim.secret_hash) == claim.key_id:
            return True
        return _proves(claim.secret_hash, self._found.get(claim.key_id), self._clock.now())

    async def get(self, organisation_id: UUID, key_id: str) -> ApiKey:
        """Give a key, revoked or not. Raises NotFoundError."""
        return await self._store.get(organisation_id, key_id)

    async def listed(self, organisation_id: UUID, *, after: str | None = None, limit: int = PAGE) -> list[ApiKey]:
        """List keys of an organisation, oldest first, the revoked included; those that follow the id `after`."""
        return await self._store.listed(organisation_id, after, limit)

    async def rotate(
        self,
        organisation_id: UUID,
        key_id: str,
        *,
        overlap: timedelta = DEFAULT_OVERLAP,
        replace_new: bool = False,
        expires_at: datetime | None = None,
        idempotency: Idempotency | None = None,
    ) -> tuple[ApiKey, str]:
        """Give a key a new secret; the one it had works beside it for `overlap`, at most LONGEST_OVERLAP.

        While a former secret still works, raises InvalidInputError, unless `replace_new`: then the former one keeps
        its time, and the one that was given out last stops. `expires_at` moves the end of the key itself.
        Raises NotFoundError, and AlreadyExistsError if the same request rotated the key before.
        """
        if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
            raise InvalidInputError(
                f"The overlap may last {LONGEST_OVERLAP.days} days.", field="overlap", limit=LONGEST_OVERLAP.days
            )
        now = self._clock.now()
        _check_future(expires_at, now)
        secret = new_secret()
        rotated = partial(_rotated, secret, now, overlap, replace_new, expires_at)
        key = await self._store.change(organisation_id, key_id, rotated, idempotency)
        if key.secret_hash != hash_secret(secret):
            raise AlreadyExistsError(
                "This request rotated the key before. The new secret was in that answer alone: if it was lost, rotate "
                "again and replace it.",
                field="Idempotency-Key",
                id=key_id,
            )
        self._found.drop_group(key_id)
        return key, key_text(key_id, secret)

    async def revoke(self, organisation_id: UUID, key_id: str, idempotency: Idempotency | None = None) -> ApiKey:
        """Revoke a key for good; the first time stands. Raises NotFoundError."""
        now = self._clock.now()
        key = await self._store.change(
            organisation_id, key_id, lambda one: replace(one, revoked_at=one.revoked_at or now), idempotency
        )
        self.forget([key_id])
        return key

    def forget(self, key_ids: Iterable[str]) -> None:
        """Look up again what became of keys."""
        for key_id in key_ids:
            self._found.drop_group(key_id)

    def _prove(self, secret_hash: bytes, key: ApiKey) -> None:
        until = self._clock.monotonic() + PROVED_SECONDS
        self._proved.put(secret_hash, key.id, size=CACHED_BYTES, expires_at=until, group=secret_hash)
        if self._used is not None:
            self._used(key)

    async def _read(self, key_id: str) -> ApiKey | None:
        until = self._clock.monotonic() + CACHE_SECONDS
        found = await self._store.find(key_id)
        if found is None:
            return None
        key = replace(found.key, permissions=bounded(found.key.permissions, found.user_role))
        self._found.put(key_id, key, size=CACHED_BYTES, expires_at=until, group=key_id)
        return key


def shown(key: ApiKey) -> dict[str, Any]:
    """Give what an organisation may be shown of its key: neither secret nor hash."""
    return {
        "id": key.id,
        "user_id": key.user_id,
        "service": key.is_service,
        "plan": key.plan,
        "scopes": sorted(key.permissions),
        "trust": key.trust,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "former_secret_until": key.previous_valid_until,
        "revoked_at": key.revoked_at,
    }


def _proves(secret_hash: bytes, key: ApiKey | None, now: datetime) -> bool:
    current = compare_digest(secret_hash, _NO_HASH if key is None else key.secret_hash)
    former = compare_digest(secret_hash, (key.previous_secret_hash if key else None) or _NO_HASH)
    return current or (former and key is not None and _overlaps(key, now))


def _overlaps(key: ApiKey, now: datetime) -> bool:
    return key.previous_valid_until is not None and now < key.previous_valid_until


def _has_expired(key: ApiKey, now: datetime) -> bool:
    return key.expires_at is not None and key.expires_at <= now


def _check_future(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidInputError("expires_at must lie in the future.", field="expires_at")


def _rotated(
    secret: str, now: datetime, overlap: timedelta, replace_new: bool, expires_at: datetime | None, key: ApiKey
) -> ApiKey:
    if key.revoked_at is not None or _has_expired(key, now):
        raise InvalidInputError("This key was revoked or has expired. Make a new one.", field="id")
    changed = replace(key, secret_hash=hash_secret(secret), expires_at=expires_at or key.expires_at)
    if not _overlaps(key, now):
        former = key.secret_hash if overlap else None
        return replace(changed, previous_secret_hash=former, previous_valid_until=now + overlap if overlap else None)
    if not replace_new:
        raise InvalidInputError(
            f"The former secret of this key works until {key.previous_valid_until:%Y-%m-%dT%H:%M:%SZ}. Rotate again "
            "after that, or replace the secret that was made last.",
            field="replace",
        )
    return changed
