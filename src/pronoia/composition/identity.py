"""Who vouches for users: the identity providers, and how their keys are had."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pronoia.adapters.identity.key_endpoint import KeyEndpoint
from pronoia.adapters.identity.key_file import KeyFile
from pronoia.adapters.postgres.organisations import ensure_organisations
from pronoia.composition.outside import make_breaker
from pronoia.services.identity.claims import TokenPolicy
from pronoia.services.identity.key_ring import KeyRing
from pronoia.services.identity.providers import SETTING, read_providers
from pronoia.services.identity.tokens import Tokens, TrustedIssuer

if TYPE_CHECKING:
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.config import Settings
    from pronoia.ports.clock import Clock
    from pronoia.ports.identity import KeySource
    from pronoia.ports.telemetry import Meter
    from pronoia.resilience.breaker import Breaker
    from pronoia.services.identity.providers import IdentityProvider
    from pronoia.services.resilience import Resilience


async def open_tokens(
    settings: Settings, database: Database, *, clock: Clock, meter: Meter, resilience: Resilience
) -> Tokens:
    """Trust the providers of the settings. Their organisations are made if need be; their keys are not fetched yet."""
    providers = read_providers(settings.identity_providers)
    await ensure_organisations(database, [one.organisation for one in providers.values()])
    issuers: list[TrustedIssuer] = []
    for name, provider in providers.items():
        breaker = make_breaker(settings, resilience, f"identity_{name}") if provider.keys_url else None
        keys = KeyRing(name, make_key_source(name, provider, breaker), clock=clock, meter=meter)
        issuers.append(TrustedIssuer(provider, keys))
    policy = TokenPolicy(leeway=settings.token_leeway_seconds, longest_life=settings.maximum_token_seconds)
    return Tokens(issuers=issuers, policy=policy, clock=clock, meter=meter)


def make_key_source(name: str, provider: IdentityProvider, breaker: Breaker | None = None) -> KeySource:
    """Make what fetches a provider's keys. Raises ConfigurationError for an address that must not be asked."""
    if provider.keys_file:
        return KeyFile(Path(provider.keys_file))
    return KeyEndpoint(provider.keys_url, breaker, setting=f"{SETTING}: keys_url of {name}")
