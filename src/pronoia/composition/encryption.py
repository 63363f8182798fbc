"""What texts are encrypted with, if settings say so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pronoia.adapters.master_keys import MasterKeys
from pronoia.adapters.postgres.data_keys import DataKeys, check_master_keys
from pronoia.adapters.postgres.text_cipher import PLAIN_TEXTS
from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pronoia.adapters.postgres.text_cipher import Texts
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.config import Settings


def master_keys(settings: Settings) -> MasterKeys | None:
    """Give what reads the master keys; None if texts are not encrypted. Raises ConfigurationError."""
    if settings.master_key_file and settings.master_key_command:
        raise ConfigurationError("Set PRONOIA_MASTER_KEY_FILE or PRONOIA_MASTER_KEY_COMMAND, not both.")
    files = [Path(name) for name in settings.master_key_file.split(os.pathsep) if name]
    return (
        MasterKeys(files=files, command=settings.master_key_command) if files or settings.master_key_command else None
    )


async def open_texts(settings: Settings, database: Database) -> Texts:
    """Give how texts are stored. Raises ConfigurationError if there are some that could not be read."""
    masters = master_keys(settings)
    await check_master_keys(database, masters)
    return PLAIN_TEXTS if masters is None else DataKeys(database, masters)


def required_master_keys(settings: Settings) -> MasterKeys:
    """Give what reads the master keys. Raises ConfigurationError if texts are not encrypted."""
    masters = master_keys(settings)
    if masters is None:
        raise ConfigurationError("Set PRONOIA_MASTER_KEY_FILE or PRONOIA_MASTER_KEY_COMMAND. See docs/security.md.")
    return masters
