"""What is held about a person, and the record of whom nothing is held any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.erasures import Receipt
    from pronoia.domain.identifiers import Scope


class SubjectStore(Protocol):
    """Raises StoreUnavailableError."""

    def records(self, scope: Scope) -> AsyncGenerator[Sequence[tuple[str, str]]]:
        """Give all that is held about a user as of one moment, some records at once.

        Each is the name of its table and its columns as a JSON object; secrets are left out.
        """
        ...

    async def people(self, organisation_id: UUID, after: str) -> list[str]:
        """Give some names of users in their order, after a name; none when there are no more."""
        ...

    async def held_since(self, scope: Scope) -> datetime | None:
        """Give the time of the oldest that is held about a user; None if nothing is."""
        ...

    async def erasure_key(self, organisation_id: UUID) -> bytes | None:
        """Give what the digests of an organisation are keyed with; None if there is no such organisation."""
        ...

    async def keep(self, receipt: Receipt, noted_at: datetime) -> None:
        """Keep a receipt of the ledger that the database has lost; one that it has stays."""
        ...

    async def to_note(self) -> list[Receipt]:
        """Give some receipts of any organisation that are not in the ledger yet, oldest first."""
        ...

    async def noted(self, receipts: Sequence[Receipt], at: datetime) -> None:
        """Remember that they are."""
        ...

    async def rewrite(self) -> list[str]:
        """Write every table with rows of users anew, so that their files lose what was deleted; give their names."""
        ...


class ErasureLedger(Protocol):
    """Receipts outside of the database, for the day on which an older state of it is restored."""

    async def append(self, receipts: Sequence[Receipt]) -> None:
        """Write receipts durably. Raises UnavailableError."""
        ...
