"""Data frames stacked by the names of their columns."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from sktandem.data._tables import is_pandas, stack_rows
from sktandem.exceptions import SourceError

__all__ = ["JOINS", "join_frames"]

JOINS = ("exact", "inner", "outer")
MOST_NAMES_TOLD = 8
LARGEST_FLOAT = 2**53  # the integers up to here are all floats, too
BOOL, OBJECT = np.dtype(bool), np.dtype(object)

Frames = dict[Hashable, Any]

# What pandas finds in a column of objects, in our words.
OBJECT_KINDS = {
    "string": "texts",
    "boolean": "booleans",
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "decimal": "numbers",
    "datetime": "dates",
    "mixed": "mixed objects",
    "mixed-integer": "numbers beside texts",
}

# And the dtypes that narwhals finds.
NARWHALS_KINDS: dict[Any, str] = {
    nw.Boolean: "booleans",
    nw.String: "texts",
    nw.Categorical: "categories",
    nw.Enum: "listed categories",
    nw.Datetime: "dates",
    nw.Duration: "durations",
}


def join_frames(tables: Frames, join: str) -> Any:
    """Stack data frames of one library, column by column of the same name.

    "exact" wants the same columns in all, "inner" keeps those that all have,
    "outer" keeps every one; the order is that of first appearance.
    """
    library: Any = _Pandas
    if not is_pandas(next(iter(tables.values()))):
        library = _Narwhals
        tables = {name: nw.from_native(X) for name, X in tables.items()}
    columns = _columns(tables, join)
    selected = {name: _select(X, columns) for name, X in tables.items()}
    parts = _agreed(selected, columns, library)
    stacked = library.stack(list(parts.values()))
    if list(stacked.columns) != columns:
        stacked = stacked[columns]
    for name, X in parts.items():
        _refuse_rounding(name, X, stacked, library)
    return nw.to_native(stacked, pass_through=True)


# Which columns


def _columns(tables: Frames, join: str) -> list[Any]:
    for name, X in tables.items():
        own = list(X.columns)
        if len(set(own)) < len(own):
            twice = list(dict.fromkeys(c for c in own if own.count(c) > 1))
            raise SourceError(f"{name!r} has the columns {twice} more than once.")
    owned = {name: set(X.columns) for name, X in tables.items()}
    every = list(dict.fromkeys(c for X in tables.values() for c in X.columns))
    common = [c for c in every if all(c in own for own in owned.values())]
    if join == "outer" or len(common) == len(every):
        return every
    if join == "inner" and common:
        return common
    told = "; ".join(
        f"{name!r} does not have {_some([c for c in every if c not in own])}"
        for name, own in owned.items()
        if len(own) < len(every)
    )
    outer = f"join='outer' keeps all {len(every)}, missing where a source has none"
    if join == "inner":
        raise SourceError(f"No column is in all datasets: {told}. {outer}.")
    inner = f"join='inner' keeps the {len(common)} that all have; " if common else ""
    raise SourceError(
        f"The datasets must share their columns: {told}. Rename what only differs in "
        f"spelling. {inner}{outer}."
    )


def _some(names: list[Any]) -> str:
    """Spell the first few of many names."""
    more = len(names) - MOST_NAMES_TOLD
    if more <= 0:
        return str(names)
    return f"{names[:MOST_NAMES_TOLD]} and {more} more"


def _select(X: Any, columns: list[Any]) -> Any:
    wanted = set(columns)
    kept = [c for c in X.columns if c in wanted]
    return X if len(kept) == len(X.columns) else X[kept]


# What a column holds


def _agreed(tables: Frames, columns: list[Any], library: Any) -> Frames:
    """Return the data frames so that stacking them keeps the kind of each column."""
    drops: dict[Hashable, list[Any]] = {name: [] for name in tables}
    casts: dict[Hashable, dict[Any, Any]] = {name: {} for name in tables}
    clashes = {}
    dtypes = {name: library.dtypes(X) for name, X in tables.items()}
    for column in columns:
        own = {name: known[column] for name, known in dtypes.items() if column in known}
        if library.keeps(list(own.values()), everywhere=len(own) == len(tables)):
            continue
        kinds = _kinds({name: tables[name][column] for name in own}, library)
        if len(set(kinds.values())) > 1:
            clashes[column] = kinds
            continue
        dtype = library.common_dtype(
            [own[n] for n in kinds], next(iter(kinds.values()))
        )
        for name in own:
            if name not in kinds:
                drops[name].append(column)
            elif dtype is not None:
                casts[name][column] = dtype
    if clashes:
        _refuse_clashes(clashes)
    return {n: library.changed(X, drops[n], casts[n]) for n, X in tables.items()}


def _kinds(parts: dict[Hashable, Any], library: Any) -> dict[Hashable, str]:
    """Return the kind of a column in the datasets that have values in it."""
    kinds = {name: library.kind(part) for name, part in parts.items()}
    if len(set(kinds.values())) == 1:
        if "categories" in next(iter(kinds.values())):
            return kinds  # those of a column without a value count as well
        if _all_equal(part.dtype for part in parts.values()):
            return kinds
    filled = [name for name, part in parts.items() if not library.is_blank(part)]
    return {name: kinds[name] for name in filled or list(parts)[:1]}


def _refuse_clashes(clashes: dict[Any, dict[Hashable, str]]) -> None:
    (column, kinds), *others = clashes.items()
    so = f" So it is with {_some([name for name, _ in others])}." if others else ""
    raise SourceError(
        f"The column {column!r} has {kinds}: stacked, it would be neither. Give it "
        f"one kind in all datasets before stacking.{so}"
    )


def _refuse_rounding(name: Hashable, X: Any, stacked: Any, library: Any) -> None:
    """Refuse integers that became floats and are too large for it."""
    became = library.dtypes(stacked)
    for column, dtype in library.dtypes(X).items():
        if not library.turns_to_float(dtype, became[column]):
            continue
        if max(int(X[column].max()), -int(X[column].min())) > LARGEST_FLOAT:
            raise SourceError(
                f"The column {column!r} of {name!r} has integers beyond 2**53, "
                "which stacking would turn into floats and round. Turn it into text, "
                "or into nullable integers in all datasets."
            )


def _all_equal(dtypes: Iterable[Any]) -> bool:
    first, *others = dtypes
    return all(bool(first == other) for other in others)


# The two libraries


class _Pandas:
    """What pandas finds in a column, and what it must be told to keep it."""

    @staticmethod
    def dtypes(X: Any) -> dict[Any, Any]:
        """Return the dtype of each column."""
        return dict(X.dtypes)

    @staticmethod
    def keeps(dtypes: list[Any], *, everywhere: bool) -> bool:
        """Tell at a glance that stacking loses nothing."""
        first = dtypes[0]
        listed = hasattr(first, "categories")  # equal in any order, but not to pandas
        plain = not listed and first != OBJECT and (everywhere or first != BOOL)
        return plain and _all_equal(dtypes)

    @staticmethod
    def is_blank(part: Any) -> bool:
        """Tell whether a column holds no value."""
        return bool(part.isna().all())

    @classmethod
    def kind(cls, part: Any) -> str:
        """Name what a column holds, in words that differ where kinds differ."""
        from pandas.api import types

        dtype = part.dtype
        if hasattr(dtype, "categories"):
            if dtype.ordered:
                return f"ordered categories {list(dtype.categories)}"
            return f"categories of {cls.kind(dtype.categories)}"
        if types.is_object_dtype(dtype):
            found = types.infer_dtype(part, skipna=True)
            return OBJECT_KINDS.get(found, f"{found} objects")
        if types.is_bool_dtype(dtype):
            return "booleans"
        if types.is_numeric_dtype(dtype):
            return "numbers"
        if types.is_string_dtype(dtype):
            return "texts"
        if types.is_datetime64_any_dtype(dtype):
            zone = getattr(dtype, "tz", None)
            return f"dates of {zone}" if zone else "dates"
        return "durations" if dtype.kind == "m" else str(dtype)

    @staticmethod
    def common_dtype(dtypes: list[Any], kind: str) -> Any:
        """Return what a column must become before it is stacked, None for as it is."""
        first, *others = dtypes
        if hasattr(first, "categories") and not first.ordered:
            categories = first.categories
            if all(categories.equals(other.categories) for other in others):
                return None
            for other in others:
                categories = categories.union(other.categories, sort=False)
            return type(first)(categories)
        if kind == "booleans" and not (first == OBJECT and _all_equal(dtypes)):
            return "boolean"  # beside nothing, plain ones would become objects
        return None

    @staticmethod
    def changed(X: Any, drops: list[Any], casts: dict[Any, Any]) -> Any:
        """Return X without some columns and with others cast."""
        X = X.drop(columns=drops) if drops else X
        return X.astype(casts) if casts else X

    @staticmethod
    def turns_to_float(dtype: Any, became: Any) -> bool:
        """Tell whether integers became floats."""
        return bool(dtype.kind in "iu" and became.kind == "f")

    @staticmethod
    def stack(parts: list[Any]) -> Any:
        """Stack the rows, column by column of the same name."""
        import pandas as pd

        stacked = pd.concat(parts, ignore_index=True, sort=False)
        # A single one would share its values with the user's in pandas 2.
        return stacked.copy() if len(parts) == 1 else stacked


class _Narwhals:
    """The same for data frames that have a missing value for every dtype."""

    @staticmethod
    def dtypes(X: Any) -> dict[Any, Any]:
        """Return the dtype of each column."""
        return dict(X.schema)

    @staticmethod
    def keeps(dtypes: list[Any], *, everywhere: bool) -> bool:
        """Tell at a glance that stacking loses nothing."""
        return _all_equal(dtypes)

    @staticmethod
    def is_blank(part: Any) -> bool:
        """Tell whether a column holds no value."""
        return bool(part.null_count() == len(part))

    @staticmethod
    def kind(part: Any) -> str:
        """Name what a column holds, in words that differ where kinds differ."""
        dtype = part.dtype
        if dtype.is_numeric():
            return "numbers"
        kind = NARWHALS_KINDS.get(type(dtype), str(dtype))
        zone = getattr(dtype, "time_zone", None)
        return f"{kind} of {zone}" if zone else kind

    @staticmethod
    def common_dtype(dtypes: list[Any], kind: str) -> Any:
        """Return what a column must become before it is stacked, None for as it is."""
        if kind != "listed categories":
            return None
        listed = [c for dtype in dtypes for c in dtype.categories]
        return nw.Enum(list(dict.fromkeys(listed)))

    @staticmethod
    def changed(X: Any, drops: list[Any], casts: dict[Any, Any]) -> Any:
        """Return X with some columns emptied of their dtype and others cast."""
        # Without a column the rows would be forgotten, so the dtype goes instead.
        changes = [nw.lit(None).alias(c) for c in drops]
        changes += [nw.col(c).cast(dtype) for c, dtype in casts.items()]
        return X.with_columns(changes)

    @staticmethod
    def turns_to_float(dtype: Any, became: Any) -> bool:
        """Tell whether integers became floats."""
        return bool(dtype.is_integer() and became.is_float())

    @staticmethod
    def stack(parts: list[Any]) -> Any:
        """Stack the rows, column by column of the same name."""
        return nw.from_native(stack_rows([part.to_native() for part in parts]))
