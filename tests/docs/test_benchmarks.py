"""The scripts that the figures come from."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md"), *ROOT.glob("load/*.md"), ROOT / "Makefile"]
NAMED = {name for page in PAGES for name in re.findall(r"python\)? (bench/\w+\.py)", page.read_text("utf-8"))}


@pytest.mark.parametrize("script", sorted(NAMED))
def test_every_script_that_is_named_starts(script: str) -> None:
    helped = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, ROOT / script, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (helped.returncode, helped.stderr) == (0, "")
    assert helped.stdout.startswith("usage:")
