"""scikit-learn's own checks, on every public estimator, in both routing modes."""

import pytest
from sklearn import config_context
from sklearn.linear_model import (
    LogisticRegression,
    Perceptron,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sktandem import (
    Merged,
    SourceScaler,
    Tandem,
)
from sktandem.members import (
    OnlySource,
    OtherSources,
    OwnModels,
    SimilarityWeighted,
    StackedOwnModels,
    StackedPrediction,
    WeightedMerge,
)

pytestmark = pytest.mark.contract

ESTIMATORS = [
    Merged(LogisticRegression(max_iter=1000)),
    Merged(LogisticRegression(max_iter=1000), scaler=None),
    Merged(
        LogisticRegression(max_iter=1000),
        scaler="minmax",
        scale_by="source",
        balance="classes",
    ),
    Merged(
        LogisticRegression(max_iter=1000),
        scaler=StandardScaler(with_mean=False),
        scale_by="source",
    ),
    Merged(
        LogisticRegression(max_iter=1000), representation="indicator", balance="both"
    ),
    Merged(LogisticRegression(max_iter=1000), representation="augmented"),
    Merged(
        LogisticRegression(max_iter=1000),
        balance="both",
        balance_by="oversample",
        random_state=0,
    ),
    Merged(
        LogisticRegression(max_iter=1000),
        balance="both",
        balance_by="undersample",
        random_state=0,
    ),
    Merged(Ridge()),
    Merged(Ridge(), representation="augmented", scaler=None),
    Merged(Ridge(), scaler=None),
    Merged(Ridge(), scaler="minmax", scale_by="source", scale_target_by="source"),
    # With partial_fit there are checks of it, too.
    Merged(SGDClassifier(random_state=0), balance="both"),
    Merged(SGDRegressor(random_state=0), scaler="minmax", scale_target_by="source"),
    Merged(GaussianNB(), scaler=None, balance="sources"),
    Merged(Perceptron(), scaler=StandardScaler(), scale_by="source"),
    SourceScaler(),
    SourceScaler(scaler="minmax"),
    SourceScaler(scaler=StandardScaler()),
    Tandem(LogisticRegression(max_iter=1000), random_state=0),
    Tandem(DecisionTreeClassifier(max_depth=3), combine="choose", cv=2),
    Tandem(Ridge(), random_state=0),
    Tandem(Ridge(), members=[Merged()], combine="choose", scaler=None),
    OwnModels(LogisticRegression()),
    OwnModels(Ridge(), scaler=None),
    OnlySource(LogisticRegression(), name="all"),
    OnlySource(Ridge(), name="all"),
    OtherSources(LogisticRegression()),
    OtherSources(Ridge()),
    StackedOwnModels(LogisticRegression()),
    StackedOwnModels(Ridge()),
    StackedPrediction(LogisticRegression()),
    StackedPrediction(Ridge()),
    SimilarityWeighted(LogisticRegression()),
    SimilarityWeighted(Ridge(), scaler="minmax"),
    WeightedMerge(LogisticRegression(), cv=2),
    WeightedMerge(Ridge()),
]


def draws_rows(estimator):
    """Tell what resamples, or takes rows in an order of chance as SGD by itself."""
    one_by_one = SGDClassifier | SGDRegressor | Perceptron
    resamples = getattr(estimator, "balance_by", "weight") != "weight"
    return resamples or isinstance(getattr(estimator, "estimator", None), one_by_one)


@pytest.mark.filterwarnings("ignore:Only one source:sktandem.SourceWarning")
@pytest.mark.parametrize("routing", [False, True], ids=["routing_off", "routing_on"])
@parametrize_with_checks(ESTIMATORS)
def test_every_check_of_scikit_learn_passes(estimator, check, routing):
    name = getattr(check, "func", check).__name__
    if draws_rows(estimator) and name.startswith("check_sample_weight_equivalence"):
        pytest.skip("a row drawn by chance is not two rows of half its weight")
    with config_context(enable_metadata_routing=routing):
        check(estimator)
