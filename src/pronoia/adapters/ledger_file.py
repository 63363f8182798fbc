"""The ledger of erasures as a file: one receipt a line, only ever added to."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import msgspec

from pronoia.domain.erasures import Receipt
from pronoia.domain.errors import ConfigurationError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_decode = msgspec.json.Decoder(Receipt).decode


class LedgerFile:
    """Several processes of one host may append to the same file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def append(self, receipts: Sequence[Receipt]) -> None:
        """Append and wait for the disk."""
        lines = b"".join(msgspec.json.encode(receipt) + b"\n" for receipt in receipts)
        try:
            await asyncio.to_thread(_append, self._path, lines)
        except OSError as error:
            raise UnavailableError(f"The ledger of erasures cannot be written: {error.strerror}.") from error


def read_ledger(path: Path) -> Iterator[tuple[int, Receipt | None]]:
    """Give each line's number and its receipt; None for a line that is none, such as one that was cut off.

    Raises ConfigurationError if there is no such file.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _receipt(line)
    except OSError as error:
        raise ConfigurationError(f"The ledger {path} cannot be read: {error.strerror}.") from error


def _receipt(line: bytes) -> Receipt | None:
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _append(path: Path, lines: bytes) -> None:
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            # A line that was cut off would swallow this one.
            lines = b"\n" + lines
        written = os.write(descriptor, lines)
        if written < len(lines):
            raise OSError(None, "the disk is full")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
