"""Members around nets: own nets, shuffled, in turns, a head for each."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sktandem import SharedNet, SourceError, SourceWarning
from sktandem.members import OwnModels, StackedPrediction, WeightedMerge
from sktandem.members._fill import filled
from sktandem.model_selection import _folds, compare_strategies

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
SOURCE = np.repeat(["a", "b"], 30)
Y = np.where(X[:, 0] > 0, "ill", "well")
NUMBERS = X @ [1.0, 2.0, 3.0]


def predictions(model, y=Y):
    fitted = model.fit(X, y, sample_source=SOURCE)
    return fitted.predict(X, sample_source=SOURCE)


@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": "epochs"},
        {"schedule": "shuffled"},
        {"heads": "source", "schedule": "batches"},
        {"heads": "source"},
    ],
    ids=str,
)
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_filled_net_is_the_shared_net_of_these_settings(settings, task, quick):
    y = Y if task == "classification" else NUMBERS

    ours = filled(SharedNet(**settings), quick(task), random_state=0)

    alone = SharedNet(quick(task), random_state=0, **settings)
    np.testing.assert_array_equal(predictions(ours, y), predictions(alone, y))


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_own_nets_are_trained_apart(task, quick):
    y = Y if task == "classification" else NUMBERS
    model = OwnModels(quick(task), random_state=0).fit(X, y, sample_source=SOURCE)

    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    rows = SOURCE == "a"
    alone = SharedNet(quick(task), schedule="shuffled", random_state=seed)
    alone.fit(X[rows], y[rows])

    ours = model.predict(X[rows], sample_source=SOURCE[rows])
    np.testing.assert_array_equal(ours, alone.predict(X[rows]))
    assert hasattr(model, "predict_proba") == (task == "classification")


def test_own_nets_keep_the_settings_of_one_of_ours(quick):
    mine = SharedNet(quick(), schedule="epochs", heads="source", head=(3,))

    model = OwnModels(mine, random_state=0).fit(X, Y, sample_source=SOURCE)

    for own in model.models_.values():
        assert (own.schedule, own.heads, own.head) == ("shuffled", "source", (3,))


def test_the_opinion_of_a_net_is_a_feature_of_the_other(quick):
    model = StackedPrediction(quick(), random_state=0)

    proba = model.fit(X, Y, sample_source=SOURCE).predict_proba(X, sample_source=SOURCE)

    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    assert model.models_["a"].n_features_in_ == 4


def test_the_rows_of_a_net_have_no_weights(quick):
    with pytest.raises(SourceError, match=r"WeightedMerge weights rows, and NeuralNet"):
        WeightedMerge(quick()).fit(X, Y, sample_source=SOURCE)


@pytest.mark.filterwarnings("ignore:There are only")
def test_nets_are_compared_with_nets_and_may_stand_beside_others(quick):
    settings = {"sample_source": SOURCE, "cv": 2, "n_repeats": 1, "random_state": 0}

    of_nets = compare_strategies(quick(), X, Y, progress=False, **settings)
    beside = compare_strategies(
        LogisticRegression(),
        X,
        Y,
        strategies=[SharedNet(quick()), SharedNet(quick(), heads="source")],
        progress=False,
        **settings,
    )

    assert [c.strategy for c in of_nets.contrasts[:3]] == [
        "merged",
        "in turns by batches",
        "a head for each",
    ]
    assert [c.strategy for c in beside.contrasts[:2]] == [
        "in turns by batches, of NeuralNetClassifier",
        "a head for each, of NeuralNetClassifier",
    ]


def test_a_comparison_of_nets_trained_together_is_that_of_nets_trained_alone(
    monkeypatch, quick
):
    def compared():
        how = {"cv": 3, "n_repeats": 1, "random_state": 0, "progress": False}
        return compare_strategies(quick(), X, Y, sample_source=SOURCE, **how)

    with pytest.warns(SourceWarning, match="fewer than 100 is rough"):
        together = compared()
    monkeypatch.setattr(_folds, "is_net", lambda estimator: False)
    with pytest.warns(SourceWarning, match="fewer than 100 is rough"):
        alone = compared()

    # Of own models one for each of two sources, of three others one, in three folds.
    assert together.nets == {"together": 3 * (2 + 3)}
    assert alone.nets == {}
    for one, other in zip(alone.contrasts, together.contrasts):
        assert other.loss == pytest.approx(one.loss, rel=1e-4)
        assert other.reference_loss == pytest.approx(one.reference_loss, rel=1e-4)
