"""Fit src/pronoia/recall/prior.json on a LoCoMo file, and say how well it does on conversations left out.

    python tools/fit_prior.py --locomo locomo_dev.json --output src/pronoia/recall/prior.json

The weights of the signals come from all questions of the file by `fit_choices`. The calibration comes from the same
questions and from queries that the conversation cannot answer: questions about other conversations, as they are and
with the names of this one's speakers, and the nonsense below. The weights of use are chosen (`USE`), because the file
has no use in it.

Every rate that is printed is of a conversation that neither its weights nor its calibration have seen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pronoia.adapters.embedding.static import StaticEmbedder
from pronoia.benchmark.in_memory import InMemorySystem
from pronoia.benchmark.locomo import Conversation, read_locomo
from pronoia.benchmark.recall_evaluation import PENALTY
from pronoia.learning.fitting import Choice, fit_choices, fit_logistic
from pronoia.recall.relevance import EVIDENCE_ROWS
from pronoia.recall.signals import SIGNALS, Signals

UNRELATED_QUERIES = 120
"""Questions about other conversations that are asked of each."""
SLOPE = 0.25
MINIMUM = 0.1
USE = {"usage": 2.0, "helpfulness": 2.0, "relationship": 0.8, "recency": 1.43}
DIGITS = 4
NONSENSE = (
    "asdf qwer zxcv", "blorptangle frumious vorpal", "lorem ipsum dolor sit amet",
    "the quick brown fox jumps over the lazy dog", "What is the boiling point of helium?",
    "How do I configure nginx as a reverse proxy?", "What is the capital of Mongolia?",
    "Explain the Treaty of Westphalia", "python list comprehension syntax", "Who won the 1966 world cup final?",
    "convert 45 miles to kilometres", "What is the SQL syntax for a window function?",
    "quantum chromodynamics colour confinement", "When did the Byzantine empire fall?",
    "How many moons does Jupiter have?", "What is the GDP of Brazil?", "docker compose healthcheck restart policy",
    "Which enzyme unwinds DNA?", "best torque setting for cylinder head bolts",
    "What were the terms of the merger agreement?", "invoice number 88231 overdue",
    "kubernetes pod eviction memory pressure", "How is aspirin synthesised?", "Who composed the Goldberg variations?",
    "What does the tax code say about depreciation?",
)  # fmt: skip


@dataclass
class Asked:
    """A query of one conversation; `right` is empty if the conversation cannot answer it."""

    kind: str
    signals: Signals
    right: np.ndarray

    def choice(self) -> Choice:
        """Give what the weights are fitted on."""
        return Choice(self.signals.standardised(), self.right)

    def best(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the places of the first ten, and the evidence that they offer: word share and cosine."""
        scores = self.signals.scores(weights.astype(np.float32))
        places = np.argsort(-scores, kind="stable")[:EVIDENCE_ROWS]
        evidence = [self.signals.word_share[places].max(), self.signals.similarities[places].max()]
        return places, np.array(evidence, dtype=np.float64)


async def ask_everything(system: InMemorySystem, conversations: list[Conversation]) -> dict[str, list[Asked]]:
    """Ask each conversation its own questions, and those that it cannot answer."""
    chosen = random.Random(0)  # noqa: S311  # a sample, not a secret
    asked: dict[str, list[Asked]] = {}
    for own in conversations:
        place = {turn.id: at for at, turn in enumerate(own.turns)}
        found = [
            Asked("real", await system.signals(own, one.text), np.array([place[turn] for turn in one.evidence]))
            for one in own.questions
        ]
        foreign = [(other, one.text) for other in conversations if other is not own for one in other.questions]
        queries = [("nonsense", text) for text in NONSENSE]
        for other, text in chosen.sample(foreign, min(UNRELATED_QUERIES, len(foreign))):
            queries += [("unrelated", text), ("unrelated, own names", with_names_of(own, other, text))]
        found += [Asked(kind, await system.signals(own, text), np.zeros(0, int)) for kind, text in queries]
        asked[own.id] = found
    return asked


def with_names_of(own: Conversation, other: Conversation, text: str) -> str:
    """Ask about this conversation's people what was asked about those of another."""
    for theirs, ours in zip(*(sorted({turn.speaker for turn in one.turns}) for one in (other, own)), strict=False):
        text = text.replace(theirs, ours)
    return text


def fit_weights(asked: list[Asked]) -> np.ndarray:
    """Fit on the questions that have an answer."""
    return fit_choices([one.choice() for one in asked if one.kind == "real"], PENALTY)


def fit_calibration(asked: list[Asked], weights: np.ndarray) -> dict[str, object]:
    """Fit the odds that a query is answered, by both kinds of evidence and by each alone."""
    evidence = np.array([one.best(weights)[1] for one in asked])
    answered = np.array([one.kind == "real" for one in asked])
    both, words, meaning = (fit_logistic(evidence[:, columns], answered) for columns in ([0, 1], [0], [1]))
    cosines = [one.signals.similarities for one in asked if one.kind == "real"]
    return {
        "cosine_mean": float(np.mean([one.mean() for one in cosines])),
        "cosine_deviation": float(np.mean([one.std() for one in cosines])),
        "both": {"intercept": both[0], "words": both[1], "meaning": both[2]},
        "words_alone": {"intercept": words[0], "words": words[1]},
        "meaning_alone": {"intercept": meaning[0], "meaning": meaning[1]},
    }


def log_odds(calibration: dict[str, object], evidence: np.ndarray) -> float:
    """Judge a query as the server does."""
    chosen = calibration["both"] if evidence[0] > 0 else calibration["meaning_alone"]
    return chosen["intercept"] + chosen.get("words", 0) * evidence[0] + chosen["meaning"] * evidence[1]


def print_rates(asked: dict[str, list[Asked]]) -> None:
    """Print what several minimum scores keep and silence, on conversations left out."""
    best: dict[str, list[float]] = {}
    found: list[tuple[float, float]] = []
    for own, queries in asked.items():
        others = [one for name, theirs in asked.items() if name != own for one in theirs]
        weights = fit_weights(others)
        calibration = fit_calibration(others, weights)
        for one in queries:
            places, evidence = one.best(weights)
            score = 1 / (1 + np.exp(-log_odds(calibration, evidence)))
            best.setdefault(one.kind, []).append(score)
            if one.kind == "real":
                found.append((score, np.isin(one.right, places).mean()))
    scores, recall = np.array(found).T
    print("minimum, R@10 of the shipped signals with it, and share of queries answered with nothing:")
    for minimum in (0.0, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3, 0.5):
        silent = "  ".join(f"{kind} {np.mean(np.array(those) < minimum):6.1%}" for kind, those in best.items())
        print(f"{minimum:7.2f}  {np.where(scores >= minimum, recall, 0).mean():6.1%}  {silent}")


def rounded(value: object) -> object:
    """Round every number inside; more digits are noise."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return value if isinstance(value, (str, int)) else round(float(value), DIGITS)


async def main() -> None:
    """Fit, report, write."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--locomo", type=Path, required=True, help="the file to fit on")
    arguments.add_argument("--output", type=Path, required=True, help="the prior to write")
    chosen = arguments.parse_args()
    conversations = read_locomo(chosen.locomo)
    embedder = StaticEmbedder()
    system = InMemorySystem(embedder)
    for conversation in conversations:
        await system.remember(conversation)
    asked = await ask_everything(system, conversations)
    everything = [one for queries in asked.values() for one in queries]
    print_rates(asked)
    weights = fit_weights(everything)
    prior = {
        "weights": dict(zip(SIGNALS, weights, strict=True)),
        "use": USE,
        "relevance": {
            "space": embedder.space,
            **fit_calibration(everything, weights),
            "slope": SLOPE,
            "minimum": MINIMUM,
        },
        "fit": {
            "data": f"LoCoMo, {len(conversations)} conversations: {', '.join(one.id for one in conversations)}",
            "questions": sum(len(one.questions) for one in conversations),
            "protocol": "one memory a turn; categories 1-4; conditional logit over all turns of the conversation, "
            f"penalty {PENALTY:g}; calibrated against {len(everything)} queries, {len(NONSENSE)} of nonsense a "
            "conversation; weights of use chosen, not fitted",
            "command": "python tools/fit_prior.py --locomo FILE --output src/pronoia/recall/prior.json",
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
        },
    }
    chosen.output.write_text(json.dumps(rounded(prior), indent=2) + "\n")
    print(json.dumps(rounded(prior), indent=2))


if __name__ == "__main__":
    asyncio.run(main())
