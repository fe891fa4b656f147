"""Settings that name no file or no column, and so would have no effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sktandem._telling import did_you_mean
from sktandem.files._file import text_columns
from sktandem.files._reading import Reading, parse_conversion

__all__ = ["idle_settings"]

BY_SOURCE = ("separator", "decimal", "encoding", "date_order")


def idle_settings(
    frames: Mapping[Any, Any],
    files: Sequence[Any],
    columns: Sequence[Any],
    reading: Reading,
) -> Iterator[str]:
    """Yield a sentence for each.

    `frames` are the tables by source, `files` the names by which they were given,
    `columns` those of all files as they were read.
    """
    sources = list(map(str, frames))
    for setting in BY_SOURCE:
        given = getattr(reading, setting)
        for name in given if isinstance(given, Mapping) else ():
            if str(name) not in (*sources, *map(str, files)):
                yield _no_source(reading.spelt(setting), name, sources)
    for conversion in reading.convert:
        source, column, *_ = parse_conversion(conversion)
        option = reading.option("convert", conversion)
        if source not in frames:
            yield _no_source(option, source, sources)
        elif column not in frames[source]:
            near = did_you_mean(column, frames[source])
            yield f"{option}: {source} has no column {column!r}.{near}"
        elif (
            column in text_columns(frames[source])
            or frames[source][column].dtype.kind in "mM"
        ):
            yield f"{option}: {column!r} of {source} does not hold numbers."
    for old in reading.rename:
        if old not in columns:
            near = did_you_mean(old, columns)
            yield f"{reading.spelt('rename')}: no file has a column {old!r}.{near}"
    known = (*columns, *reading.rename.values())
    for setting in ("map", "missing"):
        for cell in getattr(reading, setting):
            # A cell may hold a colon itself, but hardly behind what is nearly a name.
            column, colon, _ = str(cell).partition(":")
            near = did_you_mean(column, known)
            if colon and near and column not in known:
                yield (
                    f"{reading.spelt(setting)} names {str(cell)!r}, and no file has a "
                    f"column {column!r}.{near}"
                )


def _no_source(option: str, name: Any, sources: Sequence[str]) -> str:
    return (
        f"{option} names {str(name)!r}, which is not a source. The sources are "
        f"{list(sources)}.{did_you_mean(name, sources)}"
    )
