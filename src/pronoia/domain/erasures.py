"""What an erasure leaves: a receipt that proves it and names nobody."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - receipts are decoded by their annotations
from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - receipts are decoded by their annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pronoia.domain.identifiers import Scope


@dataclass(frozen=True, slots=True)
class Erasure:
    """An order to forget a user."""

    id: UUID
    at: datetime
    keys: bool = False
    """Whether keys that name the user are revoked and lose the name, too."""
    older_only: bool = False
    """True after a restore: what was remembered after `at` stays."""

    @property
    def until(self) -> datetime | None:
        """Give the time until which memories go; None means all."""
        return self.at if self.older_only else None


@dataclass(frozen=True, slots=True)
class Receipt:
    """That somebody was erased, and how much there was. Digests are lower-case hexadecimal."""

    id: UUID
    organisation_id: UUID
    subject: str
    """Keyed: whoever holds the key and a name can tell whether it is meant, and nobody else who it is."""
    erased_at: datetime
    counts: dict[str, int]
    """Rows by table."""
    seal: str
    """Keyed digest of all of the above."""


def subject_digest(key: bytes, scope: Scope) -> str:
    """Name a user in 32 bytes that tell nobody without the key who it is (HMAC-SHA256)."""
    return _digest(key, "subject", str(scope.organisation_id), scope.user_id)


def receipt_of(key: bytes, scope: Scope, erasure: Erasure, counts: Mapping[str, int]) -> Receipt:
    """Write the receipt of an erasure."""
    subject = subject_digest(key, scope)
    return Receipt(
        id=erasure.id,
        organisation_id=scope.organisation_id,
        subject=subject,
        erased_at=erasure.at,
        counts=dict(counts),
        seal=_seal(key, erasure.id, scope.organisation_id, subject, erasure.at, counts),
    )


def is_sealed(key: bytes, receipt: Receipt) -> bool:
    """Say whether a receipt is one that was written with this key, unchanged."""
    seal = _seal(key, receipt.id, receipt.organisation_id, receipt.subject, receipt.erased_at, receipt.counts)
    return hmac.compare_digest(seal, receipt.seal)


def _seal(
    key: bytes, erasure_id: UUID, organisation_id: UUID, subject: str, at: datetime, counts: Mapping[str, int]
) -> str:
    counted = json.dumps(counts, sort_keys=True, separators=(",", ":"))
    microseconds = round(at.timestamp() * 1_000_000)
    return _digest(key, "receipt", str(erasure_id), str(organisation_id), subject, str(microseconds), counted)


def _digest(key: bytes, *parts: str) -> str:
    return hmac.digest(key, json.dumps(parts).encode(), "sha256").hex()
