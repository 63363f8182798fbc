from __future__ import annotations

import uuid

import pytest
from either_client import ClientFactory, FakeTime
from scripted_server import ScriptedServer


@pytest.fixture
def scripted():
    server = ScriptedServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def fake_time():
    return FakeTime()


@pytest.fixture(params=["async", "sync"])
def connect(request, scripted, fake_time):
    """Open a client of either kind to the scripted server; options are those of the client."""
    factory = ClientFactory(request.param, fake_time)
    yield lambda **options: factory(**{"api_key": "key-1", "base_url": scripted.url, **options})
    factory.close()


@pytest.fixture(params=["async", "sync"])
def open_client(request):
    """Open a client of either kind with real time; options are those of the client."""
    factory = ClientFactory(request.param)
    yield factory
    factory.close()


@pytest.fixture
def user():
    return f"user-{uuid.uuid4()}"


@pytest.fixture
def client(server, open_client, user):
    """A client with the service key, acting for a user nobody has seen."""
    return open_client(api_key=server.service_key, base_url=server.url, user_id=user)
