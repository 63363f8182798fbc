"""Declared projects of the caller's organisation."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from msgspec import UNSET

from pronoia.domain.records import Permission
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.schemas.management import (
    NewProjectBody,
    ProjectAnswer,
    ProjectEditBody,
    ProjectsAnswer,
    ProjectsQuery,
)

if TYPE_CHECKING:
    from pronoia.domain.organisations import Project

PROJECTS = "/api/v1/projects"


async def create_project(call: Call[Nothing, NewProjectBody]) -> Answer:
    """Declare a project. Memories may name projects that nobody declared; one that is declared can have a retention."""
    body = call.body
    project = await call.services.projects.create(
        call.principal.organisation_id, body.project_id, body.retention_days, call.idempotency
    )
    return Answer(_answer(project))


async def list_projects(call: Call[ProjectsQuery, Nothing]) -> Answer:
    query = call.query
    projects = await call.services.projects.listed(
        call.principal.organisation_id, after=query.after or "", limit=query.limit, archived=query.archived
    )
    following = projects[-1].id if len(projects) == query.limit else None
    return Answer(ProjectsAnswer(projects=[_answer(one) for one in projects], count=len(projects), next=following))


async def get_project(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(_answer(await call.services.projects.get(call.principal.organisation_id, call.path["project_id"])))


async def change_project(call: Call[Nothing, ProjectEditBody]) -> Answer:
    """Change a project. Archiving takes it out of the list; its memories and their retention stay."""
    body, organisation_id, project_id = call.body, call.principal.organisation_id, call.path["project_id"]
    project = await call.services.projects.change(
        organisation_id,
        project_id,
        retention_days=... if body.retention_days is UNSET else body.retention_days,
        archived=body.archived,
        idempotency=call.idempotency,
    )
    return Answer(_answer(project))


def _answer(project: Project) -> ProjectAnswer:
    return ProjectAnswer(
        project_id=project.id,
        retention_days=project.retention_days,
        created_at=project.created_at,
        archived_at=project.archived_at,
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "GET",
        PROJECTS,
        "List declared projects by name.",
        list_projects,
        ProjectsAnswer,
        Permission.ADMIN,
        ProjectsQuery,
        Nothing,
        of_user=False,
    ),
    Operation(
        "POST",
        PROJECTS,
        "Declare a project.",
        create_project,
        ProjectAnswer,
        Permission.ADMIN,
        Nothing,
        NewProjectBody,
        status=HTTPStatus.CREATED,
        of_user=False,
    ),
    Operation(
        "GET",
        PROJECTS + "/{project_id}",
        "Get a declared project.",
        get_project,
        ProjectAnswer,
        Permission.ADMIN,
        Nothing,
        Nothing,
        of_user=False,
    ),
    Operation(
        "PATCH",
        PROJECTS + "/{project_id}",
        "Change how long a project's memories are kept, or archive it.",
        change_project,
        ProjectAnswer,
        Permission.ADMIN,
        Nothing,
        ProjectEditBody,
        of_user=False,
    ),
)
