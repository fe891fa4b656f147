"""Nets that are trained together end where each would end by itself."""

import copy
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from small_nets import quick
from torch import nn

from sktandem import SharedNet, SourceError
from sktandem._parallel import each_gathered, gathered
from sktandem.data._estimator import fit_rows
from sktandem.data._rows import read_rows
from sktandem.model_selection import compare_strategies
from sktandem.nn import _batched, _together
from sktandem.nn._engine import Built
from sktandem.nn._together import ONLY_ONE, fit_together, in_whole
from sktandem.schedules import (
    Bandit,
    BatchAlternation,
    Joint,
    Phases,
    SampledAlternation,
)

STEPS = 50  # at least, over which rounding must not grow
EXACT = {"rtol": 0, "atol": 1e-10}


class Double(nn.Sequential):
    """A perceptron in double precision."""

    def __init__(self, n_features, n_outputs, between=None, last=None):
        layers = nn.Linear(n_features, 6), between or nn.Tanh(), nn.Linear(6, n_outputs)
        super().__init__(*layers, *([] if last is None else [last]))
        self.double()


def net_of(classes=True, module=Double, **params):
    kind = NeuralNetClassifier if classes else NeuralNetRegressor
    settings = {"optimizer": torch.optim.Adam, "lr": 0.01, "max_epochs": 4}
    settings |= {"criterion": nn.CrossEntropyLoss} if classes else {}
    return kind(module, verbose=0, batch_size=8, **settings | params)


def table(n=240, seed=0, n_classes=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    source = np.where(np.arange(n) % 3 == 0, "small", "large")
    y = X[:, 0] + np.where(source == "small", 1.0, -1.0) * X[:, 1]
    return X, y, np.digitize(y, [0, 1][: n_classes - 1]), source


def parts_of(n_rows, n_parts):
    """Places of the training rows of folds of unequal size."""
    every = np.arange(n_rows)
    return [every[every % (n_parts + 2) != fold] for fold in range(n_parts - 1)] + [
        every[: n_rows - 31]
    ]


def both(models, X, y, source):
    """Fit copies alone and together, on parts of the rows; return both and the counts.

    Each model gets a part of its own.
    """
    alone = [copy.deepcopy(model) for model in models]
    rows = read_rows(copy.deepcopy(models[0]), X, y, sample_source=source)
    parts = [rows.take(part) for part in parts_of(len(rows), len(models))]
    for model, part in zip(alone, parts):
        fit_rows(model, part)
    counts = fit_together(zip(models, parts))
    return alone, models, counts


def assert_alike(alone, together, **tolerance):
    """The same weights, by the same way."""
    for one, other in zip(alone, together):
        weights, others = one.module_.state_dict(), other.module_.state_dict()
        for key in weights:
            torch.testing.assert_close(others[key], weights[key], **tolerance)
        assert len(one.history_) == len(other.history_)
        for row, own in zip(one.history_, other.history_):
            assert_like_rows(row, own, tolerance["atol"])


def assert_like_rows(row, other, atol):
    assert row.keys() == other.keys()
    for key, value in row.items():
        if key == "batches":
            assert len(value) == len(other[key])
            for batch, own in zip(value, other[key]):
                assert_like_rows(batch, own, atol)
        elif isinstance(value, float) and key != "dur":
            assert other[key] == pytest.approx(value, rel=0, abs=10 * atol), key
        elif key != "dur":
            assert other[key] == value, key


SCHEDULES = {
    "batches": "batches",
    "epochs": "epochs",
    "joint": "joint",
    "weighted joint": Joint({"small": 2.0, "large": 1.0}, epoch_length="all"),
    "shuffled": "shuffled",
    "sampled": SampledAlternation(temperature=2.0),
    "phases": Phases([("epochs", 2), (BatchAlternation(2, epoch_length=21), 2)]),
}


@pytest.mark.parametrize("classes", [True, False], ids=["classes", "numbers"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_each_net_ends_where_it_ends_by_itself(schedule, classes):
    X, numbers, labels, source = table()
    net = net_of(classes, max_epochs=6)
    models = [
        SharedNet(net, schedule=SCHEDULES[schedule], random_state=seed)
        for seed in range(4)
    ]
    alone, together, counts = both(models, X, labels if classes else numbers, source)

    assert counts == {"together": 4}
    steps = [
        len([b for b in row["batches"] if "train_loss" in b])
        for row in alone[0].history_
    ]
    assert sum(steps) > STEPS
    assert_alike(alone, together, **EXACT)
    for one, other in zip(alone, together):
        np.testing.assert_allclose(
            other.predict(X[:9], sample_source=source[:9]),
            one.predict(X[:9], sample_source=source[:9]),
            **EXACT,
        )


def test_nets_of_other_schedules_sizes_and_epochs_share_a_stack():
    X, _, y, source = table()
    models = [
        SharedNet(net_of(max_epochs=2), schedule="shuffled", random_state=0),
        SharedNet(net_of(max_epochs=5), schedule="batches", random_state=1),
        SharedNet(net_of(), batch_size=7, random_state=2, scale_by="source"),
        SharedNet(net_of(), batch_size={"small": 5, "large": 6}, balance="both"),
        SharedNet(net_of(), validation_fraction=None, scaler=None, keep="last"),
    ]
    for model in models[3:]:
        model.set_params(random_state=3)

    alone, together, counts = both(models, X, y, source)

    assert counts == {"together": 5}
    assert_alike(alone, together, **EXACT)


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("average", [None, "ema", "swa", 0.9])
def test_averages_and_the_best_weights_are_those_of_a_single_fit(average, keep):
    X, _, y, source = table()
    models = [
        SharedNet(net_of(lr=0.1), average=average, keep=keep, random_state=seed)
        for seed in range(3)
    ]

    alone, together, _ = both(models, X, y, source)

    assert_alike(alone, together, **EXACT)
    for one, other in zip(alone, together):
        held, own = (m.net_.criterion_.state_dict() for m in (one, other))
        for key in held:
            torch.testing.assert_close(own[key], held[key], **EXACT)


def test_each_net_stops_early_when_it_stops_by_itself():
    X, _, y, source = table()
    models = [
        SharedNet(
            net_of(
                lr=lr,
                max_epochs=12,
                callbacks=[EarlyStopping(patience=patience, load_best=True)],
            ),
            random_state=seed,
        )
        for seed, (lr, patience) in enumerate([(0.2, 2), (0.2, 3), (0.2, 2), (0.2, 9)])
    ]

    alone, together, counts = both(models, X, y, source)

    assert counts == {"together": 4}
    stopped = [len(model.history_) for model in alone]
    assert len(set(stopped)) > 1
    assert min(stopped) < 12
    assert_alike(alone, together, **EXACT)


OPTIMIZERS = {
    "sgd": {"optimizer": torch.optim.SGD},
    "momentum": {
        "optimizer": torch.optim.SGD,
        "optimizer__momentum": 0.9,
        "optimizer__nesterov": True,
        "optimizer__weight_decay": 0.01,
    },
    "amsgrad": {"optimizer": torch.optim.Adam, "optimizer__amsgrad": True},
    "adamw": {"optimizer": torch.optim.AdamW, "optimizer__weight_decay": 0.1},
    "fused": {"optimizer": torch.optim.Adam, "optimizer__fused": True},
    "foreach": {"optimizer": torch.optim.Adam, "optimizer__foreach": True},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_net_goes_on_with_its_own_moments(optimizer):
    """What its optimizer remembers is that of a single fit, as `partial_fit` shows."""
    X, _, y, source = table()
    models = [
        SharedNet(net_of(**OPTIMIZERS[optimizer]), keep="last", random_state=seed)
        for seed in range(3)
    ]
    alone, together, counts = both(models, X, y, source)
    assert counts == {"together": 3}
    assert_alike(alone, together, **EXACT)

    for model in [*alone, *together]:
        model.partial_fit(X, y, sample_source=source, epochs=2)

    assert_alike(alone, together, **EXACT)


@pytest.fixture
def double_layers():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def with_heads(task, **params):
    net = net_of(task == "classification", max_epochs=7, module__last=nn.Tanh())
    return SharedNet(net, task=task, heads="source", **params)


@pytest.mark.parametrize(
    "task",
    [
        "classification",
        "regression",
        {"small": "classification", "large": "regression"},
    ],
    ids=["classes", "numbers", "both"],
)
@pytest.mark.parametrize("head", [None, (5,)], ids=["linear", "hidden"])
@pytest.mark.usefixtures("double_layers")
def test_heads_by_source_end_where_they_end_by_themselves(task, head):
    X, numbers, labels, source = table(n_classes=3)
    y = numbers if task == "regression" else labels
    if isinstance(task, dict):
        y = np.where(source == "small", labels, numbers)
    elif task == "classification":  # two classes there, three here
        y = np.where((source == "small") & (labels == 2), 1, labels)
    models = [
        with_heads(
            task, head=head, random_state=seed, batch_size={"small": 5, "large": 8}
        )
        for seed in range(3)
    ]

    alone, together, counts = both(models, X, y, source)

    assert counts == {"together": 3}
    assert_alike(alone, together, **EXACT)


@pytest.mark.parametrize(
    ("net", "target"),
    [
        (NeuralNetBinaryClassifier(Double, module__n_outputs=1), "labels"),
        (net_of(criterion=nn.NLLLoss, module__last=nn.Softmax(dim=1)), "labels"),
        (net_of(criterion__label_smoothing=0.1), "labels"),
        (net_of(False, criterion=nn.L1Loss), "numbers"),
        (net_of(False, criterion=nn.HuberLoss, criterion__delta=0.5), "numbers"),
        (net_of(False), "two columns"),
    ],
    ids=["one number", "probabilities", "smoothed", "l1", "huber", "two columns"],
)
def test_other_losses_are_means_over_the_rows_of_a_net(net, target):
    X, numbers, labels, source = table()
    y = {"labels": labels, "numbers": numbers}.get(target, np.c_[numbers, X[:, 2]])
    net.set_params(verbose=0, max_epochs=3)
    models = [SharedNet(net, random_state=seed) for seed in range(3)]

    alone, together, counts = both(models, X, y, source)

    assert counts == {"together": 3}
    assert_alike(alone, together, **EXACT)


@pytest.mark.parametrize("heads", ["shared", "source"])
def test_in_single_precision_the_losses_agree(heads):
    X, _, y, source = table()
    params = {"module__n_outputs": 5, "module__activate_output": True}
    net = quick(max_epochs=6, **(params if heads == "source" else {}))
    models = [SharedNet(net, heads=heads, random_state=seed) for seed in range(4)]

    alone, together, counts = both(models, X, y, source)

    assert counts == {"together": 4}
    for one, other in zip(alone, together):
        ours = [row["valid_loss"] for row in other.history_]
        assert ours == pytest.approx([row["valid_loss"] for row in one.history_], 1e-4)


def tied(n_features, n_outputs):
    layer = nn.Linear(n_features, n_features)
    layers = layer, nn.Tanh(), layer, nn.ReLU(), nn.Linear(n_features, n_outputs)
    return nn.Sequential(*layers).double()


def test_a_layer_that_stands_twice_learns_from_both_places():
    X, _, y, source = table()
    models = [SharedNet(net_of(module=tied), random_state=seed) for seed in range(2)]

    alone, together, counts = both(models, X, y, source)

    assert counts == {"together": 2}
    assert_alike(alone, together, **EXACT)


# What is trained alone ------------------------------------------------------------


class Looks(Callback):
    """A callback of the user's."""


class OwnStep(NeuralNetClassifier):
    """A net with a step of its own."""

    def train_step(self, batch, **params):
        return super().train_step(batch, **params)


def frozen(n_features, n_outputs):
    module = Double(n_features, n_outputs)
    module[0].weight.requires_grad_(False)
    return module


def hooked(n_features, n_outputs):
    module = Double(n_features, n_outputs)
    module[0].register_forward_hook(lambda *given: None)
    return module


def masked(n_features, n_outputs):
    module = Double(n_features, n_outputs)
    module[0].weight.register_hook(lambda gradient: gradient * 0)
    return module


def watched(n_features, n_outputs):
    module = Double(n_features, n_outputs)
    module[2].register_full_backward_hook(lambda *given: None)
    return module


def patched(n_features, n_outputs):
    module = Double(n_features, n_outputs)
    module[0].forward = lambda X: nn.functional.linear(X, module[0].weight * 2)
    return module


def computed(n_features, n_outputs):
    module = Double(n_features, n_outputs)
    nn.utils.parametrizations.weight_norm(module[0])
    return module


class Spare(Double):
    """A module with a weight that no layer uses."""

    def __init__(self, n_features, n_outputs):
        super().__init__(n_features, n_outputs)
        self.register_parameter("spare", nn.Parameter(torch.ones(2).double()))


def normed(n_features, n_outputs):
    return nn.Sequential(nn.BatchNorm1d(n_features), nn.Linear(n_features, n_outputs))


class Skips(nn.Module):
    """A module with a way of its own."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.linear = nn.Linear(n_features, n_outputs)

    def forward(self, X):
        return self.linear(X) * 2


LOGITS = {"criterion": nn.CrossEntropyLoss, "verbose": 0, "max_epochs": 1}
ALONE = {
    "Looks may look into a step": {"net": net_of(callbacks=[Looks()])},
    "LRScheduler may look": {
        "net": net_of(callbacks=[LRScheduler("StepLR", step_size=1)])
    },
    "OwnStep may have a loop": {"net": OwnStep(Double, **LOGITS)},
    "its lines would mix": {"net": net_of(), "verbose": 1},
    "CrossEntropyLoss.* is not among": {
        "net": net_of(criterion__weight=torch.tensor([1.0, 2.0], dtype=torch.float64))
    },
    "layer Dropout": {"net": quick(module__dropout=0.5)},
    "layer BatchNorm1d": {"net": net_of(module=normed)},
    "layer Skips": {"net": net_of(module=Skips)},
    "weights are frozen": {"net": net_of(module=frozen)},
    "module has hooks": {"net": net_of(module=hooked)},
    "its module has hooks": {"net": net_of(module=masked)},
    "module has .*hooks": {"net": net_of(module=watched)},
    "forward of its own is set": {"net": net_of(module=patched)},
    "layer ParametrizedLinear": {"net": net_of(module=computed)},
    "are not those of its layers": {"net": net_of(module=Spare)},
    "CrossEntropyLoss.* is not": {"net": net_of(criterion__ignore_index=0)},
    "setting of its optimizer is a tensor": {
        "net": net_of(optimizer__weight_decay=torch.tensor(0.1))
    },
    "RMSprop is not SGD": {"net": net_of(optimizer=torch.optim.RMSprop)},
    "several groups": {
        "net": net_of(optimizer__param_groups=[("0.*", {"lr": 0.1})]),
    },
    "Bandit may choose": {"net": net_of(), "schedule": Bandit()},
    "PlateauAlternation may choose": {"net": net_of(), "schedule": "plateau"},
    "not every head has a part": {
        "net": quick(),
        "heads": "source",
        "schedule": "batches",
    },
    "losses of its heads are weighted": {
        "net": quick(),
        "heads": "source",
        "loss_weights": "size",
    },
    "it has no epoch": {"net": net_of(max_epochs=0)},
}


@pytest.mark.parametrize("reason", ALONE)
def test_what_cannot_be_one_of_many_is_trained_alone_and_says_why(reason, capsys):
    X, _, y, source = table()
    models = [SharedNet(**ALONE[reason], random_state=seed) for seed in range(2)]

    alone, together, counts = both(models, X, y, source)

    [(told, n)] = counts.items()
    assert n == 2
    assert re.search(reason, told)
    for one, other in zip(alone, together):
        assert_alike([one], [other], rtol=0, atol=0)


def test_images_and_a_single_net_are_trained_alone():
    X, _, y, source = table()
    images = SharedNet(
        net_of(module=nn.Sequential(nn.Flatten(), nn.Linear(4, 2).double())),
        scaler=None,
        random_state=0,
    )
    rows = read_rows(images, X.reshape(-1, 2, 2), y, sample_source=source)
    single = SharedNet(net_of(), random_state=0)

    counts = fit_together(
        [(images, rows), (single, read_rows(single, X, y, sample_source=source))]
    )

    assert counts == {
        "the layer Flatten is not among those that are stacked": 1,
        ONLY_ONE: 1,
    }
    assert_alike(
        [SharedNet(net_of(), random_state=0).fit(X, y, sample_source=source)],
        [single],
        rtol=0,
        atol=0,
    )


# One among many -------------------------------------------------------------------


def test_a_net_that_diverges_leaves_the_others_alone():
    X, numbers, _, source = table()
    models = [
        SharedNet(net_of(False, module__between=nn.ReLU()), random_state=seed)
        for seed in range(3)
    ]
    rows = read_rows(copy.deepcopy(models[0]), X, numbers, sample_source=source)
    wild = replace(rows, X=rows.X * 1e200)  # and not scaled
    models[1].set_params(scaler=None)
    parts = [rows, wild, rows]
    alone = [fit_rows(copy.deepcopy(m), p) for m, p in zip(models[::2], parts[::2])]

    with pytest.raises(SourceError, match=r"loss became (nan|inf) in epoch 1"):
        fit_together(zip(models, parts))

    assert_alike(alone, models[::2], **EXACT)
    assert not hasattr(models[1], "net_")


def test_a_comparison_names_a_net_that_gives_nan():
    """For a row that is far from those in training, whichever fold holds it out."""

    class Lost(Double):
        def forward(self, X):
            far = X.abs().amax(dim=1, keepdim=True) > 50
            return torch.where(far, torch.nan, super().forward(X))

    X, _, y, source = table(360)
    X[7] = 1e3
    settings = {"strategies": [SharedNet()], "n_repeats": 1, "cv": 2}

    with pytest.raises(
        SourceError, match=r"'own models' failed on fold . .* gives? nan"
    ):
        compare_strategies(net_of(module=Lost), X, y, sample_source=source, **settings)


def test_nets_whose_common_step_fails_are_fitted_by_themselves(monkeypatch):
    def fails(stack, alive):
        raise RuntimeError("a step of all")

    monkeypatch.setattr(_batched, "_run", fails)
    X, _, y, source = table()
    models = [SharedNet(net_of(), random_state=seed) for seed in range(3)]
    rows = read_rows(copy.deepcopy(models[0]), X, y, sample_source=source)
    alone = [fit_rows(copy.deepcopy(model), rows) for model in models]

    found = each_gathered(
        lambda rows, model: fit_rows(copy.deepcopy(model), rows),
        lambda rows, model, fitted: fitted,
        rows, models, None, repr, Counter(),
    )  # fmt: skip

    assert_alike(alone, [fitted for _, fitted in found], **EXACT)


def test_after_an_interrupt_nothing_waits(monkeypatch):
    def interrupted(trainings):
        raise KeyboardInterrupt

    monkeypatch.setattr(_together, "train_together", interrupted)
    X, _, y, source = table()
    models = [SharedNet(net_of(), random_state=seed) for seed in range(2)]
    rows = read_rows(copy.deepcopy(models[0]), X, y, sample_source=source)

    with pytest.raises(KeyboardInterrupt):
        fit_together((model, rows) for model in models)

    assert not any("_waiting" in vars(model) for model in models)


def test_a_fit_that_waits_is_done_when_somebody_asks():
    X, _, y, source = table()
    first, second = (SharedNet(net_of(), random_state=seed) for seed in range(2))

    with gathered() as gathering:
        for model in (first, second):
            fit_rows(model, read_rows(model, X, y, sample_source=source))
        assert len(gathering.waiting) == 2
        assert "net_" not in vars(first)
        answers = first.predict(X, sample_source=source)
        assert gathering.waiting == []

    assert second.sources_ == ("large", "small")
    single = SharedNet(net_of(), random_state=0).fit(X, y, sample_source=source)
    np.testing.assert_array_equal(answers, single.predict(X, sample_source=source))
    with pytest.raises(
        AttributeError, match="'SharedNet' object has no attribute 'a_'"
    ):
        _ = second.a_


def test_fit_of_the_user_never_waits():
    X, _, y, source = table()

    with gathered() as gathering:
        model = SharedNet(net_of(), random_state=0).fit(X, y, sample_source=source)

        assert gathering.waiting == []
        assert "net_" in vars(model)


def test_the_folds_of_a_table_need_it_once():
    X, _, y, source = table()
    model = SharedNet(net_of(), random_state=0)
    rows = read_rows(model, X, y, sample_source=source)
    part = rows.take(np.arange(0, 240, 2)).take(np.arange(100))
    data = model._engine().preparation.first(part, 0)

    placed = in_whole(Built(None, data, None), part).data

    assert placed.training.numbers is X
    assert placed.validation.numbers is X
    assert placed.n_samples == data.n_samples
    for own, other in zip(placed.training.by_source(), data.training.by_source()):
        np.testing.assert_array_equal(X[own], part.X[other])
        np.testing.assert_array_equal(
            placed.training.targets[own], data.training.targets[other]
        )
