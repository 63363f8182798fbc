"""Fills every table that has an index of ours: for tests of plans, and for measuring reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    import asyncpg

STATEMENTS = Path(__file__).with_suffix(".sql").read_text("utf-8")


@dataclass(frozen=True)
class Size:
    """`memories` and everything about them are split evenly over `users`; so are `uses`."""

    users: int
    memories: int
    uses: int
    indexed: int
    """Memories of the first user, in the shared indexes of words and vectors."""
    idle: int = 0
    """Users beside them who have nothing."""


def scope_of(person: int) -> tuple[UUID, str]:
    """Give the organisation and the name of a user."""
    return UUID(f"00000000-0000-4000-8000-{person % 5:012d}"), f"user {person}"


def id_of(person: int, place: int) -> UUID:
    """Give the id of a user's memory, relationship or action, from 1 on."""
    return UUID(f"{1_700_000_000_000 + place * 1000:012x}70008{person:015x}")


async def fill(superuser: asyncpg.Connection, size: Size) -> None:
    """Fill an empty database. Foreign keys hold, and are not checked row by row."""
    numbers = {
        "users": size.users,
        "memories": size.memories // size.users,
        "uses": size.uses // size.users,
        "indexed": size.indexed,
        "idle": size.idle,
    }
    for name, number in numbers.items():
        await superuser.execute("select set_config($1, $2, false)", f"large.{name}", str(number))
    await superuser.execute("set session_replication_role = replica")
    await superuser.execute(STATEMENTS, timeout=300)
    await superuser.execute("set session_replication_role = origin")
    await superuser.execute("analyze", timeout=300)
    await superuser.execute("vacuum memories", timeout=300)  # puts new rows into the index over time
