"""Every series family that Pronoia exports. What is not here cannot be counted, drawn or alerted on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of a duration's buckets, in seconds."""
ANSWER = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 0.7, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0)
THOUGHT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
UPKEEP = (0.01, 0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)
STATEMENT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.3, 0.5, 1.0, 2.0, 5.0)


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Across(StrEnum):
    """What a gauge is of several workers, by the names of prometheus_client's modes."""

    SUM = "livesum"
    LEAST = "livemin"
    MOST = "livemax"
    LATEST = "mostrecent"


@dataclass(frozen=True, slots=True)
class Family:
    """`labels` never name a user, a tenant or a key: their number has no bound, and metrics are read by many."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = QUICK
    across: Across = Across.SUM


HTTP = (
    Family("http_requests_total", Kind.COUNTER, "Requests answered.", ("method", "route", "status_code")),
    Family(
        "http_request_duration_seconds",
        Kind.HISTOGRAM,
        "Time from a request's head to the end of its answer.",
        ("method", "route", "status_code"),
        ANSWER,
    ),
    Family(
        "http_request_errors_total",
        Kind.COUNTER,
        "Requests answered with an error, by its code.",
        ("method", "route", "error_code"),
    ),
    Family("http_requests_in_flight", Kind.GAUGE, "Requests that are being answered."),
    Family("http_request_bytes_total", Kind.COUNTER, "Bytes of request bodies.", ("route",)),
    Family("http_response_bytes_total", Kind.COUNTER, "Bytes of answers' bodies.", ("route",)),
    Family("errors_24h", Kind.GAUGE, "Requests of the last 24 hours that the running workers answered with 5xx."),
)

CACHES = (
    Family("cache_hits_total", Kind.COUNTER, "Answers found in a cache tier.", ("tier",)),
    Family("cache_misses_total", Kind.COUNTER, "Answers looked for in a cache tier in vain.", ("tier",)),
    Family(
        "cache_size", Kind.GAUGE, "Answers in a tier; of tier 1, the fullest worker's.", ("tier",), across=Across.MOST
    ),
    Family("cache_bytes", Kind.GAUGE, "Bytes of the answers in a tier, likewise.", ("tier",), across=Across.MOST),
    Family("cache_refreshes_total", Kind.COUNTER, "Answers renewed before they expired.", ("tier",)),
    Family("cache_failures_total", Kind.COUNTER, "Calls of a cache tier that failed or took too long.", ("tier",)),
)

LIMITS = (
    Family("rate_limit_rejects_total", Kind.COUNTER, "Requests that a limit refused.", ("limiter_type",)),
    Family("rate_limit_leases_total", Kind.COUNTER, "Blocks of budgets taken from the shared store."),
    Family("rate_limit_bursts_total", Kind.COUNTER, "Users whose requests came to cost twice after a burst."),
    Family("rate_limit_store_failures_total", Kind.COUNTER, "Times the shared store of limits did not answer."),
)

MEMORY = (
    Family("memory_operations_total", Kind.COUNTER, "Uses of memory that succeeded.", ("operation",)),
    Family("memories_created_total", Kind.COUNTER, "Memories stored."),
    Family("memories_queried_total", Kind.COUNTER, "Memories that searches found."),
    Family(
        "search_duration_seconds",
        Kind.HISTOGRAM,
        "Time to rank what a query finds; answers from caches are not in it.",
        buckets=THOUGHT,
    ),
    Family("memory_total", Kind.GAUGE, "Memories stored, as of the last refresh.", across=Across.LATEST),
    Family("users_total", Kind.GAUGE, "Users who ever wrote, as of the last refresh.", across=Across.LATEST),
    Family("organisations_total", Kind.GAUGE, "Organisations, as of the last refresh.", across=Across.LATEST),
    Family(
        "relationships_total",
        Kind.GAUGE,
        "Relationships stored, as of the last refresh; an estimate above a million.",
        across=Across.LATEST,
    ),
    Family(
        "orphaned_relationships",
        Kind.GAUGE,
        "Relationships whose memory is gone: 0, as foreign keys see to.",
        across=Across.LATEST,
    ),
)

WORKING_SETS = (
    Family("working_set_users", Kind.GAUGE, "Users whose memory is held in a process."),
    Family("working_set_bytes", Kind.GAUGE, "Bytes of the memory that is held in a process."),
    Family("working_set_loads_total", Kind.COUNTER, "Loads of a user's memory: whole, or what changed.", ("kind",)),
    Family("working_set_load_duration_seconds", Kind.HISTOGRAM, "Time of such a load.", ("kind",)),
    Family("working_set_evictions_total", Kind.COUNTER, "Users who had to make room for others."),
)

PREDICTION = (
    Family(
        "prediction_duration_seconds", Kind.HISTOGRAM, "Time to name what is needed next, likewise.", buckets=THOUGHT
    ),
    Family("predictions_total", Kind.COUNTER, "Predictions, and calls answered with none.", ("outcome",)),
    Family(
        "suggestion_duration_seconds", Kind.HISTOGRAM, "Time to find what fits a context, likewise.", buckets=THOUGHT
    ),
    Family("suggestions_total", Kind.COUNTER, "Suggest calls: shown, withheld or silent.", ("outcome",)),
    Family("answers_judged_total", Kind.COUNTER, "Answers, and predicted memories, that later use judged.", ("kind",)),
    Family("answers_used_total", Kind.COUNTER, "Those of them that were used.", ("kind",)),
)

LEARNING = (
    Family("temporal_patterns_detected_total", Kind.COUNTER, "Patterns that analyses found.", ("pattern_type",)),
    Family("user_weight_adjustments_total", Kind.COUNTER, "Times a user's ranking weights were fitted and kept."),
    Family("ranking_examples_pending", Kind.GAUGE, "Judgements that are not learned from yet."),
    Family(
        "maintenance_duration_seconds",
        Kind.HISTOGRAM,
        "Time to look through a user's memory, likewise.",
        buckets=UPKEEP,
    ),
    Family("maintenance_actions_total", Kind.COUNTER, "Memories and relationships mended, and mended back.", ("kind",)),
    Family("relationship_detection_attempts_total", Kind.COUNTER, "Looks for relationships.", ("status",)),
    Family("relationship_detection_duration_seconds", Kind.HISTOGRAM, "Time of such a look.", buckets=UPKEEP),
    Family("relationships_detected_total", Kind.COUNTER, "Relationships found.", ("type",)),
    Family(
        "work_pending", Kind.GAUGE, "Memories that wait for their vector or links.", ("kind",), across=Across.LATEST
    ),
    Family("accesses_pending", Kind.GAUGE, "Uses that are not in the log yet."),
    Family("accesses_dropped", Kind.GAUGE, "Uses that running workers let go of because too many waited."),
)

EMBEDDING = (
    Family("embedding_calls_total", Kind.COUNTER, "Calls of the embedder.", ("space", "status")),
    Family("embedding_texts_total", Kind.COUNTER, "Texts embedded.", ("space",)),
    Family("embedding_duration_seconds", Kind.HISTOGRAM, "Time of a call of the embedder.", ("space",)),
)

DATABASE = (
    Family(
        "db_query_duration_seconds",
        Kind.HISTOGRAM,
        "Time of a statement, by the name it has in the source.",
        ("query_type", "operation", "table"),
        STATEMENT,
    ),
    Family("db_queries_total", Kind.COUNTER, "Statements run.", ("query_type", "operation", "table", "status")),
    Family("db_query_errors_total", Kind.COUNTER, "Statements that failed.", ("error_type",)),
    Family("db_slow_queries_total", Kind.COUNTER, "Statements that took more than a second.", ("query_type",)),
    Family("db_connections_active", Kind.GAUGE, "Connections in use."),
    Family("db_connections_open", Kind.GAUGE, "Connections open, in use or not."),
    Family("db_connections_limit", Kind.GAUGE, "Connections that the running workers may open."),
    Family("db_foreign_settings_total", Kind.COUNTER, "Tenants found that others had left in a pooler's sessions."),
    Family("db_connection_wait_seconds", Kind.HISTOGRAM, "Wait for a free connection."),
)

MONITORING = (
    Family(
        "component_health",
        Kind.GAUGE,
        "1 if a component works, in every worker; 0 if not.",
        ("component",),
        across=Across.LEAST,
    ),
    Family(
        "learning_metric_rows", Kind.GAUGE, "Rows of metrics that learning wrote within a day.", across=Across.LATEST
    ),
    Family("alert_messages_total", Kind.COUNTER, "Messages to receivers of alerts.", ("receiver", "outcome")),
)

AUDIT = (
    Family("audit_rows_total", Kind.COUNTER, "Rows of the audit log that were numbered and linked."),
    Family("audit_unchained_rows", Kind.GAUGE, "Rows of the audit log that wait for that, up to 10,001."),
    Family("audit_chain_lag_seconds", Kind.GAUGE, "How long the oldest of them has waited.", across=Across.MOST),
    Family("audit_checkpoint_age_seconds", Kind.GAUGE, "Time since the audit log was last signed.", across=Across.MOST),
)

PROCESS = (
    Family("build_info", Kind.GAUGE, "1, with the versions that run.", ("version", "python"), across=Across.MOST),
    Family("workers", Kind.GAUGE, "Processes that answer requests."),
    Family("event_loop_lag_seconds", Kind.HISTOGRAM, "How much later than asked for a timer rings."),
    Family("process_cpu_seconds_total", Kind.COUNTER, "Processor time, the system's share included."),
    Family("process_resident_memory_bytes", Kind.GAUGE, "Memory in use."),
    Family("process_open_fds", Kind.GAUGE, "Files and connections open."),
    Family("process_start_time_seconds", Kind.GAUGE, "When the oldest worker started, Unix time.", across=Across.LEAST),
    Family("log_lines_total", Kind.COUNTER, "Lines logged.", ("level",)),
    Family("log_lines_dropped_total", Kind.COUNTER, "Lines not logged because nobody read fast enough."),
)

RESILIENCE = (
    Family(
        "circuit_breaker_state",
        Kind.GAUGE,
        "0 closed, 1 half-open, 2 open; of the workers, the worst.",
        ("breaker_name",),
        across=Across.MOST,
    ),
    Family("circuit_breaker_failures_total", Kind.COUNTER, "Failures that count for a breaker.", ("breaker_name",)),
    Family("bulkhead_in_use", Kind.GAUGE, "Places of a bulkhead that are in use.", ("bulkhead",)),
    Family("bulkhead_queued", Kind.GAUGE, "Callers that wait for a place.", ("bulkhead",)),
    Family("bulkhead_rejected_total", Kind.COUNTER, "Callers for whom there was no place.", ("bulkhead",)),
    Family("background_loop_failures_total", Kind.COUNTER, "Failures after which a loop began again.", ("loop",)),
    Family("retries_total", Kind.COUNTER, "Retries that the budget granted or refused.", ("dependency", "outcome")),
    Family(
        "saturation",
        Kind.GAUGE,
        "How full a resource is, 1 being full; of the workers, the fullest.",
        ("signal",),
        across=Across.MOST,
    ),
    Family(
        "degradation_level", Kind.GAUGE, "0 normal, 1 high, 2 critical; of the workers, the worst.", across=Across.MOST
    ),
    Family("degradation_changes_total", Kind.COUNTER, "Changes to a level.", ("level",)),
    Family("features_degraded_total", Kind.COUNTER, "Calls of a feature while it was off.", ("feature",)),
    Family("concurrency_limit", Kind.GAUGE, "Requests that are worked on side by side at most."),
    Family("requests_in_flight", Kind.GAUGE, "Requests that are worked on, against that limit."),
    Family("requests_shed_total", Kind.COUNTER, "Requests turned away for want of room.", ("importance",)),
)

PRIVACY = (
    Family("subject_exports_total", Kind.COUNTER, "Exports of all that is held about somebody."),
    Family("memories_expired_total", Kind.COUNTER, "Memories deleted because their project keeps none that old."),
    Family("erasure_ledger_failures_total", Kind.COUNTER, "Attempts to write the ledger of erasures that failed."),
)

IDENTITY = (
    Family("identity_tokens_total", Kind.COUNTER, "Tokens accepted, or refused and why.", ("outcome",)),
    Family("identity_key_fetches_total", Kind.COUNTER, "Times a provider was asked for its keys.", ("outcome",)),
)

FAMILIES: tuple[Family, ...] = (
    *HTTP,
    *CACHES,
    *LIMITS,
    *MEMORY,
    *WORKING_SETS,
    *PREDICTION,
    *LEARNING,
    *EMBEDDING,
    *DATABASE,
    *RESILIENCE,
    *IDENTITY,
    *MONITORING,
    *AUDIT,
    *PROCESS,
    *PRIVACY,
)
