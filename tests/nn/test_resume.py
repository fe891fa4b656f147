"""A fit that was cut, killed, pickled or continued ends where a whole one does."""

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap

import pytest
import torch
from skorch.callbacks import Callback, Checkpoint, EarlyStopping

from sktandem import AlternatingClassifier, SourceError, SourceWarning
from sktandem.datasets import make_two_sources
from sktandem.nn import default_net
from sktandem.schedules import (
    Curriculum,
    EpochAlternation,
    Joint,
    Phases,
    PlateauAlternation,
    SampledAlternation,
)

SCHEDULES = [
    "epochs",
    EpochAlternation(last="first"),
    "batches",
    PlateauAlternation(window=2, threshold=0.1),
    PlateauAlternation(window=3, threshold=0.0, check_every="batch"),
    SampledAlternation(anneal_to=float("inf"), max_repeats=5),
    Curriculum(epochs=4),
    "bandit",
    Joint(),
    "shuffled",
    Phases([("shuffled", 3), (EpochAlternation(["first"]), 3)]),
]


def data():
    return make_two_sources(
        200, task="classification", size_ratio=3, random_state=0, return_X_y=True
    )


def estimator(schedule="batches", callbacks=(), **settings):
    net = default_net(
        max_epochs=6,
        module__dropout=0.2,
        callbacks=[(f"extra_{i}", callback) for i, callback in enumerate(callbacks)],
    )
    settings = {"keep": "last", "batch_size": 16, "random_state": 0} | settings
    return AlternatingClassifier(net, schedule=schedule, **settings)


def without_clock(history):
    clock = ("dur", "event_cp")  # and the mark that a checkpoint was written
    return [{k: v for k, v in row.items() if k not in clock} for row in history]


def assert_same(model, other):
    weights, others = model.module_.state_dict(), other.module_.state_dict()
    for key in weights:
        assert torch.equal(weights[key], others[key]), key
    assert without_clock(model.history_) == without_clock(other.history_)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_three_times_two_epochs_are_six(schedule):
    whole = estimator(schedule).fit(*data())

    parts = estimator(schedule)
    for _ in range(3):
        parts.partial_fit(*data(), epochs=2)

    assert_same(whole, parts)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_pickle_in_the_middle_changes_nothing(schedule):
    whole = estimator(schedule).fit(*data())

    half = estimator(schedule).partial_fit(*data(), epochs=3)
    half = pickle.loads(pickle.dumps(half)).partial_fit(*data(), epochs=3)

    assert_same(whole, half)


@pytest.mark.parametrize("average", ["ema", "swa", 0.9])
def test_averaged_weights_go_on_as_well(average):
    whole = estimator("epochs", average=average).fit(*data())

    parts = estimator("epochs", average=average)
    for _ in range(3):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(*data(), epochs=2)))

    assert_same(whole, parts)


class Breaks(Callback):
    """Presses Ctrl-C, or worse, at a batch of an epoch."""

    def __init__(self, epoch, batch, how):
        self.epoch, self.batch, self.how = epoch, batch, how

    def on_batch_end(self, net, training=False, **kwargs):
        at = len(net.history), len(net.history[-1]["batches"])
        if training and at == (self.epoch, self.batch):
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise KeyboardInterrupt


KILLED = """
    import sys
    sys.path.insert(0, {folder!r})
    from {module} import Breaks, Checkpoint, SCHEDULES, data, estimator
    checkpoint = Checkpoint(monitor=None, dirname={dirname!r})
    model = estimator(
        SCHEDULES[{schedule}],
        [checkpoint, Breaks(4, {batch}, "kill")],
        average={average!r},
    )
    model.fit(*data())
"""


@pytest.mark.parametrize(
    ("schedule", "batch", "average"),
    [(0, 3, None), (2, 7, None), (4, 1, None), (5, 5, "ema"), (6, 2, None)],
)
def test_a_killed_fit_goes_on_from_its_last_checkpoint(
    schedule, batch, average, tmp_path
):
    whole = estimator(SCHEDULES[schedule], average=average).fit(*data())

    code = KILLED.format(
        folder=os.path.dirname(__file__),
        module=os.path.splitext(os.path.basename(__file__))[0],
        dirname=str(tmp_path),
        schedule=schedule,
        batch=batch,
        average=average,
    )
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    resumed = estimator(SCHEDULES[schedule], average=average)
    resumed.fit(*data(), resume_from=tmp_path)

    assert killed.returncode == -signal.SIGKILL
    assert len(json.loads((tmp_path / "history.json").read_text())) == 3
    assert_same(whole, resumed)


def test_a_seed_that_was_drawn_goes_on_too(tmp_path):
    checkpoint = Checkpoint(monitor=None, dirname=tmp_path)
    whole = estimator(callbacks=[checkpoint], random_state=None)
    whole.partial_fit(*data(), epochs=3)

    resumed = estimator(random_state=None).fit(*data(), resume_from=tmp_path)
    whole.partial_fit(*data(), epochs=3)

    assert_same(whole, resumed)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_ctrl_c_leaves_an_estimator_that_predicts_and_goes_on(keep):
    broken = estimator(callbacks=[Breaks(3, 2, "ctrl-c")], keep=keep).fit(*data())

    assert [("source" in row) for row in broken.history_] == [True, True, False]
    assert broken.predict(data().X).shape == (200,)
    broken.partial_fit(*data(), epochs=2)
    rows = [row for row in broken.history_ if "source" in row]
    n_rows = broken.n_samples_by_source_
    assert len(rows) == 4
    n_seen = [row["rows_seen[first]"] for row in rows]
    assert n_seen == [n_seen[0] * epoch for epoch in range(1, 5)]
    assert n_rows["first"] > 0


def test_early_stopping_goes_by_the_macro_loss():
    stopping = EarlyStopping(monitor="valid_loss_macro", patience=1, threshold=0.5)

    model = estimator(callbacks=[stopping]).fit(*data())

    assert len(model.history_) == 2
    assert "source" in model.history_[-1]


def test_a_checkpoint_holds_the_best_weights_when_the_loss_diverges(tmp_path):
    class Explodes(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 4:
                net.optimizer_.param_groups[0]["lr"] = 1e30

    checkpoint = Checkpoint(monitor="valid_loss_macro_best", dirname=tmp_path)
    model = estimator(callbacks=[checkpoint, Explodes()], keep="best")
    healthy = estimator(keep="best")
    healthy.net.set_params(max_epochs=3)
    healthy.fit(*data())

    with pytest.raises(SourceError, match=r"became nan in epoch 4"):
        model.fit(*data())

    saved = torch.load(tmp_path / "params.pt", weights_only=True)
    for key, weight in healthy.module_.state_dict().items():
        assert torch.equal(saved[key], weight)
    assert not hasattr(model, "net_")


def test_resuming_says_which_files_are_missing(tmp_path):
    message = r"lacks \['params\.pt', 'optimizer\.pt', 'history\.json'\]\. The skorch"
    with pytest.raises(SourceError, match=message):
        estimator().fit(*data(), resume_from=tmp_path)
    with pytest.raises(SourceError, match=r"must be the folder of a skorch Checkpoint"):
        estimator().fit(*data(), resume_from=3)


def test_resuming_refuses_a_history_of_another_net(tmp_path):
    for name in ("params.pt", "optimizer.pt"):
        (tmp_path / name).touch()
    (tmp_path / "history.json").write_text('[{"epoch": 1, "batches": []}]')

    with pytest.raises(SourceError, match="its first epoch has no seed"):
        estimator().fit(*data(), resume_from=tmp_path)


def test_resuming_warns_where_the_best_weights_are_gone(tmp_path):
    class Spoils(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) > 1:
                net.optimizer_.param_groups[0]["lr"] = 0.5

    checkpoint = Checkpoint(monitor=None, dirname=tmp_path)
    first = estimator(callbacks=[Spoils(), checkpoint])
    first.partial_fit(*data(), epochs=3)

    with pytest.warns(SourceWarning, match=r"the best one so far, 1, came 2 epochs"):
        estimator(keep="best").fit(*data(), resume_from=tmp_path)


def test_a_history_by_epoch_keeps_the_batches_of_the_last_epoch_only():
    model = estimator(history_detail="epoch").fit(*data())

    lengths = [len(row["batches"]) for row in model.history_]
    assert lengths[:-1] == [0] * 5
    assert lengths[-1] > 0
    whole = estimator().fit(*data())
    for row, other in zip(model.history_, whole.history_):
        assert row["train_loss[first]"] == other["train_loss[first]"]
