"""Alertmanager, by its API v2."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pronoia.adapters.alerting.webhook import Webhook

if TYPE_CHECKING:
    from pronoia.domain.alerts import Alert
    from pronoia.ports.clock import Clock
    from pronoia.resilience.breaker import Breaker

REPEAT_SECONDS = 60.0
LASTS = timedelta(minutes=5)
"""How long an alert fires there that is not repeated."""


class Alertmanager:
    """Alertmanager forgets an alert that is not repeated, and takes the same labels for the same alert."""

    name = "alertmanager"
    repeat_seconds = REPEAT_SECONDS

    def __init__(self, url: str, clock: Clock, breaker: Breaker | None = None) -> None:
        """`url` is that of the server, such as http://alertmanager:9093."""
        self._webhook = Webhook(f"{url.rstrip('/')}/api/v2/alerts", breaker, setting="PRONOIA_ALERTMANAGER_URL")
        self._clock = clock

    async def send(self, alert: Alert) -> None:
        """Post it with the time at which it ends. Raises AlertNotSentError."""
        ends = alert.resolved_at or self._clock.now() + LASTS
        labels = {"alertname": alert.name, "severity": alert.severity.value, "service": "pronoia", **alert.labels}
        await self._webhook.post(
            [
                {
                    "labels": labels,
                    "annotations": {"summary": alert.message},
                    "startsAt": alert.started_at.isoformat(),
                    "endsAt": ends.isoformat(),
                }
            ]
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._webhook.close()
