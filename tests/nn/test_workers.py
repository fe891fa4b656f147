"""Processes that read batches in advance: the same order and numbers, and no traces."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn
from torch.utils.data import Dataset

from sktandem import SharedNet, SourceError, stack_sources
from sktandem.nn._workers import Workers


class Photos(Dataset):
    """Images with noise of their own, as augmentation inside a dataset draws it."""

    def __init__(self, n, seed, *, broken=None, slow=0.0):
        rng = np.random.default_rng(seed)
        self.x = rng.integers(0, 9, size=(n, 3, 2, 2)).astype(np.uint8)
        self.targets = rng.integers(0, 2, n)
        self.broken, self.slow = broken, slow

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, place):
        if place == self.broken:
            raise OSError("cannot read photo 9")
        time.sleep(self.slow)
        noise = torch.rand(1).item() + random.random()
        return self.x[place] + np.float32(noise), self.targets[place]


def shaken(x):
    return x + torch.rand(1)


def photos(**how):
    return stack_sources({"phone": Photos(30, 0, **how), "dslr": Photos(19, 1)})


class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(12, 2)

    def forward(self, X):
        return self.out(X.flatten(1))


def model_of(n_workers=0, *, net=None, **params):
    given = {"max_epochs": 3, "batch_size": 4, "verbose": 0, "lr": 0.01, **(net or {})}
    given |= {"iterator_train__num_workers": n_workers}
    net = NeuralNetClassifier(Flat, criterion=nn.CrossEntropyLoss, **given)
    how = {"scaler": None, "augment": shaken, "random_state": 0}
    return SharedNet(net, **how | params)


def children():
    """Processes that were begun here, but for those that joblib keeps for a while."""
    every = multiprocessing.active_children()
    return [own for own in every if not type(own).__module__.startswith("joblib")]


@pytest.mark.parametrize("heads", ["shared", "source"])
@pytest.mark.parametrize("schedule", ["batches", "plateau", "shuffled", "joint"])
def test_any_number_of_workers_gives_the_same_net(schedule, heads):
    X, y, source = photos()
    fits = []
    for n_workers in (0, 1, 2):
        how = {"schedule": schedule, "heads": heads, "keep": "last"}
        model = model_of(n_workers, **how).fit(X, y, sample_source=source)
        weights = [w.detach().numpy() for w in model.module_.parameters()]
        fits.append((weights, model.history_[:, "train_loss"]))
        assert children() == [], "they end with the fit"
    for weights, losses in fits[1:]:
        assert losses == fits[0][1]
        for a, b in zip(weights, fits[0][0]):
            np.testing.assert_array_equal(a, b)


def test_predictions_are_read_by_workers_of_their_own():
    X, y, source = photos()
    net = {"iterator_valid__num_workers": 2, "iterator_valid__prefetch_factor": 3}
    plain = model_of().fit(X, y, sample_source=source).predict_proba(X)
    model = model_of(net=net).fit(X, y, sample_source=source)

    np.testing.assert_array_equal(model.predict_proba(X), plain)
    assert children() == []


def test_a_fit_goes_on_with_another_number_of_workers():
    X, y, source = photos()
    whole = model_of(keep="last").fit(X, y, sample_source=source)
    part = model_of(1).partial_fit(X, y, sample_source=source, epochs=2)
    part.net_.iterator_train__num_workers = 2
    part.partial_fit(X, y, sample_source=source, epochs=1)

    for a, b in zip(whole.module_.parameters(), part.module_.parameters()):
        assert torch.equal(a, b)


def test_an_item_that_fails_in_a_worker_is_told_of_and_the_workers_end():
    X, y, source = photos(broken=9)
    message = "Item 9 of the Photos of 'phone' fails: OSError: cannot read photo 9"
    with pytest.raises(SourceError, match=message):
        model_of(2).fit(X, y, sample_source=source)
    assert children() == []


class Raises(Callback):
    def __init__(self, error):
        self.error = error

    def on_epoch_end(self, net, **kwargs):
        raise self.error


class Kills(Callback):
    def on_batch_end(self, net, **kwargs):
        for child in children():
            os.kill(child.pid, signal.SIGKILL)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_workers_end_with_a_fit_that_ends_early(error):
    X, y, source = photos()
    with pytest.raises(error):
        model_of(2, net={"callbacks": [Raises(error())]}).fit(
            X, y, sample_source=source
        )
    assert children() == []


def test_a_worker_that_dies_is_told_of():
    X, y, source = photos()
    message = r"A worker that reads batches ended by itself \(exit code -9\)"
    with pytest.raises(SourceError, match=message):
        model_of(1, net={"callbacks": [Kills()]}).fit(X, y, sample_source=source)


class Resets:
    """A queue whose worker is gone before its batch has arrived."""

    def get(self, timeout):
        raise ConnectionResetError("reset by peer")


def ones(rows, nth_pass):
    return torch.ones(len(rows))


def test_a_worker_that_dies_while_it_hands_over_a_batch_is_told_of():
    workers = Workers(ones, 1, 1)
    queue = workers._done
    try:
        workers._done = Resets()
        with pytest.raises(ConnectionResetError):  # it lives: the error is another's
            workers.take([0], 0)
        os.kill(children()[0].pid, signal.SIGKILL)
        with pytest.raises(SourceError, match=r"ended by itself \(exit code -9\)"):
            workers.take([1], 0)
    finally:
        workers._done = queue
        workers.close()


def test_a_lambda_that_cannot_be_handed_to_a_worker_is_told_of():
    X, y, source = photos()
    net = {"iterator_train__multiprocessing_context": "spawn"}
    model = model_of(1, net=net, augment=lambda x: x)
    message = r"num_workers=1 hands X, augment and collate to other processes, and one"
    with pytest.raises(SourceError, match=message):
        model.fit(X, y, sample_source=source)
    assert children() == []


class Tells(Dataset):
    """Tells which process has read an item."""

    def __init__(self, folder, slow):
        self.folder, self.slow, self.targets = folder, slow, np.arange(32) % 2

    def __len__(self):
        return 32

    def __getitem__(self, place):
        (self.folder / str(os.getpid())).touch()
        time.sleep(self.slow)
        return np.ones((3, 2, 2), np.float32), self.targets[place]


def test_every_worker_reads_whichever_source_is_wanted(tmp_path):
    """So nobody has to say how many a slow source needs."""
    folders = {name: tmp_path / name for name in ("fast", "slow")}
    for folder in folders.values():
        folder.mkdir()
    X, y, source = stack_sources(
        {"fast": Tells(folders["fast"], 0.0), "slow": Tells(folders["slow"], 0.01)}
    )
    mine = {str(os.getpid())}  # has read the first items, to size the net

    model_of(2, validation_fraction=None).fit(X, y, sample_source=source)

    readers = {name: set(os.listdir(f)) - mine for name, f in folders.items()}
    assert len(readers["slow"]) == 2
    assert readers["fast"] <= readers["slow"]


def test_memory_is_pinned_for_a_gpu_only():
    X, y, source = photos()
    model = model_of(net={"iterator_train__pin_memory": True})

    model.fit(X, y, sample_source=source)

    plain = model_of().fit(X, y, sample_source=source)
    for a, b in zip(model.module_.parameters(), plain.module_.parameters()):
        assert torch.equal(a, b)


def test_settings_of_a_loader_that_decide_the_order_are_refused():
    X, y, source = photos()
    model = model_of(net={"iterator_train__shuffle": True})
    with pytest.raises(SourceError, match="iterator_train__shuffle=True of the net is"):
        model.fit(X, y, sample_source=source)


def test_no_worker_outlives_a_fit_that_is_killed():
    script = (
        "import os, sys, threading, time\n"
        f"sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
        "import test_workers as t\n"
        "def tell():\n"
        "    while not t.children(): time.sleep(0.05)\n"
        "    print(*(child.pid for child in t.children()), flush=True)\n"
        "threading.Thread(target=tell, daemon=True).start()\n"
        "X, y, source = t.photos(slow=0.05)\n"
        "t.model_of(2, net={'max_epochs': 1000}).fit(X, y, sample_source=source)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    workers = [int(pid) for pid in run.stdout.readline().split()]
    run.kill()
    run.communicate()

    until = time.monotonic() + 20
    while any(map(is_running, workers)) and time.monotonic() < until:
        time.sleep(0.2)
    assert workers
    assert not any(map(is_running, workers))


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
