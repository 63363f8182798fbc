from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

DEFAULT_ORGANISATION = UUID("00000000-0000-7000-8000-000000000001")
"""Whose keys those are that the command line makes, unless told otherwise."""

ENCRYPTED_MARK = "\x1epronoia:1:"
"""What a text begins with that is stored encrypted, and no text that is given may begin with."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose memory a call is about: one user of one organisation."""

    organisation_id: UUID
    user_id: str

    @property
    def digest(self) -> bytes:
        """Name the user in 16 bytes that tell nobody who it is."""
        return hashlib.blake2b(self.organisation_id.bytes + self.user_id.encode(), digest_size=16).digest()


def with_digest(scopes: Iterable[Scope], digest: bytes) -> list[Scope]:
    """Find the user of a digest among some."""
    return [scope for scope in scopes if scope.digest == digest]


def new_id(at: datetime) -> UUID:
    """Make a UUID version 7 (RFC 9562, 5.7): 48 bits of milliseconds, 12 of sub-millisecond time, 62 random."""
    microseconds = round(at.timestamp() * 1_000_000)
    milliseconds, fraction = divmod(microseconds, 1_000)
    high = (milliseconds << 16) | 0x7000 | (fraction * 4096 // 1000)
    (low,) = struct.unpack(">Q", os.urandom(8))
    return UUID(int=(high << 64) | (low & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000)
