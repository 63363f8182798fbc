from __future__ import annotations

# msgspec resolves these annotations when an answer is described, so the types must be there at run time.
from datetime import datetime  # noqa: TC003

from msgspec import Struct

from pronoia.ports.telemetry import MeasuredFamily  # noqa: TC001


class MetricsAnswer(Struct, kw_only=True):
    timestamp: datetime
    count: int
    metrics: list[MeasuredFamily]
