"""What is known of a request before it is read: which operation it is for, and how important that is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.resilience.admission import Importance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pronoia.faces.http.operation import AnyOperation

PARAMETER = re.compile(r"\\\{\w+\\\}")


@dataclass(frozen=True, slots=True)
class Entrance:
    kind: str
    """Names requests that cost alike."""
    importance: Importance


UNKNOWN = Entrance("unknown", Importance.ESSENTIAL)
"""For what no operation answers: refusing it costs as little as letting it in."""


class Entrances:
    """Finds the entrance of a method and a path, the same as the router will."""

    def __init__(self, operations: Iterable[AnyOperation]) -> None:
        self._exact: dict[tuple[str, str], Entrance] = {}
        self._templates: list[tuple[str, re.Pattern[str], Entrance]] = []
        for operation in operations:
            importance = Importance.ALWAYS if operation.permission is None else operation.importance
            entrance = Entrance(f"{operation.method} {operation.path}", importance)
            if "{" in operation.path:
                pattern = re.compile(PARAMETER.sub("[^/]+", re.escape(operation.path)))
                self._templates.append((operation.method, pattern, entrance))
            else:
                self._exact[operation.method, operation.path] = entrance

    def find(self, method: str, path: str) -> Entrance:
        """Find the entrance; UNKNOWN if there is none."""
        path = path.rstrip("/") or "/"
        found = self._exact.get((method, path))
        if found is not None:
            return found
        for its_method, pattern, entrance in self._templates:
            if its_method == method and pattern.fullmatch(path):
                return entrance
        return UNKNOWN
