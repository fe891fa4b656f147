"""What single rows cost: their means are scikit-learn's losses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, mean_squared_error

from sktandem.stats._losses import aligned, brier_scores, log_losses
from sktandem.stats._row_loss import SQUARED_ERROR

SEEDS = st.integers(0, 9999)


def drawn(seed, n_classes, n=20):
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n)])
    return rng.dirichlet(np.ones(n_classes), size=len(codes)), codes


@given(seed=SEEDS, n_classes=st.integers(2, 5))
def test_the_mean_of_row_log_losses_is_scikit_learns(seed, n_classes):
    p, codes = drawn(seed, n_classes)

    assert log_losses(p, codes).mean() == pytest.approx(log_loss(codes, p))


@given(seed=SEEDS)
def test_the_mean_of_row_brier_scores_of_two_classes_is_scikit_learns(seed):
    p, codes = drawn(seed, 2)

    theirs = brier_score_loss(codes, p[:, 1])
    assert brier_scores(p, codes, 2).mean() == pytest.approx(theirs)


@given(seed=SEEDS, n_classes=st.integers(3, 5))
def test_a_brier_score_is_the_squared_distance_to_the_truth(seed, n_classes):
    p, codes = drawn(seed, n_classes)

    by_hand = ((p - np.eye(n_classes)[codes]) ** 2).sum(axis=1)
    np.testing.assert_allclose(brier_scores(p, codes, n_classes), by_hand)


@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 3)])
def test_the_mean_of_row_squared_errors_is_scikit_learns(shape):
    rng = np.random.default_rng(0)
    y, predicted = rng.normal(size=shape), rng.normal(size=shape)

    ours = SQUARED_ERROR.of_rows(y, predicted)

    assert ours.shape == (7,)
    assert ours.mean() == pytest.approx(mean_squared_error(y, predicted))


@pytest.mark.parametrize(("of_y", "of_predicted"), [((5, 1), (5,)), ((5,), (5, 1))])
def test_a_column_beside_flat_numbers_is_not_broadcast(of_y, of_predicted):
    """Five rows predicted right have no error, whatever their shapes."""
    numbers = np.arange(5.0)

    errors = SQUARED_ERROR.of_rows(numbers.reshape(of_y), numbers.reshape(of_predicted))

    np.testing.assert_array_equal(errors, np.zeros(5))


def test_a_probability_of_zero_costs_what_it_costs_in_scikit_learn():
    p, codes = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1, 0])

    assert log_losses(p, codes).mean() == pytest.approx(log_loss(codes, p))


def test_columns_go_to_the_classes_wanted_and_add_up_to_one():
    given_p = np.array([[0.2, 0.3, 0.5], [0.1, 0.9, 0.0]])
    have, wanted = np.array(["a", "b", "c"]), np.array(["c", "a", "new"])

    parts, kept = aligned(given_p, have, wanted)

    np.testing.assert_allclose(parts, [[5 / 7, 2 / 7, 0], [0, 1, 0]])
    np.testing.assert_allclose(kept, [0.7, 0.1])


def test_a_row_that_gave_all_to_other_classes_is_even():
    parts, kept = aligned(np.array([[0.0, 1.0]]), np.array([0, 1]), np.array([0, 2]))

    np.testing.assert_array_equal(parts, [[0.5, 0.5]])
    np.testing.assert_array_equal(kept, [0.0])


def test_nan_is_never_mistaken_for_an_even_chance():
    parts, _ = aligned(np.full((1, 2), np.nan), np.array([0, 1]), np.array([0, 1]))

    assert np.isnan(parts).all()
    assert np.isnan(log_losses(parts, np.array([0]))).all()


def test_numbers_and_texts_are_told_apart_as_classes():
    have = np.array([0, "0"], dtype=object)

    parts, _ = aligned(np.array([[0.2, 0.8]]), have, np.array(["0", 0], dtype=object))

    np.testing.assert_allclose(parts, [[0.8, 0.2]])
