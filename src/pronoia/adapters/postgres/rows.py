"""Rows to records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from pronoia.domain.erasures import Receipt
from pronoia.domain.records import ApiKey, Memory, Permission, Plan, Relationship, RelationshipType
from pronoia.domain.trust import Provenance, trust_of

if TYPE_CHECKING:
    from datetime import datetime

    from pronoia.adapters.postgres.driver import Row
    from pronoia.adapters.postgres.text_cipher import TextCipher

_TAGS = msgspec.json.Decoder(tuple[str, ...])
_COUNTS = msgspec.json.Decoder(dict[str, int])


def memory_of(row: Row) -> Memory:
    """Read a memory with its counts."""
    return Memory(
        id=row["id"],
        user_id=row["user_id"],
        text=row["text"],
        source=row["source"],
        project_id=row["project_id"],
        tags=_TAGS.decode(row["tags"]),
        metadata=row["metadata"],
        session_id=row["session_id"],
        agent_id=row["agent_id"],
        speaker=row["speaker"],
        occurred_at=row["occurred_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        duplicate_of=row["duplicate_of"],
        usage_count=row["usage_count"],
        last_accessed=row["last_accessed"],
        helpfulness_score=row["helpfulness"],
        trust=trust_of(row["trust"]),
        provenance=provenance_of(row),
    )


def opened_memory(memory: Memory, cipher: TextCipher) -> Memory:
    """Give a memory as it was before its text was sealed."""
    return replace(memory, text=cipher.open(memory.user_id, memory.id, memory.text))


def provenance_of(row: Row) -> Provenance | None:
    """Read where a memory came from; None for what was stored before that was kept."""
    if row["batch_id"] is None:
        return None
    return Provenance(row["written_by"], row["written_via"], row["batch_id"])


def relationship_of(row: Row) -> Relationship:
    """Read a relationship."""
    return Relationship(
        id=row["id"],
        memory_id=row["memory_id"],
        related_memory_id=row["related_memory_id"],
        type=RelationshipType(row["type"]),
        strength=row["strength"],
        explanation=row["explanation"],
        created_at=row["created_at"],
    )


def key_of(row: Row) -> ApiKey:
    """Read an API key."""
    return ApiKey(
        id=row["id"],
        organisation_id=row["organisation_id"],
        user_id=row["user_id"],
        permissions=frozenset(Permission(name) for name in row["permissions"]),
        plan=Plan(row["plan"]),
        secret_hash=row["secret_hash"],
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
        previous_secret_hash=row["previous_secret_hash"],
        previous_valid_until=row["previous_valid_until"],
        trust=trust_of(row["trust"]),
    )


def receipt_of_row(row: Row) -> Receipt:
    """Read the receipt of an erasure."""
    return Receipt(
        id=row["id"],
        organisation_id=row["organisation_id"],
        subject=row["subject"].hex(),
        erased_at=row["erased_at"],
        counts=_COUNTS.decode(row["counts"]),
        seal=row["seal"].hex(),
    )


def receipt_columns(receipt: Receipt, noted_at: datetime | None) -> tuple[object, ...]:
    """Write a receipt, and when it was put into the ledger, as the columns of its table."""
    return (
        receipt.organisation_id,
        receipt.id,
        bytes.fromhex(receipt.subject),
        receipt.erased_at,
        msgspec.json.encode(receipt.counts).decode(),
        bytes.fromhex(receipt.seal),
        noted_at,
    )
