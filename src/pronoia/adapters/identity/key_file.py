"""Keys of an identity provider in a file of this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pronoia.adapters.identity.key_set import MAXIMUM_SET_BYTES, read_key_set, unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from pronoia.adapters.identity.key_set import PublicKey


class KeyFile:
    """A KeySource that reads the file again each time it is asked: to rotate keys, replace the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def fetch(self) -> list[PublicKey]:
        """Give the keys in the file. Raises IdentityUnavailableError."""
        return read_key_set(await asyncio.to_thread(self._read))

    async def close(self) -> None:
        """Close nothing: no file stays open."""

    def _read(self) -> bytes:
        try:
            if not self._path.is_file():  # a pipe would be waited for without end
                raise unavailable("there is no such file")
            with self._path.open("rb") as file:
                document = file.read(MAXIMUM_SET_BYTES + 1)
        except OSError as error:
            raise unavailable(f"the file cannot be read ({type(error).__name__})") from error
        if len(document) > MAXIMUM_SET_BYTES:
            raise unavailable(f"the file is larger than {MAXIMUM_SET_BYTES} bytes")
        return document
