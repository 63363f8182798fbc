"""What /metrics shows after real requests, and to whom."""

from __future__ import annotations

import re

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.telemetry.families import FAMILIES
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.domain.records import Permission, Plan
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

MONITORING = "/api/v1/monitoring/metrics"
OWN = {family.name for family in FAMILIES}
DOCUMENTED = [
    "http_request_duration_seconds",
    "http_requests_total",
    "prediction_duration_seconds",
    "suggestion_duration_seconds",
    "maintenance_duration_seconds",
    "cache_hits_total",
    "cache_misses_total",
    "cache_size",
    "db_query_duration_seconds",
    "db_connections_active",
    "db_query_errors_total",
    "temporal_patterns_detected_total",
    "user_weight_adjustments_total",
    "prediction_accuracy",
    "recallbricks_http_request_duration_seconds",
    "recallbricks_http_requests_total",
    "recallbricks_http_request_errors_total",
    "recallbricks_db_query_duration_seconds",
    "recallbricks_db_queries_total",
    "recallbricks_db_connections_active",
    "recallbricks_memories_created_total",
    "recallbricks_memories_queried_total",
    "recallbricks_relationship_detection_attempts_total",
    "recallbricks_relationship_detection_duration_seconds",
    "recallbricks_relationships_detected_total",
    "recallbricks_memory_operations_total",
    "requests_total",
    "request_duration_seconds",
    "memory_total",
    "users_total",
    "learning_patterns_total",
    "avg_response_time_ms",
    "errors_24h",
    "relationships_total",
    "orphaned_relationships",
]


def families(text):
    return {family.name + ("_total" if family.type == "counter" else ""): family
            for family in text_string_to_metric_families(text)}  # fmt: skip


def value(text, name, **labels):
    pattern = {(sample.name, frozenset(sample.labels.items())): sample.value
               for family in families(text).values() for sample in family.samples}  # fmt: skip
    return pattern.get((name, frozenset(labels.items())), 0.0)


def use_everything(caller):
    first = caller.remember("Grace keeps bees behind the mill", tags=["bees"])
    caller.remember("The bees swarm in May", tags=["bees"])
    caller.given("POST", "/memories/search", json={"query": "bees"})
    caller.given("POST", "/memories/predict", json={"context": "bees"})
    caller.given("POST", "/memories/suggest", json={"context": "When do the bees swarm?"})
    caller.given("GET", "/learning/maintenance-suggestions")
    caller.get(f"/api/v1/memories/{first['id']}")
    caller.get("/api/v1/memories/nothing")


def test_at_least_forty_families_of_our_own_have_series_after_some_traffic(caller):
    use_everything(caller)
    shown = families(caller.get("/metrics").text)
    exported = {name for name, family in shown.items() if family.samples and name in OWN}
    assert len(exported) >= 40, sorted(exported)


def test_every_documented_name_is_shown(caller):
    shown = families(caller.get("/metrics").text)
    assert [name for name in DOCUMENTED if name not in shown] == []


def test_a_request_adds_to_what_it_is_about(caller):
    before = caller.get("/metrics").text
    use_everything(caller)
    after = caller.get("/metrics").text

    def added(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)

    assert added("memories_created_total") == 2
    assert added("memory_operations_total", operation="add") == 2
    assert added("prediction_duration_seconds_count") == 1
    assert added("suggestion_duration_seconds_count") == 1
    assert added("search_duration_seconds_count") == 1
    assert added("maintenance_duration_seconds_count") == 1
    assert added("working_set_loads_total", kind="whole") >= 1
    route = "/api/v1/memories/{memory_id}"
    assert added("http_requests_total", method="GET", route=route, status_code="404") == 1
    assert added("http_requests_total", method="GET", route=route, status_code="200") == 1
    stored = {"query_type": "add_memories", "operation": "select", "table": "add_memories"}
    assert added("db_query_duration_seconds_count", **stored) == 2
    assert added("db_queries_total", status="succeeded", **stored) == 2
    assert added("embedding_calls_total", space="pronoia-minilm-256-v1", status="succeeded") >= 4


def test_no_label_names_a_user_or_a_memory(caller):
    use_everything(caller)
    text = caller.get("/metrics").text
    assert caller.user not in text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", text)


@pytest.mark.parametrize("path", ["/metrics", "/health/metrics", MONITORING])
def test_metrics_are_shown_in_the_text_format_of_prometheus(caller, path):
    answer = caller.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE http_requests_total counter\n" in answer.text
    assert "requests_created" not in answer.text


def test_metrics_are_shown_as_json(caller):
    body = caller.given("GET", "/monitoring/metrics/json")
    (requests,) = [one for one in body["metrics"] if one["name"] == "http_requests_total"]
    assert requests["type"] == "counter"
    assert requests["samples"][0]["value"] >= 1
    assert set(requests["samples"][0]["labels"]) == {"method", "route", "status_code"}


@pytest.mark.parametrize("path", [MONITORING, f"{MONITORING}/json"])
def test_under_monitoring_a_key_with_the_admin_scope_is_needed(server, anonymous, refused, path):
    refused(anonymous.get(path), 401, "MISSING_API_KEY")
    reader = anyio.run(make_reader, server.database_url)
    refused(anonymous.get(path, headers={"X-API-Key": reader}), 403, "FORBIDDEN")


def test_an_admin_key_of_no_user_need_not_name_one(server, anonymous):
    assert anonymous.get(MONITORING, headers={"X-Service-Token": server.service_key}).status_code == 200


async def make_reader(database_url):
    database = await Database.open(database_url, connections=2, timeout_seconds=10)
    keys = Keys(store=PostgresKeyStore(database), clock=SystemClock())
    _, secret = await keys.create(
        user_id="reader", plan=Plan.FREE, permissions={Permission.READ}, organisation_id=DEFAULT_ORGANISATION
    )
    await database.close()
    return secret


@pytest.mark.parametrize(
    ("forwarded", "status"), [("10.1.2.3", 200), ("203.0.113.7", 401), ("10.1.2.3, 203.0.113.7", 401), ("x", 401)]
)
@pytest.mark.parametrize("path", ["/metrics", "/health/metrics"])
def test_who_comes_from_afar_through_a_proxy_needs_an_admin_key(server, anonymous, path, forwarded, status):
    headers = {"X-Forwarded-For": forwarded}
    assert anonymous.get(path, headers=headers).status_code == status
    assert anonymous.get(path, headers={**headers, "X-API-Key": server.key}).status_code == 200
