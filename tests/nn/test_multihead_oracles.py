"""Nets with a head for each source against the loops they replace."""

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from sktandem import MultiHeadClassifier, MultiHeadRegressor
from sktandem.nn import MLP, MultiHead, _loop
from sktandem.schedules import (
    Bandit,
    BatchAlternation,
    Curriculum,
    EpochAlternation,
    Joint,
    Phases,
    PlateauAlternation,
    SampledAlternation,
)

SIZES = {"a": 100, "b": 150}
N_CLASSES = {"a": 3, "b": 4}


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
            copied = {key: part.clone() for key, part in X.items()}
            self.batches_.append((copied["X"], copied["source"], y.clone()))


def two_label_spaces(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(sum(SIZES.values()), 5))
    sample_source = np.repeat(list(SIZES), list(SIZES.values()))
    n_classes = np.repeat(list(N_CLASSES.values()), list(SIZES.values()))
    return X, rng.integers(n_classes), sample_source


def trained(schedule, max_epochs=3, **settings):
    net = NeuralNetClassifier(
        MLP,
        module__hidden_sizes=(64,),
        module__n_outputs=32,
        module__activate_output=True,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=max_epochs,
        verbose=0,
        callbacks=[("tape", Tape())],
    )
    options = {"scaler": None, "keep": "last", "batch_size": 32, "random_state": 0}
    options |= {"validation_fraction": None} | settings
    model = MultiHeadClassifier(net, schedule=schedule, **options)
    model.fit(*two_label_spaces())
    return model, dict(model.net_.callbacks_)["tape"]


class ByHand(nn.Module):
    """Trunk 64-32 and a linear head for each source, as one would write it."""

    def __init__(self, start):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU()
        )
        self.heads = nn.ModuleList([nn.Linear(32, 3), nn.Linear(32, 4)])
        self.load_state_dict(start)


def assert_same_weights(model, by_hand):
    ours, theirs = model.module_.state_dict(), by_hand.state_dict()
    assert ours.keys() == theirs.keys()
    for key in ours:
        torch.testing.assert_close(ours[key], theirs[key], rtol=0, atol=1e-6)


@pytest.mark.parametrize("weights", [None, {"a": 1, "b": 0.3}])
def test_the_joint_loop_concatenates_slices_sums_and_steps(weights):
    model, tape = trained(Joint(), loss_weights=weights)

    by_hand = ByHand(tape.start_)
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=1e-3)
    criterion, weights = nn.CrossEntropyLoss(), weights or {"a": 1, "b": 1}
    assert len(tape.batches_) == 3 * 5  # as long as the longest source, never cut
    for X, source, y in tape.batches_:
        hidden = by_hand.trunk(X)
        first, second = (source == 0), (source == 1)
        loss_a = criterion(by_hand.heads[0](hidden[first]), y[first])
        loss_b = criterion(by_hand.heads[1](hidden[second]), y[second])
        optimizer.zero_grad()
        (weights["a"] * loss_a + weights["b"] * loss_b).backward()
        optimizer.step()

    assert_same_weights(model, by_hand)


TURNS = [
    EpochAlternation(),
    BatchAlternation(),
    BatchAlternation(3, epoch_length="all"),
    PlateauAlternation(check_every="batch", window=2),
    SampledAlternation(temperature=2.0),
    Curriculum(epochs=2),
    Bandit(),
    Phases([("epochs", 1), ("batches", 1)]),
]


@pytest.mark.slow
@pytest.mark.parametrize("schedule", TURNS, ids=repr)
def test_turns_train_the_trunk_and_the_head_of_the_source_in_turn(schedule):
    model, tape = trained(schedule, validation_fraction=0.2)

    by_hand = ByHand(tape.start_)
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=1e-3)
    for X, source, y in tape.batches_:
        (place,) = source.unique().tolist()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(by_hand.heads[place](by_hand.trunk(X)), y)
        loss.backward()
        optimizer.step()

    assert_same_weights(model, by_hand)


def test_mixed_batches_weigh_every_row_the_same():
    model, tape = trained("shuffled")

    by_hand = ByHand(tape.start_)
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=1e-3)
    for X, source, y in tape.batches_:
        hidden = by_hand.trunk(X)
        losses = [
            nn.functional.cross_entropy(
                by_hand.heads[place](hidden[source == place]),
                y[source == place],
                reduction="sum",
            )
            for place in (0, 1)
        ]
        optimizer.zero_grad()
        (sum(losses) / len(y)).backward()
        optimizer.step()

    assert_same_weights(model, by_hand)


SCHEDULES = ["joint", "batches", "epochs", "shuffled", "sampled", "plateau", "bandit"]


@pytest.mark.slow
@pytest.mark.parametrize("weights", [None, "size", "uncertainty", "dwa"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_short_loop_is_skorchs_own(schedule, weights, monkeypatch):
    held = {"validation_fraction": 0.2, "loss_weights": weights}
    short, _ = trained(schedule, **held)
    monkeypatch.setattr(_loop, "is_plain", lambda net: False)
    slow, _ = trained(schedule, **held)

    ours, theirs = short.module_.state_dict(), slow.module_.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    rows = zip(short.history_, slow.history_, strict=True)
    for row, other in rows:
        assert {**row, "dur": 0} == {**other, "dur": 0}


def gradients(module, X, source, y, weights=(1.0, 1.0)):
    """Return the gradients of a weighted joint step, by parameter."""
    module.zero_grad()
    outputs = module(X, source)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    places = source.unique().tolist()
    total = 0.0
    for place, output in zip(places, outputs):
        loss = nn.functional.cross_entropy(output, y[source == place])
        total = total + weights[place] * loss
    total.backward()
    return {
        name: None if p.grad is None else p.grad.clone()
        for name, p in module.named_parameters()
    }


def a_batch(seed=0):
    rng = torch.Generator().manual_seed(seed)
    X = torch.randn(20, 5, generator=rng)
    source = torch.tensor([0] * 8 + [1] * 12)
    y = torch.randint(3, (20,), generator=rng)
    trunk = nn.Sequential(nn.Linear(5, 6), nn.ReLU())
    return MultiHead(trunk, [nn.Linear(6, 3), nn.Linear(6, 4)]), X, source, y


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.2, 3.0)])
def test_the_trunks_gradient_is_the_weighted_sum_over_sources(weights):
    module, X, source, y = a_batch()

    joint = gradients(module, X, source, y, weights)
    apart = []
    for place in (0, 1):
        own = source == place
        apart.append(gradients(module, X[own], source[own], y[own]))

    for name in joint:
        if name.startswith("trunk."):
            total = weights[0] * apart[0][name] + weights[1] * apart[1][name]
            torch.testing.assert_close(joint[name], total)


def test_a_head_gets_no_gradient_from_rows_of_another_source():
    module, X, source, y = a_batch()
    own = source == 0

    found = gradients(module, X[own], source[own], y[own])

    assert found["heads.1.weight"] is None
    assert found["heads.0.weight"].abs().sum() > 0


def test_uncertainty_weighs_by_a_trained_variance():
    model, tape = trained(Joint(), max_epochs=20, loss_weights="uncertainty")

    variances = model.net_.criterion_.log_variance.detach()
    by_hand = ByHand(tape.start_)
    log_variance = nn.Parameter(torch.zeros(2))
    parameters = [*by_hand.parameters(), log_variance]
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    for X, source, y in tape.batches_:
        hidden = by_hand.trunk(X)
        loss = 0.0
        for place in (0, 1):
            own = source == place
            output = by_hand.heads[place](hidden[own])
            own_loss = nn.functional.cross_entropy(output, y[own])
            variance = log_variance[place]
            loss = loss + torch.exp(-variance) * own_loss + variance / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    torch.testing.assert_close(variances, log_variance.detach(), rtol=0, atol=1e-5)
    assert variances.abs().min() > 1e-3


def test_dwa_is_the_formula_over_the_last_two_epochs():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    sample_source = np.repeat(["a", "b"], 60)
    y = np.where(sample_source == "a", X[:, 0], X[:, 1] ** 2)
    settings = {"loss_weights": "dwa", "validation_fraction": None, "keep": "last"}
    model = MultiHeadRegressor(random_state=0, **settings)
    model.set_params(net=model._net().set_params(max_epochs=4)).fit(X, y, sample_source)

    for epoch in range(4):
        row = model.history_[epoch]
        last = model.history_[max(0, epoch - 2) : epoch]
        if len(last) < 2:
            weights = np.ones(2)
        else:
            ratio = [
                last[1][f"train_loss[{name}]"] / last[0][f"train_loss[{name}]"] / 2
                for name in "ab"
            ]
            weights = 2 * np.exp(ratio) / np.exp(ratio).sum()
        for batch in row["batches"]:
            parts = [batch[f"train_loss[{name}]"] for name in "ab"]
            assert batch["train_loss"] == pytest.approx(weights @ parts, rel=1e-5)
