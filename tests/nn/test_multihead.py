"""Nets with a head for each source, among scikit-learn's tools."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from net_callbacks import Ruins
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, r2_score, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Checkpoint
from torch import nn

from sktandem import (
    MultiHeadClassifier,
    MultiHeadEstimator,
    MultiHeadRegressor,
    SourceWarning,
    stack_sources,
)
from sktandem._sources import resolve_sources
from sktandem.inspection import HistoryDisplay
from sktandem.model_selection import (
    LeaveOneSourceOut,
    SourceKFold,
    score_by_source,
    source_scorers,
)
from sktandem.nn import default_net
from sktandem.nn._validation import held_out

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
SOURCE = np.repeat(["a", "b"], [50, 40])
IN_A = SOURCE == "a"
UP = X[:, 0] + 0.5 * RNG.normal(size=90) > 0
THIRD = np.digitize(X[:, 1] + 0.5 * RNG.normal(size=90), [-0.5, 0.5])
NUMBERS = np.where(IN_A, X @ [1.0, -1.0, 0.5], 50 + 20 * X[:, 1])
FRAME = pd.DataFrame(X, columns=list("uvw")).assign(ward=SOURCE)
ROUTING = pytest.mark.parametrize("routing", [False, True], ids=["off", "on"])

A = np.where(UP, "ill", "well")
SPACES = {
    "disjoint": np.where(IN_A, A, np.array(["low", "mid", "top"])[THIRD]),
    "overlapping": np.where(IN_A, A, np.array(["ill", "mild", "well"])[THIRD]),
    "equal": A,
    "numbers": np.where(IN_A, UP * 1, THIRD + 1),
    "mixed": np.where(IN_A, UP * 1, np.array(["low", "mid", "top"], object)[THIRD]),
}
OWN = {
    "disjoint": (["ill", "well"], ["low", "mid", "top"]),
    "overlapping": (["ill", "well"], ["ill", "mild", "well"]),
    "equal": (["ill", "well"], ["ill", "well"]),
    "numbers": ([0, 1], [1, 2, 3]),
    "mixed": ([0, 1], ["low", "mid", "top"]),
}
Y = SPACES["disjoint"]
EVERY_SPACE = pytest.mark.parametrize("space", SPACES)
TASKS = {"a": "classification", "b": "regression"}
MIXED = np.where(IN_A, A.astype(object), NUMBERS)


def quick(task="classification", **params):
    settings = {"max_epochs": 3, "lr": 0.02, "module__hidden_sizes": (5,)}
    return default_net(task, **settings | {"batch_size": 16} | params)


def classifier(net=None, **params):
    return MultiHeadClassifier(net or quick(), **{"random_state": 0, **params})


def regressor(net=None, **params):
    net = net or quick("regression")
    return MultiHeadRegressor(net, **{"random_state": 0, **params})


def of_both(net=None, **params):
    net = net or quick("regression")
    return MultiHeadEstimator(TASKS, net, **{"random_state": 0, **params})


def fitted(y=Y, **params):
    return classifier(**params).fit(X, y, sample_source=SOURCE)


EACH = {
    "classifier": (classifier, Y),
    "regressor": (regressor, NUMBERS),
    "of both": (of_both, MIXED),
}
EVERY_KIND = pytest.mark.parametrize("kind", EACH)


def assert_about(found, expected, digits=12):
    """Labels are the same, and numbers to so many digits.

    Not to the bit: sums are rounded by the shape of the batch, or by how the
    numbers lie in memory, and a net is trained in single precision.
    """
    found, expected = (np.array(answer, dtype=object) for answer in (found, expected))
    label = np.array([isinstance(answer, str) for answer in expected])
    np.testing.assert_array_equal(found[label], expected[label])
    found, expected = (answer[~label].astype(float) for answer in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=10**-digits, atol=10**-digits)


# Label spaces -----------------------------------------------------------------


@EVERY_SPACE
def test_classes_are_the_union_and_each_sources_own_are_told(space):
    model = fitted(SPACES[space])

    own = {name: c.tolist() for name, c in model.classes_by_source_.items()}
    assert own == dict(zip("ab", OWN[space]))
    union = {label for labels in OWN[space] for label in labels}
    assert set(model.classes_.tolist()) == union
    assert len(model.classes_) == len(union)
    if space != "mixed":
        assert model.classes_.tolist() == sorted(union)
        assert model.classes_.dtype.kind == SPACES[space].dtype.kind


@EVERY_SPACE
def test_a_row_is_given_a_class_of_its_own_source(space):
    model = fitted(SPACES[space])
    predicted = model.predict(X, sample_source=SOURCE)

    assert predicted.shape == (90,)
    for name, own in zip("ab", OWN[space]):
        assert set(predicted[name == SOURCE].tolist()) <= set(own)
    right = accuracy_score(*map(np.char.mod, ["%s"] * 2, (SPACES[space], predicted)))
    assert model.score(X, SPACES[space], SOURCE) == pytest.approx(right)


@EVERY_SPACE
def test_probabilities_are_of_the_union_and_zero_outside_the_sources_own(space):
    model = fitted(SPACES[space])
    proba = model.predict_proba(X, sample_source=SOURCE)

    assert proba.shape == (90, len(model.classes_))
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    for name, own in zip("ab", OWN[space]):
        outside = [label not in own for label in model.classes_.tolist()]
        assert (proba[name == SOURCE][:, outside] == 0).all()
        assert (proba[name == SOURCE][:, np.invert(outside)] > 0).all()
    best = model.classes_[proba.argmax(axis=1)]
    assert best.tolist() == model.predict(X, SOURCE).tolist()


def test_labels_of_two_kinds_may_be_turned_to_text():
    datasets = {
        "a": (X[IN_A], (UP * 1)[IN_A]),
        "b": (X[~IN_A], SPACES["disjoint"][~IN_A]),
    }
    stacked = stack_sources(datasets, labels="str")
    model = classifier().fit(*stacked)

    assert model.classes_.tolist() == ["0", "1", "low", "mid", "top"]
    by_objects = fitted(SPACES["mixed"]).predict_proba(X, SOURCE)
    np.testing.assert_array_equal(
        model.predict_proba(stacked.X, stacked.sample_source), by_objects
    )


def test_all_heads_answer_for_all_rows():
    model = fitted()
    answers = model.predict_heads(X)

    assert list(answers) == ["a", "b"]
    for name, own in zip("ab", OWN["disjoint"]):
        everywhere = model.predict(X, sample_source=[name] * 90)
        assert answers[name].tolist() == everywhere.tolist()
        assert set(answers[name]) <= set(own)


@EVERY_KIND
def test_a_heads_answer_for_its_own_rows_is_the_prediction(kind):
    make, y = EACH[kind]
    model = make(scale_by="source").fit(X, y, SOURCE)

    answers = model.predict_heads(X, sample_source=SOURCE)

    predicted = model.predict(X, SOURCE)
    for name in ("a", "b"):
        own = name == SOURCE
        assert_about(answers[name][own], predicted[own])


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        np.asarray,
        list,
        lambda y: pd.Series(y, index=np.arange(90)[::-1]),
        lambda y: torch.as_tensor(y),
    ],
    ids=["array", "list", "series", "tensor"],
)
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_y_may_come_in_any_container(kind, given):
    make, _ = EACH[kind]
    y = SPACES["numbers"] if kind == "classifier" else NUMBERS
    expected = make().fit(X, y, SOURCE).predict(X, SOURCE)

    model = make().fit(torch.as_tensor(X), given(y), sample_source=list(SOURCE))

    np.testing.assert_array_equal(model.predict(X, SOURCE), expected)
    assert model.score(X, given(y), SOURCE) == model.score(X, y, SOURCE)


@EVERY_KIND
def test_a_target_of_one_column_is_a_target(kind):
    make, y = EACH[kind]
    expected = make().fit(X, y, SOURCE).predict(X, SOURCE)
    model = make()
    if kind == "classifier":
        with pytest.warns(UserWarning, match="column-vector y was passed"):
            model.fit(X, y[:, None], SOURCE)
    else:
        model.fit(X, y[:, None], SOURCE)

    assert_about(model.predict(X, SOURCE), expected, digits=5)


# Doors and unknown sources ----------------------------------------------------


@EVERY_KIND
@pytest.mark.parametrize("setting", [{}, {"scale_by": "source"}, {"stems": "source"}])
def test_column_and_keyword_are_the_same_door(kind, setting):
    make, y = EACH[kind]
    keyword = make(**setting).fit(X, y, sample_source=SOURCE)
    column = make(source="ward", **setting).fit(FRAME, y)

    expected = keyword.predict(X, sample_source=SOURCE)

    assert_about(column.predict(FRAME), expected, digits=5)
    np.testing.assert_allclose(
        column.transform(FRAME), keyword.transform(X, SOURCE), rtol=1e-5, atol=1e-6
    )
    assert column.score(FRAME, y) == pytest.approx(keyword.score(X, y, SOURCE))
    assert column.n_features_in_ == 4


def test_the_column_may_be_told_by_its_place():
    codes = (SOURCE == "b") * 1
    with_column = np.column_stack([codes, X])
    keyword = classifier().fit(X, Y, codes)

    column = classifier(source=0).fit(with_column, Y)

    np.testing.assert_allclose(
        column.predict_proba(with_column), keyword.predict_proba(X, codes), rtol=1e-5
    )


def test_an_unknown_source_may_ask_the_primary_head():
    model = fitted(unknown_source="primary", primary_source="b")
    foreign = np.where(IN_A, "a", "ward 9")

    expected = model.predict_proba(X, SOURCE)

    np.testing.assert_array_equal(model.predict_proba(X, foreign), expected)
    assert set(model.predict(X)) <= {"low", "mid", "top"}


def test_an_unknown_source_may_take_the_mean_over_heads_of_one_label_space():
    model = fitted(SPACES["equal"], unknown_source="pooled")

    heads = [model.predict_proba(X, [name] * 90) for name in "ab"]
    pooled = model.predict_proba(X)

    np.testing.assert_allclose(pooled, np.mean(heads, axis=0))
    expected = model.classes_[pooled.argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(X, ["c"] * 90), expected)
    some = np.where(IN_A, "a", "c")
    np.testing.assert_allclose(
        model.predict_proba(X, some), np.where(IN_A[:, None], heads[0], pooled)
    )


def test_numbers_of_an_unknown_source_are_the_mean_over_heads():
    model = regressor(unknown_source="pooled").fit(X, NUMBERS, SOURCE)

    heads = [model.predict(X, [name] * 90) for name in "ab"]

    np.testing.assert_allclose(model.predict(X), np.mean(heads, axis=0))
    pooled = model.predict(X)
    found = model.score(X, NUMBERS, ["c"] * 90)
    assert found == pytest.approx(r2_score(NUMBERS, pooled))


def test_leaving_a_source_out_scores_the_pooled_heads():
    model = regressor(source="ward", unknown_source="pooled")
    frame = FRAME.assign(ward=np.repeat(["a", "b", "c"], 30))

    scores = cross_val_score(model, frame, NUMBERS, cv=LeaveOneSourceOut(source="ward"))

    assert np.isfinite(scores).all()
    assert len(scores) == 3


def test_one_source_needs_no_label():
    with pytest.warns(SourceWarning, match="Only one source, 'all'"):
        model = classifier().fit(X, A)

    assert model.predict_proba(X).shape == (90, 2)
    np.testing.assert_array_equal(model.predict_heads(X)["all"], model.predict(X))
    assert model.transform(X).shape == (90, 32)


# The embedding ----------------------------------------------------------------


@EVERY_KIND
def test_the_embedding_has_the_width_of_the_trunk(kind):
    make, y = EACH[kind]
    net = quick(make()._default_task, module__n_outputs=7)
    model = make(net).fit(X, y, SOURCE)

    embedding = model.transform(X)

    assert embedding.shape == (90, model.width_) == (90, 7)
    names = model.get_feature_names_out()
    prefix = type(model).__name__.lower()
    assert names.tolist() == [f"{prefix}{column}" for column in range(7)]
    framed = model.set_output(transform="pandas").transform(X)
    assert framed.columns.tolist() == names.tolist()
    np.testing.assert_array_equal(framed, embedding)


def test_the_embedding_is_what_the_trunk_says():
    model = fitted(scaler=None)
    with torch.no_grad():
        expected = model.module_.trunk(torch.as_tensor(X, dtype=torch.float32))

    np.testing.assert_allclose(model.transform(X), expected, atol=1e-6)


def test_heads_on_the_embedding_give_the_probabilities():
    model = fitted()
    embedding = torch.as_tensor(model.transform(X), dtype=torch.float32)

    with torch.no_grad():
        of_b = model.module_.heads[1](embedding).softmax(dim=1).numpy()

    proba = model.predict_proba(X, ["b"] * 90)
    np.testing.assert_allclose(proba[:, [1, 2, 3]], of_b, atol=1e-5)


def test_fit_transform_is_fit_and_transform():
    once = classifier().fit_transform(X, Y, sample_source=SOURCE)

    np.testing.assert_array_equal(once, fitted().transform(X))


@ROUTING
@pytest.mark.parametrize("stems", ["shared", "source"])
def test_the_embedding_serves_another_model_in_a_pipeline(stems, routing):
    front = classifier(source="ward", stems=stems)
    pipe = make_pipeline(front, LogisticRegression())

    with config_context(enable_metadata_routing=routing):
        pipe.fit(FRAME, Y)
        predicted = pipe.predict(FRAME)

    by_hand = clone(front).fit(FRAME, Y)
    last = LogisticRegression().fit(by_hand.transform(FRAME), Y)
    np.testing.assert_array_equal(predicted, last.predict(by_hand.transform(FRAME)))
    assert pipe[:-1].get_feature_names_out().shape == (32,)


def test_without_stems_the_embedding_needs_no_source():
    model = classifier(source="ward").fit(FRAME, Y)
    blank = FRAME.assign(ward="nowhere")

    np.testing.assert_array_equal(model.transform(blank), model.transform(FRAME))
    with config_context(enable_metadata_routing=True):
        pipe = make_pipeline(StandardScaler(), classifier(), LogisticRegression())
        pipe.fit(X, Y, sample_source=SOURCE)
        assert pipe.predict(X).shape == (90,)


# Scores -----------------------------------------------------------------------


@ROUTING
def test_each_head_is_scored_within_its_own_classes(routing):
    y = np.where(IN_A, A, np.where(THIRD > 0, "yes", "no"))
    with config_context(enable_metadata_routing=routing):
        model = classifier(source="ward").fit(FRAME, y)
        names = ["accuracy", "f1_macro", "roc_auc", "neg_log_loss"]
        scorers = source_scorers(names, ["a", "b"], source="ward")
        found = {key: scorer(model, FRAME, y) for key, scorer in scorers.items()}

    predicted, proba = model.predict(FRAME), model.predict_proba(FRAME)
    for name, own in (("a", ["ill", "well"]), ("b", ["no", "yes"])):
        rows = name == SOURCE
        columns = np.flatnonzero(np.isin(model.classes_, own))
        of_own = proba[rows][:, columns]
        expected = {
            "accuracy": accuracy_score(y[rows], predicted[rows]),
            "f1_macro": f1_score(y[rows], predicted[rows], average="macro"),
            "roc_auc": roc_auc_score(y[rows] == own[1], of_own[:, 1]),
            "neg_log_loss": -log_loss(y[rows], of_own, labels=own),
        }
        for metric, score in expected.items():
            assert found[f"{metric}[{name}]"] == pytest.approx(score), metric
    assert found["roc_auc.macro"] == pytest.approx(
        (found["roc_auc[a]"] + found["roc_auc[b]"]) / 2
    )


def test_a_score_may_have_a_value_for_each_head_and_none_over_all():
    y = np.where(IN_A, A, np.where(THIRD > 0, "yes", "no"))
    model = fitted(y)

    with pytest.warns(SourceWarning, match="a value for each source and none over"):
        scores = score_by_source(model, X, y, SOURCE, scoring="roc_auc")

    assert np.isnan(scores.overall)
    assert 0 < scores.worst <= scores.macro < 1


@pytest.mark.slow
@EVERY_SPACE
@pytest.mark.parametrize("scoring", ["accuracy", "f1_macro", "neg_log_loss", None])
def test_score_by_source_takes_labels_of_any_kind(space, scoring):
    y = SPACES[space]
    model = fitted(y)

    scores = score_by_source(model, X, y, SOURCE, scoring=scoring)

    assert list(scores.by_source) == ["a", "b"]
    assert np.isfinite(list(scores.by_source.values())).all()
    if scoring in ("accuracy", None):
        right = model.predict(X, SOURCE) == y
        expected = {name: right[name == SOURCE].mean() for name in "ab"}
        assert scores.by_source == pytest.approx(expected)
        assert scores.overall == pytest.approx(right.mean())


GRID = {
    "schedule": ["joint", "batches"],
    "loss_weights": [{"a": 1, "b": 0.1}, "uncertainty"],
    "net__lr": [1e-9, 0.05],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("door", "routing"), [("column", False), ("column", True), ("keyword", True)]
)
def test_a_search_chooses_by_one_source(door, routing):
    column = "ward" if door == "column" else None
    data = (FRAME, Y) if door == "column" else (X, Y)
    labels = {} if door == "column" else {"sample_source": SOURCE}
    search = GridSearchCV(
        classifier(source=column),
        GRID,
        cv=SourceKFold(2, source=column),
        scoring=source_scorers("accuracy", ["a", "b"], source=column),
        refit="accuracy[b]",
        error_score="raise",
    )

    with config_context(enable_metadata_routing=routing):
        search.fit(*data, **labels)

    results = search.cv_results_
    assert results["mean_test_accuracy[b]"][search.best_index_] == max(
        results["mean_test_accuracy[b]"]
    )
    alone = clone(classifier(source=column)).set_params(**search.best_params_)
    alone.fit(*data, **labels)
    np.testing.assert_array_equal(
        search.best_estimator_.predict_proba(data[0], **labels),
        alone.predict_proba(data[0], **labels),
    )


@ROUTING
def test_predictions_of_folds_are_those_by_hand(routing):
    cv = SourceKFold(2, source="ward")
    model = classifier(source="ward")

    with config_context(enable_metadata_routing=routing):
        found = cross_val_predict(model, FRAME, Y, cv=cv)

    for train, test in cv.split(FRAME, Y):
        one = clone(model).fit(FRAME.iloc[train], Y[train])
        assert found[test].tolist() == one.predict(FRAME.iloc[test]).tolist()


# Numbers ----------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2.0**20, 1e6])
@pytest.mark.parametrize("schedule", ["joint", "batches"])
def test_the_units_of_one_source_change_nothing_for_anyone(schedule, factor):
    plain = regressor(schedule=schedule).fit(X, NUMBERS, SOURCE)
    larger = np.where(IN_A, factor, 1) * NUMBERS
    scaled = regressor(schedule=schedule).fit(X, larger, SOURCE)

    expected = np.where(IN_A, factor, 1) * plain.predict(X, SOURCE)

    found = scaled.predict(X, SOURCE)
    if factor == 2.0**20:  # which rounds nothing
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-3)
    np.testing.assert_allclose(
        scaled.history_[:, "valid_loss[a]"],
        plain.history_[:, "valid_loss[a]"],
        rtol=1e-3,
    )


def test_targets_are_measured_on_training_rows_only():
    model = regressor().fit(X, NUMBERS, SOURCE)
    sources = resolve_sources(X, SOURCE)[1]
    held = held_out(0.2, sources, NUMBERS, model.seed_, classes=False)

    for task, name in zip(model.tasks_, "ab"):
        own = NUMBERS[~held & (name == SOURCE)]
        np.testing.assert_allclose(task.center, own.mean())
        np.testing.assert_allclose(task.scale, own.std())


def padded():
    """Two targets of the one source, three of the other, one in common."""
    y = np.full((90, 4), np.nan)
    y[:50, :2] = np.column_stack([X[:50, 0], 1e4 * X[:50, 1]])
    y[50:, 1:] = X[50:] * [1.0, 1e3, 1e-3] + [0.0, -7e5, 3.0]
    return y


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["joint", "batches", "epochs", "shuffled"])
def test_sources_may_have_another_number_of_targets(schedule):
    y = padded()
    net = quick("regression", max_epochs=40)
    model = regressor(net, schedule=schedule).fit(X, y, SOURCE)

    predicted = model.predict(X, SOURCE)

    assert predicted.shape == y.shape
    np.testing.assert_array_equal(np.isnan(predicted), np.isnan(y))
    own = [
        r2_score(y[:50, :2], predicted[:50, :2]),
        r2_score(y[50:, 1:], predicted[50:, 1:]),
    ]
    assert model.score(X, y, SOURCE) == pytest.approx(np.mean(own))
    assert min(own) > 0.5
    heads = model.predict_heads(X)
    assert {name: head.shape for name, head in heads.items()} == {
        "a": (90, 2),
        "b": (90, 3),
    }


def test_the_score_is_the_mean_over_sources():
    model = regressor().fit(X, NUMBERS, SOURCE)
    predicted = model.predict(X, SOURCE)
    weight = np.random.default_rng(1).random(90)

    own = [r2_score(NUMBERS[IN_A], predicted[IN_A])]
    own.append(r2_score(NUMBERS[~IN_A], predicted[~IN_A]))
    by_weight = [
        r2_score(NUMBERS[rows], predicted[rows], sample_weight=weight[rows])
        for rows in (IN_A, ~IN_A)
    ]

    assert model.score(X, NUMBERS, SOURCE) == pytest.approx(np.mean(own))
    found = model.score(X, NUMBERS, SOURCE, sample_weight=weight)
    assert found == pytest.approx(np.mean(by_weight))
    assert score_by_source(model, X, NUMBERS, SOURCE).by_source == pytest.approx(
        dict(zip("ab", own))
    )


def test_a_constant_target_is_learned_as_it_is():
    y = np.where(IN_A, 7.0, NUMBERS)
    model = regressor(quick("regression", max_epochs=60)).fit(X, y, SOURCE)

    np.testing.assert_allclose(model.predict(X[IN_A], SOURCE[IN_A]), 7, atol=0.5)


# Classes and numbers ----------------------------------------------------------


def test_heads_of_classes_and_of_numbers_share_a_trunk():
    net = quick("regression", max_epochs=40)
    model = of_both(net).fit(X, MIXED, SOURCE)

    predicted = model.predict(X, SOURCE)

    assert predicted.dtype == object
    assert {type(value) for value in predicted[IN_A]} == {str}
    assert {type(value) for value in predicted[~IN_A]} == {float}
    accuracy = (predicted[IN_A] == MIXED[IN_A]).mean()
    r2 = r2_score(MIXED[~IN_A].astype(float), predicted[~IN_A].astype(float))
    assert model.score(X, MIXED, SOURCE) == pytest.approx((accuracy + r2) / 2)
    assert min(accuracy, r2) > 0.6
    assert {n: c.tolist() for n, c in model.classes_by_source_.items()} == {
        "a": ["ill", "well"]
    }


@pytest.mark.parametrize("dtype", [float, object])
def test_labels_that_are_numbers_stay_numbers(dtype):
    y = np.where(IN_A, UP * 1, NUMBERS).astype(dtype)
    predicted = of_both().fit(X, y, SOURCE).predict(X, SOURCE)

    assert predicted.dtype == float
    assert set(predicted[IN_A]) <= {0.0, 1.0}


def test_labels_of_yes_and_no_stay_what_they_are():
    y = np.where(IN_A, UP.astype(object), NUMBERS)
    predicted = of_both().fit(X, y, SOURCE).predict(X, SOURCE)

    assert {type(value) for value in predicted[IN_A]} == {bool}


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_all_tasks_may_be_of_one_kind(kind):
    """Then it is the classifier, or the regressor, under another name."""
    tasks = dict.fromkeys("ab", kind)
    plain = {"module__hidden_sizes": (5,), "max_epochs": 3}
    net = default_net("regression", **plain)
    y = Y if kind == "classification" else NUMBERS
    model = MultiHeadEstimator(tasks, net, validation_fraction=None, random_state=0)
    other = MultiHeadClassifier if kind == "classification" else MultiHeadRegressor
    twin = other(default_net(kind, **plain), validation_fraction=None, random_state=0)

    found = model.fit(X, y, SOURCE).predict(X, SOURCE)

    expected = twin.fit(X, y, SOURCE).predict(X, SOURCE)
    assert_about(found, expected, digits=5)


@ROUTING
@EVERY_KIND
def test_the_contract_of_scikit_learn(kind, routing):
    make, y = EACH[kind]
    with config_context(enable_metadata_routing=routing):
        model = make()
        params = model.get_params()
        assert params["net__lr"] == 0.02
        twin = clone(model)
        assert type(twin.net) is type(model.net)
        assert not hasattr(twin, "net_")
        before = {k: v for k, v in vars(model).items() if k != "net"}

        assert model.fit(X, y, SOURCE) is model
        assert {k: vars(model)[k] for k in before} == before
        twin.fit(X, y, sample_source=SOURCE)

        predicted = model.predict(X, SOURCE)
        same = predicted.tolist()  # by the same operations: to the bit
        assert twin.predict(X, SOURCE).tolist() == same
        assert model.fit(X, y, SOURCE).predict(X, SOURCE).tolist() == same
        again = pickle.loads(pickle.dumps(model))
        assert again.predict(X, SOURCE).tolist() == same
        assert again.score(X, y, SOURCE) == model.score(X, y, SOURCE)

        framed = make().fit(FRAME[list("uvw")], y, SOURCE)
        found = framed.predict(FRAME[list("uvw")], SOURCE)
        assert_about(found, predicted, digits=5)
        assert framed.feature_names_in_.tolist() == list("uvw")
        assert model.n_features_in_ == 3
        for one in (make(), model):
            assert len(repr(one)) < 1500
            assert type(one).__name__ in one._repr_html_()
        order = np.random.default_rng(1).permutation(90)
        shuffled = model.predict(X[order], SOURCE[order])
        assert_about(shuffled, predicted[order])
        one_row = [model.predict(X[[i]], SOURCE[[i]])[0] for i in (0, 60)]
        assert_about(one_row, predicted[[0, 60]])


def test_a_mixed_estimator_is_searched_by_column():
    search = GridSearchCV(
        of_both(source="ward"),
        {"net__lr": [1e-9, 0.05], "tasks": [TASKS]},
        cv=SourceKFold(2, source="ward"),
        error_score="raise",
    )
    search.fit(FRAME, MIXED)

    assert search.best_params_["net__lr"] == 0.05


# Weights ----------------------------------------------------------------------


@pytest.mark.parametrize("schedule", ["joint", "batches", "shuffled"])
def test_a_head_of_weight_0_is_left_as_it_was(schedule):
    still = fitted(net=quick(max_epochs=0))
    model = fitted(loss_weights={"a": 1, "b": 0}, schedule=schedule, keep="last")

    heads = [one.module_.heads for one in (still, model)]
    assert torch.equal(heads[0][1].weight, heads[1][1].weight)
    assert not torch.equal(heads[0][0].weight, heads[1][0].weight)


def test_equal_weights_are_no_weights():
    plain = fitted().predict_proba(X, SOURCE)

    weighed = fitted(loss_weights={"a": 1, "b": 1}).predict_proba(X, SOURCE)

    np.testing.assert_allclose(weighed, plain, atol=1e-6)


def test_by_size_is_the_dict_of_sizes():
    n_rows = {"a": 40, "b": 32}  # of training
    mean = np.mean(list(n_rows.values()))
    spelt = {name: n / mean for name, n in n_rows.items()}

    by_size, by_hand = fitted(loss_weights="size"), fitted(loss_weights=spelt)

    assert by_size.n_samples_by_source_ == n_rows
    np.testing.assert_allclose(
        by_size.predict_proba(X, SOURCE), by_hand.predict_proba(X, SOURCE), rtol=1e-5
    )


def test_a_later_call_may_lack_a_source_that_has_a_weight():
    model = classifier(loss_weights={"a": 1, "b": 0.5})
    model.partial_fit(X, Y, SOURCE)

    with pytest.warns(SourceWarning, match=r"got no rows of \['b'\], so only \['a'\]"):
        model.partial_fit(X[IN_A], Y[IN_A], SOURCE[IN_A])

    assert model.history_[-1]["source"] == "a"


@pytest.mark.parametrize("balance", ["classes", "both"])
def test_balance_is_by_head(balance):
    """At a learning rate of almost 0 the first loss is a known number."""
    few = np.where(np.arange(90) % 5 == 0, "ill", "well")
    y = np.where(IN_A, few, np.array(["low", "mid", "top"])[np.arange(90) % 7 // 3])
    net = quick(lr=1e-12, max_epochs=1)
    model = fitted(y, net=net, balance=balance, batch_size=-1, validation_fraction=None)
    place = {label: column for column, label in enumerate(model.classes_.tolist())}
    columns = [place[label] for label in y.tolist()]
    losses = -np.log(model.predict_proba(X, SOURCE)[np.arange(90), columns])

    for name in ("a", "b"):
        own = name == SOURCE
        labels = np.unique(y[own])
        share = own.sum() / 90 if balance == "classes" else len(labels) / 5
        of_class = [losses[own & (y == label)].mean() for label in labels]
        expected = 90 * share / own.sum() * np.mean(of_class)
        found = model.history_[0][f"train_loss[{name}]"]
        assert found == pytest.approx(expected, rel=1e-5)


# Training ---------------------------------------------------------------------

SCHEDULES = ["joint", "batches", "epochs", "plateau", "sampled", "bandit", "shuffled"]
SCHEDULES.append("curriculum")


@pytest.mark.slow
@pytest.mark.parametrize("weights", [None, "uncertainty", "dwa"])
@pytest.mark.parametrize("schedule", SCHEDULES)
@EVERY_KIND
def test_any_schedule_goes_with_any_heads(kind, schedule, weights):
    make, y = EACH[kind]
    model = make(schedule=schedule, loss_weights=weights, average="ema")
    model.fit(X, y, SOURCE)

    row = model.history_[-1]
    for name in ("a", "b"):
        assert np.isfinite(row[f"valid_loss[{name}]"])
    assert row["valid_loss_macro"] == pytest.approx(
        (row["valid_loss[a]"] + row["valid_loss[b]"]) / 2
    )
    assert np.isfinite(model.score(X, y, SOURCE))


def test_the_best_epoch_is_kept():
    validation = X[::3], Y[::3], SOURCE[::3]
    model = classifier(quick(max_epochs=30, lr=0.1, callbacks=[Ruins(25)]))
    model.fit(X, Y, SOURCE, validation_data=validation)
    losses = model.history_[:, "valid_loss_macro"]
    assert np.argmin(losses) < 29

    proba = model.predict_proba(*validation[::2])
    place = {label: column for column, label in enumerate(model.classes_.tolist())}
    own = -np.log(proba[np.arange(30), [place[label] for label in validation[1]]])
    found = np.mean([own[validation[2] == name].mean() for name in "ab"])

    assert found == pytest.approx(min(losses), rel=1e-5)


def test_the_losses_of_the_history_are_those_of_the_heads():
    net = quick(max_epochs=1, lr=1e-12)
    model = fitted(net=net, batch_size=-1, validation_fraction=None)
    proba = model.predict_proba(X, SOURCE)
    row = model.history_[0]

    for name in ("a", "b"):
        rows = name == SOURCE
        own = np.isin(model.classes_, OWN["disjoint"]["ab".index(name)])
        labels = model.classes_[own]
        expected = log_loss(Y[rows], proba[rows][:, own], labels=labels)
        assert row[f"train_loss[{name}]"] == pytest.approx(expected, rel=1e-5)
    assert row["source"] == "a, b"
    assert (row["rows_seen[a]"], row["rows_seen[b]"]) == (50, 40)


@EVERY_KIND
def test_the_curves_of_the_heads_are_drawn(kind):
    make, y = EACH[kind]
    display = HistoryDisplay.from_estimator(make().fit(X, y, SOURCE))

    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    plt.close(display.figure_)
    assert any("a" in label for label in labels)
    assert {"train_loss[a]", "valid_loss[b]"} <= set(display.to_frame())


@pytest.mark.slow
@EVERY_KIND
@pytest.mark.parametrize("weights", [None, "uncertainty", "dwa"])
def test_three_calls_are_one_fit_pickles_between_them_or_not(kind, weights):
    make, y = EACH[kind]
    dropped = {"module__dropout": 0.3, "optimizer__fused": False}
    task = make()._default_task
    settings = {"loss_weights": weights, "keep": "last", "average": "ema"}
    model = make(quick(task, max_epochs=2, **dropped), **settings)
    whole = make(quick(task, max_epochs=6, **dropped), **settings)

    for _ in range(3):
        model = pickle.loads(pickle.dumps(model.partial_fit(X, y, SOURCE)))
    whole.fit(X, y, SOURCE)

    ours, theirs = model.module_.state_dict(), whole.module_.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    if weights == "uncertainty":
        variances = [one.net_.criterion_.log_variance for one in (model, whole)]
        assert torch.equal(*variances)
        assert variances[0].abs().min() > 0
    assert model.predict(X, SOURCE).tolist() == whole.predict(X, SOURCE).tolist()


@pytest.mark.parametrize("weights", [None, "uncertainty", "dwa"])
def test_a_training_that_was_cut_goes_on(weights, tmp_path):
    task = {"loss_weights": weights, "keep": "last"}
    whole = fitted(net=quick(max_epochs=6), **task)
    keeping = Checkpoint(monitor=None, dirname=tmp_path)
    fitted(net=quick(max_epochs=2, callbacks=[keeping]), **task)

    going_on = classifier(quick(max_epochs=6), **task)
    going_on.fit(X, Y, SOURCE, resume_from=tmp_path)

    assert len(going_on.history_) == 6
    ours, theirs = going_on.module_.state_dict(), whole.module_.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_the_first_call_names_the_classes_to_come_by_source():
    classes = {"b": ["low", "mid", "new", "top"]}
    model = classifier().partial_fit(X, Y, SOURCE, classes=classes)
    new = np.where(THIRD == 1, "new", Y)[~IN_A]

    for _ in range(2):
        model.partial_fit(X, Y, SOURCE, classes=classes)
    with pytest.warns(SourceWarning, match="got no rows of"):
        model.partial_fit(X[~IN_A], new, SOURCE[~IN_A])

    assert model.classes_by_source_["a"].tolist() == ["ill", "well"]
    assert model.classes_by_source_["b"].tolist() == classes["b"]
    assert "new" in model.classes_


def test_classes_for_all_sources_may_be_a_list():
    model = classifier().partial_fit(X, A, SOURCE, classes=["ill", "so", "well"])

    own = model.classes_by_source_
    assert own["a"].tolist() == own["b"].tolist() == ["ill", "so", "well"]


def test_a_source_may_be_to_come_if_its_classes_are_known():
    model = classifier(validation_fraction=None)
    with pytest.warns(SourceWarning, match="got no rows of"):
        model.partial_fit(
            X[IN_A],
            Y[IN_A],
            SOURCE[IN_A],
            sources=["a", "b"],
            classes={"b": ["low", "mid", "top"]},
        )
    model.partial_fit(X, Y, SOURCE)

    assert set(model.predict(X, ["b"] * 90)) <= {"low", "mid", "top"}


def test_classes_to_come_are_named_for_heads_of_classes():
    model = of_both().partial_fit(
        X, MIXED, SOURCE, classes={"a": ["ill", "so", "well"]}
    )
    model.partial_fit(X, np.where(IN_A & UP, "so", MIXED), SOURCE)

    assert model.classes_by_source_["a"].tolist() == ["ill", "so", "well"]


def test_parameters_of_trunk_and_heads_may_learn_at_rates_of_their_own():
    groups = [("trunk.*", {"lr": 0.0}), ("heads.0.*", {"lr": 0.1})]
    still = fitted(net=quick(max_epochs=0))
    model = fitted(net=quick(optimizer__param_groups=groups), keep="last")

    before, after = still.module_.state_dict(), model.module_.state_dict()
    changed = {key for key in after if not torch.equal(before[key], after[key])}
    assert changed
    assert not any(key.startswith("trunk.") for key in changed)


def test_a_pickle_holds_no_data():
    wide, y, labels = (np.concatenate([part] * 100) for part in (X, Y, SOURCE))
    model = classifier(quick(max_epochs=1)).fit(wide, y, labels)
    model.history_.clear()

    assert len(pickle.dumps(model)) < wide.nbytes / 4


def test_nothing_global_is_touched():
    before = torch.get_rng_state().clone()

    model = fitted(net=quick(module__dropout=0.5), loss_weights="uncertainty")
    model.predict(X, SOURCE)
    model.transform(X)

    assert torch.equal(torch.get_rng_state(), before)


def test_a_setting_of_the_net_reaches_trunk_and_criterion():
    net = quick(
        module__activation=nn.Tanh, criterion__label_smoothing=0.1, max_epochs=1
    )
    model = fitted(net=net, loss_weights="uncertainty")

    assert isinstance(model.module_.trunk[1], nn.Tanh)
    assert model.net_.criterion_.label_smoothing == 0.1
