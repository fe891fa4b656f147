"""The estimators that train a net in turns, among scikit-learn's tools."""

import json
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from net_callbacks import Ruins
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNet, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import (
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
    ProgressBar,
)
from skorch.history import History
from torch import nn

from sktandem import AlternatingClassifier, AlternatingRegressor
from sktandem._sources import resolve_sources
from sktandem.model_selection import SourceKFold, score_by_source
from sktandem.nn import MLP, default_net
from sktandem.nn._validation import held_out
from sktandem.schedules import BatchAlternation, EpochAlternation, Joint

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = np.where(X[:, 0] + RNG.normal(size=60) > 0, "ill", "well")
SOURCE = np.repeat(["a", "b"], [40, 20])
NUMBERS = X @ [1.0, -1.0, 0.5]
FRAME = pd.DataFrame(X, columns=list("uvw")).assign(ward=SOURCE)
ROUTING = pytest.mark.parametrize("routing", [False, True], ids=["off", "on"])


def quick(task="classification", **params):
    settings = {"max_epochs": 3, "lr": 0.02, "module__hidden_sizes": (5,)}
    return default_net(task, **settings | {"batch_size": 8} | params)


def classifier(net=None, **params):
    return AlternatingClassifier(net or quick(), **{"random_state": 0, **params})


def regressor(**params):
    return AlternatingRegressor(quick("regression"), **{"random_state": 0, **params})


def fitted(*args, **params):
    return classifier(*args, **params).fit(X, Y, sample_source=SOURCE)


class OwnNet(NeuralNetClassifier):
    """A user's net in a module that can be imported."""

    def __init__(self, *args, tilt=1.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.tilt = tilt

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return self.tilt * super().get_loss(y_pred, y_true, *args, **kwargs)


OWN = OwnNet(
    MLP, criterion=nn.CrossEntropyLoss, lr=0.1, tilt=2.0, max_epochs=3, verbose=0
)


# The net stays the user's -----------------------------------------------------


@pytest.mark.parametrize(
    "net",
    [
        quick(),
        OWN,
        NeuralNet(MLP, criterion=nn.CrossEntropyLoss, verbose=0, max_epochs=1),
        NeuralNetClassifier(MLP(3, 2), criterion=nn.CrossEntropyLoss, max_epochs=1),
        quick().initialize_callbacks(),
    ],
    ids=["default", "own", "plain", "instance", "begun"],
)
def test_fit_leaves_the_net_as_it_was(net):
    before, attributes = pickle.dumps(net.get_params()), set(vars(net))

    model = fitted(net, batch_size=4, verbose=0)

    assert pickle.dumps(net.get_params()) == before
    assert set(vars(net)) == attributes
    assert model.net is net
    assert type(model.net_) is type(net)
    assert model.net_ is not net


def test_a_setting_of_a_users_own_net_does_what_it_says():
    """Twice the loss is twice the step of plain gradient descent."""
    tilted = fitted(OWN)
    doubled = fitted(clone(OWN).set_params(tilt=1.0, lr=0.2))

    assert tilted.net_.tilt == 2.0
    np.testing.assert_allclose(
        tilted.predict_proba(X), doubled.predict_proba(X), rtol=1e-4
    )


def test_a_fitted_net_begins_anew():
    net, fresh = clone(OWN), clone(OWN)
    net.set_params(module__n_features=3, module__n_outputs=2)
    net.fit(X.astype(np.float32), (Y == "well").astype(int))
    n_epochs = len(net.history)

    again = fitted(net)

    np.testing.assert_array_equal(
        again.predict_proba(X), fitted(fresh).predict_proba(X)
    )
    assert len(net.history) == n_epochs


# Same seed, same weights ------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 7, np.random.RandomState(3)])
def test_the_same_seed_gives_the_same_weights(seed):
    twin = pickle.loads(pickle.dumps(seed))

    one, two = fitted(random_state=seed), fitted(random_state=twin)

    for left, right in zip(one.module_.parameters(), two.module_.parameters()):
        assert torch.equal(left, right)
    assert [strip(row) for row in one.history_] == [strip(row) for row in two.history_]


def strip(row):
    return {key: value for key, value in row.items() if key != "dur"}


def test_another_seed_gives_other_weights():
    assert (fitted().predict_proba(X) != fitted(random_state=1).predict_proba(X)).any()


def of_the_process():
    """Return all that a careless library might change for others."""
    kept = (
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
    )
    return kept


@pytest.mark.parametrize("schedule", ["sampled", "joint", "curriculum"])
def test_nothing_global_is_touched(schedule):
    net = quick(module__dropout=0.5)
    before = of_the_process()

    model = fitted(net, schedule=schedule, average="ema", scale_by="source")
    model.predict(X, sample_source=SOURCE)
    model.partial_fit(X, Y, sample_source=SOURCE)

    assert of_the_process() == before


# Refit, clone, pickle, print --------------------------------------------------


def test_a_refit_replaces_everything():
    model = classifier(scale_by="source").fit(FRAME[list("uvw")], Y, SOURCE)
    other = X[:, :2], np.arange(60) % 3, np.repeat(["x", "y", "z"], 20)

    model.fit(*other)

    fresh = classifier(scale_by="source").fit(*other)
    np.testing.assert_array_equal(
        model.predict_proba(X[:, :2], other[2]), fresh.predict_proba(X[:, :2], other[2])
    )
    assert vars(model).keys() == vars(fresh).keys()
    for name in ("classes_", "sources_", "n_samples_by_source_", "n_features_in_"):
        assert str(getattr(model, name)) == str(getattr(fresh, name))


def test_a_clone_is_unfitted_and_fits_the_same():
    model = fitted(OWN, schedule=Joint(), average="swa")

    twin = clone(model)

    assert not hasattr(twin, "net_")
    twin.fit(X, Y, sample_source=SOURCE)
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("average", [None, "ema"])
@pytest.mark.parametrize("net", [quick(), OWN], ids=["default", "own"])
def test_a_pickle_predicts_and_trains_on_the_same(net, average):
    model = fitted(net, average=average, scale_by="source")

    twin = pickle.loads(pickle.dumps(model))

    for _ in range(2):
        np.testing.assert_array_equal(
            twin.predict_proba(X, SOURCE), model.predict_proba(X, SOURCE)
        )
        for one in (model, twin):
            one.partial_fit(X, Y, sample_source=SOURCE, epochs=1)


@pytest.mark.slow
def test_a_pickle_holds_no_data():
    wide = np.tile(X, (200, 1))
    model = classifier().fit(wide, np.tile(Y, 200), np.tile(SOURCE, 200))
    model.history_.clear()

    assert len(pickle.dumps(model)) < wide.nbytes / 4


@pytest.mark.parametrize(
    "model",
    [
        AlternatingClassifier(),
        AlternatingRegressor(),
        classifier(OWN, schedule=EpochAlternation(last="a")),
        fitted(),
        make_pipeline(StandardScaler(), fitted(OWN)),
    ],
    ids=["default", "regressor", "own", "fitted", "pipeline"],
)
def test_an_estimator_prints_itself_in_few_words(model):
    assert len(repr(model)) < 1000
    assert "Alternating" in repr(model)
    assert "Alternating" in model._repr_html_()


# Two doors --------------------------------------------------------------------


@pytest.mark.parametrize("scale_by", ["pooled", "source"])
def test_column_and_keyword_are_the_same_door(scale_by):
    keyword = fitted(scale_by=scale_by)
    column = classifier(scale_by=scale_by, source="ward").fit(FRAME, Y)

    expected = keyword.predict_proba(X, sample_source=SOURCE)

    np.testing.assert_allclose(column.predict_proba(FRAME), expected, rtol=1e-5)
    assert column.score(FRAME, Y) == keyword.score(X, Y, sample_source=SOURCE)
    assert keyword.score(X, Y, SOURCE) == accuracy_score(
        Y, keyword.predict(X, sample_source=SOURCE)
    )


def test_the_keyword_wins_over_the_column():
    model = classifier(source="ward", scale_by="source")
    twisted = FRAME.assign(ward="b")

    model.fit(twisted, Y, sample_source=SOURCE)

    expected = classifier(source="ward", scale_by="source").fit(FRAME, Y)
    np.testing.assert_array_equal(
        model.predict_proba(twisted, sample_source=SOURCE),
        expected.predict_proba(FRAME),
    )


def test_a_regressor_has_the_same_two_doors():
    keyword = regressor(scale_target_by="source").fit(X, NUMBERS, SOURCE)
    column = regressor(scale_target_by="source", source="ward").fit(FRAME, NUMBERS)

    predicted = keyword.predict(X, sample_source=SOURCE)

    np.testing.assert_allclose(column.predict(FRAME), predicted, rtol=1e-5, atol=1e-5)
    macro = [r2_score(NUMBERS[s == SOURCE], predicted[s == SOURCE]) for s in ("a", "b")]
    assert column.score(FRAME, NUMBERS) == pytest.approx(np.mean(macro))


@ROUTING
def test_a_pipeline_hands_the_source_on(routing):
    by_hand = classifier().fit(StandardScaler().fit_transform(X), Y, SOURCE)
    pipe = make_pipeline(StandardScaler(), classifier())

    with config_context(enable_metadata_routing=routing):
        key = "sample_source" if routing else "alternatingclassifier__sample_source"
        pipe.fit(X, Y, **{key: SOURCE})

    expected = by_hand.predict_proba(StandardScaler().fit_transform(X))
    np.testing.assert_array_equal(pipe.predict_proba(X), expected)
    assert pipe[-1].sources_ == ("a", "b")


@pytest.mark.slow
@ROUTING
def test_a_search_hands_the_source_on(routing):
    grid = {
        "net__lr": [1e-9, 0.05],
        "net__module__hidden_sizes": [(4,)],
        "schedule": ["epochs", BatchAlternation(2)],
    }
    search = GridSearchCV(classifier(), grid, cv=KFold(2, shuffle=True, random_state=0))

    with config_context(enable_metadata_routing=routing):
        search.fit(X, Y, sample_source=SOURCE)

    best = search.best_estimator_
    assert best.net.lr == search.best_params_["net__lr"]
    assert best.module_[0].out_features == 4
    assert best.sources_ == ("a", "b")
    alone = clone(classifier()).set_params(**search.best_params_)
    alone.fit(X, Y, sample_source=SOURCE)
    np.testing.assert_array_equal(search.predict_proba(X), alone.predict_proba(X))


@ROUTING
def test_cross_validation_by_column_is_cross_validation_by_hand(routing):
    cv = SourceKFold(2, source="ward")
    model = classifier(source="ward", scale_by="source")

    with config_context(enable_metadata_routing=routing):
        scores = cross_val_score(model, FRAME, Y, cv=cv, scoring="neg_log_loss")

    by_hand = []
    for train, test in cv.split(FRAME, Y):
        one = clone(model).fit(FRAME.iloc[train], Y[train])
        by_hand.append(-log_loss(Y[test], one.predict_proba(FRAME.iloc[test])))
    np.testing.assert_allclose(scores, by_hand)


def test_cross_validation_with_routing_hands_the_keyword_to_predict_too():
    cv = KFold(2, shuffle=True, random_state=0)
    by_column = classifier(source="ward", scale_by="source")
    by_keyword = classifier(scale_by="source")

    expected = cross_val_predict(by_column, FRAME, Y, cv=cv, method="predict_proba")

    with config_context(enable_metadata_routing=True):
        one = clone(by_keyword).fit(X, Y, sample_source=SOURCE)
        assert one.score(X, Y, sample_source=SOURCE) > 0
        scores = cross_val_score(
            by_keyword, X, Y, cv=cv, params={"sample_source": SOURCE}
        )
    of_folds = [
        accuracy_score(Y[test], np.unique(Y)[expected[test].argmax(axis=1)])
        for _, test in cv.split(X)
    ]
    np.testing.assert_allclose(scores, of_folds)


@ROUTING
def test_scores_by_source_are_scores_of_their_rows(routing):
    with config_context(enable_metadata_routing=routing):
        model = fitted(scale_by="source")
        scores = score_by_source(model, X, Y, SOURCE, scoring="accuracy")
        column = classifier(scale_by="source", source="ward").fit(FRAME, Y)
        of_column = score_by_source(column, FRAME, Y, scoring="accuracy")

    predicted = model.predict(X, sample_source=SOURCE)
    expected = {
        name: accuracy_score(Y[name == SOURCE], predicted[name == SOURCE])
        for name in ("a", "b")
    }
    assert scores.by_source == expected == of_column.by_source


@pytest.mark.slow
def test_two_processes_find_what_one_finds():
    model = classifier(source="ward")
    search = GridSearchCV(
        model, {"net__lr": [0.01, 0.1]}, cv=KFold(2, shuffle=True, random_state=0)
    )

    one = clone(search).fit(FRAME, Y).cv_results_
    two = clone(search).set_params(n_jobs=2).fit(FRAME, Y).cv_results_

    np.testing.assert_array_equal(one["mean_test_score"], two["mean_test_score"])
    np.testing.assert_array_equal(one["split0_test_score"], two["split0_test_score"])


# Batches and weights ----------------------------------------------------------


def sizes_by_source(model):
    train = [row for row in model.history_[-1]["batches"] if "train_loss" in row]
    return {
        name: max(r["train_batch_size"] for r in train if r["source"] == name)
        for name in ("a", "b")
    }


@pytest.mark.parametrize(
    ("batch_size", "expected"),
    [
        (None, {"a": 8, "b": 8}),
        (5, {"a": 5, "b": 5}),
        (np.int64(5), {"a": 5, "b": 5}),
        (-1, {"a": 40, "b": 20}),
        ({"a": 10, "b": -1}, {"a": 10, "b": 20}),
        (1000, {"a": 40, "b": 20}),
    ],
)
def test_batches_are_of_the_size_asked_for(batch_size, expected):
    model = fitted(batch_size=batch_size, validation_fraction=None)

    assert sizes_by_source(model) == expected
    assert model.predict(X).shape == (60,)


def test_a_net_may_ask_for_all_rows_at_once():
    model = fitted(quick(batch_size=-1), validation_fraction=None)

    assert sizes_by_source(model) == {"a": 40, "b": 20}


@pytest.mark.parametrize("balance", ["classes", "both"])
def test_a_balanced_loss_is_the_weighted_mean_of_the_rows(balance):
    """At a learning rate of almost 0 the first loss is a known number."""
    y = np.where(np.arange(60) % 5 == 0, "ill", "well")
    net = quick(lr=1e-12, max_epochs=1)
    model = classifier(net, balance=balance, batch_size=-1, validation_fraction=None)
    model.fit(X, y, sample_source=SOURCE)
    losses = -np.log(model.predict_proba(X)[np.arange(60), (y == "well").astype(int)])

    # By the formula: within a source (or in all) the cells share alike.
    weights = np.empty(60)
    for name in ("a", "b"):
        n = (name == SOURCE).sum()
        share = n / 60 if balance == "classes" else 1 / 2
        for label in ("ill", "well"):
            cell = (name == SOURCE) & (y == label)
            weights[cell] = 60 * share / 2 / cell.sum()
    assert weights.sum() == pytest.approx(60)

    row = model.history_[0]
    for name in ("a", "b"):
        own = name == SOURCE
        expected = (weights * losses)[own].sum() / own.sum()
        assert row[f"train_loss[{name}]"] == pytest.approx(expected, rel=1e-5)


def test_balance_weighs_training_rows_only():
    y = np.where(np.arange(60) % 4 == 0, "ill", "well")
    net = quick(lr=1e-12, max_epochs=1)
    model = classifier(net, balance="classes", keep="last").fit(X, y, SOURCE)
    sources = resolve_sources(X, SOURCE)[1]
    held = held_out(0.2, sources, y, model.history_[0]["seed"])
    losses = -np.log(model.predict_proba(X)[np.arange(60), (y == "well").astype(int)])

    for name in ("a", "b"):
        plain = losses[held & (name == SOURCE)].mean()
        found = model.history_[0][f"valid_loss[{name}]"]
        assert found == pytest.approx(plain, rel=1e-5)


# History and print ------------------------------------------------------------


def test_the_history_tells_of_every_source(tmp_path):
    model = fitted()
    row = model.history_[-1]

    by_source = {"train_loss", "valid_loss", "rows_seen"}
    assert {f"{key}[{name}]" for key in by_source for name in "ab"} <= set(row)
    assert {"train_loss", "valid_loss", "valid_loss_macro", "source"} <= set(row)
    assert row["valid_loss_macro"] == pytest.approx(
        (row["valid_loss[a]"] + row["valid_loss[b]"]) / 2
    )
    assert {batch["source"] for batch in row["batches"]} == {"a", "b"}
    for name in ("a", "b"):
        seen = sum(
            batch["train_batch_size"]
            for epoch in model.history_
            for batch in epoch["batches"]
            if batch["source"] == name and "train_loss" in batch
        )
        assert row[f"rows_seen[{name}]"] == seen
    assert model.history_ is model.net_.history


@pytest.mark.parametrize(
    "schedule",
    ["epochs", "batches", "plateau", "sampled", "bandit", "joint", "shuffled"],
)
def test_the_history_goes_into_a_file_and_back(schedule, tmp_path):
    model = fitted(quick(max_epochs=4), schedule=schedule, average="ema")

    model.history_.to_file(tmp_path / "history.json")

    again = History.from_file(tmp_path / "history.json")
    assert again.to_list() == json.loads(json.dumps(model.history_.to_list()))
    assert again[-1, "valid_loss_macro"] == model.history_[-1, "valid_loss_macro"]


def test_the_losses_of_an_epoch_are_means_over_its_rows():
    model = fitted(quick(max_epochs=1), validation_fraction=None)
    row = model.history_[0]
    for name in ("a", "b"):
        batches = [batch for batch in row["batches"] if batch["source"] == name]
        mean = np.average(
            [batch["train_loss"] for batch in batches],
            weights=[batch["train_batch_size"] for batch in batches],
        )
        assert row[f"train_loss[{name}]"] == pytest.approx(mean)


def test_by_epoch_the_history_keeps_the_batches_of_the_last_only():
    full, brief = fitted(), fitted(history_detail="epoch")

    lengths = [len(row["batches"]) for row in brief.history_]
    assert lengths[:-1] == [0, 0]
    assert lengths[-1] == len(full.history_[-1]["batches"])
    drop = {"batches", "dur"}
    for one, other in zip(full.history_, brief.history_):
        assert {k: one[k] for k in one.keys() - drop} == {
            k: other[k] for k in other.keys() - drop
        }


@pytest.mark.parametrize("of_net", [0, 1])
def test_verbose_prints_a_line_for_each_epoch(capsys, of_net):
    fitted(quick(verbose=of_net, max_epochs=3), schedule="epochs", verbose=1)
    lines = capsys.readouterr().out.splitlines()

    header, body = lines[0].split(), lines[2:]
    assert {"epoch", "source", "valid_loss_macro", "valid_loss[a]"} <= set(header)
    assert not {"seed", "plan", "rows_seen[a]"} & set(header)
    assert [line.split()[0] for line in body] == ["1", "2", "3"]
    place = header.index("source")
    at = lines[0].index(" source") if place else 0
    assert [line[at : at + 9].split()[0] for line in body] == ["a", "b", "a"]


@pytest.mark.parametrize("of_net", [0, 1])
def test_verbose_0_prints_nothing(capsys, of_net):
    fitted(quick(verbose=of_net), verbose=0)

    assert capsys.readouterr() == ("", "")


def test_verbose_none_is_the_nets(capsys):
    fitted(quick(verbose=0))
    assert capsys.readouterr().out == ""
    fitted(quick(verbose=1))
    assert "valid_loss_macro" in capsys.readouterr().out


# skorch's callbacks -----------------------------------------------------------


def test_early_stopping_goes_by_the_macro_loss():
    stopping = EarlyStopping(monitor="valid_loss_macro", patience=3, threshold=0)
    callbacks = [Ruins(20), stopping]
    model = fitted(quick(callbacks=callbacks, max_epochs=60, lr=0.1))

    losses = model.history_[:, "valid_loss_macro"]
    assert len(losses) < 60
    assert int(np.argmin(losses)) == len(losses) - 1 - 3


def test_a_checkpoint_keeps_the_best_epoch(tmp_path):
    keeping = Checkpoint(monitor="valid_loss_macro_best", dirname=tmp_path)
    model = fitted(quick(callbacks=[keeping], max_epochs=20, lr=0.2))

    kept = torch.load(tmp_path / "params.pt", weights_only=True)

    best = model.module_.state_dict()
    assert all(torch.equal(kept[key], best[key]) for key in best)
    marked = [row["epoch"] for row in model.history_ if row["valid_loss_macro_best"]]
    assert len(History.from_file(tmp_path / "history.json")) == marked[-1]


def test_a_learning_rate_may_follow_its_own_plan():
    falling = LRScheduler("StepLR", step_size=1, gamma=0.5)
    model = fitted(quick(callbacks=[falling], max_epochs=4, lr=0.08))

    assert model.history_[:, "event_lr"] == [0.08, 0.04, 0.02, 0.01]


def test_a_learning_rate_may_follow_the_macro_loss():
    patient = LRScheduler(
        "ReduceLROnPlateau",
        monitor="valid_loss_macro",
        patience=0,
        factor=0.5,
        threshold=0.9,  # a loss that falls by less has not fallen
    )
    model = fitted(quick(callbacks=[patient], max_epochs=4))

    assert model.net_.optimizer_.param_groups[0]["lr"] == 0.02 * 0.5**3


def test_a_progress_bar_moves(capsys):
    fitted(quick(callbacks=[ProgressBar(detect_notebook=False)]))

    assert "%" in capsys.readouterr().err


@pytest.mark.parametrize("on_train", [True, False])
def test_an_epoch_is_scored_by_any_scorer(on_train):
    name = "train_f1" if on_train else "valid_f1"
    scoring = EpochScoring(
        "f1_macro", name=name, on_train=on_train, lower_is_better=False
    )
    model = fitted(quick(callbacks=[scoring]))

    assert all(0 <= value <= 1 for value in model.history_[:, name])


def test_the_score_of_an_epoch_is_that_of_the_rows_held_out():
    model = fitted(quick(max_epochs=1))
    sources = resolve_sources(X, SOURCE)[1]
    codes = (Y == "well").astype(int)
    held = held_out(0.2, sources, codes, model.history_[0]["seed"])

    expected = accuracy_score(Y[held], model.predict(X[held]))

    assert model.history_[-1, "valid_acc"] == pytest.approx(expected)


def test_clipped_gradients_make_small_steps():
    clipping = GradientNormClipping(gradient_clip_value=1e-6)
    plain = {"optimizer": torch.optim.SGD, "lr": 1.0, "optimizer__fused": False}
    free = quick(max_epochs=1, **plain)
    clipped = quick(max_epochs=1, callbacks=[clipping], **plain)
    still = quick(max_epochs=1, **plain | {"lr": 1e-12})

    proba = {
        name: fitted(net, keep="last").predict_proba(X)
        for name, net in (("free", free), ("clipped", clipped), ("still", still))
    }

    np.testing.assert_allclose(proba["clipped"], proba["still"], atol=1e-4)
    assert np.abs(proba["free"] - proba["still"]).max() > 1e-2


def test_callbacks_may_be_disabled():
    net = NeuralNetClassifier(
        MLP, criterion=nn.CrossEntropyLoss, callbacks="disable", max_epochs=3, verbose=1
    )
    model = fitted(net)

    assert model.net_.callbacks_ == []
    assert set(model.history_[-1]) >= {"train_loss[a]", "valid_loss_macro", "source"}


def test_callbacks_of_the_default_net_may_be_disabled():
    model = fitted(default_net(callbacks="disable", max_epochs=2))

    assert model.net_.callbacks_ == []


def test_a_users_callbacks_are_the_only_ones_left_after_fit():
    stopping = EarlyStopping(monitor="valid_loss_macro")
    model = fitted(quick(callbacks=[("stop", stopping)]))

    names = {name for name, _ in model.net_.callbacks_}
    assert names == {"epoch_timer", "train_loss", "valid_loss", "valid_acc"} | {
        "stop",
        "print_log",
    }


# partial_fit ------------------------------------------------------------------


def test_partial_fit_goes_on_in_one_history():
    model = classifier(quick(max_epochs=2))

    for _ in range(3):
        model.partial_fit(X, Y, sample_source=SOURCE)
    model.partial_fit(X, Y, sample_source=SOURCE, epochs=1)

    assert model.history_[:, "epoch"] == [1, 2, 3, 4, 5, 6, 7]


def test_the_first_call_fits_the_scaling_once_and_for_all():
    model = classifier(scaler=StandardScaler()).partial_fit(X, Y, SOURCE)
    mean = model.features_.scaling.pooled.mean_.copy()

    model.partial_fit(X + 100, Y, sample_source=SOURCE)

    np.testing.assert_array_equal(model.features_.scaling.pooled.mean_, mean)


def test_no_epochs_is_no_training():
    model = classifier().partial_fit(X, Y, sample_source=SOURCE)
    before = model.predict_proba(X)

    model.partial_fit(X, Y, sample_source=SOURCE, epochs=0)

    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_training_may_begin_with_no_epoch_at_all():
    model = classifier().partial_fit(X, Y, sample_source=SOURCE, epochs=0)

    model.partial_fit(X, Y, sample_source=SOURCE)

    once = classifier().partial_fit(X, Y, sample_source=SOURCE)
    np.testing.assert_array_equal(model.predict_proba(X), once.predict_proba(X))


def test_a_net_that_waits_for_warnings_hears_none():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        model = fitted()
        model.partial_fit(X, Y, sample_source=SOURCE).predict(X)
        regressor().fit(X, NUMBERS, SOURCE).predict(X)

    assert heard == []


def test_the_other_kinds_of_regressors_are_of_the_users_class():
    net = NeuralNetRegressor(MLP, max_epochs=1, verbose=0)
    model = AlternatingRegressor(net).fit(X, NUMBERS, SOURCE)

    assert type(model.net_) is NeuralNetRegressor
