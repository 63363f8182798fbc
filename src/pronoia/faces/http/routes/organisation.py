"""The caller's own organisation. Others are made on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.domain.records import Permission
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.schemas.management import OrganisationAnswer, OrganisationBody

if TYPE_CHECKING:
    from pronoia.domain.organisations import Organisation

ORGANISATION = "/api/v1/organisation"


async def get_organisation(call: Call[Nothing, Nothing]) -> Answer:
    return _answer(await call.services.organisations.get(call.principal.organisation_id))


async def rename_organisation(call: Call[Nothing, OrganisationBody]) -> Answer:
    organisation_id = call.principal.organisation_id
    return _answer(await call.services.organisations.rename(organisation_id, call.body.name, call.idempotency))


def _answer(one: Organisation) -> Answer:
    return Answer(OrganisationAnswer(id=one.id, name=one.name, created_at=one.created_at))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "GET",
        ORGANISATION,
        "Show the organisation that the key belongs to.",
        get_organisation,
        OrganisationAnswer,
        Permission.ADMIN,
        Nothing,
        Nothing,
        of_user=False,
    ),
    Operation(
        "PATCH",
        ORGANISATION,
        "Give the organisation another name.",
        rename_organisation,
        OrganisationAnswer,
        Permission.ADMIN,
        Nothing,
        OrganisationBody,
        of_user=False,
    ),
)
