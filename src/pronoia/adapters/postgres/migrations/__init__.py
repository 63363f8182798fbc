"""The numbered migrations and what applies them: forward only, one process at a time, no long wait for a lock."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import asyncpg
import structlog

from pronoia.adapters.postgres.audit_store import record
from pronoia.adapters.postgres.driver import Connection, connect
from pronoia.adapters.postgres.errors import translated_errors
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.audit import NO_ORGANISATION, AuditAction
from pronoia.domain.errors import ConfigurationError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

MINIMUM_POSTGRES = 16
MINIMUM_VECTOR = [0, 8]
"""The first pgvector whose scans go on until enough rows match."""
ATTEMPTS = 5
FIRST_WAIT_SECONDS = 0.5
STATEMENT_TIMEOUT_SECONDS = 600.0

FOR_AN_ADMINISTRATOR = (
    "Ask an administrator to run, in this database: create extension if not exists vector; "
    "create role pronoia_app nologin; grant pronoia_app to {user} with inherit false, set true;"
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file, or what the database remembers of one."""

    number: int
    name: str
    checksum: bytes
    text: str = ""


def known_migrations() -> list[Migration]:
    """Give the migrations of this version of Pronoia, in order."""
    files = sorted(
        (file for file in resources.files(__name__).iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return [_read(file.name, file.read_text("utf-8")) for file in files]


def _read(name: str, text: str) -> Migration:
    return Migration(int(name.partition("_")[0]), name, hashlib.sha256(text.encode()).digest(), text)


async def migrate(
    url: str,
    *,
    migrations: Sequence[Migration] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[Migration]:
    """Bring a database to this version, and give what was applied now.

    Each migration is one transaction. Raises ConfigurationError with a remedy if the database is not fit or not ours
    to change, StoreUnavailableError if a lock it needs is not let go of.
    """
    wanted = known_migrations() if migrations is None else migrations
    with translated_errors():
        connection = await connect(url, timeout_seconds=STATEMENT_TIMEOUT_SECONDS)
        try:
            await prepare_database(connection)
            missing = pending(wanted, await applied(connection))
            for migration in missing:
                await _apply_patiently(connection, migration, wanted, sleep)
        finally:
            await connection.close()
    return missing


async def pending_migrations(url: str) -> list[Migration]:
    """Give what migrate() would apply. Raises as migrate() does."""
    with translated_errors():
        connection = await connect(url, timeout_seconds=STATEMENT_TIMEOUT_SECONDS)
        try:
            return pending(known_migrations(), await applied(connection))
        finally:
            await connection.close()


async def prepare_database(connection: Connection) -> None:
    """See to pgvector and the role without rights. Raises ConfigurationError with the SQL an administrator must run."""
    server: int = await connection.fetchval(QUERIES["server_version"])
    if server // 10_000 < MINIMUM_POSTGRES:
        raise ConfigurationError(f"PostgreSQL {server // 10_000} is too old. Use {MINIMUM_POSTGRES} or newer.")
    user: str = await connection.fetchval(QUERIES["who"])
    try:
        await _prepare_vector(connection)
        await _prepare_app_role(connection)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedFileError, asyncpg.FeatureNotSupportedError) as error:
        raise ConfigurationError(f"{error}. {FOR_AN_ADMINISTRATOR.format(user=user)}") from error


async def _prepare_vector(connection: Connection) -> None:
    version: list[int] | None = await connection.fetchval(QUERIES["vector_version"])
    if version is None:
        # Another process may make it in the same moment, in spite of "if not exists".
        with suppress(asyncpg.UniqueViolationError):
            await connection.execute(QUERIES["create_vector"])
        version = await connection.fetchval(QUERIES["vector_version"])
    if version is None or version < MINIMUM_VECTOR:
        raise ConfigurationError("pgvector is older than 0.8. Update it: alter extension vector update;")


async def _prepare_app_role(connection: Connection) -> None:
    role = await connection.fetchrow(QUERIES["app_role"])
    if role is None:
        # Roles belong to the whole server: another database's migration may make it in the same moment.
        with suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            await connection.execute(QUERIES["create_app_role"])
        role = await connection.fetchrow(QUERIES["app_role"])
    if role is not None and role["unsafe"]:
        raise ConfigurationError(
            "The role pronoia_app could see every tenant. Run: alter role pronoia_app nosuperuser nobypassrls;"
        )
    if role is not None and not role["usable"]:
        await connection.execute(QUERIES["become_app_role"])


async def applied(connection: Connection) -> list[Migration]:
    """Give what the database remembers, in order."""
    if not await connection.fetchval(QUERIES["migrations_known"]):
        return []
    rows = await connection.fetch(QUERIES["migrations_applied"])
    return [Migration(row["number"], row["name"], row["checksum"]) for row in rows]


def pending(wanted: Sequence[Migration], done: Sequence[Migration]) -> list[Migration]:
    """Give those still to apply. Raises ConfigurationError if the database holds others than ours."""
    ours = {migration.number: migration for migration in wanted}
    for migration in done:
        own = ours.get(migration.number)
        if own is None:
            raise ConfigurationError(
                f"The database was migrated by a newer Pronoia (it has {migration.name}). "
                "Upgrade Pronoia, or restore a backup from before."
            )
        if own.checksum != migration.checksum:
            raise ConfigurationError(
                f"The database was migrated with another text of {migration.name}. "
                "Install the version of Pronoia that migrated it; a released migration never changes."
            )
    return [migration for migration in wanted if migration.number not in {one.number for one in done}]


async def apply_all(connection: Connection, migrations: Sequence[Migration]) -> None:
    """Apply migrations to an empty database, within a transaction of the caller's."""
    for migration in migrations:
        await _apply(connection, migration, migrations)


async def _apply_patiently(
    connection: Connection,
    migration: Migration,
    wanted: Sequence[Migration],
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Apply one, trying again while others hold its locks: waiting in the queue would stop every reader behind it."""
    for attempt in range(ATTEMPTS):
        try:
            await _apply(connection, migration, wanted)
        except asyncpg.LockNotAvailableError:
            log.warning("migration.waiting", migration=migration.name, attempt=attempt + 1)
            if attempt + 1 < ATTEMPTS:
                await sleep(FIRST_WAIT_SECONDS * 2**attempt)
        else:
            log.info("migration.applied", migration=migration.name)
            return
    raise StoreUnavailableError(
        f"{migration.name} needs a lock that a long transaction holds. Nothing was changed; run it again later, or "
        "end that transaction (see pg_stat_activity)."
    )


async def _apply(connection: Connection, migration: Migration, wanted: Sequence[Migration]) -> None:
    async with connection.transaction():
        await connection.execute(QUERIES["limit_lock_wait"])
        await connection.execute(QUERIES["migration_lock"])
        await connection.execute(QUERIES["create_migrations"])
        if migration in pending(wanted, await applied(connection)):
            await connection.execute(migration.text)
            await connection.execute(QUERIES["note_migration"], migration.number, migration.name, migration.checksum)
            if await connection.fetchval(QUERIES["audit_is_there"]):
                await record(connection, NO_ORGANISATION, AuditAction.SCHEMA_MIGRATED, migration=migration.name)
