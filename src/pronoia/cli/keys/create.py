from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pronoia.cli.keys.opened import described, opened_keys
from pronoia.cli.options import AsJson, Data, DatabaseUrl, Expires, Organisation, end_of, examples, settings_of
from pronoia.cli.output import print_json, print_note
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.domain.records import Permission, Plan
from pronoia.domain.roles import PERMISSIONS, Role
from pronoia.domain.trust import Trust

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pronoia.config import Settings
    from pronoia.domain.records import ApiKey


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "create",
        epilog=examples(
            "pronoia keys create --user ada                         # for one user",
            "pronoia keys create --user ada --role reader           # may only read",
            "pronoia keys create --user ada --expires 90d           # stops by itself",
            "pronoia keys create --user ada --trust untrusted      # for what reads the web",
            "pronoia keys create --service                          # the caller names the user on each request",
            "export PRONOIA_KEY=$(pronoia keys create --user ada --quiet)",
        ),
    )(create_key)


def create_key(
    *,
    data: Data = None,
    database_url: DatabaseUrl = None,
    user: Annotated[str | None, typer.Option("--user", help="The user whose memory the key opens.")] = None,
    plan: Annotated[Plan, typer.Option("--plan", help="Sets the limits of the key.")] = Plan.ENTERPRISE,
    role: Annotated[
        Role | None,
        typer.Option("--role", help="Short for the scopes of a role.  [default: member: read, write, learn]"),
    ] = None,
    scopes: Annotated[
        str | None, typer.Option("--scopes", help="Comma list of read, write, learn, admin, instead of --role.")
    ] = None,
    expires: Expires = None,
    trust: Annotated[
        Trust, typer.Option("--trust", help="How far what the key writes is to be believed.")
    ] = Trust.TRUSTED,
    service: Annotated[
        bool, typer.Option("--service", help="A key for a backend that serves many users, instead of --user.")
    ] = False,
    organisation: Organisation = DEFAULT_ORGANISATION,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the key alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make an API key. It is shown this once; only its hash is kept."""
    if service == (user is not None):
        raise typer.BadParameter("Give either --user NAME or --service.")
    if role is not None and scopes is not None:
        raise typer.BadParameter("Give either --role or --scopes.")
    permissions = PERMISSIONS[role or Role.MEMBER] if scopes is None else _permissions(scopes)
    settings = settings_of(data, database_url)
    key, text = asyncio.run(_create(settings, user, plan, permissions, organisation, end_of(expires), trust))
    if as_json:
        print_json({"key": text, **described(key)})
        return
    typer.echo(text)
    if not quiet:
        whose = "the users its caller names" if key.user_id is None else f"user {key.user_id}"
        print_note(
            f"This key opens the memory of {whose} ({', '.join(sorted(permissions))}). Keep it: it is not shown again."
        )
        print_note(f"To take it back: pronoia keys revoke {key.id}")


def _permissions(scopes: str) -> frozenset[Permission]:
    names = {name.strip() for name in scopes.split(",") if name.strip()}
    unknown = sorted(names - set(Permission))
    if unknown or not names:
        raise typer.BadParameter(
            f"{', '.join(unknown) or 'an empty list'} is not among {', '.join(Permission)}.", param_hint="--scopes"
        )
    return frozenset(Permission(name) for name in names)


async def _create(
    settings: Settings,
    user: str | None,
    plan: Plan,
    permissions: frozenset[Permission],
    organisation: UUID,
    expires_at: datetime | None,
    trust: Trust,
) -> tuple[ApiKey, str]:
    async with opened_keys(settings) as keys:
        return await keys.create(
            user_id=user,
            plan=plan,
            permissions=permissions,
            organisation_id=organisation,
            expires_at=expires_at,
            trust=trust,
        )
