from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from pronoia.cli.storage import opened_services

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pronoia.config import Settings
    from pronoia.services.services import Services

ERASING_SECONDS = 300.0
"""A person is erased by one statement, which takes some seconds for 20,000 memories."""


@asynccontextmanager
async def patient_services(settings: Settings) -> AsyncGenerator[Services]:
    """Open the services with time enough for a statement that erases whoever remembers most."""
    seconds = max(settings.database_timeout_seconds, ERASING_SECONDS)
    async with opened_services(msgspec.structs.replace(settings, database_timeout_seconds=seconds)) as services:
        yield services
