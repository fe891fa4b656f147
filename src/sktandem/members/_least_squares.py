"""What linear least squares loses along weights and folds, without a fit for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
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
    count : float
        The weights in all.

    first : ndarray of shape (n_columns,)
        The weighted sums of the columns, y the last.

    second : ndarray of shape (n_columns, n_columns)
        The weighted sums of the products of each two.
    """

    count: float
    first: Floats
    second: Floats

    @classmethod
    def of(cls, table: Floats, weights: Floats) -> Moments:
        """Return the moments of rows."""
        weighted = table * weights[:, None]
        return cls(float(weights.sum()), weighted.sum(axis=0), weighted.T @ table)

    def plus(self, other: Moments, weight: float) -> Moments:
        """Return the moments of these rows and of others that count `weight`."""
        return Moments(
            self.count + weight * other.count,
            self.first + weight * other.first,
            self.second + weight * other.second,
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

    def line(self, moments: Moments) -> tuple[Floats, float] | None:
        """Return coefficients and constant, or None where they would be inexact."""
        mean = moments.first / moments.count
        centered = moments.second - np.outer(mean, moments.first)
        variance = np.diag(centered)[:-1] / moments.count
        # What does not vary is left as it is, as StandardScaler does.
        varies = variance > WORST * np.diag(moments.second)[:-1] / moments.count
        if not varies.all():
            return None
        scale = np.sqrt(variance) if self.scales else np.ones(len(variance))
        used = centered if self.scales or self.intercept else moments.second
        gram = used[:-1, :-1] / np.outer(scale, scale)
        if not self.scales and not self.intercept:
            mean = np.zeros_like(mean)
        size = np.diag(gram).max() + self.alpha
        gram[np.diag_indices_from(gram)] += self.alpha
        if np.linalg.eigvalsh(gram)[0] < WORST * size:
            return None
        try:
            found = cho_solve(cho_factor(gram), used[:-1, -1] / scale) / scale
        except LinAlgError:
            return None
        constant = mean[-1] if self.intercept else 0.0
        return found, float(constant - mean[:-1] @ found)


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
    losses = np.zeros(len(weights))
    for fold in range(folds.max() + 1):
        train, test = own[folds != fold], own[folds == fold]
        mine = Moments.of(table[train], counts[train])
        if mine.count == 0:
            return None
        lines = [how.line(mine.plus(of_others, float(w))) for w in weights]
        if any(line is None for line in lines):
            return None
        slopes, constants = zip(*(line for line in lines if line is not None))
        predicted = table[test, :-1] @ np.array(slopes).T + np.array(constants)
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
