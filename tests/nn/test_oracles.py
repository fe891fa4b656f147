"""Every schedule against the plain PyTorch loop that it replaces.

A tape takes down the batches that training drew. The loops below get the same
batches, source by source, and decide for themselves who comes next.
"""

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback
from torch import nn

from sktandem import AlternatingClassifier, AlternatingRegressor
from sktandem.schedules import (
    BatchAlternation,
    EpochAlternation,
    Joint,
    PlateauAlternation,
    Shuffled,
)

SIZES = {"a": 1000, "b": 800}


class Tape(Callback):
    """Takes down the first weights, and the batches in the order they came."""

    def initialize(self):
        self.batches_, self.start_ = [], {}
        return self

    def on_epoch_begin(self, net, **kwargs):
        if not self.start_:
            weights = net.module_.state_dict().items()
            self.start_.update({key: value.clone() for key, value in weights})

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            X, y = batch
            self.batches_.append((batch.label, X.clone(), y.clone()))

    def feeds(self):
        """Return the batches of each source, as two data loaders would."""
        return {
            name: iter([(X, y) for label, X, y in self.batches_ if label == name])
            for name in SIZES
        }

    def order(self):
        return [label for label, _, _ in self.batches_]


class Linear(nn.Linear):
    def __init__(self, n_features, n_outputs, dtype=torch.float32):
        super().__init__(n_features, n_outputs, dtype=dtype)


class Dropped(nn.Sequential):
    def __init__(self, n_features, n_outputs, dtype=torch.float32):
        layers = nn.Linear(n_features, 16, dtype=dtype), nn.ReLU(), nn.Dropout(0.5)
        super().__init__(*layers, nn.Linear(16, n_outputs, dtype=dtype))


def two_sources(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(sum(SIZES.values()), 10))
    sample_source = np.repeat(list(SIZES), list(SIZES.values()))
    slope = np.where(sample_source == "a", 1.0, -1.0)
    y = X[:, 0] + slope * X[:, 1] + 0.1 * rng.normal(size=len(X))
    return X, y, sample_source


def trained(schedule, *, classes, max_epochs, dtype, module=Linear, **settings):
    """Fit an estimator; return it and its tape."""
    kind = NeuralNetClassifier if classes else NeuralNetRegressor
    loss = {"criterion": nn.CrossEntropyLoss} if classes else {}
    optimizer = {"optimizer": torch.optim.Adam, "lr": 1e-3}
    net = kind(
        module,
        module__dtype=dtype,
        max_epochs=max_epochs,
        verbose=0,
        callbacks=[("tape", Tape())],
        **(optimizer | loss | settings.pop("net", {})),
    )
    X, y, sample_source = two_sources()
    estimator = AlternatingClassifier if classes else AlternatingRegressor
    options = {"scaler": None, "keep": "last", "batch_size": 32, "random_state": 0}
    options |= {"validation_fraction": None} | settings
    model = estimator(net, schedule=schedule, **options)
    model.fit(X, y > 0 if classes else y, sample_source)
    return model, dict(model.net_.callbacks_)["tape"]


def plain(start, module, dtype, classes, optimizer=torch.optim.Adam, **options):
    """Return the parts of a loop by hand, at the same starting point."""
    by_hand = module(10, 2 if classes else 1, dtype=dtype)
    by_hand.load_state_dict(start)
    options = options or {"lr": 1e-3}
    criterion = nn.CrossEntropyLoss() if classes else nn.MSELoss()
    return by_hand, optimizer(by_hand.parameters(), **options), criterion


def train_on(batch, module, optimizer, criterion):
    X, y = batch
    optimizer.zero_grad()
    loss = criterion(module(X), y)
    loss.backward()
    optimizer.step()


def assert_same_weights(model, by_hand, dtype):
    tolerance = 1e-12 if dtype == torch.float64 else 1e-6
    for ours, theirs in zip(model.module_.parameters(), by_hand.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


PRECISIONS = pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64], ids=["float32", "float64"]
)
TASKS = pytest.mark.parametrize("classes", [True, False], ids=["classes", "numbers"])


@pytest.mark.slow
@PRECISIONS
@TASKS
def test_epoch_alternation_is_the_loop_over_one_loader_and_then_the_other(
    classes, dtype
):
    model, tape = trained(
        EpochAlternation(), classes=classes, max_epochs=10, dtype=dtype
    )

    by_hand, *rest = plain(tape.start_, Linear, dtype, classes)
    feeds, order = tape.feeds(), []
    for epoch in range(10):
        name = "ab"[epoch % 2]
        for _ in range(-(-SIZES[name] // 32)):
            train_on(next(feeds[name]), by_hand, *rest)
            order.append(name)

    assert tape.order() == order
    assert_same_weights(model, by_hand, dtype)


@pytest.mark.slow
@PRECISIONS
@TASKS
def test_batch_alternation_is_the_loop_that_switches_after_every_batch(classes, dtype):
    model, tape = trained(
        BatchAlternation(epoch_length=200), classes=classes, max_epochs=1, dtype=dtype
    )

    by_hand, *rest = plain(tape.start_, Linear, dtype, classes)
    feeds, current, other = tape.feeds(), "a", "b"
    for _ in range(200):
        train_on(next(feeds[current]), by_hand, *rest)
        current, other = other, current

    assert tape.order() == ["a", "b"] * 100
    assert_same_weights(model, by_hand, dtype)


@pytest.mark.slow
@PRECISIONS
@TASKS
@pytest.mark.parametrize("module", [Linear, Dropped])
def test_the_plateau_rule_of_tutorials_comes_out_step_by_step(module, classes, dtype):
    X, y, sample_source = two_sources(seed=1)
    held = [np.flatnonzero(sample_source == name)[:200] for name in SIZES]
    held = np.concatenate(held)
    target = y > 0 if classes else 0.3 * y  # so that the loss falls slowly enough

    schedule = PlateauAlternation(
        window=5,
        threshold=0.01,
        rule="absolute",
        monitor="a",
        check_every="batch",
        check_in="train",
        reset_on_switch=False,
        min_history=6,
        epoch_length=200,
    )
    kind = NeuralNetClassifier if classes else NeuralNetRegressor
    net = kind(
        module,
        module__dtype=dtype,
        max_epochs=1,
        verbose=0,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        callbacks=[("tape", Tape())],
        **({"criterion": nn.CrossEntropyLoss} if classes else {}),
    )
    estimator = AlternatingClassifier if classes else AlternatingRegressor
    model = estimator(
        net,
        schedule=schedule,
        scaler=None,
        keep="last",
        batch_size=32,
        random_state=0,
    )
    validation_data = X[held], target[held], sample_source[held]
    model.fit(X, target, sample_source, validation_data=validation_data)
    tape = dict(model.net_.callbacks_)["tape"]

    by_hand, optimizer, criterion = plain(tape.start_, module, dtype, classes)
    X_valid = torch.as_tensor(X[held][:200], dtype=dtype)
    if classes:
        y_valid = torch.as_tensor(target[held][:200]).long()
    else:
        y_valid = torch.as_tensor(target[held][:200], dtype=dtype).reshape(-1, 1)
    torch.manual_seed(epoch_seed(model))
    feeds, current, losses, order = tape.feeds(), "a", [], []
    for _ in range(200):
        train_on(next(feeds[current]), by_hand, optimizer, criterion)
        order.append(current)
        with torch.no_grad():
            batches = zip(X_valid.split(32), y_valid.split(32))
            means = [criterion(by_hand(x), t).item() for x, t in batches]
        losses.append(sum(means) / len(means))
        if len(losses) > 5 and abs(losses[-5] - losses[-1]) <= 0.01:
            current = "b" if current == "a" else "a"

    assert len(set(order)) == 2
    assert tape.order() == order
    assert_same_weights(model, by_hand, dtype)


def epoch_seed(model, epoch=0):
    from sktandem.nn._batches import derive_seed

    return derive_seed(model.history_[0]["seed"], "epoch", epoch)


@PRECISIONS
@TASKS
def test_a_joint_step_is_the_sum_of_a_loss_for_each_source(classes, dtype):
    model, tape = trained(
        Joint({"a": 1, "b": 0.5}), classes=classes, max_epochs=3, dtype=dtype
    )

    by_hand, optimizer, criterion = plain(tape.start_, Linear, dtype, classes)
    weights = (1, 0.5)
    lengths = [min(32, 1000 - 32 * (step % 32)) for step in range(96)]
    for (label, X, y), n_a in zip(tape.batches_, lengths, strict=True):
        assert label == "a, b"
        optimizer.zero_grad()
        output = by_hand(X)
        parts = zip((slice(0, n_a), slice(n_a, None)), weights)
        loss = sum(w * criterion(output[part], y[part]) for part, w in parts)
        loss.backward()
        optimizer.step()

    assert_same_weights(model, by_hand, dtype)


@pytest.mark.slow
@PRECISIONS
@pytest.mark.parametrize(
    "schedule", [BatchAlternation(), EpochAlternation(), Shuffled()], ids=repr
)
def test_sgd_with_momentum_and_dropout_agrees_as_well(schedule, dtype):
    sgd = {"optimizer": torch.optim.SGD, "lr": 0.05, "optimizer__momentum": 0.9}
    model, tape = trained(
        schedule, classes=True, max_epochs=2, dtype=dtype, module=Dropped, net=sgd
    )

    options = {"optimizer": torch.optim.SGD, "lr": 0.05, "momentum": 0.9}
    by_hand, *rest = plain(tape.start_, Dropped, dtype, True, **options)
    batches = iter(tape.batches_)
    for epoch in range(2):
        torch.manual_seed(epoch_seed(model, epoch))
        for _ in range(model.history_[epoch]["train_batch_count"]):
            train_on(next(batches)[1:], by_hand, *rest)

    assert_same_weights(model, by_hand, dtype)


def test_an_exponential_average_is_the_one_of_the_formula():
    model, tape = trained(
        "batches", classes=True, max_epochs=2, dtype=torch.float64, average=0.9
    )

    by_hand, *rest = plain(tape.start_, Linear, torch.float64, True)
    average = [weight.detach().clone() for weight in by_hand.parameters()]
    for step, (_, X, y) in enumerate(tape.batches_, start=1):
        train_on((X, y), by_hand, *rest)
        decay = min(0.9, (1 + step) / (10 + step))
        for held, weight in zip(average, by_hand.parameters()):
            held.mul_(decay).add_(weight.detach(), alpha=1 - decay)

    for ours, theirs in zip(model.module_.parameters(), average):
        torch.testing.assert_close(ours.detach(), theirs, rtol=0, atol=1e-12)


def test_a_stochastic_average_is_the_mean_over_the_last_quarter_of_epochs():
    model, tape = trained(
        "epochs", classes=True, max_epochs=8, dtype=torch.float64, average="swa"
    )

    by_hand, *rest = plain(tape.start_, Linear, torch.float64, True)
    batches, ends = iter(tape.batches_), []
    for epoch in range(8):
        for _ in range(model.history_[epoch]["train_batch_count"]):
            train_on(next(batches)[1:], by_hand, *rest)
        ends.append([weight.detach().clone() for weight in by_hand.parameters()])

    for ours, *last in zip(model.module_.parameters(), ends[6], ends[7]):
        mean = torch.stack(last).mean(dim=0)
        torch.testing.assert_close(ours.detach(), mean, rtol=0, atol=1e-12)


def test_a_weighed_loss_is_the_mean_of_row_losses_times_their_weights():
    model, tape = trained(
        "batches", classes=True, max_epochs=1, dtype=torch.float64, balance="both"
    )

    _, y, sample_source = two_sources()
    by_hand, optimizer, _ = plain(tape.start_, Linear, torch.float64, True)
    for label, X, target in tape.batches_:
        own = y[sample_source == label] > 0
        share = torch.tensor([(~own).sum(), own.sum()])
        weight = len(y) / 4 / share[target]
        optimizer.zero_grad()
        losses = nn.functional.cross_entropy(by_hand(X), target, reduction="none")
        (losses * weight).mean().backward()
        optimizer.step()

    # The weights of rows are kept in single precision.
    for ours, theirs in zip(model.module_.parameters(), by_hand.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-7)
