"""Patterns, metrics and analysis over HTTP."""

from __future__ import annotations

from uuid import uuid4

import httpx2
import pytest


@pytest.fixture
def http(server):
    headers = {"X-API-Key": server.service_key, "X-User-ID": f"user-{uuid4().hex}"}
    with httpx2.Client(base_url=f"{server.url}/api/v1", headers=headers) as client:
        yield client


def remember(http, *texts, **fields):
    return [http.post("/memories", json={"text": text, **fields}).json()["id"] for text in texts]


def test_patterns_count_what_was_saved(http):
    remember(http, "Tea is green", "Coffee is black", tags=["drink"])
    body = http.get("/memories/meta/patterns").json()
    assert (body["summary"]["total_memories"], body["summary"]["total_accesses"]) == (2, 0)
    assert body["most_useful_tags"] == [{"tag": "drink", "avg_helpfulness": 0.5, "usage_count": 0}]
    assert len(body["underutilized_memories"]) == 2
    assert sum(body["access_time_patterns"]["hourly_distribution"].values()) == 0
    assert http.get("/analytics/patterns").json()["temporal_patterns"] == []


def test_metrics_follow_feedback(http):
    (memory,) = remember(http, "Tea is green")
    http.post(f"/memories/{memory}/feedback", json={"helpful": True, "user_satisfaction": 0.8})
    body = http.get("/learning/metrics", params={"metric_type": "user_satisfaction"}).json()
    assert [one["data"][0]["value"] for one in body["time_series"]] == [0.8]
    assert body["trends"]["user_satisfaction"]["data_points"] == 1
    assert (body["total_memories"], body["orphan_count"], body["time_range"]["days"]) == (1, 1, 30)
    assert http.get("/analytics/learning-metrics", params={"days": 7}).json()["time_range"]["days"] == 7
    assert http.get("/learning/metrics", params={"days": 0}).status_code == 400


def test_suggestions_are_applied_once_and_never_to_anothers_memories(http, refused):
    one, other = remember(http, "Tea is green", "Coffee is black")
    wanted = {"memory_id": one, "related_memory_id": other, "suggested_type": "related_to", "confidence": 0.9}
    body = {"suggestions": [wanted]}
    assert http.post("/learning/apply-suggestions", json=body).json()["applied_count"] == 1
    assert http.post("/learning/apply-suggestions", json=body).json()["applied_count"] == 0
    stranger = {"X-User-ID": "stranger"}
    answer = http.post("/learning/apply-suggestions", json=body, headers=stranger)
    refused(answer, 404, "RESOURCE_NOT_FOUND", id=one)


def test_an_analysis_is_told_by_the_status(http):
    remember(http, "Tea is green")
    result = http.post("/learning/analyze", json={}).json()["result"]
    assert (result["relationship_suggestions"], result["stale_memory_count"]) == ([], 1)
    status = http.get("/learning/status").json()
    assert (status["enabled"], status["total_analyses"], status["status"]) == (True, 1, "available")
    assert status["last_run"] == status["last_analysis"] is not None
    assert http.post("/learning/analyze-enhanced", json={}).json()["result"]["phase2"]["duplicates"] == []
