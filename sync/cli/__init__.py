"""The commands. `main` is the entry point of the `sverka` program."""

from sync.cli.app import main

__all__ = ["main"]
