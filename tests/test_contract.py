"""scikit-learn's own checks, on every public estimator, in both routing modes."""

import pytest
from sklearn import config_context
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sktandem import (
    MergedClassifier,
    MergedRegressor,
    SourceScaler,
    TandemClassifier,
    TandemRegressor,
)
from sktandem.strategies import (
    OnlySource,
    OwnModels,
    SimilarityWeighted,
    StackedPrediction,
    WeightedMerge,
)

pytestmark = pytest.mark.contract

ESTIMATORS = [
    MergedClassifier(),
    MergedClassifier(scaler=None),
    MergedClassifier(scaler="minmax", scale_by="source", balance="classes"),
    MergedClassifier(scaler=StandardScaler(with_mean=False), scale_by="source"),
    MergedClassifier(representation="indicator", balance="both"),
    MergedClassifier(representation="augmented"),
    MergedClassifier(balance="both", balance_by="oversample", random_state=0),
    MergedClassifier(balance="both", balance_by="undersample", random_state=0),
    MergedRegressor(),
    MergedRegressor(representation="augmented", scaler=None),
    MergedRegressor(scaler=None),
    MergedRegressor(scaler="minmax", scale_by="source", scale_target_by="source"),
    SourceScaler(),
    SourceScaler(scaler="minmax"),
    SourceScaler(scaler=StandardScaler()),
    TandemClassifier(random_state=0),
    TandemClassifier(HistGradientBoostingClassifier(max_iter=5), per_source=True),
    TandemRegressor(random_state=0),
    TandemRegressor(strategies="all", objective="worst", scaler=None),
    OwnModels().build(LogisticRegression()),
    OwnModels().build(Ridge(), scaler=None),
    OnlySource("all").build(LogisticRegression()),
    StackedPrediction().build(Ridge()),
    SimilarityWeighted().build(LogisticRegression()),
    WeightedMerge().build(Ridge()),
]


def resamples(estimator):
    return getattr(estimator, "balance_by", "weight") != "weight"


@pytest.mark.filterwarnings("ignore:Only one source:sktandem.SourceWarning")
@pytest.mark.parametrize("routing", [False, True], ids=["routing_off", "routing_on"])
@parametrize_with_checks(ESTIMATORS)
def test_every_check_of_scikit_learn_passes(estimator, check, routing):
    name = getattr(check, "func", check).__name__
    if resamples(estimator) and name.startswith("check_sample_weight_equivalence"):
        pytest.skip("a row drawn by chance is not two rows of half its weight")
    with config_context(enable_metadata_routing=routing):
        check(estimator)
