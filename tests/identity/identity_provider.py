"""A real identity provider on a free port: it signs tokens, publishes keys, and misbehaves as a test tells it to."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from jwt.algorithms import get_default_algorithms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ALGORITHMS = ("RS256", "ES256", "EdDSA")
AUDIENCE = "pronoia"


@dataclass(frozen=True)
class SigningKey:
    id: str
    algorithm: str
    private: Any

    @property
    def published(self) -> dict[str, Any]:
        """Give the JSON Web Key of the public half."""
        public = get_default_algorithms()[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.id, "alg": self.algorithm, "use": "sig"}

    def sign(self, claims: object, *, algorithm: str | None = None, **header: Any) -> str:
        """Sign claims, under a header that says what it is told to say; None leaves a field out."""
        head = {"typ": "JWT", "alg": self.algorithm, "kid": self.id, **header}
        signed = f"{encode({name: value for name, value in head.items() if value is not None})}.{encode(claims)}"
        signature = get_default_algorithms()[algorithm or self.algorithm].sign(signed.encode(), self.private)
        return f"{signed}.{encode(signature)}"


@cache
def signing_key(algorithm: str, key_id: str, *, bits: int = 2048) -> SigningKey:
    match algorithm:
        case "RS256":
            private = generate_rsa(65537, bits)
        case "ES256":
            private = generate_ec(SECP256R1())
        case _:
            private = Ed25519PrivateKey.generate()
    return SigningKey(key_id, algorithm, private)


def encode(value: object) -> str:
    """Write bytes, or anything else as JSON, in base64url without padding."""
    document = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(document).rstrip(b"=").decode()


def key_set(*keys: SigningKey) -> bytes:
    return json.dumps({"keys": [key.published for key in keys]}).encode()


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    given = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class ProviderServer:
    """Publishes `keys`, or answers with `reply` instead."""

    keys: list[SigningKey] = field(default_factory=list)
    reply: bytes | None = None
    endless: bool = False
    silent: bool = False
    fetches: int = 0
    sent_bytes: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody waits for an answer."""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._writers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.issuer = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.keys_url = f"{self.issuer}/keys"

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers.values():
            writer.close()
        await asyncio.gather(*self._writers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[asyncio.current_task()] = writer
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            self.fetches += 1
            self.asked.set()
            if self.silent:
                await reader.read()
            async for part in self._answer():
                writer.write(part)
                self.sent_bytes += len(part)
                await writer.drain()
        writer.close()

    async def _answer(self) -> AsyncIterator[bytes]:
        if not self.endless:
            yield answer(key_set(*self.keys)) if self.reply is None else self.reply
            return
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n"
        for _ in range(1600):
            yield b" " * 65_536


def claims(issuer: str, now: float, **changes: Any) -> dict[str, Any]:
    """Say what an honest token says, but for the changes; None leaves a claim out."""
    honest = {"iss": issuer, "aud": AUDIENCE, "sub": "ada", "iat": int(now), "exp": int(now) + 600}
    return {name: value for name, value in {**honest, **changes}.items() if value is not None}
