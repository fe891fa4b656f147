"""The columns of a table, numbers or categories, read for comparison."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from numbers import Number
from typing import Any, Literal

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sktandem._typing import Floats
from sktandem.data._sources import Sources, distinct
from sktandem.data._tables import (
    column_names,
    is_frame,
    is_missing,
    moments_of,
    numeric_columns,
    take_column,
    to_floats,
)

__all__ = [
    "OTHER",
    "Column",
    "Floats",
    "Kind",
    "number_column",
    "read_columns",
    "word_column",
]


Kind = Literal["number", "category", "clash"]


MOST_CATEGORIES = 60


OTHER = "(other)"


@dataclass(frozen=True, eq=False)
class Column:
    """One column: numbers with NaN for missing, or codes with -1 for missing."""

    name: Hashable
    kind: Kind
    values: NDArray[Any]
    categories: tuple[Any, ...] = ()
    words: dict[Hashable, str] | None = None
    dated: bool = False  # numbers that are seconds since 1970

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which rows hold a value."""
        if self.kind == "number":
            return np.asarray(~np.isnan(self.values))
        return np.asarray(self.values >= 0)


def read_columns(X: Any, sources: Sources) -> Iterator[Column]:
    """Yield the columns of a table of any kind, one at a time."""
    names = column_names(X)
    numeric = set(numeric_columns(X)) if is_frame(X) else set()
    if not is_frame(X) and X.dtype.kind in "iufb":
        numeric = set(range(X.shape[1]))
    if sparse.issparse(X):
        X = X.tocsc()
    for place in range(X.shape[1]):
        name = place if names is None else names[place]
        if place in numeric and is_frame(X):
            yield number_column(name, to_floats(X, [place])[:, 0])
        elif place in numeric:
            yield number_column(name, take_column(X, place))
        else:
            yield word_column(name, take_column(X, place), sources)


def number_column(name: Hashable, values: Any) -> Column:
    """Return numbers as a column; at most two different ones are categories."""
    values = np.asarray(values, dtype=np.float64)
    present = np.isfinite(values)
    if not present.all():  # an infinite value is no measurement either
        values = np.where(present, values, np.nan)
    some = values[present]
    if len(some) == 0:
        return Column(name, "number", values)
    low, high = float(some.min()), float(some.max())
    if np.all((some == low) | (some == high)):
        codes = np.where(present, (values == high) & (low < high), -1).astype(np.int32)
        names = [int(v) if v.is_integer() else v for v in (low, high)]
        return Column(name, "category", codes, tuple(dict.fromkeys(names)))
    return Column(name, "number", values)


def word_column(name: Hashable, column: Any, sources: Sources) -> Column:
    """Return a column of words, dates or objects of any kind."""
    kind = getattr(column.dtype, "kind", "O")
    if kind == "M" or getattr(column.dtype, "is_temporal", bool)():
        dated = kind == "M" or str(column.dtype).startswith("Date")
        return replace(number_column(name, _as_seconds(column)), dated=dated)
    values = list(column.to_list() if hasattr(column, "to_list") else column.tolist())
    lacks = np.fromiter(map(is_missing, values), bool, len(values))
    words = [_word(value) for value in values]
    if not lacks.all() and {w for w, gone in zip(words, lacks) if not gone} == {
        "numbers"
    }:
        numbers = [np.nan if gone else float(v) for v, gone in zip(values, lacks)]
        return number_column(name, numbers)
    held = {
        source: {words[row] for row in rows.tolist() if not lacks[row]}
        for source, rows in zip(sources.names, sources.rows)
    }
    told = [kinds for kinds in held.values() if kinds]
    if any(kinds != told[0] for kinds in told) and not set.intersection(*told):
        spoken = {s: " and ".join(sorted(kinds)) for s, kinds in held.items() if kinds}
        return Column(name, "clash", np.where(lacks, -1, 0), words=spoken)
    labels = [None if gone else value for value, gone in zip(values, lacks)]
    return _coded(name, labels, lacks)


def _as_seconds(column: Any) -> Floats:
    """Return moments as seconds, NaN where missing."""
    if isinstance(column, nw.Series) and column.dtype == nw.Time:
        return np.asarray(column.cast(nw.Int64).cast(nw.Float64).to_numpy())
    moments = moments_of(column)
    # They come in microseconds, and NaT would be the least of all integers.
    return np.where(np.isnat(moments), np.nan, moments.astype(np.int64) / 1e6)


def _word(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool | np.bool_):
        return "truth values"
    return "numbers" if isinstance(value, Number) else type(value).__name__


def _coded(name: Hashable, labels: list[Any], lacks: NDArray[np.bool_]) -> Column:
    """Number the categories, the most common first; rare ones share the last code."""
    labels = [v if isinstance(v, Hashable) else str(v) for v in labels]
    found, codes = distinct(labels)
    counts = np.bincount(codes, weights=~lacks, minlength=len(found))
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    place = np.full(len(found), -1, dtype=np.int32)
    place[order] = np.minimum(np.arange(len(order)), MOST_CATEGORIES)
    names = [found[code] for code in order[:MOST_CATEGORIES]]
    if len(order) > MOST_CATEGORIES:
        names.append(OTHER)
    values = np.where(lacks, -1, place[codes]).astype(np.int32)
    return Column(name, "category", values, tuple(names))
