"""Puts entries into memory, batch by batch, so that a second run goes on where the first was stopped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from pronoia.cli.importing.entries import batches
from pronoia.domain.errors import ConfigurationError, NotFoundError
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Idempotency
from pronoia.domain.trust import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from uuid import UUID

    from pronoia.cli.importing.entries import Entry
    from pronoia.domain.trust import Trust
    from pronoia.ports.memory_store import Written
    from pronoia.services.drafts import Draft

FILE = Origin(route="pronoia import")
MAXIMUM_PROBLEMS = 1_000
"""Bad entries that are named; beyond it they are only counted."""


class Memories(Protocol):
    """The part of the service that an import needs."""

    async def add(
        self,
        scope: Scope,
        drafts: Sequence[Draft],
        idempotency: Idempotency | None = None,
        origin: Origin = FILE,
    ) -> Written:
        """Remember up to 100 texts at once."""
        ...


@dataclass(slots=True)
class Summary:
    """What an import did."""

    imported: int = 0
    already_there: int = 0
    refused: int = 0
    problems: list[str] = field(default_factory=list[str])
    users: set[str] = field(default_factory=set[str])


async def import_entries(
    memories: Memories,
    organisation_id: UUID,
    entries: Iterable[Entry],
    digest: bytes,
    advance: Callable[[int], None],
    origin: Origin = FILE,
) -> Summary:
    """Remember the good entries and name the bad ones. `advance` is told of each batch how many entries it had."""
    summary = Summary()
    for batch in batches(entries):
        _note_problems(batch, summary)
        drafts = [_bounded(entry.draft, origin.trust) for entry in batch if entry.draft is not None]
        if drafts:
            scope = Scope(organisation_id, batch[0].user_id)
            try:
                written = await memories.add(scope, drafts, _idempotency(batch, digest), origin)
            except NotFoundError as error:
                raise ConfigurationError(
                    f"The organisation {organisation_id} does not exist yet. Its first key makes it: "
                    "pronoia keys create --user NAME"
                ) from error
            summary.users.add(scope.user_id)
            if written.replayed:
                summary.already_there += len(drafts)
            else:
                summary.imported += len(drafts)
        advance(len(batch))
    return summary


def _note_problems(batch: Sequence[Entry], summary: Summary) -> None:
    problems = [f"{entry.place}: {entry.problem}" for entry in batch if entry.draft is None]
    summary.refused += len(problems)
    summary.problems.extend(problems[: MAXIMUM_PROBLEMS - len(summary.problems)])


def _bounded(draft: Draft, most: Trust) -> Draft:
    """Heed what a file says of itself only where it says less than whoever imports it."""
    return replace(draft, trust=None) if draft.trust is not None and draft.trust.rank > most.rank else draft


def _idempotency(batch: Sequence[Entry], digest: bytes) -> Idempotency:
    """Name the batch by user, file and range: the same file again is the same request."""
    named = f"{batch[0].user_id}\0{digest.hex()}\0{batch[0].number}-{batch[-1].number}"
    identity = hashlib.sha256(named.encode())
    return Idempotency(f"import-{identity.hexdigest()}", identity.digest())
