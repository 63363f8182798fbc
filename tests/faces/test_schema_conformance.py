"""schemathesis over the OpenAPI document: the real server answers anything as it says, and never with a 5xx."""

from __future__ import annotations

import random

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode

from pronoia.faces.http.application import OPERATIONS
from pronoia.faces.http.openapi import openapi_document

EXAMPLES = 20
SEED = random.SystemRandom().randrange(1 << 32)

load_all_checks()
# What is sent may be accepted or refused as the server likes: unknown and unneeded fields are ignored on purpose.
ANSWERS = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)

schema = schemathesis.openapi.from_dict(openapi_document(OPERATIONS, "0"))
described = {one.ok().label: one.ok() for one in schema.get_all_operations()}
# What takes nothing cannot be sent anything wrong.
kinds = [
    (label, mode)
    for label, operation in described.items()
    for mode in GenerationMode
    if mode.is_positive or operation.body or operation.query or operation.path_parameters or operation.headers
]


@pytest.mark.parametrize(("label", "mode"), kinds)
def test_every_answer_is_one_that_the_document_describes(server, label, mode):
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it when the test fails

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    @given(case=described[label].as_strategy(generation_mode=mode))
    def conforms(case):
        headers = {"X-API-Key": server.key}
        response = case.call(base_url=server.url, headers=headers)
        assert response.status_code < 500, response.text
        case.validate_response(response, headers=headers, checks=ANSWERS)

    conforms()
