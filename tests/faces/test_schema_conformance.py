"""schemathesis over the OpenAPI document: whatever is sent, the real server answers as it says, and never with a 5xx."""

from __future__ import annotations

import random

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings

EXAMPLES = 12
SEED = random.SystemRandom().randrange(1 << 32)


@pytest.fixture(scope="module")
def document(server):
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@seed(SEED)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=False,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
def test_every_answer_is_one_that_the_document_describes(case, server):
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it when the test fails
    case.headers["X-API-Key"] = server.key
    response = case.call()
    assert response.status_code < 500, response.text
    case.validate_response(response)
