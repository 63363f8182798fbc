"""pronoia users: list, show, set-role, revoke-tokens."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from pronoia.adapters.postgres.organisation_store import PostgresUserStore
from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.cli.storage import opened_database
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.domain.roles import Role
from pronoia.resilience.clock import SystemClock
from pronoia.services.users import PAGE, Users

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from uuid import UUID

    from pronoia.config import Settings
    from pronoia.domain.organisations import User

Name = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]


class RoleChoice(StrEnum):
    """A role, or none."""

    ADMIN = Role.ADMIN
    MEMBER = Role.MEMBER
    READER = Role.READER
    NONE = "none"


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="List users, and bound by a role what their keys and tokens may do.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("list", epilog=examples("pronoia users list", "pronoia users list --json"))(list_users)
    group.command("show", epilog=examples("pronoia users show ada"))(show_user)
    group.command(
        "set-role",
        epilog=examples(
            "pronoia users set-role ada reader    # keys of ada only read from now on, whatever their scopes",
            "pronoia users set-role ada none      # their scopes alone decide again",
        ),
    )(set_role)
    group.command("revoke-tokens", epilog=examples("pronoia users revoke-tokens ada"))(revoke_tokens)
    app.add_typer(group, name="users")


def list_users(
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """List users by name, with their roles and how much they have stored."""
    found = asyncio.run(_every(settings_of(data, database_url), organisation))
    if as_json:
        print_json([_described(one) for one in found])
    elif found:
        _print_table(found)
    else:
        typer.echo("Nobody has stored anything yet.")


def show_user(
    user: Name,
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Show one user."""

    async def get() -> User:
        async with _opened(settings_of(data, database_url)) as users:
            return await users.get(organisation, user)

    _print(asyncio.run(get()), as_json)


def set_role(
    user: Name,
    role: Annotated[RoleChoice, typer.Argument(metavar="ROLE", help="admin, member, reader, or none.")],
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Bound what every key and token of a user may do. Running servers heed it within five seconds.

    A role only takes away: it gives a key no scope that it does not have. It outlives forgetting the user.
    """
    wanted = None if role is RoleChoice.NONE else Role(role)

    async def change() -> User:
        async with _opened(settings_of(data, database_url)) as users:
            return await users.set_role(organisation, user, wanted)

    _print(asyncio.run(change()), as_json)


def revoke_tokens(
    user: Name,
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Refuse all tokens that an identity provider has issued to a user so far. Servers heed it within five seconds.

    API keys of the user go on working: revoke them by `pronoia keys revoke`.
    """

    async def revoke() -> User:
        async with _opened(settings_of(data, database_url)) as users:
            return await users.revoke_tokens(organisation, user)

    _print(asyncio.run(revoke()), as_json)


async def _every(settings: Settings, organisation: UUID) -> list[User]:
    async with _opened(settings) as users:
        found = page = await users.listed(organisation)
        while len(page) == PAGE:
            page = await users.listed(organisation, after=page[-1].id)
            found += page
        return found


def _print(user: User, as_json: bool) -> None:
    if as_json:
        print_json(_described(user))
    else:
        _print_table([user])


def _print_table(users: list[User]) -> None:
    table = Table("user", "role", "memories", "since", "tokens since", box=None)
    for one in users:
        not_before = "" if one.tokens_not_before is None else f"{one.tokens_not_before:%Y-%m-%d %H:%M:%S}"
        table.add_row(one.id, one.role or "", str(one.memory_count), f"{one.created_at:%Y-%m-%d %H:%M}", not_before)
    Console().print(table)


def _described(user: User) -> dict[str, object]:
    return {
        "user_id": user.id,
        "role": user.role,
        "memory_count": user.memory_count,
        "memory_version": user.memory_version,
        "created_at": user.created_at,
        "tokens_not_before": user.tokens_not_before,
    }


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[Users]:
    async with opened_database(settings) as database:
        leeway = timedelta(seconds=settings.token_leeway_seconds)
        yield Users(store=PostgresUserStore(database), clock=SystemClock(), token_leeway=leeway)
