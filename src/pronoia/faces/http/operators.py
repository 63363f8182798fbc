"""Who may see how the server fares where no key is asked for first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pronoia.domain.records import Permission
from pronoia.faces.http import admission
from pronoia.faces.http.networks import is_near

if TYPE_CHECKING:
    from pronoia.faces.http.operation import Call


async def admit_operator(call: Call[Any, Any]) -> None:
    """Let in private networks; elsewhere admin keys, or everybody if the operator says so."""
    if not call.surroundings.settings.metrics_public and not is_near(call.peer, call.headers):
        admission.check_permission(await call.authenticate(), Permission.ADMIN)
