"""Patterns of use, metrics over time, and the analysis."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from pronoia.domain.records import Permission
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.schemas.insights import (
    AnalysisBody,
    AppliedAnswer,
    ApplyBody,
    DaysQuery,
    MetricsQuery,
    StatusAnswer,
)
from pronoia.learning.maintenance import SuggestionType
from pronoia.resilience.admission import Importance
from pronoia.services.analysis import Suggested
from pronoia.services.answers import METRICS, PATTERNS, Given
from pronoia.services.features import Feature
from pronoia.services.insights import as_time, trend_of
from pronoia.services.rate_limits import Budget

if TYPE_CHECKING:
    from datetime import datetime

    from pronoia.learning.maintenance import Suggestion
    from pronoia.ports.insight_store import DailyValue
    from pronoia.prediction.patterns import Pattern
    from pronoia.services.analysis import Analysed
    from pronoia.services.insights import UseReport

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FEWEST_TOGETHER = 3
DAY_SECONDS = 86_400.0
ACTIVE_SECONDS = 30 * DAY_SECONDS
STALE_SECONDS = 90 * DAY_SECONDS
JsonObject = dict[str, Any]


async def patterns(call: Call[DaysQuery, Nothing]) -> Answer:
    given = await call.services.answers.give(
        PATTERNS, call.scope, call.query, partial(_patterns_at, call), minimum_version=call.minimum_version
    )
    return Answer(given.body, given.version)


async def metrics(call: Call[MetricsQuery, Nothing]) -> Answer:
    given = await call.services.answers.give(
        METRICS, call.scope, call.query, partial(_metrics_at, call), minimum_version=call.minimum_version
    )
    return Answer(given.body, given.version)


async def _patterns_at(call: Call[DaysQuery, Nothing], at: datetime) -> Given:
    use = await call.services.insights.use(call.scope, call.query.days, at)
    now = at.timestamp()
    pairs = _pairs(use)
    body: JsonObject = {
        "most_useful_tags": _tags(use),
        "frequently_accessed_together": [
            {"memory_id_1": one, "memory_id_2": other, "co_access_count": count} for one, other, count, _ in pairs
        ],
        "underutilized_memories": _underused(use, now),
        "access_time_patterns": {
            "hourly_distribution": {str(hour): count for hour, count in enumerate(use.hourly)},
            "daily_distribution": dict(zip(DAYS, use.daily, strict=True)),
        },
        "optimal_relationship_types": use.links.strengths,
        "summary": _summary(use, now) | {"total_accesses": len(use.rows)},
        "frequently_accessed": _frequent(use),
        "co_access_patterns": [
            {"memory_ids": [one, other], "frequency": count, "strength": strength}
            for one, other, count, strength in pairs
        ],
        "temporal_patterns": [_pattern(use, one) for one in use.patterns],
    }
    return Given(msgspec.json.encode(body), use.held.version)


async def _metrics_at(call: Call[MetricsQuery, Nothing], at: datetime) -> Given:
    query = call.query
    progress = await call.services.insights.progress(call.scope, query.days, at)
    use = await call.services.insights.use(call.scope, query.days, at)
    now = at.timestamp()
    wanted = {name: all_ for name, all_ in progress.series.items() if query.metric_type in (None, name)}
    summary = _summary(use, now)
    current = {
        "avg_helpfulness": round(float(summary["avg_helpfulness"]), 2),
        "total_usage": int(use.held.usage_count[use.held.alive].sum()),
        "active_memories": summary["active_memories"],
        "total_memories": summary["total_memories"],
    }
    links, total = use.links, use.held.count
    body: JsonObject = {
        "time_series": [
            {
                "metric_type": name,
                "data": [{"value": round(one.value, 4), "recorded_at": as_time(one.day)} for one in all_],
            }
            for name, all_ in wanted.items()
        ],
        "trends": {name: _trend(all_) for name, all_ in wanted.items()},
        "current_stats": current,
        **current,
        "learning_params": await call.services.ranking_weights.parameters(call.scope),
        "active_patterns": len(use.patterns),
        "time_range": {"days": query.days, "from": progress.start, "to": progress.end},
        "calibration_error": progress.calibration_error,
        "abstention_rate": progress.abstention_rate,
        "uplift": progress.uplift,
        "uplift_interval": progress.uplift_interval,
        "total_relationships": links.count,
        "avg_relationships_per_memory": round(links.count / total, 2) if total else 0.0,
        "orphan_count": total - links.connected,
        "stale_count": summary["stale_memories"],
        "cluster_count": len({min(pair) for pair in use.pairs[use.pair_counts >= FEWEST_TOGETHER].tolist()}),
    }
    return Given(msgspec.json.encode(body), use.held.version)


async def analyse(call: Call[Nothing, AnalysisBody]) -> Answer:
    started = perf_counter()
    found = await call.services.analysis.analyse(call.scope, apply=call.body.auto_apply)
    result = _analysis(call, found) | {"processing_time_ms": round(1000 * (perf_counter() - started), 2)}
    return Answer({"success": True, "result": result})


async def analyse_enhanced(call: Call[Nothing, AnalysisBody]) -> Answer:
    started = perf_counter()
    found = await call.services.analysis.analyse(call.scope, apply=call.body.auto_apply)
    findings, _ = await call.services.maintenance.suggestions(call.scope)
    took = round(1000 * (perf_counter() - started), 2)
    second: JsonObject = {
        "temporal_patterns_detected": len(found.use.patterns),
        "temporal_patterns_stored": len(found.use.patterns),
        "duplicate_groups_found": findings.duplicate_count,
        "duplicates": [_duplicate(one) for one in findings.duplicates],
    }
    first = _analysis(call, found) | {"processing_time_ms": took}
    result = {"timestamp": first["timestamp"], "phase1": first, "phase2": second, "processing_time_ms": took}
    return Answer({"success": True, "result": result})


def _duplicate(one: Suggestion) -> JsonObject:
    pair = (one.memory, *one.related)
    return {
        "memory_ids": [memory.id for memory in pair],
        "similarity": round(one.score, 4),
        "suggestion": "merge" if one.type is SuggestionType.MERGE else "keep_separate",
        "texts": [memory.text for memory in pair],
    }


async def apply(call: Call[Nothing, ApplyBody]) -> Answer:
    body = call.body
    if body.suggestions is None:
        suggestions = (await call.services.analysis.analyse(call.scope)).suggestions
    else:
        suggestions = [
            Suggested(
                one.memory_id,
                one.related_memory_id,
                one.suggested_type,
                one.confidence,
                one.reason,
                one.co_access_count,
            )
            for one in body.suggestions
        ]
    total = len(suggestions)
    if body.suggestion_ids is not None:
        wanted = set(body.suggestion_ids)
        suggestions, total = [one for one in suggestions if one.id in wanted], len(wanted)
    applied = await call.services.analysis.apply(call.scope, suggestions, body.min_confidence)
    return Answer(AppliedAnswer(applied_count=applied, total_suggestions=total))


async def status(call: Call[Nothing, Nothing]) -> Answer:
    runs = await call.services.analysis.status(call.scope)
    enabled = call.surroundings.settings.learning_schedule
    upcoming = runs.next_run if enabled else None
    return Answer(
        StatusAnswer(
            enabled=enabled,
            last_run=runs.last_run,
            next_scheduled_run=upcoming,
            last_analysis=runs.last_run,
            next_scheduled=upcoming,
            total_analyses=runs.total_analyses,
            relationships_created=runs.relationships_created,
        )
    )


def _analysis(call: Call[Any, Any], found: Analysed) -> JsonObject:
    return {
        "timestamp": call.surroundings.now(),
        "clusters_detected": found.clusters,
        "relationship_suggestions": [{"id": one.id, **asdict(one)} for one in found.suggestions],
        "weight_adjustments": found.weight_adjustments,
        "stale_memory_count": found.stale,
        "applied_count": found.applied,
    }


def _tags(use: UseReport) -> list[JsonObject]:
    held = use.held
    rows: dict[str, list[int]] = {}
    for row in np.flatnonzero(held.alive).tolist():
        for tag in held.tags(row):
            rows.setdefault(tag, []).append(row)
    found = [
        (float(held.helpfulness[all_].mean()), int(held.usage_count[all_].sum()), tag) for tag, all_ in rows.items()
    ]
    best = sorted(found, key=lambda one: (-one[0], -one[1], one[2]))[:10]
    return [{"tag": tag, "avg_helpfulness": round(score, 2), "usage_count": count} for score, count, tag in best]


def _pairs(use: UseReport) -> list[tuple[Any, Any, int, float]]:
    """List the pairs used together most; the strength is shared sessions over those of the less used one."""
    keep = use.pair_counts >= FEWEST_TOGETHER
    best = sorted(zip(use.pair_counts[keep].tolist(), use.pairs[keep].tolist(), strict=True), reverse=True)[:20]
    uses = np.bincount(use.rows, minlength=use.held.size)
    return [(*use.ids(pair), count, round(min(count / max(int(uses[pair].min()), 1), 1.0), 2)) for count, pair in best]  # pyright: ignore[reportReturnType]


def _underused(use: UseReport, now: float) -> list[JsonObject]:
    held = use.held
    used = held.last_accessed
    rows = np.flatnonzero(held.alive & (np.isnan(used) | (used < now - STALE_SECONDS)))[:10].tolist()
    return [
        {
            "id": held.ids([row])[0],
            "text": held.text(row)[:100],
            "days_since_access": None if np.isnan(used[row]) else round((now - float(used[row])) / DAY_SECONDS, 1),
            "usage_count": int(held.usage_count[row]),
        }
        for row in rows
    ]


def _summary(use: UseReport, now: float) -> JsonObject:
    held = use.held
    alive, used = held.alive, held.last_accessed
    return {
        "total_memories": use.memory_count,
        "avg_helpfulness": round(float(held.helpfulness[alive].mean()), 3) if held.count else 0.5,
        "active_memories": int((alive & (used >= now - ACTIVE_SECONDS)).sum()),
        "stale_memories": int((alive & (used < now - STALE_SECONDS)).sum()),
    }


def _frequent(use: UseReport) -> list[JsonObject]:
    rows, counts = np.unique(use.rows, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:20]
    return [
        {
            "memory_id": use.held.ids([row])[0],
            "access_count": count,
            "last_accessed": use.held.memory(row).last_accessed,
        }
        for row, count in zip(rows[order].tolist(), counts[order].tolist(), strict=True)
    ]


def _pattern(use: UseReport, one: Pattern) -> JsonObject:
    period = one.kind.value
    if one.kind == "hourly":
        period = f"hour {one.slot}"
    elif one.kind == "daily" and one.slot is not None:
        period = DAYS[one.slot]
    elif one.kind == "weekly" and one.slot is not None:
        period = f"{DAYS[one.slot // 24]} hour {one.slot % 24}"
    return {
        "time_period": period,
        "memory_ids": use.ids(one.memories),
        "frequency": one.occurrences,
        "pattern_type": one.kind.value,
        "confidence": one.confidence,
        "occurrences": one.occurrences,
        "p_value": one.p_value,
    }


def _trend(values: list[DailyValue]) -> JsonObject:
    first, last = values[0].value, values[-1].value
    return {
        "first_value": round(first, 3),
        "last_value": round(last, 3),
        "change": round(last - first, 3),
        "percent_change": round(100 * (last - first) / first, 1) if first else 0.0,
        "trend": trend_of(first, last),
        "data_points": len(values),
    }


LEARN = Permission.LEARN
READ = Permission.READ
_patterns = Operation(
    "GET",
    "/api/v1/memories/meta/patterns",
    "Show how memory is used.",
    patterns,
    JsonObject,
    READ,
    DaysQuery,
    Nothing,
    importance=Importance.OPTIONAL,
    feature=Feature.TEMPORAL_PATTERNS,
)
_metrics = Operation(
    "GET",
    "/api/v1/learning/metrics",
    "Show how well memory serves.",
    metrics,
    JsonObject,
    READ,
    MetricsQuery,
    Nothing,
    importance=Importance.REPORT,
    feature=Feature.LEARNING_METRICS,
    budget=Budget.LEARNING,
)

OPERATIONS: tuple[AnyOperation, ...] = (
    _patterns,
    replace(_patterns, path="/api/v1/analytics/patterns"),
    _metrics,
    replace(_metrics, path="/api/v1/analytics/learning-metrics"),
    Operation(
        "POST",
        "/api/v1/learning/analyze",
        "Analyse use.",
        analyse,
        JsonObject,
        LEARN,
        Nothing,
        AnalysisBody,
        importance=Importance.OPTIONAL,
        feature=Feature.TEMPORAL_PATTERNS,
        budget=Budget.LEARNING,
        repeatable=True,
    ),
    Operation(
        "POST",
        "/api/v1/learning/analyze-enhanced",
        "Analyse use, times and duplicates.",
        analyse_enhanced,
        JsonObject,
        LEARN,
        Nothing,
        AnalysisBody,
        importance=Importance.OPTIONAL,
        feature=Feature.TEMPORAL_PATTERNS,
        budget=Budget.LEARNING,
        repeatable=True,
    ),
    Operation(
        "POST",
        "/api/v1/learning/apply-suggestions",
        "Write suggested relationships.",
        apply,
        AppliedAnswer,
        LEARN,
        Nothing,
        ApplyBody,
        repeatable=True,
    ),
    Operation(
        "GET", "/api/v1/learning/status", "Tell what was analysed.", status, StatusAnswer, READ, Nothing, Nothing
    ),
)
