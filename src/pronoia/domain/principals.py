"""Who calls, however they proved it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pronoia.domain.trust import Trust

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.records import Permission, Plan


class Principal(Protocol):
    """Whoever proved who they are: the bearer of an API key, or a user of an identity provider."""

    @property
    def id(self) -> str:
        """Name the credential, never its secret."""
        ...

    @property
    def organisation_id(self) -> UUID: ...

    @property
    def user_id(self) -> str | None:
        """Give the one user whom the credential is bound to; None lets the caller name the user."""
        ...

    @property
    def permissions(self) -> frozenset[Permission]: ...

    @property
    def plan(self) -> Plan: ...

    @property
    def trust(self) -> Trust:
        """Say how far what it writes may be believed, at most."""
        ...


@dataclass(frozen=True, slots=True)
class ProvidedUser:
    """A user for whom an identity provider vouches by a token."""

    id: str
    """The provider's name and the token's subject, with a slash between."""
    organisation_id: UUID
    user_id: str
    permissions: frozenset[Permission]
    plan: Plan
    issued_at: datetime
    trust: Trust = Trust.TRUSTED
