"""Every refusal of the nets with heads, and what is lawful but surprising."""

from functools import partial

import numpy as np
import pytest
import small_nets
from sklearn.exceptions import NotFittedError
from skorch import (
    NeuralNet,
    NeuralNetBinaryClassifier,
    NeuralNetClassifier,
    NeuralNetRegressor,
)
from skorch.callbacks import EpochScoring
from small_nets import quick
from torch import nn

from sktandem import SharedNet, SourceError, SourceWarning
from sktandem.nn import MLP, default_net

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
SOURCE = np.repeat(["clinic", "lab"], [40, 20])
CLINIC = SOURCE == "clinic"
Y = np.where(
    CLINIC,
    np.where(X[:, 0] > 0, "ill", "well"),
    np.array(["low", "mid", "top"])[np.arange(60) % 3],
)
NUMBERS = X @ [1.0, -1.0, 0.5]
TASKS = {"clinic": "classification", "lab": "regression"}
MIXED = np.where(CLINIC, Y.astype(object), NUMBERS)


classifier = partial(small_nets.classifier, heads="source")
regressor = partial(small_nets.regressor, heads="source")


def of_both(tasks=None, net=None, **params):
    net = net or quick("regression")
    return SharedNet(net, task=tasks or TASKS, **{"random_state": 0, **params})


EACH = {
    "classifier": (classifier, Y),
    "regressor": (regressor, NUMBERS),
    "of both": (of_both, MIXED),
}
EVERY_KIND = pytest.mark.parametrize("kind", EACH)


# Settings ---------------------------------------------------------------------


@EVERY_KIND
@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"stems": "sources"},
            r"stems must be one of \['shared', 'source'\], got 'sources'",
        ),
        (
            {"loss_weights": "uncertain"},
            r"loss_weights must be one of .* a dict by source or None, got 'uncertain'"
            r"\. Did you mean 'uncertainty'\?",
        ),
        ({"loss_weights": [1, 2]}, r"loss_weights must be one of .* got \[1, 2\]"),
        (
            {"loss_weights": {"clinic": 1, "labb": 1}},
            r"loss_weights names 'labb', which is not a source\. The sources are "
            r"\['clinic', 'lab'\]\. Did you mean 'lab'\?",
        ),
        (
            {"loss_weights": {"clinic": 1}},
            r"loss_weights gives no weight to \['lab'\]\. Name every source; a weight ",
        ),
        (
            {"loss_weights": {"clinic": 1, "lab": -1}},
            "loss_weights gives 'lab' the weight -1. A weight is a number of at least ",
        ),
        (
            {"loss_weights": {"clinic": True, "lab": 1}},
            "gives 'clinic' the weight True",
        ),
        (
            {"loss_weights": {"clinic": np.inf, "lab": 1}},
            "gives 'clinic' the weight inf",
        ),
        (
            {"head": "linear"},
            r"head must be None for a linear layer, .* -> module, got 'linear'",
        ),
        ({"head": 8}, r"hidden sizes such as \(16,\), .* got 8\."),
        ({"head": (0,)}, r"head must be None .* got \(0,\)"),
        ({"head": (8.5,)}, r"head must be None .* got \(8\.5,\)"),
        (
            {"head": lambda width, n_outputs: n_outputs},
            r"head must return a torch module, got \d from head\(32, \d\)",
        ),
        (
            {"head": lambda width, n_outputs: nn.Linear(width, 5)},
            r"MultiHead gives 5 outputs, but 'clinic' has (2 classes|1 target)",
        ),
        ({"schedule": "joined"}, r"got 'joined'\. Did you mean 'joint'\?"),
        ({"unknown_source": "pool"}, "unknown_source must be one of .*, got 'pool'"),
        ({"primary_source": "labs"}, r"'labs' is not a source.* Did you mean 'lab'\?"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_settings_that_make_no_sense(kind, params, message):
    make, y = EACH[kind]
    model = make(**params)
    with pytest.raises(SourceError, match=message):
        model.fit(X, y, sample_source=SOURCE)
    assert not hasattr(model, "net_")


@pytest.mark.parametrize(
    ("net", "task", "y"),
    [
        (NeuralNetBinaryClassifier(MLP), None, Y),
        (NeuralNet(MLP, nn.BCEWithLogitsLoss), "classification", Y),
        (NeuralNet(MLP, nn.BCEWithLogitsLoss), TASKS, MIXED),
    ],
    ids=["binary", "plain", "of both"],
)
def test_one_number_is_no_head(net, task, y):
    message = f"{type(net).__name__} gives one number, but a head needs an output"
    with pytest.raises(SourceError, match=message + ".* Use NeuralNetClassifier"):
        classifier(net, task=task).fit(X, y, sample_source=SOURCE)


@pytest.mark.parametrize(
    ("model", "y", "message"),
    [
        (
            SharedNet(default_net("regression"), task="classification", heads="source"),
            Y,
            "task='classification', and NeuralNetRegressor is a net for numbers",
        ),
        (
            SharedNet(default_net(), task="regression", heads="source"),
            NUMBERS,
            "task='regression', and NeuralNetClassifier is a net for classes",
        ),
        (
            SharedNet(default_net(), task=TASKS),
            MIXED,
            "a dict by source needs a plain net, got NeuralNetClassifier, which only",
        ),
    ],
    ids=["classifier", "regressor", "of both"],
)
def test_a_net_of_the_other_kind(model, y, message):
    with pytest.raises(SourceError, match=message):
        model.fit(X, y, sample_source=SOURCE)


def test_a_default_has_no_settings_to_change():
    message = r"because net is None\. .* net=default_net\(\)\."
    with pytest.raises(SourceError, match=message):
        SharedNet(task="classification", heads="source").set_params(net__lr=0.1)
    with pytest.raises(SourceError, match=message):
        SharedNet(task=TASKS).set_params(net__lr=0.1)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (
            ["classification"],
            r"task must be one of \[None, 'classification', 'regression'\] or a dict o",
        ),
        ({}, "names no source. It must give each source 'classification' or 'regress"),
        ("regresion", "task must be one of .* Did you mean 'regression'"),
        (
            {"clinic": "classify", "lab": "regression"},
            r"task gives 'clinic' the task 'classify'\. It must be one of \['classifi",
        ),
        (
            {"clinic": "classification", "lab": "regresion"},
            r"'lab' the task 'regresion'.* Did you mean 'regression'\?",
        ),
        (
            {"clinic": "classification", "labb": "regression"},
            r"task has no entry for \['lab'\]\. The sources are \['clinic', 'lab'\], "
            r"and task names \['clinic', 'labb'\]",
        ),
    ],
    ids=["list", "empty", "text", "kind", "misspelt", "source"],
)
def test_tasks_tell_every_source_what_to_learn(tasks, message):
    net = quick("regression") if isinstance(tasks, dict) else None
    model = SharedNet(net, task=tasks)
    with pytest.raises(SourceError, match=message):
        model.fit(X, MIXED, sample_source=SOURCE)


def test_tasks_may_name_sources_that_a_fold_lacks():
    model = SharedNet(quick("regression"), task={**TASKS, "ward": "regression"})

    assert model.fit(X, MIXED, sample_source=SOURCE).sources_ == ("clinic", "lab")


# Targets ----------------------------------------------------------------------


def test_numbers_are_no_classes():
    """scikit-learn's own words, and whose head it is."""
    y = np.where(CLINIC, 1.0, NUMBERS)
    message = (
        "Unknown label type: the head of 'lab' is a classifier, but its rows hold "
        r"numbers such as -?\d\.\d+\. Set task='regression', or a dict by source"
    )
    with pytest.raises(SourceError, match=message):
        classifier().fit(X, y, sample_source=SOURCE)
    with pytest.raises(SourceError, match=message):
        of_both(dict.fromkeys(TASKS, "classification")).fit(X, y, sample_source=SOURCE)


def test_numbers_beside_texts_are_no_classes_either():
    with pytest.raises(SourceError, match="the head of 'lab' is a classifier"):
        classifier().fit(X, MIXED, sample_source=SOURCE)


def test_texts_are_no_numbers():
    message = r"The head of 'lab' learns numbers, but its rows hold '\w{3}'. Give it"
    with pytest.raises(SourceError, match=message):
        of_both().fit(X, Y, sample_source=SOURCE)
    message = (
        r"A regressor predicts numbers, but y holds strings such as '\w+'.*dict by"
    )
    with pytest.raises(SourceError, match=message):
        regressor().fit(X, Y, sample_source=SOURCE)


def test_a_mixed_estimator_takes_one_target_for_each_row():
    message = r"takes one target for each row, got shape \(60, 2\)\. task='regression'"
    with pytest.raises(SourceError, match=message):
        of_both().fit(X, X[:, :2], sample_source=SOURCE)


@pytest.mark.parametrize("kind", ["classifier", "regressor", "of both"])
def test_a_target_that_is_missing_is_refused(kind):
    make, _ = EACH[kind]
    y = np.where(np.arange(60) == 7, np.nan, 1.0 * (X[:, 0] > 0))
    with pytest.raises(ValueError, match="contains NaN"):
        make().fit(X, y, sample_source=SOURCE)


def test_a_target_that_a_source_has_is_there_in_all_its_rows():
    y = np.full((60, 2), np.nan)
    y[:, 0], y[40:, 1] = NUMBERS, 1.0
    y[43, 1] = np.nan
    message = "The targets of 'lab' have values that are missing or infinite, first in"
    with pytest.raises(SourceError, match=message + " its row 3. Drop such rows"):
        regressor().fit(X, y, sample_source=SOURCE)
    y[40:] = np.nan
    message = "The targets of 'lab' are missing in all its rows"
    with pytest.raises(SourceError, match=message):
        regressor().fit(X, y, sample_source=SOURCE)


@pytest.mark.parametrize("kind", ["classifier", "of both"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_source_with_one_class_is_told_at_the_users_line(method, kind):
    make, y = EACH[kind]
    y = np.where(CLINIC, "ill", y)
    message = "The source 'clinic' has a single class, 'ill': its head has nothing to"
    with pytest.warns(SourceWarning, match=message) as record:
        model = getattr(make(), method)(X, y, sample_source=SOURCE)

    assert [warning.filename for warning in record] == [__file__]
    assert set(model.predict(X[CLINIC], sample_source=SOURCE[CLINIC])) == {"ill"}


def test_one_class_has_a_probability_of_1():
    y = np.where(CLINIC, "ill", Y)
    with pytest.warns(SourceWarning, match="single class"):
        model = classifier().fit(X, y, sample_source=SOURCE)

    proba = model.predict_proba(X[CLINIC], sample_source=SOURCE[CLINIC])
    column = model.classes_.tolist().index("ill")
    np.testing.assert_allclose(proba[:, column], 1)


# Classes unseen in fit --------------------------------------------------------


@pytest.mark.parametrize("kind", ["classifier", "of both"])
def test_validation_rows_hold_no_class_that_fit_did_not_see(kind):
    make, y = EACH[kind]
    unseen = np.where(y == "ill", "sick", y)
    message = (
        r"y of 'clinic' holds \['sick'\], which fit did not see\. The classes are "
        r"\['ill', 'well'\]"
    )
    model = make()
    with pytest.raises(SourceError, match=message):
        model.fit(X, y, sample_source=SOURCE, validation_data=(X, unseen, SOURCE))
    assert not hasattr(model, "net_")


@EVERY_KIND
def test_validation_rows_are_of_sources_that_have_a_head(kind):
    make, y = EACH[kind]
    foreign = np.where(CLINIC, "clinic", "ward")
    with pytest.raises(SourceError, match=r"'ward'.* sources are \['clinic'"):
        make().fit(X, y, sample_source=SOURCE, validation_data=(X, y, foreign))
    with pytest.raises(SourceError, match=r"validation_data .*source"):
        make().fit(X, y, sample_source=SOURCE, validation_data=(X, y))


@pytest.mark.parametrize("kind", ["classifier", "of both"])
def test_a_later_call_takes_no_class_that_is_new_to_its_source(kind):
    make, y = EACH[kind]
    model = make().partial_fit(X, y, sample_source=SOURCE)
    before = model.predict(X, sample_source=SOURCE).tolist()

    with pytest.raises(SourceError, match=r"holds \['illl'\].* mean 'ill'\?"):
        model.partial_fit(X, np.where(y == "ill", "illl", y), sample_source=SOURCE)

    assert model.predict(X, sample_source=SOURCE).tolist() == before


def test_a_class_of_the_other_source_is_unseen_all_the_same():
    model = classifier().partial_fit(X, Y, sample_source=SOURCE)
    with pytest.raises(SourceError, match=r"y of 'lab' holds \['ill', 'well'\]"):
        model.partial_fit(X, np.where(X[:, 0] > 0, "ill", "well"), sample_source=SOURCE)


def test_classes_name_sources():
    message = r"classes names 'labb', which is not a source\..* Did you mean 'lab'\?"
    with pytest.raises(SourceError, match=message):
        classifier().partial_fit(X, Y, sample_source=SOURCE, classes={"labb": ["low"]})


def test_later_calls_name_the_same_classes():
    classes = {"lab": ["low", "mid", "new", "top"]}
    model = classifier().partial_fit(X, Y, sample_source=SOURCE, classes=classes)

    message = r"classes=\{'lab': \['low'\]\} are not those of the first partial_fit"
    with pytest.raises(SourceError, match=message):
        model.partial_fit(X, Y, sample_source=SOURCE, classes={"lab": ["low"]})
    with pytest.raises(SourceError, match="classes names 'labb'"):
        model.partial_fit(X, Y, sample_source=SOURCE, classes={"labb": ["low"]})


def test_classes_are_of_heads_that_have_classes():
    message = "classes gives labels for 'lab', but task makes it a regression"
    with pytest.raises(SourceError, match=message):
        of_both().partial_fit(X, MIXED, sample_source=SOURCE, classes={"lab": [0, 1]})
    with pytest.raises(SourceError, match="classes must be a dict of labels by source"):
        of_both().partial_fit(X, MIXED, sample_source=SOURCE, classes=["ill", "well"])


@EVERY_KIND
@pytest.mark.filterwarnings("ignore:partial_fit got no rows:sktandem.SourceWarning")
def test_a_head_cannot_be_sized_by_no_row(kind):
    make, y = EACH[kind]
    message = {
        "classifier": r"'lab' has no rows, so its classes .* classes=\{'lab': \[",
        "regressor": "'lab' has no rows, so the scale of its targets is not known. The",
        "of both": "'lab' has no rows, so the scale of its targets",
    }[kind]
    given = {"sample_source": SOURCE[CLINIC], "sources": ["clinic", "lab"]}
    with pytest.raises(SourceError, match=message):
        make().partial_fit(X[CLINIC], y[CLINIC], **given)


# Sources at predict -----------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "method"),
    [(kind, method) for kind in EACH for method in ("predict", "score")]
    + [("classifier", "predict_proba")],
)
def test_a_head_is_not_asked_for_an_unknown_source(kind, method):
    make, y = EACH[kind]
    model = make().fit(X, y, sample_source=SOURCE)
    given = (X, y) if method == "score" else (X,)
    foreign = np.where(CLINIC, "clinic", "labs")
    message = (
        "Each source has a head of its own, but 20 rows of 60 have no source that was "
        r"there in fit, the first 'labs' at row 40\. The sources "
        r"are \['clinic', 'lab'\]\. Did you mean 'lab'\?"
    )

    with pytest.raises(SourceError, match=message):
        getattr(model, method)(*given, sample_source=foreign)
    with pytest.raises(SourceError, match="so each row's source is needed: pass sampl"):
        getattr(model, method)(*given)


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_heads_of_other_classes_have_no_mean(method):
    model = classifier(unknown_source="pooled").fit(X, Y, sample_source=SOURCE)
    message = (
        "unknown_source='pooled' averages the heads, but they do not predict the "
        r"same thing: 'clinic' has 2 classes \('ill', 'well'\), 'lab' has 3 clas"
    )
    with pytest.raises(SourceError, match=message):
        getattr(model, method)(X)
    assert (
        getattr(model, method)(X, sample_source=SOURCE).shape[0] == 60
    )  # none is unknown


def test_numbers_and_classes_have_no_mean():
    model = of_both(unknown_source="pooled").fit(X, MIXED, sample_source=SOURCE)
    with pytest.raises(SourceError, match=r"'clinic' has 2 classes .* 'lab' has 1"):
        model.predict(X)
    alike = SharedNet(
        quick("regression"),
        task=dict.fromkeys(TASKS, "classification"),
        unknown_source="pooled",
    )
    alike.fit(X, np.where(X[:, 0] > 0, "ill", "well"), sample_source=SOURCE)
    with pytest.raises(SourceError, match=r"cannot average classes\. task='class"):
        alike.predict(X)


@EVERY_KIND
def test_what_was_not_fitted_does_not_answer(kind):
    make, _ = EACH[kind]
    for method in ("predict", "predict_heads", "transform", "get_feature_names_out"):
        given = () if method == "get_feature_names_out" else (X,)
        with pytest.raises(NotFittedError, match="is not fitted yet"):
            getattr(make(), method)(*given)


@EVERY_KIND
def test_other_columns_are_refused(kind):
    make, y = EACH[kind]
    model = make().fit(X, y, sample_source=SOURCE)
    for method in ("predict", "predict_heads", "transform"):
        with pytest.raises(ValueError, match=r"has 2 features, .* expecting 3"):
            getattr(model, method)(X[:, :2], sample_source=SOURCE)


@EVERY_KIND
def test_a_failed_refit_leaves_the_earlier_fit_intact(kind):
    make, y = EACH[kind]
    model = make().fit(X, y, sample_source=SOURCE)
    before = model.predict(X, sample_source=SOURCE).tolist()

    model.set_params(loss_weights={"clinic": 1})
    with pytest.raises(SourceError, match="gives no weight"):
        model.fit(X[:, :2], y, sample_source=SOURCE)

    assert model.predict(X, sample_source=SOURCE).tolist() == before


def test_a_loss_that_is_no_number_names_the_head():
    net = NeuralNetRegressor(MLP, lr=1e30, verbose=0)
    with pytest.raises(SourceError, match=r"loss became \w+ in epoch 1, on a batch"):
        SharedNet(net, heads="source", schedule="batches").fit(
            X, NUMBERS, sample_source=SOURCE
        )


def test_the_cure_for_a_binary_net_works():
    net = NeuralNetClassifier(MLP, criterion=nn.CrossEntropyLoss, verbose=0)

    assert classifier(net).fit(X, Y, sample_source=SOURCE).predict(
        X, sample_source=SOURCE
    ).shape == (60,)


def test_one_score_over_heads_of_other_widths_is_refused():
    scoring = EpochScoring("accuracy", name="acc", lower_is_better=False)
    net = quick(callbacks=[("acc", scoring)])

    with pytest.raises(SourceError, match=r"'acc' scores all rows at once.*'lab': 3"):
        classifier(net).fit(X, Y, sample_source=SOURCE)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"scale_by": "source"}, "X was scaled by source, so each row's source is"),
        (
            {"stems": "source"},
            "Each source has its own path into the net, so each",
        ),
    ],
)
def test_an_embedding_tells_why_it_needs_the_source(params, reason):
    model = classifier(**params).fit(X, Y, sample_source=SOURCE)

    with pytest.raises(SourceError, match=reason):
        model.transform(X)
