from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pronoia.benchmark.learning_evaluation import Judge, evaluate_learning
from pronoia.benchmark.learning_report import EQUAL, SHIPPED, report_learning
from pronoia.benchmark.locomo import read_locomo
from pronoia.benchmark.stored_learning import StoredLearningSystem
from pronoia.cli.bench.plots import Plot, plot_learning
from pronoia.cli.bench.scratch import ScratchDatabase, print_tables, progress_bar, scratch_services
from pronoia.cli.exit_codes import ExitCode
from pronoia.cli.options import AsJson, examples
from pronoia.cli.output import print_json, print_note
from pronoia.recall.prior import shipped_prior
from pronoia.recall.signals import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.benchmark.learning_evaluation import LearningCurve
    from pronoia.benchmark.locomo import Conversation
    from pronoia.recall.prior import Prior


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "learn",
        epilog=examples(
            "pronoia bench learn --locomo locomo10.json",
            "pronoia bench learn --locomo locomo10.json --seed 7 --json > learn.json",
        ),
    )(measure_learning)


def measure_learning(
    locomo: Annotated[
        Path, typer.Option("--locomo", metavar="FILE", exists=True, dir_okay=False, help="LoCoMo's conversations.")
    ],
    seed: Annotated[int, typer.Option("--seed", help="Orders the questions and draws the noise.")] = 0,
    plot: Plot = None,
    database_url: ScratchDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Measure what feedback on LoCoMo's questions teaches the ranker, and that noise teaches it nothing.

    One user a conversation; its questions in random order, each followed by feedback on the turns that hold the
    evidence, or on random ones. Every question is asked with what was learned from those before it, and without. The
    exit code is 1 if a run misses what the project promises of it.
    """
    conversations = [one for one in read_locomo(locomo) if one.questions]
    if not conversations:
        raise typer.BadParameter("The file holds no question with evidence.", param_hint="--locomo")
    curves = asyncio.run(_evaluate(conversations, seed, database_url))
    outcome = report_learning(curves, len(conversations), seed)
    if as_json:
        print_json(outcome)
    else:
        print_tables(outcome.tables())
        print_note("All targets are met." if outcome.reached else "A target is missed.")
    if plot is not None:
        plot_learning({f"{run.start}, {run.judge}": run.gain_by_tenth for run in outcome.runs}, plot)
    raise typer.Exit(ExitCode.SUCCESS if outcome.reached else ExitCode.FAILURE)


async def _evaluate(
    conversations: Sequence[Conversation], seed: int, database_url: str | None
) -> dict[tuple[str, Judge], LearningCurve]:
    priors: dict[str, Prior] = {
        EQUAL: msgspec.structs.replace(shipped_prior(), weights=dict.fromkeys(SIGNALS, 1.0)),
        SHIPPED: shipped_prior(),
    }
    questions = sum(len(one.questions) for one in conversations)
    curves: dict[tuple[str, Judge], LearningCurve] = {}
    with progress_bar("Asking", questions * len(priors) * len(Judge)) as advance:
        for start, prior in priors.items():
            async with scratch_services(database_url, prior) as services:
                for judge in Judge:
                    curves[start, judge] = await evaluate_learning(
                        StoredLearningSystem(services), conversations, judge, seed, advance
                    )
    return curves
