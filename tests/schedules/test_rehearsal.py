"""A rehearsal counts the steps that an epoch will have."""

import re

import numpy as np
import pytest
from schedule_driver import train
from skorch.callbacks import Callback

from sktandem import SharedNet
from sktandem.datasets import make_two_sources
from sktandem.nn import default_net
from sktandem.schedules import (
    Bandit,
    BatchAlternation,
    Curriculum,
    EpochAlternation,
    Joint,
    Phases,
    PlateauAlternation,
    SampledAlternation,
    Shuffled,
    Sizes,
)
from sktandem.schedules._schedule import rehearsed


def early_rows_first(X, y):
    return np.arange(len(y), dtype=float)


FIXED = [
    "epochs",
    "batches",
    "sampled",
    "joint",
    "shuffled",
    "curriculum",
    "bandit",
    "plateau",
    EpochAlternation(last="first"),
    EpochAlternation(["second"], epoch_length=5),
    BatchAlternation(3, epoch_length="all"),
    BatchAlternation(epoch_length="smallest"),
    SampledAlternation(temperature=2.0, epoch_length="largest"),
    SampledAlternation(anneal_to=float("inf"), max_repeats=5),
    Joint(),
    Shuffled(),
    Curriculum(epochs=3),
    Curriculum(early_rows_first, epochs=3),
    Curriculum(epochs=3, by="sources"),
    Curriculum(early_rows_first, epochs=3, by="both"),
    Bandit("gain", block=5),
    PlateauAlternation(2, threshold=0.1),
    PlateauAlternation(2, check_every="batch", reset_on_switch=False, max_turn=3),
    Phases([("shuffled", 2), (EpochAlternation(["first"]), 1), ("batches", 3)]),
    Phases([("epochs", 1), ("curriculum", 3)]),
]


def shown(schedule):
    """Return a schedule as text, without the address of a function in it."""
    text = re.sub(r"<function (\w+) at \w+>", r"\1", str(schedule))
    return " ".join(text.split())


@pytest.mark.parametrize("monitor", ["active", "pooled", "macro", "first"])
def test_a_rehearsal_measures_every_loss_that_may_be_watched(monitor):
    schedule = PlateauAlternation(2, monitor=monitor, check_every="batch")
    sizes = Sizes(("first", "second"), (60, 90), (30, 30), validated=(True, True))

    assert rehearsed(schedule, sizes, [{}], None) == 5


class Counts(Callback):
    """Rehearses every epoch, and counts its steps."""

    def initialize(self):
        self.rehearsed_, self.taken_ = [], []
        return self

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        self.turns_ = dataset_train.turns
        self.taken_.append(0)

    def on_batch_begin(self, net, training=False, **kwargs):
        if training and len(self.rehearsed_) < len(self.taken_):
            before = repr(net.history)
            self.rehearsed_.append(self.turns_.n_steps())
            assert repr(net.history) == before

    def on_batch_end(self, net, training=False, **kwargs):
        self.taken_[-1] += training


def counted(schedule, **settings):
    X, y, sample_source = make_two_sources(
        120, task="classification", size_ratio=3, random_state=0, return_X_y=True
    )
    net = default_net(max_epochs=6, callbacks=[("counts", Counts())])
    model = SharedNet(net, schedule=schedule, batch_size=8, random_state=0)
    model.set_params(**settings).fit(X, y, sample_source=sample_source)
    return model, dict(model.net_.callbacks_)["counts"]


@pytest.mark.slow
@pytest.mark.parametrize("schedule", FIXED, ids=shown)
def test_a_rehearsal_counts_the_steps_of_each_epoch(schedule):
    _, counts = counted(schedule)

    assert len(counts.taken_) >= 2
    assert counts.rehearsed_ == counts.taken_


@pytest.mark.parametrize("schedule", [Bandit(), Curriculum(epochs=3)], ids=shown)
def test_a_rehearsal_takes_no_random_number_of_the_fit(schedule, monkeypatch):
    with_it, _ = counted(schedule)
    monkeypatch.setattr(Counts, "on_epoch_begin", lambda self, net, **kwargs: None)
    monkeypatch.setattr(Counts, "on_batch_end", lambda self, net, **kwargs: None)
    without, _ = counted(schedule)

    losses = [[row["train_loss"] for row in m.history_] for m in (with_it, without)]
    assert losses[0] == losses[1]


def test_a_plan_that_ends_by_its_losses_is_rehearsed_to_its_whole_length():
    sizes = Sizes(("red", "white"), (600, 1800), (30, 30), validated=(True, True))
    schedule = PlateauAlternation(check_every="batch")

    n_steps = rehearsed(schedule, sizes, [{"batches": []}], None)

    assert n_steps == sizes.steps("all") == 80


@pytest.mark.parametrize("reset", [True, False])
def test_a_rehearsal_goes_on_from_what_the_last_epoch_left(reset):
    sizes = Sizes(("red", "white"), (60, 180), (30, 30), validated=(True, True))
    schedule = PlateauAlternation(check_every="batch", reset_on_switch=reset)
    history = train(schedule, sizes, n_epochs=3)
    before = repr(history)

    n_steps = rehearsed(schedule, sizes, [*history, {"batches": []}], None)

    assert 1 <= n_steps <= sizes.steps("all")
    assert repr(history) == before
