from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

ProjectId = Annotated[str, Meta(min_length=1, max_length=255)]


class RetentionBody(Struct, kw_only=True):
    project_id: ProjectId
    days: Annotated[int, Meta(ge=1, le=36_500, description="Days after which the project's memories are deleted.")]


class RetentionQuery(Struct, kw_only=True):
    project_id: ProjectId


class PolicyAnswer(Struct, kw_only=True):
    project_id: str
    days: int


class PoliciesAnswer(Struct, kw_only=True):
    policies: list[PolicyAnswer]
    count: int


class PolicyRemovedAnswer(Struct, kw_only=True):
    message: str
    project_id: str
