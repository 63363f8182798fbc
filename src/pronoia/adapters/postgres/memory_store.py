"""MemoryStore on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.postgres.loader import SnapshotLoader
from pronoia.adapters.postgres.memory_reader import MemoryReader
from pronoia.adapters.postgres.memory_writer import MemoryWriter
from pronoia.adapters.postgres.text_cipher import PLAIN_TEXTS

if TYPE_CHECKING:
    from pronoia.adapters.postgres.text_cipher import Texts
    from pronoia.adapters.postgres.transactions import Database


class PostgresMemoryStore(MemoryWriter, MemoryReader, SnapshotLoader):
    """Writes, reads and loads memories on one database."""

    def __init__(self, database: Database, *, resident_limit: int, texts: Texts = PLAIN_TEXTS) -> None:
        MemoryWriter.__init__(self, database, resident_limit=resident_limit, texts=texts)
        MemoryReader.__init__(self, database, texts=texts)
        SnapshotLoader.__init__(self, database, texts=texts)
