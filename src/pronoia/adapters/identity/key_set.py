"""Reads a JSON Web Key Set (RFC 7517), and binds each key to the one algorithm that it can be for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import get_default_algorithms
from jwt.exceptions import InvalidKeyError

from pronoia.domain.errors import IdentityUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jwt.algorithms import Algorithm

MAXIMUM_SET_BYTES = 256 * 1024
MAXIMUM_KEYS = 100
LONGEST_KEY_ID = 255
RSA_BITS = range(2048, 8192 + 1)
"""Shorter keys can be broken, longer ones take milliseconds of everybody's time."""


class _KeySet(msgspec.Struct):
    keys: list[msgspec.Raw]


class _PublishedKey(msgspec.Struct):
    """What is read of a key, without the private members that some sets leak."""

    kty: str
    kid: str
    crv: str | None = None
    alg: str | None = None
    use: str = "sig"
    key_ops: list[str] = msgspec.field(default_factory=lambda: ["verify"])
    n: str = ""
    e: str = ""
    x: str = ""
    y: str = ""


@dataclass(frozen=True, slots=True)
class _Kind:
    algorithm: str
    members: tuple[str, ...]


KINDS: Mapping[tuple[str, str | None], _Kind] = {
    ("RSA", None): _Kind("RS256", ("kty", "n", "e")),
    ("EC", "P-256"): _Kind("ES256", ("kty", "crv", "x", "y")),
    ("OKP", "Ed25519"): _Kind("EdDSA", ("kty", "crv", "x")),
}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A VerificationKey."""

    id: str
    algorithm: str
    _verifier: Algorithm
    _key: Any

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Say whether a signature of these bytes was made with this key."""
        return self._verifier.verify(signed, self._key, signature)


def read_key_set(document: bytes) -> list[PublicKey]:
    """Read the keys that can verify tokens; all others are passed over, as the standard wants it.

    Raises IdentityUnavailableError if the document is no key set, or if none of its keys is of use.
    """
    try:
        published = msgspec.json.decode(document, type=_KeySet).keys
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise unavailable("what it publishes is no key set") from error
    keys = [key for raw in published[:MAXIMUM_KEYS] if (key := _read_key(raw)) is not None]
    if not keys:
        raise unavailable("it publishes no key for RS256, ES256 or EdDSA")
    return keys


def unavailable(reason: str) -> IdentityUnavailableError:
    """Make the error of a provider whose keys cannot be had."""
    return IdentityUnavailableError(f"The keys of the identity provider cannot be had: {reason}.", reason=reason)


def _read_key(raw: msgspec.Raw) -> PublicKey | None:
    try:
        published = msgspec.json.decode(raw, type=_PublishedKey)
        kind = KINDS.get((published.kty, published.crv))
        if kind is None or not _is_for_signatures(published, kind):
            return None
        verifier = get_default_algorithms()[kind.algorithm]
        key = verifier.from_jwk({member: getattr(published, member) for member in kind.members})
    except (msgspec.MsgspecError, RecursionError, InvalidKeyError, ValueError):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size not in RSA_BITS:
        return None
    return PublicKey(published.kid, kind.algorithm, verifier, key)


def _is_for_signatures(published: _PublishedKey, kind: _Kind) -> bool:
    return (
        0 < len(published.kid) <= LONGEST_KEY_ID
        and published.alg in {None, kind.algorithm}
        and published.use == "sig"
        and "verify" in published.key_ops
    )
