"""What a command's exit code means."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from pronoia.domain.errors import ConfigurationError, InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from pronoia.domain.errors import PronoiaError


class ExitCode(IntEnum):
    """The same for every command."""

    SUCCESS = 0
    FAILURE = 1
    """It was tried and did not work, or not for everything."""
    USAGE = 2
    """The command line is wrong."""
    CONFIGURATION = 3
    """The operator has to change something: a setting, the data folder, the database."""
    UNAVAILABLE = 4
    """A part that is needed does not answer now. Trying again later can help."""


EXPLANATION = "Exit codes: 0 success, 1 failure, 2 usage, 3 configuration, 4 unavailable now."


def exit_code_of(error: PronoiaError) -> ExitCode:
    """Give the code that tells a script what kind of error it was."""
    match error:
        case ConfigurationError():
            return ExitCode.CONFIGURATION
        case UnavailableError():
            return ExitCode.UNAVAILABLE
        case InvalidInputError():
            return ExitCode.USAGE
        case _:
            return ExitCode.FAILURE
