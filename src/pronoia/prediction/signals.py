"""What speaks for a memory to be used next: one number a signal and candidate."""

from __future__ import annotations

from typing import Final

HALF_LIVES: Final = tuple(days * 86_400.0 for days in (1 / 24, 0.25, 1, 7, 30, 120))
"""Of the decayed counts, in seconds."""

DECAYED: Final = (
    "decayed_hour",
    "decayed_quarter_day",
    "decayed_day",
    "decayed_week",
    "decayed_month",
    "decayed_season",
)

SIGNALS: Final = (
    "frequency",
    *DECAYED,
    "successor",
    "successor_after_gap",
    "successor_of_two",
    "successor_at_hour",
    "successor_at_time_of_week",
    "hour",
    "quarter_hour",
    "kind_of_day",
    "time_of_week",
    "gap",
    "successor_but_one",
    "together",
    "recency_rank",
    "recency",
    "last",
    "last_but_one",
    "used_once",
    "used_once_last",
    "used_once_rank",
    "overdue",
    "off_rhythm",
)

REASONS: Final = {
    **dict.fromkeys(("frequency", "used_once", "used_once_last", "used_once_rank"), "frequently_used"),
    **dict.fromkeys((*DECAYED, "recency_rank", "recency", "last", "last_but_one"), "recently_used"),
    **dict.fromkeys(
        ("successor", "successor_after_gap", "successor_of_two", "successor_but_one"), "temporal_pattern_sequence"
    ),
    **dict.fromkeys(("hour", "quarter_hour", "successor_at_hour"), "temporal_pattern_hourly"),
    "kind_of_day": "temporal_pattern_daily",
    **dict.fromkeys(("time_of_week", "successor_at_time_of_week"), "temporal_pattern_weekly"),
    **dict.fromkeys(("gap", "overdue", "off_rhythm"), "temporal_pattern_interval"),
    "together": "frequently_accessed_with",
}
"""The expert that a signal belongs to, in the words of the contract."""
