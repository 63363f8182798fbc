"""Reads sequences of uses: who used which item, and when."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pronoia.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("user", "item", "time")


@dataclass(frozen=True, slots=True)
class Event:
    """A user used an item; `at` is in seconds since the epoch. A time without an offset counts as UTC."""

    user: str
    item: str
    at: float


def read_events(file: Path) -> list[Event]:
    """Read a CSV file with the columns `user,item,time` (ISO 8601), and order it by time.

    Raises InvalidInputError that names the line, if one is not as it should be.
    """
    with file.open(encoding="utf-8", newline="") as text:
        rows = csv.reader(text)
        try:
            if tuple(next(rows, ())) != COLUMNS:
                raise InvalidInputError(f"{file}, line 1: the columns must be {','.join(COLUMNS)}.")
            events = [_event(row) for row in rows if row]
        except (ValueError, csv.Error) as error:
            raise InvalidInputError(f"{file}, line {rows.line_num}: {error}") from error
    return sorted(events, key=lambda event: event.at)


def _event(row: list[str]) -> Event:
    if len(row) != len(COLUMNS) or not all(row):
        raise ValueError(f"needs {len(COLUMNS)} values, {', '.join(COLUMNS)}.")
    user, item, time = row
    read = datetime.fromisoformat(time)
    return Event(user, item, (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
