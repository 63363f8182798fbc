"""What tests do to the server that their databases are on, as its superuser."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit, urlunsplit

import asyncpg


def address(url: str, *, user: str | None = None, database: str | None = None) -> str:
    """Change the user or the database in a URL."""
    parts = urlsplit(url)
    host = parts.netloc if user is None else f"{user}@{parts.netloc.partition('@')[2]}"
    return urlunsplit(parts._replace(netloc=host, path=parts.path if database is None else f"/{database}"))


def administer(url: str, *statements: str) -> None:
    """Run statements as the superuser, each in its own transaction."""

    async def run() -> None:
        connection = await asyncpg.connect(address(url, user="postgres"), timeout=10, command_timeout=60)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())
