"""What the dashboards show. An expression is made from families by name; one that does not exist stops the writing."""

from __future__ import annotations

from dataclasses import dataclass

from pronoia.adapters.telemetry.exposition import DERIVED
from pronoia.adapters.telemetry.families import FAMILIES, Kind

KINDS = {family.name: family for family in (*FAMILIES, *DERIVED)}
WINDOW = "$__rate_interval"


@dataclass(frozen=True)
class Target:
    expression: str
    legend: str


@dataclass(frozen=True)
class Panel:
    title: str
    unit: str
    """By Grafana's names: s, short, bytes, reqps, percentunit."""
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Dashboard:
    uid: str
    title: str
    panels: tuple[Panel, ...]


def _known(name: str, kind: Kind, by: tuple[str, ...]) -> None:
    family = KINDS[name]
    if family.kind is not kind or not set(by) <= set(family.labels):
        raise ValueError(f"{name} is a {family.kind} with labels {family.labels}, not a {kind} by {by}.")


def _legend(by: tuple[str, ...], otherwise: str) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by) or otherwise


def rate(name: str, *by: str, where: str = "") -> Target:
    """Count a second, by labels."""
    _known(name, Kind.COUNTER, by)
    return Target(f"sum by ({', '.join(by)}) (rate({name}{{{where}}}[{WINDOW}]))", _legend(by, name))


def share(part: str, whole: str, legend: str, *by: str, where: str = "") -> Target:
    """Give one counter's share of another, or of itself."""
    _known(part, Kind.COUNTER, by)
    _known(whole, Kind.COUNTER, by)
    grouped = f"sum by ({', '.join(by)})"
    below = f"clamp_min({grouped} (rate({whole}[{WINDOW}])), 1e-9)"
    return Target(f"{grouped} (rate({part}{{{where}}}[{WINDOW}])) / {below}", _legend(by, legend))


def hits(found: str, missed: str, *by: str) -> Target:
    """Give the share of what was found."""
    _known(found, Kind.COUNTER, by)
    _known(missed, Kind.COUNTER, by)
    group, window = f"sum by ({', '.join(by)})", f"[{WINDOW}]"
    both = f"({group} (rate({found}{window})) + {group} (rate({missed}{window})))"
    return Target(f"{group} (rate({found}{window})) / clamp_min({both}, 1e-9)", _legend(by, "hit ratio"))


def quantile(name: str, q: float, *by: str) -> Target:
    """Give a quantile of a histogram, by labels."""
    _known(name, Kind.HISTOGRAM, by)
    grouped = ", ".join(("le", *by))
    legend = " ".join((f"p{round(100 * q)}", _legend(by, ""))).strip()
    return Target(f"histogram_quantile({q}, sum by ({grouped}) (rate({name}_bucket[{WINDOW}])))", legend)


def value(name: str, *by: str) -> Target:
    """Give a gauge, by labels."""
    _known(name, Kind.GAUGE, by)
    return Target(f"sum by ({', '.join(by)}) ({name})" if by else f"sum({name})", _legend(by, name))


def spread(name: str) -> tuple[Target, ...]:
    """Give the usual quantiles of a histogram."""
    return tuple(quantile(name, q) for q in (0.5, 0.95, 0.99))


OVERVIEW = Dashboard(
    "pronoia-overview",
    "Pronoia: overview",
    (
        Panel("Requests by status", "reqps", (rate("http_requests_total", "status_code"),)),
        Panel("Time of an answer", "s", spread("http_request_duration_seconds")),
        Panel(
            "Share of failures",
            "percentunit",
            (share("http_requests_total", "http_requests_total", "5xx", where='status_code=~"5.."'),),
        ),
        Panel("p95 by route", "s", (quantile("http_request_duration_seconds", 0.95, "route"),)),
        Panel("Errors by code", "reqps", (rate("http_request_errors_total", "error_code"),)),
        Panel("Requests in flight", "short", (value("http_requests_in_flight"), value("workers"))),
        Panel("Bytes in and out", "Bps", (rate("http_request_bytes_total"), rate("http_response_bytes_total"))),
        Panel("Uses of memory", "ops", (rate("memory_operations_total", "operation"),)),
        Panel(
            "What is stored",
            "short",
            (value("memory_total"), value("users_total"), value("relationships_total"), value("organisations_total")),
        ),
        Panel("Processor", "short", (rate("process_cpu_seconds_total"),)),
        Panel("Memory", "bytes", (value("process_resident_memory_bytes"), value("working_set_bytes"))),
        Panel("Lateness of the event loop", "s", spread("event_loop_lag_seconds")),
        Panel("Lines logged", "short", (rate("log_lines_total", "level"), rate("log_lines_dropped_total"))),
    ),
)

RESILIENCE = Dashboard(
    "pronoia-resilience",
    "Pronoia: caches, limits, resilience",
    (
        Panel("Hit ratio of caches", "percentunit", (hits("cache_hits_total", "cache_misses_total", "tier"),)),
        Panel("Answers in caches", "short", (value("cache_size", "tier"),)),
        Panel("Bytes in caches", "bytes", (value("cache_bytes", "tier"),)),
        Panel(
            "Caches renewed and failing",
            "ops",
            (rate("cache_refreshes_total", "tier"), rate("cache_failures_total", "tier")),
        ),
        Panel("Working sets", "short", (value("working_set_users"), rate("working_set_evictions_total"))),
        Panel("Loads of working sets", "ops", (rate("working_set_loads_total", "kind"),)),
        Panel("Time of a load", "s", (quantile("working_set_load_duration_seconds", 0.95, "kind"),)),
    ),
)

DATABASE = Dashboard(
    "pronoia-database",
    "Pronoia: database",
    (
        Panel("Statements by name", "ops", (rate("db_queries_total", "query_type"),)),
        Panel("p95 by name", "s", (quantile("db_query_duration_seconds", 0.95, "query_type"),)),
        Panel("Failures", "ops", (rate("db_query_errors_total", "error_type"),)),
        Panel("Statements over a second", "ops", (rate("db_slow_queries_total", "query_type"),)),
        Panel(
            "Connections",
            "short",
            (value("db_connections_active"), value("db_connections_open"), value("db_connections_limit")),
        ),
        Panel("Wait for a connection", "s", spread("db_connection_wait_seconds")),
    ),
)

LEARNING = Dashboard(
    "pronoia-learning",
    "Pronoia: prediction and learning",
    (
        Panel("Time to predict", "s", spread("prediction_duration_seconds")),
        Panel("Time to suggest", "s", spread("suggestion_duration_seconds")),
        Panel("Time to search", "s", spread("search_duration_seconds")),
        Panel("Predictions", "ops", (rate("predictions_total", "outcome"),)),
        Panel("Suggestions", "ops", (rate("suggestions_total", "outcome"),)),
        Panel("Accuracy of predictions since the start", "percentunit", (value("prediction_accuracy"),)),
        Panel(
            "Share of answers that were used",
            "percentunit",
            (share("answers_used_total", "answers_judged_total", "used", "kind"),),
        ),
        Panel("Ranking weights fitted", "ops", (rate("user_weight_adjustments_total"),)),
        Panel("Patterns found", "ops", (rate("temporal_patterns_detected_total", "pattern_type"),)),
        Panel("Relationships found", "ops", (rate("relationships_detected_total", "type"),)),
        Panel("Looks for relationships", "ops", (rate("relationship_detection_attempts_total", "status"),)),
        Panel("Time of such a look", "s", spread("relationship_detection_duration_seconds")),
        Panel("Time to look through a memory", "s", spread("maintenance_duration_seconds")),
        Panel("Maintenance", "ops", (rate("maintenance_actions_total", "kind"),)),
        Panel(
            "What waits",
            "short",
            (value("work_pending", "kind"), value("accesses_pending"), value("ranking_examples_pending")),
        ),
        Panel("Calls of the embedder", "ops", (rate("embedding_calls_total", "status"), rate("embedding_texts_total"))),
        Panel("Time of the embedder", "s", spread("embedding_duration_seconds")),
    ),
)

DASHBOARDS = {"overview": OVERVIEW, "resilience": RESILIENCE, "database": DATABASE, "learning": LEARNING}
