"""Fit src/pronoia/prediction/content_prior.json on a ProActEval file, and say how well it does on scenarios left out.

    python tools/fit_content_prior.py --proact proact_dev.json --output src/pronoia/prediction/content_prior.json

The weights of the signals that the file has something of come from all its steps by `fit_choices`. Those of session,
tags, project and relationship are chosen (`CHOSEN`): in the file nobody has any.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pronoia.adapters.embedding.static import StaticEmbedder
from pronoia.benchmark.content_evaluation import (
    CONTENT_METRICS,
    FITTED_SIGNALS,
    FOLDS,
    PENALTY,
    AskedContent,
    ask_content,
    learned_without_own,
)
from pronoia.benchmark.metrics import bootstrap_groups
from pronoia.benchmark.proact import read_proact
from pronoia.learning.fitting import fit_choices

CHOSEN = {"session": 1.0, "tags": 0.7, "project": 0.5, "relationship": 2.0}
DIGITS = 3


def print_rates(asked: list[AskedContent]) -> None:
    """Print what weights find in scenarios that they have not seen."""
    weights = learned_without_own(asked)
    values = []
    for one in asked:
        order = np.argsort(-(one.choice.candidates @ weights[one.scenario % FOLDS]), kind="stable")
        best = int(np.flatnonzero(np.isin(order, one.choice.right))[0])
        values.append((best == 0, best < 5, 1 / (best + 1)))  # noqa: PLR2004  # the k of hit@k
    intervals = bootstrap_groups(np.array(values, dtype=np.float64), np.array([one.scenario for one in asked]))
    for name, interval in zip(CONTENT_METRICS, intervals, strict=True):
        print(f"{name:6} {interval.mean:5.1f} [{interval.low:.1f}, {interval.high:.1f}]")


async def main() -> None:
    """Fit, report, write."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--proact", type=Path, required=True, help="the file to fit on")
    arguments.add_argument("--output", type=Path, required=True, help="the prior to write")
    chosen = arguments.parse_args()
    scenarios = read_proact(chosen.proact)
    asked = await ask_content(scenarios, StaticEmbedder())
    print_rates(asked)
    weights = fit_choices([one.choice for one in asked], PENALTY)
    prior = {
        "fitted": {name: round(float(weight), DIGITS) for name, weight in zip(FITTED_SIGNALS, weights, strict=True)},
        "chosen": CHOSEN,
        "fit": {
            "data": f"ProActEval, {len(scenarios)} scenarios",
            "steps": len(asked),
            "protocol": "a user a scenario, a memory a fact; the context is the need before, its facts are recent; "
            f"conditional logit over the other facts, penalty {PENALTY:g}",
            "command": "python tools/fit_content_prior.py --proact FILE "
            "--output src/pronoia/prediction/content_prior.json",
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
        },
    }
    chosen.output.write_text(json.dumps(prior, indent=2) + "\n")
    print(json.dumps(prior, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
