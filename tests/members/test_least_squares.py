"""Least squares along weights and folds: the losses of the fits it stands for."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

from sktandem.data._rows import Rows
from sktandem.data._sources import Sources
from sktandem.members import WeightedMerge, _inner_losses
from sktandem.members import _weighted as weighted
from sktandem.members._least_squares import least_squares_losses
from sktandem.members._models import Units

RNG = np.random.default_rng(0)
CODES = np.repeat([0, 1], [60, 240])
X = RNG.normal(size=(300, 4)) * [1, 10, 0.01, 3] + [100, 0, 5, 2]
Y = X[:, 0] + np.where(CODES, X[:, 3], -X[:, 3]) + RNG.normal(size=300)
FOLDS = np.arange(60) % 5
WEIGHTS = (0.0, 0.03, 0.3, 1.0)


def rows_of(X=X, y=Y, weights=None):
    return Rows(X=X, y=y, sources=Sources(("a", "b"), CODES), weights=weights)


def found(estimator, rows, scaler="standard"):
    own, others = rows.of("a"), rows.of_others("a")
    return least_squares_losses(estimator, scaler, rows, own, others, FOLDS, WEIGHTS)


def fitted_one_by_one(estimator, rows, scaler):
    own, others = rows.of("a"), rows.of_others("a")
    units = Units(estimator, scaler, False, np.random.RandomState(0))
    given = np.ones(300) if rows.weights is None else rows.weights
    losses = np.zeros(len(WEIGHTS))
    for fold in range(5):
        test = own[fold == FOLDS]
        for place, weight in enumerate(WEIGHTS):
            model = weighted._fit(units, rows, own[fold != FOLDS], others, weight)
            errors = (model.predict(rows.X[test]) - rows.y[test]) ** 2
            losses[place] += np.sum(errors * given[test])
    return losses


@pytest.mark.parametrize("given", [None, RNG.uniform(0.2, 3, size=300)])
@pytest.mark.parametrize("scaler", ["standard", None])
@pytest.mark.parametrize(
    "estimator",
    [
        Ridge(),
        Ridge(alpha=30, fit_intercept=False),
        LinearRegression(),
        LinearRegression(fit_intercept=False),
    ],
    ids=str,
)
def test_losses_are_those_of_a_fit_for_each(estimator, scaler, given):
    # Without a constant, columns far from zero are nearly one column.
    table = X if estimator.fit_intercept or scaler else X - X.mean(axis=0)
    rows = rows_of(table, weights=given)

    losses = found(estimator, rows, scaler)

    by_hand = fitted_one_by_one(estimator, rows, scaler)
    np.testing.assert_allclose(losses, by_hand, rtol=1e-9)


def test_a_data_frame_is_as_an_array():
    frame = pd.DataFrame(X, columns=list("wxyz"))

    np.testing.assert_allclose(
        found(Ridge(), rows_of(frame)), found(Ridge(), rows_of())
    )


CONSTANT = np.where(np.arange(4) == 1, 1.0, X)
TWICE = np.column_stack([X, X[:, 0]])
STRINGS = pd.DataFrame(X).assign(kind="x")


@pytest.mark.parametrize(
    ("estimator", "rows", "scaler"),
    [
        (LogisticRegression(), rows_of(), "standard"),
        (Ridge(positive=True), rows_of(), "standard"),
        (Ridge(solver="sag"), rows_of(), "standard"),
        (Ridge(alpha=0), rows_of(), "standard"),
        (Ridge(), rows_of(), "robust"),
        (Ridge(), rows_of(CONSTANT), "standard"),
        (LinearRegression(), rows_of(TWICE), "standard"),
        (Ridge(), rows_of(STRINGS), "standard"),
        (Ridge(), rows_of(y=np.column_stack([Y, Y])), "standard"),
        (Ridge(), rows_of(np.tile(X, 200)), "standard"),
    ],
)
def test_what_it_is_not_exact_for_is_left_to_fits(estimator, rows, scaler):
    assert found(estimator, rows, scaler) is None


def test_a_subclass_is_left_to_its_own_fit():
    class Mine(Ridge):
        def fit(self, X, y, sample_weight=None):
            return super().fit(X, -y, sample_weight)

    assert found(Mine(), rows_of()) is None


def test_the_weight_is_that_of_the_fits(monkeypatch):
    source = np.where(CODES == 0, "a", "b")
    quick = WeightedMerge(Ridge(), random_state=0).fit(X, Y, sample_source=source)

    monkeypatch.setattr(_inner_losses, "least_squares_losses", lambda *_: None)
    slow = WeightedMerge(Ridge(), random_state=0).fit(X, Y, sample_source=source)

    assert quick.weight_by_source_["a"] == slow.weight_by_source_["a"]
