"""What the command line writes: whole files, and never over the user's own."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sktandem.cli._options import FILES
from sktandem.exceptions import SourceError

__all__ = ["inert_cells", "refuse_inputs", "write_all"]

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula


def refuse_inputs(options: argparse.Namespace) -> None:
    """Refuse to write over a file that is read, or over another output."""
    outputs = [] if options.output is None else [options.output / n for n in FILES]
    for option, path in [
        *(("--output", path) for path in outputs),
        *([] if options.report is None else [("--report", options.report)]),
    ]:
        for other in options.files:
            # By what the names lead to, which may be links.
            if path.exists() and other.exists() and path.samefile(other):
                raise SourceError(
                    f"{option} would write {path.name} over {other}, which is read. "
                    f"Name another {'folder' if option == '--output' else 'file'}."
                )
    # A page may be asked for twice; anything else would be lost without a word.
    others = [path.resolve() for path in outputs if path.name != "report.html"]
    if options.report is not None and options.report.resolve() in others:
        raise SourceError(
            f"--report and --output would both write {options.report}. Name another "
            "file."
        )


def write_all(files: Mapping[Path, Callable[[Path], Any]]) -> None:
    """Write files, each by a function of where to, so that none is left half written.

    All are written aside and take their places at the end: a full disk leaves the
    files of before.
    """
    ready: dict[Path, Path] = {}
    try:
        for path, write in files.items():
            place = aside = path.resolve()  # a link stays a link
            if place.is_file() or not place.exists():  # not /dev/stdout
                aside = place.with_name(f".{os.getpid()}-{place.name}")
                ready[place] = aside
            try:
                write(aside)
            except OSError as error:
                raise SourceError(
                    f"{path} cannot be written: {error.strerror or error}. Free some "
                    "space, or name another place."
                ) from None
        for place, aside in ready.items():
            os.replace(aside, place)
    finally:
        for aside in ready.values():
            aside.unlink(missing_ok=True)


def inert_cells(frame: Any) -> Any:
    """Return a data frame whose strings a spreadsheet takes for text."""

    def inert(value: Any) -> Any:
        formula = isinstance(value, str) and value.startswith(FORMULA)
        return f"'{value}" if formula else value

    return frame.map(inert)
