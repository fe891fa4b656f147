"""Fits that run at once give what they give one after another."""

import os

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.linear_model import LogisticRegression

from sktandem import SourceError, Tandem
from sktandem.model_selection import compare_strategies

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = np.where(X.sum(axis=1) + RNG.normal(size=200) > 0, "ill", "well")
SOURCE = np.repeat(["a", "b"], 100)


def blended(n_jobs):
    model = Tandem(LogisticRegression(), cv=2, n_jobs=n_jobs, random_state=0)
    return model.fit(X, Y, sample_source=SOURCE).predict_proba(X, sample_source=SOURCE)


def compared(n_jobs):
    found = compare_strategies(
        LogisticRegression(),
        X,
        Y,
        sample_source=SOURCE,
        cv=2,
        n_repeats=1,
        n_jobs=n_jobs,
        random_state=0,
    )
    return [contrast.gain for contrast in found.contrasts]


# Multiprocessing hands back all results at the end, as ray does.
@pytest.mark.parametrize("backend", ["threading", "multiprocessing", "loky"])
@pytest.mark.parametrize("numbers", [blended, compared])
def test_every_backend_of_joblib_gives_the_same(numbers, backend):
    with parallel_config(backend=backend):
        found = numbers(n_jobs=2)

    np.testing.assert_allclose(found, numbers(n_jobs=None), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("n_jobs", [0, "all", 1.5])
@pytest.mark.parametrize("numbers", [blended, compared])
def test_a_number_of_processes_that_makes_no_sense_is_refused(numbers, n_jobs):
    with pytest.raises(SourceError, match=f"other than 0, got {n_jobs!r}"):
        numbers(n_jobs=n_jobs)


class Kills(LogisticRegression):
    """Ends its process, as the system does where memory runs out."""

    def fit(self, X, y, sample_weight=None):
        assert os.getpid() != self.C, "this would end the tests"
        os._exit(1)


def test_a_process_of_a_blend_that_dies_is_told_with_members_and_folds():
    model = Tandem(Kills(C=os.getpid()), n_jobs=2)

    told = (
        r"A process of n_jobs=2 died, .* 'own models' on fold 1; 'merged' on fold 1; "
    )
    with pytest.raises(SourceError, match=told):
        model.fit(X, Y, sample_source=SOURCE)
    assert not hasattr(model, "members_")
