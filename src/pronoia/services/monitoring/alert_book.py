"""Alerts from when a rule is broken until it is kept again: each once, however often it is looked at."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from pronoia.domain.alerts import Alert, Severity, fingerprint
from pronoia.domain.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.ports.clock import Clock
    from pronoia.services.monitoring.rules import Verdict

KEPT_ALERTS = 1_000
KEPT_SECONDS = 86_400
Key = tuple[str, tuple[tuple[str, str], ...]]


class AlertBook:
    """Holds the newest alerts, at most KEPT_ALERTS, and knows which of them are not stored as they are now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._alerts: OrderedDict[UUID, Alert] = OrderedDict()
        self._broken_since: dict[Key, dict[str, float]] = {}
        self._unsaved: set[UUID] = set()

    @property
    def newest(self) -> list[Alert]:
        """Give all alerts, the newest first."""
        return list(reversed(self._alerts.values()))

    @property
    def unsaved(self) -> list[Alert]:
        """Give what is to be stored."""
        return [self._alerts[one] for one in self._unsaved]

    def saved(self, alerts: Sequence[Alert]) -> None:
        """Take note that alerts are stored as they were given."""
        self._unsaved.difference_update(alert.id for alert in alerts)

    def take(self, verdict: Verdict) -> None:
        """Fire what was broken long enough, and end what is no longer broken."""
        now = self._clock.monotonic()
        key = (verdict.name, tuple(verdict.scope.items()))
        breaches = {fingerprint(verdict.name, breach.labels): breach for breach in verdict.breaches}
        before = self._broken_since.get(key, {})
        since = self._broken_since[key] = {one: before.get(one, now) for one in breaches}
        firing = {alert.fingerprint: alert for alert in self._firing(verdict)}
        for one, breach in breaches.items():
            if one not in firing and now - since[one] >= verdict.held_seconds:
                self._add(
                    Alert(self._new_id(), verdict.name, verdict.severity, breach.message, breach.labels, self._now)
                )
        for one, alert in firing.items():
            if one not in breaches:
                alert.resolved_at = self._now
                self.changed(alert)

    def add_event(self, name: str, message: str, **labels: str) -> None:
        """Note that something happened."""
        self._add(Alert(self._new_id(), name, Severity.INFO, message, labels, self._now, resolved_at=self._now))

    def changed(self, alert: Alert) -> None:
        """Have an alert stored again."""
        self._unsaved.add(alert.id)

    def take_over(self, alerts: Iterable[Alert]) -> None:
        """Go on from what another process stored, given the newest first."""
        known = {**{alert.id: alert for alert in reversed(list(alerts))}, **self._alerts}
        self._alerts = OrderedDict(sorted(known.items(), key=lambda item: item[1].started_at))
        self._trim()

    def hand_over(self) -> None:
        """Leave to another process what is stored already."""
        self._alerts = OrderedDict((one, alert) for one, alert in self._alerts.items() if one in self._unsaved)
        self._broken_since.clear()

    def _firing(self, verdict: Verdict) -> list[Alert]:
        wanted = verdict.scope.items()
        return [
            alert
            for alert in self._alerts.values()
            if alert.state == "firing" and alert.name == verdict.name and wanted <= dict(alert.labels).items()
        ]

    def _add(self, alert: Alert) -> None:
        self._alerts[alert.id] = alert
        self._unsaved.add(alert.id)
        self._trim()

    def _trim(self) -> None:
        """Let the oldest go, what still fires last of all."""
        surplus = len(self._alerts) - KEPT_ALERTS
        if surplus > 0:
            for one in sorted(self._alerts.values(), key=lambda alert: alert.state == "firing")[:surplus]:
                del self._alerts[one.id]
                self._unsaved.discard(one.id)

    @property
    def _now(self) -> datetime:
        return self._clock.now()

    def _new_id(self) -> UUID:
        return new_id(self._clock.now())
