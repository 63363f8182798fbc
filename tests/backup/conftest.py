from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from typer.testing import CliRunner

from pronoia.adapters.backup.encryption import write_new_key
from pronoia.cli.commands import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    write_new_key(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def pronoia(key_file: Path) -> Iterator[Callable[..., tuple[int, Any]]]:
    """Run a command in this process with the key at hand, and give its exit code with its JSON, or what it said."""

    def run(*arguments: object) -> tuple[int, Any]:
        environment = {"PRONOIA_BACKUP_KEY_FILE": str(key_file)}
        result = CliRunner().invoke(app, [*map(str, arguments), "--json"], env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, json.loads(result.stdout) if result.stdout else result.stderr

    yield run
    structlog.reset_defaults()
