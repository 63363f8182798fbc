"""The operator's master keys, from files or from a command. They wrap the keys of organisations and nothing else."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
import shlex
import stat
import subprocess
from dataclasses import dataclass, field
from threading import Timer
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY_BYTES = 32
NONCE_BYTES = 12
COMMAND_SECONDS = 10.0
COMMAND_BYTES = 4_096
HOW_TO_MAKE_ONE = "Make one with: (umask 077; openssl rand -base64 32 > master.key)"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """256 bits that wrap other keys with AES-256-GCM."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Name it without telling anything of it."""
        return hashlib.sha256(b"pronoia master key" + self.secret).hexdigest()[:16]

    def wrap(self, key: bytes, bound_to: bytes) -> bytes:
        """Encrypt a key, bound to whose it is."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.secret).encrypt(nonce, key, bound_to)

    def unwrap(self, wrapped: bytes, bound_to: bytes) -> bytes:
        """Decrypt it. Raises ConfigurationError if it was changed, or belongs to somebody else."""
        try:
            return AESGCM(self.secret).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], bound_to)
        except InvalidTag as error:
            raise ConfigurationError(
                "A row of data_keys was changed: it cannot be unwrapped. Restore it from a backup."
            ) from error


class MasterKeys:
    """Reads the keys when they are needed. The first one wraps, all of them unwrap."""

    def __init__(self, *, files: Sequence[Path] = (), command: str = "") -> None:
        self._files = files
        self._command = command

    async def read(self) -> list[MasterKey]:
        """Read them anew. Raises ConfigurationError if one cannot be had."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> list[MasterKey]:
        if self._command:
            return [_decode(line, "The output of PRONOIA_MASTER_KEY_COMMAND") for line in _run(self._command)]
        return [_decode(_private_text(file), f"The master key {file}") for file in self._files]


def _private_text(file: Path) -> str:
    try:
        with file.open(encoding="ascii", errors="replace") as opened:
            if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077:
                raise ConfigurationError(f"The master key {file} can be read by others. Run: chmod 600 {file}")
            return opened.read(COMMAND_BYTES)
    except OSError as error:
        raise ConfigurationError(f"The master key {file} cannot be read ({error.strerror}).") from error


def _run(command: str) -> list[str]:
    """Give the lines that a command prints, within bounds of time and size."""
    refused = ConfigurationError(
        f"PRONOIA_MASTER_KEY_COMMAND must succeed within {COMMAND_SECONDS:.0f} s and print one key a line, "
        f"{COMMAND_BYTES} bytes at most."
    )
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own
            shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except (OSError, ValueError) as error:
        raise refused from error
    timer = Timer(COMMAND_SECONDS, process.kill)
    timer.start()
    try:
        with process:
            output = process.stdout.read(COMMAND_BYTES + 1) if process.stdout else b""
            if len(output) > COMMAND_BYTES:
                process.kill()
    finally:
        timer.cancel()
    lines = output.decode("ascii", "replace").split()
    if process.returncode or not lines:
        raise refused
    return lines


def _decode(text: str, source: str) -> MasterKey:
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise ConfigurationError(f"{source} is not 32 bytes in base64. {HOW_TO_MAKE_ONE}")
    return MasterKey(secret)
