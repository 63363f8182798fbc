from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from pronoia.benchmark.locomo import read_locomo
from pronoia.benchmark.recall_evaluation import evaluate
from pronoia.benchmark.recall_report import report
from pronoia.benchmark.stored import StoredSystem
from pronoia.cli.bench.scratch import ScratchDatabase, print_tables, progress_bar, scratch_services
from pronoia.cli.exit_codes import ExitCode
from pronoia.cli.options import AsJson, examples
from pronoia.cli.output import print_json, print_note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.benchmark.locomo import Conversation
    from pronoia.benchmark.recall_evaluation import Evaluation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "recall",
        epilog=examples(
            "pronoia bench recall --locomo locomo10.json",
            "pronoia bench recall --locomo locomo10.json --json > recall.json",
        ),
    )(measure_recall)


def measure_recall(
    locomo: Annotated[
        Path, typer.Option("--locomo", metavar="FILE", exists=True, dir_okay=False, help="LoCoMo's conversations.")
    ],
    database_url: ScratchDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Measure how much of the evidence for LoCoMo's questions is found.

    One memory a turn, one user a conversation. The learned ranker is tested on each conversation with weights that
    were fitted on all others. The exit code is 1 if it misses what the project promises of it.
    """
    conversations = read_locomo(locomo)
    if len(conversations) < 2:  # noqa: PLR2004  # one to test, one to fit on
        raise typer.BadParameter("Leaving one conversation out needs a file with two or more.", param_hint="--locomo")
    outcome = report(asyncio.run(_evaluate(conversations, database_url)))
    if as_json:
        print_json(outcome)
    else:
        print_tables(outcome.tables())
        print_note("All targets are met." if outcome.reached else "A target is missed.")
    raise typer.Exit(ExitCode.SUCCESS if outcome.reached else ExitCode.FAILURE)


async def _evaluate(conversations: Sequence[Conversation], database_url: str | None) -> Evaluation:
    async with scratch_services(database_url) as services:
        with progress_bar("Asking", sum(len(one.questions) for one in conversations)) as advance:
            return await evaluate(StoredSystem(services), conversations, advance)
