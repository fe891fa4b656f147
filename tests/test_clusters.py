"""On a cluster X goes to each worker once, and one that dies costs its fits only."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV

from sktandem import Merged, SourceError, Tandem, stack_sources
from sktandem.model_selection import (
    compare_strategies,
    learning_curve_by_source,
    score_by_source,
)
from sktandem.shift import shift_report

RNG = np.random.default_rng(0)
N = 2000
X = RNG.normal(size=(N, 100))
NUMBERS = X @ RNG.normal(size=100) + RNG.normal(size=N)
Y = np.where(NUMBERS > 0, "ill", "well")
SOURCE = np.repeat(["a", "b"], N // 2)

# The libraries warn of each other, and of sockets as they go.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


class KillsOnce(Ridge):
    """Ends the first process other than the one of the tests that fits it."""

    def __init__(self, folder=None, tests=0, always=False):
        super().__init__()
        self.folder = folder
        self.tests = tests
        self.always = always

    def fit(self, X, y, sample_weight=None):
        if os.getpid() != self.tests and (self.always or self.is_first()):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y, sample_weight)

    def is_first(self):
        try:
            Path(self.folder, "killed").touch(exist_ok=False)
        except FileExistsError:  # of another worker
            return False
        return True


def compared(estimator=None, **settings):
    found = compare_strategies(
        estimator or Ridge(),
        X,
        NUMBERS,
        sample_source=SOURCE,
        strategies=[Merged()],
        cv=10,
        n_repeats=1,
        random_state=0,
        progress=False,
        **settings,
    )
    return [(c.gain, c.low, c.high) for c in found.contrasts]


def blended():
    model = Tandem(Ridge(), members=[Merged()], cv=10, random_state=0)
    return model.fit(X, NUMBERS, sample_source=SOURCE).predict(X, sample_source=SOURCE)


def drawn():
    return learning_curve_by_source(
        Ridge(),
        X,
        NUMBERS,
        sample_source=SOURCE,
        primary_source="a",
        strategies=[Merged()],
        train_sizes=(100, 400),
        n_repeats=1,
        random_state=0,
        progress=False,
    ).gains["merged"]


def searched():
    search = GridSearchCV(Merged(Ridge()), {"estimator__alpha": [1, 10, 100, 1000]})
    search.fit(X, NUMBERS, sample_source=SOURCE)
    return search.cv_results_["mean_test_score"]


@pytest.fixture
def client(cluster):
    while len(cluster.ncores()) < 2:  # one was killed, and is begun again
        time.sleep(0.1)
    return cluster


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    how = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    how |= {"dashboard_address": None, "memory_limit": 0}
    with distributed.LocalCluster(**how) as cluster, distributed.Client(cluster) as c:
        yield c


@pytest.fixture
def sent(client, monkeypatch):
    """The bytes that leave this process, where the scheduler is, and the workers."""
    from distributed.comm.tcp import TCP

    write, here = TCP.write, []

    async def counted(self, *args, **kwargs):
        n = await write(self, *args, **kwargs)
        here.append(n or 0)
        return n

    def between():
        logs = client.run(
            lambda dask_worker: [e["total"] for e in dask_worker.transfer_incoming_log]
        )
        return sum(map(sum, logs.values()))

    before = between()
    monkeypatch.setattr(TCP, "write", counted)
    return lambda: sum(here) + between() - before


@pytest.mark.parametrize("numbers", [compared, blended, drawn, searched])
def test_dask_gives_the_same_and_sends_X_to_each_worker_once(numbers, client, sent):
    with parallel_config(backend="dask"):
        found = numbers()

    np.testing.assert_allclose(found, numbers(), rtol=1e-9, atol=1e-12)
    # To the scheduler, from there to a worker, and to the other one; row numbers of
    # the folds are the rest. With each of twenty tasks it would be 40 times X.
    assert 2 * X.nbytes < sent() < 10 * X.nbytes


def test_a_worker_that_is_killed_costs_its_fits_only(client, tmp_path):
    estimator = KillsOnce(str(tmp_path), os.getpid())
    with parallel_config(backend="dask"):
        found = compared(estimator)

    assert (tmp_path / "killed").exists()
    np.testing.assert_allclose(found, compared(estimator), rtol=1e-9, atol=1e-12)


def test_a_fit_that_kills_every_worker_is_told(client, tmp_path):
    estimator = KillsOnce(str(tmp_path), os.getpid(), always=True)

    told = r"A process of n_jobs=None died, .* 'own models' on fold 1 of repeat 1; "
    with parallel_config(backend="dask"), pytest.raises(SourceError, match=told):
        compared(estimator)


def test_a_comparison_on_a_cluster_goes_on_from_its_folder(client, tmp_path):
    with parallel_config(backend="dask"):
        found = compared(cache=tmp_path)

    assert len(list(tmp_path.iterdir())) == 20
    np.testing.assert_allclose(found, compared(), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(compared(cache=tmp_path), found)


def test_ray_gives_the_same(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    here = os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])
    register_ray()
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        runtime_env={"env_vars": {"PYTHONPATH": here}},
    )
    try:
        with parallel_config(backend="ray", n_jobs=2):
            found = compared(), compared(cache=tmp_path)
            kills = KillsOnce(str(tmp_path), os.getpid())
            with pytest.raises(SourceError, match="A process of n_jobs=None died, mo"):
                compared(kills)
    finally:
        ray.shutdown()

    assert len(list(tmp_path.glob("*.npz"))) == 20
    for each in found:
        np.testing.assert_allclose(each, compared(), rtol=1e-9, atol=1e-12)


# Data that are still to be computed


def dask_array():
    return pytest.importorskip("dask.array").from_array(X[:, :2], chunks=500)


MODEL = Merged(LogisticRegression()).fit(X, Y, sample_source=SOURCE)


@pytest.mark.parametrize(
    "call",
    [
        lambda **given: Merged(LogisticRegression()).fit(**given),
        lambda **given: Tandem(LogisticRegression()).fit(**given),
        lambda **given: compare_strategies(None, **given),
        lambda **given: score_by_source(MODEL, **given),
        lambda **given: shift_report(**given),
    ],
)
@pytest.mark.parametrize("name", ["X", "y", "sample_source"])
def test_arrays_of_dask_are_refused_by_one_message(name, call):
    da = pytest.importorskip("dask.array")
    given = {"X": X, "y": Y, "sample_source": SOURCE}
    given[name] = da.from_array(given[name], chunks=500)

    told = rf"^{name} is an Array of dask, .* what it gives: {name}\.compute\(\)\. "
    with pytest.raises(SourceError, match=told):
        call(**given)


def test_weights_groups_and_datasets_of_dask_are_refused_too():
    da = pytest.importorskip("dask.array")
    ones = da.ones(N)
    with pytest.raises(SourceError, match="sample_weight is an Array of dask"):
        MODEL.fit(X, Y, sample_source=SOURCE, sample_weight=ones)
    with pytest.raises(SourceError, match="groups is an Array of dask"):
        compare_strategies(None, X, Y, sample_source=SOURCE, groups=ones)
    with pytest.raises(SourceError, match="'a': y is an Array of dask"):
        stack_sources({"a": (X, ones), "b": (X, NUMBERS)})
    with pytest.raises(SourceError, match="'a': X is an Array of dask"):
        stack_sources({"a": (dask_array(), NUMBERS), "b": (X, NUMBERS)})
