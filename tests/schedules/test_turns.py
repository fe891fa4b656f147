"""Turns are spread as evenly as can be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktandem.schedules._turns import evenly, turns

WHOLE = st.lists(st.integers(1, 40), min_size=1, max_size=9)


@given(shares=st.lists(st.floats(1e-3, 1), min_size=2, max_size=30))
def test_no_source_is_ever_a_whole_step_ahead_or_behind(shares):
    steps = np.arange(1, 301)

    chosen = np.array(list(evenly(shares, 300)))

    had = np.cumsum(chosen[:, None] == np.arange(len(shares)), axis=0)
    owed = np.outer(steps, np.array(shares) / sum(shares))
    bound = 1 - 1 / (2 * len(shares) - 2)
    assert np.abs(had - owed).max() <= bound + 1e-9


@given(counts=WHOLE, times=st.integers(1, 3))
def test_whole_shares_are_met_exactly_and_then_met_again(counts, times):
    chosen = list(evenly(counts, times * sum(counts)))

    expected = [times * count for count in counts]
    assert np.bincount(chosen, minlength=len(counts)).tolist() == expected
    assert chosen == chosen[: sum(counts)] * times


@given(n_sources=st.integers(1, 9))
def test_equal_shares_are_a_round_robin_in_order(n_sources):
    expected = list(range(n_sources)) * 3

    assert list(evenly([0.1] * n_sources, 3 * n_sources)) == expected


def test_a_share_of_zero_has_no_turn():
    assert set(evenly([0, 2, 0, 1], 30)) == {1, 3}


@given(n_batches=WHOLE, length=st.integers(1, 9))
def test_turns_hold_every_batch_once(n_batches, length):
    chosen = list(turns(n_batches, length))

    assert np.bincount(chosen, minlength=len(n_batches)).tolist() == n_batches


@pytest.mark.parametrize("length", [2, 3])
def test_only_the_last_turn_of_a_source_is_short(length):
    chosen = list(turns([5, 5], length))

    expected = {2: [0, 0, 1, 1, 0, 0, 1, 1, 0, 1], 3: [0, 0, 0, 1, 1, 1, 0, 0, 1, 1]}
    assert chosen == expected[length]
