"""Texts become vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.domain.records import Vector


class Embedder(Protocol):
    """Turns texts into unit vectors of one space."""

    @property
    def space(self) -> str:
        """Name model, size and version of the space; vectors of two spaces never meet."""
        ...

    @property
    def dimensions(self) -> int: ...

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Embed texts in order. Raises EmbeddingUnavailableError; never returns fewer, or a non-finite number."""
        ...

    async def close(self) -> None: ...
