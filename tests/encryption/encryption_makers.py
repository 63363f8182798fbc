"""Makes master keys and memories."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from pronoia.domain.identifiers import new_id
from pronoia.domain.records import NewMemory

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 5, 4, 12, 30, 15, tzinfo=UTC)
_seconds = count()


def write_master_key(path: Path) -> Path:
    """Write a new key that its owner alone can read."""
    path.touch(mode=0o600)
    path.write_bytes(base64.b64encode(os.urandom(32)) + b"\n")
    return path


def memory(text: str) -> NewMemory:
    """Make a memory a second younger than the one before."""
    at = NOW + timedelta(seconds=next(_seconds))
    return NewMemory(
        id=new_id(at),
        text=text,
        source="api",
        project_id="default",
        tags=(),
        metadata="{}",
        session_id=None,
        agent_id=None,
        speaker=None,
        occurred_at=None,
        created_at=at,
        terms=b"\x01\x00\x00\x00\x02\x00\x00\x00",
        vector=None,
    )
