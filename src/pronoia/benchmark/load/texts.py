"""Texts that are cheap to write, and each different."""

from __future__ import annotations

WORDS = [
    "garden", "river", "music", "travel", "kitchen", "project", "deadline", "coffee", "mountain", "doctor",
    "football", "piano", "school", "winter", "budget", "holiday", "bicycle", "painting", "weather", "server",
    "database", "meeting", "letter", "neighbour", "birthday", "recipe", "language", "history", "camera", "museum",
    "forest", "engine", "ticket", "market", "window", "bridge", "planet", "teacher", "science", "summer", "evening",
    "morning",
]  # fmt: skip
STEPS = (1, 7, 13, 17, 23, 29, 31, 37, 41, 43)


def sentence(number: int) -> str:
    """Write a text of about 90 characters that differs from all others."""
    return f"Note {number}: {words_of(number)}."


def words_of(number: int) -> str:
    """Write what the sentence of a number is about; no two of the first 37,000 are about the same."""
    rounds, turn = divmod(number, len(WORDS))
    more, again = divmod(rounds, len(WORDS))
    return " ".join(
        WORDS[((turn + 1) * step + again * place + more * place**2) % len(WORDS)] for place, step in enumerate(STEPS)
    )
