"""A user's relationships, copied: a quarter of the time that PostgreSQL takes to aggregate them by column."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.records import RelationshipType
from pronoia.ports.snapshots import RelationshipColumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.adapters.postgres.driver import Connection
    from pronoia.domain.identifiers import Scope

TYPES = [kind.value for kind in RelationshipType]
POSTGRES_EPOCH = 946_684_800_000_000
"""When PostgreSQL's time begins, in microseconds since the epoch."""
MICROSECONDS = 1_000_000
HEADER_BYTES = 19
"""Before the first row: a signature, flags, and the length of an extension that there is none of."""


def _row(**fields: str) -> np.dtype[np.void]:
    """Say how PostgreSQL copies a row: how many fields it has, then each behind its length."""
    copied = [[(f"{name} length", ">i4"), (name, kind)] for name, kind in fields.items()]
    return np.dtype([("fields", ">i2"), *chain.from_iterable(copied)])


ROW = _row(
    id="V16", memory_id="V16", related_memory_id="V16", type=">i4", strength=">f8", created_at=">i8", explanation=">i8"
)


async def load_links(connection: Connection, scope: Scope) -> RelationshipColumns:
    """Read all of a user's relationships, in the order of their ids."""
    user = (scope.organisation_id, scope.user_id)
    pieces: list[bytes] = []

    async def receive(piece: bytes) -> None:
        pieces.append(piece)

    await connection.copy_from_query(QUERIES["load_relationships"].rstrip(";"), *user, output=receive, format="binary")
    copied = b"".join(pieces)
    count = (len(copied) - HEADER_BYTES) // ROW.itemsize
    if not count:
        return RelationshipColumns()
    rows = _by_id(np.frombuffer(copied, dtype=ROW, offset=HEADER_BYTES, count=count))
    types, typed = _coded(rows["type"].astype(np.int64))
    explained_by, explained = _coded(rows["explanation"].astype(np.int64))
    named = [UUID(bytes=one.tobytes()) for one in rows["id"][np.concatenate((typed, explained))]]
    words = {row["id"]: row for row in await connection.fetch(QUERIES["read_link_words"], *user, named)}
    codes = [TYPES.index(words[one]["type"]) for one in named[: len(typed)]]
    return RelationshipColumns(
        ids=rows["id"].tobytes(),
        memory_ids=rows["memory_id"].tobytes(),
        related_memory_ids=rows["related_memory_id"].tobytes(),
        types=np.array(codes, dtype=np.uint8)[types].tobytes(),
        strengths=rows["strength"].tobytes(),
        explanations=[words[one]["explanation"] for one in named[len(typed) :]],
        explained_by=explained_by.astype("<i4").tobytes(),
        created_at=((rows["created_at"] + POSTGRES_EPOCH) / MICROSECONDS).astype(">f8").tobytes(),
    )


def _by_id(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Sort rows by their ids; most were stored in that order."""
    ids = np.frombuffer(rows["id"].tobytes(), dtype="S16")
    if (ids[:-1] <= ids[1:]).all():
        return rows
    # As plain bytes: NumPy copies a record field by field.
    return rows.view(f"V{ROW.itemsize}")[np.argsort(ids, kind="stable")].view(ROW)


def _coded(hashes: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give a number for each hash, counted from 0, and for each number a place that has it."""
    distinct = np.unique(hashes)
    codes = distinct.searchsorted(hashes)
    places = np.empty(len(distinct), dtype=np.intp)
    places[codes] = np.arange(len(hashes))
    return codes, places
