"""Every refusal of the nets, with the cure in it, and nothing half-fitted after."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from skorch import (
    NeuralNet,
    NeuralNetBinaryClassifier,
    NeuralNetClassifier,
    NeuralNetRegressor,
)
from skorch.dataset import Dataset, ValidSplit
from small_nets import classifier, quick, regressor
from torch import nn
from torch.utils.data import DataLoader

from sktandem import SharedNet
from sktandem.datasets import make_two_sources
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.nn import MLP, default_net
from sktandem.schedules import BatchAlternation, PlateauAlternation

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
SOURCE = np.repeat(["a", "b"], [40, 20])


DIVERGING = quick(optimizer=torch.optim.SGD, optimizer__fused=False, lr=1e30)


def of_net(**params):
    return NeuralNetClassifier(MLP, criterion=nn.CrossEntropyLoss, **params)


# Settings ---------------------------------------------------------------------


class OwnLoader(DataLoader):
    pass


class OwnDataset(Dataset):
    pass


@pytest.mark.parametrize(
    ("params", "parameter"),
    [
        ({"train_split": None}, "validation_fraction"),
        ({"train_split": ValidSplit(3)}, "validation_fraction"),
        ({"train_split": ValidSplit(0.1)}, "validation_fraction"),
        ({"dataset": OwnDataset}, "scaler"),
        ({"dataset__length": 9}, "scaler"),
        ({"iterator_train": OwnLoader}, "schedule and batch_size"),
        ({"iterator_train__shuffle": True}, "schedule and batch_size"),
        ({"iterator_train__batch_size": 9}, "schedule and batch_size"),
        ({"iterator_valid": OwnLoader}, "validation_fraction and batch_size"),
        ({"iterator_valid__batch_size": 9}, "validation_fraction and batch_size"),
        ({"warm_start": True}, "partial_fit"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_the_estimator_decides_the_net_may_not(params, parameter):
    (name,) = params
    message = (
        f"^{name}=.* of the net is set by SharedNet. Leave it out of "
        f"NeuralNetClassifier, and use {parameter} of SharedNet."
    )
    with pytest.raises(SourceError, match=message):
        classifier(of_net(**params)).fit(X, Y, sample_source=SOURCE)


def test_skorchs_own_settings_may_be_spelt_out():
    net = of_net(
        train_split=ValidSplit(5, stratified=True),
        dataset=Dataset,
        iterator_train=DataLoader,
        iterator_valid=DataLoader,
        warm_start=False,
        max_epochs=1,
        verbose=0,
    )
    assert classifier(net).fit(X, Y, sample_source=SOURCE).net_ is not net


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (
            MLP,
            r"net must be a skorch net such as NeuralNetClassifier\(module\), got <cl",
        ),
        (nn.Linear(3, 2), "Pass a skorch net around it, or None for sktandem.nn.defau"),
        (NeuralNetClassifier, "Pass an instance, or None for sktandem.nn.default_net"),
        ("mlp", "net must be a skorch net.* got 'mlp'. Pass a skorch net around it"),
        (
            NeuralNet(MLP, criterion=nn.CrossEntropyLoss),
            "NeuralNet does not say what it learns. Pass task='classification' or ta",
        ),
    ],
    ids=["module_class", "module", "class", "text", "plain"],
)
def test_what_is_not_a_net_that_says_what_it_learns(net, message):
    with pytest.raises(SourceError, match=message):
        SharedNet(net).fit(X, Y, sample_source=SOURCE)


@pytest.mark.parametrize("kind", [NeuralNetClassifier, NeuralNetBinaryClassifier])
def test_a_net_for_classes_is_none_for_numbers(kind):
    message = f"task='regression', and {kind.__name__} is a net for classes. Leave task"
    with pytest.raises(SourceError, match=message):
        SharedNet(kind(MLP), task="regression").fit(X, X[:, 0], sample_source=SOURCE)


def test_a_net_for_numbers_is_none_for_classes():
    message = "task='classification', and NeuralNetRegressor is a net for numbers"
    with pytest.raises(SourceError, match=message):
        SharedNet(default_net("regression"), task="classification").fit(X, Y)


def test_a_hole_says_what_to_pass():
    message = (
        r"neither a net nor a task. Pass a net, such as .*default_net\(\), or task="
    )
    with pytest.raises(SourceError, match=message):
        SharedNet().fit(X, Y, sample_source=SOURCE)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"keep": "bset"},
            r"keep must be one of \['best', 'last'\], got 'bset'. Did y",
        ),
        (
            {"history_detail": "epochs"},
            r"history_detail must be one of \['batch', 'epoch'\], got 'epochs'. Did yo",
        ),
        (
            {"average": "emma"},
            r"average must be one of \['ema', 'swa'\].* mean 'ema'\?",
        ),
        ({"schedule": "batch"}, r"got 'batch'\. Did you mean 'batches'\?"),
        (
            {"schedule": BatchAlternation},
            r"got the class BatchAlternation\. Pass Batch",
        ),
        (
            {"schedule": 3},
            "schedule must be one of .* or an instance of a schedule, go",
        ),
        ({"scaler": "standrd"}, r"scaler must be one of .*Did you mean 'standard'\?"),
        (
            {"scale_by": "sources"},
            r"scale_by must be one of \['pooled', 'source'\], got 'sources'",
        ),
        (
            {"balance": "sources"},
            r"balance must be one of \[None, 'classes', 'both'\], got 'sources'. The s",
        ),
        ({"unknown_source": "pool"}, r"unknown_source must be one of .*, got 'pool'"),
        (
            {"unknown_source": "primary"},
            r"'primary' needs primary_source, one of \['a'",
        ),
        ({"primary_source": "c"}, r"primary_source='c' is not a source. The sources a"),
        ({"source": "ward"}, "source='ward' is a column name, but X is a ndarray wit"),
        ({"source": 7}, "source=7 is not a column of X, which has 3 columns"),
        ({"batch_size": 0}, "batch_size must be a number of rows, -1 for all rows of"),
        ({"batch_size": 8.0}, "batch_size must be a number of rows, -1 for all .* 8.0"),
        ({"batch_size": True}, "batch_size must be a number of rows, -1 .* got True"),
        ({"batch_size": {"a": 8}}, r"batch_size gives no size to \['b'\]. Name every"),
        (
            {"batch_size": {"a": 8, "bb": 8}},
            r"batch_size names 'bb', which is not a source\..* Did you mean 'b'\?",
        ),
        ({"batch_size": {"a": 8, "b": 0}}, "batch_size must be a number .* got 0"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_settings_that_make_no_sense(params, message):
    with pytest.raises(SourceError, match=message):
        classifier(**params).fit(X, Y, sample_source=SOURCE)


def test_the_target_is_scaled_by_none_pooled_or_source():
    message = (
        r"scale_target_by must be one of \['auto', 'pooled', 'source', None\], got 'so"
    )
    with pytest.raises(SourceError, match=message):
        regressor(scale_target_by="sources").fit(X, X[:, 0], sample_source=SOURCE)


@pytest.mark.parametrize(
    ("model", "key", "message"),
    [
        (
            SharedNet(task="classification"),
            "net__lr",
            r"'net__lr' cannot be set, because net is None\. Pass the object that has i"
            r"t, such as net=default_net\(\)\.",
        ),
        (
            SharedNet(task="regression"),
            "net__module__hidden_sizes",
            r"because net is None\. .* net=default_net\(\)\.",
        ),
        (
            SharedNet(schedule="plateau"),
            "schedule__window",
            r"because schedule is 'plateau'\. .* schedule=BatchAlternation\(\)\.",
        ),
        (
            SharedNet(task="classification"),
            "scaler__with_mean",
            r"because scaler is 'standard'\. .* scaler=StandardScaler\(\)\.",
        ),
    ],
    ids=["net", "regressor", "schedule", "scaler"],
)
def test_a_default_has_no_settings_to_change(model, key, message):
    with pytest.raises(SourceError, match=message):
        model.set_params(**{key: 0.1})


def test_a_word_and_a_setting_of_it_do_not_go_together():
    message = r"because schedule is 'plateau'\. .* schedule=BatchAlternation\(\)\."
    with pytest.raises(SourceError, match=message):
        classifier().set_params(schedule="plateau", schedule__window=7)


def test_an_object_and_its_setting_may_come_together():
    model = SharedNet(task="classification")

    model.set_params(net=default_net(), net__lr=0.5)
    model.set_params(schedule=PlateauAlternation(), schedule__window=7)

    assert (model.net.lr, model.schedule.window) == (0.5, 7)


# Data -------------------------------------------------------------------------


def test_labels_must_be_as_many_as_rows():
    message = "sample_source must label every sample: X has 60, sample_source has 9"
    with pytest.raises(SourceError, match=message):
        classifier().fit(X, Y, sample_source=SOURCE[:9])


def test_weights_in_the_place_of_labels():
    with pytest.raises(SourceError, match="looks like a measurement"):
        classifier().fit(X, Y, sample_source=np.random.default_rng(1).random(60))


def test_a_scaled_source_column_is_refused():
    with pytest.raises(SourceError, match=r"looks transformed\. Put the estimator out"):
        classifier(source=0).fit(X, Y)


@pytest.mark.parametrize(
    "net", [NeuralNetBinaryClassifier(MLP), NeuralNet(MLP, nn.BCEWithLogitsLoss)]
)
def test_a_binary_net_tells_two_classes_apart(net):
    message = rf"{type(net).__name__} handles two classes, but y has 3: \[0, 1, 2\]"
    with pytest.raises(SourceError, match=message + r"\. Use NeuralNetClassifier"):
        classifier(net, task="classification").fit(
            X, np.arange(60) % 3, sample_source=SOURCE
        )


def test_a_module_too_wide_for_its_targets_names_them():
    net = NeuralNetRegressor(nn.Linear(3, 2), verbose=0)
    message = (
        "Linear gives 2 outputs, but y has 1 column. A module with a parameter n_o"
    )
    with pytest.raises(SourceError, match=message):
        SharedNet(net, scale_target_by=None).fit(X, X[:, 0], sample_source=SOURCE)


def test_a_module_of_another_width_names_both_widths():
    net = NeuralNetClassifier(nn.Linear(5, 2), criterion=nn.CrossEntropyLoss)
    message = r"Linear did not take a batch of shape \(2, 3\) .*layer takes 5 features"
    with pytest.raises(SourceError, match=message):
        classifier(net).fit(X, Y, sample_source=SOURCE)


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_what_was_not_fitted_does_not_predict(method):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        getattr(classifier(), method)(X)


def test_a_loss_that_is_no_number_is_refused_with_a_cure():
    message = r"loss became (nan|inf) in epoch 1, .* at a learning rate of 1e\+30. Lowe"
    with pytest.raises(SourceError, match=message):
        classifier(DIVERGING).fit(X, Y, sample_source=SOURCE)


# After a failure --------------------------------------------------------------

FAILURES = {
    "settings": ("keep must be one of", {"keep": "bset"}, X, Y),
    "features": ("contains NaN", {}, np.full((60, 2), np.nan), Y),
    "labels": ("Unknown label type", {}, X[:, :2], np.linspace(0, 1, 60)),
    "sources": ("gives no size", {"batch_size": {"a": 2}}, X[:, :2], Y + 1),
    "training": ("loss became", {"net": DIVERGING}, X[:, :2], Y + 1),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_fit_leaves_nothing_half_fitted(name):
    message, params, X_bad, y_bad = FAILURES[name]
    model = classifier().set_params(**params)
    before = dict(vars(model))

    with pytest.raises(ValueError, match=message):
        model.fit(X_bad, y_bad, sample_source=SOURCE)

    assert vars(model) == before


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_refit_leaves_the_earlier_fit_intact(name):
    message, params, X_bad, y_bad = FAILURES[name]
    model = classifier().fit(X, Y, sample_source=SOURCE)
    expected = model.predict_proba(X)

    model.set_params(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(X_bad, y_bad, sample_source=SOURCE)

    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert model.n_features_in_ == 3


def test_a_failed_partial_fit_leaves_the_training_so_far_intact():
    """A model in service must not be lost to a single bad batch."""
    model = classifier().partial_fit(X, Y, sample_source=SOURCE)
    expected, n_epochs = model.predict_proba(X), len(model.history_)
    outlier = X.copy()
    outlier[:] = 1e38

    with pytest.raises(SourceError, match="loss became"):
        model.partial_fit(outlier, Y, sample_source=SOURCE)

    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert len(model.history_) == n_epochs


# partial_fit ------------------------------------------------------------------


def test_the_first_call_may_name_all_classes_and_sources_to_come():
    model = classifier(validation_fraction=None)
    few = SOURCE == "a"
    with pytest.warns(SourceWarning, match=r"no rows of \['b', 'c'\], so only \['a'\]"):
        model.partial_fit(
            X[few],
            Y[few],
            sample_source=SOURCE[few],
            classes=[0, 1, 2],
            sources=["a", "b", "c"],
        )

    assert list(model.classes_) == [0, 1, 2]
    assert model.sources_ == ("a", "b", "c")
    assert model.predict_proba(X).shape == (60, 3)


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [None, 0.2, {"a": 0.2, "b": 0.2}])
@pytest.mark.parametrize("batch_size", [8, {"a": 8, "b": 4}])
@pytest.mark.parametrize("scale_by", ["pooled", "source"])
def test_a_later_call_may_lack_a_source(fraction, batch_size, scale_by):
    model = classifier(
        validation_fraction=fraction, batch_size=batch_size, scale_by=scale_by
    )
    model.partial_fit(X, Y, sample_source=SOURCE)
    before = dict(model.n_samples_by_source_)
    only = SOURCE == "b"

    with pytest.warns(SourceWarning, match=r"no rows of \['a'\], so only") as record:
        model.partial_fit(X[only], Y[only], sample_source=SOURCE[only])

    assert [warning.filename for warning in record] == [__file__]
    assert model.history_[-1]["source"] == "b"
    assert model.n_samples_by_source_["a"] == before["a"]
    assert model.n_samples_by_source_["b"] > before["b"]


@pytest.mark.parametrize("epochs", [-1, 1.5, True])
def test_epochs_are_counted_in_whole_numbers(epochs):
    message = f"epochs must be an integer of at least 0, got {epochs}"
    with pytest.raises(SourceError, match=message):
        classifier().partial_fit(X, Y, sample_source=SOURCE, epochs=epochs)


def test_a_later_call_takes_no_source_that_is_new():
    model = classifier().partial_fit(X, Y, sample_source=SOURCE)
    new = np.where(SOURCE == "b", "bb", SOURCE)
    message = (
        r"sample_source holds 'bb', which is not among .* \['a', 'b'\]. Did you me"
    )
    with pytest.raises(SourceError, match=message):
        model.partial_fit(X, Y, sample_source=new)


def test_a_later_call_takes_no_class_that_is_new():
    model = classifier().partial_fit(X, Y, sample_source=SOURCE)
    message = r"y holds \[2\], which fit did not see\. .*classes= in its first call"
    with pytest.raises(SourceError, match=message):
        model.partial_fit(X, Y + 1, sample_source=SOURCE)


@pytest.mark.parametrize("first", [True, False])
def test_a_call_without_labels_is_told_of_the_labels(first):
    model = classifier()
    if not first:
        model.partial_fit(X, Y, sample_source=SOURCE)
    with pytest.raises(SourceError, match=r"each row's source is needed"):
        model.partial_fit(X, Y, sources=["a", "b"])


def test_classes_must_hold_those_of_the_first_rows():
    with pytest.raises(SourceError, match=r"y holds \['yes'\], which fit did not see"):
        classifier().partial_fit(
            X, np.where(Y, "yes", "no"), sample_source=SOURCE, classes=["no", "perhaps"]
        )


def test_another_number_of_columns_is_refused_later():
    model = classifier().partial_fit(X, Y, sample_source=SOURCE)
    with pytest.raises(ValueError, match=r"has 2 features, but .* expecting 3"):
        model.partial_fit(X[:, :2], Y, sample_source=SOURCE)


def test_partial_fit_refuses_labels_that_the_first_call_did_not_name():
    X, y, sample_source = make_two_sources(
        60, task="classification", return_X_y=True, random_state=0
    )
    model = SharedNet(default_net(max_epochs=1), random_state=0)
    model.partial_fit(X, y, sample_source=sample_source, classes=[0, 1])

    with pytest.raises(SourceError, match=r"classes=\[0, 2\] are not those of the fi"):
        model.partial_fit(X, y, sample_source=sample_source, classes=[0, 2])
    with pytest.raises(SourceError, match=r"sources=\['first'\] are not those of the"):
        model.partial_fit(X, y, sample_source=sample_source, sources=["first"])


@pytest.mark.parametrize("schedule", ["plateau", "bandit", "batches", "epochs"])
def test_a_plan_survives_a_call_without_one_of_the_sources(schedule):
    X, y, sample_source = make_two_sources(
        120, task="classification", return_X_y=True, random_state=0
    )
    model = SharedNet(task="classification", schedule=schedule, random_state=0)
    first = sample_source == "first"
    model.partial_fit(X, y, sample_source=sample_source, epochs=2)

    with pytest.warns(SourceWarning, match=r"got no rows of \['second'\]"):
        model.partial_fit(
            X[first], y[first], sample_source=sample_source[first], epochs=2
        )
    model.partial_fit(X, y, sample_source=sample_source, epochs=2)

    assert len(model.history_) == 6


def test_keep_best_says_so_where_the_primary_source_is_not_validated():
    X, y, sample_source = make_two_sources(
        120, task="classification", return_X_y=True, random_state=0
    )
    model = SharedNet(
        default_net(max_epochs=2),
        primary_source="first",
        validation_fraction={"second": 0.3},
        random_state=0,
    )

    with pytest.warns(SourceWarning, match="so keep='best' goes by the mean loss over"):
        model.fit(X, y, sample_source=sample_source)


def test_a_single_row_left_over_joins_the_batch_before():
    class Normalised(nn.Sequential):
        def __init__(self, n_features, n_outputs):
            norm = nn.BatchNorm1d(n_features)
            super().__init__(norm, nn.Linear(n_features, n_outputs))

    X, y, sample_source = make_two_sources(
        66, task="classification", return_X_y=True, random_state=0
    )
    net = default_net(module=Normalised, max_epochs=2)
    model = SharedNet(net, batch_size=32, validation_fraction=None, random_state=0)
    model.fit(X, y, sample_source=sample_source)

    sizes = [row["train_batch_size"] for row in model.history_[0]["batches"]]
    assert sizes == [33, 33]


def test_rows_seen_are_counted_over_calls_without_a_source():
    X, y, sample_source = make_two_sources(
        120, task="classification", return_X_y=True, random_state=0
    )
    model = SharedNet(task="classification", random_state=0)
    first = sample_source == "first"
    model.partial_fit(X, y, sample_source=sample_source, epochs=1)
    with pytest.warns(SourceWarning, match="got no rows"):
        model.partial_fit(
            X[first], y[first], sample_source=sample_source[first], epochs=1
        )
    model.partial_fit(X, y, sample_source=sample_source, epochs=1)

    seen = model.history_[:, "rows_seen[second]"]
    assert seen[0] > 0
    assert seen == [seen[0], seen[0], 2 * seen[0]]


def test_a_net_without_a_device_is_refused():
    with pytest.raises(SourceError, match=r"device=None of the net leaves its device"):
        SharedNet(default_net(device=None)).fit(
            np.zeros((6, 2)), [0, 1] * 3, sample_source=["a", "b"] * 3
        )
