"""A fit that was cut, killed, pickled or continued ends where a whole one does."""

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from net_callbacks import Ruins
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, Checkpoint, EarlyStopping

from sktandem import AlternatingClassifier, SourceError, SourceWarning
from sktandem.datasets import make_two_sources
from sktandem.nn import MLP, default_net
from sktandem.schedules import (
    BatchAlternation,
    Curriculum,
    EpochAlternation,
    Joint,
    Phases,
    PlateauAlternation,
    SampledAlternation,
)

pytestmark = pytest.mark.slow

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


@pytest.mark.parametrize("average", [None, "ema"])
@pytest.mark.parametrize("keep", ["best", "last"])
def test_ctrl_c_leaves_what_the_epochs_before_it_made(keep, average):
    settings = {"keep": keep, "average": average}
    two = estimator(**settings)
    two.net.set_params(max_epochs=2)
    two.fit(*data())

    broken = estimator(callbacks=[Breaks(3, 2, "ctrl-c")], **settings)
    with pytest.warns(SourceWarning, match="interrupted in epoch 3; the epochs before"):
        broken.fit(*data())

    assert without_clock(broken.history_) == without_clock(two.history_)
    difference = broken.predict_proba(data().X) - two.predict_proba(data().X)
    most = 0 if keep == "best" else 0.1  # a few steps of the broken epoch
    assert abs(difference).max() <= most


def test_an_epoch_that_was_broken_off_is_run_again():
    broken = estimator(callbacks=[Breaks(3, 2, "ctrl-c")])
    with pytest.warns(SourceWarning, match="interrupted"):
        broken.fit(*data())

    broken.net_.set_params(callbacks=None).initialize_callbacks()
    broken.partial_fit(*data(), epochs=2)

    n_seen = broken.history_[:, "rows_seen[first]"]
    assert n_seen == [n_seen[0] * epoch for epoch in range(1, 5)]
    assert broken.history_[:, "epoch"] == [1, 2, 3, 4]


class TwoModules(NeuralNetClassifier):
    """A net of two modules, and a criterion that learns as well."""

    def initialize_module(self):
        super().initialize_module()
        self.second_ = torch.nn.Linear(2, 2)
        return self

    def infer(self, x, **fit_params):
        return self.second_(super().infer(x, **fit_params))


class Tempered(torch.nn.CrossEntropyLoss):
    def __init__(self):
        super().__init__()
        self.temperature = torch.nn.Parameter(torch.ones(()))

    def forward(self, y_pred, y_true):
        return super().forward(y_pred / self.temperature, y_true)


@pytest.mark.parametrize("average", [None, "ema"])
def test_all_modules_of_a_net_go_back_to_the_best_epoch(average):
    def net(max_epochs):
        settings = {"lr": 0.05, "verbose": 0, "max_epochs": max_epochs}
        settings |= {"optimizer": torch.optim.Adam, "callbacks": [Ruins(20)]}
        return TwoModules(MLP, criterion=Tempered, **settings)

    options = {"batch_size": 16, "random_state": 0, "average": average}
    model = AlternatingClassifier(net(30), **options).fit(*data())
    best = model.history_[:, "valid_loss_macro_best"]
    n_best = len(best) - best[::-1].index(True)
    again = AlternatingClassifier(net(n_best), keep="last", **options).fit(*data())

    assert n_best < 30
    for name in ("module_", "second_", "criterion_"):
        ours = getattr(model.net_, name).state_dict()
        theirs = getattr(again.net_, name).state_dict()
        for key in ours:
            assert torch.equal(ours[key], theirs[key]), (name, key)


def test_callbacks_at_the_end_of_training_see_the_weights_that_are_kept():
    class Looks(Callback):
        def on_train_end(self, net, **kwargs):
            self.seen_ = [w.detach().clone() for w in net.module_.parameters()]

    model = estimator(callbacks=[Looks()], keep="best", average="ema").fit(*data())

    seen = dict(model.net_.callbacks_)["extra_0"].seen_
    assert all(map(torch.equal, seen, model.module_.parameters()))


def test_every_row_of_a_new_chunk_is_trained_on():
    seen = []

    class Tape(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            if training:
                seen[-1].append(batch[0])

    X, y, sample_source = data()
    schedule = BatchAlternation(epoch_length="all")
    model = estimator(schedule, [Tape()], validation_fraction=None, scaler=None)
    for rows in (slice(0, 200), slice(0, 170), slice(20, 190), slice(20, 190)):
        seen.append([])
        model.partial_fit(X[rows], y[rows], sample_source[rows], epochs=1)
        distinct = {tuple(row) for row in torch.cat(seen[-1]).tolist()}
        assert len(distinct) == len(X[rows])


def test_resuming_refuses_other_labels_and_columns(tmp_path):
    X, y, sample_source = data()
    estimator(callbacks=[Checkpoint(monitor=None, dirname=tmp_path)]).fit(
        X, y, sample_source
    )
    longer = estimator()
    longer.net.set_params(max_epochs=8)

    with pytest.raises(SourceError, match=r"trained on classes=\['0', '1'\], and fit"):
        longer.fit(X, y + 1, sample_source, resume_from=tmp_path)
    renamed = np.where(sample_source == "first", "a", sample_source)
    with pytest.raises(SourceError, match=r"trained on sources=\['first', 'second'\]"):
        longer.fit(X, y, renamed, resume_from=tmp_path)
    with pytest.raises(SourceError, match=r"trained on n_features=\[5\]"):
        longer.fit(X[:, :4], y, sample_source, resume_from=tmp_path)
    with pytest.warns(SourceWarning, match="other rows may be held out"):
        longer.fit(X[:180], y[:180], sample_source[:180], resume_from=tmp_path)
    with pytest.warns(SourceWarning, match="nothing is left to train"):
        estimator().fit(X, y, sample_source, resume_from=tmp_path)
    wide = estimator()
    wide.net.set_params(module__hidden_sizes=(7,), max_epochs=8)
    with pytest.raises(SourceError, match="does not fit the net"):
        wide.fit(X, y, sample_source, resume_from=tmp_path)


def test_resuming_an_average_needs_the_file_that_holds_it(tmp_path):
    without = Checkpoint(monitor=None, dirname=tmp_path, f_criterion=None)
    estimator(callbacks=[without], average="ema").partial_fit(*data(), epochs=2)

    with pytest.raises(SourceError, match=r"lacks criterion\.pt, where the averaged"):
        estimator(average="ema").fit(*data(), resume_from=tmp_path)


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

    with pytest.raises(SourceError, match=r"became (nan|inf) in epoch 4"):
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
    checkpoint = Checkpoint(monitor=None, dirname=tmp_path)
    first = estimator(callbacks=[Ruins(2), checkpoint])
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
