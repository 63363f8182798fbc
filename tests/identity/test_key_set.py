"""A key is for one algorithm, which it says itself, and what is no key for verifying is passed over."""

from __future__ import annotations

import json

import pytest
from identity_provider import ALGORITHMS, key_set, signing_key

from pronoia.adapters.identity.key_file import KeyFile
from pronoia.adapters.identity.key_set import LONGEST_KEY_ID, MAXIMUM_SET_BYTES, read_key_set
from pronoia.domain.errors import IdentityUnavailableError

GOOD = signing_key("EdDSA", "good")


def read_beside_a_good_one(**published):
    """Give the ids that are read of a set of one key and a good one."""
    document = json.dumps({"keys": [published, GOOD.published]}).encode()
    return [key.id for key in read_key_set(document)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("said", [True, False], ids=["with alg", "without alg"])
def test_the_algorithm_follows_from_the_key(algorithm, said):
    published = signing_key(algorithm, algorithm).published
    document = {"keys": [published if said else {**published, "alg": None}]}
    (key,) = read_key_set(json.dumps(document).encode())
    assert (key.id, key.algorithm) == (algorithm, algorithm)


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "HS256"},
        {"alg": "RS512"},
        {"alg": "ES256"},
        {"alg": "none"},
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"kid": None},
        {"kid": ""},
        {"kid": "x" * (LONGEST_KEY_ID + 1)},
        {"kid": 7},
        {"n": "!"},
        {"n": ""},
        {"e": "AA"},
        {"kty": "oct", "k": "c2VjcmV0"},
    ],
    ids=str,
)
def test_a_key_that_is_not_for_verifying_is_passed_over(changes):
    assert read_beside_a_good_one(**{**signing_key("RS256", "RS256").published, **changes}) == ["good"]


@pytest.mark.parametrize("bits", [1024, 8200])
def test_keys_of_a_size_that_is_too_weak_or_too_slow_are_passed_over(bits):
    published = signing_key("RS256", "RS256", bits=bits).published if bits < 2048 else rsa_of(bits)
    assert read_beside_a_good_one(**published) == ["good"]


def rsa_of(bits):
    """Publish an odd number of so many bits; nobody has its factors, and making such a key would take seconds."""
    from jwt.utils import to_base64url_uint  # noqa: PLC0415

    number = to_base64url_uint((1 << (bits - 1)) | 1).decode()
    return {**signing_key("RS256", "RS256").published, "n": number}


def test_a_point_off_the_curve_is_no_key():
    published = signing_key("ES256", "ES256").published
    assert read_beside_a_good_one(**{**published, "y": published["x"]}) == ["good"]
    assert read_beside_a_good_one(**{**published, "crv": "P-384"}) == ["good"]


def test_private_members_that_a_set_leaks_are_not_read():
    leaked = {**signing_key("RS256", "RS256").published, "d": "AQAB", "p": "AQAB"}
    (key, _) = read_key_set(json.dumps({"keys": [leaked, GOOD.published]}).encode())
    assert not hasattr(key._key, "private_numbers")


@pytest.mark.parametrize(
    "document", [b"", b"null", b"[]", b'{"keys": {}}', b'{"keys": [1, null]}', b"\xff", b"[" * 9999]
)
def test_what_is_no_key_set_is_said_to_be_none(document):
    with pytest.raises(IdentityUnavailableError):
        read_key_set(document)


@pytest.mark.anyio
async def test_a_file_is_read_anew_each_time(tmp_path):
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(GOOD))
    source = KeyFile(path)
    assert [key.id for key in await source.fetch()] == ["good"]
    path.write_bytes(key_set(GOOD, signing_key("EdDSA", "next")))
    assert [key.id for key in await source.fetch()] == ["good", "next"]


@pytest.mark.anyio
async def test_a_file_that_cannot_be_read_is_said_to_be_so(tmp_path):
    (tmp_path / "large").write_bytes(b" " * (MAXIMUM_SET_BYTES + 1))
    for name, reason in (("none", "no such file"), (".", "no such file"), ("large", "larger than")):
        with pytest.raises(IdentityUnavailableError, match=reason):
            await KeyFile(tmp_path / name).fetch()
