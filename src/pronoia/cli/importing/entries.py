"""What every format becomes: entries of a user, each a draft or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.domain.errors import InvalidInputError
from pronoia.services.drafts import Draft, check_draft, encode_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BATCH = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One memory to be. `number` counts from 1 and is the same on every reading of the file."""

    user_id: str
    number: int
    place: str
    """Where it stands, as a person finds it."""
    draft: Draft | None
    problem: str = ""


def checked(user_id: str, number: int, place: str, draft: Draft, maximum_text_length: int) -> Entry:
    """Give an entry that will be accepted, or one that says why not."""
    try:
        check_draft(draft, maximum_text_length)
        encode_metadata(draft.metadata)
    except InvalidInputError as error:
        return Entry(user_id, number, place, None, error.message)
    return Entry(user_id, number, place, draft)


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Group entries of one user, the bad ones counted too, so that a batch is the same on every reading."""
    batch: list[Entry] = []
    for entry in entries:
        if batch and (len(batch) == BATCH or batch[0].user_id != entry.user_id):
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch
