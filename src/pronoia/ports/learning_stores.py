"""What was learned, and what it was learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.identifiers import Scope


class ContributionStore(Protocol):
    """What users taught the prediction of their organisation: equally long lists of numbers that are added up.

    `layout` names what the numbers mean; those of another layout do not count.
    """

    async def total(self, organisation_id: UUID, layout: str) -> list[float]:
        """Add up an organisation's users; empty if there are none."""
        ...

    async def of_user(self, scope: Scope, layout: str) -> list[float]:
        """Give one user's; empty if there is none."""
        ...

    async def add(self, layout: str, additions: Mapping[Scope, Sequence[float]]) -> None:
        """Add to what is stored for users; those that were forgotten meanwhile are left out."""
        ...


@dataclass(frozen=True, slots=True)
class RankingExample:
    """What became of a search: a memory that was judged or used, and what was shown beside it."""

    id: UUID
    """A UUID version 7: the order of ids is that of time."""
    query: str
    memory_id: UUID
    shown: tuple[UUID, ...]
    helpful: bool
    strength: float
    """How much it says, in (0, 1]."""


@dataclass(frozen=True, slots=True)
class RankingState:
    """What was fitted for a user."""

    layout: str | None = None
    """What the weights mean; None if there are none."""
    weights: tuple[float, ...] = ()
    served: bool = False
    """Whether they beat the prior on examples that they were not fitted to."""
    fitted_at: datetime | None = None
    searches: int = 0
    examples: int = 0


@dataclass(frozen=True, slots=True)
class FeedbackSummary:
    positive: int
    negative: int
    satisfaction: float | None
    """The mean of what was given, in [0, 1]; None if nothing was."""


class RankingStore(Protocol):
    """What ranking weights are fitted to, and what came of it. Deleting a memory removes the examples that name it."""

    async def add(self, scope: Scope, example: RankingExample, keep: int) -> int | None:
        """Keep an example and the `keep` newest of all; give how many there were before. None if the memory is gone."""
        ...

    async def examples(self, scope: Scope) -> list[RankingExample]:
        """Give a user's examples, oldest first."""
        ...

    async def state(self, scope: Scope) -> RankingState:
        """Give an empty one for a user about whom nothing is known."""
        ...

    async def save(self, scope: Scope, state: RankingState, example_ids: Sequence[UUID]) -> bool:
        """Keep weights; False, and nothing done, if one of their examples was forgotten meanwhile."""
        ...

    async def organisation_weights(self, scope: Scope, layout: str) -> tuple[int, list[float]]:
        """Count the other users of the organisation who are served their own weights, and give the mean of those."""
        ...

    async def count_searches(self, searches: Mapping[Scope, int]) -> None:
        """Add to the users' searches; those who never wrote are left out."""
        ...

    async def feedback(self, scope: Scope) -> FeedbackSummary: ...
