"""Bring a model, not the data."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, QuantileRegressor, Ridge
from sklearn.svm import LinearSVC

from sktandem import Merged, SourceError, SourceWarning, Tandem
from sktandem.tandem import _blend

RNG = np.random.default_rng(0)
X, X_THEIRS = RNG.normal(size=(80, 3)), RNG.normal(size=(400, 3))
Y = X.sum(axis=1) + RNG.normal(size=80)
Y_THEIRS = X_THEIRS.sum(axis=1) + RNG.normal(size=400)
SOURCE = np.repeat(["a", "b"], [30, 50])
CLASSES, CLASSES_THEIRS = np.where(Y > 0, "ill", "well"), (Y_THEIRS > 0).astype(int)
WORDS = {1: "ill", 0: "well"}


class Published:
    """A score that answers to the few names that a donor may be asked for."""

    def __init__(self, fitted):
        self._fitted = fitted
        self.classes_ = fitted.classes_
        self.n_features_in_ = fitted.n_features_in_
        self.asked = set()

    def __getattr__(self, name):
        if name not in ("feature_names_in_",) and not name.startswith("__"):
            raise AssertionError(f"a donor was asked for {name}")
        raise AttributeError(name)

    def __deepcopy__(self, memo):
        raise AssertionError("a donor was copied")

    def predict(self, X):
        return self._fitted.predict(X)

    def predict_proba(self, X):
        return self._fitted.predict_proba(X)


def score():
    return LogisticRegression().fit(X_THEIRS, CLASSES_THEIRS)


def test_a_donor_helps_a_source_of_few_rows():
    fresh = RNG.normal(size=(2000, 3))
    truth = np.where(fresh.sum(axis=1) + RNG.normal(size=2000) > 0, 0, 1)
    few = slice(0, 20)

    def loss(model):
        p = model.fit(X[few], CLASSES[few]).predict_proba(fresh)
        return -np.log(p[np.arange(2000), truth]).mean()

    donors = {"published": (score(), WORDS)}
    blend = Tandem(LogisticRegression(C=10), donors=donors, random_state=0)
    assert loss(blend) < 0.95 * loss(LogisticRegression(C=10))
    assert blend.weights_["all"]["own models"] < 0.5


def test_nothing_else_of_a_donor_is_asked_for_and_none_is_copied():
    donors = {"published": (Published(score()), WORDS)}
    model = clone(Tandem(LogisticRegression(), donors=donors, random_state=0))

    model.fit(X, CLASSES, sample_source=SOURCE)

    assert model.donors["published"][0] is donors["published"][0]
    assert list(model.weights_["a"])[-3:] == [
        *("published", "published, intercept", "published, slope")
    ]
    assert np.isfinite(model.predict_proba(X, sample_source=SOURCE)).all()


def test_a_donor_of_numbers_is_moved_to_the_level_of_the_source():
    donor = Ridge().fit(X_THEIRS, 2 * Y_THEIRS + 100)
    model = Tandem(Ridge(), donors={"theirs": donor}, random_state=0).fit(X, Y)

    parts = model.predict_members(X)

    raw = donor.predict(X)
    np.testing.assert_allclose(
        parts["theirs, intercept"].ravel(),
        np.clip(raw + (Y - raw).mean(), *limits(Y)),
    )
    slope, offset = np.polyfit(raw, Y, 1, w=np.ones(80))
    by_hand = np.clip(slope * raw + offset, *limits(Y))
    np.testing.assert_allclose(parts["theirs, slope"].ravel(), by_hand, atol=0.1)
    assert model.weights_["all"]["theirs"] < 1e-3


def limits(y):
    return y.min() - np.ptp(y) / 4, y.max() + np.ptp(y) / 4


def test_probabilities_are_recalibrated_as_a_penalised_regression_on_the_logit():
    """With many rows, as scikit-learn's logistic regression on the logit."""
    y = np.where(X_THEIRS.sum(axis=1) * 0.3 + 1 + RNG.logistic(size=400) > 0, 1, 0)
    donor = score()
    model = Tandem(LogisticRegression(), donors={"theirs": donor}, random_state=0).fit(
        X_THEIRS, y
    )

    logit = donor.decision_function(X_THEIRS)[:, None]
    by_hand = LogisticRegression(C=np.inf).fit(logit, y).predict_proba(logit)
    found = model.predict_members(X_THEIRS)["theirs, slope"]
    np.testing.assert_allclose(found, by_hand, atol=0.05)


def test_a_quantile_donor_is_moved_by_the_quantile():
    donor = Ridge().fit(X_THEIRS, Y_THEIRS)
    made_for = QuantileRegressor(quantile=0.9, alpha=0)
    model = Tandem(made_for, donors={"theirs": donor}, random_state=0).fit(X, Y)

    found = model.predict_members(X)["theirs, intercept"].ravel()

    assert np.mean(found >= Y) == pytest.approx(0.9, abs=0.03)


def test_labels_alone_are_votes():
    donor = LinearSVC().fit(X_THEIRS, CLASSES_THEIRS)
    donors = {"theirs": (donor, WORDS)}
    model = Tandem(LinearSVC(), donors=donors, random_state=0).fit(X, CLASSES)

    assert list(model.weights_["all"]) == ["own models", "theirs"]
    assert model.score(X, CLASSES) > 0.7


def test_columns_are_taken_by_name():
    theirs = pd.DataFrame(X_THEIRS, columns=["c", "b", "a"])
    donor = Ridge().fit(theirs, Y_THEIRS)
    ours = pd.DataFrame(X, columns=["c", "b", "a"])[["a", "b", "c"]].assign(d=1.0)
    model = Tandem(Ridge(), donors={"theirs": donor}, random_state=0).fit(ours, Y)

    expected = np.clip(donor.predict(ours[["c", "b", "a"]]), *limits(Y))
    found = model.predict_members(ours)["theirs"].ravel()
    np.testing.assert_allclose(found, expected)
    with pytest.raises(SourceError, match=r"'theirs' needs the columns \['c'\]"):
        Tandem(Ridge(), donors={"theirs": donor}).fit(ours[["a", "b"]], Y)


def test_a_blend_with_donors_can_be_kept():
    donors = {"theirs": FrozenEstimator(score())}
    model = Tandem(LogisticRegression(), donors=donors, random_state=0)
    y = (Y > 0).astype(int)
    model.fit(X, y, sample_source=SOURCE)

    again = pickle.loads(pickle.dumps(model))

    expected = model.predict_proba(X, sample_source=SOURCE)
    np.testing.assert_allclose(again.predict_proba(X, sample_source=SOURCE), expected)


@pytest.mark.parametrize(
    ("donors", "match"),
    [
        ([Ridge()], "must be a dict of fitted models by name"),
        ({"theirs": Ridge}, "'theirs' must be a fitted model with predict"),
        ({"theirs": "a score"}, "'theirs' must be a fitted model with predict"),
        (
            {"theirs": score()},
            r"knows the classes \[0, 1\] and y has \['ill', 'well'\]. Say which is "
            r"which: donors=\{'theirs': \(model, \{0: 'ill', ...\}\)\}",
        ),
        (
            {"theirs": (score(), {1: "il", 0: "well"})},
            r"y has \['ill', 'well'\], but it came with \{1: 'il', 0: 'well'\}",
        ),
        ({"theirs": (score(), {1: "ill"})}, "it came with {1: 'ill'}. Say which is"),
        ({"theirs": LogisticRegression()}, "must be a fitted classifier, which has"),
        (
            {"theirs": (LogisticRegression().fit(X[:, :2], CLASSES), None)},
            "was fitted on 2 columns and X has 3",
        ),
    ],
)
def test_what_is_no_donor_is_refused(donors, match):
    model = Tandem(LogisticRegression(), donors=donors)

    with pytest.raises(SourceError, match=match):
        model.fit(X, CLASSES, sample_source=SOURCE)

    assert not hasattr(model, "weights_")


def test_leaving_the_own_model_for_a_donor_costs_nothing(monkeypatch):
    donors = {"theirs": Ridge().fit(X_THEIRS, Y_THEIRS)}
    given = {"members": [Merged()], "donors": donors, "random_state": 0}
    free = Tandem(Ridge(), **given).fit(X[:20], Y[:20]).weights_["all"]

    monkeypatch.setattr(_blend, "LEAVING", 1e6)
    alone = Tandem(Ridge(), **given).fit(X[:20], Y[:20]).weights_["all"]
    of_two = Tandem(Ridge(), **given).fit(X, Y, sample_source=SOURCE).weights_["a"]

    assert alone == pytest.approx(free)
    assert free["own models"] < 0.5
    assert of_two["merged"] < 1e-3
    assert of_two["own models"] < 0.5


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_a_donor_without_a_number_for_a_row_has_no_weight_for_its_source(lost):
    class Lost:
        n_features_in_ = 3

        def predict(self, X):
            return np.where(X[:, 0] == X_OF_LOST, lost, X.sum(axis=1))

    X_OF_LOST = X[3, 0]
    model = Tandem(Ridge(), donors={"theirs": Lost()}, random_state=0)

    with pytest.warns(SourceWarning, match=r"'theirs' .* for \['a'\]: for 1 row of"):
        model.fit(X, Y, sample_source=SOURCE)

    theirs = [name for name in model.weights_["a"] if name.startswith("theirs")]
    assert all(model.weights_["a"][name] == 0 for name in theirs)
    assert np.isfinite(model.predict(X, sample_source=SOURCE)).all()


def test_for_an_unknown_source_a_donor_is_moved_as_all_sources_move_it():
    source = np.repeat(["a", "b", "c"], [30, 25, 25])
    theirs = Ridge().fit(X_THEIRS, Y_THEIRS)
    blend = Tandem(
        Ridge(), donors={"old": theirs}, unknown_source="pooled", random_state=0
    )
    blend.fit(X, theirs.predict(X) + 7, sample_source=source)

    with pytest.warns(SourceWarning, match="weights for unknown sources"):
        predicted = blend.predict(X_THEIRS, sample_source=["new"] * 400)

    wanted = theirs.predict(X_THEIRS) + 7
    inside = wanted < (theirs.predict(X) + 7).max()  # or it is clipped
    np.testing.assert_allclose(predicted[inside], wanted[inside], atol=0.1)


class Saying:
    """A donor that gives the same for every row."""

    def __init__(self, answer, classes=None):
        self.answer = answer
        if classes is not None:
            self.classes_ = classes

    def predict(self, X):
        return np.array([self.answer] * len(X))


class SayingProbabilities(Saying):
    predict_proba = Saying.predict


@pytest.mark.parametrize(
    ("donor", "message"),
    [
        (Saying("ill"), "predict of the donor 'old' must give numbers, got .*'ill'"),
        (Saying([1.0, 2.0]), r"of shape \(80, 1\) for 80 rows, got \(80, 2\)"),
        (
            SayingProbabilities([0.2, 0.3, 0.5], ["ill", "well"]),
            r"predict_proba of the donor .* \(80, 2\) for 80 rows, got \(80, 3\)",
        ),
        (
            Saying("sick", ["ill", "well"]),
            r"answers 'sick', which is not one of its classes_, \['ill', 'well'\]",
        ),
    ],
)
def test_a_donor_that_answers_otherwise_is_named(donor, message):
    classifies = hasattr(donor, "classes_")
    model, y = (LogisticRegression(), CLASSES) if classifies else (Ridge(), Y)
    with pytest.raises(SourceError, match=message):
        Tandem(model, donors={"old": donor}).fit(X, y, sample_source=SOURCE)
