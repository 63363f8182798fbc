"""One user's memory, columnar, in this process."""

from __future__ import annotations

from copy import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import numpy as np

from pronoia.domain.records import Memory
from pronoia.domain.trust import trust_of
from pronoia.memory.columns import Categories, Column, packed, split
from pronoia.memory.history import History
from pronoia.memory.lexicon import Lexicon
from pronoia.memory.links import Links
from pronoia.memory.origins import Origins
from pronoia.memory.sessions import SessionOrder
from pronoia.ports.snapshots import RelationshipColumns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from pronoia.domain.identifiers import Scope
    from pronoia.memory.sessions import Neighbours
    from pronoia.ports.snapshots import MemoryColumns, Snapshot, UsageColumns

HALF_HEADER = 2
"""Halves that precede the numbers when PostgreSQL sends a halfvec: its length, and a zero."""
OVERHEAD_OF_A_MEMORY = 400
"""Bytes of Python objects a memory takes beside its columns, measured with 200-character texts."""

MIXER = np.uint64(0x9E37_79B9_7F4A_7C15)
"""An odd number, so that no two first halves become one."""


class WorkingSet:
    """Rows are never reused or moved: a changed memory gets a new row and its old one dies.

    It changes on the event loop; another thread reads a frozen one.
    """

    def __init__(self, scope: Scope, space: str, dimensions: int) -> None:
        self.scope = scope
        self.space = space
        self.dimensions = dimensions
        self._clear()

    def _clear(self) -> None:
        self.version = 0
        self.activity = 0
        self._size = 0
        self._deaths = 0
        self._keys: list[bytes] = []
        self._replaced: dict[bytes, list[int]] = {}
        self._rows: dict[bytes, int] = {}
        self._alive: Column[np.bool_] = Column(np.bool_)
        self._embedded: Column[np.bool_] = Column(np.bool_)
        self._vectors: Column[np.float32] = Column(np.float32, self.dimensions)
        self._created_at: Column[np.float64] = Column(np.float64)
        self._updated_at: Column[np.float64] = Column(np.float64)
        self._occurred_at: Column[np.float64] = Column(np.float64)
        self._usage_count: Column[np.int32] = Column(np.int32)
        self._last_accessed: Column[np.float64] = Column(np.float64)
        self._helpfulness: Column[np.float32] = Column(np.float32)
        self._asks: Column[np.bool_] = Column(np.bool_)
        self._texts: list[str] = []
        self._tags: list[str] = []
        self._metadata: list[str] = []
        self._duplicate_of: list[UUID | None] = []
        self._has_occurred: list[bool] = []
        self.sources = Categories()
        self.projects = Categories()
        self.sessions = Categories()
        self.agents = Categories()
        self.speakers = Categories()
        self.origins = Origins()
        self.lexicon = Lexicon()
        self.links = Links(RelationshipColumns())
        self.history = History()
        self._text_bytes = 0
        self._history_rows: NDArray[np.intp] | None = None
        self._session_order = SessionOrder()

    def frozen(self) -> WorkingSet:
        """Give the set as it is now, for another thread, at the cost of some microseconds.

        Rows that are appended meanwhile are not seen. Those that die may be seen as they were or as dead.
        """
        frozen = copy(self)
        for name, part in vars(self).items():
            if isinstance(part, Column | Categories | Origins | Lexicon | Links):
                vars(frozen)[name] = part.frozen()
        return frozen

    def still_holds(self, frozen: WorkingSet, rows: NDArray[np.intp]) -> bool:
        """Say whether rows of what was frozen are still the same memories, and none of them was forgotten."""
        return self._keys is frozen._keys and bool(self.alive[rows].all())

    @property
    def size(self) -> int:
        """Rows, dead ones included."""
        return self._size

    @property
    def count(self) -> int:
        """Memories."""
        return len(self._rows)

    @property
    def alive(self) -> NDArray[np.bool_]:
        return self._alive.values

    @property
    def embedded(self) -> NDArray[np.bool_]:
        return self._embedded.values

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Unit rows (n, dimensions); zeros where there is no vector."""
        return self._vectors.values

    @property
    def created_at(self) -> NDArray[np.float64]:
        return self._created_at.values

    @property
    def updated_at(self) -> NDArray[np.float64]:
        return self._updated_at.values

    @property
    def occurred_at(self) -> NDArray[np.float64]:
        """When it happened, or where nobody said, when it was stored."""
        return self._occurred_at.values

    @property
    def usage_count(self) -> NDArray[np.int32]:
        return self._usage_count.values

    @property
    def last_accessed(self) -> NDArray[np.float64]:
        """Seconds since the epoch; NaN for never."""
        return self._last_accessed.values

    @property
    def helpfulness(self) -> NDArray[np.float32]:
        return self._helpfulness.values

    @property
    def asks(self) -> NDArray[np.bool_]:
        """Whether the text ends with a question mark."""
        return self._asks.values

    @property
    def previous(self) -> NDArray[np.int32]:
        """Row before, in the same session; -1 for none."""
        return self._neighbours()[0]

    @property
    def following(self) -> NDArray[np.int32]:
        """Row after, in the same session; -1 for none."""
        return self._neighbours()[1]

    @property
    def nbytes(self) -> int:
        """Estimate what the set holds, in bytes."""
        columns = (
            self._vectors, self._alive, self._embedded, self._created_at, self._updated_at, self._occurred_at,
            self._usage_count, self._last_accessed, self._helpfulness, self._asks,
        )  # fmt: skip
        names = (self.sources, self.projects, self.sessions, self.agents, self.speakers)
        return (
            sum(column.nbytes for column in columns)
            + sum(column.nbytes for column in names)
            + self.origins.nbytes
            + self.lexicon.nbytes
            + self.links.nbytes
            + self.history.nbytes
            + self._text_bytes
            + OVERHEAD_OF_A_MEMORY * self.size
        )

    def apply(self, snapshot: Snapshot) -> None:
        """Take over a snapshot: a complete one replaces all, any other what changed. Older ones do nothing."""
        self._history_rows = None
        if snapshot.complete:
            self._clear()
            self.links = Links(snapshot.links)
        elif snapshot.version < self.version:
            return
        for memory_id in snapshot.removed_memories:
            self._forget(memory_id.bytes)
            self.links.remove_memory(memory_id)
            self.history.forget(memory_id)
        for relationship_id in snapshot.removed_relationships:
            self.links.remove(relationship_id)
        self._append(snapshot.memories)
        self.history.extend(snapshot.accesses)
        self._count(snapshot.usage)
        # The use of writing a memory reaches the log a moment after the memory is stored.
        self.history.record_first(snapshot.memories.ids, snapshot.memories.created_at)
        self.links.add(snapshot.relationships)
        self.version = max(self.version, snapshot.version)
        self.activity = max(self.activity, snapshot.activity)

    def row_of(self, memory_id: UUID) -> int | None:
        """Find the living row of a memory."""
        row = self._rows.get(memory_id.bytes, self._size)
        return row if row < self._size else None

    def rows_of(self, keys: Sequence[bytes]) -> NDArray[np.intp]:
        """Find the living rows of memories by the 16 bytes of their ids; -1 for one that is gone."""
        rows = np.fromiter((self._rows.get(key, -1) for key in keys), dtype=np.intp, count=len(keys))
        rows[rows >= self._size] = -1
        return rows

    def rows_of_ids(self, ids: NDArray[np.void]) -> NDArray[np.intp]:
        """Find the living rows of memories by their packed ids, n at once; -1 for one that is gone."""
        # At one blow: the set goes on changing while a frozen one is read.
        living = [one for one in list(self._rows.items()) if one[1] < self._size]
        if not living:
            return np.full(len(ids), -1, dtype=np.intp)
        known = packed(b"".join(key for key, _ in living))
        rows = np.array([row for _, row in living], dtype=np.intp)
        numbers = _mixed(known)
        order = np.argsort(numbers)
        places = order[np.minimum(np.searchsorted(numbers, _mixed(ids), sorter=order), len(order) - 1)]
        return np.where(known[places] == ids, rows[places], -1)

    def rows_of_history(self) -> NDArray[np.intp]:
        """Find the living row of each memory of the history, by its number; -1 for one that is gone.

        It is kept until the set changes: not to be written to.
        """
        known = self._history_rows
        if known is None or len(known) != len(self.history.keys):
            known = self._history_rows = self.rows_of(self.history.keys)
        return known

    def ids(self, rows: Iterable[int]) -> list[UUID]:
        return [UUID(bytes=self._keys[row]) for row in rows]

    def text(self, row: int) -> str:
        return self._texts[row]

    def memory(self, row: int) -> Memory:
        """Render a row as a record."""
        used = float(self.last_accessed[row])
        return Memory(
            id=UUID(bytes=self._keys[row]),
            user_id=self.scope.user_id,
            text=self._texts[row],
            source=self.sources.name(row) or "",
            project_id=self.projects.name(row) or "",
            tags=tuple(self.tags(row)),
            metadata=self._metadata[row],
            session_id=self.sessions.name(row),
            agent_id=self.agents.name(row),
            speaker=self.speakers.name(row),
            occurred_at=_time(float(self.occurred_at[row])) if self._has_occurred[row] else None,
            created_at=_time(float(self.created_at[row])),
            updated_at=_time(float(self.updated_at[row])),
            duplicate_of=self._duplicate_of[row],
            usage_count=int(self.usage_count[row]),
            last_accessed=None if np.isnan(used) else _time(used),
            helpfulness_score=round(float(self.helpfulness[row]), 6),
            trust=trust_of(int(self.origins.trust[row])),
            provenance=self.origins.provenance(row),
        )

    def tags(self, row: int) -> list[str]:
        encoded = self._tags[row]
        return [] if encoded == "[]" else msgspec.json.decode(encoded, type=list[str])

    def metadata(self, row: int) -> dict[str, object]:
        return msgspec.json.decode(self._metadata[row], type=dict[str, object])

    def similarities(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the cosine of each row with a unit vector; 0 where there is no vector; float32 (n,)."""
        return self.vectors @ vector

    def record_access(self, memory_id: UUID, at: float, *, counted: bool) -> None:
        """Take note of a use before the log has it; what is written or judged is not counted as usage."""
        row = self.row_of(memory_id)
        if row is None:
            return
        self.history.record(memory_id, at, counted=counted)
        if counted:
            self.usage_count[row] += 1
            self.last_accessed[row] = at

    def _neighbours(self) -> Neighbours:
        state = self._size, self._deaths
        return self._session_order.of(state, self.sessions.codes, self.occurred_at, self.alive)

    def _kill(self, key: bytes) -> int | None:
        row = self._rows.pop(key, None)
        if row is not None:
            self.alive[row] = False
            self._deaths += 1
        return row

    def _forget(self, key: bytes) -> None:
        """Give up a row and what it said; the row itself stays, so that others keep their numbers."""
        living = self._kill(key)
        # What a change replaced said much the same.
        rows = self._replaced.pop(key, [])
        for row in rows if living is None else [*rows, living]:
            self._text_bytes -= len(self._texts[row]) + len(self._metadata[row])
            self._texts[row], self._tags[row], self._metadata[row] = "", "[]", "{}"
            self.vectors[row] = 0

    def _append(self, columns: MemoryColumns) -> None:
        count = len(columns.texts)
        if not count:
            return
        first = self.size
        keys = split(columns.ids)
        replaced = {key: row for key in self._rows.keys() & keys if (row := self._kill(key)) is not None}
        for key, row in replaced.items():
            self._replaced.setdefault(key, []).append(row)
        self._keys.extend(keys)
        self._rows.update(zip(keys, range(first, first + count), strict=True))
        self._append_vectors(columns)
        self.lexicon.extend(np.frombuffer(columns.terms, dtype="<u4"), np.array(columns.term_counts, dtype=np.int64))
        created = np.array(columns.created_at)
        occurred = np.array([np.nan if at is None else at for at in columns.occurred_at], dtype=np.float64)
        self._alive.extend(np.ones(count, dtype=np.bool_))
        self._created_at.extend(created)
        self._updated_at.extend(columns.updated_at)
        self._occurred_at.extend(np.where(np.isnan(occurred), created, occurred))
        self._has_occurred.extend(at is not None for at in columns.occurred_at)
        self._usage_count.extend(np.zeros(count, dtype=np.int32))
        self._last_accessed.extend(np.full(count, np.nan))
        self._helpfulness.extend(np.full(count, 0.5, dtype=np.float32))
        self._asks.extend(np.array([text.rstrip().endswith("?") for text in columns.texts], dtype=np.bool_))
        self._texts.extend(columns.texts)
        self._tags.extend(columns.tags)
        self._metadata.extend(columns.metadata)
        self._duplicate_of.extend(columns.duplicate_of)
        self._text_bytes += sum(map(len, columns.texts)) + sum(map(len, columns.metadata))
        self.sources.extend(columns.sources)
        self.projects.extend(columns.project_ids)
        self.sessions.extend(columns.session_ids)
        self.agents.extend(columns.agent_ids)
        self.speakers.extend(columns.speakers)
        self.origins.extend(columns)
        self._size += count
        self._keep_counts(replaced)

    def _append_vectors(self, columns: MemoryColumns) -> None:
        embedded = np.array(columns.embedded, dtype=np.bool_)
        vectors = np.zeros((len(embedded), self.dimensions), dtype=np.float32)
        if embedded.any():
            halves = np.frombuffer(columns.vectors, dtype=">f2").reshape(-1, HALF_HEADER + self.dimensions)
            vectors[embedded] = halves[:, HALF_HEADER:]
        self._embedded.extend(embedded)
        self._vectors.extend(vectors)

    def _keep_counts(self, replaced: Mapping[bytes, int]) -> None:
        for key, old in replaced.items():
            row = self._rows[key]
            self.usage_count[row] = self.usage_count[old]
            self.last_accessed[row] = self.last_accessed[old]
            self.helpfulness[row] = self.helpfulness[old]

    def _count(self, usage: UsageColumns) -> None:
        """Take over what the store counts, and add the uses that it has not heard of yet."""
        pending = self.history.pending_usage()
        for at, memory_id in enumerate(usage.ids):
            row = self.row_of(memory_id)
            if row is not None:
                accessed = usage.last_accessed[at]
                count, last = pending.get(memory_id.bytes, (0, np.nan))
                self.usage_count[row] = usage.usage_count[at] + count
                self.last_accessed[row] = np.fmax(np.nan if accessed is None else accessed, last)
                self.helpfulness[row] = usage.helpfulness[at]


def _mixed(ids: NDArray[np.void]) -> NDArray[np.uint64]:
    """Give each id as one number: of a UUID, no 64 bits alone are sure to differ."""
    halves = ids.view(np.uint64).reshape(-1, 2)
    return halves[:, 0] * MIXER + halves[:, 1]


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
