"""What the command line writes: whole files, and never over the user's own."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sktandem.cli._options import FILES, named_file
from sktandem.exceptions import SourceError

__all__ = ["inert", "inert_cells", "outputs_of", "refuse_inputs", "write_all"]

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula


def outputs_of(options: argparse.Namespace) -> list[tuple[str, Path]]:
    """Return the files that a comparison writes, each with its option."""
    folder = [] if options.output is None else [options.output / n for n in FILES]
    page = [] if options.report is None else [("--report", options.report)]
    # A page may be asked for twice; anything else would be lost without a word.
    others = [path.resolve() for path in folder if path.name != "report.html"]
    if page and options.report.resolve() in others:
        raise SourceError(
            f"--report and --output would both write {options.report}. Name another "
            "file."
        )
    return [*(("--output", path) for path in folder), *page]


def refuse_inputs(
    outputs: Iterable[tuple[str, Path]], inputs: Sequence[str | Path]
) -> None:
    """Refuse to write over a file that is read."""
    read = [named_file(str(given))[1] for given in inputs]
    for option, path in outputs:
        for other in read:
            # By what the names lead to, which may be links.
            if path.exists() and other.exists() and path.samefile(other):
                of_folder = option == "--output" and path.name in FILES
                raise SourceError(
                    f"{option} would write {path.name} over {other}, which is read. "
                    f"Name another {'folder' if of_folder else 'file'}."
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


def inert(value: Any) -> Any:
    """Return a cell that a spreadsheet takes for text, if it is text."""
    formula = isinstance(value, str) and value.startswith(FORMULA)
    return f"'{value}" if formula else value


def inert_cells(frame: Any) -> Any:
    """Return a data frame whose strings a spreadsheet takes for text."""
    return frame.map(inert)
