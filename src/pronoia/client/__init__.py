"""The Python client of a Pronoia server: `AsyncPronoia` for asyncio, `Pronoia` for everything else.

Knows nothing of the server's insides; it needs httpx2 and msgspec alone.
"""

from __future__ import annotations

from pronoia.client._async.client import AsyncPronoia
from pronoia.client._sync.client import Pronoia
from pronoia.client.errors import (
    AuthenticationError,
    ConflictError,
    ConnectionFailedError,
    NotFoundError,
    PermissionDeniedError,
    PronoiaError,
    RateLimitError,
    ServerError,
    UnexpectedAnswerError,
    ValidationError,
)
from pronoia.client.models import (
    Category,
    Context,
    ContextMemory,
    ExtractedMetadata,
    FeedbackResult,
    Graph,
    GraphEdge,
    GraphNode,
    Health,
    LearnedMemory,
    LearningMetadata,
    Memory,
    MemoryPage,
    NewMemory,
    PredictedMemory,
    PredictResult,
    RecalledMemory,
    RecallResult,
    Relationship,
    RelationshipType,
    Revision,
    SearchHit,
    SearchResult,
    SuggestedMemory,
    SuggestResult,
)
from pronoia.client.retry import RetryPolicy
from pronoia.client.timing import AsyncTiming, Timing

__all__ = [
    "AsyncPronoia",
    "AsyncTiming",
    "AuthenticationError",
    "Category",
    "ConflictError",
    "ConnectionFailedError",
    "Context",
    "ContextMemory",
    "ExtractedMetadata",
    "FeedbackResult",
    "Graph",
    "GraphEdge",
    "GraphNode",
    "Health",
    "LearnedMemory",
    "LearningMetadata",
    "Memory",
    "MemoryPage",
    "NewMemory",
    "NotFoundError",
    "PermissionDeniedError",
    "PredictResult",
    "PredictedMemory",
    "Pronoia",
    "PronoiaError",
    "RateLimitError",
    "RecallResult",
    "RecalledMemory",
    "Relationship",
    "RelationshipType",
    "RetryPolicy",
    "Revision",
    "SearchHit",
    "SearchResult",
    "ServerError",
    "SuggestResult",
    "SuggestedMemory",
    "Timing",
    "UnexpectedAnswerError",
    "ValidationError",
]
