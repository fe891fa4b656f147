"""Several processes train one net: the one that a single process would train."""

import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import rank_jobs
import torch
import torch.distributed as dist
from rank_jobs import FITS, begin, fits, results, together
from skorch import NeuralNetClassifier
from skorch.callbacks import EpochScoring
from skorch.hf import AccelerateMixin
from small_nets import without_clock
from torch import nn

from sktandem import SharedNet, SourceError, SourceWarning
from sktandem.nn._ranks import Ranks, refuse_apart

needs_ranks = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="no gloo"
)
slow = pytest.mark.slow


@pytest.mark.parametrize("n", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_each_row_of_a_batch_is_that_of_one_rank(n, size):
    rows = torch.arange(50, 50 + n)
    ranks = [Ranks(rank, size, torch.device("cpu")) for rank in range(size)]
    parts, shares = zip(*[each.own(rows) for each in ranks])

    counted = [part for part, share in zip(parts, shares) if share.part]
    assert torch.equal(torch.cat(counted), rows)
    assert all(len(part) for part in parts), "a rank without a row reads one"
    assert sum(share.part for share in shares) == pytest.approx(1)
    assert max(map(len, parts)) - min(map(len, counted)) <= 1


def assert_same(ours, alone):
    """The same weights by the same steps, up to the order of sums."""
    assert len(ours["steps"]) == len(alone["steps"])
    pairs = [*zip(ours["steps"], alone["steps"]), (ours["weights"], alone["weights"])]
    for own, others in pairs:
        for a, b in zip(own, others):
            assert (a is None) == (b is None), "an optimizer passes over such a weight"
            if a is not None:
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    assert len(ours["history"]) == len(alone["history"])
    for own, others in zip(ours["history"], alone["history"]):
        assert list(own) == list(others)
        for key, value in own.items():
            if "loss" in key:
                assert value == pytest.approx(others[key], abs=1e-6), key
            elif key.startswith(("rows_seen", "cursor", "source", "seed")):
                assert value == others[key], key


@slow
@needs_ranks
@pytest.mark.parametrize(
    ("n", "names"),
    [
        (2, list(FITS)),
        (3, ["joint, heads", "losses apart, shuffled", "batches of one"]),
    ],
    ids=["two", "three"],
)
def test_several_processes_train_the_net_that_one_would(n, names, tmp_path):
    ranks = begin(fits, tmp_path, n=n, args=(names,))
    alone = fits(names)
    every = results(ranks, tmp_path)

    for name in names:
        for own in every:
            for what in ("losses", "history"):
                assert own[name][what] == every[0][name][what], (name, what)
            assert_same(own[name], alone[name])


@pytest.fixture(scope="module")
def agreed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agreed")
    return together(rank_jobs.agree, folder, args=(folder,))


@slow
@needs_ranks
def test_ranks_agree_and_only_the_first_one_writes(agreed):
    first, second = agreed

    # Seed and first weights are those of the first rank, and so is what it restores.
    for name in ("unseeded", "dropped", "half", "resumed", "best"):
        for a, b in zip(first[name]["weights"], second[name]["weights"]):
            np.testing.assert_array_equal(a, b)
        assert first[name]["history"] == second[name]["history"]
    # Each draws numbers of its own for dropout, the same in a second fit.
    for a, b in zip(first["dropped"]["weights"], first["dropped again"]["weights"]):
        np.testing.assert_array_equal(a, b)
    assert "seal.json" in first["written"]
    assert "train_loss" in first["shown"]
    assert (second["written"], second["shown"]) == ([], "")
    for a, b in zip(first["resumed"]["weights"], first["whole"]["weights"]):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)
    resumed, whole = (without_clock(first[k]["history"]) for k in ("resumed", "whole"))
    assert resumed == whole
    # A process that a rank forks trains by itself.
    np.testing.assert_allclose(first["forked"], rank_jobs.fit()["weights"][0])


@slow
@needs_ranks
def test_comparisons_and_blends_are_those_of_one_process(agreed):
    alone = rank_jobs.small_search()
    for own in agreed:
        for name, values in own["search"].items():
            np.testing.assert_array_equal(values, agreed[0]["search"][name])
            np.testing.assert_allclose(values, alone[name], atol=1e-5)


REFUSED = {
    "batch norm": r"BatchNorm1d '0' would go by the rows of one rank, and 2 processes "
    r"train the net\. On GPUs convert the module by .*convert_sync_batchnorm",
    "wrapper": "wrapped in DistributedDataParallel, which would average gradients that "
    r"are added up already\. Give the net the module itself",
    "statistic": r"'module\.mean' of rank 1 is no longer that of rank 0 after epoch 1",
    "own step": r"'module\.weight' of rank 1 .* a train_step of AllOnItsOwn that does "
    r"not go by loss\.backward",
    "weights of classes": "CrossEntropyLoss with weight= for classes is a weighted",
    "left-out rows": "CrossEntropyLoss with ignore_index=1 leaves rows out, so that "
    "the losses of several processes do not add up",
    "pairs": "by Pairs is not the mean over the rows of a batch",
    "pairs, heads": r"Use a criterion that takes the mean, or one process; "
    r"balance='classes' weights the rows of each class",
    "part of a batch": "HalfBatches computed the loss of 1 rows in a batch of 3",
    "schedule": "is at a batch of .3. rows of 'few', and another rank is at another",
    "score": r"The callback 'acc' scores training batches, .* Set use_caching=False",
    "thread": "fits of several threads would mix with each other. Fit in the main",
    "batch size": r"Rank 1 of 2 fits with batch_size=\(11, 11\), rank 0 with \(10,",
    "rate": r"Rank 1 of 2 fits with optimizer__lr=\[0\.2\], rank 0 with \[0\.1\]",
    "rows": r"Rank 1 of 2 fits other values of X than rank 0\. Give every rank all",
}


@slow
@needs_ranks
def test_what_ranks_could_not_share_is_refused_by_all(tmp_path):
    first, second = together(rank_jobs.refusals, tmp_path)

    assert set(REFUSED) == set(rank_jobs.REFUSED)
    for name, match in REFUSED.items():
        assert re.match("SourceError: ", first[name]), (name, first[name])
        assert re.search(match, first[name]), (name, first[name])
        assert re.match("SourceError: ", second[name]), (name, second[name])
    assert first["fit"] == second["fit"], "the ranks are together as before"


@slow
@needs_ranks
@pytest.mark.parametrize("how", ["killed", "fails"])
def test_a_rank_that_ends_ends_the_others(how, tmp_path):
    ranks = begin(rank_jobs.until_one_ends, tmp_path, args=(how,))
    told, attributes = results(ranks[:1], tmp_path)[0]
    for process in ranks[1:]:
        process.join(60)

    assert told.startswith("SourceError: Rank 0 of 2 no longer reaches the others: ")
    assert "resume_from goes on from a checkpoint" in told
    assert not re.search("tim(ed|e) ?out", told, re.IGNORECASE), "it did not wait"
    assert not [name for name in attributes if name.endswith("_")], (
        "nothing half-fitted"
    )
    assert ranks[1].exitcode != 0


@slow
@needs_ranks
def test_a_rank_that_fails_and_lives_ends_the_fit_of_the_others(tmp_path):
    ranks = together(rank_jobs.one_fails_and_all_go_on, tmp_path, n=3)

    told, histories = zip(*ranks)
    assert told[1] == "OSError: no such file"
    for rank in (0, 2):
        match = f"SourceError: Rank {rank} of 3 no longer reaches the others: "
        assert re.match(match, told[rank])
        assert not re.search("tim(ed|e) ?out", told[rank], re.IGNORECASE)
    assert histories[0] == histories[1] == histories[2], "they are together as before"


def test_synchronised_normalisation_is_let_through():
    class Normal(nn.Sequential):
        def __init__(self, n_features=3, n_outputs=2):
            super().__init__(
                nn.SyncBatchNorm(n_features), nn.Linear(n_features, n_outputs)
            )

    score = EpochScoring("accuracy", on_train=True, use_caching=False)
    net = NeuralNetClassifier(Normal, callbacks=[("acc", score)]).initialize()
    refuse_apart(net, Ranks(0, 2, torch.device("cpu")))


def test_processes_that_do_not_know_of_each_other_are_told(monkeypatch):
    X, y = np.zeros((8, 2)), np.array([0, 1] * 4)
    net = NeuralNetClassifier(
        nn.Linear(2, 2), criterion=nn.CrossEntropyLoss, verbose=0, max_epochs=1
    )
    model = SharedNet(net, schedule="shuffled", validation_fraction=None)
    monkeypatch.setenv("WORLD_SIZE", "4")
    model.fit(X, y)  # another launcher's variable says nothing
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    match = r"torchrun has started 4 processes, .* Call torch\.distributed\.init_proc"
    with pytest.warns(SourceWarning, match=match):
        model.fit(X, y)


def test_a_net_of_accelerate_is_refused_by_name():
    class Accelerated(AccelerateMixin, NeuralNetClassifier):
        pass

    net = Accelerated(nn.Linear(2, 2), accelerator=object(), device="cpu")
    match = "Accelerated leaves its batches and its module to accelerate, and SharedNet"
    with pytest.raises(SourceError, match=match):
        SharedNet(net).fit(np.zeros((8, 2)), [0, 1] * 4)


RECIPE = """
    import numpy as np, torch.distributed as dist
    from sktandem import SharedNet
    from sktandem.datasets import load_wine_quality
    from sktandem.nn import default_net

    dist.init_process_group("gloo")
    X, y, wine = load_wine_quality(return_X_y=True)
    model = SharedNet(default_net("regression", max_epochs=1), random_state=0)
    model.fit(X[::10], y[::10], sample_source=wine[::10])
    if dist.get_rank() == 0:
        print(dist.get_world_size(), model.predict(X[:3]).shape)
    dist.destroy_process_group()
"""


@slow
@needs_ranks
def test_torchrun_starts_them(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(RECIPE))
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    run = [*start, "--nproc-per-node=2", str(script)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)

    assert done.stdout.split("\n")[0] == "2 (3,)", done.stderr
