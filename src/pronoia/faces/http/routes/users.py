"""The users of the caller's organisation. Forgetting one is `DELETE /api/v1/memories?user_id=`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.domain.records import Permission
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.schemas.management import ListQuery, UserAnswer, UserEditBody, UsersAnswer

if TYPE_CHECKING:
    from pronoia.domain.organisations import User

USERS = "/api/v1/users"


async def list_users(call: Call[ListQuery, Nothing]) -> Answer:
    query = call.query
    users = await call.services.users.listed(call.principal.organisation_id, after=query.after or "", limit=query.limit)
    following = users[-1].id if len(users) == query.limit else None
    return Answer(UsersAnswer(users=[_answer(one) for one in users], count=len(users), next=following))


async def get_user(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(_answer(await call.services.users.get(call.principal.organisation_id, call.path["user_id"])))


async def change_user(call: Call[Nothing, UserEditBody]) -> Answer:
    """Set a role. It bounds every key and token of the user within five seconds, and outlives forgetting the user."""
    user = await call.services.users.set_role(
        call.principal.organisation_id, call.path["user_id"], call.body.role, call.idempotency
    )
    return Answer(_answer(user))


async def revoke_tokens(call: Call[Nothing, Nothing]) -> Answer:
    """Refuse all tokens that an identity provider has issued to a user so far, everywhere within five seconds.

    Those it issues until `tokens_not_before`, up to `PRONOIA_TOKEN_LEEWAY_SECONDS` from now, are refused as well. Keys
    are not touched.
    """
    user = await call.services.users.revoke_tokens(
        call.principal.organisation_id, call.path["user_id"], call.idempotency
    )
    return Answer(_answer(user))


def _answer(user: User) -> UserAnswer:
    return UserAnswer(
        user_id=user.id,
        role=user.role,
        memory_count=user.memory_count,
        memory_version=user.memory_version,
        created_at=user.created_at,
        tokens_not_before=user.tokens_not_before,
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "GET",
        USERS,
        "List users by name, with their roles and how much they have stored.",
        list_users,
        UsersAnswer,
        Permission.ADMIN,
        ListQuery,
        Nothing,
        of_user=False,
    ),
    Operation(
        "GET",
        USERS + "/{user_id}",
        "Get one user.",
        get_user,
        UserAnswer,
        Permission.ADMIN,
        Nothing,
        Nothing,
        of_user=False,
    ),
    Operation(
        "PATCH",
        USERS + "/{user_id}",
        "Give a user a role, or lift it.",
        change_user,
        UserAnswer,
        Permission.ADMIN,
        Nothing,
        UserEditBody,
        of_user=False,
    ),
    Operation(
        "DELETE",
        USERS + "/{user_id}/tokens",
        "Revoke the tokens of a user.",
        revoke_tokens,
        UserAnswer,
        Permission.ADMIN,
        Nothing,
        Nothing,
        of_user=False,
    ),
)
