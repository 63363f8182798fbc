"""Counts of several workers, added up whichever of them is asked, and kept when one of them dies.

prometheus_client writes each worker's numbers to files of its own, which are mapped into memory: what was counted
outlives a killed process. It leaves three things to us: telling which processes live, removing what gauges of dead
ones say, and folding their counters together, or a server that restarts its workers would fill the disk.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from prometheus_client.metrics_core import Metric

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client looks, when it is first imported, for the folder; without it, it counts for one process."""
DEAD = 0
"""Stands for all processes that have ended, in the name of a file; no process has this id."""


class WorkersFolder:
    """The folder in which the workers of one server count. Each holds a lock of its own for as long as it lives."""

    def __init__(self, path: Path) -> None:
        if not getattr(values.ValueClass, "_multiprocess", False):
            raise ConfigurationError(f"{VARIABLE} must be {path} before a worker starts.")
        self._path = path
        self._life = _locked(self._lock_of(os.getpid()), fcntl.LOCK_EX)

    def collect(self) -> Iterable[Metric]:
        """Add up the counts of all workers, living and dead."""
        with self._alone():
            self._bury([pid for pid in self._counted() if not self._lives(pid)])
            collector: Any = MultiProcessCollector(None, str(self._path))
            return collector.collect()

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Keep other workers from reading files while they are folded together."""
        lock = _locked(self._path / "folder.lock", fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(lock)

    def _counted(self) -> set[int]:
        return {pid for file in self._path.glob("*.db") if (pid := _owner(file)) != DEAD}

    def _lives(self, pid: int) -> bool:
        if pid == os.getpid():
            return True
        try:
            os.close(_locked(self._lock_of(pid), fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            return True
        return False

    def _bury(self, dead: list[int]) -> None:
        for pid in dead:
            for file in self._path.glob(f"*_{pid}.db"):
                kind = file.stem.removesuffix(f"_{pid}")
                if not kind.startswith("gauge_live"):
                    _fold(file, self._path / f"{kind}_{DEAD}.db")
                file.unlink()
            self._lock_of(pid).unlink()

    def _lock_of(self, pid: int) -> Path:
        return self._path / f"{pid}.lock"


def _owner(file: Path) -> int:
    return int(file.stem.rpartition("_")[2])


def _locked(path: Path, how: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def _fold(source: Path, target: Path) -> None:
    """Add counts; of the gauges that are kept, the newest counts. Whoever dies in between counts some twice."""
    # The library leaves these untyped: names of series, their values, and when gauges were set.
    kept: Any = MmapedDict(str(target))
    read: Any = MmapedDict.read_all_values_from_file  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    for key, value, at, _ in read(str(source)):
        before, before_at = kept.read_value(key)
        if source.stem.startswith("gauge"):
            kept.write_value(key, *max((before, before_at), (value, at), key=itemgetter(1)))
        else:
            kept.write_value(key, before + value, at)
    kept.close()
