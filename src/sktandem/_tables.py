"""The few things done to X whatever it is: array, data frame, sparse, texts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from numbers import Number
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_array, validate_data

from sktandem._extras import require
from sktandem.exceptions import SourceError

__all__ = [
    "append_columns",
    "as_table",
    "column_names",
    "drop_column",
    "frame_like",
    "holds_numbers",
    "insert_column",
    "is_frame",
    "is_missing",
    "is_polars",
    "is_tensor",
    "n_rows",
    "numeric_columns",
    "pandas_for",
    "read_table",
    "refuse_datasets",
    "replace_columns",
    "stack_rows",
    "take_column",
    "take_rows",
    "to_floats",
]


def is_frame(X: Any) -> bool:
    """Tell whether X is a data frame of pandas or polars, without importing them."""
    return (hasattr(X, "iloc") and hasattr(X, "columns")) or is_polars(X)


def is_polars(X: Any) -> bool:
    """Tell whether X is a polars data frame, without importing polars."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(X, polars.DataFrame)


def is_tensor(X: Any) -> bool:
    """Tell whether X is a torch tensor, without importing torch."""
    return type(X).__module__.split(".")[0] == "torch" and hasattr(X, "detach")


def is_missing(value: Any) -> bool:
    """Tell whether a single value stands for a missing one."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA answers neither yes nor no
        return True


def pandas_for(what: str) -> ModuleType:
    """Return pandas, or say what wants it and how to get it."""
    require(what, "pandas")
    import pandas

    module: ModuleType = pandas
    return module


def as_table(X: Any) -> Any:
    """Return X as a data frame, sparse matrix or array; refuse a list of datasets."""
    refuse_datasets(X)
    if is_frame(X):
        return X
    if sparse.issparse(X):
        return X.tocsr() if X.format not in ("csr", "csc") else X
    if is_tensor(X):
        return X.detach().numpy()
    array = np.asarray(X)
    if array.ndim == 0:
        raise SourceError(
            f"X must hold a row for each sample, got {type(X).__name__}. Expected an "
            "array, a data frame of pandas or polars, or a sparse matrix."
        )
    if isinstance(X, np.ndarray) or array.dtype.kind not in "US":
        return array
    # numpy would spell numbers beside texts as texts: keep both as they are.
    return np.array(X, dtype=object)


def refuse_datasets(X: Any) -> None:
    """Raise if X is a list or dict of datasets rather than one table."""
    if sparse.issparse(X):  # one of scipy's formats is a dict
        return
    parts = list(X.values()) if isinstance(X, dict) else X
    if not isinstance(parts, list | tuple) or len(parts) == 0:
        return
    if isinstance(X, dict) or all(_is_dataset(part) for part in parts):
        raise SourceError(
            f"X is a {type(X).__name__} of {len(parts)} datasets; expected one table. "
            "stack_sources builds X, y and sample_source from several."
        )


def _is_dataset(part: Any) -> bool:
    if hasattr(part, "shape"):
        return len(part.shape) >= 2
    if not isinstance(part, list | tuple) or len(part) == 0:
        return False
    # A row holds values; a dataset holds rows, a pair (X, y) holds arrays.
    first = part[0]
    return isinstance(first, list | tuple) or len(getattr(first, "shape", ())) >= 1


def read_table(estimator: Any, X: Any) -> Any:
    """Return X as a table of the width that a fitted `estimator` expects."""
    table = as_table(X)
    if getattr(table, "ndim", 2) == 1 and hasattr(estimator, "n_features_in_"):
        check_array(table)  # which tells how to reshape
    validate_data(estimator, X, reset=False, skip_check_array=True)
    return table


def n_rows(X: Any) -> int:
    """Count the rows of a table."""
    return X.shape[0] if hasattr(X, "shape") else len(X)


def take_rows(X: Any, rows: Any) -> Any:
    """Return some rows of X, of its own kind; X itself if `rows` is None."""
    return _safe_indexing(X, rows)


def column_names(X: Any) -> list[Any] | None:
    """Return the column names of a data frame of any library, else None."""
    columns = getattr(X, "columns", None)
    return None if columns is None else list(columns)


def take_column(X: Any, position: int) -> Any:
    """Return one column as a flat sequence."""
    if is_polars(X):
        return X.to_series(position)
    if is_frame(X):
        return X.iloc[:, position]
    column = X[:, [position]]
    return column.toarray().ravel() if sparse.issparse(column) else column.ravel()


def drop_column(X: Any, position: int) -> Any:
    """Return X without one column; a view where the column is an outer one."""
    last = X.shape[1] - 1
    if isinstance(X, np.ndarray) and position in (0, last):
        return X[:, 1:] if position == 0 else X[:, :last]
    if is_polars(X):
        return X.drop(X.columns[position])
    return _safe_indexing(X, [i for i in range(last + 1) if i != position], axis=1)


def insert_column(X: Any, position: int, values: Any, name: Any) -> Any:
    """Return X with a column put in at `position`."""
    if is_polars(X):
        column = sys.modules["polars"].Series(name, values)
        return X.clone().insert_column(position, column)
    if is_frame(X):
        out = X.copy(deep=False)
        kept = getattr(values, "array", values)  # of a series, its own dtype
        out.insert(position, name, kept, allow_duplicates=True)
        return out
    if sparse.issparse(X):
        column = sparse.csr_matrix(np.reshape(values, (-1, 1)))
        parts = [X[:, :position], column.astype(X.dtype), X[:, position:]]
        return sparse.hstack(parts, format=X.format)
    if np.asarray(values).dtype.kind in "OUS" and X.dtype.kind not in "OUS":
        X = X.astype(object)  # names beside numbers: both stay what they are
    return np.insert(X, position, values, axis=1)


def numeric_columns(X: Any) -> list[int]:
    """Return the positions of the numeric columns of a data frame or array."""
    if not is_frame(X):
        return list(range(np.shape(X)[1]))
    if is_polars(X):
        return [i for i, dtype in enumerate(X.dtypes) if dtype.is_numeric()]
    return [
        i for i, dtype in enumerate(X.dtypes) if getattr(dtype, "kind", "O") in "iuf"
    ]


def holds_numbers(column: Any) -> bool:
    """Tell whether a column of objects holds nothing but numbers."""
    if column.dtype != object:
        return False
    values = [value for value in column.to_list() if not is_missing(value)]
    numbers = all(isinstance(v, Number) and not isinstance(v, bool) for v in values)
    return bool(values) and numbers


def to_floats(X: Any, columns: list[int]) -> NDArray[np.floating[Any]]:
    """Return numeric columns of a data frame as an array, NaN where missing.

    Single precision if all of them have it, else double.
    """
    if not columns:
        return np.empty((len(X), 0))
    if is_polars(X):
        part = X[:, columns]
        single = set(part.dtypes) == {sys.modules["polars"].Float32}
        floats = sys.modules["polars"].Float32 if single else float
        return np.asarray(part.cast(floats).to_numpy())
    part = X.iloc[:, columns]
    kinds = {np.dtype(getattr(d, "numpy_dtype", d)) for d in part.dtypes}
    dtype = np.float32 if kinds == {np.dtype(np.float32)} else np.float64
    return np.asarray(part.to_numpy(dtype, na_value=np.nan))


def replace_columns(X: Any, columns: list[int], values: NDArray[Any]) -> Any:
    """Return the data frame with new values in some columns, the rest as it was."""
    # Of pandas an index, which has a name and a dtype of its own.
    every = np.array(X.columns) if is_polars(X) else X.columns
    frame = frame_like(X, values, every[columns])
    if len(columns) == X.shape[1]:
        return frame
    if is_polars(X):
        return X.with_columns(frame.get_columns())
    out = X.copy(deep=False)
    for place, column in enumerate(columns):
        out.isetitem(column, frame.iloc[:, place])
    return out


def append_columns(X: Any, values: NDArray[Any], names: Sequence[str]) -> Any:
    """Return the data frame with columns of numbers behind its own."""
    added = frame_like(X, values, names)
    if is_polars(X):
        return X.hstack(added.get_columns())
    return sys.modules["pandas"].concat([X, added], axis=1)


def frame_like(
    X: Any, values: NDArray[Any], names: Sequence[Any] | NDArray[Any]
) -> Any:
    """Return an array as a data frame of the library and with the rows of X."""
    if is_polars(X):
        return type(X)(values, schema=list(names))
    return type(X)(values, index=X.index, columns=names)


def stack_rows(parts: list[Any]) -> Any:
    """Return the rows of several tables of one kind and width as one table."""
    if all(is_polars(part) for part in parts):
        return sys.modules["polars"].concat(parts, how="vertical_relaxed")
    if all(is_frame(part) for part in parts):
        return sys.modules["pandas"].concat(parts)
    if any(sparse.issparse(part) for part in parts):
        return sparse.vstack(parts, format="csr")
    return np.concatenate(parts)
