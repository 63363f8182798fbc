from __future__ import annotations

import platform
from pathlib import Path

from pronoia.adapters.telemetry.exposition import PrometheusExposition
from pronoia.adapters.telemetry.meter import PrometheusMeter
from pronoia.adapters.telemetry.tracing import open_tracing
from pronoia.adapters.telemetry.workers import WorkersFolder
from pronoia.ports.telemetry import Telemetry


def open_telemetry(*, metrics_folder: str = "", traces_url: str = "", version: str = "0") -> Telemetry:
    """Make what measures this process; several workers of one server share a folder. Raises ConfigurationError."""
    meter = PrometheusMeter(WorkersFolder(Path(metrics_folder)) if metrics_folder else None)
    meter.set("build_info", 1, version=version, python=platform.python_version())
    return Telemetry(meter, PrometheusExposition(meter), open_tracing(traces_url, version))
