"""The keys of one identity provider, as it published them last."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import IdentityUnavailableError
from pronoia.resilience.cache import ExpiringStore, SingleFlight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pronoia.ports.clock import Clock
    from pronoia.ports.identity import KeySource, VerificationKey
    from pronoia.ports.telemetry import Meter

PAUSE_SECONDS = 60.0
"""The provider is asked at most once in that time, whatever is sent here and whether or not it answers."""
FRESH_SECONDS = 300.0
"""After that it is asked again: a key that it withdraws is believed that much longer."""
STALE_SECONDS = 86_400.0
"""So long are its last keys believed while it does not answer."""
UNKNOWN_SECONDS = 300.0
"""A key id that it did not know is not asked for again so soon."""
UNKNOWN_IDS = 1_000
UNKNOWN_BYTES = 1_500
"""What such an id takes in memory, with room."""
ASKING_SECONDS = 10.0

log = structlog.get_logger(__name__)


class KeyRing:
    """Finds keys by their ids without waiting for the provider, unless an id is new."""

    def __init__(self, name: str, source: KeySource, *, clock: Clock, meter: Meter) -> None:
        self.name = name
        self._source = source
        self._clock = clock
        self._meter = meter
        self._keys: Mapping[str, VerificationKey] = {}
        self._asked_at = self._got_at = -math.inf
        self._asking: SingleFlight[str, None] = SingleFlight(timeout_seconds=ASKING_SECONDS)
        self._unknown: ExpiringStore[str, bool] = ExpiringStore(
            maximum_keys=UNKNOWN_IDS, maximum_bytes=UNKNOWN_IDS * UNKNOWN_BYTES, now=clock.monotonic
        )

    async def find(self, key_id: str) -> VerificationKey | None:
        """Give the key, or None if the provider has none by this id.

        Raises IdentityUnavailableError while it is not known what the provider has.
        """
        key = self._known().get(key_id)
        if key is None and self._unknown.get(key_id) is None:
            began = self._clock.monotonic()
            await self._ask()
            key = self._known().get(key_id)
            if key is None and self._got_at >= began:
                self._remember_unknown(key_id)
        if key is None and not self._known():
            raise IdentityUnavailableError("The keys of the identity provider cannot be had now. Try again later.")
        return key

    async def refresh(self) -> None:
        """Ask the provider again if its keys have been known for a while."""
        if self._clock.monotonic() >= self._got_at + FRESH_SECONDS:
            await self._ask()

    async def close(self) -> None:
        """Close the way to the provider."""
        await self._asking.settled()
        await self._source.close()

    def _known(self) -> Mapping[str, VerificationKey]:
        return self._keys if self._clock.monotonic() < self._got_at + STALE_SECONDS else {}

    def _remember_unknown(self, key_id: str) -> None:
        until = self._clock.monotonic() + UNKNOWN_SECONDS
        self._unknown.put(key_id, True, size=UNKNOWN_BYTES, expires_at=until)

    async def _ask(self) -> None:
        await self._asking.run(self.name, self._fetch)

    async def _fetch(self) -> None:
        if self._clock.monotonic() < self._asked_at + PAUSE_SECONDS:
            return
        self._asked_at = self._clock.monotonic()
        try:
            keys = await self._source.fetch()
        except IdentityUnavailableError as error:
            log.warning("identity.keys_missed", name=self.name, reason=error.details.get("reason"))
            self._meter.count("identity_key_fetches_total", outcome="failed")
            return
        self._keys = {key.id: key for key in keys}
        self._got_at = self._clock.monotonic()
        self._meter.count("identity_key_fetches_total", outcome="fetched")
