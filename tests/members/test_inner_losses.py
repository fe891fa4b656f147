"""Losses by what others count: those of the fits they stand for, at less cost."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sktandem import Merged, table_preprocessor
from sktandem.data._rows import Rows
from sktandem.data._sources import Sources
from sktandem.exceptions import SourceError
from sktandem.members import WeightedMerge
from sktandem.members._inner_losses import InnerFits, inner_losses
from sktandem.members._logistic import Logistic
from sktandem.members._models import Units
from sktandem.scaling._scalers import follows_scales

RNG = np.random.default_rng(0)
CODES = np.repeat([0, 1], [60, 140])
X = RNG.normal(size=(200, 4)) * [1, 10, 0.01, 3] + [100, 0, 5, 2]
GUMBEL = RNG.gumbel(size=(200, 3))
THREE = (np.column_stack([X[:, 0] - 100, X[:, 1] / 10, CODES]) + GUMBEL).argmax(axis=1)
TWO = np.where(THREE == 1, "yes", "no")
FOLDS = np.arange(60) % 5
WEIGHTS = (0.0, 0.03, 0.3, 1.0)
GIVEN = RNG.uniform(0.2, 3, size=200)
MIXED = pd.DataFrame(X, columns=list("wxyz")).assign(
    kind=RNG.choice(["a", "b", None], 200), w=np.where(X[:, 3] > 4, np.nan, X[:, 0])
)
EXACT = {"solver": "newton-cholesky", "tol": 1e-10, "max_iter": 1000}


def rows_of(X=X, y=TWO, weights=None):
    return Rows(X=X, y=y, sources=Sources(("a", "b"), CODES), weights=weights)


def units_of(estimator, scaler="standard"):
    return Units(estimator, scaler, False, np.random.RandomState(0))


def found(estimator, rows, scaler="standard", scoring=None):
    own, others = rows.of("a"), rows.of_others("a")
    units = units_of(estimator, scaler)
    return inner_losses(units, rows, own, others, FOLDS, WEIGHTS, scoring)


def fitted_one_by_one(estimator, rows, scaler="standard"):
    """Return the same by a merge for each fold and weight."""
    own, others = rows.of("a"), rows.of_others("a")
    given = np.ones(200) if rows.weights is None else rows.weights
    losses = np.zeros(len(WEIGHTS))
    for fold in range(5):
        test = rows.take(own[fold == FOLDS])
        for place, weight in enumerate(WEIGHTS):
            mine = own[fold != FOLDS]
            both = mine if weight == 0 else np.concatenate([mine, others])
            counts = given[both] * np.where(np.isin(both, own), 1, weight)
            train, model = rows.take(both), Merged(estimator, scaler=scaler)
            model.fit(train.X, train.y, sample_weight=counts)
            known = dict(zip(model.classes_.tolist(), model.predict_proba(test.X).T))
            p = [
                known[label][row] if label in known else 0
                for row, label in enumerate(test.y.tolist())
            ]
            costs = -np.log(np.clip(p, np.finfo(float).eps, 1))
            losses[place] += costs @ given[own[fold == FOLDS]]
    return losses


@pytest.mark.parametrize("given", [None, GIVEN], ids=["even", "weighted"])
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("scaler", ["standard", "minmax", "robust", None])
@pytest.mark.parametrize("settings", [{}, {"C": 30.0, "fit_intercept": False}], ids=str)
def test_losses_are_those_of_logistic_regressions(settings, scaler, y, given):
    table = X if scaler else (X - X.mean(axis=0)) / X.std(axis=0)
    rows = rows_of(table, y, given)
    estimator = LogisticRegression(**EXACT, **settings)

    losses = found(estimator, rows, scaler)

    by_hand = fitted_one_by_one(estimator, rows, scaler)
    np.testing.assert_allclose(losses, by_hand, rtol=1e-5)


@pytest.mark.parametrize(
    ("estimator", "scaler"),
    [
        (make_pipeline(table_preprocessor(scaler=None)), "standard"),
        (make_pipeline(table_preprocessor(scaler=None)), "robust"),
        (make_pipeline(table_preprocessor()), "standard"),
        (make_pipeline(table_preprocessor(min_frequency=30)), None),
        (make_pipeline(), table_preprocessor()),
    ],
    ids=["follows", "follows, robust", "inside", "alone", "as scaler"],
)
@pytest.mark.parametrize(
    "learner",
    [LogisticRegression(**EXACT), DecisionTreeClassifier(max_depth=3, random_state=0)],
    ids=["logistic", "tree"],
)
def test_losses_are_those_of_fits_on_a_mixed_table(estimator, scaler, learner):
    model = make_pipeline(*(step for _, step in estimator.steps), learner)
    model = learner if len(model) == 1 else model
    rows = rows_of(MIXED)

    losses = found(model, rows, scaler)

    by_hand = fitted_one_by_one(model, rows, scaler)
    np.testing.assert_allclose(losses, by_hand, rtol=1e-5)


@pytest.mark.parametrize(
    ("estimator", "scaler"),
    [
        (make_pipeline(PCA(2), LogisticRegression(**EXACT)), "standard"),
        (make_pipeline(PCA(2), LogisticRegression(**EXACT)), None),
        (make_pipeline(LogisticRegression(**EXACT)), None),
        (LogisticRegression(**EXACT), StandardScaler()),
        (LogisticRegression(**EXACT), PolynomialFeatures()),
        (DecisionTreeClassifier(max_depth=3, random_state=0), "standard"),
    ],
    ids=str,
)
def test_losses_are_those_of_fits_of_any_estimator(estimator, scaler):
    table = (X - X.mean(axis=0)) / X.std(axis=0)
    rows = rows_of(table, THREE)

    losses = found(estimator, rows, scaler)

    by_hand = fitted_one_by_one(estimator, rows, scaler)
    np.testing.assert_allclose(losses, by_hand, rtol=1e-5)


def test_a_data_frame_of_numbers_is_as_an_array():
    frame = pd.DataFrame(X, columns=list("wxyz"))
    losses = found(LogisticRegression(), rows_of(frame))
    np.testing.assert_allclose(losses, found(LogisticRegression(), rows_of()))


def test_a_class_that_a_fold_never_met_costs_what_no_chance_does():
    """One row of a class: in the fold that holds it, own models cannot know it."""
    y = np.where(CODES == 0, THREE % 2, THREE)
    y[0] = 5
    estimator = LogisticRegression(**EXACT)

    losses = found(estimator, rows_of(y=y))

    by_hand = fitted_one_by_one(estimator, rows_of(y=y))
    np.testing.assert_allclose(losses, by_hand, rtol=1e-5)
    assert losses[0] > -np.log(np.finfo(float).eps)


class Counting(TransformerMixin, BaseEstimator):
    """A front that says how often it was fitted."""

    n_fits = 0

    def fit(self, X, y=None):
        type(self).n_fits += 1
        return self

    def transform(self, X):
        return X


@pytest.mark.parametrize("place", ["front", "scaler"])
@pytest.mark.parametrize("learner", [LogisticRegression(), DecisionTreeClassifier()])
def test_what_takes_no_weights_is_fitted_with_the_others_and_without(place, learner):
    Counting.n_fits = 0
    model = make_pipeline(Counting(), learner) if place == "front" else learner

    found(model, rows_of(), None if place == "front" else Counting())

    # As a scaler; in a pipeline of a user's own, whoever takes weights is asked first.
    assert Counting.n_fits == (2 if place == "scaler" else len(WEIGHTS)) * 5


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(solver="liblinear"),
        LogisticRegression(solver="saga", l1_ratio=0.5),
        LogisticRegression(C=np.inf),
        LogisticRegression(class_weight="balanced"),
        type("Mine", (LogisticRegression,), {})(),
        Ridge(),
    ],
    ids=str,
)
def test_other_estimators_are_no_such_regressions(estimator):
    assert Logistic.of(estimator) is None


def quickly(rows, estimator=None, scaler="standard", scoring=None):
    fits = InnerFits(units_of(estimator or LogisticRegression(), scaler), rows, scoring)
    own, others = rows.of("a"), rows.of_others("a")
    layout = fits.laid_out(own[FOLDS > 0], others, own[FOLDS == 0])
    return fits.quickly(layout, WEIGHTS[1:])


def test_what_newtons_method_is_not_for_is_left_to_fits():
    wide = RNG.normal(size=(200, 400))
    missing = np.where(X > 101, np.nan, X)
    constant = rows_of(y=np.full(200, "yes"))

    assert len(quickly(rows_of())) == 3
    for rows in (rows_of(wide), rows_of(missing), rows_of(MIXED), constant):
        assert quickly(rows) == {}
    assert quickly(rows_of(), scoring="accuracy") == {}
    assert quickly(rows_of(weights=np.arange(200.0)[::-1])) == {}  # a row is out


def test_an_error_is_told_as_a_fit_tells_it():
    table = X.copy()
    table[70, 1] = 1e200
    model = WeightedMerge(LogisticRegression(), random_state=0)
    with pytest.raises(SourceError, match="Column 1 of X holds 1e\\+200"):
        model.fit(table, TWO, sample_source=np.where(CODES, "b", "a"))


@pytest.mark.parametrize(
    ("front", "follows"),
    [
        (table_preprocessor(scaler=None, min_frequency=5), True),
        (table_preprocessor(), False),
        (table_preprocessor(scaler="robust"), False),
        (
            table_preprocessor().set_params(numeric__simpleimputer__strategy="mean"),
            None,
        ),
        (
            table_preprocessor().set_params(numeric__standardscaler__with_mean=False),
            None,
        ),
        (table_preprocessor().set_params(transformer_weights={"numeric": 2}), None),
        (table_preprocessor().set_params(remainder="passthrough"), None),
        (ColumnTransformer([("n", SimpleImputer(), [0])]), None),
        (StandardScaler(), None),
    ],
)
def test_what_follows_a_scale_is_known(front, follows):
    assert follows_scales(front) is follows


@pytest.mark.parametrize("follows", [True, False])
def test_a_preprocessor_follows_a_scale_as_it_says(follows):
    front = table_preprocessor(scaler=None if follows else "standard")
    moved = MIXED.assign(w=(MIXED["w"] - 3) / 7, y=(MIXED["y"] + 1) / 0.1)

    before, after = front.fit_transform(MIXED), front.fit_transform(moved)

    if follows:
        before[:, 0], before[:, 2] = (before[:, 0] - 3) / 7, (before[:, 2] + 1) / 0.1
    np.testing.assert_allclose(after, before, atol=1e-9)
