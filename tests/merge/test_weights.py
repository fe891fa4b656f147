"""Weights reach every learner inside an estimator, or are refused."""

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_resampling_pipeline
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    HistGradientBoostingClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import RFE, RFECV
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import (
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
)
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktandem import Merged
from sktandem.exceptions import SourceError
from sktandem.members import WeightedMerge
from sktandem.model_selection import compare_strategies

RNG = np.random.default_rng(0)
N = 150
X = RNG.normal(size=(N, 3))
SOURCE = np.repeat(["big", "small"], [120, 30])
# The rule of the small source is that of the big one turned round.
RULE = np.where(SOURCE == "big", X[:, 0], -X[:, 0]) + 0.3 * RNG.normal(size=N)
Y = (RULE > 0).astype(int)
SHARES = {"big": 1, "small": 9}
WEIGHT = np.where(SOURCE == "big", 0.1 * N / 120, 0.9 * N / 30)
MIXED = StratifiedKFold(3, shuffle=True, random_state=0)
STEP = "named_steps.learner.coef_"


def learner(kind, **requests):
    """Return a learner, or a pipeline that ends in one, with its requests set."""
    last = Ridge() if "regressor" in kind else LogisticRegression()
    if requests:
        last.set_fit_request(**requests).set_score_request(**requests)
    if "pipeline" not in kind:
        return last
    first = StandardScaler()
    if requests:
        first.set_fit_request(sample_weight=False)
    pipeline = make_pipeline(first, last)
    pipeline.steps[-1] = ("learner", last)
    return pipeline


def accuracy(**requests):
    scorer = get_scorer("accuracy")
    return scorer.set_score_request(**requests) if requests else scorer


def made(**requests):
    """Return what wraps a learner or pipeline, with or without requests of weights."""
    one = {kind: learner(kind, **requests) for kind in ("plain", "pipeline")}
    number = learner("regressor pipeline", **requests)
    final = learner("plain", **requests)
    scoring = accuracy(**requests) if requests else "accuracy"
    for kind, inner in one.items():
        yield f"calibrated {kind}", CalibratedClassifierCV(inner, cv=3)
        yield f"bagging {kind}", BaggingClassifier(inner, 3, random_state=0)
        yield f"one vs rest {kind}", OneVsRestClassifier(inner)
        yield f"one vs one {kind}", OneVsOneClassifier(inner)
        yield f"output code {kind}", OutputCodeClassifier(inner, random_state=0)
        yield f"fixed {kind}", FixedThresholdClassifier(inner, threshold=0.4)
        tuned = TunedThresholdClassifierCV(inner, cv=3, scoring=scoring)
        yield f"tuned {kind}", tuned
        coef = "coef_" if kind == "plain" else STEP
        yield f"rfe {kind}", RFE(inner, importance_getter=coef)
        yield (
            f"rfecv {kind}",
            RFECV(inner, cv=3, importance_getter=coef, scoring=scoring),
        )
        both = [("a", inner), ("b", final)]
        yield f"voting {kind}", VotingClassifier(both, voting="soft")
        yield f"stacking {kind}", StackingClassifier(both, final, cv=3)
        yield f"search {kind}", GridSearchCV(inner, {}, cv=3, scoring=scoring)
    yield "calibration of one vs rest", CalibratedClassifierCV(one["pipeline"], cv=2)
    yield "voting regressor", VotingRegressor([("a", number)])
    yield "stacking regressor", StackingRegressor([("a", number)], number, cv=3)
    yield (
        "transformed target",
        TransformedTargetRegressor(number, func=np.negative, inverse_func=np.negative),
    )


WRAPPERS = dict(made())


def answers(model):
    ask = getattr(model, "predict_proba", model.predict)
    return ask(X)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("name", WRAPPERS)
def test_weights_reach_the_learner_as_in_a_routed_fit_by_hand(name, routing):
    wrapper = WRAPPERS[name]
    with config_context(enable_metadata_routing=True):
        by_hand = dict(made(sample_weight=True))[name]
        by_hand.fit(X, Y, sample_weight=WEIGHT)
    unweighted = clone(wrapper).fit(X, Y)

    with config_context(enable_metadata_routing=routing):
        model = Merged(wrapper, scaler=None, balance=SHARES)
        model.fit(X, Y, sample_source=SOURCE)

    np.testing.assert_allclose(answers(model), answers(by_hand))
    assert np.abs(answers(model) - answers(unweighted)).max() > 0.3


def test_what_the_user_requested_is_kept_and_left_alone():
    """A scaler that asks for weights gets them, as in the user's own fit."""
    with config_context(enable_metadata_routing=True):
        inner = CalibratedClassifierCV(
            make_pipeline(
                StandardScaler().set_fit_request(sample_weight=True),
                LogisticRegression(),
            ),
            cv=3,
        )
        before = repr(inner.get_metadata_routing())
        model = Merged(inner, scaler=None, balance=SHARES)
        model.fit(X, Y, sample_source=SOURCE)

        assert repr(inner.get_metadata_routing()) == before
        inner.estimator[-1].set_fit_request(sample_weight=True)
        by_hand = inner.fit(X, Y, sample_weight=WEIGHT)

    np.testing.assert_allclose(answers(model), answers(by_hand))


@pytest.mark.parametrize(
    "inner",
    [
        AdaBoostClassifier(n_estimators=3, random_state=0),
        AdaBoostClassifier(LogisticRegression(), n_estimators=3, random_state=0),
        VotingClassifier([("a", AdaBoostClassifier(n_estimators=3, random_state=0))]),
        BaggingClassifier(n_estimators=3, random_state=0),
        LogisticRegressionCV(cv=3),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_what_knows_no_routing_gets_weights_by_name(inner):
    by_hand = clone(inner).fit(X, Y, sample_weight=WEIGHT)

    with config_context(enable_metadata_routing=True):
        model = Merged(inner, scaler=None, balance=SHARES)
        model.fit(X, Y, sample_source=SOURCE)

    np.testing.assert_allclose(answers(model), answers(by_hand))


@pytest.mark.parametrize(
    "inner",
    [
        OneVsRestClassifier(BaggingClassifier(n_estimators=3)),
        OneVsRestClassifier(LogisticRegressionCV(cv=MIXED)),
        GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression()),
            {"logisticregression": [LogisticRegression(C=0.1), LogisticRegression()]},
            scoring=["accuracy", "neg_log_loss", "matthews_corrcoef"],
            refit="accuracy",
        ),
        GridSearchCV(
            make_pipeline(StandardScaler(), AdaBoostClassifier(n_estimators=3)), {}
        ),
        RFECV(LogisticRegression(), cv=3),
        make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=5)),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_defaults_candidates_and_scorers_inside_get_weights(inner):
    model = Merged(inner, scaler=None, balance=SHARES, random_state=0)
    model.fit(X, Y, sample_source=SOURCE)

    small = SOURCE == "small"
    assert np.mean(model.predict(X)[small] == Y[small]) > 0.8


KNN = KNeighborsClassifier()
NO_WEIGHTS = "KNeighborsClassifier.fit takes no sample_weight"
RESAMPLED = "SMOTE draws the rows anew, and sample_weight stays with those before"


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        (CalibratedClassifierCV(KNN), NO_WEIGHTS),
        (OneVsRestClassifier(make_pipeline(StandardScaler(), KNN)), NO_WEIGHTS),
        (VotingClassifier([("a", LogisticRegression()), ("b", KNN)]), NO_WEIGHTS),
        (
            AdaBoostClassifier(make_pipeline(StandardScaler(), LogisticRegression())),
            "AdaBoostClassifier.fit hands no sample_weight on to Pipeline",
        ),
        (
            OneVsRestClassifier(AdaBoostClassifier()),
            "OneVsRestClassifier.fit hands no sample_weight on to AdaBoostClassifier",
        ),
        (make_resampling_pipeline(SMOTE(), LogisticRegression()), RESAMPLED),
        (
            OneVsRestClassifier(
                make_resampling_pipeline(SMOTE(), LogisticRegression())
            ),
            RESAMPLED,
        ),
    ],
)
def test_weights_that_do_not_reach_a_learner_are_refused(inner, reason, routing):
    with config_context(enable_metadata_routing=routing):
        with pytest.raises(SourceError, match=f"^{reason}.*balance_by='oversample'"):
            Merged(inner, balance=SHARES).fit(X, Y, sample_source=SOURCE)
        with pytest.raises(SourceError, match=f"^{reason}.*balance_by='oversample'"):
            Merged(inner).fit(X, Y, sample_source=SOURCE, sample_weight=WEIGHT)
        with pytest.raises(SourceError, match=f"{reason}.*balance_by='oversample'"):
            WeightedMerge(inner).fit(X, Y, sample_source=SOURCE)


@pytest.mark.parametrize(
    "inner", [KNN, make_resampling_pipeline(SMOTE(), LogisticRegression())]
)
def test_what_the_refusal_names_works(inner):
    model = Merged(inner, balance=SHARES, balance_by="oversample", random_state=0)
    model.fit(X, Y, sample_source=SOURCE)

    small = SOURCE == "small"
    assert np.mean(model.predict(X)[small] == Y[small]) > 0.8


@pytest.mark.parametrize(
    "inner",
    [
        CalibratedClassifierCV(KNN, cv=2),
        OneVsRestClassifier(make_pipeline(StandardScaler(), LogisticRegression())),
        make_resampling_pipeline(SMOTE(k_neighbors=1), LogisticRegression()),
        TransformedTargetRegressor(KNeighborsRegressor()),
        TransformedTargetRegressor(make_pipeline(StandardScaler(), Ridge())),
        VotingRegressor([("a", make_pipeline(StandardScaler(), Ridge()))]),
    ],
)
@pytest.mark.filterwarnings("ignore:There are only")
def test_the_default_comparison_runs_on_what_wraps_others(inner):
    comparison = compare_strategies(
        inner, X, Y, sample_source=SOURCE, cv=3, n_repeats=1, progress=False
    )

    takes = "KNeighbors" not in repr(inner) and "SMOTE" not in repr(inner)
    assert ("weighted" in comparison.design.strategies) == takes
