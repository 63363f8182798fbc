"""The rights of a person: to be told all that is held about them, and to be erased; also after a restore."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from pronoia.domain.audit import AuditAction
from pronoia.domain.erasures import Erasure, is_sealed, subject_digest
from pronoia.domain.errors import OverloadedError
from pronoia.domain.identifiers import Scope, new_id
from pronoia.resilience.bulkhead import BulkheadFullError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.erasures import Receipt
    from pronoia.domain.records import Idempotency
    from pronoia.ports.clock import Clock
    from pronoia.ports.memory_store import Forgotten
    from pronoia.ports.subject_store import SubjectStore
    from pronoia.ports.telemetry import Meter
    from pronoia.resilience.bulkhead import Bulkhead
    from pronoia.services.audit.audit import Audit
    from pronoia.services.keys import Keys
    from pronoia.services.memories import Memories

RETRY_SECONDS = 5


@dataclass(slots=True)
class Reapplied:
    """What came of a ledger. Lines are named by their numbers."""

    entries: int = 0
    """Receipts of this instance's organisations."""
    erased: int = 0
    """People who were in the database again, and are gone."""
    repeated: int = 0
    """Receipts that were in the ledger before."""
    unknown: list[int] = field(default_factory=list[int])
    """Of organisations that this database does not have: nothing of theirs was restored."""
    refused: list[int] = field(default_factory=list[int])
    """No receipt, or one that was changed or made with another key."""


class Subjects:
    def __init__(
        self,
        *,
        store: SubjectStore,
        memories: Memories,
        keys: Keys,
        audit: Audit,
        bulkhead: Bulkhead,
        flushes: Sequence[Callable[[], Awaitable[None]]],
        clock: Clock,
        meter: Meter,
    ) -> None:
        """`flushes` write what the process still keeps to itself; `bulkhead` bounds exports side by side."""
        self._store = store
        self._memories = memories
        self._keys = keys
        self._audit = audit
        self._bulkhead = bulkhead
        self._flushes = flushes
        self._clock = clock
        self._meter = meter

    async def export(self, scope: Scope) -> AsyncGenerator[bytes]:
        """Write all that is held about a user, as exported() does. Raises OverloadedError before the first line."""
        try:
            async with self._bulkhead.place():
                await self._audit.record(scope.organisation_id, AuditAction.PERSON_EXPORTED, user_id=scope.user_id)
                for flush in self._flushes:
                    await flush()
                async with aclosing(exported(self._store, scope, self._clock.now())) as lines:
                    async for some in lines:
                        yield some
        except BulkheadFullError as error:
            raise OverloadedError("Too many exports are under way. Try again.", retry_after=RETRY_SECONDS) from error
        self._meter.count("subject_exports_total")

    async def erase(self, scope: Scope, idempotency: Idempotency | None = None) -> Forgotten:
        """Forget a user, and revoke the keys that name them; what stays is a receipt."""
        now = self._clock.now()
        return await self._forget(scope, Erasure(new_id(now), now, keys=True), idempotency)

    async def rewrite(self) -> list[str]:
        """Have the files of the tables lose the bytes of what was deleted, and name the tables."""
        return await self._store.rewrite()

    async def reapply(self, ledger: Iterable[tuple[int, Receipt | None]]) -> Reapplied:
        """Erase again whoever is in the ledger and in the database, as far as it is older than the erasure.

        `ledger` gives lines by their numbers. Keeps the receipts, which a restored database may have lost.
        """
        found = Reapplied()
        by_organisation = await self._genuine(ledger, found)
        for organisation_id, (key, receipts) in by_organisation.items():
            await self._reapply(organisation_id, key, receipts, found)
        return found

    async def _genuine(
        self, ledger: Iterable[tuple[int, Receipt | None]], found: Reapplied
    ) -> dict[UUID, tuple[bytes, dict[UUID, Receipt]]]:
        keys: dict[UUID, bytes | None] = {}
        genuine: dict[UUID, tuple[bytes, dict[UUID, Receipt]]] = {}
        for number, receipt in ledger:
            if receipt is None:
                found.refused.append(number)
                continue
            organisation_id = receipt.organisation_id
            if organisation_id not in keys:
                keys[organisation_id] = await self._store.erasure_key(organisation_id)
            key = keys[organisation_id]
            if key is None:
                found.unknown.append(number)
            elif not is_sealed(key, receipt):
                found.refused.append(number)
            else:
                receipts = genuine.setdefault(organisation_id, (key, {}))[1]
                found.repeated += receipt.id in receipts
                receipts[receipt.id] = receipt
        return genuine

    async def _reapply(
        self, organisation_id: UUID, key: bytes, receipts: dict[UUID, Receipt], found: Reapplied
    ) -> None:
        newest: dict[str, Receipt] = {}
        for receipt in sorted(receipts.values(), key=lambda one: one.erased_at):
            await self._store.keep(receipt, self._clock.now())
            newest[receipt.subject] = receipt
        found.entries += len(receipts)
        name = ""
        while names := await self._store.people(organisation_id, name):
            for name in names:
                scope = Scope(organisation_id, name)
                receipt = newest.get(subject_digest(key, scope))
                if receipt is not None and await self._is_older(scope, receipt):
                    again = Erasure(receipt.id, receipt.erased_at, keys=True, older_only=True)
                    await self._forget(scope, again, None)
                    found.erased += 1

    async def _is_older(self, scope: Scope, receipt: Receipt) -> bool:
        since = await self._store.held_since(scope)
        return since is not None and since <= receipt.erased_at

    async def _forget(self, scope: Scope, erasure: Erasure, idempotency: Idempotency | None) -> Forgotten:
        forgotten = await self._memories.forget(scope, idempotency, erasure)
        self._keys.forget(forgotten.keys)
        return forgotten


async def exported(store: SubjectStore, scope: Scope, at: datetime) -> AsyncGenerator[bytes]:
    """Give all that is held about a user as lines of JSON, some at once: each a record typed by its table.

    The last line is a manifest of how many there are of each type, with the SHA-256 of all bytes before it. Without it
    an export is not whole.
    """
    counts: Counter[str] = Counter()
    digest = hashlib.sha256()
    async with aclosing(store.records(scope)) as records:
        async for some in records:
            lines = b"".join(f'{{"type":"{kind}","record":{record}}}\n'.encode() for kind, record in some)
            counts.update(kind for kind, _ in some)
            digest.update(lines)
            yield lines
    manifest = {
        "type": "manifest",
        "organisation_id": scope.organisation_id,
        "user_id": scope.user_id,
        "exported_at": at,
        "counts": dict(sorted(counts.items())),
        "sha256": digest.hexdigest(),
    }
    yield msgspec.json.encode(manifest) + b"\n"
