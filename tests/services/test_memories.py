from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from pronoia.domain.errors import InvalidInputError, MissingFieldError, NotFoundError, TextLengthError
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Filters, Idempotency
from pronoia.services.drafts import Draft
from pronoia.services.memories import MemoryEdit

if TYPE_CHECKING:
    from pronoia.services.services import Services

pytestmark = pytest.mark.anyio


async def test_a_memory_is_listed_as_it_was_given(services: Services, scope: Scope):
    draft = Draft("  Ada prefers green tea ", "chat", "home", ("tea",), {"a": [1, {"b": None}]}, "s", "agent", "Ada")
    written = await services.memories.add(scope, [draft])
    page = await services.recall.page(scope, Filters(), minimum_version=written.version)
    (memory,) = page.memories
    assert (memory.text, memory.source, memory.project_id, memory.tags) == (draft.text, "chat", "home", ("tea",))
    assert (memory.session_id, memory.agent_id, memory.speaker) == ("s", "agent", "Ada")
    assert memory.metadata.replace(" ", "") == '{"a":[1,{"b":null}]}'


async def test_repeated_text_is_stored_and_names_the_first(services: Services, scope: Scope):
    first = await services.memories.add(scope, [Draft("The bees are well")])
    second = await services.memories.add(scope, [Draft("The bees are well")])
    assert second.memories[0].duplicate_of == first.memories[0].id
    assert (await services.recall.page(scope, Filters())).total == 2


async def test_a_repeated_request_changes_nothing(services: Services, scope: Scope):
    once = Idempotency("once", b"hash")
    first = await services.memories.add(scope, [Draft("Only one of these")], once)
    again = await services.memories.add(scope, [Draft("Only one of these")], once)
    assert again.replayed
    assert again.memories[0].id == first.memories[0].id
    assert (await services.recall.page(scope, Filters())).total == 1


async def test_an_update_is_seen_by_the_next_read(services: Services, scope: Scope):
    written = await services.memories.add(scope, [Draft("Ada prefers tea")])
    memory_id = written.memories[0].id
    await services.recall.page(scope, Filters())
    await services.memories.update(scope, memory_id, MemoryEdit(text="Ada prefers coffee", tags=("drink",)))
    memory, _, version = await services.recall.get(scope, memory_id)
    assert (memory.text, memory.tags, version >= 2) == ("Ada prefers coffee", ("drink",), True)


async def test_a_deleted_memory_is_gone_for_the_next_read(services: Services, scope: Scope):
    written = await services.memories.add(scope, [Draft("A secret"), Draft("No secret")])
    await services.recall.page(scope, Filters())
    await services.memories.delete(scope, written.memories[0].id)
    assert [memory.text for memory in (await services.recall.page(scope, Filters())).memories] == ["No secret"]
    with pytest.raises(NotFoundError):
        await services.recall.get(scope, written.memories[0].id)


async def test_forgetting_a_user_leaves_nothing_to_find(services: Services, scope: Scope):
    await services.memories.add(scope, [Draft("A secret")])
    await services.recall.page(scope, Filters())
    assert (await services.memories.forget(scope)).memories == 1
    assert (await services.recall.page(scope, Filters())).total == 0


async def test_feedback_moves_the_helpfulness_that_readers_see(services: Services, scope: Scope):
    memory_id = (await services.memories.add(scope, [Draft("Useful")])).memories[0].id
    judged = await services.memories.feedback(scope, memory_id, helpful=True, context="work", satisfaction=None)
    assert judged.helpfulness_score == pytest.approx(0.6)
    assert (await services.recall.get(scope, memory_id))[0].helpfulness_score == pytest.approx(0.6)


async def test_the_memory_of_another_user_is_unknown(services: Services, scope: Scope):
    memory_id = (await services.memories.add(scope, [Draft("Mine")])).memories[0].id
    for stranger in (Scope(scope.organisation_id, "grace"), Scope(uuid4(), "ada")):
        with pytest.raises(NotFoundError):
            await services.recall.get(stranger, memory_id)
        with pytest.raises(NotFoundError):
            await services.memories.delete(stranger, memory_id)
        assert (await services.recall.page(stranger, Filters())).total == 0


def nested(levels: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("draft", "error", "field"),
    [
        (Draft("   "), MissingFieldError, "text"),
        (Draft("a" * 10_001), TextLengthError, "text"),
        (Draft("a\x00b"), InvalidInputError, "text"),
        (Draft("a\ud800b"), InvalidInputError, "text"),
        (Draft("a", tags=("b",) * 101), InvalidInputError, "tags"),
        (Draft("a", tags=("b" * 201,)), InvalidInputError, "tags"),
        (Draft("a", metadata={"b": "\x00"}), InvalidInputError, "metadata"),
        (Draft("a", metadata={"b": float("nan")}), InvalidInputError, "metadata"),
        (Draft("a", metadata={"b": 1 << 64}), InvalidInputError, "metadata"),
        (Draft("a", metadata={"b": "c" * 70_000}), InvalidInputError, "metadata"),
        (Draft("a", metadata=nested(40)), InvalidInputError, "metadata"),
        (Draft("a", session_id=" "), MissingFieldError, "session_id"),
    ],
)
async def test_what_cannot_be_stored_is_refused_by_name(
    services: Services, scope: Scope, draft: Draft, error: type[InvalidInputError], field: str
):
    with pytest.raises(error) as refused:
        await services.memories.add(scope, [Draft("fine"), draft])
    assert refused.value.details["field"] == field
    assert (await services.recall.page(scope, Filters())).total == 0
