"""A data folder that a restore makes: as a whole, or not at all."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def new_data_folder(data: Path) -> Generator[None]:
    """Make a folder that was empty or not there, and empty it again if what is done in it fails.

    Raises ConfigurationError if it holds anything, or cannot be made.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(data.iterdir()):
            raise ConfigurationError(f"{data} is not empty. Restore into a new folder.")
    except OSError as error:
        raise ConfigurationError(f"{data} cannot be written ({error.strerror}).") from error
    try:
        yield
    except BaseException:
        for child in data.iterdir():
            if child.is_dir():
                shutil.rmtree(child, ignore_errors=True)
            else:
                child.unlink(missing_ok=True)
        raise
