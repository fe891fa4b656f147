"""What linear least squares loses along weights and folds, without a fit for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression, Ridge

from sktandem._settings import is_number
from sktandem._typing import Floats
from sktandem.data._rows import Rows
from sktandem.data._tables import is_frame, numeric_columns, to_floats

__all__ = ["least_squares_losses"]

MOST_COLUMNS = 500  # beyond, the products of all columns cost more than some fits
WORST = 1e-10  # of 1: how near to dependent columns may be to trust their products


@dataclass(frozen=True)
class Moments:
    """What rows have in common: sums of products, of which fits are made.

    Those of two sets of rows add up, each with its weight, so that one pass over the
    rows serves every fold and every weight.

    Attributes
    ----------
    count : float or ndarray
        The weights in all.

    first : ndarray of shape (n_columns,)
        The weighted sums of the columns, y the last.

    second : ndarray of shape (n_columns, n_columns)
        The weighted sums of the products of each two.
    """

    count: float | Floats
    first: Floats
    second: Floats

    @classmethod
    def of(cls, table: Floats, weights: Floats) -> Moments:
        """Return the moments of rows."""
        weighted = table * weights[:, None]
        return cls(float(weights.sum()), weighted.sum(axis=0), weighted.T @ table)

    @classmethod
    def together(cls, parts: Sequence[Moments]) -> Moments:
        """Return the moments of the rows of all parts."""
        each = zip(*(vars(part).values() for part in parts))
        return cls(*(np.sum(own, axis=0) for own in each))

    def plus(self, other: Moments, weights: Floats) -> Moments:
        """Return the moments of these rows and of others, at each of their weights.

        Weights are the first axis of what is returned.
        """
        return Moments(
            self.count + weights * other.count,
            self.first + weights[:, None] * other.first,
            self.second + weights[:, None, None] * other.second,
        )


@dataclass(frozen=True)
class LeastSquares:
    """How a linear model is fitted.

    Attributes
    ----------
    alpha : float
        The penalty.

    intercept : bool
        Whether it has a constant.

    scales : bool
        Whether columns are standardised first.
    """

    alpha: float
    intercept: bool
    scales: bool

    @classmethod
    def of(cls, estimator: Any, scaler: Any) -> LeastSquares | None:
        """Return how an estimator is fitted, or None if it is of another kind."""
        if scaler not in ("standard", None) or getattr(estimator, "positive", False):
            return None
        intercept, scales = estimator.fit_intercept, scaler is not None
        if type(estimator) is LinearRegression:
            return cls(0.0, intercept, scales)
        direct = estimator.solver in ("auto", "cholesky", "svd")
        if not direct or not is_number(estimator.alpha) or estimator.alpha <= 0:
            return None
        return cls(float(estimator.alpha), intercept, scales)

    def lines(self, moments: Moments) -> tuple[Floats, Floats] | None:
        """Return coefficients and constant at each weight, None where inexact."""
        count, square = np.asarray(moments.count)[:, None], moments.second
        mean = moments.first / count
        centered = square - mean[:, :, None] * moments.first[:, None]
        variance = _diagonals(centered)[:, :-1] / count
        # What does not vary is left as it is, as StandardScaler does.
        if not (variance > WORST * _diagonals(square)[:, :-1] / count).all():
            return None
        scale = np.sqrt(variance) if self.scales else np.ones_like(variance)
        used = centered if self.scales or self.intercept else square
        gram = used[:, :-1, :-1] / (scale[:, :, None] * scale[:, None])
        if not self.scales and not self.intercept:
            mean = np.zeros_like(mean)
        sizes = _diagonals(gram).max(axis=1) + self.alpha
        gram += self.alpha * np.eye(gram.shape[1])
        if (np.linalg.eigvalsh(gram)[:, 0] < WORST * sizes).any():
            return None
        aims = used[:, :-1, -1:] / scale[:, :, None]
        found = np.linalg.solve(gram, aims)[:, :, 0] / scale
        constant = mean[:, -1] * self.intercept
        return found, constant - (mean[:, :-1] * found).sum(axis=1)


def _diagonals(matrices: Floats) -> Floats:
    return np.diagonal(matrices, axis1=1, axis2=2)


def least_squares_losses(
    estimator: Any,
    scaler: Any,
    rows: Rows,
    own: NDArray[np.intp],
    others: NDArray[np.intp],
    folds: NDArray[np.intp],
    weights: Sequence[float],
) -> Floats | None:
    """Return the squared errors in all at each weight of the others' rows.

    They are those of fits on the rows of one's own outside each fold, and all others.
    None means that this is not such a model, or not data for which it is exact.
    """
    if type(estimator) not in (Ridge, LinearRegression):
        return None
    how = LeastSquares.of(estimator, scaler)
    table = None if how is None else _table(rows)
    if how is None or table is None:
        return None
    counts = np.ones(len(rows)) if rows.weights is None else rows.weights
    # Around the mean, so that no digits are lost to columns far from zero.
    middle = table.mean(axis=0)
    middle[:-1] *= how.scales or how.intercept
    middle[-1] *= how.intercept
    table -= middle
    of_others = Moments.of(table[others], counts[others])
    tests = [own[folds == fold] for fold in range(folds.max() + 1)]
    parts = [Moments.of(table[test], counts[test]) for test in tests]
    losses = np.zeros(len(weights))
    for fold, test in enumerate(tests):
        # Not all less this one, or a huge row would leave its rounding behind.
        mine = Moments.together(parts[:fold] + parts[fold + 1 :])
        if mine.count == 0:
            return None
        lines = how.lines(mine.plus(of_others, np.asarray(weights, dtype=float)))
        if lines is None:
            return None
        predicted = table[test, :-1] @ lines[0].T + lines[1]
        losses += counts[test] @ (table[test, -1:] - predicted) ** 2
    return losses


def _table(rows: Rows) -> Floats | None:
    """Return X and y as columns of doubles; None if they are not plain numbers."""
    X, y = rows.X, rows.y
    if is_frame(X):
        columns = numeric_columns(X)
        if len(columns) < X.shape[1]:
            return None
        X = to_floats(X, columns)
    plain = isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "fiu"
    if not plain or y.ndim != 1 or y.dtype.kind not in "fiu":
        return None
    if X.shape[1] > min(MOST_COLUMNS, len(X)):
        return None
    table = np.column_stack([X.astype(np.float64), y.astype(np.float64)])
    return table if np.isfinite(table).all() else None
