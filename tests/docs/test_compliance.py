"""No claim of docs/compliance.md without a test or a setting that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pronoia.config import PREFIX, Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "compliance.md").read_text()
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
SETTING = re.compile(rf"{PREFIX}[A-Z_]+")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith("|---")
]
CLAIMS = [row for row in ROWS if row[1] != "Here"]


def test_every_row_has_what_is_here_and_what_is_the_operators() -> None:
    assert len(CLAIMS) > 40
    assert {len(row) for row in ROWS} == {3}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim[0])
def test_a_claim_names_a_test_or_a_setting_or_is_left_to_the_operator(claim: list[str]) -> None:
    _, here, _ = claim
    if here != "*operator*":
        assert TEST.search(here) or SETTING.search(here), here


@pytest.mark.parametrize(("file", "name"), sorted(set(TEST.findall(PAGE))))
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    assert re.search(rf"^\s*(?:async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize("document", ["compliance.md", "privacy.md"])
def test_every_setting_that_is_named_exists(document: str) -> None:
    named = set(SETTING.findall((ROOT / "docs" / document).read_text()))
    assert named
    assert named <= {PREFIX + field.upper() for field in Settings.__struct_fields__}
