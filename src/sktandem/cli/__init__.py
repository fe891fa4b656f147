"""The command line: files of the user's, compared and reported."""

from sktandem.cli._main import main

__all__ = ["main"]
