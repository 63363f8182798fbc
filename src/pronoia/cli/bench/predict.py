from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from pronoia.adapters.embedding.static import StaticEmbedder
from pronoia.benchmark.content_evaluation import (
    BM25,
    CONTENT_METRICS,
    ORDER,
    PRONOIA,
    RANDOM,
    VECTORS,
    evaluate_content,
)
from pronoia.benchmark.events import read_events
from pronoia.benchmark.prediction_evaluation import BASELINES, METRICS, evaluate
from pronoia.benchmark.proact import read_proact
from pronoia.benchmark.recall_report import Table
from pronoia.benchmark.stored_prediction import StoredContent, StoredPrediction
from pronoia.cli.bench.plots import Plot, plot_prediction
from pronoia.cli.bench.scratch import ScratchDatabase, print_tables, progress_bar, scratch_services
from pronoia.cli.options import AsJson, examples
from pronoia.cli.output import print_json
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from pronoia.benchmark.content_evaluation import ContentEvaluation
    from pronoia.benchmark.metrics import Interval
    from pronoia.benchmark.prediction_evaluation import PredictionEvaluation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "predict",
        epilog=examples(
            "pronoia bench predict --events visits.csv           # columns user,item,time",
            "pronoia bench predict --proact proact.json          # from content alone, without a history",
            "pronoia bench predict --events visits.csv --plot visits --json > predict.json",
        ),
    )(measure_prediction)


def measure_prediction(
    events: Annotated[
        Path | None,
        typer.Option("--events", metavar="FILE", exists=True, dir_okay=False, help="Uses: user,item,time (ISO 8601)."),
    ] = None,
    proact: Annotated[
        Path | None,
        typer.Option("--proact", metavar="FILE", exists=True, dir_okay=False, help="ProActEval's scenarios."),
    ] = None,
    plot: Plot = None,
    database_url: ScratchDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well the next use is named: one pass in order of time, the last fifth of each user tested.

    An item is a memory: its first use writes it, every later one gets it. Users with fewer than 20 uses are left out.
    A step whose item the user never used before is a miss.
    """
    if (events is None) == (proact is None):
        raise typer.BadParameter("Give either --events FILE or --proact FILE.")
    if events is not None:
        found = asyncio.run(_evaluate_events(events, database_url))
        print_json(found.to_json()) if as_json else print_tables(_tables(found))
        if plot is not None:
            plot_prediction(found, plot)
    elif proact is not None:
        content = asyncio.run(_evaluate_content(proact, database_url))
        rankers = (PRONOIA, RANDOM, BM25, VECTORS, ORDER)
        if as_json:
            print_json({name: content.intervals(name) for name in rankers})
        else:
            print_tables([_content_table(content, rankers)])


async def _evaluate_events(file: Path, database_url: str | None) -> PredictionEvaluation:
    uses = read_events(file)
    clock = ManualClock(datetime.fromtimestamp(uses[0].at if uses else 0, UTC))
    async with scratch_services(database_url, clock=clock) as services:
        with progress_bar("Using and predicting", len(uses)) as advance:
            return await evaluate(StoredPrediction(services, clock), uses, advance)


async def _evaluate_content(file: Path, database_url: str | None) -> ContentEvaluation:
    scenarios = read_proact(file)
    async with scratch_services(database_url) as services:
        with progress_bar("Predicting", sum(len(one.steps) for one in scenarios)) as advance:
            return await evaluate_content(StoredContent(services), scenarios, StaticEmbedder(), advance)


def _tables(found: PredictionEvaluation) -> list[Table]:
    own, gains = found.intervals(), found.gains()
    rows = [("pronoia", *(_text(own[name]) for name in METRICS))]
    rows += [(method, *(f"{100 * found.means(method)[name]:.1f}" for name in METRICS)) for method in BASELINES]
    rows.append(("pronoia minus the best other", *(_text(gains[name], signed=True) for name in METRICS)))
    return [
        Table(f"{len(found.users)} steps; per cent [95 % interval over users]", ("method", *METRICS), rows),
        Table(
            f"Calibration: expected error {found.ece:.4f}",
            ("confidence", "came true", "predictions"),
            [(f"{one.confidence:.2f}", f"{one.came_true:.2f}", str(one.predictions)) for one in found.reliability],
        ),
    ]


def _content_table(found: ContentEvaluation, rankers: tuple[str, ...]) -> Table:
    rows = [(name, *(_per_cent(found.intervals(name)[metric]) for metric in CONTENT_METRICS)) for name in rankers]
    return Table("per cent [95 % interval over scenarios]", ("ranker", *CONTENT_METRICS), rows)


def _text(interval: Interval, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{100 * interval.mean:{sign}.1f} [{100 * interval.low:{sign}.1f}, {100 * interval.high:{sign}.1f}]"


def _per_cent(interval: Interval) -> str:
    return f"{interval.mean:.1f} [{interval.low:.1f}, {interval.high:.1f}]"
