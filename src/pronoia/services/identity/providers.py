"""The identity providers whose users are let in, as the operator's file names them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated
from uuid import UUID  # noqa: TC003 - records are decoded by their annotations

import msgspec
from msgspec import Meta, Struct

from pronoia.domain.errors import ConfigurationError
from pronoia.domain.records import Plan

SETTING = "PRONOIA_IDENTITY_PROVIDERS"
MAXIMUM_PROVIDERS = 100

Name = Annotated[str, Meta(pattern="^[a-z0-9-]{1,32}$")]
Text = Annotated[str, Meta(min_length=1, max_length=255)]


class IdentityProvider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose tokens are believed, for which organisation, and what is read from them."""

    issuer: Text
    audience: Text
    organisation: UUID
    keys_url: str = ""
    keys_file: str = ""
    """One of the two: where its keys are published, or a file of them."""
    user_claim: Text = "sub"
    role_claim: Text = "role"
    plan: Plan = Plan.ENTERPRISE


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    providers: dict[Name, IdentityProvider]


def read_providers(path: str) -> dict[str, IdentityProvider]:
    """Read the providers by name; without a path there are none. Raises ConfigurationError that says what is wrong.

    A key file is looked for beside the file that names it.
    """
    if not path:
        return {}
    try:
        text = Path(path).read_text("utf-8")
        providers = msgspec.convert(tomllib.loads(text), _File).providers
    except OSError as error:
        raise ConfigurationError(f"{SETTING}: {path} cannot be read ({type(error).__name__}).") from error
    except (ValueError, RecursionError) as error:  # of TOML, UTF-8 and the form of an entry
        raise ConfigurationError(f"{SETTING}: {path} is wrong: {error}. See docs/security.md.") from error
    _check(providers)
    folder = Path(path).parent
    return {
        name: msgspec.structs.replace(one, keys_file=str(folder / one.keys_file) if one.keys_file else "")
        for name, one in providers.items()
    }


def _check(providers: dict[str, IdentityProvider]) -> None:
    if len(providers) > MAXIMUM_PROVIDERS:
        raise ConfigurationError(f"{SETTING}: at most {MAXIMUM_PROVIDERS} providers are allowed.")
    named: dict[str, str] = {}
    for name, provider in providers.items():
        if bool(provider.keys_url) == bool(provider.keys_file):
            raise ConfigurationError(f"{SETTING}: {name} needs either keys_url or keys_file.")
        if other := named.get(provider.issuer):
            raise ConfigurationError(f"{SETTING}: {name} and {other} have the same issuer.")
        named[provider.issuer] = name
