"""Encrypted files: AES-256-GCM in chunks, each bound to its place in its file, to its end, and to the file's name.

The nonce of a chunk is its number and whether it is the last (STREAM: Hoang, Reyhanitabar, Rogaway and Vizár, "Online
Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015), so a chunk that is moved, repeated or cut off
is noticed. Each file has a key of its own, derived from the operator's, a random salt and the file's name.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pronoia.domain.errors import BackupError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAGIC = b"PRONOIA1"
KEY_BYTES = 32
KEY_NAME_BYTES = 8
SALT_BYTES = 16
HEADER_BYTES = len(MAGIC) + KEY_NAME_BYTES + SALT_BYTES
TAG_BYTES = 16
CHUNK_BYTES = 1 << 20
"""Of what is encrypted; the tag comes on top."""
NUMBER_BYTES = 11
"""With the byte that marks the last chunk, the 96 bits that AES-GCM takes."""


@dataclass(frozen=True, slots=True)
class BackupKey:
    """The operator's secret of 32 bytes."""

    secret: bytes = field(repr=False)

    @property
    def name(self) -> bytes:
        """What tells one key from another, and nothing of either."""
        return hashlib.sha256(b"pronoia backup key" + self.secret).digest()[:KEY_NAME_BYTES]

    def cipher(self, salt: bytes, file_name: str) -> AESGCM:
        """Give the cipher of one file."""
        derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=f"pronoia backup {file_name}".encode())
        return AESGCM(derived.derive(self.secret))


def write_new_key(path: Path) -> BackupKey:
    """Make a key and the file that holds it, for its owner alone. Raises ConfigurationError if the file is there."""
    key = BackupKey(os.urandom(KEY_BYTES))
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key.secret.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be made ({error.strerror}). No key is ever overwritten.") from error
    return key


def read_key(path: Path) -> BackupKey:
    """Read a key. Raises ConfigurationError if there is none in the file."""
    try:
        secret = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} holds no key. Make one: pronoia backup key {path}") from error
    if len(secret) != KEY_BYTES:
        raise ConfigurationError(f"{path} holds no key of {KEY_BYTES} bytes. Make one: pronoia backup key FILE")
    return BackupKey(secret)


class EncryptedWriter:
    """Encrypts what is written, in constant memory. `finish` writes the last chunk: without it the file is cut off."""

    def __init__(self, file: BinaryIO, key: BackupKey, name: str) -> None:
        salt = os.urandom(SALT_BYTES)
        self._file = file
        self._cipher = key.cipher(salt, name)
        self._number = 0
        self._waiting = bytearray()
        self._digest = hashlib.sha256()
        self.size = 0
        """Bytes of the file so far."""
        self._put(MAGIC + key.name + salt)

    @property
    def sha256(self) -> str:
        """Digest of the file so far."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Take any number of bytes."""
        self._waiting += data
        # The last chunk is known by nothing after it, so a whole chunk waits until there is more.
        while len(self._waiting) > CHUNK_BYTES:
            self._seal(bytes(self._waiting[:CHUNK_BYTES]), last=False)
            del self._waiting[:CHUNK_BYTES]

    def finish(self) -> None:
        """Write the end, durably."""
        self._seal(bytes(self._waiting), last=True)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        self._put(self._cipher.encrypt(_nonce(self._number, last=last), chunk, None))
        self._number += 1

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)


def decrypted(file: BinaryIO, key: BackupKey, name: str) -> Iterator[bytes]:
    """Give what was encrypted, piece by piece, each piece authenticated before it is given.

    Raises ConfigurationError if it was another key, BackupError if the file is not what was written under this name.
    """
    header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        raise BackupError(f"{name} is no part of a backup.", part=name)
    if header[len(MAGIC) : len(MAGIC) + KEY_NAME_BYTES] != key.name:
        raise ConfigurationError(f"{name} was encrypted with another key. Give the one it was made with: --key-file.")
    cipher = key.cipher(header[-SALT_BYTES:], name)
    number, chunk = 0, file.read(CHUNK_BYTES + TAG_BYTES)
    while True:
        following = file.read(CHUNK_BYTES + TAG_BYTES)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), chunk, None)
        except InvalidTag as error:
            raise BackupError(f"{name} is damaged: it was changed, or its end is missing.", part=name) from error
        if not following:
            return
        number, chunk = number + 1, following


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(NUMBER_BYTES, "big") + bytes([last])
