"""Receipts of erasures find their way out of the database, whose loss or restoration they have to survive."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import UnavailableError

if TYPE_CHECKING:
    from pronoia.ports.clock import Clock
    from pronoia.ports.subject_store import ErasureLedger, SubjectStore
    from pronoia.ports.telemetry import Meter

log = structlog.get_logger(__name__)


class Erasures:
    """Copies receipts into the ledger. They are in the database first: none is lost when the ledger cannot be written.

    A receipt may be in the ledger twice, if a process died in between. It counts once.
    """

    def __init__(self, *, store: SubjectStore, ledger: ErasureLedger | None, clock: Clock, meter: Meter) -> None:
        """`ledger` None keeps receipts in the database until there is one."""
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._meter = meter
        self._noting = asyncio.Lock()

    async def note(self) -> None:
        """Write what is not in the ledger yet. What cannot be written now is tried again by housekeeping."""
        if self._ledger is None:
            return
        try:
            # Two at once would write the same receipts twice.
            async with self._noting:
                while receipts := await self._store.to_note():
                    await self._ledger.append(receipts)
                    await self._store.noted(receipts, self._clock.now())
        except UnavailableError as error:
            self._meter.count("erasure_ledger_failures_total")
            log.warning("erasures.not_noted", reason=error.message)
