"""What each user was shown last, so that a use or a judgement can be traced to the search that it answers."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.ports.clock import Clock

MAXIMUM_USERS = 2_000
SEARCHES_OF_A_USER = 20
MAXIMUM_SHOWN = 20
"""Of one search; whoever reads further down judges few."""
RECENT_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class RecentSearch:
    query: str
    shown: tuple[UUID, ...]
    at: float
    """Monotonic seconds."""
    used: set[UUID] = field(default_factory=set["UUID"])
    """Those that were fetched since; fetching one again says nothing new."""


class RecentSearches:
    """Bounded in users, in searches of each, and in time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._searches: OrderedDict[Scope, deque[RecentSearch]] = OrderedDict()

    def note(self, scope: Scope, query: str, shown: Sequence[UUID]) -> None:
        """Remember a search."""
        searches = self._searches.setdefault(scope, deque(maxlen=SEARCHES_OF_A_USER))
        searches.append(RecentSearch(query, tuple(shown[:MAXIMUM_SHOWN]), self._clock.monotonic()))
        self._searches.move_to_end(scope)
        if len(self._searches) > MAXIMUM_USERS:
            self._searches.popitem(last=False)

    def that_asked(self, scope: Scope, query: str) -> RecentSearch | None:
        """Give the newest with this text."""
        return next((one for one in self._recent(scope) if one.query == query), None)

    def that_showed(self, scope: Scope, memory_id: UUID) -> RecentSearch | None:
        """Give the newest that showed a memory."""
        return next((one for one in self._recent(scope) if memory_id in one.shown), None)

    def forget(self, scope: Scope, memory_id: UUID | None = None) -> None:
        """Forget that a memory was shown, or all that a user searched for."""
        searches = self._searches.pop(scope, None)
        if memory_id is not None and searches is not None:
            self._searches[scope] = deque((_without(one, memory_id) for one in searches), maxlen=SEARCHES_OF_A_USER)

    def users(self) -> list[Scope]:
        """Name everybody who was shown something."""
        return list(self._searches)

    def _recent(self, scope: Scope) -> list[RecentSearch]:
        """Give the newest first."""
        since = self._clock.monotonic() - RECENT_SECONDS
        return [one for one in reversed(self._searches.get(scope, ())) if one.at >= since]


def _without(search: RecentSearch, memory_id: UUID) -> RecentSearch:
    shown = tuple(one for one in search.shown if one != memory_id)
    return replace(search, shown=shown, used=search.used - {memory_id})
