"""Which source each row came from: keyword or column, one resolver, one record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem._telling import counted, did_you_mean, warn
from sktandem.data._tables import (
    as_table,
    column_names,
    drop_column,
    from_tensor,
    is_frame,
    is_missing,
    is_tensor,
    n_rows,
    numeric_columns,
    refuse_hidden,
    take_column,
)
from sktandem.exceptions import SourceError

__all__ = [
    "ONLY_SOURCE",
    "UNKNOWN",
    "Codes",
    "Labels",
    "Sources",
    "as_labels",
    "distinct",
    "find_column",
    "matched",
    "plain_label",
    "resolve_sources",
    "split_source",
    "warn_of_source_among_features",
]

UNKNOWN = -1
ONLY_SOURCE = "all"
FEW = 4
Labels = list[Any] | NDArray[Any]
Codes = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, eq=False)
class Sources:
    """The source of every row.

    `codes` holds a position in `names` for each row, or ``UNKNOWN`` for a row
    whose source was not there in fit (such rows come with predict only). It is
    of the smallest integer type that holds them: cast before you calculate.
    """

    names: tuple[Hashable, ...]
    codes: Codes

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """The number of rows of each source."""
        return np.bincount(self.codes, minlength=len(self.names))

    @cached_property
    def rows(self) -> tuple[NDArray[np.intp], ...]:
        """The row numbers of each source, ascending."""
        # Stable, so that the rows of a source stay in order; codes of one or two bytes
        # numpy then sorts by their digits, which is also the fastest way.
        order = np.argsort(self.codes, kind="stable")
        return tuple(np.split(order, np.cumsum(self.sizes)[:-1]))

    @cached_property
    def labels(self) -> NDArray[Any]:
        """The name of each row's source, as an array of objects; None if unknown."""
        names = np.full(len(self.names) + 1, None, dtype=object)  # UNKNOWN is the last
        names[:-1] = self.names
        return np.asarray(names[self.codes])

    def __getstate__(self) -> dict[str, Any]:
        return {"names": self.names, "codes": self.codes}  # the rest is derived

    def take(self, rows: NDArray[np.intp]) -> Sources:
        """Return the sources of some rows, without the names that go empty."""
        codes = self.codes[rows]
        sizes = np.bincount(codes[codes != UNKNOWN], minlength=len(self.names))
        kept = np.flatnonzero(sizes)
        places = np.full(len(self.names) + 1, UNKNOWN, dtype=codes.dtype)
        places[kept] = np.arange(len(kept))
        return Sources(tuple(self.names[code] for code in kept), places[codes])

    def among(self, names: Sequence[Hashable]) -> Sources:
        """Return the same rows by other names; ``UNKNOWN`` where they have none."""
        position = {name: code for code, name in enumerate(names)}
        places = [position.get(name, UNKNOWN) for name in (*self.names, None)]
        places[-1] = UNKNOWN  # where a code of -1 points
        known = np.array(places, dtype=_smallest(len(names)))
        return Sources(tuple(names), known[self.codes])


def resolve_sources(
    X: Any,
    sample_source: Any = None,
    *,
    source: str | int | None = None,
    fitting: bool = True,
) -> tuple[Any, Sources]:
    """Find every row's source from the keyword or the column.

    Labels must be complete; with no label at all there is one source.

    Parameters
    ----------
    X : table of shape (n_samples, n_features)
        Rows of all sources.

    sample_source : array-like of shape (n_samples,), default=None
        A label for each row. It wins over the column.

    source : str or int, default=None
        Name or position of the column of X that holds the labels.

    fitting : bool, default=True
        Whether to refuse labels that look like measurements. A few rows to
        score may hold more sources than one would expect of so few.

    Returns
    -------
    features : table
        X without the column.

    sources : Sources
        The record of all rows.
    """
    features, labels = split_source(X, sample_source, source)
    if labels is None:
        return features, Sources((ONLY_SOURCE,), np.zeros(n_rows(features), np.int8))
    sources = _record(labels)
    if fitting and sample_source is None:
        _refuse_transformed(sources, source)
    elif fitting:
        _refuse_measurements(sources)
    return features, sources


def split_source(
    X: Any, sample_source: Any = None, source: str | int | None = None
) -> tuple[Any, Labels | None]:
    """Return the features and the raw labels, None where none were given."""
    table = as_table(X)
    labels = None
    if source is not None:
        position = find_column(X, source)
        labels = as_labels(take_column(table, position))
        table = drop_column(table, position)
    if sample_source is not None:
        labels = as_labels(sample_source)
        if len(labels) != n_rows(table):
            raise SourceError(
                f"sample_source must label every sample: X has {n_rows(table)}, "
                f"sample_source has {len(labels)}. "
                "stack_sources builds X, y and sample_source together."
            )
    return table, labels


def distinct(labels: Labels) -> tuple[tuple[Any, ...], Codes]:
    """Return the distinct labels in order, and each label's position among them."""
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "mM":
        labels = _as_datetimes(labels).tolist()
    if isinstance(labels, np.ndarray) and labels.dtype != object:
        seen, codes = _told_apart(labels)
    else:
        seen, codes = _hashed(list(labels))
    names = _in_order(seen)
    position = {name: code for code, name in enumerate(names)}
    order = np.array([position[name] for name in seen], dtype=_smallest(len(seen)))
    return tuple(plain_label(name) for name in names), order[codes]


def _as_datetimes(labels: NDArray[Any]) -> NDArray[Any]:
    """Return dates and durations as Python knows them, to the microsecond."""
    rounded = labels.astype(f"{labels.dtype.kind}8[us]")
    finer = (rounded.astype(labels.dtype) != labels) & ~np.isnat(labels)
    if finer.any():
        raise SourceError(
            f"Labels hold {labels[finer][0]}, finer than a microsecond: rounded, two "
            "could become one. Pass them as text, labels.astype(str)."
        )
    return rounded


def _smallest(n_codes: int) -> np.dtype[Any]:
    return np.min_scalar_type(-max(n_codes, 1))  # negative, so that UNKNOWN fits


def _told_apart(labels: NDArray[Any]) -> tuple[list[Any], Codes]:
    """Number the labels of an array, in order of appearance.

    A few labels are found by comparing the whole array to each, at a fraction
    of the time that a Python object for every row takes.
    """
    seen: list[Any] = []
    codes = np.full(len(labels), UNKNOWN, np.int8)
    for code in range(FEW):
        first = int(np.argmin(codes)) if len(codes) else 0
        if len(codes) == 0 or codes[first] != UNKNOWN:
            return seen, codes
        label = labels[first]
        codes[labels == label] = code
        if codes[first] == UNKNOWN:  # nan, which equals nothing
            break
        seen.append(label.item())
    return _hashed(labels.tolist())


def _hashed(labels: list[Any]) -> tuple[list[Any], Codes]:
    """Number any labels, in order of appearance.

    Hashing, unlike np.unique, never spells the number 1 as the text '1'.
    """
    # A label that is new gets the next number from the dict itself: no line of Python
    # is run for a row.
    position: defaultdict[Any, int] = defaultdict(count().__next__)
    try:
        found = map(position.__getitem__, labels)
        codes = np.fromiter(found, np.intp, len(labels))
    except TypeError:
        odd = next(label for label in labels if not isinstance(label, Hashable))
        raise SourceError(
            f"Labels must be hashable, got {odd!r} of type {type(odd).__name__}."
        ) from None
    return list(position), codes


def _in_order(labels: Iterable[Any]) -> list[Any]:
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=lambda label: (type(label).__name__, str(label)))


def plain_label(label: Any) -> Any:
    """Return a label as a plain Python value, whole floats as integers."""
    label = label.item() if isinstance(label, np.generic) else label
    if isinstance(label, float) and label.is_integer():
        return int(label)
    return label


def _record(labels: Labels) -> Sources:
    """Record the labels of fit, which must be complete and tell apart."""
    names, codes = distinct(labels)
    if any(map(is_missing, names)):
        missing = [row for row, label in enumerate(labels) if is_missing(label)]
        raise SourceError(
            f"sample_source leaves {counted(len(missing), 'sample')} unlabelled, the "
            f"first at row {missing[0]}. Drop them, or give them a name of their own."
        )
    # 1 and "1" are two sources to Python, and one in a key or a table that is printed.
    spelt: dict[str, Hashable] = {}
    for name in names:
        twin = spelt.setdefault(str(name), name)
        if twin is not name:
            raise SourceError(
                f"The sources {twin!r} and {name!r} read the same as text. Rename one: "
                "names become parts of keys such as 'f1_macro[red]'."
            )
    return Sources(names, codes)


def matched(labels: Labels | None, n: int, names: Sequence[Hashable]) -> Sources:
    """Find the labels of predict among the names of fit."""
    if labels is None:
        return Sources(tuple(names), np.full(n, UNKNOWN, np.int8))
    return Sources(*distinct(labels)).among(names)


def as_labels(values: Any, name: str = "sample_source") -> Labels:
    """Return labels of any container as an array, or a list of plain values."""
    if isinstance(values, str) and name == "sample_source":
        raise SourceError(
            f"sample_source must hold one label per row, got the text {values!r}. If "
            f"that is a column of X, use source={values!r}; if it is the source of all "
            f"rows, [{values!r}] * len(X)."
        )
    one_each = f"{name} must hold one label per row, got"
    # The order of a set is that of no rows.
    unordered = isinstance(values, str | Set | Mapping)
    if unordered or not hasattr(values, "__iter__"):
        raise SourceError(f"{one_each} {type(values).__name__} {values!r}.")
    refuse_hidden(name, values)
    if is_tensor(values):
        values = from_tensor(name, values)
    if is_frame(values) and values.shape[1] == 1:
        values = take_column(values, 0)
    shape = getattr(values, "shape", None)
    if shape is not None and len(shape) == 2 and shape[1] == 1:
        values = values.reshape(-1)
        shape = values.shape
    if shape is not None and len(shape) != 1:
        raise SourceError(f"{one_each} shape {tuple(shape)}.")
    if isinstance(values, np.ndarray):
        return values
    for method in ("tolist", "to_list", "to_pylist"):
        if hasattr(values, method):
            return list(getattr(values, method)())
    return list(values)


def find_column(X: Any, source: str | int, *, parameter: str = "source") -> int:
    """Return the position of the column that `source` names."""
    shape: tuple[int, ...] = getattr(X, "shape", None) or as_table(X).shape
    if len(shape) != 2:
        raise SourceError(
            f"{parameter}={source!r} names a column, but X has shape {tuple(shape)}. "
            "Pass sample_source instead."
        )
    if isinstance(source, int | np.integer) and not isinstance(source, bool):
        if not -shape[1] <= source < shape[1]:
            raise SourceError(
                f"{parameter}={source} is not a column of X, which has {shape[1]} "
                "columns. An estimator or transformer in front may have dropped it: "
                "put the estimator outermost, with the preprocessing inside it."
            )
        return int(source) % shape[1]
    names = column_names(X)
    if names is None:
        raise SourceError(
            f"{parameter}={source!r} is a column name, but X is a "
            f"{type(X).__name__} without names. Pass a data frame or the column's "
            "position. Where a transformer in front took the names, put the estimator "
            "outermost, with the preprocessing inside it."
        )
    if source not in names:
        raise SourceError(
            f"{parameter}={source!r} is not a column of X. The columns are "
            f"{_shortened(names)}.{did_you_mean(source, names)} Where a transformer in "
            "front dropped or renamed it, put the estimator outermost, with the "
            "preprocessing inside it."
        )
    if names.count(source) > 1:
        raise SourceError(
            f"{parameter}={source!r} is the name of {names.count(source)} columns of "
            "X. Rename all but one."
        )
    return names.index(source)


def _shortened(names: list[Any], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return f"[{shown}{more}]"


def warn_of_source_among_features(X: Any, sample_source: Any) -> None:
    """Say so if a column of words in X is the source, which then is a feature."""
    if not is_frame(X) or sample_source is None:
        return
    numeric = set(numeric_columns(X))
    names = column_names(X) or []
    given = as_labels(sample_source)
    for place, name in enumerate(names):
        if place in numeric:
            continue
        if len(given) == n_rows(X) and _all_same(take_column(X, place), given):
            warn(
                f"The column {name!r} of X holds the source of every row, and is a "
                f"feature as well. source={name!r} takes it out of the features."
            )


def _all_same(column: Any, labels: Labels) -> bool:
    pairs = zip(np.asarray(column, dtype=object), labels)
    # A missing value equals nothing, and may not even say so.
    return all(
        isinstance(value, Hashable) and not is_missing(value) and value == label
        for value, label in pairs
    )


def _refuse_measurements(sources: Sources) -> None:
    """Refuse numbers that tell rows apart, such as weights in the wrong place."""
    names, n_rows = sources.names, len(sources.codes)
    broken = any(isinstance(name, float) for name in names)
    if broken and len(names) > max(10, n_rows / 2):
        raise SourceError(
            f"sample_source holds {len(names)} different numbers in {n_rows} rows, so "
            "it looks like a measurement. Pass weights as sample_weight=, and numbers "
            "that are names as strings."
        )


def _refuse_transformed(sources: Sources, column: str | int | None) -> None:
    """Refuse a column that a scaler or a projection has been at."""
    names, n_rows = sources.names, len(sources.codes)
    broken = [name for name in names if isinstance(name, float)]
    # Ten values are few enough to be sources, whatever the number of rows.
    if broken or len(names) > max(10, n_rows / 2):
        such = f", {broken[0]:.3g} among them," if broken else ""
        raise SourceError(
            f"The column {column!r} holds {len(names)} different values{such} in "
            f"{n_rows} rows, so it looks transformed. Put the estimator outermost, "
            "with the scaler inside it."
        )
