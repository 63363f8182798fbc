"""How long something lasts, as people write it: 90d, 24h, 30m."""

from __future__ import annotations

import re
from datetime import timedelta

import typer

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
FORM = re.compile(r"(\d{1,6})([smhdw])")


def duration(text: str) -> timedelta:
    """Read a duration. Raises BadParameter."""
    parts = FORM.fullmatch(text.strip())
    if parts is None:
        raise typer.BadParameter(f"{text!r} is no duration. Write a number and s, m, h, d or w, such as 90d or 24h.")
    return timedelta(**{UNITS[parts[2]]: int(parts[1])})
