"""RankingStore on PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.driver import fetch_one
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.text_cipher import PLAIN_TEXTS
from pronoia.ports.learning_stores import FeedbackSummary, RankingExample, RankingState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from pronoia.adapters.postgres.text_cipher import Texts
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.identifiers import Scope


class PostgresRankingStore:
    """Keeps examples and weights. Both are written under the user's lock: a deletion sees them or goes first."""

    def __init__(self, database: Database, *, texts: Texts = PLAIN_TEXTS) -> None:
        self._database = database
        self._texts = texts

    async def add(self, scope: Scope, example: RankingExample, keep: int) -> int | None:
        """Keep an example of a memory that is still there."""
        user = (scope.organisation_id, scope.user_id)
        cipher = await self._texts.writing(scope.organisation_id)
        async with self._database.writing(scope.organisation_id) as connection:
            await connection.execute(QUERIES["lock_user"], *user)
            row = await fetch_one(
                connection,
                QUERIES["add_ranking_example"],
                *user,
                example.id,
                cipher.seal(scope.user_id, example.id, example.query),
                example.memory_id,
                list(example.shown),
                example.helpful,
                example.strength,
                keep,
            )
        return row["examples"] if row["kept"] else None

    async def examples(self, scope: Scope) -> list[RankingExample]:
        """Give a user's examples, oldest first."""
        async with self._database.reading(scope.organisation_id) as connection:
            rows = await connection.fetch(QUERIES["ranking_examples"], scope.organisation_id, scope.user_id)
        cipher = await self._texts.reading(scope.organisation_id)
        return [
            RankingExample(
                row["id"],
                cipher.open(scope.user_id, row["id"], row["query"]),
                row["memory_id"],
                tuple(row["shown"]),
                row["helpful"],
                row["strength"],
            )
            for row in rows
        ]

    async def state(self, scope: Scope) -> RankingState:
        """Give what was fitted for a user."""
        async with self._database.reading(scope.organisation_id) as connection:
            row = await fetch_one(connection, QUERIES["ranking_state"], scope.organisation_id, scope.user_id)
        fitted = row["weights"] is not None
        return RankingState(
            layout=row["layout"] if fitted else None,
            weights=tuple(row["weights"]) if fitted else (),
            served=row["served"],
            fitted_at=row["fitted_at"],
            searches=row["searches"],
            examples=row["examples"],
        )

    async def save(self, scope: Scope, state: RankingState, example_ids: Sequence[UUID]) -> bool:
        """Keep weights whose examples are all still there."""
        user = (scope.organisation_id, scope.user_id)
        async with self._database.writing(scope.organisation_id) as connection:
            await connection.execute(QUERIES["lock_user"], *user)
            saved = await connection.fetchval(
                QUERIES["save_ranking_weights"],
                *user,
                state.layout,
                list(state.weights),
                state.served,
                state.fitted_at,
                list(example_ids),
            )
        return saved is not None

    async def organisation_weights(self, scope: Scope, layout: str) -> tuple[int, list[float]]:
        """Average over the other users of the organisation."""
        user = (scope.organisation_id, scope.user_id)
        async with self._database.reading(scope.organisation_id) as connection:
            row = await fetch_one(connection, QUERIES["organisation_ranking_weights"], *user, layout)
        return row["users"], row["weights"]

    async def count_searches(self, searches: Mapping[Scope, int]) -> None:
        """Add to the users' searches, an organisation at a time."""
        by_organisation: dict[UUID, dict[str, int]] = defaultdict(dict)
        for scope, count in searches.items():
            by_organisation[scope.organisation_id][scope.user_id] = count
        for organisation_id, counts in by_organisation.items():
            async with self._database.writing(organisation_id) as connection:
                await connection.execute(
                    QUERIES["count_searches"], organisation_id, list(counts), list(counts.values())
                )

    async def feedback(self, scope: Scope) -> FeedbackSummary:
        """Sum up a user's judgements."""
        async with self._database.reading(scope.organisation_id) as connection:
            row = await fetch_one(connection, QUERIES["feedback_summary"], scope.organisation_id, scope.user_id)
        return FeedbackSummary(row["positive"], row["negative"], row["satisfaction"])
