"""PagerDuty, by its Events API v2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.alerting.webhook import Webhook

if TYPE_CHECKING:
    from pronoia.domain.alerts import Alert
    from pronoia.resilience.breaker import Breaker

LONGEST_SUMMARY = 1_024


class PagerDuty:
    """Opens and closes one incident an alert: the fingerprint is its key."""

    name = "pagerduty"
    repeat_seconds = None

    def __init__(self, url: str, routing_key: str, source: str, breaker: Breaker | None = None) -> None:
        """`source` names this server to whoever is called."""
        self._webhook = Webhook(url, breaker, setting="PRONOIA_PAGERDUTY_URL")
        self._routing_key = routing_key
        self._source = source

    async def send(self, alert: Alert) -> None:
        """Trigger or resolve. Raises AlertNotSentError."""
        event: dict[str, object] = {
            "routing_key": self._routing_key,
            "event_action": "trigger" if alert.state == "firing" else "resolve",
            "dedup_key": f"pronoia-{self._source}-{alert.fingerprint}",
        }
        if alert.state == "firing":
            event["payload"] = {
                "summary": f"{alert.name}: {alert.message}"[:LONGEST_SUMMARY],
                "source": self._source,
                "severity": alert.severity.value,
                "timestamp": alert.started_at.isoformat(),
                "component": "pronoia",
                "custom_details": dict(alert.labels),
            }
        await self._webhook.post(event)

    async def close(self) -> None:
        """Close the connection."""
        await self._webhook.close()
