"""Names in a query that nobody in a memory bears."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.memory.analyzer import STOP_WORDS, WORD, query_terms

if TYPE_CHECKING:
    from pronoia.memory.working_set import WorkingSet

SENTENCE_ENDS = ".!?:\n"
MAXIMUM_NAMES = 64


def unknown_names(working_set: WorkingSet, text: str) -> float:
    """Give the share of the names in a text that no memory says, in [0, 1]; 0 without names.

    A name is a capitalised word inside a sentence: right for English, too much for languages that capitalise nouns.
    """
    terms = {term for name in _names(text) for term in query_terms(name).tolist()}
    if not terms:
        return 0.0
    return sum(working_set.lexicon.frequency(term) == 0 for term in terms) / len(terms)


def _names(text: str) -> set[str]:
    names: set[str] = set()
    for word in WORD.finditer(text):
        before = text[: word.start()].rstrip(" \"'([")
        inside = bool(before) and before[-1] not in SENTENCE_ENDS
        if inside and word.group()[0].isupper() and word.group().lower() not in STOP_WORDS:
            names.add(word.group())
            if len(names) == MAXIMUM_NAMES:
                break
    return names
