"""Signed checkpoints of the audit log, one a line, each naming the line before by its hash."""

from __future__ import annotations

import asyncio
import hashlib
import os
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - decoded by annotation
from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - decoded by annotation

import msgspec

from pronoia.adapters.audit.signing import is_signed, signing_key
from pronoia.domain.audit import AuditHead, Checkpoint
from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NAME, EARLIER_NAME = "checkpoints.jsonl", "checkpoints.earlier.jsonl"
ROTATE_BYTES = 16 << 20
"""Beyond the heads that a file begins with; then a new one begins, and the one before the last goes."""
LINE_BYTES, HEAD_BYTES = 250, 115
"""About as long as a line is, and each head in it."""
BEGINNING = "0" * 64


class _Content(msgspec.Struct):
    at: datetime
    heads: list[tuple[UUID, int, str]]
    previous: str
    """SHA-256 of the line before, in hexadecimal."""
    resealed: str | None = None


class _Line(msgspec.Struct):
    checkpoint: msgspec.Raw
    signature: str


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A line as it was found. One that is not whole proves nothing."""

    place: str
    """File and line."""
    checkpoint: Checkpoint | None
    follows: bool
    """Whether it names the line before."""


class CheckpointFiles:
    """Writes into a folder. Made and used in several processes, but only the one that leads writes."""

    def __init__(self, folder: Path, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._folder = folder
        self._rotate_bytes = rotate_bytes
        self._room = 0
        self._written: tuple[int, bytes | None] = (0, None)

    def begins_anew(self) -> bool:
        """Whether the next checkpoints have to hold all heads."""
        return self._room <= 0

    async def write(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Sign and keep checkpoints, in one piece. Raises OSError."""
        await asyncio.to_thread(self._write, checkpoints)

    def _write(self, checkpoints: Sequence[Checkpoint]) -> None:
        key = signing_key(self._folder)
        path = self._folder / NAME
        previous = self._last_line(path)
        if self.begins_anew():
            if path.exists() and path.stat().st_size > self._rotate_bytes:
                path.replace(self._folder / EARLIER_NAME)
            self._room = self._rotate_bytes
        else:
            self._room -= sum(LINE_BYTES + HEAD_BYTES * len(one.heads) for one in checkpoints)
        lines: list[bytes] = []
        for one in checkpoints:
            previous = _signed_line(one, previous, key)
            lines.append(previous + b"\n")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
            self._written = (file.tell(), previous)

    def _last_line(self, path: Path) -> bytes | None:
        """Give the last line; it is read only if somebody else wrote since."""
        if not path.exists():
            return None
        size, last = self._written
        if path.stat().st_size != size:
            last = next(reversed(path.read_bytes().splitlines()), None)
        return last


def _signed_line(checkpoint: Checkpoint, previous: bytes | None, key: Ed25519PrivateKey) -> bytes:
    heads = [(head.organisation_id, head.number, head.hash.hex()) for head in checkpoint.heads]
    named = BEGINNING if previous is None else hashlib.sha256(previous).hexdigest()
    content = msgspec.json.encode(_Content(checkpoint.at, heads, named, checkpoint.resealed))
    return msgspec.json.encode(_Line(msgspec.Raw(content), b64encode(key.sign(content)).decode()))


def read_checkpoints(path: Path, key: Ed25519PublicKey) -> Iterator[SignedCheckpoint]:
    """Read a file, and the one before it if it is there, from the oldest line on. Raises ConfigurationError."""
    earlier = path.with_name(EARLIER_NAME)
    files = [earlier, path] if earlier.exists() and path.name == NAME else [path]
    previous: bytes | None = None
    for file in files:
        try:
            lines = file.read_bytes().splitlines()
        except OSError as error:
            raise ConfigurationError(f"The checkpoints cannot be read: {error}") from error
        for number, line in enumerate(lines, 1):
            yield _read(line, f"{file.name}:{number}", previous, key)
            previous = line


def _read(line: bytes, place: str, previous: bytes | None, key: Ed25519PublicKey) -> SignedCheckpoint:
    try:
        signed = msgspec.json.decode(line, type=_Line)
        content = msgspec.json.decode(signed.checkpoint, type=_Content)
        is_whole = is_signed(key, b64decode(signed.signature), bytes(signed.checkpoint))
    except ValueError:
        return SignedCheckpoint(place, None, follows=False)
    # What the oldest line at hand follows was dropped, and cannot be asked.
    follows = previous is None or content.previous == hashlib.sha256(previous).hexdigest()
    heads = tuple(
        AuditHead(organisation, number, bytes.fromhex(hash_)) for organisation, number, hash_ in content.heads
    )
    checkpoint = Checkpoint(content.at, heads, content.resealed) if is_whole else None
    return SignedCheckpoint(place, checkpoint, follows)
