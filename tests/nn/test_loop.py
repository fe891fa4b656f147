"""skorch's own loop, with batches by source: what runs in it, and what it leaves."""

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from small_nets import assert_identical
from torch import nn

from sktandem import SharedNet, SourceError
from sktandem.datasets import make_two_sources
from sktandem.nn import MLP, default_net
from sktandem.schedules import (
    STOP,
    BatchAlternation,
    Curriculum,
    EpochAlternation,
    Joint,
    Phases,
    PlateauAlternation,
    SampledAlternation,
    Schedule,
    Step,
)

SCHEDULES = [
    "epochs",
    "batches",
    "plateau",
    PlateauAlternation(check_every="batch", threshold=0.1, window=2),
    "sampled",
    SampledAlternation(temperature=float("inf"), anneal_to=1.0, max_repeats=3),
    "curriculum",
    Curriculum(by="both", epochs=3),
    "bandit",
    "joint",
    Joint({"first": 2, "second": 1}, epoch_length="all"),
    "shuffled",
    Phases([(EpochAlternation(["first"]), 1), ("joint", 1), ("shuffled", 2)]),
]


class PredictsInBetween(Callback):
    """Leaves the module in evaluation mode in the middle of a batch."""

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            net.evaluation_step(batch)

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        if training and len(net.history[-1]["batches"]) % 3 == 0:
            net.evaluation_step(batch)


def data():
    rows = make_two_sources(
        300, task="classification", size_ratio=3, random_state=0, return_X_y=True
    )
    return dict(zip(("X", "y", "sample_source"), rows))


def fit(schedule, net=None, **settings):
    if net is None:
        net = default_net(max_epochs=4, module__dropout=0.2)
    model = SharedNet(net, schedule=schedule, random_state=0)
    model.set_params(batch_size={"first": 16, "second": 10}, **settings)
    return model.fit(**data())


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_callbacks_that_predict_in_mid_batch_change_nothing(schedule):
    def net(**callbacks):
        settings = {"max_epochs": 3, "module__dropout": 0.2}
        return default_net(**settings, callbacks=list(callbacks.items()))

    undisturbed = fit(schedule, net())

    assert_identical(fit(schedule, net(extra=PredictsInBetween())), undisturbed)


class CountsSteps(NeuralNetClassifier):
    def train_step_single(self, batch, **fit_params):
        self.counted_ = getattr(self, "counted_", 0) + 1
        return super().train_step_single(batch, **fit_params)


class AddsPenalty(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, *args, **kwargs):
        loss = super().get_loss(y_pred, y_true, *args, **kwargs)
        return loss + 0.01 * sum(w.abs().sum() for w in self.module_.parameters())


PLAIN = {"criterion": nn.CrossEntropyLoss, "max_epochs": 2, "verbose": 0}


def test_a_net_with_a_step_of_its_own_runs_that_step():
    model = fit("batches", CountsSteps(MLP, **PLAIN))

    n_steps = sum(row["train_batch_count"] for row in model.history_)
    assert model.net_.counted_ == n_steps > 0
    assert type(model.net_) is CountsSteps


def test_a_net_with_a_loss_of_its_own_trains_on_that_loss():
    plain = fit("batches", NeuralNetClassifier(MLP, **PLAIN))
    sparse = fit("batches", AddsPenalty(MLP, **PLAIN))

    first = [model.history_[0]["train_loss"] for model in (plain, sparse)]
    assert first[1] > first[0] + 0.1


@pytest.mark.slow
def test_an_optimizer_that_asks_again_gets_its_closure():
    lbfgs = {"optimizer": torch.optim.LBFGS, "lr": 0.1, "module__hidden_sizes": ()}
    net = NeuralNetClassifier(MLP, **PLAIN | {"max_epochs": 20}, **lbfgs)

    model = SharedNet(net, batch_size=-1, random_state=0).fit(**data())

    assert model.score(**data()) > 0.7


def test_nothing_of_the_loop_stays_behind_on_the_net():
    model = fit("joint")

    assert "get_loss" not in vars(model.net_)
    assert "recorder" not in dict(model.net_.callbacks_)
    assert "print_log" in dict(model.net_.callbacks_)


def test_a_diverging_loss_stops_with_its_place_and_rate():
    sgd = {"optimizer": torch.optim.SGD, "optimizer__fused": False, "lr": 1e30}
    model = SharedNet(default_net(**sgd), random_state=0)

    message = r"loss became (nan|inf) in epoch 1, on a batch of 'second', at a "
    message += r"learning rate of 1e\+30\. Lower net__lr"
    with pytest.raises(SourceError, match=message):
        model.fit(**data())

    assert not hasattr(model, "net_")


class Backwards(Schedule):
    """The second source first, and a plan that goes wrong if told to."""

    def __init__(self, last=None):
        self.last = last

    def plan(self, sizes, history, rng):
        yield Step((1,))
        yield Step((0,))
        if self.last is not None:
            yield self.last


def test_a_schedule_of_ones_own_is_followed():
    model = fit(Backwards())

    batches = model.history_[0]["batches"]
    trained = [row["source"] for row in batches if "train_loss" in row]
    assert trained == ["second", "first"]


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (1, r"Backwards\.plan must yield Step, CHECK or STOP, got 1"),
        (Step((2,)), r"named source 2, but there are 2, named by position"),
    ],
)
def test_a_plan_that_goes_wrong_is_told_so(last, message):
    with pytest.raises(SourceError, match=message):
        fit(Backwards(last))


def test_partial_fit_trains_on_after_its_schedule_has_stopped():
    """What was learned before the stop is kept, and each call asks the plan anew."""
    model = SharedNet(default_net(), schedule=Backwards(STOP), random_state=0)
    rows = data()

    for call in (1, 2, 3):
        before = {} if call == 1 else model.module_.state_dict()
        before = {name: weights.clone() for name, weights in before.items()}
        model.partial_fit(**rows, epochs=5)

        assert model.history_[:, "epoch"] == list(range(1, call + 1))
        assert model.history_[-1]["train_batch_count"] == 2
        after = model.module_.state_dict()
        assert all(
            (after[name] - was).abs().max() < 0.1 for name, was in before.items()
        )
        assert not any(torch.equal(after[name], was) for name, was in before.items())


class Idle(Schedule):
    def plan(self, sizes, history, rng):
        return iter(())


def test_a_plan_without_a_step_is_told_so():
    with pytest.raises(SourceError, match=r"Idle planned no step in epoch 1\. Yield"):
        fit(Idle())


def test_losses_by_source_are_means_over_rows():
    model = fit("batches")

    for row in model.history_:
        for prefix in ("train", "valid"):
            for name in ("first", "second"):
                own = [
                    (batch[f"{prefix}_loss"], batch[f"{prefix}_batch_size"])
                    for batch in row["batches"]
                    if f"{prefix}_loss" in batch and batch["source"] == name
                ]
                losses, sizes = zip(*own)
                mean = np.average(losses, weights=sizes)
                assert row[f"{prefix}_loss[{name}]"] == pytest.approx(mean, rel=1e-12)


def test_rows_seen_add_up_over_the_epochs():
    model = fit(BatchAlternation(epoch_length="all"))

    n_rows = model.n_samples_by_source_
    for epoch, row in enumerate(model.history_, start=1):
        for name in ("first", "second"):
            assert row[f"rows_seen[{name}]"] == epoch * n_rows[name]


def test_every_row_comes_once_in_a_pass():
    seen = []

    class Tape(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            if training:
                seen.append((len(net.history), batch.label, batch[0]))

    net = default_net(max_epochs=2, callbacks=[("tape", Tape())])
    model = fit(BatchAlternation(epoch_length="all"), net, scaler=None)

    X, _, sample_source = data().values()
    orders = []
    for epoch in (1, 2):
        rows = [x for at, label, x in seen if (at, label) == (epoch, "first")]
        orders.append(torch.cat(rows).numpy())
    assert len(orders[0]) == model.n_samples_by_source_["first"]
    assert len(np.unique(orders[0], axis=0)) == len(orders[0])
    own = {tuple(row) for row in X[sample_source == "first"].astype(np.float32)}
    assert {tuple(row) for row in orders[0]} <= own
    assert not np.array_equal(*orders)
    assert {tuple(row) for row in orders[0]} == {tuple(row) for row in orders[1]}


def test_the_order_of_one_source_does_not_depend_on_the_others():
    tapes = {}

    class Tape(Callback):
        def initialize(self):
            self.rows_ = []
            return self

        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            if not training or "first" not in batch.label:
                return
            joint = batch.parts is not None
            self.rows_.append(batch[0][batch.parts[0][1]] if joint else batch[0])

    for schedule in ("batches", "epochs", "sampled", Joint()):
        net = default_net(max_epochs=2, callbacks=[("tape", Tape())])
        model = fit(schedule, net, scaler=None)
        rows = torch.cat(dict(model.net_.callbacks_)["tape"].rows_)
        tapes[str(schedule)] = rows[: model.n_samples_by_source_["first"]]

    first, *others = tapes.values()
    for other in others:
        assert torch.equal(first[: len(other)], other)


class Modes(nn.Module):
    """Notes in what mode it answers, and switches its dropout off afterwards."""

    def __init__(self):
        super().__init__()
        self.layer, self.dropout = nn.Linear(5, 2), nn.Dropout(0.5)
        self.seen = []

    def forward(self, X):
        self.seen.append((self.training, self.dropout.training))
        answers = self.dropout(self.layer(X))
        self.dropout.eval()
        return answers


def test_each_step_of_training_is_in_training_mode():
    net = NeuralNetClassifier(Modes, criterion=nn.CrossEntropyLoss, max_epochs=2)

    model = SharedNet(net, batch_size=20, random_state=0).fit(**data())

    assert set(model.module_.seen) == {(True, True), (False, False)}
    assert "_set_training" not in vars(model.net_)


class CountsModes(NeuralNetClassifier):
    def _set_training(self, training=True):
        self.asked_ = getattr(self, "asked_", 0) + 1
        super()._set_training(training)


def test_a_net_that_sets_modes_itself_is_asked_in_each_step():
    net = CountsModes(MLP, criterion=nn.CrossEntropyLoss, max_epochs=2)
    net.set_params(module__n_features=5, module__n_outputs=2)

    model = SharedNet(net, batch_size=20, random_state=0).fit(**data())

    assert model.net_.asked_ >= sum(len(row["batches"]) for row in model.history_)
