from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.client import requests
from pronoia.client._async.verbs import AsyncVerbs
from pronoia.client.models import PredictResult, SuggestResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.client.requests import Identifier


class AsyncAnticipating(AsyncVerbs):
    """The verbs that say what is needed before anybody asks."""

    async def predict(
        self,
        context: str | None = None,
        *,
        recent: Sequence[Identifier] | None = None,
        user_id: str | None = None,
        limit: int = 10,
        min_confidence: float | None = None,
    ) -> PredictResult:
        """Name the memories that are likely needed next, or none: from when and after what they were used.

        `context` is what is being talked about, `recent` the memories just used. `min_confidence` in [0, 1] asks for
        so probable a use within the next ten.
        """
        body = {
            "context": context,
            "recent_memory_ids": None if recent is None else [str(one) for one in recent],
            "limit": limit,
            "min_confidence": min_confidence,
        }
        return await self._transport.send(requests.read("/memories/predict", user_id, body=body), PredictResult)

    async def suggest(
        self,
        context: str,
        *,
        user_id: str | None = None,
        limit: int = 5,
        min_confidence: float | None = None,
        project_id: str | None = None,
        used_ids: Sequence[Identifier] | None = None,
    ) -> SuggestResult:
        """Suggest a few memories that fit what is being talked about, or stay silent.

        `used_ids` are those of earlier suggestions that helped: the server learns from them.
        """
        body = {
            "context": context,
            "limit": limit,
            "min_confidence": min_confidence,
            "project_id": project_id,
            "used_ids": None if used_ids is None else [str(one) for one in used_ids],
        }
        return await self._transport.send(requests.read("/memories/suggest", user_id, body=body), SuggestResult)
