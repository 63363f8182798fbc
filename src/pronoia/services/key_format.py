"""The text of an API key: `pronoia_<id>_<secret>_<checksum>`."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass

PREFIX = "pronoia"
ID_LENGTH = 12
SECRET_LENGTH = 43
"""43 of 62 characters hold 256 bits."""
CHECKSUM_LENGTH = 7
"""Base-36 digits of 32 bits."""

_CHARACTERS = string.ascii_letters + string.digits
_CHECKSUM_DIGITS = string.digits + string.ascii_lowercase
_FORMAT = re.compile(
    rf"{PREFIX}_([0-9A-Za-z]{{{ID_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH}}})_([0-9a-z]{{{CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a text says it is: the key of this id, with a secret of this hash."""

    key_id: str
    secret_hash: bytes


def new_key_id() -> str:
    return _random(ID_LENGTH)


def new_secret() -> str:
    return _random(SECRET_LENGTH)


def hash_secret(secret: str) -> bytes:
    """Hash 256 random bits: nothing slower is needed where nothing can be guessed."""
    return hashlib.sha256(secret.encode()).digest()


def key_text(key_id: str, secret: str) -> str:
    return f"{PREFIX}_{key_id}_{secret}_{_checksum(key_id, secret)}"


def read_claim(text: str) -> Claim | None:
    """Read the text of a key; None if it is not of the form, or was mistyped."""
    parts = _FORMAT.fullmatch(text)
    if parts is None or _checksum(parts[1], parts[2]) != parts[3]:
        return None
    return Claim(parts[1], hash_secret(parts[2]))


def _random(length: int) -> str:
    return "".join(secrets.choice(_CHARACTERS) for _ in range(length))


def _checksum(key_id: str, secret: str) -> str:
    number = zlib.crc32(f"{PREFIX}_{key_id}_{secret}".encode())
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, 36)
        digits = _CHECKSUM_DIGITS[digit] + digits
    return digits
