"""Tags, category, entities and importance of a text, by rules: no model is asked."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from pronoia.memory.analyzer import STOP_WORDS, words

CATEGORIES = {
    "decision": ("decided", "decision", "agreed", "chose", "choose", "will use", "going with"),
    "preference": ("prefer", "favourite", "favorite", "likes", "love", "hate", "dislike", "rather"),
    "outcome": ("fixed", "solved", "shipped", "released", "failed", "succeeded", "resolved", "finished"),
    "task": ("todo", "must", "need to", "remember to", "deadline", "should"),
    "question": ("?",),
}
IMPORTANT = (
    "critical",
    "important",
    "urgent",
    "always",
    "never",
    "must",
    "security",
    "password",
    "allergic",
    "deadline",
)
POSITIVE = frozenset(
    ["good", "great", "love", "happy", "excellent", "thanks", "wonderful", "success", "solved", "glad"]
)
NEGATIVE = frozenset(["bad", "hate", "angry", "fail", "failed", "broken", "sad", "terrible", "wrong", "problem"])
NAME = re.compile(r"(?<![.!?]\s)(?<!^)\b([A-Z][\w'-]+(?:\s[A-Z][\w'-]+)*)")
WORDS_OF_IMPORTANCE = ((0.85, "critical"), (0.65, "high"), (0.35, "medium"), (0.0, "low"))
SUMMARY_LENGTH = 160
MAXIMUM_ENTITIES = 10
MAXIMUM_TAGS = 5
SHORTEST_TAG = 4


@dataclass(frozen=True, slots=True)
class Entity:
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Extracted:
    tags: tuple[str, ...]
    category: str
    subcategory: str | None
    entities: tuple[Entity, ...]
    importance: float
    importance_word: str
    sentiment: str
    actionable: bool
    summary: str
    confidence: float


def extract(text: str) -> Extracted:
    """Read a text by rules. `confidence` is what such rules deserve, 0.5, or 0.3 when none applied."""
    lower = text.lower()
    category = next((name for name, cues in CATEGORIES.items() if any(cue in lower for cue in cues)), "fact")
    counted = Counter(word for word in words(text) if len(word) >= SHORTEST_TAG and word not in STOP_WORDS)
    names = dict.fromkeys(match.group(1) for match in NAME.finditer(text))
    importance = min(1.0, 0.4 + 0.2 * sum(cue in lower for cue in IMPORTANT) + 0.1 * (category in ("decision", "task")))
    found = set(words(text))
    mood = len(found & POSITIVE) - len(found & NEGATIVE)
    return Extracted(
        tags=tuple(word for word, _ in counted.most_common(MAXIMUM_TAGS)),
        category=category,
        subcategory=None,
        entities=tuple(Entity(name, "name") for name in list(names)[:MAXIMUM_ENTITIES]),
        importance=round(importance, 2),
        importance_word=next(word for least, word in WORDS_OF_IMPORTANCE if importance >= least),
        sentiment="positive" if mood > 0 else "negative" if mood < 0 else "neutral",
        actionable=category == "task",
        summary=text if len(text) <= SUMMARY_LENGTH else text[:SUMMARY_LENGTH].rsplit(" ", 1)[0] + "…",
        confidence=0.3 if category == "fact" else 0.5,
    )
