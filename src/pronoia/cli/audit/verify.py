from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pronoia.adapters.audit.checkpoint_files import NAME, SignedCheckpoint, read_checkpoints
from pronoia.adapters.audit.signing import PUBLIC_NAME, public_key
from pronoia.adapters.postgres.audit_chain import open_audit_chain
from pronoia.cli.exit_codes import ExitCode
from pronoia.cli.options import AsJson, Data, DatabaseUrl, examples, settings_of
from pronoia.cli.output import print_json, print_note
from pronoia.cli.storage import audit_folder, running_postgres
from pronoia.services.audit.verification import ChainVerifier, Finding, promised

if TYPE_CHECKING:
    from pronoia.config import Settings
    from pronoia.domain.audit import Checkpoint


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, and what was found."""

    rows: int
    waiting: int
    """Rows that are not numbered yet, and so not verified."""
    checkpoints: int
    last_checkpoint: Checkpoint | None
    findings: list[Finding]
    bad_checkpoints: list[str]
    """Lines that are not signed, or do not follow the line before."""

    @property
    def is_whole(self) -> bool:
        return not self.findings and not self.bad_checkpoints


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "verify",
        epilog=examples(
            "pronoia audit verify --data data",
            "pronoia audit verify --database-url postgresql://... --checkpoints /worm/checkpoints.jsonl",
        ),
    )(verify)


def verify(
    *,
    data: Data = None,
    database_url: DatabaseUrl = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option("--checkpoints", help="The signed checkpoints.  [default: those of the audit folder]"),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--public-key", help="What proves their signatures.  [default: public.pem beside them]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look for the first row of each chain that was edited, removed, moved or cut off. Exits with 1 if there is one.

    Changes nothing. The role that connects must own the tables. Without checkpoints, a chain that was rewritten from
    some row to its end cannot be told from a true one.
    """
    settings = settings_of(data, database_url)
    report = asyncio.run(_verify(settings, *_files(settings, checkpoints, key)))
    if as_json:
        print_json(_described(report))
    else:
        _print(report)
    raise typer.Exit(ExitCode.SUCCESS if report.is_whole else ExitCode.FAILURE)


def _files(settings: Settings, checkpoints: Path | None, key: Path | None) -> tuple[Path | None, Path | None]:
    folder = audit_folder(settings)
    if checkpoints is None and folder is not None and (folder / NAME).exists():
        checkpoints = folder / NAME
    if checkpoints is not None and key is None:
        key = checkpoints.with_name(PUBLIC_NAME)
    return checkpoints, key


async def _verify(settings: Settings, checkpoints: Path | None, key: Path | None) -> Report:
    # Before the rows: what is signed while they are read is not among them.
    lines = [] if checkpoints is None or key is None else list(read_checkpoints(checkpoints, public_key(key)))
    signed = [line.checkpoint for line in lines if line.checkpoint is not None]
    async with (
        running_postgres(settings) as url,
        open_audit_chain(url, timeout_seconds=settings.database_timeout_seconds) as chain,
    ):
        heads, waiting = await chain.heads(), await chain.waiting()
        verifier = ChainVerifier(heads, promised(signed))
        with _progress() as progress:
            task = progress.add_task("Verifying", total=sum(head.number for head in heads))
            async for row in chain.rows():
                verifier.take(row)
                progress.advance(task)
        findings = verifier.finish()
    last = signed[-1] if signed else None
    return Report(verifier.rows, waiting, len(signed), last, findings, [*map(_named, _bad(lines))])


def _bad(lines: list[SignedCheckpoint]) -> list[SignedCheckpoint]:
    return [line for line in lines if line.checkpoint is None or not line.follows]


def _named(line: SignedCheckpoint) -> str:
    what = "is not signed by this key" if line.checkpoint is None else "does not follow the line before"
    return f"{line.place} {what}"


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _described(report: Report) -> dict[str, object]:
    return {
        "ok": report.is_whole,
        "rows": report.rows,
        "waiting": report.waiting,
        "checkpoints": report.checkpoints,
        "last_checkpoint": None if report.last_checkpoint is None else report.last_checkpoint.at,
        "findings": report.findings,
        "bad_checkpoints": report.bad_checkpoints,
    }


def _print(report: Report) -> None:
    for line in report.bad_checkpoints:
        typer.echo(f"checkpoint {line}")
    for one in report.findings:
        where = f"row {one.number}" if one.until in {None, one.number} else f"rows {one.number} to {one.until}"
        typer.echo(f"organisation {one.organisation_id} {where}: {one.tampering}. {one.explanation}")
    if report.last_checkpoint is None:
        print_note("No checkpoint was at hand: a chain that was rewritten to its end would not be noticed.")
    else:
        print_note(f"{report.checkpoints} checkpoints, the last of {report.last_checkpoint.at:%Y-%m-%d %H:%M:%S} UTC.")
    if report.waiting:
        print_note(f"{report.waiting} rows wait to be numbered; a running server does it within a second.")
    typer.echo(f"{report.rows} rows: {'whole' if report.is_whole else 'NOT WHOLE'}")
