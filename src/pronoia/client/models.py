"""What calls return and take: typed records. Times are aware; scores and strengths lie in [0, 1] unless said."""

from __future__ import annotations

# msgspec resolves the annotations when it first decodes, so the types must be there at run time.
from collections.abc import Iterator  # noqa: TC003
from datetime import datetime  # noqa: TC003
from typing import Literal

from msgspec import Struct, field

RelationshipType = Literal["related_to", "caused_by", "similar_to", "follows", "contradicts"]


class NewMemory(Struct, omit_defaults=True):
    """A memory to be stored. What is left out is not sent, and the server's default holds."""

    text: str
    """At most 10,000 characters, kept as given."""
    source: str | None = None
    project_id: str | None = None
    tags: list[str] | None = None
    metadata: dict[str, object] | None = None
    """Any JSON object. Numbers must be finite."""
    agent_id: str | None = None
    run_id: str | None = field(default=None, name="session_id")
    """The session: the order of memories within one is a signal for recall."""
    speaker: str | None = None
    occurred_at: datetime | None = None
    """When it happened, if that is not now."""


class LearningMetadata(Struct, frozen=True):
    """How a memory has been used."""

    access_frequency: str = "unused"
    """unused, low, medium, high or very_high."""
    recency_score: float = 0.0
    days_since_access: float | None = None
    """None if it was never used."""
    relationship_count: int = 0


class Memory(Struct, frozen=True, kw_only=True):
    """A stored memory."""

    id: str
    text: str
    user_id: str = ""
    source: str = "api"
    project_id: str = "default"
    tags: list[str] = field(default_factory=list[str])
    metadata: dict[str, object] = field(default_factory=dict[str, object])
    created_at: datetime
    updated_at: datetime | None = None
    agent_id: str | None = None
    run_id: str | None = field(default=None, name="session_id")
    speaker: str | None = None
    occurred_at: datetime | None = None
    duplicate_of: str | None = None
    """An earlier memory of the same user with the same text."""
    usage_count: int = 0
    last_accessed: datetime | None = None
    helpfulness_score: float = 0.5
    learning_metadata: LearningMetadata | None = None
    """Only from `get`."""


class ExtractedMetadata(Struct, frozen=True):
    """What the server read out of a text by itself."""

    category: str | None = None
    tags: list[str] = field(default_factory=list[str])
    importance: str | None = None
    """low, medium, high or critical."""
    summary: str | None = None


class LearnedMemory(Memory, frozen=True, kw_only=True):
    """A memory that was stored with what the server extracted from it."""

    extracted_metadata: ExtractedMetadata | None = None


class MemoryPage(Struct, frozen=True):
    """One page of a user's memories, newest first."""

    memories: list[Memory]
    total: int
    """Memories there are in all pages."""
    next_cursor: str | None = None
    """What to ask the next page with; None on the last."""


class SearchHit(Struct, frozen=True):
    """A memory that answers a query, with how well."""

    id: str
    text: str
    score: float
    memory: Memory
    explanation: object = None
    """With `explain`, every signal behind the score and its weight."""


class SearchResult(Struct, frozen=True):
    """The best answers to a query, best first. Empty if nothing reached `min_score`."""

    results: list[SearchHit] = field(name="memories")
    query: str = ""
    count: int = 0

    def __iter__(self) -> Iterator[SearchHit]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)


class RecalledMemory(Struct, frozen=True):
    """A memory as `recall` gives it: what a prompt needs, and no more."""

    id: str
    text: str
    score: float
    created_at: datetime
    metadata: dict[str, object] = field(default_factory=dict[str, object])


class Category(Struct, frozen=True):
    """The recalled memories of one category."""

    count: int
    avg_score: float
    summary: str = ""


class RecallResult(Struct, frozen=True):
    """What was recalled, best first, and with `organized` also by category."""

    memories: list[RecalledMemory]
    query: str = ""
    categories: dict[str, Category] | None = None

    def __iter__(self) -> Iterator[RecalledMemory]:
        return iter(self.memories)

    def __len__(self) -> int:
        return len(self.memories)


class ContextMemory(Memory, frozen=True, kw_only=True):
    """A memory chosen for a context."""

    relevance_score: float = 0.0
    """Larger fits better; comparable within one answer only."""


class Context(Struct, frozen=True):
    """Memories to put before a model that is about to answer `query`."""

    memories: list[ContextMemory]
    query: str = ""
    keywords_extracted: list[str] = field(default_factory=list[str])


class PredictedMemory(Struct, frozen=True):
    """A memory that is likely needed next."""

    id: str
    text: str = field(name="content")
    confidence: float
    """The probability that it is used within the next ten uses."""
    reasons: list[str] = field(default_factory=list[str])
    """What spoke for it, the weightiest first."""


class PredictResult(Struct, frozen=True):
    """What is likely needed next, most likely first."""

    predictions: list[PredictedMemory]

    def __iter__(self) -> Iterator[PredictedMemory]:
        return iter(self.predictions)

    def __len__(self) -> int:
        return len(self.predictions)


class SuggestedMemory(Struct, frozen=True):
    """A memory that fits a context."""

    id: str
    text: str
    confidence: float


class SuggestResult(Struct, frozen=True):
    """What fits a context, best first; empty if nothing does, or if `withheld` or `degraded`."""

    suggestions: list[SuggestedMemory]
    withheld: bool = False
    """Held back by chance, so that what suggesting adds can be measured."""
    degraded: bool = False
    """Not looked for, because the server has too much to do."""

    def __iter__(self) -> Iterator[SuggestedMemory]:
        return iter(self.suggestions)

    def __len__(self) -> int:
        return len(self.suggestions)


class Revision(Struct, frozen=True):
    """One entry of a memory's history."""

    memory_id: str
    event: str
    """ADD, UPDATE or DELETE."""
    version: int
    at: datetime
    old_text: str | None = None
    new_text: str | None = None


class FeedbackResult(Struct, frozen=True):
    """Where a memory stands after a feedback."""

    memory_id: str
    new_helpfulness_score: float


class Relationship(Struct, frozen=True):
    """How one memory relates to another."""

    id: str
    memory_id: str
    related_memory_id: str
    relationship_type: str
    strength: float
    created_at: datetime
    explanation: str | None = None


class GraphNode(Struct, frozen=True):
    """A memory in a graph."""

    id: str
    text: str
    created_at: datetime


class GraphEdge(Struct, frozen=True):
    """A relationship in a graph."""

    id: str
    source: str = field(name="from")
    target: str = field(name="to")
    type: str
    strength: float
    explanation: str | None = None


class Graph(Struct, frozen=True):
    """The memories around one, and what links them."""

    root_memory_id: str = field(name="rootMemoryId")
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    depth: int


class Health(Struct, frozen=True):
    """What the server says of itself."""

    status: str
    version: str = ""


class MemoryBatch(Struct, frozen=True):
    """The answer to a batch."""

    memories: list[Memory]


class HistoryAnswer(Struct, frozen=True):
    """The answer to a question for a history."""

    history: list[Revision]


class RelationshipList(Struct, frozen=True):
    """The answer to a question for relationships."""

    relationships: list[Relationship]
