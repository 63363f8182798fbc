"""How long projects keep memories."""

from __future__ import annotations

from pronoia.domain.records import Permission
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.schemas.retention import (
    PoliciesAnswer,
    PolicyAnswer,
    PolicyRemovedAnswer,
    RetentionBody,
    RetentionQuery,
)


async def put(call: Call[Nothing, RetentionBody]) -> Answer:
    policy = await call.services.retention.set(call.key.organisation_id, call.body.project_id, call.body.days)
    return Answer(PolicyAnswer(project_id=policy.project_id, days=policy.days))


async def listed(call: Call[Nothing, Nothing]) -> Answer:
    policies = await call.services.retention.listed(call.key.organisation_id)
    answers = [PolicyAnswer(project_id=one.project_id, days=one.days) for one in policies]
    return Answer(PoliciesAnswer(policies=answers, count=len(answers)))


async def remove(call: Call[RetentionQuery, Nothing]) -> Answer:
    await call.services.retention.remove(call.key.organisation_id, call.query.project_id)
    return Answer(PolicyRemovedAnswer(message="The project keeps memories for good.", project_id=call.query.project_id))


ROOT = "/api/v1/retention"
ADMIN = Permission.ADMIN

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "PUT",
        ROOT,
        "Set how long a project keeps memories.",
        put,
        PolicyAnswer,
        ADMIN,
        Nothing,
        RetentionBody,
        of_user=False,
    ),
    Operation(
        "GET",
        ROOT,
        "List how long projects keep memories.",
        listed,
        PoliciesAnswer,
        ADMIN,
        Nothing,
        Nothing,
        of_user=False,
    ),
    Operation(
        "DELETE",
        ROOT,
        "Let a project keep memories for good again.",
        remove,
        PolicyRemovedAnswer,
        ADMIN,
        RetentionQuery,
        Nothing,
        of_user=False,
    ),
)
