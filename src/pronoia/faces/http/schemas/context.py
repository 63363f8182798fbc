from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pronoia.faces.http.schemas.memories import LeastTrust, MemoryAnswer, Text, UserId

MAXIMUM_TURNS = 100


class Turn(Struct):
    content: str
    role: str = "user"


class ContextBody(Struct, kw_only=True):
    query: Text
    limit: Annotated[int, Meta(ge=1)] | None = None
    project_id: str | None = None
    llm: str | None = None
    min_trust: LeastTrust = None
    conversation_history: Annotated[list[str | Turn], Meta(max_length=MAXIMUM_TURNS)] | None = None
    user_id: UserId = None


class ContextMemory(MemoryAnswer, kw_only=True):
    relevance_score: float


class Intelligence(Struct, kw_only=True):
    keyword_extraction: bool = True
    relevance_scoring: bool = True
    conversation_context: bool


class ContextAnswer(Struct, kw_only=True, rename={"cross_llm": "crossLLM"}):
    query: str
    keywords_extracted: list[str]
    memories: list[ContextMemory]
    count: int
    context: str
    cross_llm: bool = True
    llm: str | None
    intelligence: Intelligence
