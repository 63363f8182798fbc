"""Looks for the first row of each chain that is not as it was written.

Hashes are computed here, from the content: what the database says of itself proves nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from pronoia.domain.audit import AuditHead, AuditRow, Checkpoint

BEGINNING = bytes(32)
"""The previous hash of a chain's first row."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Tampering(StrEnum):
    EDITED = "edited"
    REMOVED = "removed"
    MOVED = "moved"
    CUT_OFF = "cut_off"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True)
class Finding:
    """The first row of a chain that is wrong. `until` is the last row that a rewriting may have begun at."""

    organisation_id: UUID
    number: int
    tampering: Tampering
    explanation: str
    until: int | None = None


def content_hash(row: AuditRow) -> bytes:
    """Hash what a row says: the JSON array of its content, all of it as text."""
    microseconds = (row.at - EPOCH) // MICROSECOND
    content = [
        *(str(row.organisation_id), str(microseconds), row.action, row.outcome, row.actor, row.subject, row.route),
        *(row.request_id, row.details),
    ]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).digest()


def chain_hash(previous: bytes, number: int, content: bytes) -> bytes:
    """Link a row to the one before."""
    return hashlib.sha256(previous + number.to_bytes(8, "big", signed=True) + content).digest()


def promised(checkpoints: Iterable[Checkpoint]) -> dict[UUID, dict[int, bytes]]:
    """Give, by organisation and number, the hashes that were signed.

    A restored database lacks rows that were signed: where it was sealed again, what reaches beyond is no promise.
    """
    hashes: dict[UUID, dict[int, bytes]] = defaultdict(dict)
    for checkpoint in checkpoints:
        if checkpoint.resealed is not None:
            ends = {head.organisation_id: head.number for head in checkpoint.heads}
            for organisation_id, signed in hashes.items():
                end = ends.get(organisation_id, 0)
                hashes[organisation_id] = {number: hash_ for number, hash_ in signed.items() if number <= end}
        for head in checkpoint.heads:
            hashes[head.organisation_id][head.number] = head.hash
    return dict(hashes)


class ChainVerifier:
    """Takes all rows by organisation and number, and keeps the first finding of each chain."""

    def __init__(self, heads: Iterable[AuditHead], promises: Mapping[UUID, Mapping[int, bytes]]) -> None:
        self._heads = {head.organisation_id: head for head in heads}
        self._promises = promises
        self._organisation_id: UUID | None = None
        self._number, self._hash, self._confirmed = 0, BEGINNING, 0
        self._broken = False
        self._seen: set[UUID] = set()
        self.rows = 0
        self.findings: list[Finding] = []

    def take(self, row: AuditRow) -> None:
        """Look at the next row."""
        if row.organisation_id != self._organisation_id:
            self._end()
            self._begin(row.organisation_id)
        self.rows += 1
        if self._broken:
            return
        if row.number != self._number + 1:
            self._report(self._number + 1, Tampering.REMOVED, "The row is not there.")
            return
        self._look(row)
        self._number, self._hash = row.number, row.hash

    def finish(self) -> list[Finding]:
        """Look for chains that are gone, and give all findings."""
        self._end()
        for organisation_id in sorted({*self._promises, *self._heads} - self._seen):
            self._begin(organisation_id)
            self._end()
        self._organisation_id = None
        return self.findings

    def _begin(self, organisation_id: UUID) -> None:
        self._organisation_id = organisation_id
        self._number, self._hash, self._confirmed = 0, BEGINNING, 0
        self._broken = False
        self._seen.add(organisation_id)

    def _look(self, row: AuditRow) -> None:
        is_linked = row.previous_hash == self._hash
        is_itself = chain_hash(row.previous_hash, row.number, content_hash(row)) == row.hash
        match is_linked, is_itself:
            case True, True:
                self._compare(row)
            case True, False:
                self._report(row.number, Tampering.EDITED, "What it says is not what was hashed.")
            case False, False:
                self._report(row.number, Tampering.MOVED, "It was linked to another row, at another place.")
            case _:
                self._report(max(self._number, 1), Tampering.EDITED, "The row after it was linked to another.")

    def _compare(self, row: AuditRow) -> None:
        signed = self._signed.get(row.number)
        if signed == row.hash:
            self._confirmed = row.number
        elif signed is not None:
            self._report(
                self._confirmed + 1,
                Tampering.REWRITTEN,
                f"From here, or a row up to {row.number}, the chain is not the one that was signed.",
                row.number,
            )

    def _end(self) -> None:
        """Look for what was cut off from the end of a chain."""
        if self._organisation_id is None or self._broken:
            return
        head = self._heads.get(self._organisation_id)
        last = max([0 if head is None else head.number, *self._signed])
        if last > self._number:
            self._report(self._number + 1, Tampering.CUT_OFF, f"The rows up to {last} are gone.")
        elif head is None or head.number < self._number:
            self._report(self._number, Tampering.EDITED, "It is not the end that was noted.")
        elif head.hash != self._hash:
            self._report(self._number, Tampering.EDITED, "Its hash is not the one that was noted for the chain's end.")

    @property
    def _signed(self) -> Mapping[int, bytes]:
        return {} if self._organisation_id is None else self._promises.get(self._organisation_id, {})

    def _report(self, number: int, tampering: Tampering, explanation: str, until: int | None = None) -> None:
        if self._organisation_id is not None:
            self.findings.append(Finding(self._organisation_id, number, tampering, explanation, until))
        self._broken = True
