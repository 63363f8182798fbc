"""Tells the receivers of alerts what fires and what is over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.alerts import Severity
from pronoia.domain.errors import AlertNotSentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from pronoia.domain.alerts import Alert
    from pronoia.ports.clock import Clock
    from pronoia.ports.monitoring import AlertReceiver
    from pronoia.ports.telemetry import Meter
    from pronoia.services.monitoring.alert_book import AlertBook

MOST_AT_ONCE = 50
"""Messages to one receiver in one round; the others wait for the next."""

log = structlog.get_logger(__name__)


class Messenger:
    """Tells each receiver of every alert that it fires, and that it is over; of events nobody.

    What a receiver did not take is sent again in the next round. What began and ended before a receiver could be told
    is not told to it.
    """

    def __init__(self, *, receivers: Sequence[AlertReceiver], book: AlertBook, clock: Clock, meter: Meter) -> None:
        self._receivers = receivers
        self._book = book
        self._clock = clock
        self._meter = meter
        self._told_at: dict[tuple[str, UUID], float] = {}

    async def tell(self) -> None:
        """Tell all receivers side by side what they do not know yet."""
        alerts = [alert for alert in reversed(self._book.newest) if alert.severity is not Severity.INFO]
        await asyncio.gather(*(self._tell(receiver, alerts) for receiver in self._receivers))
        firing = {alert.id for alert in alerts if alert.state == "firing"}
        self._told_at = {key: at for key, at in self._told_at.items() if key[1] in firing}

    async def close(self) -> None:
        """Close the connections."""
        for receiver in self._receivers:
            await receiver.close()

    async def _tell(self, receiver: AlertReceiver, alerts: Sequence[Alert]) -> None:
        due = [alert for alert in alerts if self._is_due(receiver, alert)]
        for alert in due[:MOST_AT_ONCE]:
            try:
                await receiver.send(alert)
            except AlertNotSentError as error:
                self._meter.count("alert_messages_total", receiver=receiver.name, outcome="failed")
                log.warning("alert.not_sent", receiver=receiver.name, reason=error.message)
                return
            self._meter.count("alert_messages_total", receiver=receiver.name, outcome="sent")
            self._told_at[receiver.name, alert.id] = self._clock.monotonic()
            news = f"{receiver.name}:{alert.state}"
            if news not in alert.told:
                alert.told.add(news)
                self._book.changed(alert)

    def _is_due(self, receiver: AlertReceiver, alert: Alert) -> bool:
        if alert.state == "resolved":
            return f"{receiver.name}:firing" in alert.told and f"{receiver.name}:resolved" not in alert.told
        if f"{receiver.name}:firing" not in alert.told:
            return True
        told_at = self._told_at.get((receiver.name, alert.id))
        repeat = receiver.repeat_seconds
        return repeat is not None and (told_at is None or self._clock.monotonic() - told_at >= repeat)
