from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(slots=True)
class Alert:
    """A condition from when it began to hold until it ended; or an event, which ends as it begins."""

    id: UUID
    name: str
    severity: Severity
    message: str
    labels: Mapping[str, str]
    started_at: datetime
    resolved_at: datetime | None = None
    told: set[str] = field(default_factory=set[str])
    """Who was told what, as `receiver:firing` or `receiver:resolved`."""

    @property
    def fingerprint(self) -> str:
        """Name the condition: alerts with the same name and labels are about the same thing."""
        return fingerprint(self.name, self.labels)

    @property
    def state(self) -> Literal["firing", "resolved", "event"]:
        if self.severity is Severity.INFO:
            return "event"
        return "firing" if self.resolved_at is None else "resolved"


def fingerprint(name: str, labels: Mapping[str, str]) -> str:
    """Digest a name and its labels, in any order, to 16 hexadecimal digits."""
    text = "\0".join((name, *(f"{label}={value}" for label, value in sorted(labels.items()))))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
