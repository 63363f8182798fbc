"""What is installed is pinned, by version and by hash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "requirements"
FILES = sorted(FOLDER.glob("*.txt"))
PIN = re.compile(r"^(?P<name>[a-z0-9.-]+)(\[[a-z0-9,-]+\])?==(?P<version>[^ ;]+)", re.MULTILINE)


def entries(file: Path) -> list[str]:
    """Give what is required, each entry with its hashes."""
    lines = file.read_text().replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_package_is_pinned_and_has_hashes(file: Path) -> None:
    assert entries(file)
    assert [line for line in entries(file) if not PIN.match(line) or "--hash=sha256:" not in line] == []


def test_what_runs_in_production_is_what_was_tested() -> None:
    tested, running = (
        {match["name"]: match["version"] for match in PIN.finditer((FOLDER / name).read_text())}
        for name in ("development.txt", "runtime.txt")
    )
    assert running.items() <= tested.items()
