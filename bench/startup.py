"""From the command to the first answer, embedded PostgreSQL included, on all cores."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.report import Figure, progress
from bench.server import BARE_APPLICATION, PRONOIA, running


def measure(runs: int) -> list[Figure]:
    first: list[float] = []
    second: list[float] = []
    bare: list[float] = []
    for run in range(runs):
        with tempfile.TemporaryDirectory(prefix="pronoia-bench-") as folder:
            command = (*PRONOIA, "serve", "--data", str(Path(folder) / "data"))
            for taken in (first, second):
                with running(command) as server:
                    taken.append(server.started_in)
        with running(BARE_APPLICATION) as server:
            bare.append(server.started_in)
        progress(f"start {run + 1}/{runs}: first {first[-1]:.2f} s, second {second[-1]:.2f} s, bare {bare[-1]:.2f} s")
    beside = "bare Litestar on uvicorn"
    return [
        Figure(name="first start (creates the database)", unit="s", runs=first, beside=beside, beside_runs=bare),
        Figure(name="later start", unit="s", runs=second, beside=beside, beside_runs=bare, target=3),
    ]
