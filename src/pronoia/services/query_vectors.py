"""Vectors of queries."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import EmbeddingUnavailableError
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Vector
from pronoia.services.caches import Kind, Made

if TYPE_CHECKING:
    from pronoia.ports.embedder import Embedder
    from pronoia.services.caches import Caches

QUERY_VECTOR = Kind("query_vector", tiers=3)


class QueryVectors:
    """Embeds queries. A vector depends on nothing but the text, so the users of an organisation share it."""

    def __init__(self, *, embedder: Embedder, caches: Caches | None) -> None:
        """Take None for `caches` where embedding is quicker than any cache."""
        self._embedder = embedder
        self._caches = caches

    async def of(self, scope: Scope, text: str) -> Vector | None:
        """Embed a query, or give None if that cannot be had now: words alone answer then."""
        try:
            if self._caches is None:
                return await self._embed(text)
            return await self._kept(self._caches, scope, text)
        except EmbeddingUnavailableError as error:
            structlog.get_logger(__name__).warning("recall.words_only", reason=error.message)
            return None

    async def _kept(self, caches: Caches, scope: Scope, text: str) -> Vector:
        space = self._embedder.space
        key = hashlib.blake2b(f"{space}\0{text}".encode(), digest_size=20, person=QUERY_VECTOR.name.encode()).digest()

        async def make() -> Made:
            return Made((await self._embed(text)).values)

        return Vector(space, await caches.fetch(QUERY_VECTOR, everyone(scope), key, make))

    async def _embed(self, text: str) -> Vector:
        (vector,) = await self._embedder.embed([text])
        return vector


def everyone(scope: Scope) -> Scope:
    """Give the owner of what all users of an organisation share."""
    return Scope(scope.organisation_id, "")
