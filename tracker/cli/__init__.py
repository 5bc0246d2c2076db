"""The command line: one file a noun. Commands read options, call the composition root, and print."""

from tracker.cli.main import main

__all__ = ["main"]
