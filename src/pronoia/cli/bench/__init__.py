"""pronoia bench: measures this installation, on public data and under load."""

from __future__ import annotations

import typer

from pronoia.cli.bench import learn, load, predict, recall, suggest


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="Measure quality on public data and speed under load, on the real thing. See docs/benchmarks.md.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    recall.register(group)
    learn.register(group)
    suggest.register(group)
    predict.register(group)
    load.register(group)
    app.add_typer(group, name="bench")
