from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def date_words(at: datetime) -> str:
    """Write the day that something happened as people ask for it, "8 May 2023", to be indexed with its text.

    On LoCoMo it is worth 1.4 points of R@10: a turn seldom says when it was spoken, and a question often does.
    """
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"
