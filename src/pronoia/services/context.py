"""What an agent should have in view before it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.domain.records import Filters
from pronoia.memory.analyzer import STOP_WORDS, words
from pronoia.services.recall import MAXIMUM_QUERY_LENGTH, SearchRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.trust import Trust
    from pronoia.services.recall import Hit, Recall

KEYWORDS_OF_A_QUERY = 10
KEYWORDS_OF_THE_HISTORY = 5
TURNS_OF_THE_HISTORY = 3
SHORTEST_KEYWORD = 3


@dataclass(frozen=True, slots=True)
class BuiltContext:
    keywords: list[str]
    hits: list[Hit]
    text: str
    version: int


class Context:
    """Widens a query by the last turns of the conversation, and recalls."""

    def __init__(self, *, recall: Recall) -> None:
        self._recall = recall

    async def build(
        self,
        scope: Scope,
        query: str,
        *,
        history: Sequence[str] = (),
        project_id: str | None = None,
        limit: int = 10,
        minimum_trust: Trust | None = None,
        minimum_version: int | None = None,
    ) -> BuiltContext:
        """Find the memories for a query in its conversation, and write them as one text, a line a memory."""
        spoken = " ".join(history[-TURNS_OF_THE_HISTORY:])
        keywords = _keywords(query)[:KEYWORDS_OF_A_QUERY]
        widened = [word for word in _keywords(spoken) if word not in keywords][:KEYWORDS_OF_THE_HISTORY]
        wide_query = " ".join((query, *widened))[:MAXIMUM_QUERY_LENGTH]
        filters = Filters(project_id=project_id, minimum_trust=minimum_trust)
        request = SearchRequest(wide_query if query.strip() else query, filters, limit=limit)
        found = await self._recall.search(scope, request, minimum_version)
        text = "\n".join(f"- {hit.memory.text}" for hit in found.hits)
        return BuiltContext(keywords + widened, found.hits, text, found.version)


def _keywords(text: str) -> list[str]:
    return list(dict.fromkeys(word for word in words(text) if len(word) >= SHORTEST_KEYWORD and word not in STOP_WORDS))
