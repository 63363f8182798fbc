"""The system account that the embedded server runs as: PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT_NAME = "pronoia"
CREATE_TIMEOUT_SECONDS = 20.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """An account by name and numbers. `is_other` says whether it is not the account of this process."""

    name: str
    user: int
    group: int
    is_other: bool


def server_account() -> Account:
    """Give the account for the server: our own, or for root an unprivileged one, made if it does not exist yet.

    Raises ConfigurationError if there is none and none can be made.
    """
    if os.geteuid() != 0:
        return _account(os.geteuid(), is_other=False)
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        _create_account()
        entry = pwd.getpwnam(ACCOUNT_NAME)
    return _account(entry.pw_uid, is_other=True)


def _account(user: int, *, is_other: bool) -> Account:
    try:
        entry = pwd.getpwuid(user)
    except KeyError as error:
        raise ConfigurationError(
            f"User id {user} has no entry in the password file, without which PostgreSQL does not start. "
            "Run as a named user, or give PRONOIA_DATABASE_URL a server of your own."
        ) from error
    return Account(name=entry.pw_name, user=entry.pw_uid, group=entry.pw_gid, is_other=is_other)


def _create_account() -> None:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT_NAME]
    remedy = (
        "PostgreSQL does not run as root, and the account it should run as could not be made. Run Pronoia as an "
        f"ordinary user, or create the account by hand: {' '.join(command)}"
    )
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        raise ConfigurationError(remedy)
    finished = subprocess.run(  # noqa: S603 - a fixed command, nothing in it comes from outside
        [program, *command[1:]], capture_output=True, timeout=CREATE_TIMEOUT_SECONDS, check=False
    )
    if finished.returncode != 0:
        raise ConfigurationError(f"{remedy} ({finished.stderr.decode(errors='replace').strip()})")
    log.info("embedded.account_created", account=ACCOUNT_NAME)


def make_private_folder(folder: Path, account: Account) -> None:
    """Make a folder that only the account may enter; one that exists is taken back into that state."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    if account.is_other:
        os.chown(folder, account.user, account.group)


def write_private_file(file: Path, text: str, account: Account) -> None:
    """Write a file that only the account may read."""
    file.write_text(text)
    file.chmod(0o600)
    if account.is_other:
        os.chown(file, account.user, account.group)


def let_through(folder: Path, account: Account) -> None:
    """Let the account pass through, not read, the folder and its parents. Each one changed is named in the log."""
    if not account.is_other:
        return
    for parent in (folder, *folder.parents):
        mode = stat.S_IMODE(parent.stat().st_mode)
        if mode & stat.S_IXOTH or parent.stat().st_uid == account.user:
            continue
        parent.chmod(mode | stat.S_IXOTH)
        log.warning(
            "embedded.folder_opened",
            folder=str(parent),
            reason=f"the account {account.name} runs the database and has to pass through it; it cannot list it",
        )
