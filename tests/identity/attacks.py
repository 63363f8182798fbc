"""What somebody tries who has no token of their own: each attack by its name, and the tokens it sends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from hmac import new as hmac_of
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from identity_provider import ALGORITHMS, SigningKey, claims, encode, signing_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

HOUR = 3_600
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NAMES_OF_KEYS = (
    "../../../../dev/null",
    "/etc/passwd",
    "..\\..\\win.ini",
    "RS256\x00",
    "' or '1'='1",
    "RS256' union select 'c2VjcmV0' --",
    "; cat /etc/passwd",
    "http://127.0.0.1:1/keys",
    "file:///dev/null",
    "${jndi:ldap://127.0.0.1/a}",
    "",
    "x" * 256,
    "x" * 5_000,
    "rs256",
    " RS256",
    "\ud800",
)
NO_NAMES_OF_KEYS = (None, 7, 1.5, True, [], ["RS256"], {"kid": "RS256"})
WRONG_HEADERS: tuple[Mapping[str, Any], ...] = (
    {"typ": "logout+jwt"},
    {"typ": "secevent+jwt"},
    {"typ": 7},
    {"typ": []},
    {"alg": None},
    {"alg": ["RS256"]},
    {"alg": 7},
    {"alg": ""},
)


@dataclass(frozen=True)
class Target:
    """What an attacker knows: the issuer, whose public keys are `keys`, what time it is, and another's issuer."""

    issuer: str
    other_issuer: str
    now: float
    keys: tuple[SigningKey, ...]

    def claims(self, **changes: Any) -> dict[str, Any]:
        return claims(self.issuer, self.now, **changes)

    def honest(self) -> list[str]:
        return [key.sign(self.claims()) for key in self.keys]


def own(algorithm: str) -> SigningKey:
    """Give the attacker's own key, under the name of the provider's."""
    stolen = signing_key(algorithm, f"attacker's {algorithm}")
    return SigningKey(algorithm, algorithm, stolen.private)


def unsigned(target: Target) -> Iterator[str]:
    for name in ("none", "None", "NONE", "nOnE", ""):
        for key in ALGORITHMS:
            head, body = encode({"typ": "JWT", "alg": name, "kid": key}), encode(target.claims())
            yield f"{head}.{body}."
            yield f"{head}.{body}.{encode(b'x')}"


def public_key_as_secret(target: Target) -> Iterator[str]:
    for key in target.keys:
        public = key.private.public_key()
        secrets = [
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
            public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            json.dumps(key.published).encode(),
            b"",
        ]
        for algorithm in ("HS256", *ALGORITHMS):
            signed = f"{encode({'typ': 'JWT', 'alg': algorithm, 'kid': key.id})}.{encode(target.claims())}"
            for secret in secrets:
                yield f"{signed}.{encode(hmac_of(secret, signed.encode(), sha256).digest())}"


def algorithms_swapped(target: Target) -> Iterator[str]:
    """Say another algorithm than the key is for; by its own signature, and by that of the attacker's key for it."""
    for key in target.keys:
        for other in ("RS384", "RS512", "PS256", "ES384", "Ed25519", "HS256", *ALGORITHMS):
            if other == key.algorithm:
                continue
            yield key.sign(target.claims(), alg=other)
            if other in ALGORITHMS:
                yield own(other).sign(target.claims(), kid=key.id)
                yield own(other).sign(target.claims(), kid=key.id, alg=key.algorithm)


def critical_extensions(target: Target) -> Iterator[str]:
    for key in target.keys:
        for names in (["exp"], ["b64"], ["https://example.com/x"], [], None, "exp"):
            head = {"typ": "JWT", "alg": key.algorithm, "kid": key.id, "crit": names, "b64": True}
            signed = f"{encode(head)}.{encode(target.claims())}"
            honest = key.sign(target.claims(), crit=names if names is not None else 0)
            yield honest
            yield f"{signed}.{honest.rpartition('.')[2]}"


def keys_of_their_own(target: Target) -> Iterator[str]:
    """Bring a key, or name a place to get it from; signed by that key, and even by the provider's."""
    for algorithm in ALGORITHMS:
        mine = own(algorithm)
        brought: dict[str, Any] = {
            "jwk": mine.published,
            "jku": f"{target.other_issuer}/keys",
            "x5u": f"{target.other_issuer}/certificate",
            "x5c": ["MIIB"],
        }
        for name, value in brought.items():
            yield mine.sign(target.claims(), **{name: value})
            yield mine.sign(target.claims(), kid=None, **{name: value})
            yield signing_key(algorithm, algorithm).sign(target.claims(), **{name: value})


def names_of_keys(target: Target) -> Iterator[str]:
    for name in (*NAMES_OF_KEYS, *NO_NAMES_OF_KEYS):
        yield own("EdDSA").sign(target.claims(), kid=name)
        yield signing_key("EdDSA", "EdDSA").sign(target.claims(), kid=name)


def wrong_headers(target: Target) -> Iterator[str]:
    for key in target.keys:
        for header in WRONG_HEADERS:
            yield key.sign(target.claims(), **header)


def wrong_claims(*changes: Mapping[str, Any]) -> Callable[[Target], Iterator[str]]:
    """Give what signs with the provider's own keys what the provider would sign for others, or another time."""

    def tokens(target: Target) -> Iterator[str]:
        for key in target.keys:
            for change in changes:
                moved = {
                    name: target.now + value[0] if isinstance(value, tuple) else value for name, value in change.items()
                }
                yield key.sign({**target.claims(), **moved})

    return tokens


def missing_claims(target: Target) -> Iterator[str]:
    for key in target.keys:
        for name in ("iss", "aud", "sub", "iat", "exp"):
            yield key.sign(target.claims(**{name: None}))
            yield key.sign({**target.claims(), name: None})
        for payload in (b"", b"{}", b"[]", b"null", b"7", b'"x"', b"\xff", b"{", b"[" * 4_000, b'{"a":' + b"[" * 4_000):
            yield key.sign(payload)


def tampered(target: Target) -> Iterator[str]:
    """Say more than was signed; and change each character of a token, one at a time."""
    for token in target.honest():
        head, _, signature = token.split(".")
        for change in ({"sub": "eve"}, {"role": "admin"}, {"exp": int(target.now) + HOUR}):
            yield f"{head}.{encode(target.claims(**change))}.{signature}"
    token = target.honest()[1]
    for index, character in enumerate(token):
        if character != ".":
            yield f"{token[:index]}{'A' if character != 'A' else 'B'}{token[index + 1 :]}"


def spelled_otherwise(target: Target) -> Iterator[str]:
    """Write the same bytes in other letters: the last one holds bits that nobody reads; some decoders skip others."""
    for token in target.honest():
        yield f"{token[:-1]}{ALPHABET[ALPHABET.index(token[-1]) + 1]}"
        yield from (f"{token}=", f"{token}==", f"{token[:9]}!{token[9:]}", f"{token[:9]}+{token[9:]}")
        head, body, signature = token.split(".")
        yield from (f"{head}=.{body}.{signature}", f"{head}.{body}=.{signature}")


def truncated(target: Target) -> Iterator[str]:
    for token in target.honest():
        yield from (token[:length] for length in range(1, len(token), 3))
        head, body, signature = token.split(".")
        yield from (f"{head}.{body}", f"{head}.{body}.", f".{body}.{signature}", f"{head}..{signature}", "..")
        yield from (f"{token}.", f"{token}.{signature}", f"{token}A", f"{token}{signature}", f"{token}{'A' * 20_000}")


def signatures_without_a_key(target: Target) -> Iterator[str]:
    """Send zeros and ones for a signature: (0, 0) once passed for every ECDSA key (CVE-2022-21449)."""
    for token, length in zip(target.honest(), (256, 64, 64), strict=True):
        signed = token.rpartition(".")[0]
        for signature in (bytes(length), b"\xff" * length, bytes(length - 1) + b"\x01", bytes(1)):
            yield f"{signed}.{encode(signature)}"


def keys_of_others(target: Target) -> Iterator[str]:
    """Sign as another provider that is trusted, too, for the organisation of this one; and the other way round."""
    other = signing_key("ES256", "other")
    yield other.sign(target.claims())
    yield other.sign(target.claims(), kid="ES256")
    for key in target.keys:
        yield key.sign(target.claims(iss=target.other_issuer))
        yield key.sign(target.claims(iss=target.other_issuer), kid="other")
        yield own(key.algorithm).sign(target.claims())


ATTACKS: Mapping[str, Callable[[Target], Iterator[str]]] = {
    "alg none": unsigned,
    "HS256 with the public key as secret": public_key_as_secret,
    "algorithms swapped": algorithms_swapped,
    "crit": critical_extensions,
    "jwk, jku, x5u, x5c": keys_of_their_own,
    "kid: traversal, SQL, huge, no text": names_of_keys,
    "typ and alg of the wrong kind": wrong_headers,
    "wrong audience": wrong_claims(
        *({"aud": aud} for aud in ("other", "Pronoia", "pronoia/", "", [], ["other"], [["pronoia"]], {"pronoia": 1}, 7))
    ),
    "wrong issuer": wrong_claims(
        *({"iss": iss} for iss in ("https://evil.example", "", "x" * 4_000, [], 7, {"iss": 1}, "http://127.0.0.1"))
    ),
    "expired": wrong_claims(
        *({"iat": (-HOUR,), "exp": (exp,)} for exp in (-30.0, -31.0, -HOUR / 2)), {"exp": 0}, {"exp": -1}
    ),
    "times that are none": wrong_claims(
        *({name: value} for name in ("exp", "iat") for value in ("9999999999", True, [], {}, 1e308, 10**40, -(10**40)))
    ),
    "from the future": wrong_claims({"iat": (31.0,)}, {"iat": (HOUR,), "exp": (2 * HOUR,)}, {"nbf": (31.0,)}),
    "lives too long": wrong_claims({"exp": (25 * HOUR,)}, {"iat": (-25 * HOUR,)}, {"iat": 0}, {"iat": (600,)}),
    "claims missing": missing_claims,
    "users that are none": wrong_claims(
        *({"sub": sub} for sub in ("", " ", "x" * 256, "a\x00b", "\ud800", 7, [], {"sub": "ada"}, True))
    ),
    "roles that are none": wrong_claims(
        *({"role": role} for role in ("root", "Admin", "", [], ["admin", "root"], {"admin": 1}, 7, True, None, [None]))
    ),
    "payload tampered": tampered,
    "the same bytes in other letters": spelled_otherwise,
    "truncated and lengthened": truncated,
    "signatures without a key": signatures_without_a_key,
    "another's key": keys_of_others,
}
