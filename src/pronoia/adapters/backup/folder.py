"""A backup is a folder of encrypted parts and a manifest that says what they must be. The manifest comes last."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from datetime import datetime  # noqa: TC003 - decoded by annotation
from io import BytesIO
from typing import TYPE_CHECKING, Literal

import msgspec

from pronoia.adapters.backup.encryption import BackupKey, EncryptedWriter, decrypted
from pronoia.domain.errors import BackupError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from io import BufferedWriter
    from pathlib import Path

MANIFEST = "manifest"
READ_BYTES = 1 << 20


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the folder, as it lies there: encrypted."""

    name: str
    size: int
    sha256: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A migration that the data has behind it."""

    number: int
    name: str
    checksum: str


class TableCopy(msgspec.Struct, frozen=True, kw_only=True):
    """One table. `digest` is the SHA-256 of its rows in the binary form of COPY, ordered by primary key."""

    name: str
    columns: list[str]
    rows: int
    size: int
    digest: str

    @property
    def part(self) -> str:
        """The file that holds the rows."""
        return f"{self.name}.rows"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. `kind`: rows of tables, or a whole PostgreSQL folder."""

    form: Literal[1] = 1
    kind: Literal["tables", "base"]
    created_at: datetime
    postgres: int
    """Version as a number, such as 180004."""
    schema: list[Step]
    parts: list[Part]
    tables: list[TableCopy] = []
    first_segment: str = ""
    """Of a base: the first file of the archived log that it needs."""


class BackupWriter:
    """Fills a folder that is new or empty. Until `finish` it is no backup."""

    def __init__(self, folder: Path, key: BackupKey) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise ConfigurationError(f"{folder} is not empty. Give each backup a folder of its own.")
        except OSError as error:
            raise ConfigurationError(f"{folder} cannot be written ({error.strerror}).") from error
        self._folder = folder
        self._key = key
        self.parts: list[Part] = []

    @contextmanager
    def part(self, name: str) -> Generator[EncryptedWriter]:
        """Write one part; it counts when it was left in peace."""
        with _new_file(self._folder / name) as file:
            writer = EncryptedWriter(file, self._key, name)
            yield writer
            writer.finish()
        self.parts.append(Part(name=name, size=writer.size, sha256=writer.sha256))

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, and make all of it durable."""
        unfinished = self._folder / f"{MANIFEST}.new"
        with _new_file(unfinished) as file:
            writer = EncryptedWriter(file, self._key, MANIFEST)
            writer.write(msgspec.json.encode(manifest))
            writer.finish()
        unfinished.rename(self._folder / MANIFEST)
        _make_durable(self._folder)


class Backup:
    """A folder that was filled. Opening it reads the manifest; `check` looks at every part."""

    def __init__(self, folder: Path, key: BackupKey) -> None:
        self._folder = folder
        self._key = key
        self.manifest = self._read_manifest()

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.size for part in self.manifest.parts)

    def check(self, progress: Callable[[int], None]) -> None:
        """Compare every part with the manifest; `progress` hears of the bytes read.

        Raises BackupError that names the first part that is not as it was.
        """
        for part in self.manifest.parts:
            path = self._folder / part.name
            try:
                size = path.stat().st_size
                if size == part.size and _digest(path, progress) == part.sha256:
                    continue
            except OSError as error:
                raise BackupError(f"{part.name} cannot be read ({error.strerror}).", part=part.name) from error
            raise BackupError(
                f"{part.name} is damaged: it has {size} bytes, not {part.size}."
                if size != part.size
                else f"{part.name} is damaged: its SHA-256 is not that of the manifest.",
                part=part.name,
            )

    def read(self, name: str) -> Iterator[bytes]:
        """Give what a part holds, piece by piece."""
        with (self._folder / name).open("rb") as file:
            yield from decrypted(file, self._key, name)

    def _read_manifest(self) -> Manifest:
        path = self._folder / MANIFEST
        try:
            text = b"".join(decrypted(BytesIO(path.read_bytes()), self._key, MANIFEST))
            return msgspec.json.decode(text, type=Manifest)
        except OSError as error:
            raise BackupError(
                f"{self._folder} is no backup, or one that was not finished: its manifest cannot be read "
                f"({error.strerror}).",
                part=MANIFEST,
            ) from error
        except msgspec.ValidationError as error:
            raise BackupError(f"The manifest is of another version of Pronoia: {error}.", part=MANIFEST) from error


@contextmanager
def _new_file(path: Path) -> Generator[BufferedWriter]:
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        with file:
            yield file
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror}).") from error


def _digest(path: Path, progress: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
            progress(len(piece))
    return digest.hexdigest()


def _make_durable(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
