"""Whether a difference between two ways of learning is more than chance.

Every rule here was chosen for its false alarms and its power on data whose true
difference was known; `benchmarks/sim_inference.py` measures both anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sktandem._typing import Floats

__all__ = [
    "Difference",
    "Verdict",
    "corrected_resampled",
    "group_means",
    "judge",
    "paired_rows",
    "placements",
    "rows_needed",
    "simultaneous_alpha",
]

Verdict = Literal["helps", "does no harm", "harms", "cannot tell yet"]
# By so many a level of 0.05 is known to 3 % of itself.
N_DRAWS = 20_000


@dataclass(frozen=True)
class Difference:
    """An estimated difference and how far chance may have moved it.

    Attributes
    ----------
    estimate : float
        The mean difference.

    se : float
        Its standard error.

    df : float
        The degrees of freedom of Student's t.

    n : int
        How many rows, groups or folds it rests on.
    """

    estimate: float
    se: float
    df: float
    n: int

    @property
    def identical(self) -> bool:
        """Whether not a single row differs."""
        return self.estimate == 0 and self.se == 0

    @property
    def p_value(self) -> float:
        """The two-sided p-value of no difference; 1 where nothing differs."""
        if self.identical:
            return 1.0
        # A gain that is the same on every row has no spread: it is infinitely many
        # standard errors from nothing, and its p-value is 0.
        with np.errstate(divide="ignore"):
            ratio = np.divide(abs(self.estimate), self.se)
        return float(2 * stats.t.sf(ratio, self.df))

    def interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """Return the ends of the interval that misses with probability alpha."""
        half = float(stats.t.ppf(1 - alpha / 2, self.df)) * self.se
        return self.estimate - half, self.estimate + half


def paired_rows(
    differences: Floats,
    n_splits: int,
    *,
    groups: NDArray[np.intp] | None = None,
    strata: NDArray[np.intp] | None = None,
    weights: Sequence[float] | None = None,
) -> Difference:
    r"""Judge differences measured on every held-out row in repeated K-fold.

    Rows of one repeat are nearly independent; repeats are not independent of
    each other at all, so they sharpen the estimate and never count as rows.

    Parameters
    ----------
    differences : ndarray of shape (n_repeats, n_rows)
        The difference on each row in each repeat.

    n_splits : int
        The number of folds k of each repeat.

    groups : ndarray of shape (n_rows,), default=None
        The group of each row. Rows of a group are replaced by their mean.

    strata : ndarray of shape (n_rows,), default=None
        The class of each row, where the estimate is a weighted sum of the
        means of classes, as balanced accuracy is.

    weights : sequence of float, default=None
        What the mean of each stratum counts; an equal part by default.

    Returns
    -------
    difference : Difference
        With n - 1 degrees of freedom; of strata, Satterthwaite's.

    Notes
    -----
    :math:`SE^2 = \bar{s^2} / n \cdot k / (k - 1)`, with the mean over repeats of
    the variance over rows. The last factor is for the rows held out of training.
    """
    d = np.atleast_2d(np.asarray(differences, dtype=np.float64))
    if strata is None:
        strata = np.zeros(d.shape[1], dtype=np.intp)
    present = np.unique(strata)
    counts = np.full(len(present), 1 / len(present)) if weights is None else weights
    estimate, variance, bottom, n = 0.0, 0.0, 0.0, 0
    for stratum, count in zip(present, counts):
        rows = strata == stratum
        own = d[:, rows] if groups is None else group_means(d[:, rows], groups[rows])
        size = own.shape[1]
        part = _mean_variance(own) / size * n_splits / (n_splits - 1)
        estimate += count * float(own.mean())
        variance += count**2 * part
        bottom += (count**2 * part) ** 2 / max(1, size - 1)
        n += size
    # Welch and Satterthwaite: the degrees of freedom of the one chi-squared that has
    # the mean and the variance of this weighted sum of several.
    df = float(variance**2 / bottom) if bottom > 0 else max(1, n - len(present))
    return Difference(float(estimate), float(np.sqrt(variance)), df, n)


def _mean_variance(d: Floats) -> float:
    # Nobody knows the spread of a single row. NaN goes through to `judge`, for which
    # every comparison with it is false: "cannot tell yet".
    return float(d.var(axis=1, ddof=1).mean()) if d.shape[1] > 1 else np.nan


def group_means(d: Floats, groups: NDArray[np.intp]) -> Floats:
    """Replace the columns of each group by their mean."""
    codes = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(codes)
    return np.stack([np.bincount(codes, repeat) / sizes for repeat in d])


def corrected_resampled(differences: Floats, n_splits: int) -> Difference:
    """Judge differences of which each fold of repeated K-fold has one.

    For metrics without a part for each row, such as F1: Student's t with the
    variance of Nadeau and Bengio (2003), "Inference for the Generalization
    Error", Machine Learning 52. The plain t-test takes overlapping folds for
    independent ones and finds differences in half of all identical pairs.

    Parameters
    ----------
    differences : ndarray
        The difference on each fold of each repeat; folds without a value are
        nan.

    n_splits : int
        The number of folds of each repeat.

    Returns
    -------
    difference : Difference
        With one degree of freedom less than folds.
    """
    d = np.ravel(differences)
    d = d[np.isfinite(d)]
    if len(d) < 2:
        return Difference(np.nan, np.nan, 1, len(d))
    # 1 / n alone would be right for folds that share nothing. What is added is rows
    # held out over rows trained on, which stands for the training rows they share.
    variance = d.var(ddof=1) * (1 / len(d) + 1 / (n_splits - 1))
    return Difference(float(d.mean()), float(np.sqrt(variance)), len(d) - 1, len(d))


def placements(positive: NDArray[np.bool_], scores: Floats) -> Floats:
    """Return each row's part in the area under the ROC curve.

    A positive row's part is the share of negative rows that it beats, a
    negative row's the share of positive rows that beat it; ties count half.
    The mean over either class is the area, and the variance of an area is the
    sum over both classes of the variance of their mean: DeLong, DeLong and
    Clarke-Pearson (1988), Biometrics 44.

    Parameters
    ----------
    positive : ndarray of bool of shape (n_rows,)
        Which rows are positive.

    scores : ndarray of shape (n_rows,)
        What the model gives them.

    Returns
    -------
    parts : ndarray of shape (n_rows,)
        From 0 to 1; nan where a class is missing.
    """
    parts = np.full(len(scores), np.nan)
    above, below = np.sort(scores[positive]), np.sort(scores[~positive])
    if len(above) and len(below):
        parts[positive] = _share_below(scores[positive], below)
        parts[~positive] = 1 - _share_below(scores[~positive], above)
    return parts


def _share_below(scores: Floats, others: Floats) -> Floats:
    left = np.searchsorted(others, scores, "left")
    right = np.searchsorted(others, scores, "right")
    # Halfway between those below and those not above: so a tie counts half.
    return np.asarray((left + right) / (2 * len(others)))


def simultaneous_alpha(
    correlations: Sequence[Floats], dfs: Sequence[float], alpha: float = 0.05
) -> float:
    """Return the level at which all intervals are right at once.

    Ten intervals of 95 % are seldom all right. Bonferroni's tenth part is too
    strict where strategies differ little from each other: what is needed is
    the alpha quantile of the smallest of their p-values, if nothing differed.
    That is the max-t of Hothorn, Bretz and Westfall (2008), "Simultaneous
    Inference in General Parametric Models", Biometrical Journal 50.

    Parameters
    ----------
    correlations : sequence of ndarray of shape (m, m)
        Of each source, how the differences of its strategies vary together.
        Sources are independent.

    dfs : sequence of float
        The degrees of freedom of each source.

    alpha : float, default=0.05
        How often one interval or more may miss.

    Returns
    -------
    level : float
        Between Bonferroni's and `alpha`, from 20,000 draws of fixed seed.
    """
    n_intervals = sum(len(correlation) for correlation in correlations)
    if n_intervals < 2:
        return alpha
    rng = np.random.default_rng(0)
    smallest = np.ones(N_DRAWS)
    for correlation, df in zip(correlations, dfs):
        if len(correlation) == 0:
            continue
        # The t statistics of a source are normal values with these correlations, over
        # one chi-squared for all of them. eigh and not Cholesky: two strategies that
        # answer alike make a matrix without an inverse.
        values, vectors = np.linalg.eigh(correlation)
        root = vectors * np.sqrt(np.clip(values, 0, None))
        normal = rng.standard_normal((N_DRAWS, len(correlation))) @ root.T
        scale = np.sqrt(rng.chisquare(df, N_DRAWS) / df)
        largest = np.abs(normal).max(axis=1) / scale
        np.minimum(smallest, 2 * stats.t.sf(largest, df), out=smallest)
    # Bonferroni's part is enough whatever the correlations are, so that draws which say
    # less were bad luck.
    return float(np.clip(np.quantile(smallest, alpha), alpha / n_intervals, alpha))


def judge(low: float, high: float, margin: float) -> Verdict:
    """Put an interval of a gain into a word, by its ends and the margin alone."""
    if low > 0:
        return "helps"
    if high < 0:
        return "harms"
    return "does no harm" if low > -margin else "cannot tell yet"


def rows_needed(n: int, low: float, high: float, margin: float) -> int | None:
    """Return about how many rows make an interval as narrow as the margin.

    To two figures, since it is an extrapolation by the square root law. None
    for a margin of nothing.
    """
    if margin <= 0:
        return None
    # Half an interval is to be as long as the margin, and shrinks with the root of n.
    needed = n * ((high - low) / 2 / margin) ** 2
    if not np.isfinite(needed) or needed <= 0:
        return n
    unit = 10.0 ** max(0, int(np.floor(np.log10(needed))) - 1)
    return int(np.ceil(needed / unit) * unit)
