"""What could be mended, mending it, and taking that back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pronoia.domain.errors import InvalidInputError, MissingFieldError
from pronoia.domain.maintenance import REVERSIBLE_FOR, MaintenanceKind, Restoration
from pronoia.domain.records import Permission
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.schemas.maintenance import (
    ActionAnswer,
    ActionsAnswer,
    ActionsQuery,
    ApplyBody,
    ArchivableAnswer,
    ArchiveStep,
    DuplicateAnswer,
    MaintenanceAnswer,
    MergeStep,
    OutdatedAnswer,
    RemoveLinkStep,
    RestoreStep,
    SuggestionAnswer,
    SummaryAnswer,
    UndoBody,
)
from pronoia.resilience.admission import Importance
from pronoia.services.answers import MAINTENANCE, Given
from pronoia.services.features import Feature
from pronoia.services.rate_limits import Budget

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.maintenance import MaintenanceAction, MaintenanceStep
    from pronoia.faces.http.schemas.maintenance import Step
    from pronoia.learning.maintenance import Findings, Suggestion
    from pronoia.services.maintenance import Maintenance
    from pronoia.services.services import Services


async def suggestions(call: Call[Nothing, Nothing]) -> Answer:
    given = await give_suggestions(call.services, call.scope, call.minimum_version)
    return Answer(given.body, given.version)


async def give_suggestions(services: Services, scope: Scope, minimum_version: int | None = None) -> Given:
    """Look for what could be mended, or give what was found before; it is kept for whoever asks next."""

    async def compute(at: datetime) -> Given:
        findings, version = await services.maintenance.suggestions(scope, minimum_version, at)
        return Given(msgspec.json.encode(_present(findings)), version)

    return await services.answers.give(MAINTENANCE, scope, None, compute, minimum_version=minimum_version)


async def apply(call: Call[Nothing, ApplyBody]) -> Answer:
    maintenance = call.services.maintenance
    if not call.body.actions and not call.body.suggestion_ids:
        raise MissingFieldError("actions or suggestion_ids is required.", field="actions")
    steps = [
        *(_step(maintenance, step, place) for place, step in enumerate(call.body.actions)),
        *(maintenance.suggested_step(one) for one in call.body.suggestion_ids),
    ]
    maintained = await maintenance.apply(call.scope, steps, call.idempotency)
    return Answer(_present_actions(maintained.actions), maintained.version)


async def undo(call: Call[Nothing, UndoBody]) -> Answer:
    maintained = await call.services.maintenance.undo(call.scope, call.body.action_id, call.idempotency)
    return Answer(_present_actions(maintained.actions), maintained.version)


async def actions(call: Call[ActionsQuery, Nothing]) -> Answer:
    return Answer(_present_actions(await call.services.maintenance.actions(call.scope, call.query.limit)))


def _step(maintenance: Maintenance, step: Step, place: int) -> MaintenanceStep:
    match step:
        case MergeStep(keep=keep, remove=remove):
            return maintenance.step(MaintenanceKind.MERGE, memory_id=remove, kept_memory_id=keep)
        case ArchiveStep(memory_id=memory_id):
            return maintenance.step(MaintenanceKind.ARCHIVE, memory_id=memory_id)
        case RemoveLinkStep(relationship_id=relationship_id):
            return maintenance.step(MaintenanceKind.REMOVE_LINK, relationship_id=relationship_id)
        case RestoreStep(action_id=action_id, memory_id=memory_id):
            if (action_id is None) == (memory_id is None):
                raise InvalidInputError(
                    "restore takes either action_id or memory_id.", field=f"actions[{place}].action_id"
                )
            return Restoration(action_id, memory_id)


def _present(findings: Findings) -> MaintenanceAnswer:
    found = (findings.duplicates, findings.outdated, findings.archivable, findings.broken)
    return MaintenanceAnswer(
        duplicates=[
            DuplicateAnswer(
                id=one.id,
                memory_ids=(one.memory.id, one.related[0].id),
                similarity=one.score,
                suggestion=one.type,
                texts=(one.memory.text, one.related[0].text),
            )
            for one in findings.duplicates
        ],
        outdated=[
            OutdatedAnswer(
                id=one.memory.id,
                text=one.memory.text,
                helpfulness_score=one.memory.helpfulness_score,
                days_since_access=round(one.days_unused, 3),
            )
            for one in findings.outdated
        ],
        archive_candidates=[
            ArchivableAnswer(
                id=one.memory.id,
                text=one.memory.text,
                days_since_access=round(one.days_unused, 3),
                usage_count=one.memory.usage_count,
            )
            for one in findings.archivable
        ],
        broken_relationships=findings.broken_count,
        summary=SummaryAnswer(
            total_duplicates=findings.duplicate_count,
            total_outdated=findings.outdated_count,
            total_archive_candidates=findings.archivable_count,
            total_broken_relationships=findings.broken_count,
        ),
        suggestions=[_present_suggestion(one) for kind in found for one in kind],
    )


def _present_suggestion(suggestion: Suggestion) -> SuggestionAnswer:
    return SuggestionAnswer(
        id=suggestion.id,
        memory_id=suggestion.memory.id,
        suggestion_type=suggestion.type,
        reason=suggestion.reason,
        score=suggestion.score,
        related_memory_ids=[memory.id for memory in suggestion.related],
        relationship_id=suggestion.relationship_id,
    )


def _present_actions(done: Sequence[MaintenanceAction]) -> ActionsAnswer:
    listed = [
        ActionAnswer(
            id=one.id,
            action=one.kind,
            memory_id=one.memory_id,
            kept_memory_id=one.kept_memory_id,
            relationship_id=one.relationship_id,
            at=one.at,
            reversible_until=one.at + REVERSIBLE_FOR,
            undone_at=one.undone_at,
        )
        for one in done
    ]
    return ActionsAnswer(actions=listed, count=len(listed))


ROOT = "/api/v1/learning/maintenance"
READ, LEARN = Permission.READ, Permission.LEARN

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "GET",
        ROOT + "-suggestions",
        "Say what could be mended: duplicates, stale memories, broken relationships.",
        suggestions,
        MaintenanceAnswer,
        READ,
        Nothing,
        Nothing,
        importance=Importance.REPORT,
        feature=Feature.MAINTENANCE_SUGGESTIONS,
        budget=Budget.EXPENSIVE,
    ),
    Operation(
        "POST",
        ROOT + "/apply",
        "Merge, archive, remove links or restore, all or nothing.",
        apply,
        ActionsAnswer,
        LEARN,
        Nothing,
        ApplyBody,
        budget=Budget.EXPENSIVE,
    ),
    Operation("POST", ROOT + "/undo", "Undo an action.", undo, ActionsAnswer, LEARN, Nothing, UndoBody),
    Operation(
        "GET",
        ROOT + "/actions",
        "List what was done, newest first.",
        actions,
        ActionsAnswer,
        READ,
        ActionsQuery,
        Nothing,
    ),
)
