from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Permission, Plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pronoia.config import Settings
    from pronoia.services.services import Services

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(database_url: str) -> Settings:
    return read_settings({}, database_url=database_url)


@pytest.fixture
async def services(settings: Settings) -> AsyncIterator[Services]:
    async with open_services(settings) as services:
        yield services


@pytest.fixture
async def scope(services: Services) -> Scope:
    """Give a user whose organisation exists, as it does once it has a key."""
    scope = Scope(uuid4(), "ada")
    await services.keys.create(
        user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=scope.organisation_id
    )
    return scope
