"""The keys of the caller's organisation."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

from pronoia.domain.errors import InvalidInputError
from pronoia.domain.records import Permission
from pronoia.domain.roles import PERMISSIONS, Role
from pronoia.faces.http.conversion import in_utc
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.schemas.management import (
    KeyAnswer,
    KeysAnswer,
    ListQuery,
    MadeKeyAnswer,
    NewKeyBody,
    RotationBody,
)
from pronoia.services.keys import shown

KEYS = "/api/v1/keys"


async def create_key(call: Call[Nothing, NewKeyBody]) -> Answer:
    """Make a key. Its text is in this answer alone, and it has no more rights than the key that makes it.

    Repeated with its Idempotency-Key the request gets 409 with the `id` of the key that it made.
    """
    body = call.body
    if body.service == (body.user_id is not None):
        raise InvalidInputError("Give either user_id or service.", field="user_id")
    if body.role is not None and body.scopes is not None:
        raise InvalidInputError("Give either role or scopes.", field="scopes")
    key, text = await call.services.delegated_keys.create(
        call.principal,
        user_id=body.user_id,
        permissions=PERMISSIONS[body.role or Role.MEMBER] if body.scopes is None else body.scopes,
        plan=body.plan,
        expires_at=in_utc(body.expires_at, "expires_at"),
        trust=body.trust,
        idempotency=call.idempotency,
    )
    return Answer(MadeKeyAnswer(key=text, **shown(key)))


async def list_keys(call: Call[ListQuery, Nothing]) -> Answer:
    query = call.query
    keys = await call.services.delegated_keys.listed(call.principal, after=query.after, limit=query.limit)
    following = keys[-1].id if len(keys) == query.limit else None
    return Answer(KeysAnswer(keys=[KeyAnswer(**shown(key)) for key in keys], count=len(keys), next=following))


async def get_key(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(KeyAnswer(**shown(await call.services.delegated_keys.get(call.principal, call.path["key_id"]))))


async def rotate_key(call: Call[Nothing, RotationBody]) -> Answer:
    """Rotate a key. The new secret is in this answer alone; the former one works until `former_secret_until`.

    Repeated with its Idempotency-Key the request gets 409, and changes nothing.
    """
    body = call.body
    key, text = await call.services.delegated_keys.rotate(
        call.principal,
        call.path["key_id"],
        overlap=timedelta(seconds=body.overlap_seconds),
        replace_new=body.replace,
        expires_at=in_utc(body.expires_at, "expires_at"),
        idempotency=call.idempotency,
    )
    return Answer(MadeKeyAnswer(key=text, **shown(key)))


async def revoke_key(call: Call[Nothing, Nothing]) -> Answer:
    """Revoke a key. Every process refuses it within five seconds; it stays in the list."""
    key = await call.services.delegated_keys.revoke(call.principal, call.path["key_id"], call.idempotency)
    return Answer(KeyAnswer(**shown(key)))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "GET",
        KEYS,
        "List the organisation's keys, oldest first, the revoked included.",
        list_keys,
        KeysAnswer,
        Permission.ADMIN,
        ListQuery,
        Nothing,
        of_user=False,
    ),
    Operation(
        "POST",
        KEYS,
        "Make a key.",
        create_key,
        MadeKeyAnswer,
        Permission.ADMIN,
        Nothing,
        NewKeyBody,
        status=HTTPStatus.CREATED,
        of_user=False,
    ),
    Operation(
        "GET",
        KEYS + "/{key_id}",
        "Get what may be shown of a key.",
        get_key,
        KeyAnswer,
        Permission.ADMIN,
        Nothing,
        Nothing,
        of_user=False,
    ),
    Operation(
        "POST",
        KEYS + "/{key_id}/rotate",
        "Give a key a new secret; the former one works beside it for a while.",
        rotate_key,
        MadeKeyAnswer,
        Permission.ADMIN,
        Nothing,
        RotationBody,
        of_user=False,
    ),
    Operation(
        "DELETE",
        KEYS + "/{key_id}",
        "Revoke a key for good.",
        revoke_key,
        KeyAnswer,
        Permission.ADMIN,
        Nothing,
        Nothing,
        of_user=False,
    ),
)
