"""Where each memory of a working set came from, and how far it may be believed, by column."""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from pronoia.domain.trust import Provenance
from pronoia.memory.columns import ID_BYTES, Categories, Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.ports.snapshots import MemoryColumns


class Origins:
    """17 bytes a memory, and the codes of its key and route."""

    def __init__(self) -> None:
        self._trust: Column[np.int8] = Column(np.int8)
        self._batch_ids: Column[np.uint8] = Column(np.uint8, ID_BYTES)
        self._writers = Categories()
        self._routes = Categories()

    @property
    def trust(self) -> NDArray[np.int8]:
        """Ranks of Trust."""
        return self._trust.values

    @property
    def nbytes(self) -> int:
        return self._trust.nbytes + self._batch_ids.nbytes + self._writers.nbytes + self._routes.nbytes

    def frozen(self) -> Origins:
        """Give the entries there are now, for another thread."""
        frozen = copy(self)
        for name, part in vars(self).items():
            vars(frozen)[name] = part.frozen()
        return frozen

    def extend(self, columns: MemoryColumns) -> None:
        """Append memories."""
        self._trust.extend(columns.trust)
        self._batch_ids.extend(np.frombuffer(columns.batch_ids, dtype=np.uint8).reshape(-1, ID_BYTES))
        self._writers.extend(columns.written_by)
        self._routes.extend(columns.written_via)

    def provenance(self, row: int) -> Provenance | None:
        """Give where a row came from; None for what was stored before that was kept."""
        route = self._routes.name(row)
        if route is None:
            return None
        return _provenance(self._writers.name(row), route, self._batch_ids.values[row].tobytes())


@lru_cache(maxsize=4_096)
def _provenance(writer: str | None, route: str, batch_id: bytes) -> Provenance:
    """Make a record once for all memories of a batch."""
    return Provenance(writer, route, UUID(bytes=batch_id))
