"""GET /learning/metrics after two days of use that are known in every detail."""

from __future__ import annotations

import pytest

from pronoia.services.outcomes import MATCH_SECONDS
from pronoia.services.suggest import ALWAYS_SHOWN

pytestmark = pytest.mark.anyio

TEXTS = (
    "Ada prefers green tea in the morning",
    "The deployment to production is on Friday at noon",
    "Grace keeps bees on her roof",
    "The spare key hangs behind the kitchen door",
)
TEA, DEPLOYMENT, BEES, KEY = range(4)
DAY_SECONDS = 86_400


class Person:
    """One user's calls, each of which must succeed."""

    def __init__(self, inside) -> None:
        self.get = inside.get
        self.post = inside.post
        self.services = inside.services
        self.clock = inside.clock
        self.scope = inside.scope
        self.ids: list[str] = []
        self.predicted: list[tuple[float, bool]] = []
        """The confidence of each predicted memory, and whether it was used."""

    async def use(self, *places) -> None:
        for place in places:
            self.clock.advance(1)
            await self.get(f"/memories/{self.ids[place]}")

    def let_pass(self) -> None:
        """Wait until no search or suggestion can be used any more."""
        self.clock.advance(MATCH_SECONDS + 1)

    async def search(self, query, shows, *, use) -> None:
        found = await self.post("/memories/search", query=query)
        assert self.ids[shows] in [memory["id"] for memory in found["memories"]]
        if use:
            await self.use(shows)
        self.let_pass()

    async def suggest(self, *, use, withheld) -> None:
        found = await self.post("/memories/suggest", context="Where does Grace keep her bees?")
        assert found["withheld"] is withheld
        assert (self.ids[BEES] in [one["id"] for one in found["suggestions"]]) is not withheld
        if use:
            await self.use(BEES)
        self.let_pass()

    async def predict(self, *used) -> None:
        """Have all four predicted, and use ten."""
        found = await self.post("/memories/predict", min_confidence=0)
        assert found["count"] == len(TEXTS)
        hits = {self.ids[place] for place in used}
        self.predicted += [(one["confidence"], one["id"] in hits) for one in found["predictions"]]
        await self.use(*used)

    async def relate(self, one, other, strength) -> None:
        await self.post(
            "/relationships", memory_id=self.ids[one], related_memory_id=self.ids[other], type="caused_by",
            strength=strength,
        )  # fmt: skip

    async def metrics(self, **query):
        # Answers of the last minutes may be given again.
        await self.services.recall._outcomes.flush()
        self.clock.advance(301)
        return await self.get("/learning/metrics", **query)


@pytest.fixture
def ada(inside):
    return Person(inside)


async def first_day(ada) -> None:
    written = await ada.post("/memories/batch", memories=[{"text": text} for text in TEXTS])
    ada.ids = [memory["id"] for memory in written["memories"]]
    await ada.relate(TEA, DEPLOYMENT, 0.9)
    await ada.relate(BEES, KEY, 0.5)
    await ada.search("What tea does Ada prefer?", TEA, use=True)
    await ada.search("Where are the bees of Grace?", BEES, use=True)
    await ada.search("Where is the spare key?", KEY, use=False)
    await ada.post(f"/memories/{ada.ids[TEA]}/feedback", helpful=True, user_satisfaction=0.8)
    await ada.post(f"/memories/{ada.ids[BEES]}/feedback", helpful=False)
    await ada.predict(*[TEA, DEPLOYMENT] * 5)
    await ada.services.insights.keep_measures(ada.scope)


async def second_day(ada) -> None:
    await ada.search("Where is the spare key?", KEY, use=True)
    await ada.post(f"/memories/{ada.ids[TEA]}/feedback", helpful=False, user_satisfaction=0.2)
    await ada.relate(TEA, BEES, 1.0)
    await ada.predict(*[KEY] * 10)
    for place in range(ALWAYS_SHOWN):
        await ada.suggest(use=place < 12, withheld=False)
    ada.services.suggest._draw = lambda: 0.0
    for place in range(5):
        await ada.suggest(use=place < 2, withheld=True)
    for topic in ("helium", "Waterloo", "Mongolia", "opera", "glaciers"):
        silent = await ada.post("/memories/suggest", context=f"What did Napoleon say about {topic}?")
        assert (silent["abstained"], silent["suggestions"]) == (True, [])


@pytest.fixture
async def known(ada):
    """Give a user of whom everything is known."""
    await first_day(ada)
    ada.clock.advance(DAY_SECONDS - ada.clock.monotonic())
    await second_day(ada)
    return ada


def calibration_error(predicted) -> float:
    tenths: dict[int, float] = {}
    for confidence, used in predicted:
        tenths[int(confidence * 10)] = tenths.get(int(confidence * 10), 0.0) + used - confidence
    return sum(map(abs, tenths.values())) / len(predicted)


async def test_every_figure_is_what_happened(known):
    body = await known.metrics()
    series = {one["metric_type"]: one["data"] for one in body["time_series"]}
    assert {name: [point["value"] for point in points] for name, points in series.items()} == {
        "search_accuracy": [0.6667, 1.0],
        "prediction_accuracy": [0.5, 0.25],
        "avg_helpfulness": pytest.approx([0.51333, 0.48075], abs=1e-4),
        "user_satisfaction": [0.4, 0.2],
        "relationship_quality": [0.7, 0.8],
    }
    days = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]
    assert [[point["recorded_at"] for point in points] for points in series.values()] == [days] * 5
    assert len(known.predicted) == 8
    assert body["calibration_error"] == pytest.approx(calibration_error(known.predicted), abs=1e-4)
    assert body["abstention_rate"] == pytest.approx(5 / 30)
    assert body["uplift"] == pytest.approx(12 / 20 - 2 / 5)
    assert body["uplift_interval"] == pytest.approx([-0.257913, 0.582589], abs=1e-6)


async def test_trends_lead_from_the_first_day_to_the_last(known):
    trends = (await known.metrics())["trends"]
    keys = ("first_value", "last_value", "change", "percent_change", "trend", "data_points")
    assert {name: tuple(trend[key] for key in keys) for name, trend in trends.items()} == {
        "search_accuracy": (0.667, 1.0, 0.333, 50.0, "improving", 2),
        "prediction_accuracy": (0.5, 0.25, -0.25, -50.0, "declining", 2),
        "avg_helpfulness": (0.513, 0.481, -0.033, -6.3, "declining", 2),
        "user_satisfaction": (0.4, 0.2, -0.2, -50.0, "declining", 2),
        "relationship_quality": (0.7, 0.8, 0.1, 14.3, "improving", 2),
    }


async def test_what_there_is_now_is_counted(known):
    body = await known.metrics()
    current = {"avg_helpfulness": 0.48, "total_usage": 37, "active_memories": 4, "total_memories": 4}
    assert body["current_stats"] == current
    assert {name: body[name] for name in current} == current
    learned = body["learning_params"]
    assert (learned["total_searches"], learned["personalised"]) == (4, False)
    assert (learned["positive_feedback_count"], learned["negative_feedback_count"]) == (1, 2)
    assert learned["avg_search_satisfaction"] == pytest.approx(0.5)
    assert (body["total_relationships"], body["avg_relationships_per_memory"]) == (3, 0.75)
    assert (body["orphan_count"], body["stale_count"], body["cluster_count"]) == (0, 0, 0)


async def test_one_metric_can_be_asked_for_alone_and_days_are_kept_to(known):
    alone = await known.metrics(metric_type="user_satisfaction")
    assert [one["metric_type"] for one in alone["time_series"]] == list(alone["trends"]) == ["user_satisfaction"]
    known.clock.advance(2 * DAY_SECONDS)
    later = await known.metrics(days=1)
    # Only what is measured as it stands now.
    assert {name: trend["data_points"] for name, trend in later["trends"].items()} == {
        "avg_helpfulness": 1,
        "relationship_quality": 1,
    }
    assert (later["uplift"], later["uplift_interval"], later["calibration_error"]) == (None, None, None)
    assert later["abstention_rate"] is None
