"""Slack, by an incoming webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.alerting.webhook import Webhook

if TYPE_CHECKING:
    from pronoia.domain.alerts import Alert
    from pronoia.resilience.breaker import Breaker

ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Slack:
    """Writes one line when an alert begins, and one when it is over."""

    name = "slack"
    repeat_seconds = None

    def __init__(self, url: str, breaker: Breaker | None = None) -> None:
        self._webhook = Webhook(url, breaker, setting="PRONOIA_SLACK_WEBHOOK_URL")

    async def send(self, alert: Alert) -> None:
        """Write the line. Raises AlertNotSentError."""
        about = "".join(f" {label}={value}" for label, value in sorted(alert.labels.items()))
        state = alert.severity.value.upper() if alert.state == "firing" else "RESOLVED"
        text = f"{alert.name}{about}: {alert.message}".translate(ESCAPED)
        await self._webhook.post({"text": f"*{state}* {text}"})

    async def close(self) -> None:
        """Close the connection."""
        await self._webhook.close()
