"""From X to the tensor of a net: checks, scaling, and nothing copied twice."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_array

from sktandem.data._lazy import LazyTable, as_items, input_names
from sktandem.data._rows import Rows
from sktandem.data._tables import (
    column_names,
    is_frame,
    is_polars,
    numeric_columns,
    take_rows,
    to_floats,
)
from sktandem.exceptions import SourceError
from sktandem.nn._inputs import Inputs
from sktandem.nn._items import Items
from sktandem.nn._ragged import Ragged
from sktandem.scaling._affine import AffineMaps, fit_affine, row_chunks
from sktandem.scaling._scalers import (
    INSIDE,
    FittedScaler,
    ScaledByName,
    ScaledByTransformers,
    fit_transformers,
)

__all__ = ["Features", "as_numbers", "as_tensor", "fit_features"]


@dataclass(frozen=True)
class Features:
    """How X becomes a tensor: the scaling learned from training rows."""

    scaling: FittedScaler | None
    dtype: torch.dtype | None = torch.float32  # of batches; None leaves them
    missing: bool = False  # whether values may be missing
    collate: Any = None  # what makes a batch of items
    inputs: Inputs | None = None  # what items were like in fit

    @property
    def by_source(self) -> bool:
        """Whether each source has a scaling of its own."""
        return self.scaling is not None and self.scaling.by_source

    @property
    def maps(self) -> AffineMaps | None:
        """The scaling that is left to each batch."""
        if not isinstance(self.scaling, ScaledByName):
            return None
        maps = self.scaling.maps
        return maps if self.by_source else AffineMaps(maps.center[-1:], maps.scale[-1:])

    def numbers(self, X: Any, codes: NDArray[Any] | None) -> Any:
        """Return X as numbers; what the maps do is still to be done."""
        if self.inputs is not None:
            self.inputs.check_names(X)
        elif isinstance(X, LazyTable):
            _refuse_inputs(X)
        if isinstance(X, LazyTable) or self.collate is not None:
            # Sequences of one length, or a single one, are an array.
            return Items(as_items(X), self.collate, inputs=self.inputs)
        if isinstance(self.scaling, ScaledByTransformers):
            X = self.scaling.transform(X, codes)
            return as_numbers(X, made=True, missing=self.missing)
        numbers = as_numbers(X, missing=self.missing)
        if self.scaling is not None:
            _check_columns(self.scaling.scaler, numbers)
        return numbers


def fit_features(
    rows: Rows,
    used: NDArray[np.intp] | None,
    weights: NDArray[np.float64] | None,
    seed: int,
    *,
    scaler: Any,
    scale_by: str,
    missing: bool = False,
    collate: Any = None,
) -> tuple[Features, Any]:
    """Fit the scaling on the rows used; `seed` is for what draws numbers.

    Returns
    -------
    features : Features
        What was learned.

    numbers : ndarray
        X as numbers: all rows, or only the rows used where a transformer made
        them, which for some is not what `transform` makes of them.
    """
    if isinstance(rows.X, LazyTable):
        if scaler is not None:
            raise SourceError(
                f"scaler={scaler!r} scales columns, and X holds items that are read "
                "when they are needed. Set scaler=None, and scale in the module or "
                "where they are read."
            )
        inputs = Inputs.of(rows.X, ragged=collate is not None)
        items = Items(rows.X, collate, inputs=inputs)
        return Features(None, collate=collate, inputs=inputs), items
    if collate is not None:
        raise SourceError(
            f"collate={collate!r} makes batches of items, and X is a table of shape "
            f"{np.shape(rows.X)}. Leave collate at None."
        )
    if scaler is None or isinstance(scaler, str):
        numbers = as_numbers(rows.X, missing=missing)
        if scaler is None:
            return Features(None, missing=missing), numbers
        _check_columns(scaler, numbers)
        # The statistics are taken block by block, of the numbers as they came.
        sources = rows.sources if scale_by == "source" else None
        names = column_names(rows.X)
        maps = fit_affine(scaler, numbers, sources, weights, used, names)
        return Features(ScaledByName(scaler, maps, None), missing=missing), numbers
    # A transformer sees the training rows only, and its numbers of them are those of
    # fit_transform: an imputer by neighbours, or a target encoder, gives others when it
    # transforms the same rows later.
    X, y, sources = rows.X, rows.y, rows.sources
    if used is not None:
        X, y, sources = take_rows(X, used), y[used], sources.take(used)
        weights = None if weights is None else weights[used]
    try:
        scaled, made = fit_transformers(
            scaler, X, y, sources, scale_by=scale_by, weights=weights
        )
    except SourceError as error:
        if INSIDE not in str(error):
            raise
        instead = "Use scale_by='pooled': a net has no room for a pipeline inside it."
        raise SourceError(str(error).replace(INSIDE, instead)) from None
    numbers = as_numbers(made, made=True, missing=missing)
    return Features(scaled, missing=missing), numbers


def _refuse_inputs(X: LazyTable) -> None:
    """Refuse a dict of inputs, where fit had something else."""
    names = [name for name in input_names(X)[0] or () if name]
    if names:
        raise SourceError(
            f"X is a dict of the inputs {names}, and fit had none by name. Pass X as "
            "in fit."
        )


def _check_columns(scaler: str, numbers: NDArray[Any]) -> None:
    """Refuse what has no columns to scale, such as images."""
    if numbers.ndim > 2:
        raise SourceError(
            f"scaler={scaler!r} scales columns, but X has shape {numbers.shape}. "
            "Set scaler=None, and scale before or in the module."
        )


def as_numbers(X: Any, *, made: bool = False, missing: bool = False) -> NDArray[Any]:
    """Return X as an array of finite numbers; `made` by a scaler or as it came."""
    if sparse.issparse(X) and made:
        raise SourceError(
            "The scaler gives a sparse matrix, and a net takes dense X. Set its "
            "sparse_output=False, or sparse_threshold=0 of a ColumnTransformer."
        )
    if is_frame(X):
        # Integers stay integers: with scaler=None they may be tokens.
        columns = _columns_of_numbers(X)
        X = X.to_numpy() if _holds_integers(X) else to_floats(X, columns)
    remedy = "" if made else " scaler=table_preprocessor() fills missing values in."
    try:
        # An array of floats with rows and columns is what check_array would return.
        plain = type(X) is np.ndarray and X.dtype in (np.float64, np.float32)
        array = X
        if not plain or X.ndim < 2 or X.size == 0:
            array = check_array(
                X, allow_nd=True, input_name="X", ensure_all_finite=False
            )
        # By blocks: of half-precision numbers scikit-learn would make masks of their
        # size.
        for rows in row_chunks(len(array), array[:1].size):
            assert_all_finite(array[rows], input_name="X", allow_nan=missing)
    except ValueError as error:
        string = None if made else _first_string(X)
        if string is not None and np.ndim(X) != 2:
            raise SourceError(
                f"A net takes numbers, and X holds strings such as {string!r}. Load "
                "what they name, or make features of them, first."
            ) from None
        if string is not None:
            raise SourceError(
                f"A net takes numbers, and X holds strings such as {string!r}. "
                "scaler=table_preprocessor() encodes them, and fills missing values in."
            ) from None
        if "NaN" not in str(error) or not remedy:
            raise
        first = str(error).split(chr(10))[0]
        raise SourceError(first + remedy) from None
    if made and array.dtype.kind != "f":
        array = array.astype(np.float32)
    return np.asarray(array)


def _first_string(X: Any) -> str | None:
    """Return the first string in X that is not a data frame."""
    array = np.asarray(X)
    if array.dtype.kind not in "OU":
        return None
    return next((v for v in array.ravel().tolist() if isinstance(v, str)), None)


def _holds_integers(X: Any) -> bool:
    """Tell whether all columns of a data frame are integers, none missing."""
    if is_polars(X):
        whole = all(dtype.is_integer() for dtype in X.dtypes)
        return whole and not any(count for count in X.null_count().row(0))
    return all(isinstance(d, np.dtype) and d.kind in "iu" for d in X.dtypes)


def _columns_of_numbers(X: Any) -> list[int]:
    """Return all columns of a data frame, if they are numbers or yes and no."""
    numeric = set(numeric_columns(X))
    names = [name for i, name in enumerate(X.columns) if i not in numeric]
    others = [str(name) for name in names if "bool" not in str(X[name].dtype).lower()]
    if others:
        raise SourceError(
            f"A net takes numbers, and the columns {others[:5]} are not numeric. "
            "scaler=table_preprocessor() encodes them, and fills missing values in."
        )
    return list(range(X.shape[1]))


def as_tensor(array: Any, device: Any = "cpu") -> Any:
    """Return an array as a tensor, without a copy where torch can take it."""
    if isinstance(array, Ragged | Items):
        return array.to(device)
    # What torch cannot take as it stands is copied, and nothing else. Bytes and halves
    # stay what they are, and become numbers of the net's kind by the batch.
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float32)
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.flags.writeable:
        return torch.from_numpy(array).to(device)
    with warnings.catch_warnings():
        # Read-only X, as memory-mapped by joblib: nothing writes to it here.
        warnings.filterwarnings("ignore", message=".*not writable.*")
        return torch.from_numpy(array).to(device)
