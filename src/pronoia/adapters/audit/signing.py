"""The Ed25519 key that checkpoints are signed with. Its files: signing.key for the server, public.pem for verifiers."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_NAME, PUBLIC_NAME = "signing.key", "public.pem"


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """Give the key of a folder, made now if there is none. Raises ConfigurationError, OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / PRIVATE_NAME
    if not path.exists():
        _make(folder, path)
    key = _loaded(path)
    public = folder / PUBLIC_NAME
    if not public.exists():
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return key


def public_key(path: Path) -> Ed25519PublicKey:
    """Read the key that proves signatures. Raises ConfigurationError."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read as a public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"{path} is not an Ed25519 key.")
    return key


def is_signed(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    """Whether a signature is the key's."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _make(folder: Path, path: Path) -> None:
    """Put a whole key in place at once: another process of this server may start in the same moment."""
    unfinished = folder / f"{PRIVATE_NAME}.{os.getpid()}"
    content = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    with suppress(FileExistsError):
        os.link(unfinished, path)
    unfinished.unlink()


def _loaded(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise ConfigurationError(f"{path} is not a private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} is not an Ed25519 key.")
    return key
