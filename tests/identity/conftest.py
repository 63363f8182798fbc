from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from identity_provider import ALGORITHMS, AUDIENCE, ProviderServer, signing_key

from pronoia.adapters.identity.key_endpoint import KeyEndpoint
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.services.identity.claims import TokenPolicy
from pronoia.services.identity.key_ring import KeyRing
from pronoia.services.identity.providers import IdentityProvider
from pronoia.services.identity.tokens import Tokens, TrustedIssuer
from pronoia.testing.clock import ManualClock
from pronoia.testing.meter import RecordingMeter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def meter() -> RecordingMeter:
    return RecordingMeter()


@pytest.fixture
async def provider() -> AsyncIterator[ProviderServer]:
    """Give a provider with a key of each algorithm, named after it."""
    server = ProviderServer([signing_key(algorithm, algorithm) for algorithm in ALGORITHMS])
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def ring(provider, clock, meter) -> AsyncIterator[KeyRing]:
    ring = KeyRing("corporate", KeyEndpoint(provider.keys_url, None, setting="keys_url"), clock=clock, meter=meter)
    yield ring
    await ring.close()


@pytest.fixture
def tokens(provider, ring, clock, meter) -> Tokens:
    trusted = IdentityProvider(
        issuer=provider.issuer, audience=AUDIENCE, organisation=DEFAULT_ORGANISATION, keys_url=provider.keys_url
    )
    return Tokens(issuers=[TrustedIssuer(trusted, ring)], policy=TokenPolicy(), clock=clock, meter=meter)
