"""One estimator for all nets: its kind, what the sources share, and what that asks."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags
from skorch import (
    NeuralNet,
    NeuralNetBinaryClassifier,
    NeuralNetClassifier,
    NeuralNetRegressor,
)
from small_nets import assert_identical, classifier, quick, regressor
from torch import nn

from sktandem import SharedNet, SourceError, SourceWarning
from sktandem.data._estimator import answer_rows, fit_rows
from sktandem.data._rows import Rows
from sktandem.data._sources import resolve_sources
from sktandem.model_selection import SourceKFold
from sktandem.nn import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = np.where(X[:, 0] + RNG.normal(size=60) > 0, "ill", "well")
SOURCE = np.repeat(["a", "b"], [40, 20])
IN_A = SOURCE == "a"
NUMBERS = np.where(IN_A, X[:, 0], 100 + 9 * X[:, 1])
FRAME = pd.DataFrame(X, columns=list("uvw")).assign(ward=SOURCE)
BOTH = {"a": "classification", "b": "regression"}
EITHER = np.where(IN_A, Y.astype(object), NUMBERS)
OF_HEADS = ("transform", "fit_transform", "predict_heads", "get_feature_names_out")


# The kind ---------------------------------------------------------------------


KINDS = {
    "classifier": [
        SharedNet(NeuralNetClassifier(MLP)),
        SharedNet(NeuralNetBinaryClassifier(MLP)),
        SharedNet(NeuralNet(MLP, nn.CrossEntropyLoss), task="classification"),
        SharedNet(task="classification", heads="source"),
    ],
    "regressor": [
        SharedNet(NeuralNetRegressor(MLP)),
        SharedNet(NeuralNet(MLP, nn.MSELoss), task="regression"),
        SharedNet(task="regression", heads="source"),
    ],
    None: [SharedNet(), SharedNet(NeuralNet(MLP, nn.MSELoss)), SharedNet(task=BOTH)],
}
EVERY = [(kind, model) for kind, models in KINDS.items() for model in models]


@pytest.mark.parametrize(("kind", "model"), EVERY)
def test_the_kind_is_told_by_the_net_or_by_the_task(kind, model):
    assert get_tags(model).estimator_type == kind
    assert is_classifier(model) == (kind == "classifier")
    assert is_regressor(model) == (kind == "regressor")
    assert hasattr(model, "predict_proba") == (kind == "classifier")


@pytest.mark.parametrize("model", [SharedNet(), SharedNet(heads="source")])
def test_a_hole_can_be_shown_copied_and_stored(model):
    assert "SharedNet(" in repr(model)
    assert model._repr_html_()
    assert clone(model).get_params() == model.get_params()
    assert pickle.loads(pickle.dumps(model)).heads == model.heads
    assert "predict" in dir(model)
    with pytest.raises(SourceError, match="has neither a net nor a task"):
        model.fit(X, Y, sample_source=SOURCE)


def test_a_hole_is_filled_by_a_net():
    filled = SharedNet(random_state=0).set_params(net=quick())

    filled.fit(X, Y, sample_source=SOURCE)

    assert_identical(filled, classifier().fit(X, Y, sample_source=SOURCE))


def test_the_net_is_imported_when_it_is_asked_for():
    program = """
        import sys
        import sktandem
        assert "torch" not in sys.modules
        assert "SharedNet" in dir(sktandem)
        from sktandem import SharedNet
        assert SharedNet and "torch" in sys.modules
    """
    lines = "\n".join(line.strip() for line in program.splitlines())
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


# What the sources share -------------------------------------------------------


def test_methods_of_heads_are_there_where_heads_are_by_source():
    for model in SharedNet(quick()), SharedNet():
        assert not any(hasattr(model, name) for name in OF_HEADS)
        assert get_tags(model).transformer_tags is None
    for model in SharedNet(quick(), heads="source"), SharedNet(task=BOTH):
        assert all(hasattr(model, name) for name in OF_HEADS)
        assert get_tags(model).transformer_tags is not None


def test_the_embedding_may_come_as_a_frame():
    model = classifier(heads="source").set_output(transform="pandas")

    embedding = model.fit(X, Y, sample_source=SOURCE).transform(X)

    assert embedding.columns[0] == "sharednet0"
    again = classifier(heads="source").fit_transform(X, Y, sample_source=SOURCE)
    np.testing.assert_allclose(embedding, again)


def test_heads_and_stems_and_schedules_are_searched_like_any_parameter():
    grid = [
        {"heads": ["shared", "source"], "schedule": ["auto", "shuffled"]},
        {"heads": ["source"], "stems": ["shared", "source"], "head": [None, (4,)]},
    ]
    folds = SourceKFold(2, source="ward")
    search = GridSearchCV(
        classifier(source="ward"), grid, cv=folds, error_score="raise"
    )

    search.fit(FRAME, Y)

    assert len(search.cv_results_["params"]) == 8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("heads", "meant"), [("shared", "batches"), ("source", "joint")]
)
def test_the_schedule_by_itself_is_batches_or_joint(heads, meant):
    auto = classifier(heads=heads).fit(X, Y, sample_source=SOURCE)
    said = classifier(heads=heads, schedule=meant).fit(X, Y, sample_source=SOURCE)

    assert_identical(auto, said)


@pytest.mark.filterwarnings("ignore:One output for all sources misses the level")
@pytest.mark.parametrize(
    ("heads", "meant"), [("shared", "pooled"), ("source", "source")]
)
def test_the_target_by_itself_is_scaled_pooled_or_by_head(heads, meant):
    auto = regressor(heads=heads, scale_target_by="auto")
    auto.fit(X, NUMBERS, sample_source=SOURCE)
    said = regressor(heads=heads, scale_target_by=meant)
    said.fit(X, NUMBERS, sample_source=SOURCE)

    assert_identical(auto, said)
    np.testing.assert_array_equal(
        auto.predict(X, sample_source=SOURCE), said.predict(X, sample_source=SOURCE)
    )


def test_a_task_by_source_means_heads_by_source():
    net = quick("regression")
    implied = SharedNet(net, task=BOTH, random_state=0)
    said = SharedNet(net, task=BOTH, heads="source", random_state=0)

    implied.fit(X, EITHER, sample_source=SOURCE)

    assert_identical(implied, said.fit(X, EITHER, sample_source=SOURCE))


def test_a_fit_with_other_settings_leaves_nothing_of_the_one_before():
    model = classifier(heads="source").fit(X, Y, sample_source=SOURCE)
    assert {"tasks_", "width_", "n_outputs_"} <= set(vars(model))

    model.set_params(heads="shared").fit(X, Y, sample_source=SOURCE)

    fresh = classifier().fit(X, Y, sample_source=SOURCE)
    assert set(vars(model)) == set(vars(fresh))


def test_heads_that_were_not_trained_do_not_answer():
    model = classifier().fit(X, Y, sample_source=SOURCE).set_params(heads="source")
    with pytest.raises(
        SourceError, match=r"fit trained one output .* Fit again with h"
    ):
        model.predict_heads(X)


# Settings that mean nothing ---------------------------------------------------


@pytest.mark.parametrize(
    ("model", "y", "message"),
    [
        (
            classifier(loss_weights="dwa"),
            Y,
            "loss_weights='dwa' is for heads by source, and heads='shared' has one out",
        ),
        (classifier(head=(8,)), Y, r"head=\(8,\) is for heads by source"),
        (classifier(stems="source"), Y, "stems='source' .* or leave it at 'shared'"),
        (
            classifier(heads="sources"),
            Y,
            r"heads must be one of \['shared', 'source'\], got 'sources'\. Did you",
        ),
        (
            classifier(scale_target_by="pooled"),
            Y,
            "scale_target_by='pooled' is for regression, and classes have no scale",
        ),
        (
            regressor(heads="source", scale_target_by="pooled"),
            NUMBERS,
            "scale_target_by='pooled' has no meaning with heads by source: each head",
        ),
        (
            regressor(heads="source", scale_target_by=None),
            NUMBERS,
            "scale_target_by=None has no meaning with heads by source",
        ),
        (
            regressor(balance="classes"),
            NUMBERS,
            "balance='classes' weights classes, and task is 'regression'",
        ),
        (
            SharedNet(task=BOTH, balance="both"),
            EITHER,
            "balance='both' weights classes, and task is {'a': 'classification', 'b'",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(model, y, message):
    with pytest.raises(SourceError, match=message):
        model.fit(X, y, sample_source=SOURCE)
    assert not hasattr(model, "sources_")


def test_classes_of_what_has_none_are_refused():
    message = "classes is for classification, but the net is a regr"
    with pytest.raises(SourceError, match=message):
        regressor().partial_fit(X, NUMBERS, sample_source=SOURCE, classes=[0, 1])
    with pytest.raises(SourceError, match="classes by source need heads='source'"):
        classifier().partial_fit(X, Y, sample_source=SOURCE, classes={"a": ["ill"]})


def test_a_third_argument_by_position_is_no_source():
    for method in ("fit", "partial_fit"):
        with pytest.raises(TypeError, match="positional arguments"):
            getattr(classifier(), method)(X, Y, SOURCE)


# Inside the package -----------------------------------------------------------


@pytest.mark.parametrize("heads", ["shared", "source"])
def test_rows_that_were_read_give_the_same_model(heads):
    model = classifier(heads=heads, scale_by="source")
    rows = Rows(X, Y, resolve_sources(X, SOURCE)[1])

    by_rows = fit_rows(clone(model), rows)

    assert_identical(by_rows, model.fit(X, Y, sample_source=SOURCE))
    np.testing.assert_array_equal(
        answer_rows(by_rows, "predict_proba", rows),
        model.predict_proba(X, sample_source=SOURCE),
    )


@pytest.mark.parametrize("heads", ["shared", "source"])
def test_a_score_is_of_as_many_targets_as_rows(heads):
    model = classifier(heads=heads).fit(X, Y, sample_source=SOURCE)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(X, Y[:1], sample_source=SOURCE)


APART = {
    "level": X[:, 0] + np.where(IN_A, 0, 10),
    "size": X[:, 0] * np.where(IN_A, 1, 30),
    "columns": np.c_[X[:, 0], X[:, 0] + np.where(IN_A, 0, 10)],
}


@pytest.mark.parametrize("scale_target_by", ["auto", "pooled", None])
@pytest.mark.parametrize("apart", APART)
def test_one_output_that_misses_a_level_names_the_setting(apart, scale_target_by):
    """The warning is right: with the setting it names R2 is good and all is quiet."""
    net = quick("regression", max_epochs=30, lr=0.05)
    model = SharedNet(net, random_state=0, scale_target_by=scale_target_by)

    with pytest.warns(SourceWarning, match="R2 is -.*scale_target_by='source'") as told:
        model.fit(X, APART[apart], sample_source=SOURCE)

    assert len(told) == 1
    assert told[0].filename == __file__
    model.set_params(scale_target_by="source")
    model.fit(X, APART[apart], sample_source=SOURCE)
    assert model.score(X, APART[apart], sample_source=SOURCE) > 0.7


def test_a_level_that_the_features_explain_is_no_matter():
    y = X[:, 0] + np.where(IN_A, 0, 10)
    net = quick("regression", max_epochs=60, lr=0.05)

    model = SharedNet(net, random_state=0)
    model.fit(np.c_[X, IN_A], y, sample_source=SOURCE)  # quiet

    assert model.score(np.c_[X, IN_A], y, sample_source=SOURCE) > 0.9
