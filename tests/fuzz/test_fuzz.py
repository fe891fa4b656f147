"""A few cases of every entry, and planted faults that the fuzzer must find."""

import warnings

import numpy as np
import pytest
import torch
from fuzz_data import draw_data
from fuzz_entries import ENTRIES
from fuzz_oracles import Case, check_estimator
from fuzz_run import run_case
from sklearn.linear_model import Ridge

from sktandem import Merged
from sktandem.exceptions import SourceWarning

N_CASES = 3  # of each entry


@pytest.mark.slow
@pytest.mark.parametrize(("first", "entry"), [*enumerate(ENTRIES)])
def test_fuzzed_calls_of_an_entry_hold_to_the_laws(first, entry):
    for number in range(first, len(ENTRIES) * N_CASES, len(ENTRIES)):
        case = run_case(number)
        assert case.entry == entry
        assert not case.faults, f"make fuzz CASE={number}: {case.faults}"


class KeyErrorInFit(Merged):
    def fit(self, X, y, *, sample_source=None):
        return {}["a key"]


class ChangesX(Merged):
    def fit(self, X, y, *, sample_source=None):
        X[:] = 0
        return super().fit(X, y, sample_source=sample_source)


class HalfFitted(Merged):
    def fit(self, X, y, *, sample_source=None):
        self.sources_ = ()
        raise ValueError("no")


class Seeds(Merged):
    def fit(self, X, y, *, sample_source=None):
        torch.manual_seed(0)
        return super().fit(X, y, sample_source=sample_source)


class Repeats(Merged):
    def fit(self, X, y, *, sample_source=None):
        for _ in range(2):
            warnings.warn("again", SourceWarning, stacklevel=2)
        return super().fit(X, y, sample_source=sample_source)


class Drawn(Merged):
    def fit(self, X, y, *, sample_source=None):
        y = y + np.random.RandomState().normal(size=len(y))
        return super().fit(X, y, sample_source=sample_source)


class ByBatch(Merged):
    def predict(self, X, *, sample_source=None):
        return super().predict(X - X[0], sample_source=sample_source)


class Infinite(Merged):
    def predict(self, X, *, sample_source=None):
        return super().predict(X, sample_source=sample_source) / 0.0


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (Merged, None),
        (KeyErrorInFit, "foreign error"),
        (ChangesX, "changed input"),
        (HalfFitted, "half-fitted"),
        (Seeds, "global state"),
        (Repeats, "repeated warning"),
        (Drawn, "differs by second fit"),
        (ByBatch, "differs by order"),
        (Infinite, "not finite"),
    ],
)
def test_a_planted_fault_is_found(kind, fault):
    rng = np.random.default_rng(0)
    data = draw_data(rng, "regression", 0.0)
    data.X, data.weights, data.column = rng.normal(size=(data.n, 3)), None, None
    data.source = np.resize(["a", "b"], data.n)
    case = Case(0, "planted", rng)

    check_estimator(case, kind(Ridge(), random_state=0), data, data)

    assert bool(fault) == any(fault in found for found in case.faults), case.faults


def test_a_case_is_made_of_its_number_and_the_seed_alone():
    of_merged = [run_case(number, 7, entries=("Merged",)).told for number in (3, 5, 3)]

    assert of_merged[0] == of_merged[2] != of_merged[1]
