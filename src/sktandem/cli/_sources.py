"""The user's own files as the sources of one table."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sktandem._telling import counted, did_you_mean
from sktandem.cli._files import Reading, counts_rows, read_file, text_columns
from sktandem.cli._targets import read_targets
from sktandem.data._stack import stack_sources
from sktandem.data._tables import pandas_for
from sktandem.exceptions import SourceError

__all__ = ["Tables", "read_sources"]

FEWEST_ROWS = 20
MANY_TEXTS = 50
MOST_TOLD = 12


@dataclass(frozen=True, eq=False)
class Tables:
    """Several datasets as one, and what a reader ought to know of them.

    Attributes
    ----------
    X, y, sample_source : array-like
        All rows, as :func:`~sktandem.stack_sources` gives them.

    groups : ndarray or None
        The group of each row.

    task : {"classification", "regression"}
        What y is.

    target : str
        What y is called.

    files : dict of {str: str}
        Where each source comes from.

    notes : tuple of str
        A sentence for each thing that was found or decided on the way.
    """

    X: Any
    y: Any
    sample_source: Any
    groups: Any
    task: str
    target: str
    files: dict[str, str]
    notes: tuple[str, ...] = ()


def read_sources(paths: Sequence[Path], reading: Reading) -> Tables:
    r"""Return the rows of several files, checked.

    Raises
    ------
    SourceError
        If a file cannot be read, or the files do not fit together.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     paths = [Path(folder, name) for name in ("clinic.csv", "lab.csv")]
    ...     for path in paths:
    ...         rows = [f"{number};{number % 3}" for number in range(20)]
    ...         _ = path.write_text("\n".join(["pulse;grade", *rows]))
    ...     tables = read_sources(paths, Reading(target="grade"))
    >>> tables.X.shape, tables.task, tables.notes[0]
    ((40, 1), 'regression', "clinic.csv is separated by ';'.")
    """
    notes: list[str] = []
    names = _source_names(paths)
    files = {name: path.name for name, path in zip(names, paths)}
    frames = {}
    for name, path in zip(names, paths):
        frame = read_file(path, reading, notes)
        frames[name] = _rows_kept(frame, path.name, reading, notes)
    _refuse_unknown("--ignore", reading.ignored, frames)
    targets = {name: frame[reading.target] for name, frame in frames.items()}
    task, targets = read_targets(targets, files, reading, notes)
    groups = [_groups_of(frame, files[n], reading) for n, frame in frames.items()]
    features = {
        name: _features(frame, files[name], reading, notes)
        for name, frame in frames.items()
    }
    try:
        datasets: dict[Hashable, Any] = {n: (features[n], targets[n]) for n in names}
        stacked = stack_sources(datasets, join=reading.join)
    except SourceError as error:
        # There, settings are parameters; here, options.
        told = re.sub(r"join='(\w+)'", r"--join \1", str(error))
        hints = [note for note in notes if "--missing" in note]
        raise SourceError(" ".join([told, *hints])) from None
    return Tables(
        _without_empty(stacked.X, notes),
        stacked.y,
        stacked.sample_source,
        np.concatenate(groups) if reading.groups else None,
        task,
        reading.target,
        files,
        tuple(dict.fromkeys(notes)),
    )


def _source_names(paths: Sequence[Path]) -> list[str]:
    """Name each source by its file; by its folder as well where files are alike."""
    if len(paths) < 2:
        raise SourceError(
            f"A comparison needs two files or more, got {counted(len(paths), 'file')}."
        )
    names = [re.sub(r"(\.csv|\.txt|\.tsv)?(\.\w+)?$", "", p.name) for p in paths]
    names = [name or path.name for name, path in zip(names, paths)]
    if len(set(names)) < len(names):
        parents = [path.resolve().parent.name for path in paths]
        names = [f"{parent}/{name}" for parent, name in zip(parents, names)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SourceError(
            f"Two files would both be called {twice!r}. Sources are named by their "
            "files: rename one of them."
        )
    return names


def _rows_kept(frame: Any, name: str, reading: Reading, notes: list[str]) -> Any:
    """Return the rows of a file that have a target."""
    for option, columns in (
        ("--target", [reading.target]),
        ("--groups", reading.groups),
    ):
        _refuse_unknown(option, columns, {name: frame}, f"{name} has no column")
    if reading.target in (*reading.groups, *reading.ignored):
        raise SourceError(f"{reading.target!r} is the target, and cannot be left out.")
    kept = frame[frame[reading.target].notna()]
    n_dropped = len(frame) - len(kept)
    if n_dropped:
        told = counted(n_dropped, "row")
        notes.append(f"{told} of {name} without {reading.target!r} left out.")
    again = int(kept.duplicated().sum())
    if again and reading.drop_duplicates:
        kept = kept[~kept.duplicated()]
        notes.append(f"{counted(again, 'row')} of {name} that repeat another left out.")
    elif again:
        notes.append(
            f"{counted(again, 'row')} of {name} repeat another in every value, so that "
            "a training row may give a test row away: --drop-duplicates."
        )
    if len(kept) < FEWEST_ROWS:
        raise SourceError(
            f"{name} has {counted(len(kept), 'row')} with a value of "
            f"{reading.target!r}, and {FEWEST_ROWS} are the least to compare anything "
            "on. Below 50, no verdict is given."
        )
    return kept.reset_index(drop=True)


def _refuse_unknown(
    option: str, columns: Sequence[str], frames: dict[str, Any], head: str = ""
) -> None:
    known = list(dict.fromkeys(c for frame in frames.values() for c in frame))
    for column in columns:
        if column in known:
            continue
        told = f"{known[:MOST_TOLD]}{' and more' if len(known) > MOST_TOLD else ''}"
        raise SourceError(
            f"{head or f'{option}: no file has a column'} {column!r}. The columns are "
            f"{told}.{did_you_mean(column, known)}"
        )


# The columns of one file


def _groups_of(frame: Any, name: str, reading: Reading) -> Any:
    """Return the group of each row as a string, alike in all files."""
    if not reading.groups:
        return None
    parts = frame[list(reading.groups)]
    lacking = parts.isna().any(axis=1)
    if lacking.any():
        raise SourceError(
            f"--groups {' '.join(reading.groups)} is missing in "
            f"{counted(int(lacking.sum()), 'row')} of {name}. Fill it in, or drop them."
        )
    columns = [[_written(value) for value in parts[c]] for c in parts]
    return np.array([" ".join(cells) for cells in zip(*columns)], dtype=object)


def _written(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _features(frame: Any, name: str, reading: Reading, notes: list[str]) -> Any:
    """Return the columns to predict from: floats, integers and strings."""
    apart = {reading.target, *reading.groups, *reading.ignored}
    frame = frame[[c for c in frame if c not in apart]]
    if frame.shape[1] == 0:
        raise SourceError(
            f"{name} has no column left to predict {reading.target!r} from."
        )
    texts = set(text_columns(frame))
    return frame.assign(
        **{
            c: _as_strings(frame[c], name, notes)
            if c in texts or frame[c].dtype.kind == "b"
            else _as_numbers(frame[c], name, notes)
            for c in frame
        }
    )


def _as_numbers(values: Any, name: str, notes: list[str]) -> Any:
    if counts_rows(values):
        notes.append(
            f"{values.name!r} of {name} counts its rows: --ignore {values.name} if it "
            "tells nothing else."
        )
    if not isinstance(values.dtype, np.dtype):
        values = values.astype(np.float64)
    if values.dtype.kind != "f":
        return values
    infinite = np.isinf(values)
    if infinite.any():
        told = counted(int(infinite.sum()), "infinite value")
        notes.append(f"{told} in {values.name!r} of {name} taken for missing.")
        values = values.mask(infinite)
    return values


def _as_strings(values: Any, name: str, notes: list[str]) -> Any:
    pd = pandas_for(name)
    present = values.dropna()
    kind = pd.api.types.infer_dtype(present)
    if kind not in ("string", "boolean", "categorical", "empty", "mixed-integer"):
        raise SourceError(
            f"{values.name!r} of {name} holds {kind}, which is neither numbers nor "
            f"categories. Leave it out: --ignore {values.name}"
        )
    present = present.astype(str)
    _note_odd_strings(present, name, notes)
    return present.reindex(values.index).astype(object)


def _note_odd_strings(present: Any, name: str, notes: list[str]) -> None:
    """Note strings that are mostly numbers, or mostly different."""
    pd = pandas_for(name)
    different = present.nunique()
    odd = present[pd.to_numeric(present, errors="coerce").isna()].unique()
    if 0 < len(odd) <= 3 and len(odd) < different / 3:
        notes.append(
            f"{present.name!r} of {name} holds numbers beside "
            f"{', '.join(map(repr, odd))}, and so counts as categories. If that means "
            f"a missing value: --missing {odd[0]!r}"
        )
    elif different > max(MANY_TEXTS, len(present) / 5):
        notes.append(
            f"{present.name!r} of {name} has {different:,} different strings in "
            f"{len(present):,} rows, more like names than categories: --ignore "
            f"{present.name}"
        )


def _without_empty(X: Any, notes: list[str]) -> Any:
    empty = [c for c in X if X[c].isna().all()]
    if len(empty) == X.shape[1]:
        raise SourceError("No column but the target has any value.")
    if empty:
        notes.append(f"The columns {empty} hold no value at all: left out.")
    return X.drop(columns=empty)
