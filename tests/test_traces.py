"""Rows are read once: how often the doors are opened in one public call."""

import sys
from collections import Counter

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktandem import Merged, Tandem
from sktandem.members import (
    OnlySource,
    OtherSources,
    OwnModels,
    SimilarityWeighted,
    StackedOwnModels,
    StackedPrediction,
    WeightedMerge,
)
from sktandem.model_selection import (
    LeaveOneSourceOut,
    SourceKFold,
    compare_strategies,
    learning_curve_by_source,
    score_by_source,
    source_scorer,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
SOURCE = np.repeat(["a", "b"], 100)
NUMBERS = X @ [1.0, 2.0, 3.0] + RNG.normal(size=200)
CLASSES = np.where(NUMBERS > 0, "ill", "well")
CODED = np.column_stack([X, SOURCE == "b"])
DOORS = ("read_rows", "split_source", "resolve_sources")


def opened(call, *args, **kwargs):
    """Return how often rows were read, and by which ways, during a call."""
    seen = Counter()

    def watch(frame, event, arg):
        code = frame.f_code
        if event == "call" and code.co_name in DOORS and "sktandem" in code.co_filename:
            seen[code.co_name] += 1

    sys.setprofile(watch)
    try:
        call(*args, **kwargs)
    finally:
        sys.setprofile(None)
    return seen


def once(call, *args, **kwargs):
    seen = opened(call, *args, **kwargs)
    return seen["read_rows"] == 1 and seen["split_source"] == 1


ESTIMATORS = [
    Merged(Ridge(), scale_by="source", representation="indicator"),
    OwnModels(Ridge()),
    OnlySource(Ridge(), name="a"),
    WeightedMerge(Ridge(), cv=2),
    SimilarityWeighted(Ridge(), cv=2),
    StackedPrediction(Ridge()),
    Tandem(Ridge(), cv=2, random_state=0),
    Tandem(Ridge(), cv=2, combine="choose", random_state=0),
    OtherSources(Ridge()),
    StackedOwnModels(Ridge()),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_every_call_of_an_estimator_reads_its_rows_once(estimator):
    assert once(estimator.fit, X, NUMBERS, sample_source=SOURCE)
    assert once(estimator.predict, X, sample_source=SOURCE)
    assert once(estimator.score, X, NUMBERS, sample_source=SOURCE)


@pytest.mark.parametrize("scoring", [None, "r2", ["r2", "neg_max_error"]], ids=str)
def test_scores_by_source_are_of_rows_read_once(scoring):
    for estimator in ESTIMATORS[0], ESTIMATORS[1], ESTIMATORS[-3]:
        model = estimator.fit(X, NUMBERS, sample_source=SOURCE)
        given = {"sample_source": SOURCE, "scoring": scoring}
        assert once(score_by_source, model, X, NUMBERS, **given)


def test_the_column_is_read_once_as_well():
    model = Merged(Ridge(), source=-1, scale_by="source").fit(CODED, NUMBERS)

    assert once(score_by_source, model, CODED, NUMBERS)
    assert once(source_scorer("r2", 0, source=-1), model, CODED, NUMBERS)


@pytest.mark.parametrize("strategies", ["default", "all"])
@pytest.mark.parametrize("scoring", [None, "roc_auc", "f1_macro"])
def test_a_comparison_of_any_number_of_fits_reads_its_rows_once(strategies, scoring):
    settings = {"cv": 2, "n_repeats": 1, "progress": False, "random_state": 0}
    model = LogisticRegression()

    assert once(
        compare_strategies,
        model,
        X,
        CLASSES,
        sample_source=SOURCE,
        strategies=strategies,
        scoring=scoring,
        **settings,
    )
    assert once(
        learning_curve_by_source,
        model,
        X,
        CLASSES,
        sample_source=SOURCE,
        primary_source="a",
        train_sizes=(0.5, 1.0),
        **settings,
    )


class Reads(RegressorMixin, BaseEstimator):
    """An estimator of the user's own, which reads labels by itself."""

    def fit(self, X, y, sample_source=None):
        self.model_ = Merged(Ridge()).fit(X, y, sample_source=sample_source)
        return self

    def predict(self, X):
        return self.model_.predict(X)


def test_only_what_the_user_brings_reads_rows_again():
    piped = make_pipeline(StandardScaler(), Merged(Ridge(), scale_by="source"))

    seen = opened(
        compare_strategies,
        Ridge(),
        X,
        NUMBERS,
        sample_source=SOURCE,
        strategies={"merged": Merged(), "piped": piped, "reads": Reads()},
        cv=2,
        n_repeats=1,
        progress=False,
    )

    # Two folds, in each a fit and a prediction of either of the two.
    assert seen["read_rows"] == 1 + 2 * 2 * 2


class Louder(Merged):
    """A merge whose user has something to add to its methods."""

    def predict(self, X, *, sample_source=None):
        return super().predict(X, sample_source=sample_source) + 100


def test_what_a_user_has_written_over_ours_is_not_passed_by():
    comparison = compare_strategies(
        Ridge(),
        X,
        NUMBERS,
        sample_source=SOURCE,
        strategies={"louder": Louder()},
        cv=2,
        n_repeats=1,
        progress=False,
    )

    assert all(contrast.loss > 5000 for contrast in comparison.contrasts)


def test_splitters_read_their_rows_once():
    for splitter in (
        SourceKFold(3),
        SourceKFold(3, test_source="a"),
        LeaveOneSourceOut(),
    ):
        assert once(lambda cv=splitter: list(cv.split(X, sample_source=SOURCE)))
