"""The words of a comparison on data whose truth is known.

`benchmarks/sim_inference.py` does the same on more data and more models.
"""

import warnings

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from sktandem import Merged
from sktandem.exceptions import SourceWarning
from sktandem.model_selection import compare_strategies
from sktandem.stats._inference import corrected_resampled, judge, paired_rows

pytestmark = pytest.mark.slow

N_FOLDS, N_REPEATS = 10, 5


# The rule alone: least squares on one half of the features or on the other.


def least_squares(X, y):
    return np.linalg.solve(X.T @ X + 0.1 * np.eye(X.shape[1]), X.T @ y)


def saved(rng, n, first, second):
    """Return what the second features save, on each row and on each fold."""
    X = rng.normal(size=(n, 8))
    y = X.sum(axis=1) + rng.normal(scale=3, size=n)
    d, by_fold = np.empty((N_REPEATS, n)), np.empty((N_REPEATS, N_FOLDS))
    for repeat in range(N_REPEATS):
        folds = KFold(N_FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
        for fold, (train, test) in enumerate(folds.split(X)):
            errors = [
                y[test]
                - X[test][:, columns] @ least_squares(X[train][:, columns], y[train])
                for columns in (first, second)
            ]
            d[repeat, test] = errors[0] ** 2 - errors[1] ** 2
            by_fold[repeat, fold] = d[repeat, test].mean()
    return d, by_fold


def runs(n_seeds, n, first, second):
    return [saved(np.random.default_rng(s), n, first, second) for s in range(n_seeds)]


@pytest.fixture(scope="module")
def without_difference():
    """Return 300 runs on 100 rows of two strategies that are as good as each other."""
    return runs(300, 100, [0, 1, 2, 3], [4, 5, 6, 7])


def claims(intervals):
    words = [judge(low, high, 0.01) for low, high in intervals]
    return np.mean([word in ("helps", "harms") for word in words])


@pytest.mark.parametrize("n_repeats", [1, N_REPEATS])
def test_of_strategies_as_good_as_each_other_one_in_twenty_is_told_apart(
    n_repeats, without_difference
):
    told = [paired_rows(d[:n_repeats], N_FOLDS) for d, _ in without_difference]
    intervals = [one.interval() for one in told]

    # Chance alone takes 15 of 300 as far as 26 in one of 250 trials.
    assert claims(intervals) <= 26 / 300


def test_on_the_same_runs_a_plain_t_test_on_folds_finds_what_is_not_there(
    without_difference,
):
    found = [
        stats.ttest_1samp(by_fold.ravel(), 0).pvalue < 0.05
        for _, by_fold in without_difference
    ]

    assert np.mean(found) > 0.25


def test_on_the_same_runs_the_corrected_t_test_does_not(without_difference):
    intervals = [
        corrected_resampled(by_fold, N_FOLDS).interval()
        for _, by_fold in without_difference
    ]

    assert claims(intervals) <= 26 / 300


def test_a_true_difference_is_found_and_its_sign_is_right():
    """A strategy with six of eight features against one with the other two."""
    first, second = [0, 1], [2, 3, 4, 5, 6, 7]
    d = [paired_rows(d, N_FOLDS) for d, _ in runs(100, 200, first, second)]
    words = [judge(*one.interval(), 0.01) for one in d]

    assert words.count("helps") >= 60
    assert words.count("harms") == 0


def test_intervals_hold_the_true_difference():
    """What five features save over three, by the law of least squares."""
    first, second, n = [0, 1, 2], [3, 4, 5, 6, 7], 200
    trained = n * (N_FOLDS - 1) // N_FOLDS

    def risk(p):
        # The noise and the features left out, and what learning p of them costs.
        left = 9 + 8 - p
        return left * (1 + p / (trained - p - 1))

    truth = risk(len(first)) - risk(len(second))
    ends = [paired_rows(d, N_FOLDS).interval() for d, _ in runs(100, n, first, second)]

    assert np.mean([low <= truth <= high for low, high in ends]) >= 0.9


# The whole of compare_strategies


class HalfAndHalf(ClassifierMixin, BaseEstimator):
    """A model of half of A's rows and as many of B: no better and no worse."""

    def fit(self, X, y, sample_source):
        a, b = (
            np.flatnonzero(sample_source == "A"),
            np.flatnonzero(sample_source == "B"),
        )
        rows = np.concatenate([a[: len(a) // 2], b[: len(a) - len(a) // 2]])
        self.model_ = LogisticRegression().fit(X[rows], y[rows])
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


def population(rng, n, n_features, rule=1.0):
    X = rng.normal(size=(n, n_features))
    return X, (rng.random(n) < expit(rule * X.sum(axis=1))).astype(int)


def compared(seed, strategies, n, n_other, n_features, rule=1.0):
    rng = np.random.default_rng(seed)
    own = population(rng, n, n_features)
    other = population(rng, n_other, n_features, rule)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There are only", SourceWarning)
        comparison = compare_strategies(
            LogisticRegression(),
            np.concatenate([own[0], other[0]]),
            np.concatenate([own[1], other[1]]),
            sample_source=np.repeat(["A", "B"], [n, n_other]),
            primary_source="A",
            strategies=strategies,
            scaler=None,
            cv=N_FOLDS,
            n_repeats=2,
            random_state=seed,
            progress=False,
        )
    [contrast] = comparison.contrasts
    return contrast


def test_as_many_rows_of_the_same_kind_are_not_said_to_help_or_harm():
    found = [compared(s, {"half": HalfAndHalf()}, 60, 40, 4).verdict for s in range(20)]

    assert sum(word in ("helps", "harms") for word in found) <= 3


def test_a_source_that_helps_is_said_to_help():
    found = [compared(s, [Merged()], 150, 900, 20).verdict for s in range(5)]

    assert found == ["helps"] * 5


def test_a_source_of_the_opposite_rule_is_said_to_harm():
    found = [compared(s, [Merged()], 150, 300, 4, -1.0).verdict for s in range(5)]

    assert found == ["harms"] * 5
