from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
import pytest

from pronoia.app import open_services
from pronoia.benchmark.locomo import Conversation, Question, Turn
from pronoia.benchmark.suggestion_evaluation import evaluate_suggestions
from pronoia.domain.errors import MissingFieldError, TextLengthError
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Filters, RelationshipType
from pronoia.services.drafts import Draft
from pronoia.services.recall import SearchRequest
from pronoia.services.suggest import ALWAYS_SHOWN, Suggest, SuggestRequest
from pronoia.testing.clock import ManualClock
from pronoia.testing.meter import RecordingMeter

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.services.services import Services

pytestmark = pytest.mark.anyio

TEXTS = (
    "Ada prefers green tea in the morning",
    "The deployment to production is on Friday at noon",
    "Grace keeps bees on her roof",
    "Grace sells honey at the market on Saturdays",
    "The spare key hangs behind the kitchen door",
    "Ada is allergic to peanuts",
)
BEES = "Where does Grace keep her bees?"


class RecordedOutcomes:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.suggested: list[tuple[list[UUID], bool, bool]] = []
        self.used: list[UUID] = []

    def record_suggestion(self, _scope, suggested_ids, *, withheld, silent) -> None:
        self.suggested.append((list(suggested_ids), withheld, silent))

    def record_use(self, _scope, memory_id, _at) -> None:
        self.used.append(memory_id)


def suggest_of(services: Services, outcomes: RecordedOutcomes, draw=lambda: 1.0) -> Suggest:
    """Build the service on the parts of an open server, with outcomes and chance of our own."""
    recall = services.recall
    return Suggest(
        recall=recall,
        residents=recall._residents,
        uses=recall._uses,
        outcomes=outcomes,
        ranking_weights=recall._ranking_weights,
        clock=ManualClock(),
        meter=RecordingMeter(),
        draw=draw,
    )


@pytest.fixture
def outcomes() -> RecordedOutcomes:
    return RecordedOutcomes()


@pytest.fixture
async def ids(services: Services, scope: Scope) -> list[UUID]:
    written = await services.memories.add(scope, [Draft(text) for text in TEXTS])
    return [memory.id for memory in written.memories]


async def test_what_fits_the_context_is_suggested_with_its_confidence(services, scope, ids):
    found = await services.suggest.suggest(scope, SuggestRequest(BEES))
    best = found.suggestions[0]
    assert best.memory.id == ids[2]
    assert 0.6 <= best.confidence <= 1
    assert 0.5 < best.similarity <= 1
    assert best.common_words == ["grace", "keep", "bees"]
    assert [one.confidence for one in found.suggestions] == sorted(
        (one.confidence for one in found.suggestions), reverse=True
    )
    assert not found.silent
    learned = await services.ranking_weights.parameters(scope)
    assert found.weights == {
        "usage": learned.usage_weight,
        "recency": learned.recency_weight,
        "helpfulness": learned.helpfulness_weight,
        "relationship": learned.relationship_weight,
    }


async def test_beside_a_sure_suggestion_nothing_is_suggested_that_is_about_something_else(services, scope, ids):
    found = await services.suggest.suggest(scope, SuggestRequest(BEES))
    assert [one.memory.id for one in found.suggestions] == [ids[2]]
    everything = await services.suggest.suggest(scope, SuggestRequest(BEES, minimum_confidence=0.0))
    assert [one.memory.id for one in everything.suggestions[:2]] == [ids[2], ids[3]]
    assert all(one.confidence < 0.2 for one in everything.suggestions[2:])


@pytest.mark.parametrize(
    "context",
    [
        "What is the boiling point of helium?",
        "How did Napoleon lose the battle of Waterloo?",
        "Haha, that's great! Take care, talk to you soon",
        "asdf qwer zxcv",
    ],
)
@pytest.mark.usefixtures("ids")
async def test_a_context_unrelated_to_all_that_is_stored_is_met_with_silence(services, scope, context):
    found = await services.suggest.suggest(scope, SuggestRequest(context))
    assert (found.suggestions, found.silent, found.withheld) == ([], True, False)
    everything = await services.suggest.suggest(scope, SuggestRequest(context, minimum_confidence=0.0))
    assert len(everything.suggestions) == 5
    assert all(one.confidence < 0.6 for one in everything.suggestions)


async def test_a_name_that_nobody_here_bears_lowers_the_confidence(services, scope, ids):
    sure, unsure = [
        (await services.suggest.suggest(scope, SuggestRequest(text, minimum_confidence=0.0))).suggestions[0]
        for text in (BEES, "Where does Hildegard keep her bees?")
    ]
    assert sure.memory.id == unsure.memory.id == ids[2]
    assert unsure.confidence < sure.confidence / 2


async def test_the_threshold_of_searches_is_not_that_of_suggestions(services, scope, ids):
    found = await services.recall.search(scope, SearchRequest("what happens on Friday", Filters()))
    assert found.hits[0].memory.id == ids[1]
    assert not found.abstained
    nothing = await services.recall.search(scope, SearchRequest("quantum chromodynamics zebra", Filters()))
    assert (nothing.hits, nothing.abstained) == ([], True)


@pytest.mark.usefixtures("ids")
async def test_limit_project_and_minimum_narrow_the_answer(services, scope):
    request = SuggestRequest("Grace", limit=1, minimum_confidence=0.0)
    assert len((await services.suggest.suggest(scope, request)).suggestions) == 1
    (other,) = (await services.memories.add(scope, [Draft("Grace knits", project_id="wool")])).memories
    inside = SuggestRequest("What does Grace do?", Filters(project_id="wool"), minimum_confidence=0.0)
    assert [one.memory.id for one in (await services.suggest.suggest(scope, inside)).suggestions] == [other.id]


async def test_only_strong_relationships_come_with_a_suggestion(services, scope, ids):
    await services.relationships.add(
        scope, ids[2], ids[3], kind=RelationshipType.CAUSED_BY, strength=0.9, explanation=""
    )
    await services.relationships.add(
        scope, ids[4], ids[2], kind=RelationshipType.RELATED_TO, strength=0.6, explanation=""
    )
    await services.relationships.add(
        scope, ids[2], ids[5], kind=RelationshipType.SIMILAR_TO, strength=0.5, explanation=""
    )
    best = (await services.suggest.suggest(scope, SuggestRequest(BEES))).suggestions[0]
    related = {one.memory_id: (one.type, round(one.strength, 6)) for one in best.related}
    assert related[ids[3]] == (RelationshipType.CAUSED_BY, 0.9)
    assert related[ids[4]] == (RelationshipType.RELATED_TO, 0.6)
    assert ids[5] not in related
    assert best.related[0].memory_id == ids[3]


async def test_used_suggestions_are_counted_once_and_reported(services, scope, outcomes, ids):
    suggest = suggest_of(services, outcomes)
    stranger = uuid4()
    await suggest.suggest(scope, SuggestRequest(BEES, used_ids=(ids[0], stranger, ids[0])))
    assert outcomes.used == [ids[0]]
    counts = {one.id: one.usage_count for one in (await services.recall.page(scope, Filters())).memories}
    assert {one for one, count in counts.items() if count} == {ids[0]}
    assert counts[ids[0]] == 1


@pytest.mark.usefixtures("ids")
async def test_answers_and_silences_are_reported(services, scope, outcomes):
    suggest = suggest_of(services, outcomes)
    found = await suggest.suggest(scope, SuggestRequest(BEES))
    await suggest.suggest(scope, SuggestRequest("asdf qwer zxcv"))
    assert outcomes.suggested == [
        ([one.memory.id for one in found.suggestions], False, False),
        ([], False, True),
    ]


@pytest.mark.usefixtures("ids")
async def test_after_the_first_ones_chance_withholds_a_suggestion_and_says_so(services, scope, outcomes):
    draws = iter([0.049, 0.05])
    suggest = suggest_of(services, outcomes, lambda: next(draws))
    shown = [await suggest.suggest(scope, SuggestRequest(BEES)) for _ in range(ALWAYS_SHOWN)]
    assert not any(found.withheld for found in shown)
    withheld = await suggest.suggest(scope, SuggestRequest(BEES))
    assert (withheld.suggestions, withheld.withheld, withheld.silent) == ([], True, False)
    assert outcomes.suggested[-1] == ([one.memory.id for one in shown[0].suggestions], True, False)
    silent = await suggest.suggest(scope, SuggestRequest("asdf qwer zxcv"))
    assert (silent.withheld, silent.silent) == (False, True)
    assert not (await suggest.suggest(scope, SuggestRequest(BEES))).withheld


async def test_nothing_of_another_user_is_suggested_or_counted(services, scope, outcomes, ids):
    other = Scope(scope.organisation_id, "eve")
    suggest = suggest_of(services, outcomes)
    found = await suggest.suggest(other, SuggestRequest(BEES, minimum_confidence=0.0, used_ids=(ids[2],)))
    assert (found.suggestions, outcomes.used) == ([], [])


async def test_whoever_listens_hears_of_what_was_got_and_judged(services, scope, outcomes, ids):
    services.recall._uses._listeners = (outcomes,)
    await services.recall.get(scope, ids[0])
    await services.memories.feedback(scope, ids[1], helpful=True, context=None, satisfaction=None)
    await services.memories.add(scope, [Draft("written")])
    await services.recall.search(scope, SearchRequest("green tea", Filters(), learning_mode=True))
    assert outcomes.used == [ids[0], ids[1]]


async def test_a_single_memory_is_suggested_where_it_fits_and_only_there(services, scope):
    (alone,) = (await services.memories.add(scope, [Draft("User prefers dark mode in all applications")])).memories
    for context, expected in (("dark mode settings", [alone.id]), ("cooking pasta", [])):
        found = await services.suggest.suggest(scope, SuggestRequest(context))
        assert [one.memory.id for one in found.suggestions] == expected


async def test_users_above_the_resident_limit_get_suggestions_too(settings, scope):
    async with open_services(msgspec.structs.replace(settings, resident_limit=3)) as services:
        written = await services.memories.add(scope, [Draft(text) for text in TEXTS])
        used = written.memories[0].id
        found = await services.suggest.suggest(scope, SuggestRequest(BEES, used_ids=(used, uuid4())))
        assert found.suggestions[0].memory.id == written.memories[2].id
        silent = await services.suggest.suggest(scope, SuggestRequest("What is the boiling point of helium?"))
        assert silent.silent


@pytest.mark.parametrize(("context", "error"), [("  ", MissingFieldError), ("x" * 10_001, TextLengthError)])
async def test_a_context_that_cannot_be_read_is_refused(services, scope, context, error):
    with pytest.raises(error) as refused:
        await services.suggest.suggest(scope, SuggestRequest(context))
    assert refused.value.details["field"] == "context"


class CountingSystem:
    """Suggests every turn of questions that begin with the conversation's own id."""

    def __init__(self) -> None:
        self.asked: Counter[bool] = Counter()

    async def remember(self, conversation):
        pass

    async def suggest(self, conversation, context, limit):
        own = context.startswith(conversation.id)
        self.asked[own] += 1
        if context.endswith("withheld"):
            return None
        return [turn.id for turn in conversation.turns][:limit] if own else []


async def test_an_evaluation_counts_evidence_and_silence_without_what_was_withheld():
    moment = ManualClock().now()
    conversations = [
        Conversation(
            name,
            tuple(Turn(f"{name}{at}", "s", "Ada", "text", moment) for at in range(6)),
            (Question(f"{name} one", 1, (f"{name}0",)), Question(f"{name} two", 1, (f"{name}5",))),
        )
        for name in ("a", "b", "c")
    ]
    conversations[0] = Conversation(
        "a", conversations[0].turns, (*conversations[0].questions, Question("a withheld", 1, ("a0",)))
    )
    system = CountingSystem()
    found = await evaluate_suggestions(system, conversations, unrelated=50)
    assert system.asked == {True: 7, False: 50}
    assert (found.evidence.mean, found.own_silence.mean, found.silence.mean) == (50, 0, 100)
    assert (found.questions, found.unrelated + found.withheld) == (6, 51)
    assert not found.reached
