from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from datetime import datetime  # noqa: TC003
from typing import Annotated
from uuid import UUID  # noqa: TC003

from msgspec import Meta, Struct


class SubjectQuery(Struct, kw_only=True):
    user_id: Annotated[str, Meta(min_length=1, max_length=255, description="The person.")]


class RecordAnswer(Struct, kw_only=True):
    """A line of an export. The last one is of the type `manifest`, with counts, a digest and no record."""

    type: str
    record: dict[str, object]


class ReceiptAnswer(Struct, kw_only=True):
    message: str
    id: UUID
    organisation_id: UUID
    subject: Annotated[str, Meta(description="Keyed digest of the name.")]
    erased_at: datetime
    counts: Annotated[dict[str, int], Meta(description="Rows by table.")]
    seal: Annotated[str, Meta(description="Keyed digest of the rest.")]
