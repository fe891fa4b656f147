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
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, Checkpoint, EarlyStopping
from small_nets import assert_identical

from sktandem import Merged, SharedNet, SourceError, SourceWarning, Tandem
from sktandem.datasets import make_two_sources
from sktandem.model_selection import compare_strategies
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
    rows = make_two_sources(
        200, task="classification", size_ratio=3, random_state=0, return_X_y=True
    )
    return dict(zip(("X", "y", "sample_source"), rows))


def estimator(schedule="batches", callbacks=(), **settings):
    net = default_net(
        max_epochs=6,
        module__dropout=0.2,
        callbacks=[(f"extra_{i}", callback) for i, callback in enumerate(callbacks)],
    )
    settings = {"keep": "last", "batch_size": 16, "random_state": 0} | settings
    return SharedNet(net, schedule=schedule, **settings)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_three_times_two_epochs_are_six(schedule):
    whole = estimator(schedule).fit(**data())

    parts = estimator(schedule)
    for _ in range(3):
        parts.partial_fit(**data(), epochs=2)

    assert_identical(whole, parts)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_pickle_in_the_middle_changes_nothing(schedule):
    whole = estimator(schedule).fit(**data())

    half = estimator(schedule).partial_fit(**data(), epochs=3)
    half = pickle.loads(pickle.dumps(half)).partial_fit(**data(), epochs=3)

    assert_identical(whole, half)


@pytest.mark.parametrize("average", ["ema", "swa", 0.9])
def test_averaged_weights_go_on_as_well(average):
    whole = estimator("epochs", average=average).fit(**data())

    parts = estimator("epochs", average=average)
    for _ in range(3):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(**data(), epochs=2)))

    assert_identical(whole, parts)


class Breaks(Callback):
    """Presses Ctrl-C, or worse, at a batch of an epoch, or at its end."""

    def __init__(self, epoch, batch, how):
        self.epoch, self.batch, self.how = epoch, batch, how

    def on_batch_end(self, net, training=False, **kwargs):
        at = len(net.history), len(net.history[-1]["batches"])
        if training and at == (self.epoch, self.batch):
            self.now()

    def on_epoch_end(self, net, **kwargs):
        if (len(net.history), None) == (self.epoch, self.batch):
            self.now()

    def now(self):
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
    model.fit(**data())
"""


@pytest.mark.parametrize(
    ("schedule", "batch", "average"),
    [(0, 3, None), (2, 7, None), (4, 1, None), (5, 5, "ema"), (6, 2, None)],
)
def test_a_killed_fit_goes_on_from_its_last_checkpoint(
    schedule, batch, average, tmp_path
):
    whole = estimator(SCHEDULES[schedule], average=average).fit(**data())

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
    resumed.fit(**data(), resume_from=tmp_path)

    assert killed.returncode == -signal.SIGKILL
    assert len(json.loads((tmp_path / "history.json").read_text())) == 3
    assert_identical(whole, resumed)


def test_a_seed_that_was_drawn_goes_on_too(tmp_path):
    checkpoint = Checkpoint(monitor=None, dirname=tmp_path)
    whole = estimator(callbacks=[checkpoint], random_state=None)
    whole.partial_fit(**data(), epochs=3)

    resumed = estimator(random_state=None).fit(**data(), resume_from=tmp_path)
    whole.partial_fit(**data(), epochs=3)

    assert_identical(whole, resumed)


@pytest.mark.parametrize("batch", [2, None])
def test_ctrl_c_is_raised_and_leaves_nothing(batch):
    broken = estimator(callbacks=[Breaks(3, batch, "ctrl-c")])

    with pytest.raises(KeyboardInterrupt):
        broken.fit(**data())

    assert not hasattr(broken, "net_")
    assert not hasattr(broken, "n_features_in_")


@pytest.mark.parametrize("average", [None, "ema"])
def test_ctrl_c_in_partial_fit_leaves_what_earlier_calls_made(average):
    breaks = Breaks(4, 2, "ctrl-c")
    broken = estimator(callbacks=[breaks], average=average)
    broken.partial_fit(**data(), epochs=2)
    with pytest.raises(KeyboardInterrupt):
        broken.partial_fit(**data(), epochs=4)

    assert broken.history_[:, "epoch"] == [1, 2]
    dict(broken.net_.callbacks_)["extra_0"].epoch = None
    broken.partial_fit(**data(), epochs=4)

    assert_identical(broken, estimator(average=average).fit(**data()))


def scored(net, X, y, sample_source):
    cross_val_score(net, X, y, cv=2)


def compared(net, X, y, sample_source):
    compare_strategies(
        LogisticRegression(), X, y, sample_source=sample_source, cv=2,
        strategies=[Merged(), net], n_repeats=1, progress=False,
    )  # fmt: skip


def blended(net, X, y, sample_source):
    model = Tandem(LogisticRegression(), members=[Merged(), net], cv=2)
    model.fit(X, y, sample_source=sample_source)


@pytest.mark.filterwarnings("ignore:Only one source", "ignore:There are only 50 rows")
@pytest.mark.parametrize("run", [scored, compared, blended])
def test_ctrl_c_stops_whatever_fits_the_net(run):
    """A model of three epochs must not count as one of six."""
    broken = estimator(callbacks=[Breaks(3, None, "ctrl-c")], schedule="shuffled")

    with pytest.raises(KeyboardInterrupt):
        run(broken, **data())


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
    model = SharedNet(net(30), **options).fit(**data())
    best = model.history_[:, "valid_loss_macro_best"]
    n_best = len(best) - best[::-1].index(True)
    again = SharedNet(net(n_best), keep="last", **options).fit(**data())

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

    model = estimator(callbacks=[Looks()], keep="best", average="ema").fit(**data())

    seen = dict(model.net_.callbacks_)["extra_0"].seen_
    assert all(map(torch.equal, seen, model.module_.parameters()))


def test_every_row_of_a_new_chunk_is_trained_on():
    seen = []

    class Tape(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            if training:
                seen[-1].append(batch[0])

    X, y, sample_source = data().values()
    schedule = BatchAlternation(epoch_length="all")
    model = estimator(schedule, [Tape()], validation_fraction=None, scaler=None)
    for rows in (slice(0, 200), slice(0, 170), slice(20, 190), slice(20, 190)):
        seen.append([])
        model.partial_fit(X[rows], y[rows], sample_source=sample_source[rows], epochs=1)
        distinct = {tuple(row) for row in torch.cat(seen[-1]).tolist()}
        assert len(distinct) == len(X[rows])


def test_resuming_refuses_other_labels_and_columns(tmp_path):
    X, y, sample_source = data().values()
    estimator(callbacks=[Checkpoint(monitor=None, dirname=tmp_path)]).fit(
        X, y, sample_source=sample_source
    )
    longer = estimator()
    longer.net.set_params(max_epochs=8)

    with pytest.raises(SourceError, match=r"trained on classes=\['0', '1'\], and fit"):
        longer.fit(X, y + 1, sample_source=sample_source, resume_from=tmp_path)
    renamed = np.where(sample_source == "first", "a", sample_source)
    with pytest.raises(SourceError, match=r"trained on sources=\['first', 'second'\]"):
        longer.fit(X, y, sample_source=renamed, resume_from=tmp_path)
    with pytest.raises(SourceError, match=r"trained on n_features=\[5\]"):
        longer.fit(X[:, :4], y, sample_source=sample_source, resume_from=tmp_path)
    with pytest.warns(SourceWarning, match="other rows may be held out"):
        longer.fit(
            X[:180], y[:180], sample_source=sample_source[:180], resume_from=tmp_path
        )
    with pytest.warns(SourceWarning, match="nothing is left to train"):
        estimator().fit(X, y, sample_source=sample_source, resume_from=tmp_path)
    wide = estimator()
    wide.net.set_params(module__hidden_sizes=(7,), max_epochs=8)
    with pytest.raises(SourceError, match=r"does not fit the net: params\.pt: "):
        wide.fit(X, y, sample_source=sample_source, resume_from=tmp_path)


def test_resuming_an_average_needs_the_file_that_holds_it(tmp_path):
    without = Checkpoint(monitor=None, dirname=tmp_path, f_criterion=None)
    estimator(callbacks=[without], average="ema").partial_fit(**data(), epochs=2)

    told = r"no file for the net's criterion, .* write it: f_criterion='criterion\.pt'"
    with pytest.raises(SourceError, match=told):
        estimator(average="ema").fit(**data(), resume_from=tmp_path)


def test_early_stopping_goes_by_the_macro_loss():
    stopping = EarlyStopping(monitor="valid_loss_macro", patience=1, threshold=0.5)

    model = estimator(callbacks=[stopping]).fit(**data())

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
    healthy.fit(**data())

    with pytest.raises(SourceError, match=r"became (nan|inf) in epoch 4"):
        model.fit(**data())

    saved = torch.load(tmp_path / "params.pt", weights_only=True)
    for key, weight in healthy.module_.state_dict().items():
        assert torch.equal(saved[key], weight)
    assert not hasattr(model, "net_")


def test_resuming_says_which_files_are_missing(tmp_path):
    message = (
        r"has no seal\.json, which is written last\. The skorch callback Checkpoint"
    )
    with pytest.raises(SourceError, match=message):
        estimator().fit(**data(), resume_from=tmp_path)
    with pytest.raises(SourceError, match=r"must be the folder of a skorch Checkpoint"):
        estimator().fit(**data(), resume_from=3)


def test_resuming_warns_where_the_best_weights_are_gone(tmp_path):
    checkpoint = Checkpoint(monitor=None, dirname=tmp_path)
    first = estimator(callbacks=[Ruins(2), checkpoint])
    first.partial_fit(**data(), epochs=3)

    with pytest.warns(SourceWarning, match=r"the best one so far, 1, came 2 epochs"):
        estimator(keep="best").fit(**data(), resume_from=tmp_path)


def test_a_history_by_epoch_keeps_the_batches_of_the_last_epoch_only():
    model = estimator(history_detail="epoch").fit(**data())

    lengths = [len(row["batches"]) for row in model.history_]
    assert lengths[:-1] == [0] * 5
    assert lengths[-1] > 0
    whole = estimator().fit(**data())
    for row, other in zip(model.history_, whole.history_):
        assert row["train_loss[first]"] == other["train_loss[first]"]
