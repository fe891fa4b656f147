"""The named scalers as affine maps, one for each source and one for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.sparsefuncs import min_max_axis

from sktandem.data._sources import Codes, Sources
from sktandem.exceptions import SourceError

__all__ = [
    "NAMED_SCALERS",
    "AffineMaps",
    "Spread",
    "assembled",
    "fit_affine",
    "row_chunks",
    "row_parts",
]

NAMED_SCALERS = ("standard", "minmax", "robust")
CHUNK = 1 << 20  # values held at once: a few MB, so that X is never held twice
# Center and scale of each column, and whether it holds a value.
Statistics = tuple[NDArray[np.float64], NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class AffineMaps:
    """Maps ``(x - center) / scale`` by column.

    There is a row of `center` and `scale` for each source and a last one for
    all rows pooled. The last is also what the code ``UNKNOWN``, -1, points at.
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]

    def forward(
        self,
        X: Any,
        codes: Codes | None = None,
        out: NDArray[Any] | None = None,
    ) -> Any:
        """Scale X by the map of each row's source; by the pooled one without codes."""
        if sparse.issparse(X):
            return _rescale_sparse(X, 1 / self.scale, codes)
        scaled = np.empty(X.shape, dtype=_float_of(X)) if out is None else out
        for chunk in row_chunks(*X.shape):
            center, scale = self._of(codes, chunk, scaled.dtype)
            np.subtract(X[chunk], center, out=scaled[chunk])
            scaled[chunk] /= scale
        return scaled

    def inverse(self, X: Any, codes: Codes | None = None) -> Any:
        """Undo `forward`."""
        if sparse.issparse(X):
            return _rescale_sparse(X, self.scale, codes)
        original = np.empty(X.shape, dtype=_float_of(X))
        for chunk in row_chunks(*X.shape):
            center, scale = self._of(codes, chunk, original.dtype)
            np.multiply(X[chunk], scale, out=original[chunk])
            original[chunk] += center
        return original

    def _of(
        self, codes: Codes | None, chunk: slice, dtype: np.dtype[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        which = -1 if codes is None else codes[chunk]
        return self.center[which].astype(dtype), self.scale[which].astype(dtype)


@dataclass(frozen=True, eq=False)
class Spread:
    """The weight, mean and variance of the values in each column of some rows.

    Those of two sets of rows make those of both together, whatever each counts, so
    that one pass over the rows serves every weight.
    """

    weight: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]

    @classmethod
    def of(cls, X: NDArray[Any], weights: NDArray[np.float64] | None) -> Spread:
        """Return that of rows; missing values are passed over."""
        if weights is None:
            weights = np.ones(len(X))
        weight, total = np.full(X.shape[1], weights.sum()), weights @ X
        missing = None if np.isfinite(total).all() else np.isnan(X)
        if missing is not None:
            weight = weights @ ~missing
            total = weights @ np.where(missing, 0.0, X)
        share = 1 / np.where(weight > 0, weight, 1)
        mean = total * share
        away = X - mean
        if missing is not None:
            away[missing] = 0.0
        return cls(weight, mean, weights @ np.square(away, out=away) * share)

    def plus(self, other: Spread, weight: float) -> Spread:
        """Return that of these rows and of others that count `weight`."""
        total = self.weight + weight * other.weight
        mine = self.weight / np.where(total > 0, total, 1)
        mean = mine * self.mean + (1 - mine) * other.mean
        variance = mine * (self.variance + (self.mean - mean) ** 2)
        variance += (1 - mine) * (other.variance + (other.mean - mean) ** 2)
        return Spread(total, mean, variance)

    def maps(self) -> AffineMaps:
        """Return the map of the standard scaler for all rows."""
        eps = np.finfo(np.float64).eps
        least = self.weight * eps * self.variance + (self.weight * self.mean * eps) ** 2
        varies = self.variance > least  # else a constant, as StandardScaler has it
        scale = np.where(varies, np.sqrt(self.variance), 1.0)
        return AffineMaps(np.where(self.weight > 0, self.mean, 0.0)[None], scale[None])


def _float_of(X: Any) -> np.dtype[Any]:
    return np.result_type(X.dtype, np.float32)


def fit_affine(
    kind: str,
    X: Any,
    sources: Sources | None = None,
    weights: NDArray[np.float64] | None = None,
    rows: NDArray[np.intp] | None = None,
    names: Sequence[Any] | None = None,
    of: str = "X",
) -> AffineMaps:
    """Fit the named scaler on all rows and, given sources, on each source.

    Given `rows`, no others are looked at. `names` are those of the columns, and `of`
    says what they stand in, for an error.

    A column in which a source has no value takes the pooled map there; one in
    which nobody has a value is left alone.
    """
    parts = sources.rows if sources else ()
    if rows is not None and sources is not None:
        part = np.zeros(len(X), dtype=bool)
        part[rows] = True
        parts = tuple(own[part[own]] for own in parts)
    pooled = _statistics(kind, X, rows, weights)
    own = [_statistics(kind, X, own, weights) for own in parts]
    return assembled(pooled, own, X=X, kind=kind, names=names, of=of)


def assembled(
    pooled: Statistics,
    own: Sequence[Statistics],
    *,
    X: Any,
    kind: str,
    names: Any,
    of: str,
) -> AffineMaps:
    """Return the maps of statistics; X, in an error, is what they are of."""
    map_of_all, filled = pooled
    map_of_all = np.where(filled, map_of_all, [[0.0], [1.0]])
    maps = [np.where(filled, map_, map_of_all) for map_, filled in own]
    center, scale = np.stack([*maps, map_of_all], axis=1)
    broken = ~(np.isfinite(center) & np.isfinite(scale)).all(axis=0)
    if broken.any():
        raise _overflow(X, int(np.flatnonzero(broken)[0]), kind, names, of)
    return AffineMaps(center, scale)


def _overflow(
    X: Any, place: int, kind: str, names: Sequence[Any] | None, of: str
) -> SourceError:
    """Name the cell that a center or scale cannot be calculated from."""
    column = X[:, [place]].toarray() if sparse.issparse(X) else X[:, place]
    row = int(np.nanargmax(np.abs(column)))
    name = place if names is None else repr(names[place])
    return SourceError(
        f"Column {name} of {of} holds {column.ravel()[row]:.3g} in row {row}, too "
        f"large to be scaled by {kind!r}. Correct the value, or drop the row."
    )


def _statistics(
    kind: str,
    X: Any,
    rows: NDArray[np.intp] | None,
    weights: NDArray[np.float64] | None,
) -> Statistics:
    """Return center and scale of each column, and whether it holds a value."""
    result = np.full((2, X.shape[1]), np.nan)
    filled = _columns_with_values(X, rows)
    if not filled.all():
        X = X[:, filled]
    if filled.any():
        with np.errstate(over="ignore", invalid="ignore"):  # which the caller refuses
            result[:, filled] = FITTERS[kind](X, rows, weights)
    return result, filled


def _standard(X: Any, rows: Any, weights: Any) -> Any:
    if sparse.issparse(X):
        scaler = StandardScaler(with_mean=False)
        for part, weight in row_parts(X, rows, weights):
            scaler.partial_fit(part, sample_weight=weight)
        # An infinite variance passes for that of a constant there.
        scale = np.where(np.isfinite(scaler.var_), scaler.scale_, np.nan)
        return np.zeros(X.shape[1]), scale
    # Row by row of chunks: the same moments as from all rows at once, without
    # temporaries of the size of X.
    spread = Spread(*np.zeros((3, X.shape[1])))
    for part, weight in row_parts(X, rows, weights):
        spread = spread.plus(Spread.of(part, weight), 1.0)
    maps = spread.maps()
    return maps.center[0], np.where(np.isfinite(spread.variance), maps.scale[0], np.nan)


def _minmax(X: Any, rows: Any, weights: Any) -> Any:
    if sparse.issparse(X):
        X = X if rows is None else X[rows]
        low, high = min_max_axis(X, axis=0, ignore_nan=True)
        width = (high - low).astype(float)
        return np.zeros(X.shape[1]), np.where(width == 0, 1.0, width)
    scaler = MinMaxScaler()
    for part, _ in row_parts(X, rows, None):
        scaler.partial_fit(part)
    width = scaler.data_range_
    return scaler.data_min_, np.where(width == 0, 1.0, width)


def _robust(X: Any, rows: Any, weights: Any) -> Any:
    if sparse.issparse(X):
        scaler = RobustScaler(with_centering=False).fit(X if rows is None else X[rows])
        return np.zeros(X.shape[1]), scaler.scale_
    # Quantiles need all values of a column at once, but only of a few columns.
    picked = slice(None) if rows is None else rows
    parts = []
    for columns in row_chunks(X.shape[1], X.shape[0]):
        scaler = RobustScaler().fit(X[:, columns][picked])
        parts.append((scaler.center_, scaler.scale_))
    return np.concatenate(parts, axis=1)


FITTERS = {"standard": _standard, "minmax": _minmax, "robust": _robust}


def row_chunks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Cut rows into slices of a few MB."""
    step = max(1, CHUNK // max(1, n_columns))
    for start in range(0, n_rows, step):
        yield slice(start, start + step)


def row_parts(X: Any, rows: Any, weights: Any) -> Iterator[tuple[Any, Any]]:
    """Yield some rows of X, None for all, and their weights in parts of a few MB."""
    if sparse.issparse(X):
        picked = slice(None) if rows is None else rows
        yield X[picked], None if weights is None else weights[picked]
        return
    for chunk in row_chunks(X.shape[0] if rows is None else len(rows), X.shape[1]):
        picked = chunk if rows is None else rows[chunk]
        yield X[picked], None if weights is None else weights[picked]


def _columns_with_values(X: Any, rows: Any) -> NDArray[np.bool_]:
    if X.dtype.kind in "biu":
        return np.ones(X.shape[1], dtype=bool)  # integers are never missing
    if sparse.issparse(X):
        # What is not stored is zero, not missing.
        stored = (X if rows is None else X[rows]).tocoo(copy=False)
        missing = stored.col[np.isnan(stored.data)]
        n_missing = np.bincount(missing, minlength=X.shape[1])
        return np.asarray(n_missing < stored.shape[0])
    # Most often the first row tells it all.
    first = X[:1] if rows is None else X[rows[:1]]
    filled: NDArray[np.bool_] = ~np.isnan(first).all(axis=0)
    for part, _ in row_parts(X, rows, None):
        if filled.all():
            break
        filled |= ~np.isnan(part).all(axis=0)
    return filled


def _rescale_sparse(X: Any, factor: NDArray[Any], codes: Any) -> Any:
    """Multiply the stored values by the factor of their row's map and column."""
    scaled = X.tocoo(copy=False)
    which = -1 if codes is None else codes[scaled.row]
    data = scaled.data * factor[which, scaled.col].astype(np.result_type(X.dtype, "f4"))
    scaled = type(scaled)((data, (scaled.row, scaled.col)), shape=X.shape)
    return scaled.asformat(X.format)
