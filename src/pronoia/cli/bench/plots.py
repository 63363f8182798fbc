"""Pictures of what a benchmark found, as PNG and SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pronoia.benchmark.load.report import LoadReport, SecondReport
    from pronoia.benchmark.load.stress import Step
    from pronoia.benchmark.prediction_evaluation import PredictionEvaluation

Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="NAME", help="Draw NAME.png and NAME.svg; needs `pip install 'pronoia[plots]'`."),
]


def plot_prediction(found: PredictionEvaluation, name: Path) -> None:
    """Draw how confidence holds, and the accuracy over time. Raises ConfigurationError without the library."""
    figure = _figure()
    reliability, accuracy = figure.subplots(1, 2)
    reliability.plot([0, 1], [0, 1], color="grey", linewidth=1)
    bins = [one for one in found.reliability if one.predictions]
    reliability.plot([one.confidence for one in bins], [one.came_true for one in bins], marker="o")
    reliability.set(
        title=f"Calibration (expected error {found.ece:.3f})",
        xlabel="confidence",
        ylabel="used within the next ten",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    _draw_lines(accuracy, {metric: [one[metric] for one in found.accuracy_over_time] for metric in ("hr@1", "hr@10")})
    accuracy.set(title="Accuracy over time", xlabel="stretch of test steps, oldest first", ylabel="share", ylim=(0, 1))
    _save(figure, name)


def plot_learning(gains: Mapping[str, Sequence[float]], name: Path) -> None:
    """Draw what learning gains by tenth of the questions, a line a run. Raises ConfigurationError likewise."""
    figure = _figure()
    axes = figure.subplots()
    axes.axhline(0, color="grey", linewidth=1)
    _draw_lines(axes, gains)
    axes.set(title="Gain of learning over not learning", xlabel="tenth of the questions", ylabel="points of nDCG@10")
    _save(figure, name)


def plot_load(found: LoadReport, name: Path) -> None:
    """Draw the latencies and what became of each second's requests. Raises ConfigurationError likewise."""
    figure = _figure()
    left, right = figure.subplots(1, 2)
    if found.steps and found.overload is None:
        _draw_steps(left, right, found.steps)
    else:
        _draw_distribution(left, found.distribution_ms)
        _draw_seconds(right, found.seconds)
    _save(figure, name)


def _draw_steps(left: Any, right: Any, steps: Sequence[Step]) -> None:  # noqa: ANN401 - matplotlib's own
    steps = sorted(steps, key=lambda step: step.rate)
    rates = [step.rate for step in steps]
    left.plot(rates, [step.p95_ms for step in steps], marker="o", label="p95")
    left.plot(rates, [step.p99_ms for step in steps], marker="o", label="p99")
    left.set(title="Latency from when a request was due", xlabel="offered, requests/s", ylabel="ms", yscale="log")
    left.legend()
    right.plot(rates, rates, color="grey", linewidth=1)
    right.plot(rates, [step.answered_per_second for step in steps], marker="o")
    right.set(title="Throughput", xlabel="offered, requests/s", ylabel="answered/s")


def _draw_distribution(axes: Any, distribution: Sequence[tuple[float, float]]) -> None:  # noqa: ANN401 - the same
    axes.plot([1 / (1 - percentile / 100) for percentile, _ in distribution], [value for _, value in distribution])
    axes.set_xscale("log")
    axes.set_xticks([1, 10, 100, 1_000, 10_000], ["0", "90", "99", "99.9", "99.99"])
    axes.set(title="Latency from when a request was due", xlabel="percentile", ylabel="ms", yscale="log")


def _draw_seconds(axes: Any, seconds: Sequence[SecondReport]) -> None:  # noqa: ANN401 - the same
    for label in ("due", "answered", "failed"):
        axes.plot([getattr(second, label) for second in seconds], label=label)
    axes.set(title="Requests", xlabel="second in which they were due", ylabel="requests/s")
    axes.legend(loc="upper left")
    resident = [second.resident_bytes / 2**20 for second in seconds]
    if any(resident):
        memory = axes.twinx()
        memory.plot(resident, color="grey", linestyle=":", label="server's memory")
        memory.set(ylabel="MiB", ylim=(0, 1.2 * max(resident)))
        memory.legend(loc="upper right")


def _draw_lines(axes: Any, lines: Mapping[str, Sequence[float]]) -> None:  # noqa: ANN401 - matplotlib's own
    for name, values in lines.items():
        axes.plot(range(1, len(values) + 1), values, marker="o", label=name)
    axes.legend()


def _figure() -> Any:  # noqa: ANN401 - matplotlib has no types of use here
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra; without it, only pictures are missing
    except ImportError as error:
        raise ConfigurationError("--plot needs matplotlib: pip install 'pronoia[plots]'.") from error
    return Figure(figsize=(10, 4), layout="constrained")


def _save(figure: Any, name: Path) -> None:  # noqa: ANN401 - the same
    for ending in (".png", ".svg"):
        figure.savefig(name.with_name(name.name + ending))
