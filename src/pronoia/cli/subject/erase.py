from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, Person, examples, settings_of
from pronoia.cli.output import print_json, print_note
from pronoia.cli.subject.opened import patient_services
from pronoia.domain.identifiers import DEFAULT_ORGANISATION, Scope

if TYPE_CHECKING:
    from pronoia.config import Settings
    from pronoia.domain.erasures import Receipt


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "erase",
        epilog=examples(
            "pronoia subject erase --user ada                       # asks first",
            "pronoia subject erase --user ada --yes --json          # prints the receipt",
            "pronoia subject erase --user ada --yes --vacuum        # and has the files lose the bytes",
        ),
    )(erase_subject)


def erase_subject(
    user: Person,
    *,
    data: Data = None,
    database_url: DatabaseUrl = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    vacuum: Annotated[
        bool,
        typer.Option(
            "--vacuum", help="Write all tables of people anew afterwards; each is locked while it is written."
        ),
    ] = False,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Erase all that is held about a person, for good, and revoke the keys that name them.

    A receipt, which names nobody, is printed, and kept in the database and in the ledger (PRONOIA_ERASURE_LEDGER).
    """
    if not yes:
        typer.confirm(f"Erase all that is held about {user}? It cannot be undone.", abort=True, err=True)
    receipt = asyncio.run(_erase(settings_of(data, database_url), Scope(organisation, user), vacuum=vacuum))
    if as_json:
        print_json(receipt)
        return
    typer.echo(f"Erased {sum(receipt.counts.values())} records. Receipt {receipt.id}, seal {receipt.seal}.")
    print_note("Backups made before still hold them: restore with `pronoia subject reapply`. See docs/privacy.md.")


async def _erase(settings: Settings, scope: Scope, *, vacuum: bool) -> Receipt:
    async with patient_services(settings) as services:
        forgotten = await services.subjects.erase(scope)
        if vacuum:
            await services.subjects.rewrite()
        return forgotten.receipt
