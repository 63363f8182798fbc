"""The database a command works on: the embedded one, started for as long as it is needed, or the one at a URL."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pronoia.adapters.postgres.embedded import EmbeddedPostgres
from pronoia.adapters.postgres.migrations import migrate
from pronoia.adapters.postgres.transactions import Database

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pronoia.config import Settings
    from pronoia.ports.clock import Clock
    from pronoia.recall.prior import Prior
    from pronoia.services.services import Services


def embedded_server(settings: Settings) -> EmbeddedPostgres:
    """Give the server of the data folder, not started yet."""
    archive = Path(settings.wal_archive) if settings.wal_archive else None
    return EmbeddedPostgres(Path(settings.data), archive=archive)


def audit_folder(settings: Settings) -> Path | None:
    """Give the folder of signed checkpoints; None if there is none."""
    if settings.audit_folder:
        return Path(settings.audit_folder)
    return None if settings.database_url else Path(settings.data) / "audit"


@asynccontextmanager
async def running_postgres(settings: Settings) -> AsyncGenerator[str]:
    """Give the URL of a running PostgreSQL, migrated or not."""
    if settings.database_url:
        yield settings.database_url
        return
    server = embedded_server(settings)
    url = await server.start()
    try:
        yield url
    finally:
        await server.stop()


@asynccontextmanager
async def migrated_storage(settings: Settings) -> AsyncGenerator[str]:
    """Give the URL of a running PostgreSQL with this version's schema."""
    async with running_postgres(settings) as url:
        await migrate(settings.database_direct_url or url)
        yield url


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncGenerator[Database]:
    """Open the migrated database with few connections."""
    async with migrated_storage(settings) as url:
        database = await Database.open(
            url, connections=2, timeout_seconds=settings.database_timeout_seconds, pooler=settings.database_pooler
        )
        try:
            yield database
        finally:
            await database.close()


@asynccontextmanager
async def opened_services(
    settings: Settings, prior: Prior | None = None, clock: Clock | None = None
) -> AsyncGenerator[Services]:
    """Open everything the server has but its network. `prior` replaces the shipped one of the ranking."""
    from pronoia.app import open_services  # noqa: PLC0415 - loads the model and the web; few commands need them

    async with (
        migrated_storage(settings) as url,
        open_services(msgspec.structs.replace(settings, database_url=url), clock, prior) as services,
    ):
        yield services
