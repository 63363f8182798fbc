"""What is held about a person: told as a whole, and erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Permission
from pronoia.faces.http.admission import check_permission
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.schemas.subjects import ReceiptAnswer, RecordAnswer, SubjectQuery
from pronoia.services.drafts import check_name
from pronoia.services.rate_limits import Budget

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


async def export(call: Call[SubjectQuery, Nothing]) -> Answer:
    """Give lines of JSON, the last one a manifest. Whoever is not that person needs the scope `admin`."""
    if call.principal.user_id != call.query.user_id:
        check_permission(call.principal, Permission.ADMIN)
    lines = call.services.subjects.export(_subject(call))
    # Whatever can be refused is, before the answer begins.
    return Answer(_from(await anext(lines), lines))


async def _from(first: bytes, others: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for some in others:
        yield some


async def erase(call: Call[SubjectQuery, Nothing]) -> Answer:
    """Delete all that is held about a person, and revoke the keys that name them."""
    receipt = (await call.services.subjects.erase(_subject(call), call.idempotency)).receipt
    return Answer(
        ReceiptAnswer(
            message="Person erased.",
            id=receipt.id,
            organisation_id=receipt.organisation_id,
            subject=receipt.subject,
            erased_at=receipt.erased_at,
            counts=receipt.counts,
            seal=receipt.seal,
        )
    )


def _subject(call: Call[SubjectQuery, Nothing]) -> Scope:
    check_name(call.query.user_id, "user_id")
    return Scope(call.principal.organisation_id, call.query.user_id)


ROOT = "/api/v1/subjects"

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "GET",
        ROOT + "/export",
        "Tell all that is held about a person.",
        export,
        RecordAnswer,
        Permission.READ,
        SubjectQuery,
        Nothing,
        of_user=False,
        media_type="application/x-ndjson",
        budget=Budget.EXPENSIVE,
    ),
    Operation(
        "DELETE",
        ROOT,
        "Erase a person.",
        erase,
        ReceiptAnswer,
        Permission.ADMIN,
        SubjectQuery,
        Nothing,
        of_user=False,
    ),
)
