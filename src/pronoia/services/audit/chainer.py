"""Numbers and links the audit log, and signs where it stands. One process does it for all."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from pronoia.domain.audit import Checkpoint
from pronoia.domain.errors import ConfigurationError, UnavailableError

if TYPE_CHECKING:
    from datetime import datetime

    from pronoia.ports.audit import AuditStore, CheckpointLog
    from pronoia.ports.clock import Clock
    from pronoia.ports.telemetry import Meter

PAUSE_SECONDS = 0.5
LEASE_SECONDS = 4.0
"""A process that ended lets the others wait this long."""
CHECKPOINT_SECONDS = 60.0
BATCH = 2_000
HEADS_A_LINE = 1_000
OVERLAP = timedelta(seconds=30)
"""A head that was moved by a transaction which was still open when heads were asked for is asked for again."""

log = structlog.get_logger(__name__)


class Chainer:
    """Runs in every process; the one that holds the lease works. Without `checkpoints` nothing is signed."""

    def __init__(self, *, store: AuditStore, checkpoints: CheckpointLog | None, clock: Clock, meter: Meter) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._clock = clock
        self._meter = meter
        self._process = uuid4()
        self._leads_until = 0.0
        self._heads_since: datetime | None = None
        self._signed_at = clock.monotonic()
        self._sign_at = 0.0

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.run_once()
            except UnavailableError as error:
                log.warning("audit.chain_waiting", reason=error.message)
            await asyncio.sleep(PAUSE_SECONDS)

    async def run_once(self) -> None:
        """Chain what waits and sign where it stands if that is due, if this process leads."""
        if not await self._leads():
            return
        while await self._chain() == BATCH:
            pass
        if self._checkpoints is not None:
            if self._clock.monotonic() >= self._sign_at:
                await self._sign(self._checkpoints)
            self._meter.set("audit_checkpoint_age_seconds", self._clock.monotonic() - self._signed_at)

    async def _leads(self) -> bool:
        now = self._clock.monotonic()
        if now < self._leads_until - LEASE_SECONDS / 2:
            return True
        led = self._leads_until > 0
        self._leads_until = now + LEASE_SECONDS if await self._store.lead(self._process, LEASE_SECONDS) else 0.0
        if led and not self._leads_until:
            # Whoever leads now tells; what this process told last would stand beside it for ever.
            self._meter.set("audit_unchained_rows", 0)
            self._meter.set("audit_chain_lag_seconds", 0)
        return self._leads_until > 0

    async def _chain(self) -> int:
        chained = await self._store.chain(BATCH)
        if chained is None:
            return 0
        if chained.rows:
            self._meter.count("audit_rows_total", chained.rows)
        self._meter.set("audit_unchained_rows", chained.waiting)
        self._meter.set("audit_chain_lag_seconds", chained.waiting_seconds)
        return chained.rows

    async def _sign(self, checkpoints: CheckpointLog) -> None:
        """Sign the heads that moved. If the file cannot be written it is tried again in a minute."""
        self._sign_at = self._clock.monotonic() + CHECKPOINT_SECONDS
        now, heads = await self._store.heads(None if checkpoints.begins_anew() else self._heads_since)
        lines = [
            Checkpoint(now, tuple(heads[place : place + HEADS_A_LINE])) for place in range(0, len(heads), HEADS_A_LINE)
        ]
        try:
            if lines:
                await checkpoints.write(lines)
        except (OSError, ConfigurationError) as error:
            log.warning("audit.not_signed", reason=str(error))
            return
        self._heads_since = now - OVERLAP
        self._signed_at = self._clock.monotonic()
