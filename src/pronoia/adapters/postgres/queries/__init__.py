"""The SQL of this adapter, by name. No SQL is written anywhere else."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADING = re.compile(r"^-- (\w+): .+$", re.MULTILINE)


def parse_queries(text: str) -> dict[str, str]:
    """Cut a file into its queries, each headed by a line `-- name: what it does`. Raises ValueError on a repeat."""
    parts = HEADING.split(text)
    names, bodies = parts[1::2], [body.strip() for body in parts[2::2]]
    if len(set(names)) != len(names):
        raise ValueError(f"A query is named twice: {sorted(names)}")
    return dict(zip(names, bodies, strict=True))


def _read_all() -> dict[str, str]:
    files = sorted(file.name for file in resources.files(__name__).iterdir() if file.name.endswith(".sql"))
    return parse_queries("\n".join((resources.files(__name__) / name).read_text("utf-8") for name in files))


QUERIES: Mapping[str, str] = _read_all()
