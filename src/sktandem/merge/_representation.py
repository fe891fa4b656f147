"""How the source shows in the features: not at all, as a column, or as copies."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sktandem._settings import check_choice
from sktandem.data._sources import UNKNOWN
from sktandem.data._tables import append_columns, frame_like, is_frame, to_floats
from sktandem.exceptions import SourceError
from sktandem.scaling._affine import row_chunks
from sktandem.scaling._scalers import ScaledByName, other_columns

__all__ = ["check_representation", "represent", "represented_names"]

MOST_BYTES = 1 << 31  # of copies that are not sparse
REPRESENTATIONS = ("shared", "indicator", "augmented")


def check_representation(representation: str) -> None:
    """Refuse a representation that there is not."""
    check_choice("representation", representation, REPRESENTATIONS)


def represent(
    X: Any,
    codes: NDArray[np.intp],
    names: Sequence[Hashable],
    representation: str,
    *,
    allow_sparse: bool,
    scaler: Any = None,
) -> Any:
    """Return the features, scaled if a scaler is given, with the source in them.

    A row whose code is ``UNKNOWN`` has no indicator and no copy of its own.
    """
    in_place = isinstance(scaler, ScaledByName) and isinstance(X, np.ndarray)
    if scaler is not None and (representation == "shared" or not in_place):
        X, scaler = scaler.transform(X, codes), None
    if representation == "shared":
        return X
    if getattr(X, "ndim", 2) != 2:
        raise SourceError(
            f"representation={representation!r} needs columns, but X has shape "
            f"{X.shape}."
        )
    codes = codes.astype(np.intp)
    if representation == "indicator":
        return _with_indicators(X, codes, names, scaler)
    return _with_copies(X, codes, names, allow_sparse, scaler)


def _fill(
    out: NDArray[Any], X: NDArray[Any], codes: NDArray[np.intp], scaler: Any
) -> None:
    if scaler is None:
        out[:] = X
    else:
        scaler.scale_into(out, X, codes)


def represented_names(
    columns: Sequence[str], names: Sequence[Hashable], representation: str
) -> list[str]:
    """Return the names of the features, such as ``alcohol__red``."""
    columns = list(columns)
    if representation == "indicator":
        return columns + [f"source__{name}" for name in names]
    if representation == "augmented":
        own = [
            [*(f"{c}__{name}" for c in columns), f"source__{name}"] for name in names
        ]
        return [*columns, *(name for block in own for name in block)]
    return columns


def _with_indicators(
    X: Any, codes: NDArray[np.intp], names: Sequence[Hashable], scaler: Any
) -> Any:
    rows = np.flatnonzero(codes != UNKNOWN)
    if sparse.issparse(X):
        ones = np.ones(len(rows), dtype=X.dtype)
        shape = (X.shape[0], len(names))
        indicators = sparse.csr_matrix((ones, (rows, codes[rows])), shape=shape)
        return sparse.hstack([X, indicators], format="csr")
    if is_frame(X):
        added = represented_names([], names, "indicator")
        indicators = (codes[:, None] == np.arange(len(names))).astype(float)
        taken = [name for name in added if name in X.columns]
        if taken:
            raise SourceError(
                f"representation='indicator' adds columns {added}, but X has {taken} "
                "already. Rename them."
            )
        frame = append_columns(X, indicators, added)
        if all(isinstance(column, str) for column in X.columns):
            return frame
        return frame.set_axis(range(frame.shape[1]), axis=1)
    X = X if scaler is None else scaler.read(X)
    n, width = X.shape
    features = np.zeros((n, width + len(names)), dtype=X.dtype)
    _fill(features[:, :width], X, codes, scaler)
    features[rows, width + codes[rows]] = 1
    return features


def _with_copies(
    X: Any,
    codes: NDArray[np.intp],
    names: Sequence[Hashable],
    allow_sparse: bool,
    scaler: Any,
) -> Any:
    if sparse.issparse(X):
        return _sparse_copies(X.tocsr(), codes, len(names))
    frame = None
    if is_frame(X):
        others = [str(X.columns[position]) for position in other_columns(X)]
        if others:
            raise SourceError(
                f"representation='augmented' copies numbers, but {others} are not "
                "numeric. Use scaler=table_preprocessor()."
            )
        frame, X = X, to_floats(X, list(range(X.shape[1])))
    X = X if scaler is None else scaler.read(X)
    # A sparse copy stores each value twice with its column, a dense one as often
    # as there are sources and once more.
    if allow_sparse and len(names) > 2:
        return _block_copies(X, codes, len(names), scaler)
    n, width = X.shape
    n_columns = width + len(names) * (width + 1)
    size = n * n_columns * X.dtype.itemsize
    if size > MOST_BYTES:
        raise SourceError(
            f"representation='augmented' copies {width} columns for each of "
            f"{len(names):,} sources: {n:,} rows of {n_columns:,} columns, "
            f"{size / 2**30:.1f} GB. Use representation='indicator', or an estimator "
            "that takes sparse X, such as Ridge or LogisticRegression, which needs "
            f"{2 * X.nbytes / 2**30:.1g} GB."
        )
    # The shared columns, then a block for each source: a copy of them, and of the
    # constant, or a linear model would have no intercept of its own for a source.
    features = np.zeros((n, n_columns), dtype=X.dtype)
    _fill(features[:, :width], X, codes, scaler)
    for part in row_chunks(n, width):
        own = features[part]
        for code in range(len(names)):
            rows = np.flatnonzero(codes[part] == code)
            start = width + code * (width + 1)
            own[rows, start : start + width] = own[rows, :width]
            own[rows, start + width] = 1
    if frame is None:
        return features
    columns = [str(name) for name in frame.columns]
    return frame_like(frame, features, represented_names(columns, names, "augmented"))


def _block_copies(
    X: NDArray[Any], codes: NDArray[np.intp], n_sources: int, scaler: Any
) -> Any:
    """Build the sparse matrix of a dense X: its rows are two full blocks, and a 1."""
    n, width = X.shape
    filled = 2 * width + 1
    size = n * filled
    integer = np.int32 if size < np.iinfo(np.int32).max else np.int64
    values = np.empty((n, filled), dtype=X.dtype)
    columns = np.empty((n, filled), dtype=integer)
    _fill(values[:, :width], X, codes, scaler)
    # In parts: as a whole NumPy would make a copy, for fear of an overlap.
    for part in row_chunks(n, width):
        values[part, width:-1] = values[part, :width]
    values[:, -1] = 1
    values[codes == UNKNOWN, width:] = 0
    columns[:, :width] = np.arange(width, dtype=integer)
    columns[:, width:] = np.arange(width, filled, dtype=integer)
    columns[:, width:] += ((width + 1) * np.maximum(codes, 0))[:, None].astype(integer)
    starts = np.arange(0, size + 1, filled, dtype=integer)
    shape = (n, width + (width + 1) * n_sources)
    return sparse.csr_matrix((values.ravel(), columns.ravel(), starts), shape=shape)


def _sparse_copies(X: Any, codes: NDArray[np.intp], n_sources: int) -> Any:
    known = np.flatnonzero(codes != UNKNOWN)
    ones = np.ones(len(known), dtype=X.dtype)
    constant = sparse.csr_matrix((ones, (known, 0 * known)), shape=(X.shape[0], 1))
    block = sparse.hstack([X, constant], format="csr")
    width = block.shape[1]
    row = np.repeat(np.arange(len(codes)), np.diff(block.indptr))
    columns = block.indices + width * np.maximum(codes, 0)[row]
    values = np.where(codes[row] == UNKNOWN, 0, block.data).astype(X.dtype)
    shape = (len(codes), width * n_sources)
    own = sparse.csr_matrix((values, columns, block.indptr), shape=shape)
    return sparse.hstack([X, own], format="csr")
