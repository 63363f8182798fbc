from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from pronoia.adapters.postgres.driver import Connection, connect
from pronoia.adapters.postgres.errors import translated_errors
from pronoia.adapters.postgres.migrations import pending_migrations
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.cli.exit_codes import ExitCode, exit_code_of
from pronoia.cli.options import AsJson, Data, DatabaseUrl, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.cli.storage import running_postgres
from pronoia.domain.errors import PronoiaError
from pronoia.services.identity.providers import read_providers

if TYPE_CHECKING:
    from pronoia.config import Settings
    from pronoia.ports.identity import KeySource

OTHERS_MAY_READ_OR_WRITE = 0o066


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at, what was found, and the exit code it leads to."""

    name: str
    finding: str
    code: ExitCode = ExitCode.SUCCESS


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", epilog=examples("pronoia doctor", "pronoia doctor --database-url postgresql://... --json"))(
        examine
    )


def examine(data: Data = None, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Check settings, identity providers, data folder, database, extension, role and migrations. Changes nothing."""
    checks = asyncio.run(_checks(data, database_url))
    code = next((check.code for check in checks if check.code), ExitCode.SUCCESS)
    if as_json:
        rows = [{"check": check.name, "ok": not check.code, "finding": check.finding} for check in checks]
        print_json({"ok": not code, "checks": rows})
    else:
        table = Table(box=None, show_header=False)
        for check in checks:
            table.add_row("FAILED" if check.code else "ok", check.name, check.finding)
        Console().print(table)
    raise typer.Exit(code)


async def _checks(data: Path | None, database_url: str | None) -> list[Check]:
    try:
        settings = settings_of(data, database_url)
    except PronoiaError as error:
        return [_failed("settings", error)]
    checks = [Check("settings", "every PRONOIA_* variable is understood")]
    if settings.identity_providers:
        checks += await _provider_checks(settings)
    if not settings.database_url:
        folder = await asyncio.to_thread(_check_folder, Path(settings.data))
        checks.append(folder)
        if folder.code or not await asyncio.to_thread(Path(settings.data).exists):
            return checks
    return checks + await _database_checks(settings)


async def _provider_checks(settings: Settings) -> list[Check]:
    """Fetch the keys of every provider once."""
    # Loads the web; most installations have no provider.
    from pronoia.composition.identity import make_key_source  # noqa: PLC0415

    try:
        sources = {
            name: make_key_source(name, provider)
            for name, provider in read_providers(settings.identity_providers).items()
        }
    except PronoiaError as error:
        return [_failed("identity providers", error)]
    return list(await asyncio.gather(*(_check_provider(name, source) for name, source in sources.items())))


async def _check_provider(name: str, source: KeySource) -> Check:
    try:
        keys = await source.fetch()
    except PronoiaError as error:
        return _failed(f"provider {name}", error)
    finally:
        await source.close()
    return Check(f"provider {name}", f"publishes {', '.join(sorted(f'{key.id} ({key.algorithm})' for key in keys))}")


def _check_folder(folder: Path) -> Check:
    if not folder.exists():
        return Check("data folder", f"{folder} does not exist yet; `pronoia serve` makes it")
    if not folder.is_dir():
        return Check("data folder", f"{folder} is not a folder; choose another with --data", ExitCode.CONFIGURATION)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & OTHERS_MAY_READ_OR_WRITE:
        return Check("data folder", f"others may read it ({mode:o}); run: chmod 700 {folder}", ExitCode.CONFIGURATION)
    return Check("data folder", f"{folder} is private")


async def _database_checks(settings: Settings) -> list[Check]:
    checks: list[Check] = []
    try:
        async with running_postgres(settings) as through:
            url = settings.database_direct_url or through
            with translated_errors():
                connection = await connect(url, timeout_seconds=settings.database_timeout_seconds)
                try:
                    checks = await _connection_checks(connection)
                finally:
                    await connection.close()
            pending = [migration.name for migration in await pending_migrations(url)]
    except PronoiaError as error:
        return [*checks, _failed("migrations" if checks else "database", error)]
    if pending:
        return [*checks, Check("migrations", f"run `pronoia migrate` for {', '.join(pending)}", ExitCode.CONFIGURATION)]
    return [*checks, Check("migrations", "all are applied")]


async def _connection_checks(connection: Connection) -> list[Check]:
    server: int = await connection.fetchval(QUERIES["server_version"])
    vector: list[int] | None = await connection.fetchval(QUERIES["vector_version"])
    role = await connection.fetchrow(QUERIES["app_role"])
    checks = [Check("database", f"PostgreSQL {server // 10_000}.{server % 10_000} answers")]
    if vector is None:
        checks.append(Check("pgvector", "not installed here; run `pronoia migrate`", ExitCode.CONFIGURATION))
    else:
        checks.append(Check("pgvector", ".".join(map(str, vector))))
    if role is None:
        checks.append(Check("role", "pronoia_app is missing; run `pronoia migrate`", ExitCode.CONFIGURATION))
    elif role["unsafe"] or not role["usable"]:
        checks.append(
            Check("role", "pronoia_app is unfit; `pronoia migrate` says how to mend it", ExitCode.CONFIGURATION)
        )
    else:
        checks.append(Check("role", "pronoia_app obeys row-level security"))
    return checks


def _failed(name: str, error: PronoiaError) -> Check:
    return Check(name, error.message, exit_code_of(error))
