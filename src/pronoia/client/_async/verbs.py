from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pronoia.client._async.transport import AsyncTransport
    from pronoia.client.settings import ClientSettings


class AsyncVerbs:
    """What every group of verbs has at hand."""

    _settings: ClientSettings
    _transport: AsyncTransport
