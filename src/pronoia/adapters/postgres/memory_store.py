"""MemoryStore on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.postgres.loader import SnapshotLoader
from pronoia.adapters.postgres.memory_reader import MemoryReader
from pronoia.adapters.postgres.memory_writer import MemoryWriter

if TYPE_CHECKING:
    from pronoia.adapters.postgres.transactions import Database


class PostgresMemoryStore(MemoryWriter, MemoryReader, SnapshotLoader):
    """Writes, reads and loads memories on one database."""

    def __init__(self, database: Database, *, resident_limit: int) -> None:
        MemoryWriter.__init__(self, database, resident_limit=resident_limit)
        MemoryReader.__init__(self, database)
        SnapshotLoader.__init__(self, database)
