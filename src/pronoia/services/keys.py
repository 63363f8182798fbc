"""API keys: made, shown once, and recognised without keeping what could be stolen."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from functools import partial
from hmac import compare_digest
from typing import TYPE_CHECKING

from pronoia.domain.errors import InvalidCredentialError, MissingCredentialError
from pronoia.domain.records import ApiKey
from pronoia.resilience.cache import ExpiringStore, SingleFlight
from pronoia.services.drafts import check_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from uuid import UUID

    from pronoia.domain.records import Permission, Plan
    from pronoia.ports.clock import Clock
    from pronoia.ports.key_store import KeyStore

PREFIX = "pronoia"
ID_LENGTH = 12
SECRET_LENGTH = 43
"""43 of 62 characters hold 256 bits."""
CHECKSUM_LENGTH = 7
"""Base-36 digits of 32 bits."""
CACHE_SECONDS = 5.0
PROVED_SECONDS = 3_600.0
"""Whoever proved a key so lately is no stranger, though the key is looked up again."""
CACHE_SIZE = 10_000
CACHED_BYTES = 1_500
"""What a key takes in memory, with room."""
FINDING_SECONDS = 30.0

_CHARACTERS = string.ascii_letters + string.digits
_CHECKSUM_DIGITS = string.digits + string.ascii_lowercase
_FORMAT = re.compile(
    rf"{PREFIX}_([0-9A-Za-z]{{{ID_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH}}})_([0-9a-z]{{{CHECKSUM_LENGTH}}})"
)
_NO_HASH = bytes(32)


class Keys:
    """Makes keys and authenticates their bearers.

    A key that was found is believed for CACHE_SECONDS: one that another process revokes works that much longer.
    """

    def __init__(self, *, store: KeyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._found: ExpiringStore[str, ApiKey] = ExpiringStore(
            maximum_keys=CACHE_SIZE, maximum_bytes=CACHE_SIZE * CACHED_BYTES, now=clock.monotonic
        )
        self._proved: ExpiringStore[str, bytes] = ExpiringStore(
            maximum_keys=CACHE_SIZE, maximum_bytes=CACHE_SIZE * CACHED_BYTES, now=clock.monotonic
        )
        self._finding: SingleFlight[str, ApiKey | None] = SingleFlight(timeout_seconds=FINDING_SECONDS)

    async def create(
        self, *, user_id: str | None, plan: Plan, permissions: Collection[Permission], organisation_id: UUID
    ) -> tuple[ApiKey, str]:
        """Make a key; without a user, one whose bearer names the user. The text is given here and never again."""
        if user_id is not None:
            check_name(user_id, "user_id")
        key_id, secret = _random(ID_LENGTH), _random(SECRET_LENGTH)
        key = ApiKey(
            id=key_id,
            organisation_id=organisation_id,
            user_id=user_id,
            permissions=frozenset(permissions),
            plan=plan,
            secret_hash=_hash(secret),
            created_at=self._clock.now(),
        )
        await self._store.create(key)
        return key, f"{PREFIX}_{key_id}_{secret}_{_checksum(key_id, secret)}"

    async def authenticate(self, text: str | None) -> ApiKey:
        """Give the key that a text proves. Raises MissingCredentialError or InvalidCredentialError.

        What is not of a key's form, or mistyped, is refused without asking the store.
        """
        if not text:
            raise MissingCredentialError("An API key is needed. Send it in the X-API-Key header.")
        parts = _FORMAT.fullmatch(text)
        if parts is None or _checksum(parts[1], parts[2]) != parts[3]:
            raise InvalidCredentialError("This is not an API key of this server. Check that it was copied whole.")
        key = await self._find(parts[1])
        # An unknown id costs the same comparison as a known one.
        matches = compare_digest(_hash(parts[2]), _NO_HASH if key is None else key.secret_hash)
        if key is None or not matches or key.revoked_at is not None:
            if matches or key is None:
                self._proved.drop_group(parts[1])
            raise InvalidCredentialError("This API key is unknown or was revoked.")
        self._proved.put(
            key.id,
            key.secret_hash,
            size=CACHED_BYTES,
            expires_at=self._clock.monotonic() + PROVED_SECONDS,
            group=key.id,
        )
        return key

    def knows(self, text: str | None) -> bool:
        """Whether a text proved itself in this process lately. Its key may have been revoked since."""
        parts = _FORMAT.fullmatch(text or "")
        secret_hash = None if parts is None else self._proved.get(parts[1])
        return parts is not None and secret_hash is not None and compare_digest(_hash(parts[2]), secret_hash)

    async def listed(self, organisation_id: UUID) -> list[ApiKey]:
        """List all keys of an organisation, oldest first, the revoked included."""
        return await self._store.listed(organisation_id)

    async def revoke(self, organisation_id: UUID, key_id: str) -> ApiKey:
        """Revoke a key for good; the first time stands. Raises NotFoundError."""
        key = await self._store.revoke(organisation_id, key_id, self._clock.now())
        self.forget([key_id])
        return key

    def forget(self, key_ids: Iterable[str]) -> None:
        """Look up again what became of keys."""
        for key_id in key_ids:
            self._found.drop_group(key_id)
            self._proved.drop_group(key_id)

    async def _find(self, key_id: str) -> ApiKey | None:
        key = self._found.get(key_id)
        if key is None:
            key = await self._finding.run(key_id, partial(self._read, key_id))
        return key

    async def _read(self, key_id: str) -> ApiKey | None:
        until = self._clock.monotonic() + CACHE_SECONDS
        key = await self._store.find(key_id)
        if key is not None:
            self._found.put(key_id, key, size=CACHED_BYTES, expires_at=until, group=key_id)
        return key


def _random(length: int) -> str:
    return "".join(secrets.choice(_CHARACTERS) for _ in range(length))


def _hash(secret: str) -> bytes:
    """Hash 256 random bits: nothing slower is needed where nothing can be guessed."""
    return hashlib.sha256(secret.encode()).digest()


def _checksum(key_id: str, secret: str) -> str:
    number = zlib.crc32(f"{PREFIX}_{key_id}_{secret}".encode())
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, 36)
        digits = _CHECKSUM_DIGITS[digit] + digits
    return digits
