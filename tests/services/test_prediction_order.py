from __future__ import annotations

from random import Random, SystemRandom
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from pronoia.app import open_services
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Permission, Plan
from pronoia.prediction.blend import SharedBlend
from pronoia.prediction.model import Model
from pronoia.services.drafts import Draft
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.config import Settings

pytestmark = pytest.mark.anyio
USES = 60
MEMORIES = 4


async def test_uses_of_all_users_are_learned_from_in_the_order_in_which_they_came(settings: Settings) -> None:
    seed = SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    draw, clock, organisation = Random(seed), ManualClock(), uuid4()  # noqa: S311 - no secret
    users = [Scope(organisation, name) for name in ("ada", "grace", "rex")]
    expected = SharedBlend()
    models = {user: Model(expected, user) for user in users}
    ids: dict[Scope, list[UUID]] = {user: [] for user in users}
    async with open_services(settings, clock) as services:
        await services.keys.create(
            user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=organisation
        )
        for user in users:
            for number in range(MEMORIES):
                clock.advance(1)
                ids[user].append((await services.memories.add(user, [Draft(f"Note {number}")])).memories[0].id)
                models[user].observe(number, clock.now().timestamp())
        for _ in range(USES):
            clock.advance(600)
            user, number = draw.choice(users), draw.randrange(MEMORIES)
            await services.recall.get(user, ids[user][number])
            models[user].observe(number, clock.now().timestamp())
        await services.predictions.catch_up()
        shared = services.predictions._learning._blends[organisation]
        assert shared.current.parameters == pytest.approx(expected.current.parameters, rel=1e-9, abs=1e-12)
        assert (shared.current.parameters != SharedBlend().current.parameters).any()
        assert not services.predictions._learning._waiting
        assert not services.predictions._learning._later
