"""The rows and columns of each file that are to be learned from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from numbers import Number
from typing import Any

import numpy as np

from sktandem._telling import counted, did_you_mean
from sktandem.data._tables import pandas_for
from sktandem.exceptions import SourceError
from sktandem.files._cells import as_strings, written
from sktandem.files._file import counts_rows, text_columns
from sktandem.files._reading import Problem, Reading
from sktandem.files._twins import Difference

__all__ = [
    "features_of",
    "groups_of",
    "refuse_unknown",
    "rows_kept",
    "without_clashes",
    "without_empty",
]

MANY_STRINGS = 50
MOST_SHOWN = 12


def rows_kept(frame: Any, name: str, reading: Reading, notes: list[str]) -> Any:
    """Return the rows of a file that have a target."""
    for setting, columns in (("target", [reading.target]), ("groups", reading.groups)):
        refuse_unknown(setting, columns, {name: frame}, reading, name)
    if reading.target in (*reading.groups, *reading.ignore):
        raise SourceError(f"{reading.target!r} is the target, and cannot be left out.")
    kept = frame[frame[reading.target].notna()]
    n_dropped = len(frame) - len(kept)
    if n_dropped:
        told = counted(n_dropped, "row")
        notes.append(f"{told} of {name} without {reading.target!r} left out.")
    again_option = reading.option("drop_duplicates")
    again = int(kept.duplicated().sum())
    if again and reading.drop_duplicates:
        kept = kept[~kept.duplicated()]
        notes.append(f"{counted(again, 'row')} of {name} that repeat another left out.")
    elif again:
        notes.append(
            f"{counted(again, 'row')} of {name} repeat another in every value, so that "
            f"a training row may give a test row away: {again_option}."
        )
    if len(kept) < reading.fewest:
        raise SourceError(
            f"{name} has {counted(len(kept), 'row')} with a value of "
            f"{reading.target!r}, and at least {reading.fewest} are needed."
        )
    return kept.reset_index(drop=True)


def refuse_unknown(
    setting: str,
    columns: Sequence[str],
    frames: dict[Any, Any],
    reading: Reading,
    of: str | None = None,
) -> None:
    """Refuse columns that the files, or that one, do not have."""
    known = list(dict.fromkeys(c for frame in frames.values() for c in frame))
    head = f"{reading.spelt(setting)}: no file has a column"
    head = head if of is None else f"{of} has no column"
    for column in columns:
        if column in known:
            continue
        shown = f"{known[:MOST_SHOWN]}{' and more' if len(known) > MOST_SHOWN else ''}"
        raise SourceError(
            f"{head} {column!r}. The columns are {shown}.{did_you_mean(column, known)}"
        )


# The columns of one file


def groups_of(frame: Any, name: str, reading: Reading) -> Any:
    """Return the group of each row as a string, alike in all files."""
    if not reading.groups:
        return None
    parts = frame[list(reading.groups)]
    missing = parts.isna().any(axis=1)
    if missing.any():
        raise SourceError(
            f"{reading.option('groups', *reading.groups)} is missing in "
            f"{counted(int(missing.sum()), 'row')} of {name}. Fill it in, or drop them."
        )
    columns = [[written(value) for value in parts[c]] for c in parts]
    return np.array([" ".join(cells) for cells in zip(*columns)], dtype=object)


def features_of(
    frame: Any, name: str, reading: Reading, notes: list[str], problems: list[str]
) -> Any:
    """Return the columns to predict from: floats, integers, dates and strings."""
    apart = {reading.target, *reading.groups, *reading.ignore}
    frame = frame[[c for c in frame if c not in apart]].copy(deep=False)
    if frame.shape[1] == 0:
        problems.append(
            f"{name} has no column left to predict {reading.target!r} from."
        )
    strings = set(text_columns(frame))
    for column in frame:
        values = frame[column]
        if column in strings or values.dtype.kind == "b":
            try:
                frame[column] = _as_strings(values, name, reading, notes)
            except SourceError as error:
                problems.append(str(error))
                frame = frame.drop(columns=column)
        elif values.dtype.kind not in "mM":
            frame[column] = _as_numbers(values, name, reading, notes)
    return frame


def _as_numbers(values: Any, name: str, reading: Reading, notes: list[str]) -> Any:
    if counts_rows(values):
        notes.append(
            f"{values.name!r} of {name} counts its rows: "
            f"{reading.option('ignore', values.name)} if it says nothing else."
        )
    if not isinstance(values.dtype, np.dtype):
        values = values.astype(np.float64)
    if values.dtype.kind != "f":
        return values
    infinite = np.isinf(values)
    if infinite.any():
        n = counted(int(infinite.sum()), "infinite value")
        notes.append(f"{n} in {values.name!r} of {name} taken for missing.")
        values = values.mask(infinite)
    return values


def _as_strings(values: Any, name: str, reading: Reading, notes: list[str]) -> Any:
    """Return strings and booleans as strings, dates in objects as dates."""
    pd = pandas_for(name)
    present = values.dropna()
    kind = pd.api.types.infer_dtype(present)
    if kind in ("date", "datetime", "datetime64"):
        return pd.to_datetime(values)
    if kind not in ("string", "boolean", "categorical", "empty", "mixed-integer"):
        raise SourceError(
            f"{values.name!r} of {name} holds {kind}, which is neither numbers, "
            f"strings nor dates. Leave it out: {reading.option('ignore', values.name)}"
        )
    strings = as_strings(values)
    different = strings.nunique()
    if different > max(MANY_STRINGS, len(present) / 5):
        notes.append(
            f"{values.name!r} of {name} has {different:,} different strings in "
            f"{len(present):,} rows, more like names than categories: "
            f"{reading.option('ignore', values.name)}"
        )
    return strings


def without_clashes(
    features: dict[Any, Any],
    files: dict[Any, str],
    differences: Iterable[Difference],
    reading: Reading,
    problems: list[str],
) -> dict[Any, Any]:
    """Empty, and say, columns that hold strings in one file and numbers in another."""
    open_ones = defaultdict(list)
    for found in differences:
        if not found.settled:
            option = reading.option(found.setting, *found.values)
            open_ones[found.column].append(option)
    clashing = set()
    for column in dict.fromkeys(c for frame in features.values() for c in frame):
        kinds: dict[str, tuple[str, Any]] = {}
        for name, frame in features.items():
            if column not in frame:
                continue
            present = frame[column].dropna()
            if len(present):
                kind = {"O": "strings", "M": "dates", "m": "durations"}
                said = kind.get(present.dtype.kind, "numbers")
                kinds.setdefault(said, (files[name], present.iloc[0]))
        if len(kinds) < 2:
            continue
        clashing.add(column)
        held = " and ".join(
            f"{kind} in {file}, such as {_shown(first)}"
            for kind, (file, first) in kinds.items()
        )
        told = f"{column!r} holds {held}. "
        if column in open_ones:
            told += f"Use {' and '.join(dict.fromkeys(open_ones[column]))}"
            problems.append(told)
        else:
            told += f"Leave it out: {reading.option('ignore', column)}"
            problems.append(Problem.settled_by("ignore", column, told=told))
    return {
        name: frame.assign(**{c: np.nan for c in clashing if c in frame})
        for name, frame in features.items()
    }


def _shown(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value).removesuffix(" 00:00:00")
    return f"{value:.10g}" if isinstance(value, Number) else repr(value)


def without_empty(X: Any, notes: list[str]) -> Any:
    """Leave out columns without any value."""
    empty = [c for c in X if X[c].isna().all()]
    if len(empty) == X.shape[1]:
        raise SourceError("No column but the target has any value.")
    if empty:
        notes.append(f"The columns {empty} hold no value at all: left out.")
    return X.drop(columns=empty)
