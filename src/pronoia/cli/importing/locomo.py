"""The LoCoMo benchmark's conversations, one memory a turn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pronoia.benchmark import locomo
from pronoia.cli.importing.entries import Entry, checked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_locomo(file: Path, user_prefix: str, maximum_text_length: int) -> Iterator[Entry]:
    """Read every conversation, each as a user of its own. Raises InvalidInputError if the file is not LoCoMo."""
    for conversation in locomo.read_locomo(file):
        user_id = f"{user_prefix}-{conversation.id}"
        for number, turn in enumerate(conversation.turns, 1):
            draft = replace(turn.draft(), source="import")
            yield checked(user_id, number, f"{conversation.id} {turn.id}", draft, maximum_text_length)
