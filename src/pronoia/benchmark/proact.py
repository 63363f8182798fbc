"""Reads ProActEval: the facts that a person's files hold, what they need, and which need follows which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from pronoia.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

MAXIMUM_FILE_BYTES = 256 << 20


class _Fact(msgspec.Struct):
    id: str
    text: str


class _Need(msgspec.Struct):
    id: str
    text: str
    facts: list[str]
    after: str | None = None


class _Sample(msgspec.Struct):
    id: str
    facts: list[_Fact]
    needs: list[_Need]


@dataclass(frozen=True, slots=True)
class Fact:
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """A need that follows another: what is known when it is predicted, and what it will want."""

    context: str
    """The text of the need before."""
    recent: tuple[str, ...]
    """The facts of the need before, as ids."""
    wanted: tuple[str, ...]
    """The facts of the new need that are not among the recent ones; at least one."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One person: the facts in the order in which they were stored, and the steps from need to need."""

    id: str
    facts: tuple[Fact, ...]
    steps: tuple[Step, ...]


def read_proact(file: Path) -> list[Scenario]:
    """Read all scenarios. Raises InvalidInputError if the file is not ProActEval.

    Needs that follow none, or want nothing beyond the facts of the need before, are no steps.
    """
    if file.stat().st_size > MAXIMUM_FILE_BYTES:
        raise InvalidInputError(f"{file} is larger than {MAXIMUM_FILE_BYTES} bytes. Split it.")
    try:
        return [_scenario(sample) for sample in msgspec.json.decode(file.read_bytes(), type=list[_Sample])]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
        raise InvalidInputError(f"{file} is not a ProActEval file: {error}.") from error


def _scenario(sample: _Sample) -> Scenario:
    needs = {need.id: need for need in sample.needs}
    steps = (_step(needs[need.after], need) for need in sample.needs if need.after is not None)
    return Scenario(
        sample.id,
        tuple(Fact(fact.id, fact.text) for fact in sample.facts),
        tuple(step for step in steps if step.wanted),
    )


def _step(before: _Need, need: _Need) -> Step:
    return Step(before.text, tuple(before.facts), tuple(fact for fact in need.facts if fact not in before.facts))
