"""The first start: a key, a sample memory, and lines that can be pasted into a shell."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from pronoia.cli.keys.opened import opened_keys
from pronoia.cli.sample import SAMPLE, USER
from pronoia.cli.storage import opened_services
from pronoia.domain.identifiers import DEFAULT_ORGANISATION, Scope
from pronoia.domain.records import Permission, Plan

if TYPE_CHECKING:
    from pathlib import Path

    from pronoia.config import Settings

SCOPES = frozenset({Permission.READ, Permission.WRITE, Permission.LEARN})


async def ensure_first_key(settings: Settings, folder: Path) -> str | None:
    """Give the key of the first start, making it if there is no key at all; None if others were made since."""
    file = folder / "first_key"
    if file.exists():
        return file.read_text().strip()
    async with opened_keys(settings) as keys:
        if await keys.listed(DEFAULT_ORGANISATION):
            return None
        _, text = await keys.create(
            user_id=USER, plan=Plan.ENTERPRISE, permissions=SCOPES, organisation_id=DEFAULT_ORGANISATION
        )
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as target:
        target.write(text + "\n")
    async with opened_services(settings) as services:
        await services.memories.add(Scope(DEFAULT_ORGANISATION, USER), SAMPLE, None)
    return text


def welcome(key: str, host: str, port: int, scheme: str) -> str:
    """Write the key and three commands that work once the server is up."""
    name = f"[{host}]" if ":" in host else {"0.0.0.0": "127.0.0.1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - a name to replace, not an address to bind
    memories = f"{scheme}://{name}:{port}/api/v1/memories"
    header = f"-H 'X-API-Key: {key}'"
    json = "-H 'Content-Type: application/json'"
    remember = shlex.quote('{"text": "Ada likes her tea without milk."}')
    search = shlex.quote('{"query": "Why was the nightly report missing?"}')
    return (
        f"\nYour API key: {key}\n\n"
        f"Remember:\n  curl -s {memories} {header} {json} -d {remember}\n"
        f"Search:\n  curl -s {memories}/search {header} {json} -d {search}\n"
        f"List:\n  curl -s '{memories}?limit=5' {header}\n"
    )
