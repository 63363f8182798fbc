from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_SCOPES = {"user_id": "user_id", "agent_id": "agent_id", "run_id": "session_id", "session_id": "session_id"}
_OTHERS = frozenset({"project_id", "source", "tags", "created_after", "created_before"})
_OPERATORS = frozenset({"AND", "OR", "NOT"})


@dataclass(frozen=True, slots=True)
class Conditions:
    """What memories must match, under the names of the wire."""

    user_id: str | None
    fields: dict[str, object]


def resolve_filters(
    filters: Mapping[str, object] | None = None,
    *,
    user_id: str | None = None,
    agent_id: str | None = None,
    run_id: str | None = None,
    project_id: str | None = None,
    source: str | None = None,
    tags: Sequence[str] | None = None,
    metadata: Mapping[str, object] | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> Conditions:
    """Unite the arguments of a call with its `filters`.

    In `filters`, `user_id`, `agent_id`, `run_id` (or `session_id`), `project_id`, `source`, `tags`, `created_after`,
    `created_before` and `metadata` mean what the arguments of those names mean; every other name is a key of the
    metadata, and its value what that must equal. Raises ValueError for an operator and for a condition given twice
    with different values.
    """
    arguments = {
        "user_id": user_id,
        "agent_id": agent_id,
        "session_id": run_id,
        "project_id": project_id,
        "source": source,
        "tags": _listed(tags),
        "created_after": created_after,
        "created_before": created_before,
    }
    found = {name: value for name, value in arguments.items() if value is not None}
    equal = dict(metadata or {})
    for name, value in (filters or {}).items():
        if name == "metadata" and isinstance(value, Mapping):
            for key, wanted in cast("Mapping[str, object]", value).items():
                _put(equal, key, _scalar(key, wanted))
        elif name in _SCOPES:
            _put(found, _SCOPES[name], value)
        elif name in _OTHERS:
            _put(found, name, _listed(value) if name == "tags" else value)
        else:
            _put(equal, name, _scalar(name, value))
    named = found.pop("user_id", None)
    if equal:
        found["metadata"] = equal
    return Conditions(user_id=None if named is None else str(named), fields=found)


def _put(conditions: dict[str, object], name: str, value: object) -> None:
    if name in conditions and conditions[name] != value:
        raise ValueError(f"{name} is given twice, with different values.")
    conditions[name] = value


def _scalar(name: str, value: object) -> object:
    if name in _OPERATORS or not (value is None or isinstance(value, str | int | float)):
        raise ValueError(f"The filter {name} must be a plain value to be equal to; operators are not supported.")
    return value


def _listed(tags: object) -> object:
    # A lone string is a sequence of letters: without this, tags="work" would ask for the tags w, o, r and k.
    return [tags] if isinstance(tags, str) else tags
