"""A signed token as it is sent: header, claims and signature (RFC 7515, 7.1). Nothing here is believed yet."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

import msgspec

from pronoia.services.identity.refusals import Refusal, TokenRefusedError

LONGEST_TOKEN = 8_192
LONGEST_KEY_ID = 255
KEYS_OF_ITS_OWN = frozenset({"jwk", "jku", "x5u", "x5c"})
"""By these a token brings or names the key it is to be believed by: only the provider's may do that."""
CRITICAL = "crit"
"""Names extensions that must be understood; none is."""
TYPES = frozenset({"jwt", "at+jwt"})
"""JSON Web Tokens, and those that RFC 9068 makes for access."""
_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class CompactToken:
    algorithm: str
    key_id: str
    payload: bytes
    signed: bytes
    """What the signature is of."""
    signature: bytes


def read_token(text: str) -> CompactToken:
    """Take a token apart. Raises TokenRefusedError for what is no token, or has a header that no honest one has."""
    parts = _FORM.fullmatch(text) if len(text) <= LONGEST_TOKEN else None
    if parts is None:
        raise TokenRefusedError(Refusal.FORM)
    algorithm, key_id = _read_header(read_object(_decode(parts[1])))
    return CompactToken(
        algorithm=algorithm,
        key_id=key_id,
        payload=_decode(parts[2]),
        signed=f"{parts[1]}.{parts[2]}".encode(),
        signature=_decode(parts[3]),
    )


def read_object(document: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises TokenRefusedError, for one that is nested without end, too."""
    try:
        return msgspec.json.decode(document, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise TokenRefusedError(Refusal.FORM) from error


def _read_header(header: dict[str, Any]) -> tuple[str, str]:
    """Give the algorithm that the token claims, and the id of the key."""
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if CRITICAL in header or not KEYS_OF_ITS_OWN.isdisjoint(header):
        raise TokenRefusedError(Refusal.HEADER)
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in TYPES:
        raise TokenRefusedError(Refusal.HEADER)
    if not isinstance(algorithm, str) or not isinstance(key_id, str) or not 0 < len(key_id) <= LONGEST_KEY_ID:
        raise TokenRefusedError(Refusal.HEADER)
    return algorithm, key_id


def _decode(part: str) -> bytes:
    """Decode base64url without padding; only the one way to write it is read."""
    try:
        decoded = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as error:
        raise TokenRefusedError(Refusal.FORM) from error
    if urlsafe_b64encode(decoded).rstrip(b"=") != part.encode():
        raise TokenRefusedError(Refusal.FORM)
    return decoded
