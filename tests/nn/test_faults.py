"""Faults: kills, full disks, damaged checkpoints, another set-up, many threads."""

import json
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback, Checkpoint, EarlyStopping
from small_nets import assert_identical
from test_resume import TwoModules

from sktandem import SharedNet, SourceError, SourceWarning
from sktandem.datasets import make_two_sources
from sktandem.nn import MLP, _checkpoint, default_net
from sktandem.nn._seeding import seeded, unmoved

DATA = dict(
    zip(
        ("X", "y", "sample_source"),
        make_two_sources(200, task="classification", random_state=0, return_X_y=True),
    )
)
NAMES = ["criterion.pt", "history.json", "optimizer.pt", "params.pt", "seal.json"]


def estimator(folder=None, *callbacks, max_epochs=4, **settings):
    saves = [] if folder is None else [Checkpoint(monitor=None, dirname=str(folder))]
    every = [
        (f"extra_{i}", callback) for i, callback in enumerate([*saves, *callbacks])
    ]
    net = default_net(max_epochs=max_epochs, module__dropout=0.2, callbacks=every)
    return SharedNet(net, **{"keep": "last", "random_state": 0, **settings})


@pytest.fixture
def saved(tmp_path):
    """The checkpoint of two epochs."""
    estimator(tmp_path).partial_fit(**DATA, epochs=2)
    return tmp_path


@pytest.fixture(scope="module")
def whole():
    return estimator().fit(**DATA)


# The end of a training --------------------------------------------------------


class Other(EarlyStopping):
    """A subclass of the user's stops as well as skorch's own."""


@pytest.mark.parametrize("kind", [EarlyStopping, Other])
def test_early_stopping_is_no_ctrl_c(kind):
    stop = kind(monitor="valid_loss_macro", patience=1, threshold=0.9)

    assert len(estimator(None, stop).fit(**DATA).history_) == 2


# A checkpoint is whole --------------------------------------------------------


def test_a_checkpoint_is_four_files_and_their_seal(saved):
    assert sorted(path.name for path in saved.iterdir()) == NAMES
    seal = json.loads((saved / "seal.json").read_text())
    assert seal["epoch"] == 2
    assert sorted(name for name, _ in seal["files"].values()) == NAMES[:-1]


class Killed(BaseException):
    """What no handler of the package catches, as a kill."""


@pytest.mark.parametrize("n_done", range(6))
def test_a_kill_at_any_moment_of_the_renaming_leaves_a_whole_checkpoint(
    n_done, tmp_path, monkeypatch, whole
):
    real, done = _checkpoint.os.replace, []

    def replace(old, new):
        if len(done) == 5 + n_done:  # five files of the first epoch are in place
            raise Killed
        done.append(real(old, new))

    monkeypatch.setattr(_checkpoint.os, "replace", replace)
    with pytest.raises(Killed):
        estimator(tmp_path).fit(**DATA)
    monkeypatch.undo()
    resumed = estimator(tmp_path).fit(**DATA, resume_from=tmp_path)

    assert_identical(resumed, whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES


class FillsTheDisk(Callback):
    """From an epoch on, files can only be begun."""

    def __init__(self, epoch, patch):
        self.epoch, self.patch = epoch, patch

    def __sklearn_clone__(self):
        return self

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            self.patch.setattr(torch, "save", self.save)

    def save(self, state, file, **kwargs):
        file.write(b"PK")
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_warned_of_and_the_epoch_before_survives(
    tmp_path, monkeypatch, whole
):
    told = (
        r"could not be written to .*: No space left on device\. The folder holds that "
    )
    with pytest.warns(SourceWarning, match=told + "of epoch 2, and the training goes"):
        model = estimator(tmp_path, FillsTheDisk(3, monkeypatch)).fit(**DATA)
    monkeypatch.undo()

    assert len(model.history_) == 4
    assert model.history_[:, "event_cp"] == [True, True, False, False]
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES
    assert_identical(estimator().fit(**DATA, resume_from=tmp_path), whole)


def test_a_disk_that_is_full_from_the_start_holds_nothing(tmp_path, monkeypatch):
    with pytest.warns(SourceWarning, match="The folder holds none, and the training"):
        estimator(tmp_path, FillsTheDisk(1, monkeypatch)).fit(**DATA)

    assert not list(tmp_path.iterdir())


def test_a_name_for_each_epoch_is_resumed_from_its_last(tmp_path, whole):
    save = Checkpoint(
        monitor=None, dirname=str(tmp_path), f_params="at_{last_epoch[epoch]}.pt",
        f_pickle="net.pkl",
    )  # fmt: skip
    estimator(None, save).partial_fit(**DATA, epochs=2)

    assert {"at_1.pt", "at_2.pt", "net.pkl"} <= {p.name for p in tmp_path.iterdir()}
    assert_identical(estimator().fit(**DATA, resume_from=tmp_path), whole)


def test_all_that_was_learned_must_be_in_a_checkpoint(tmp_path):
    def net(**files):
        save = Checkpoint(monitor=None, dirname=str(tmp_path), **files)
        settings = {"criterion": torch.nn.CrossEntropyLoss, "verbose": 0}
        return SharedNet(
            TwoModules(MLP, max_epochs=2, callbacks=[save], **settings), random_state=0
        )

    net().partial_fit(**DATA, epochs=1)
    with pytest.raises(SourceError, match=r"net's second, .*: f_second='second\.pt'"):
        net().fit(**DATA, resume_from=tmp_path)

    net(f_second="second.pt").partial_fit(**DATA, epochs=1)
    resumed = net(f_second="second.pt").fit(**DATA, resume_from=tmp_path)
    assert len(resumed.history_) == 2


# Damage -----------------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def replaced_by(content):
    return lambda path: path.write_bytes(content)


@pytest.mark.parametrize("name", NAMES[:-1])
@pytest.mark.parametrize(
    "damage",
    [cut, flip, replaced_by(b""), replaced_by(b"{"), replaced_by(b"\x80\x04."),
     lambda path: path.unlink()],
    ids=["cut", "flipped", "empty", "garbage", "pickle", "gone"],
)  # fmt: skip
def test_a_damaged_checkpoint_is_refused(saved, name, damage):
    damage(saved / name)

    told = rf"resume_from='.*' is damaged: \['{name}'\] are not as they were .* again w"
    with pytest.raises(SourceError, match=told):
        estimator().fit(**DATA, resume_from=saved)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"files": {"f_params": 1}, "seed": 1}', "\xff"]
)
def test_a_damaged_seal_is_refused(saved, content):
    (saved / "seal.json").write_text(content, encoding="latin-1")

    told = r"resume_from='.*' is damaged: seal\.json cannot be read \(.* Resume from an"
    with pytest.raises(SourceError, match=told):
        estimator().fit(**DATA, resume_from=saved)


def test_files_of_another_epoch_are_refused(saved, tmp_path_factory):
    """As a kill leaves them that falls between two files of skorch's own."""
    later = tmp_path_factory.mktemp("later")
    estimator(later).partial_fit(**DATA, epochs=3)
    shutil.copy(later / "params.pt", saved / "params.pt")

    with pytest.raises(SourceError, match=r"is damaged: \['params\.pt'\] are not as"):
        estimator().fit(**DATA, resume_from=saved)


def forge(folder, name, content):
    """Write a file and a seal that vouches for it."""
    (folder / name).write_bytes(content)
    seal = json.loads((folder / "seal.json").read_text())
    for file in seal["files"].values():
        file[1] = _checkpoint._fingerprint(folder / file[0])
    (folder / "seal.json").write_text(json.dumps(seal))


class Malicious:
    ran = False

    def __reduce__(self):
        return setattr, (Malicious, "ran", True)


@pytest.mark.parametrize("name", ["params.pt", "optimizer.pt"])
@pytest.mark.parametrize("loads", [None, {"weights_only": False}])
def test_no_pickle_is_run(saved, name, loads):
    """Not even where the net itself would let one run."""
    forge(saved, name, pickle.dumps(Malicious()))
    model = estimator()
    model.net.set_params(torch_load_kwargs=loads)

    with pytest.raises(SourceError, match=rf"does not fit the net: {name}: "):
        model.fit(**DATA, resume_from=saved)

    assert not Malicious.ran


def test_a_foreign_history_is_refused(saved):
    forge(saved, "history.json", b"3")

    with pytest.raises(SourceError, match="has no history that can be read"):
        estimator().fit(**DATA, resume_from=saved)


# Another set-up ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scaler": None}, "on scaler=standard, and fit has None"),
        (
            {"scaler": FunctionTransformer(np.tanh)},
            r"fit has FunctionTransformer\(func=<ufunc 'tanh'>\)",
        ),
        ({"scale_by": "source"}, "on scale_by=pooled, and fit has source"),
        ({"heads": "source"}, "on heads=shared, and fit has source"),
        (
            {"validation_fraction": 0.3},
            r"on validation_fraction=0\.2, and fit has 0\.3",
        ),
        ({"average": "ema"}, "on average=None, and fit has ema"),
        ({"net__optimizer": torch.optim.SGD}, "on optimizer=AdamW?, and fit has SGD"),
        ({"net__module__hidden_sizes": (7,)}, r"does not fit the net: params\.pt"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(saved, settings, message):
    model = estimator().set_params(**settings)
    if "net__optimizer" in settings:
        model.net.set_params(optimizer__fused=None)

    with pytest.raises(SourceError, match=message):
        model.fit(**DATA, resume_from=saved)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({"X": DATA["X"] + 1e-9}, "other values of X than fit has, in the same num"),
        ({"y": np.roll(DATA["y"], 1)}, "other values of .*y"),
    ],
)
def test_a_checkpoint_of_other_values_is_refused(saved, what, told):
    with pytest.raises(SourceError, match=told):
        estimator().fit(**DATA | what, resume_from=saved)


def test_another_schedule_and_another_seed_are_warned_of(saved):
    with pytest.warns(
        SourceWarning, match=r"with schedule=Batch.*, and goes on with E"
    ):
        estimator(schedule="epochs").fit(**DATA, resume_from=saved)
    with pytest.warns(SourceWarning, match="random_state=1 is not that of the checkpo"):
        estimator(random_state=1).fit(**DATA, resume_from=saved)
    with pytest.warns(SourceWarning, match="with batch_size=None, and goes on with 8"):
        estimator(batch_size=8).fit(**DATA, resume_from=saved)


# Threads ----------------------------------------------------------------------


def test_equal_seeds_give_equal_fits_in_four_threads(whole):
    """Dropout draws from torch's one stream of random numbers."""
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: estimator().fit(**DATA), range(8)))

    for model in made:
        assert_identical(model, whole)


def test_predictions_in_other_threads_move_no_fit_and_do_not_wait_for_it(whole):
    class Predicts(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            with ThreadPoolExecutor(1) as pool:
                pool.submit(whole.predict, DATA["X"][:5]).result(timeout=60)

    assert_identical(estimator(None, Predicts()).fit(**DATA), whole)


def test_torch_s_own_numbers_stay_where_they_were():
    torch.manual_seed(3)
    expected = torch.rand(2)

    torch.manual_seed(3)
    with seeded(1, "cpu"), unmoved("cpu"):
        torch.rand(5)
    with unmoved("cpu"):
        torch.rand(5)

    assert torch.equal(torch.rand(2), expected)
