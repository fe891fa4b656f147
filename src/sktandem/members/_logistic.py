"""Logistic regressions that differ in little, each begun where another ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from sktandem._settings import is_number
from sktandem._typing import Floats

__all__ = ["Logistic"]

SMOOTH = ("lbfgs", "newton-cg", "newton-cholesky")  # solvers of the one optimum
MOST_WEIGHTS = 300  # beyond, products of all columns cost more than some fits
MOST_STEPS = 50
CLOSEST = 1e-6  # the gradient of a mean loss that is as good as none


@dataclass(frozen=True)
class Logistic:
    """How a logistic regression with a squared penalty is fitted: by Newton's method.

    Attributes
    ----------
    alpha : float
        The penalty.

    intercept : bool
        Whether it has a constant.

    tol : float
        The largest derivative of the mean loss that is left.
    """

    alpha: float
    intercept: bool
    tol: float

    @classmethod
    def of(cls, estimator: Any) -> Logistic | None:
        """Return how an estimator is fitted, or None if it is of another kind."""
        if type(estimator) is not LogisticRegression or estimator.solver not in SMOOTH:
            return None
        # By the spelling of every version: C=inf, penalty=None and l1_ratio.
        squared = estimator.penalty in ("l2", "deprecated") and not estimator.l1_ratio
        several = getattr(estimator, "multi_class", "auto") in ("auto", "deprecated")
        C, weighted = estimator.C, estimator.class_weight is not None
        usual = squared and several and not weighted and not estimator.dual
        if not usual or not is_number(C) or not 0 < C < np.inf:
            return None
        return cls(1 / C, estimator.fit_intercept, min(estimator.tol, CLOSEST))

    def design(self, X: Floats) -> Floats:
        """Return the columns of X, and that of the constant, as rows."""
        columns = np.ones((X.shape[1] + int(self.intercept), len(X)))
        columns[: X.shape[1]] = X.T
        return columns

    def proba(self, columns: Floats, slopes: Floats) -> Floats:
        """Return the probability of each class but, of two, the first, as rows."""
        scores = slopes @ columns
        if len(scores) > 1:
            return np.asarray(softmax(scores, axis=0))
        with np.errstate(over="ignore"):  # infinity makes a probability of 0
            return np.asarray(1 / (1 + np.exp(-scores)))

    def fit(
        self,
        columns: Floats,
        codes: NDArray[np.intp],
        counts: Floats,
        start: Floats | None = None,
    ) -> Floats | None:
        """Return the slopes of each score, or None where they were not found.

        Two classes have one score. `start` are slopes of a fit that is much alike.
        """
        n_classes = int(codes.max()) + 1
        targets = np.eye(n_classes)[int(n_classes == 2) :, codes]
        shape = len(targets), len(columns)
        if shape[0] * shape[1] > MOST_WEIGHTS:
            return None
        alphas = np.full(shape[1], self.alpha)
        alphas[shape[1] - int(self.intercept) :] = 0.0
        slopes: Floats = np.zeros(shape)
        if start is not None and start.shape == shape:
            slopes = start
        step: Any = np.zeros(shape)
        least, size = np.inf, counts.sum()
        for _ in range(MOST_STEPS):
            p = self.proba(columns, slopes - step)
            slope = (counts * (p - targets)) @ columns.T + alphas * (slopes - step)
            steepest = float(np.linalg.norm(slope))
            if np.isnan(steepest):
                return None
            if steepest > least:  # too far
                step = step / 2
                continue
            slopes, least = slopes - step, steepest
            if np.abs(slope).max() <= self.tol * size:
                return slopes
            curved = _curvature(columns, p, counts)
            curved.flat[:: len(curved) + 1] += np.tile(alphas, shape[0])
            if self.intercept and shape[0] > 1:
                # Constants that all rise alike change nothing: let them sum to zero.
                curved[shape[1] - 1 :: shape[1], shape[1] - 1 :: shape[1]] += 1.0
            try:
                step = np.linalg.solve(curved, slope.ravel()).reshape(shape)
            except np.linalg.LinAlgError:
                return None
        return None


def _curvature(columns: Floats, p: Floats, counts: Floats) -> Floats:
    """Return the second derivatives of the loss, a block for each two scores."""
    n_scores, width = len(p), len(columns)
    curved = np.empty((n_scores, width, n_scores, width))
    for i in range(n_scores):
        for j in range(i + 1):
            each = counts * p[i] * (float(i == j) - p[j])
            curved[i, :, j] = curved[j, :, i] = (columns * each) @ columns.T
    return curved.reshape(n_scores * width, -1)
