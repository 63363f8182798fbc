from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from fault_proxy import FaultProxy
from fault_server import OwnPostgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def victim() -> Iterator[OwnPostgres]:
    """Run a PostgreSQL that tests may crash; they keep apart by organisations."""
    with TemporaryDirectory(prefix="pronoia-", ignore_cleanup_errors=True) as folder:
        server = OwnPostgres(Path(folder) / "data")
        yield server
        server.stop()


@pytest.fixture
def seed() -> int:
    return random.SystemRandom().randrange(1 << 32)


@pytest.fixture
def proxy(victim: OwnPostgres, seed: int) -> Iterator[FaultProxy]:
    """Stand between a server and its database."""
    with FaultProxy(victim.socket, seed).running() as proxy:
        yield proxy
