from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from pronoia.benchmark.locomo import read_locomo
from pronoia.benchmark.recall_report import Table
from pronoia.benchmark.stored import StoredSystem
from pronoia.benchmark.suggestion_evaluation import UNRELATED_CONTEXTS, evaluate_suggestions
from pronoia.cli.bench.scratch import ScratchDatabase, print_tables, progress_bar, scratch_services
from pronoia.cli.exit_codes import ExitCode
from pronoia.cli.options import AsJson, examples
from pronoia.cli.output import print_json, print_note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.benchmark.locomo import Conversation
    from pronoia.benchmark.metrics import Interval
    from pronoia.benchmark.suggestion_evaluation import SuggestionEvaluation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("suggest", epilog=examples("pronoia bench suggest --locomo locomo10.json"))(measure_suggestions)


def measure_suggestions(
    locomo: Annotated[
        Path, typer.Option("--locomo", metavar="FILE", exists=True, dir_okay=False, help="LoCoMo's conversations.")
    ],
    database_url: ScratchDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Measure whether suggestions come when they should, and stay away when they should not.

    One user a conversation. Each is asked their own questions, and questions that were asked of others. The exit code
    is 1 if suggestions miss what the project promises of them.
    """
    conversations = read_locomo(locomo)
    if len(conversations) < 2:  # noqa: PLR2004  # one's own, and another's
        raise typer.BadParameter(
            "Questions of others need a file with two conversations or more.", param_hint="--locomo"
        )
    found = asyncio.run(_evaluate(conversations, database_url))
    if as_json:
        print_json(found)
    else:
        print_tables([_table(found)])
        print_note("All targets are met." if found.reached else "A target is missed.")
    raise typer.Exit(ExitCode.SUCCESS if found.reached else ExitCode.FAILURE)


async def _evaluate(conversations: Sequence[Conversation], database_url: str | None) -> SuggestionEvaluation:
    async with scratch_services(database_url) as services:
        total = sum(len(one.questions) for one in conversations) + UNRELATED_CONTEXTS
        with progress_bar("Suggesting", total) as advance:
            return await evaluate_suggestions(StoredSystem(services), conversations, advance)


def _table(found: SuggestionEvaluation) -> Table:
    return Table(
        f"{found.questions} own questions and {found.unrelated} of others; {found.withheld} answers withheld; "
        "per cent [95 % interval over conversations]",
        ("measure", "value"),
        [
            ("own questions with evidence among the suggestions", _interval(found.evidence)),
            ("own questions left in silence", _interval(found.own_silence)),
            ("questions of others left in silence", _interval(found.silence)),
        ],
    )


def _interval(interval: Interval) -> str:
    return f"{interval.mean:.1f} [{interval.low:.1f}, {interval.high:.1f}]"
