"""The libraries that not every user needs, and how to get them."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["is_installed", "require"]

# What brings each of them: sktandem[...].
EXTRAS = {
    "torch": "nets",
    "skorch": "nets",
    "safetensors": "nets",
    "transformers": "text",
    "pandas": "notebook",
    "matplotlib": "notebook",
    "openpyxl": "files",
    "pyarrow": "files",
    "skops": "files",
}


def is_installed(library: str) -> bool:
    """Tell whether a library is there, without importing it."""
    try:
        return find_spec(library) is not None
    except ImportError:  # of a finder that refuses it
        return False


def require(what: str, *libraries: str) -> None:
    """Raise an ImportError with the command to type, if any of them is missing.

    A library that is installed and broken is not refused here: its own error, at
    its import, tells more.
    """
    missing = [library for library in libraries if not is_installed(library)]
    if not missing:
        return
    *others, last = missing
    named = f"{', '.join(others)} and {last}" if others else last
    # A later one comes with an extra that brings those before it.
    raise ImportError(
        f"{what} needs {named}. Install {'them' if others else 'it'} with: "
        f'pip install "sktandem[{EXTRAS[last]}]"'
    )
