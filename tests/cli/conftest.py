from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest
import structlog
from typer.testing import CliRunner, Result

from pronoia.cli.commands import app

if TYPE_CHECKING:
    from collections.abc import Iterator


class Run(Protocol):
    def __call__(self, *arguments: str) -> Result: ...


@pytest.fixture
def pronoia() -> Iterator[Run]:
    """Run a command in this process."""
    yield lambda *arguments: CliRunner().invoke(app, arguments)
    structlog.reset_defaults()
