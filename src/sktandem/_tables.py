"""The few things done to X whatever it is: array, data frame, sparse, texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_array, validate_data

from sktandem.exceptions import SourceError

__all__ = [
    "as_table",
    "column_names",
    "drop_column",
    "insert_column",
    "is_frame",
    "is_tensor",
    "n_rows",
    "read_table",
    "refuse_datasets",
    "take_column",
    "take_rows",
]


def is_frame(X: Any) -> bool:
    """Tell whether X is a pandas data frame, without importing pandas."""
    return hasattr(X, "iloc") and hasattr(X, "columns")


def is_tensor(X: Any) -> bool:
    """Tell whether X is a torch tensor, without importing torch."""
    return type(X).__module__.split(".")[0] == "torch" and hasattr(X, "detach")


def as_table(X: Any) -> Any:
    """Return X as a data frame, sparse matrix or array; refuse a list of datasets."""
    refuse_datasets(X)
    if is_frame(X) or isinstance(X, np.ndarray):
        return X
    if sparse.issparse(X):
        return X.tocsr() if X.format not in ("csr", "csc") else X
    if is_tensor(X):
        return X.detach().numpy()
    array = np.asarray(X)
    # numpy would spell numbers beside texts as texts: keep both as they are.
    return np.array(X, dtype=object) if array.dtype.kind in "US" else array


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
    if is_frame(X):
        return X.iloc[:, position]
    column = X[:, [position]]
    return column.toarray().ravel() if sparse.issparse(column) else column.ravel()


def drop_column(X: Any, position: int) -> Any:
    """Return X without one column; a view where the column is an outer one."""
    last = X.shape[1] - 1
    if isinstance(X, np.ndarray) and position in (0, last):
        return X[:, 1:] if position == 0 else X[:, :last]
    return _safe_indexing(X, [i for i in range(last + 1) if i != position], axis=1)


def insert_column(X: Any, position: int, values: Any, name: Any) -> Any:
    """Return X with a column put in at `position`."""
    if is_frame(X):
        out = X.copy(deep=False)
        out.insert(position, name, np.asarray(values), allow_duplicates=True)
        return out
    if sparse.issparse(X):
        column = sparse.csr_matrix(np.reshape(values, (-1, 1)))
        parts = [X[:, :position], column.astype(X.dtype), X[:, position:]]
        return sparse.hstack(parts, format=X.format)
    return np.insert(X, position, values, axis=1)
