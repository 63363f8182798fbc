"""Why a memory was found: every signal, what it weighed, and what it added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.recall.signals import SIGNALS
from pronoia.recall.use import USE_SIGNALS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pronoia.recall.signals import Signals

Explanation = tuple[dict[str, float | str], ...]
"""One entry a signal: its name, raw value, standardised value, weight, and their product."""
DIGITS = 6


def explain(
    signals: Signals,
    weights: NDArray[np.float32],
    use: NDArray[np.float32],
    use_weights: NDArray[np.float32],
    places: NDArray[np.intp],
) -> list[Explanation]:
    """Explain candidates. The contributions of one add up to its ranking score.

    `use` holds the signals of use of these places, (4, len(places)); they are compared as they are.
    """
    raw = signals.values[:, places]
    standardised = signals.standardised(places)
    return [
        (
            *(_entry(name, raw[at, place], standardised[place, at], weights[at]) for at, name in enumerate(SIGNALS)),
            *(_entry(name, use[at, place], use[at, place], use_weights[at]) for at, name in enumerate(USE_SIGNALS)),
        )
        for place in range(len(places))
    ]


def _entry(name: str, raw: np.float32, standardised: np.float32, weight: np.float32) -> dict[str, float | str]:
    return {
        "signal": name,
        "value": round(float(raw), DIGITS),
        "standardised": round(float(standardised), DIGITS),
        "weight": round(float(weight), DIGITS),
        "contribution": round(float(standardised * weight), DIGITS),
    }
