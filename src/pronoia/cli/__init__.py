"""The command line: one command a file."""

from __future__ import annotations

from pronoia.cli.commands import app


def main() -> None:
    """Run the command that was typed, and exit with one of the codes in exit_codes."""
    app()
