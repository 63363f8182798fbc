from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from datetime import datetime  # noqa: TC003
from typing import Annotated
from uuid import UUID  # noqa: TC003

from msgspec import UNSET, Meta, Struct, UnsetType

from pronoia.domain.records import Permission, Plan
from pronoia.domain.roles import Role  # noqa: TC001
from pronoia.domain.trust import Trust  # noqa: TC001

MAXIMUM_PAGE = 1_000

Limit = Annotated[int, Meta(ge=1, le=MAXIMUM_PAGE)]
Name = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": 255, "pattern": r"\S"})]
RetentionDays = Annotated[int, Meta(ge=1, le=36_500, description="Null keeps memories for good.")] | None


class ListQuery(Struct, kw_only=True):
    limit: Limit = 100
    after: Annotated[str | None, Meta(description="`next` of the page before.")] = None


class NewKeyBody(Struct, kw_only=True):
    user_id: Annotated[str | None, Meta(description="Whose memory the key opens.")] = None
    service: Annotated[bool, Meta(description="The caller names the user on each request; instead of user_id.")] = False
    role: Annotated[Role | None, Meta(description="Short for the scopes of a role.")] = None
    scopes: Annotated[list[Permission], Meta(min_length=1, max_length=len(Permission))] | None = None
    plan: Annotated[Plan, Meta(description="No higher than that of your own key.")] = Plan.FREE
    expires_at: datetime | None = None
    trust: Annotated[
        Trust | None, Meta(description="Of what it writes; at most that of your own key, which is the default.")
    ] = None


class RotationBody(Struct, kw_only=True):
    overlap_seconds: Annotated[
        int, Meta(ge=0, le=2_592_000, description="How long the former secret works beside the new one.")
    ] = 86_400
    replace: Annotated[
        bool,
        Meta(description="While a former secret still works: stop the secret that was made last, and make another."),
    ] = False
    expires_at: Annotated[datetime | None, Meta(description="A new end of the key itself; null keeps the old.")] = None


class KeyAnswer(Struct, kw_only=True):
    id: str
    user_id: str | None
    service: bool
    plan: Plan
    scopes: list[Permission]
    trust: Trust
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    """Up to a minute late."""
    former_secret_until: datetime | None
    revoked_at: datetime | None


class MadeKeyAnswer(KeyAnswer, kw_only=True):
    key: str
    """Shown this once; only its hash is kept."""


class KeysAnswer(Struct, kw_only=True):
    keys: list[KeyAnswer]
    count: int
    next: str | None
    """What to send as `after` for the next page; null if there may be none."""


class OrganisationBody(Struct, kw_only=True):
    name: Name


class OrganisationAnswer(Struct, kw_only=True):
    id: UUID
    name: str
    created_at: datetime


class NewProjectBody(Struct, kw_only=True):
    project_id: Name
    retention_days: RetentionDays = None


class ProjectEditBody(Struct, kw_only=True):
    """What to change; what is left out is kept."""

    retention_days: RetentionDays | UnsetType = UNSET
    archived: bool | None = None


class ProjectsQuery(ListQuery, kw_only=True):
    archived: Annotated[bool, Meta(description="Also list archived projects.")] = False


class ProjectAnswer(Struct, kw_only=True):
    project_id: str
    retention_days: int | None
    created_at: datetime
    archived_at: datetime | None


class ProjectsAnswer(Struct, kw_only=True):
    projects: list[ProjectAnswer]
    count: int
    next: str | None


class UserEditBody(Struct, kw_only=True):
    role: Annotated[Role | None, Meta(description="Null lifts the bound.")]


class UserAnswer(Struct, kw_only=True):
    user_id: str
    role: Role | None
    memory_count: int
    memory_version: int
    created_at: datetime
    tokens_not_before: datetime | None
    """Tokens that were issued until then are refused."""


class UsersAnswer(Struct, kw_only=True):
    users: list[UserAnswer]
    count: int
    next: str | None
