"""The few things done to X whatever it is: array, data frame, sparse, texts."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number
from types import ModuleType
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import _safe_indexing

from sktandem._extras import require
from sktandem.data._lazy import LazyTable
from sktandem.exceptions import SourceError

__all__ = [
    "append_columns",
    "as_table",
    "column_names",
    "date_columns",
    "drop_column",
    "frame_like",
    "from_tensor",
    "holds_numbers",
    "insert_column",
    "is_frame",
    "is_missing",
    "is_pandas",
    "is_polars",
    "is_tensor",
    "moments_of",
    "n_rows",
    "numeric_columns",
    "pandas_for",
    "refuse_datasets",
    "refuse_hidden",
    "replace_columns",
    "stack_rows",
    "take_column",
    "take_rows",
    "to_floats",
]

COMPLEX = (
    "Complex data not supported: X holds complex numbers. Pass the real and the "
    "imaginary part as columns of their own."
)
# How lazy libraries give a data frame. Spark's collect() gives a list of rows.
MOST_DATASETS = 20
DATES = ("date", "datetime", "datetime64", "time", "timedelta", "timedelta64", "period")
RUN_BY = ("compute", "toPandas", "to_pandas", "df", "collect")


def is_frame(X: Any) -> bool:
    """Tell whether X is a data frame: of pandas, polars, pyarrow, or alike."""
    # The usual ones first: narwhals looks for all the libraries it knows.
    if isinstance(X, np.ndarray):
        return False
    pandas = nw.dependencies.is_pandas_dataframe(X)
    return bool(pandas or nw.dependencies.is_into_dataframe(X))


def is_pandas(X: Any) -> bool:
    """Tell whether X is a data frame with an index, of pandas or made like it.

    These are handled as they are: narwhals refuses two columns of one name,
    and knows neither sparse columns nor numbers of extended precision.
    """
    is_array = isinstance(X, np.ndarray)
    return not is_array and bool(nw.dependencies.is_pandas_like_dataframe(X))


def is_polars(X: Any) -> bool:
    """Tell whether X is a polars data frame."""
    is_array = isinstance(X, np.ndarray)
    return not is_array and bool(nw.dependencies.is_polars_dataframe(X))


def is_tensor(X: Any) -> bool:
    """Tell whether X is a torch tensor, without importing torch."""
    # By its name, as torch is not to be imported for those who do not use it.
    return type(X).__module__.split(".")[0] == "torch" and hasattr(X, "detach")


def from_tensor(name: str, tensor: Any) -> NDArray[Any]:
    """Return the values of a torch tensor as an array, shared where it can be."""
    if tensor.device.type != "cpu" or str(tensor.layout) != "torch.strided":
        meta = tensor.device.type == "meta"
        raise SourceError(
            f"{name} is a tensor without values, on the device 'meta'. Pass its data."
            if meta
            else f"{name} is a tensor on {tensor.device} of layout {tensor.layout}. "
            f"Pass {name}.to_dense().cpu()."
        )
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if str(tensor.dtype) == "torch.bfloat16":  # which NumPy does not have
        tensor = tensor.float()
    try:
        return np.asarray(tensor.numpy())
    except TypeError as error:  # of eight bits, or quantized
        raise SourceError(
            f"{name} is a tensor of {tensor.dtype}, which NumPy does not have. Pass "
            "its values as torch.float32."
        ) from error


def is_missing(value: Any) -> bool:
    """Tell whether a single value stands for a missing one."""
    if value is None:
        return True
    try:
        # NaN and NaT alone are not equal to themselves.
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
    refuse_hidden("X", X)
    if isinstance(X, LazyTable):
        return X
    if is_frame(X):
        if is_pandas(X) and any(getattr(d, "kind", "") == "c" for d in X.dtypes):
            raise SourceError(COMPLEX)
        return X
    if sparse.issparse(X):
        return X.tocsr() if X.format not in ("csr", "csc") else X
    if is_tensor(X):
        X = from_tensor("X", X)
    try:
        array = np.asarray(X)
    except ValueError as error:  # of sequences of several lengths
        raise SourceError(
            f"X is a {type(X).__name__} of {len(X):,} sequences that make no array: "
            f"{error} Give them one length, or make features of them."
        ) from error
    if array.dtype.kind == "c":
        raise SourceError(COMPLEX)
    if array.dtype.names is not None:
        raise SourceError(
            f"X is a structured array with the fields {list(array.dtype.names)}. Pass "
            "a data frame, such as pd.DataFrame(X)."
        )
    if array.ndim == 0:
        raise SourceError(
            f"X must hold a row for each sample, got {type(X).__name__}. Expected an "
            "array, a data frame (pandas, polars, pyarrow), or a sparse matrix."
        )
    if isinstance(X, np.ndarray) or array.dtype.kind not in "US":
        return array
    # numpy would spell numbers beside texts as texts: keep both as they are.
    return np.array(X, dtype=object)


def refuse_hidden(name: str, values: Any) -> None:
    """Raise if values are not there: they are to be computed, or behind a mask."""
    _refuse_query(name, values)
    n = int(np.sum(values.mask)) if isinstance(values, np.ma.MaskedArray) else 0
    if n:
        raise SourceError(
            f"{name} is a masked array that hides {n:,} of its {values.size:,} values. "
            "Fill them in, as by .filled(np.nan), or drop such rows."
        )


def refuse_datasets(X: Any) -> None:
    """Raise if X is not a table yet: several datasets, or a query that was not run."""
    if isinstance(X, np.ndarray):
        return
    if sparse.issparse(X) or is_frame(X):  # one sparse format of scipy is a dict
        return
    _refuse_query("X", X)
    if isinstance(X, dict):
        raise _datasets(X)
    if not isinstance(X, list | tuple) or len(X) == 0:
        return
    # Rows that are arrays themselves, such as images, are far more than datasets.
    if len(X) <= MOST_DATASETS and all(map(_is_dataset, X)):
        raise _datasets(X)


def _refuse_query(name: str, values: Any) -> None:
    """Refuse what is still to be computed, such as a lazy data frame."""
    # By name: narwhals lets go of dask, whose arrays it never knew.
    library = type(values).__module__.split(".")[0]
    of_dask = library in ("dask", "dask_expr") and hasattr(values, "compute")
    if not of_dask and not _is_lazy_frame(values):
        return
    run = next((method for method in RUN_BY if hasattr(values, method)), "collect")
    kind = type(values).__name__
    article = "an" if kind == "Array" else "a"
    raise SourceError(
        f"{name} is {article} {kind} of {library}, a query that "
        f"has not been run. Pass what it gives: {name}.{run}(). If X is larger than "
        "memory, hand its parts to Merged.partial_fit, one at a time."
    )


def _is_lazy_frame(values: Any) -> bool:
    try:
        return isinstance(nw.from_native(values, pass_through=True), nw.LazyFrame)
    except nw.exceptions.DuplicateError:  # a frame in memory, whose names come later
        return False


def _datasets(X: Any) -> SourceError:
    kind, other = "datasets", ""
    if isinstance(X, dict) and X and all(np.ndim(part) == 1 for part in X.values()):
        kind, other = "datasets, or columns", ", and pd.DataFrame(X) a table of columns"
    return SourceError(
        f"X is a {type(X).__name__} of {len(X)} {kind}; expected one table. "
        f"stack_sources builds X, y and sample_source from several{other}."
    )


def _is_dataset(part: Any) -> bool:
    if hasattr(part, "shape"):
        return len(part.shape) >= 2
    if not isinstance(part, list | tuple) or len(part) == 0:
        return False
    # A row holds values; a dataset holds rows, a pair (X, y) holds arrays.
    first = part[0]
    return isinstance(first, list | tuple) or len(getattr(first, "shape", ())) >= 1


def n_rows(X: Any) -> int:
    """Count the rows of a table."""
    return X.shape[0] if hasattr(X, "shape") else len(X)


def take_rows(X: Any, rows: Any) -> Any:
    """Return some rows of X, of its own kind; X itself if `rows` is None."""
    if rows is None or is_pandas(X) or not is_frame(X):
        return _safe_indexing(X, rows)
    # By narwhals, as scikit-learn before 1.9 takes no rows of pyarrow tables.
    rows = np.flatnonzero(rows) if np.asarray(rows).dtype.kind == "b" else rows
    return nw.from_native(X)[rows].to_native()


def column_names(X: Any) -> list[Any] | None:
    """Return the column names of a data frame of any library, else None."""
    if not is_frame(X):
        return None
    return list(X.columns if is_pandas(X) else nw.from_native(X).columns)


def take_column(X: Any, position: int) -> Any:
    """Return one column as a flat sequence: an array, or a series.

    The series is pandas' own, and for every other data frame one of narwhals.
    """
    if is_pandas(X):
        return X.iloc[:, position]
    if is_frame(X):
        return nw.from_native(X)[:, position]
    column = X[:, [position]]
    return column.toarray().ravel() if sparse.issparse(column) else column.ravel()


def drop_column(X: Any, position: int) -> Any:
    """Return X without one column; a view where the column is an outer one."""
    last = X.shape[1] - 1
    if isinstance(X, np.ndarray) and position in (0, last):
        return X[:, 1:] if position == 0 else X[:, :last]
    if is_frame(X) and not is_pandas(X):
        frame = nw.from_native(X)
        return frame.drop(frame.columns[position]).to_native()
    return _safe_indexing(X, [i for i in range(last + 1) if i != position], axis=1)


def insert_column(X: Any, position: int, values: Any, name: Any) -> Any:
    """Return X with a column put in at `position`."""
    values = nw.to_native(values, pass_through=True)
    if is_pandas(X):
        # The copy has columns of its own, and shares their values with the user's X.
        out = X.copy(deep=False)
        kept = getattr(values, "array", values)  # of a series, its own dtype
        out.insert(position, name, kept, allow_duplicates=True)
        return out
    if is_frame(X):
        library = nw.get_native_namespace(X)
        columns = list(nw.from_native(X).iter_columns())
        columns.insert(position, nw.new_series(name, values, backend=library))
        return nw.from_native(X).select(*columns).to_native()
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
        if len(np.shape(X)) != 2:
            raise SourceError(
                f"X must be a table of rows and columns, got shape {np.shape(X)}. "
                "Reshape it, such as X.reshape(len(X), -1)."
            )
        return list(range(np.shape(X)[1]))
    if is_pandas(X):
        kinds = [getattr(dtype, "kind", "O") for dtype in X.dtypes]
        return [i for i, kind in enumerate(kinds) if kind in "iuf"]
    dtypes = nw.from_native(X).schema.dtypes()
    return [i for i, dtype in enumerate(dtypes) if dtype.is_numeric()]


def holds_numbers(column: Any) -> bool:
    """Tell whether a column of objects holds nothing but numbers."""
    if column.dtype != object:
        return False
    values = [value for value in column.to_list() if not is_missing(value)]
    numbers = all(isinstance(v, Number) and not isinstance(v, bool) for v in values)
    return bool(values) and numbers


def date_columns(X: Any) -> list[Any]:
    """Return the names of the columns that hold dates, times, durations or periods."""
    if not is_frame(X):
        return []
    if not is_pandas(X):
        schema = nw.from_native(X).schema
        return [name for name, dtype in schema.items() if dtype.is_temporal()]
    from pandas.api.types import infer_dtype

    return [
        name
        for place, (name, dtype) in enumerate(X.dtypes.items())
        if getattr(dtype, "kind", "O") in "mMO"
        and infer_dtype(X.iloc[:, place], skipna=True) in DATES
    ]


def moments_of(column: Any) -> NDArray[Any]:
    """Return dates as datetime64, in local time, and durations as timedelta64.

    A column that holds neither, such as one without any value, is all missing.
    """
    if isinstance(column, nw.Series):
        dtype = column.dtype
        if isinstance(dtype, nw.Datetime):
            column = column.dt.replace_time_zone(None)
        if not dtype.is_temporal() or dtype == nw.Time:
            return np.full(len(column), "NaT", dtype="M8[us]")
        values = np.asarray(column.to_numpy())
    else:
        import pandas as pd

        kind = getattr(column.dtype, "kind", "O")
        if isinstance(column.dtype, pd.PeriodDtype):
            column = column.dt.to_timestamp()
        elif kind not in "mM":
            found = pd.api.types.infer_dtype(column, skipna=True)
            make = pd.to_timedelta if "timedelta" in found else pd.to_datetime
            column = make(column if found in DATES else column.mask(column.notna()))
        if getattr(column.dtype, "tz", None) is not None:
            column = column.dt.tz_localize(None)
        values = column.to_numpy()
    return values.astype("m8[us]" if values.dtype.kind == "m" else "M8[us]")


def to_floats(X: Any, columns: list[int]) -> NDArray[np.floating[Any]]:
    """Return numeric columns of a data frame as an array, NaN where missing.

    Single precision if all of them have it, else double.
    """
    if not columns:
        return np.empty((len(X), 0))
    if is_pandas(X):
        part = X if columns == list(range(X.shape[1])) else X.iloc[:, columns]
        # pandas.SparseDtype holds numbers of a plain dtype.
        plain = [getattr(d, "subtype", d) for d in part.dtypes]
        kinds = {(getattr(d, "kind", "O"), getattr(d, "itemsize", 0)) for d in plain}
        dtype = np.float32 if kinds == {("f", 4)} else np.float64
        return np.asarray(part.to_numpy(dtype, na_value=np.nan))
    part = nw.from_native(X)[:, columns]
    single = all(dtype == nw.Float32 for dtype in part.schema.dtypes())
    floats = nw.all().cast(nw.Float32 if single else nw.Float64)
    return np.asarray(part.select(floats).to_numpy())


def replace_columns(X: Any, columns: list[int], values: NDArray[Any]) -> Any:
    """Return the data frame with new values in some columns, the rest as it was."""
    # Of pandas an index, which has a name and a dtype of its own.
    every = X.columns if is_pandas(X) else np.array(column_names(X))
    if columns == list(range(len(every))):
        return frame_like(X, values, every)
    frame = frame_like(X, values, every[columns])
    if len(columns) == len(every):
        return frame
    if not is_pandas(X):
        new = nw.from_native(frame).iter_columns()
        return nw.from_native(X).with_columns(new).to_native()
    out = X.copy(deep=False)
    for place, column in enumerate(columns):
        out.isetitem(column, frame.iloc[:, place])
    return out


def append_columns(X: Any, values: NDArray[Any], names: Sequence[str]) -> Any:
    """Return the data frame with columns of numbers behind its own."""
    parts = [X, frame_like(X, values, names)]
    if is_pandas(X):
        return nw.get_native_namespace(X).concat(parts, axis=1)
    return nw.concat(map(nw.from_native, parts), how="horizontal").to_native()


def frame_like(
    X: Any, values: NDArray[Any], names: Sequence[Any] | NDArray[Any]
) -> Any:
    """Return an array as a data frame of the library and with the rows of X."""
    if is_pandas(X):
        return type(X)(values, index=X.index, columns=names)
    library = nw.get_native_namespace(X)
    return nw.from_numpy(values, schema=list(names), backend=library).to_native()


def stack_rows(parts: list[Any]) -> Any:
    """Return the rows of several tables of one kind as one table.

    Columns of data frames go by their names; their dtypes may differ, which
    narwhals does not allow.
    """
    if all(is_frame(part) for part in parts):
        library = nw.get_native_namespace(parts[0])
        if is_pandas(parts[0]):
            return library.concat(parts)
        if hasattr(library, "concat_tables"):
            return library.concat_tables(parts, promote_options="permissive")
        return library.concat(parts, how="diagonal_relaxed")
    if any(sparse.issparse(part) for part in parts):
        return sparse.vstack(parts, format="csr")
    return np.concatenate(parts)
