"""Memories and queries to measure with: invented, plain, and the same on every machine."""

from __future__ import annotations

import random

SUBJECTS = "Ada Ben Carla David Elena Farid Grace Hugo Ines Jonas Kira Liam Mona Nils Olga Pavel".split()
DEEDS = (
    "moved the deployment of {thing} to {day}",
    "asked for a shorter report about {thing}",
    "prefers {thing} over {other} for the {place} project",
    "met the team from {place} and talked about {thing} until late",
    "could not reproduce the failure of {thing} on {day}, only of {other}",
    "booked a table in {place} for {day} and wants to speak about {thing}",
    "is allergic to {other} and keeps {thing} at home",
    "wrote down that {thing} must be renewed before {day}, and {other} a week later",
)
THINGS = (
    "invoices passports backups pianos bicycles dashboards migrations tomatoes contracts tickets lanterns novels "
    "sensors kettles maps pipelines gardens violins rowing statistics chess spreadsheets vaccines bridges"
).split()
PLACES = "Lisbon Oslo Prague Dublin Vienna Tallinn Madrid Turin Ghent Zagreb Porto Bergen".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def memories(count: int, seed: int) -> list[dict[str, object]]:
    """Make bodies of memories: 20 to a session, two speakers each, 8 to 16 words."""
    choose = random.Random(seed)  # noqa: S311 - not a secret
    made: list[dict[str, object]] = []
    for number in range(count):
        subject = choose.choice(SUBJECTS)
        made.append(
            {
                "text": f"{subject} {_deed(choose)} (note {number}).",
                "speaker": subject,
                "session_id": f"session-{number // 20}",
                "tags": [choose.choice(THINGS)],
            }
        )
    return made


def queries(count: int, seed: int) -> list[str]:
    choose = random.Random(seed)  # noqa: S311 - not a secret
    return [f"What did {choose.choice(SUBJECTS)} say about it: {_deed(choose)}?" for _ in range(count)]


def _deed(choose: random.Random) -> str:
    thing, other = choose.sample(THINGS, 2)
    return choose.choice(DEEDS).format(thing=thing, other=other, place=choose.choice(PLACES), day=choose.choice(DAYS))
