"""A folder keeps what was done: a run that was cut short goes on from there."""

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.linear_model import LogisticRegression

from sktandem import Merged, SourceError, SourceWarning, Tandem
from sktandem.model_selection import compare_strategies, learning_curve_by_source

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = np.where(X.sum(axis=1) + RNG.normal(size=200) > 0, "ill", "well")
SOURCE = np.repeat(["a", "b"], 100)
N_TASKS = 6  # two strategies on three folds


class Counted(LogisticRegression):
    """Writes a line for each fit."""

    def __init__(self, log=None, C=1.0):
        super().__init__(C=C)
        self.log = log

    def fit(self, X, y, sample_weight=None):
        with open(self.log, "a") as file:
            file.write("fit\n")
        return super().fit(X, y, sample_weight)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log"
    path.touch()
    return str(path)


def n_fits(log):
    return len(Path(log).read_text().splitlines())


def compared(estimator, X=X, y=Y, **settings):
    given = {"random_state": 0, "progress": False, "cv": 3, "n_repeats": 1}
    given |= {"strategies": [Merged()], "sample_source": SOURCE, **settings}
    found = compare_strategies(estimator, X, y, **given)
    return [(c.gain, c.low, c.high, c.score_gain) for c in found.contrasts]


def blended(estimator, X=X, y=Y, **settings):
    model = Tandem(estimator, **{"random_state": 0, "cv": 3, **settings})
    model.fit(X, y, sample_source=SOURCE)
    return model.predict_proba(X, sample_source=SOURCE)


def drawn(estimator, X=X, y=Y, **settings):
    given = {"random_state": 0, "progress": False, "cv": 3, "n_repeats": 1}
    given |= {"strategies": [Merged()], "train_sizes": (20, 40), **settings}
    how = {"sample_source": SOURCE, "primary_source": "a"}
    return learning_curve_by_source(estimator, X, y, **how, **given).gains["merged"]


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


# Going on -------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
@pytest.mark.parametrize("run", [compared, drawn])
def test_what_was_done_is_not_done_again(run, backend, tmp_path, log):
    expected = run(Counted(log))
    n_once = n_fits(log)

    with parallel_config(backend=backend):
        first = run(Counted(log), cache=tmp_path / "kept", n_jobs=2)
    n_twice = n_fits(log)
    again = run(Counted(log), cache=str(tmp_path / "kept"))

    assert (n_twice, n_fits(log)) == (2 * n_once, 2 * n_once)
    assert_same(first, expected)
    assert_same(again, expected)


def test_members_of_a_blend_that_was_done_are_fitted_on_all_rows_only(tmp_path, log):
    expected = blended(Counted(log), members=[Merged()])
    n_once = n_fits(log)  # on three folds, and on all rows
    first = blended(Counted(log), members=[Merged()], cache=tmp_path / "kept")
    again = blended(Counted(log), members=[Merged()], cache=tmp_path / "kept")

    assert n_fits(log) == n_once + n_once + n_once / 4
    assert_same(first, expected)
    assert_same(again, expected)


def test_rows_of_unknown_sources_are_asked_once(tmp_path, log):
    three = np.repeat(["a", "b", "c", "a"], 50)

    def run():
        model = Tandem(
            Counted(log),
            members=[Merged()],
            cv=2,
            unknown_source="pooled",
            cache=tmp_path / "kept",
            random_state=0,
        )
        model.fit(X, Y, sample_source=three)
        return model.predict_proba(X[:9], sample_source=["d"] * 9)

    with pytest.warns(SourceWarning, match="9 rows of 9"):
        expected, n_once = run(), n_fits(log)
    with pytest.warns(SourceWarning, match="9 rows of 9"):
        assert_same(run(), expected)
    assert n_fits(log) - n_once == 3 + 1  # own models, and a merge, on all rows


def test_only_what_is_new_is_fitted(tmp_path, log):
    def n_new(X=X, y=Y, estimator=None, **settings):
        before = n_fits(log)
        compared(estimator or Counted(log), X, y, cache=tmp_path, **settings)
        return n_fits(log) - before

    other_X, other_y = X.copy(), Y.copy()
    other_X[7, 1] += 1e-9
    other_y[7] = "ill" if Y[7] == "well" else "well"

    assert n_new() == 3 * (2 + 1)  # own models of two sources, and a merge
    assert n_new() == 0
    assert n_new(n_repeats=2) == 9
    assert n_new(strategies=[Merged(), Merged(balance="sources")]) == 3
    assert n_new(strategies={"by another name": Merged()}) == 0
    assert n_new(scaler=None) == 9
    assert n_new(estimator=Counted(log, C=2.0)) == 9
    assert n_new(scoring="roc_auc") == 9
    assert n_new(random_state=1) == 9
    assert n_new(X=other_X) == 9
    assert n_new(y=other_y) == 9
    assert n_new() == 0


def test_a_fit_that_failed_is_tried_again(tmp_path, log):
    class Fails(Counted):
        def fit(self, X, y, sample_weight=None):
            if Path(self.log).with_name("full").exists():
                raise OSError("no room")
            return super().fit(X, y, sample_weight)

    full = Path(log).with_name("full")
    full.touch()
    with pytest.raises(SourceError, match="no room"):
        compared(Fails(log), cache=tmp_path / "kept")
    full.unlink()

    assert_same(compared(Fails(log), cache=tmp_path / "kept"), compared(Fails(log)))


def test_how_many_fits_were_there_is_told(tmp_path, log, capsys):
    compared(Counted(log), cache=tmp_path, n_repeats=2, progress=True)
    compared(Counted(log), cache=tmp_path, n_repeats=3, progress=True)
    compared(Counted(log), cache=tmp_path, n_repeats=3)
    told = [line for line in capsys.readouterr().err.splitlines() if "folder" in line]
    assert told == [
        f"0 of 12 fits were in the folder {tmp_path}",
        f"12 of 18 fits were in the folder {tmp_path}",
    ]
    for _ in range(2):
        blended(Counted(log), members=[Merged()], cache=tmp_path, verbose=1)
    told = [line for line in capsys.readouterr().out.splitlines() if "folder" in line]
    assert told == [
        f"[Tandem] 0 of 8 fits were in the folder {tmp_path}",
        f"[Tandem] 6 of 8 fits were in the folder {tmp_path}",
    ]


def test_nets_go_on_as_they_were_trained_together(tmp_path):
    pytest.importorskip("torch")
    from sktandem.nn import default_net

    net = default_net("classification", max_epochs=1, module__hidden_sizes=(4,))

    def run(**settings):
        found = compare_strategies(
            net,
            X,
            Y,
            sample_source=SOURCE,
            strategies="default",
            cv=4,
            n_repeats=3,
            random_state=0,
            progress=False,
            **settings,
        )
        return [c.gain for c in found.contrasts], found.nets

    gains, nets = run()
    run(cache=tmp_path)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2  # parts of 32 fits
    files[0].unlink()
    again, told = run(cache=tmp_path)
    kept, _ = run(cache=tmp_path)

    assert told == nets
    assert_same(again, gains)
    assert_same(kept, gains)
    blend = blended(net, members="default")
    for _ in range(2):
        assert_same(blended(net, members="default", cache=tmp_path), blend)
    assert len(list(tmp_path.iterdir())) == 3  # of the folds; fits on all rows are not


SCRIPT = """
import json, sys, time
import numpy as np
from sklearn.linear_model import LogisticRegression
from sktandem import Merged, Tandem
from sktandem.model_selection import compare_strategies

class Slow(LogisticRegression):
    def __init__(self, log=None):
        super().__init__()
        self.log = log

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        time.sleep(0.02)
        with open(self.log, "a") as file:
            file.write("fit\\n")
        return self

which, log, cache, n_jobs, out = sys.argv[1:]
how = {"cache": cache or None, "n_jobs": int(n_jobs), "random_state": 0}
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 3))
y = np.where(X.sum(axis=1) + rng.normal(size=200) > 0, "ill", "well")
source = np.repeat(["a", "b"], 100)
if which == "compare":
    found = compare_strategies(
        Slow(log), X, y, sample_source=source, strategies=[Merged()], cv=10,
        n_repeats=2, progress=False, **how,
    )
    found = [[c.gain, c.low, c.high] for c in found.contrasts]
else:
    model = Tandem(Slow(log), members=[Merged()], cv=15, **how)
    model.fit(X, y, sample_source=source)
    found = model.predict_proba(X, sample_source=source).tolist()
with open(out, "w") as file:
    json.dump(found, file)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("which", "n_jobs"), [("compare", 2), ("blend", 1)])
def test_a_process_that_is_killed_costs_the_fits_that_were_under_way(
    which, n_jobs, tmp_path
):
    script, out = tmp_path / "script.py", tmp_path / "out"
    script.write_text(SCRIPT)

    def start(name, cache):
        log = tmp_path / name
        log.touch()
        command = [sys.executable, "-W", "error", script, which, log, cache]
        command += [str(n_jobs), out]
        return log, subprocess.Popen(command, start_new_session=True)

    log, whole = start("whole", "")
    assert whole.wait() == 0
    n_all, expected = n_fits(log), json.loads(out.read_text())
    out.unlink()
    rng, n_killed = random.Random(0), 2
    for _ in range(n_killed):
        log, process = start("parts", tmp_path / "kept")
        enough = n_fits(log) + rng.randint(3, n_all // 5)
        while n_fits(log) < enough:
            assert process.poll() is None
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    log, process = start("parts", tmp_path / "kept")

    assert process.wait() == 0
    assert_same(json.loads(out.read_text()), expected)
    # Of each process a task or two, and what was done and not written yet.
    lost = 2 if n_jobs == 1 else 16
    assert n_all <= n_fits(log) <= n_all + lost * n_killed


# Files that are not what was written ----------------------------------------------


class Evil:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def truncated(file, other):
    file.write_bytes(file.read_bytes()[:-100])


def torn(file, other):
    file.write_bytes(b"")


def garbage(file, other):
    file.write_bytes(b"not a file of numpy's")


def of_another_fit(file, other):
    file.write_bytes(other.read_bytes())


def flipped(file, other):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def pickled(file, other):
    with open(file, "wb") as opened:
        pickle.dump(Evil(), opened)


def with_objects(file, other):
    with np.load(file) as found:
        arrays = dict(found)
    key = next(key for key in arrays if key.endswith("log loss"))
    arrays[key] = np.array([Evil()], dtype=object)
    np.savez(file, **arrays)


def of_other_rows(file, other):
    with np.load(file) as found:
        arrays = dict(found)
    key = next(key for key in arrays if key.endswith("log loss"))
    arrays[key] = arrays[key][:-1]
    np.savez(file, **arrays)


@pytest.mark.parametrize(
    "damage",
    [
        *(truncated, torn, garbage, of_another_fit, flipped, pickled),
        *(with_objects, of_other_rows),
    ],
)
def test_a_damaged_file_is_told_of_and_its_fit_done_again(
    damage, tmp_path, log, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    expected = compared(Counted(log), cache=tmp_path / "kept")
    files = sorted((tmp_path / "kept").iterdir())
    assert len(files) == N_TASKS
    before, content = n_fits(log), files[0].read_bytes()
    damage(files[0], files[1])
    assert files[0].read_bytes() != content

    with pytest.warns(SourceWarning, match=rf"{files[0].name} .* is damaged"):
        again = compared(Counted(log), cache=tmp_path / "kept")

    assert 1 <= n_fits(log) - before <= 2
    assert_same(again, expected)
    assert not Path("executed").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(compared(Counted(log), cache=tmp_path / "kept"), expected)


def test_a_full_disk_costs_nothing_but_the_file(tmp_path, log, monkeypatch):
    def full(file, **arrays):
        file.write(b"PK")
        raise OSError(28, "No space left on device")

    expected = compared(Counted(log))
    with monkeypatch.context() as patched:
        patched.setattr(np, "savez", full)
        with pytest.warns(SourceWarning, match="cannot be written: No space") as told:
            found = compared(Counted(log), cache=tmp_path / "kept")

    assert len(told) == 1
    assert_same(found, expected)
    assert list((tmp_path / "kept").iterdir()) == []


# Settings -------------------------------------------------------------------------


@pytest.mark.parametrize("run", [compared, drawn, blended])
def test_a_folder_that_could_not_serve_is_refused(run, tmp_path, log):
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(SourceError, match=r"cache needs a random_state, such as"):
        run(Counted(log), cache=tmp_path, random_state=None)
    with pytest.raises(SourceError, match="path of a folder, got 3"):
        run(Counted(log), cache=3)
    with pytest.raises(SourceError, match="file' cannot be used as a folder: File exi"):
        run(Counted(log), cache=file)
    assert n_fits(log) == 0


@pytest.mark.parametrize("run", [compared, drawn, blended])
def test_what_cannot_be_told_from_another_is_refused(run, tmp_path, log):
    values = (value for value in [1.0])
    estimator = Counted(log, C=lambda: next(values))

    told = r"cannot tell .*\.C.*, a generator, from another: cannot pickle"
    with pytest.raises(SourceError, match=told):
        run(estimator, cache=tmp_path)
    assert n_fits(log) == 0
