"""What commands print: answers to standard output, all else to standard error."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import msgspec
import structlog
import typer

from pronoia.cli.exit_codes import exit_code_of
from pronoia.domain.errors import ConfigurationError, PronoiaError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


def print_json(value: object) -> None:
    """Print one indented JSON document."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def private_file(path: Path) -> BinaryIO:
    """Create a file that only its owner may read, or empty it. Raises ConfigurationError."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror}). Choose another --output.") from error


def print_note(text: str) -> None:
    """Tell the person, not the program that reads the answer."""
    typer.echo(text, err=True)


@contextmanager
def reported_errors() -> Generator[None]:
    """Print an expected error as one sentence and exit with its code."""
    try:
        yield
    except PronoiaError as error:
        print_note(f"Error: {error.message}")
        raise typer.Exit(exit_code_of(error)) from error


def log_to_standard_error() -> None:
    """Keep the log out of answers that are piped on, and silent unless something is wrong."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
