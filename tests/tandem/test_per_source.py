"""A member for each source, as a Tandem fits it."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge

from sktandem import Merged, SourceError
from sktandem.members import OwnModels, StackedPrediction
from sktandem.tandem._per_source import PerSource

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
SOURCE = np.repeat(["a", "b"], [50, 40])
IN_A = SOURCE == "a"
NUMBERS = np.where(IN_A, X @ [1.0, 2.0, 3.0], X @ [1.0, -2.0, 0.0])
CLASSES = np.where(NUMBERS > 0, "ill", "well")


def fitted(members, estimator=None, y=NUMBERS, **settings):
    model = PerSource(estimator or Ridge(), members=members, **settings)
    return model.fit(X, y, sample_source=SOURCE)


def test_each_source_is_answered_by_its_own_member():
    members = {"a": OwnModels(), "b": Merged(scale_by="source")}

    predicted = fitted(members).predict(X, sample_source=SOURCE)

    own, merged = (
        clone(member)
        .set_params(estimator=Ridge())
        .fit(X, NUMBERS, sample_source=SOURCE)
        .predict(X, sample_source=SOURCE)
        for member in members.values()
    )
    np.testing.assert_allclose(predicted, np.where(IN_A, own, merged), rtol=1e-12)


def test_a_member_of_several_sources_is_fitted_once():
    fits = []

    class Counted(Ridge):
        def fit(self, X, y):
            fits.append(len(X))
            return super().fit(X, y)

    shared = Merged()
    fitted({"a": shared, "b": shared}, Counted())

    assert fits == [90]


def test_an_estimator_that_names_a_column_gets_its_sources_by_keyword():
    mine = Merged(Ridge(), source="ward", scale_by="source")

    model = fitted({"a": mine, "b": OwnModels()})

    alone = clone(mine).set_params(source=None).fit(X, NUMBERS, sample_source=SOURCE)
    np.testing.assert_allclose(
        model.predict(X, sample_source=SOURCE)[IN_A],
        alone.predict(X, sample_source=SOURCE)[IN_A],
    )
    assert mine.source == "ward"


def test_a_row_of_no_source_is_refused_or_answered_by_all():
    members = {"a": StackedPrediction(), "b": Merged(representation="indicator")}
    strict = fitted(members, LogisticRegression(), CLASSES)
    pooled = fitted(members, LogisticRegression(), CLASSES, unknown_source="pooled")

    of_a, of_b = (strict.predict_proba(X, sample_source=[n] * 90) for n in "ab")

    with pytest.raises(SourceError, match="each row's source is needed"):
        strict.predict(X)
    np.testing.assert_allclose(pooled.predict_proba(X), (of_a + of_b) / 2)
