"""Where an embedded PostgreSQL puts each finished file of its log, for a later restore to a point in time."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ARCHIVE_SECONDS = 60
"""A file of the log is archived after so long at the latest: what may be lost with the data folder."""

SETTINGS = """\
archive_mode = on
archive_timeout = {seconds}
archive_command = '{command}'
"""
# A file that is there already was archived before a crash; it must be the same one. The name comes when all is on disk.
KEEP = (
    "if [ -e {file}.gz ]; then gzip -dc {file}.gz | cmp -s - %p; else gzip -1c %p > {file}.part && sync {file}.part "
    "&& mv {file}.part {file}.gz && sync {folder}; fi"
)
FETCH = "gzip -dc {file}.gz > %p"


def folder_of(archive: Path, cluster_folder: Path) -> Path:
    """Give the part of an archive that belongs to one database: another in the same archive never gets in its way."""
    control = (cluster_folder / "global" / "pg_control").read_bytes()
    return archive / str(int.from_bytes(control[:8], sys.byteorder))


def archive_settings(folder: Path) -> str:
    """Write the settings that archive into a folder."""
    return SETTINGS.format(seconds=ARCHIVE_SECONDS, command=_quoted(KEEP, folder))


def restore_setting(folder: Path) -> str:
    """Write the setting that reads an archive."""
    return f"restore_command = '{_quoted(FETCH, folder)}'\n"


def _quoted(command: str, folder: Path) -> str:
    """Write a command for the shell into a string of PostgreSQL's, which puts the name of the file for %f."""
    path = shlex.quote(str(folder)).replace("%", "%%")
    return command.format(file=f"{path}/%f", folder=path).replace("\\", "\\\\").replace("'", "''")
