"""Test settings that must stand before torch is first imported."""

import os
import re
from importlib.util import find_spec

from hypothesis import settings

# How long an example takes tells of the machine and what else it does.
settings.register_profile("any machine", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=10)
settings.register_profile("mutants", deadline=None, max_examples=5, derandomize=True)
settings.load_profile("any machine")

# Test workers run side by side; threads of theirs would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A light install is tested by the files that need no more than it has. What brings
# the rest is asked for at the top of a file, or in an example of a docstring.
NETS = ["torch", "skorch"]
MISSING = [
    library
    for library in [*NETS, "transformers", "pandas", "matplotlib", "polars", "imblearn"]
    if find_spec(library) is None
]
LAZY = ""  # the net that sktandem itself imports on first use
if {*NETS} & {*MISSING}:
    MISSING += ["sktandem.nn", "sktandem.text"]
    LAZY = r"|from sktandem import (?:\([^)]*|.*)\bSharedNet"
ASKED_FOR = re.compile(
    rf"^(?:\s*>>> )?(?:(?:from|import) (?:{'|'.join(MISSING)})\b{LAZY})", re.MULTILINE
)


def pytest_ignore_collect(collection_path):
    """Leave out a file that asks for what is missing."""
    if not MISSING or collection_path.suffix != ".py":
        return None
    if LAZY and {"nn", "text"} & {*collection_path.parts}:
        return True
    text = collection_path.read_text(encoding="utf-8")
    return True if ASKED_FOR.search(text) else None


def pytest_report_header():
    """Say what the install is without."""
    return f"without {', '.join(MISSING)}" if MISSING else None
