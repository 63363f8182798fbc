from __future__ import annotations

from collections import Counter, defaultdict

Series = tuple[str, frozenset[tuple[str, str]]]


class RecordingMeter:
    """Remembers what was measured, for a test to read."""

    def __init__(self) -> None:
        self.counts: Counter[Series] = Counter()
        self.values: defaultdict[Series, list[float]] = defaultdict(list)
        self.gauges: dict[Series, float] = {}

    def count(self, family: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        self.counts[series(family, **labels)] += amount  # pyright: ignore[reportArgumentType] - counts may be fractions

    def observe(self, family: str, value: float, **labels: str) -> None:
        """Add a value to a histogram."""
        self.values[series(family, **labels)].append(value)

    def set(self, family: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self.gauges[series(family, **labels)] = value


def series(family: str, **labels: str) -> Series:
    """Name one series, as the recordings are keyed."""
    return family, frozenset(labels.items())
