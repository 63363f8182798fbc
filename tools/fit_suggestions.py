"""Fit src/pronoia/recall/suggestion_prior.json: how sure a suggestion is that the context is about what is stored.

    python tools/fit_suggestions.py --locomo locomo_dev.json --proact proact_dev.json \
        --output src/pronoia/recall/suggestion_prior.json

Contexts of both files that their user can answer stand against those that they cannot: of other conversations, the
same with the names of this one's speakers, what is said in other conversations, needs of other scenarios, nonsense.

Every rate that is printed is of users whose conversation neither the weights nor the calibration have seen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from fit_prior import NONSENSE, rounded, with_names_of

from pronoia.adapters.embedding.static import StaticEmbedder
from pronoia.benchmark.in_memory import build_working_set
from pronoia.benchmark.locomo import Conversation, read_locomo
from pronoia.benchmark.proact import Scenario, read_proact
from pronoia.benchmark.recall_evaluation import PENALTY
from pronoia.learning.fitting import Choice, fit_choices, fit_logistic
from pronoia.recall.names import unknown_names
from pronoia.recall.query import Query
from pronoia.recall.relevance import EVIDENCE_ROWS, Calibration, Logistic, average_cosine
from pronoia.recall.signals import Signals, measure
from pronoia.services.drafts import Draft

if TYPE_CHECKING:
    from pronoia.memory.working_set import WorkingSet

OTHERS_OF_A_CONVERSATION = 200
OTHERS_OF_A_SCENARIO = 12
TALK_OF_A_CONVERSATION = 100
"""Passages of LONGEST_TALK turns at most."""
LONGEST_TALK = 5
FOLDS = 6
"""Groups of scenarios that are left out together, as many as there are conversations."""
SLOPE = 0.25
MINIMUM = 0.6
SUGGESTIONS = 5
RIDGE = 1e-5
OWN = "own"


@dataclass
class Asked:
    """A context of one user; `right` is empty if their memory has nothing for it."""

    fold: str
    kind: str
    signals: Signals
    unknown_names: float
    right: np.ndarray

    def evidence(self, weights: np.ndarray) -> np.ndarray:
        """Give the numbers of `Evidence` at their best."""
        places = self.first(weights, EVIDENCE_ROWS)
        cosines = self.signals.similarities
        best = (self.signals.word_share[places].max(), cosines[places].max(), average_cosine(cosines))
        return np.array([*best, self.unknown_names], dtype=np.float64)

    def first(self, weights: np.ndarray, count: int) -> np.ndarray:
        """Give the places that rank first."""
        return np.argsort(-self.signals.scores(weights.astype(np.float32)), kind="stable")[:count]

    def suggested(self, weights: np.ndarray, calibration: Calibration, minimum: float) -> np.ndarray:
        """Give the places that reach the minimum."""
        scores = self.signals.scores(weights.astype(np.float32))
        places = self.first(weights, EVIDENCE_ROWS)
        judgement = calibration.judge(self.signals, places, places, calibration.space, self.unknown_names)
        confidence = calibration.scores(judgement, scores[places] - scores[places[0]])
        return places[:SUGGESTIONS][confidence[:SUGGESTIONS] >= minimum]


async def ask(
    held: WorkingSet, fold: str, contexts: list[tuple[str, str, list[int]]], embedder: StaticEmbedder
) -> list[Asked]:
    """Measure contexts of one user, each with its kind and the rows that are right."""
    asked = []
    for kind, text, right in contexts:
        (vector,) = await embedder.embed([text])
        signals = measure(held, Query.of(text, vector), held.alive)
        asked.append(Asked(fold, kind, signals, unknown_names(held, text), np.array(right, dtype=int)))
    return asked


async def ask_conversations(
    conversations: list[Conversation], embedder: StaticEmbedder, chosen: random.Random
) -> list[Asked]:
    """Ask each conversation its own questions, and those that it cannot answer."""
    asked = []
    for own in conversations:
        held = await build_working_set(embedder, own.id, [turn.draft() for turn in own.turns])
        row_of = {turn.id: row for row, turn in enumerate(own.turns)}
        contexts = [(OWN, one.text, [row_of[turn] for turn in one.evidence]) for one in own.questions]
        foreign = [(other, one.text) for other in conversations if other is not own for one in other.questions]
        for other, text in chosen.sample(foreign, min(OTHERS_OF_A_CONVERSATION, len(foreign))):
            contexts += [("other", text, []), ("other, own names", with_names_of(own, other, text), [])]
        contexts += [("talk", text, []) for text in talk([one for one in conversations if one is not own], chosen)]
        contexts += [("nonsense", text, []) for text in NONSENSE]
        asked += await ask(held, own.id, contexts, embedder)
    return asked


def talk(conversations: list[Conversation], chosen: random.Random) -> list[str]:
    """Choose passages of turns, half of them with their speakers' names."""
    passages = []
    for number in range(TALK_OF_A_CONVERSATION):
        turns = chosen.choice(conversations).turns
        first, length = chosen.randrange(len(turns)), chosen.choice([1, 1, 1, LONGEST_TALK])
        said = [one.text if number % 2 else one.text.removeprefix(f"{one.speaker}: ") for one in turns[first:]]
        passages.append(" ".join(said[:length]))
    return passages


async def ask_scenarios(scenarios: list[Scenario], embedder: StaticEmbedder, chosen: random.Random) -> list[Asked]:
    """Ask each scenario its own needs, and those of others."""
    asked = []
    for number, own in enumerate(scenarios):
        held = await build_working_set(embedder, own.id, [Draft(fact.text) for fact in own.facts])
        row_of = {fact.id: row for row, fact in enumerate(own.facts)}
        contexts = [(OWN, step.context, [row_of[fact] for fact in step.recent]) for step in own.steps]
        foreign = [step.context for other in scenarios if other is not own for step in other.steps]
        contexts += [("other", text, []) for text in chosen.sample(foreign, OTHERS_OF_A_SCENARIO)]
        asked += await ask(held, f"scenarios {number % FOLDS}", contexts, embedder)
    return asked


def fit_weights(asked: list[Asked]) -> np.ndarray:
    """Fit the ranking on conversations alone, as the shipped prior is."""
    return fit_choices(
        [
            Choice(one.signals.standardised(), one.right)
            for one in asked
            if one.kind == OWN and not one.fold.startswith("scenarios")
        ],
        PENALTY,
    )


def fit_calibration(asked: list[Asked], weights: np.ndarray, space: str) -> Calibration:
    """Fit the odds that a context is about what is stored, by all evidence and by its parts."""
    evidence = np.array([one.evidence(weights) for one in asked])
    own = np.array([one.kind == OWN for one in asked])
    both, words, meaning = (
        fit_logistic(evidence[:, columns], own, RIDGE) for columns in ([0, 1, 2, 3], [0, 3], [1, 2, 3])
    )
    cosines = [one.signals.similarities for one in asked if one.kind == OWN]
    return Calibration(
        space=space,
        cosine_mean=float(np.mean([one.mean() for one in cosines])),
        cosine_deviation=float(np.mean([one.std() for one in cosines])),
        both=named(both, "words", "meaning", "average", "names"),
        words_alone=named(words, "words", "names"),
        meaning_alone=named(meaning, "meaning", "average", "names"),
        slope=SLOPE,
        minimum=MINIMUM,
    )


def named(fitted: np.ndarray, *evidence: str) -> Logistic:
    """Write what was fitted as a Logistic."""
    return Logistic(**dict(zip(("intercept", *evidence), fitted.tolist(), strict=True)))


def print_rates(asked: list[Asked], space: str) -> None:
    """Print what several minimums silence, and how often evidence is suggested, on users left out."""
    judged: list[tuple[Asked, np.ndarray, Calibration]] = []
    for fold in dict.fromkeys(one.fold for one in asked):
        others = [one for one in asked if one.fold != fold]
        weights = fit_weights(others)
        calibration = fit_calibration(others, weights, space)
        judged += [(one, weights, calibration) for one in asked if one.fold == fold]
    for corpus in ("conversations", "scenarios"):
        ours = [entry for entry in judged if entry[0].fold.startswith("scenarios") == (corpus == "scenarios")]
        print(
            f"{corpus}: minimum, own contexts with evidence among the suggestions, share of suggestions that are "
            "evidence, and contexts left in silence:"
        )
        for minimum in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
            evident: list[bool] = []
            right = 0
            suggested = 0
            silent: dict[str, list[bool]] = {}
            for one, weights, calibration in ours:
                places = one.suggested(weights, calibration, minimum)
                silent.setdefault(one.kind, []).append(len(places) == 0)
                if one.kind == OWN:
                    evident.append(bool(np.isin(one.right, places).any()))
                    right += int(np.isin(places, one.right).sum())
                    suggested += len(places)
            rates = "  ".join(f"{kind} {np.mean(those):6.1%}" for kind, those in silent.items())
            print(f"{minimum:7.2f}  {np.mean(evident):6.1%}  {right / max(suggested, 1):6.1%}  {rates}")


async def main() -> None:
    """Fit, report, write."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--locomo", type=Path, required=True, help="conversations to fit on")
    arguments.add_argument("--proact", type=Path, required=True, help="scenarios to fit on")
    arguments.add_argument("--output", type=Path, required=True, help="the prior to write")
    given = arguments.parse_args()
    embedder = StaticEmbedder()
    chosen = random.Random(0)  # noqa: S311  # a sample, not a secret
    conversations, scenarios = read_locomo(given.locomo), read_proact(given.proact)
    asked = await ask_conversations(conversations, embedder, chosen)
    asked += await ask_scenarios(scenarios, embedder, chosen)
    print_rates(asked, embedder.space)
    calibration = fit_calibration(asked, fit_weights(asked), embedder.space)
    own = sum(one.kind == OWN for one in asked)
    prior = {
        "relevance": msgspec.to_builtins(calibration),
        "fit": {
            "data": f"LoCoMo, {len(conversations)} conversations; ProActEval, {len(scenarios)} scenarios",
            "questions": own,
            "protocol": f"{own} contexts of the user against {len(asked) - own} that are not; logistic, both weighing "
            f"the same, penalty {RIDGE:g}",
            "command": "python tools/fit_suggestions.py --locomo FILE --proact FILE "
            "--output src/pronoia/recall/suggestion_prior.json",
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
        },
    }
    given.output.write_text(json.dumps(rounded(prior), indent=2) + "\n")
    print(json.dumps(rounded(prior), indent=2))


if __name__ == "__main__":
    asyncio.run(main())
