"""A bandit over the sources."""

from itertools import chain

import numpy as np
import pytest
from schedule_driver import RED_AND_WHITE, train, trained

from sktandem.exceptions import SourceError
from sktandem.schedules import Bandit, Sizes


def share_of_white(history):
    drawn = list(chain.from_iterable(trained(history)))
    return np.mean([source == "white" for source in drawn])


def white_is_hard(name, n_steps):
    return {"red": 0.4, "white": 0.8}[name]


def red_is_hard(name, n_steps):
    return {"red": 0.8, "white": 0.4}[name]


def test_the_draws_move_to_the_source_that_hurts():
    history = train(Bandit(epoch_length=400), n_epochs=4, train_loss=white_is_hard)

    first = np.mean(
        [batch["source"] == "white" for batch in history[0]["batches"][:16]]
    )
    assert first < 0.8
    assert 0.9 < share_of_white(history[1:]) < 0.99


@pytest.mark.slow
@pytest.mark.parametrize("floor", [0.1, 0.4, 1.0])
def test_no_source_is_drawn_less_than_the_floor(floor):
    schedule = Bandit(floor=floor, epoch_length=2000)

    history = train(schedule, n_epochs=4, train_loss=white_is_hard)

    share_of_red = 1 - share_of_white(history)
    assert share_of_red > floor / 2 - 0.015
    log_weights = history[-1]["plan"]["log_weights"]
    assert schedule._probabilities(log_weights).min() >= floor / 2


def test_a_source_comes_back_when_the_losses_turn():
    schedule = Bandit(epoch_length=1000)
    history = train(schedule, n_epochs=3, train_loss=white_is_hard)

    history = train(schedule, n_epochs=3, history=history, train_loss=red_is_hard)

    assert share_of_white(history[2:3]) > 0.9
    assert share_of_white(history[5:6]) < 0.1


def test_gain_moves_the_draws_to_the_source_that_learns():
    def only_white_learns(name, n_steps):
        return 9.0 if name == "red" else 5.0 * 0.999 ** n_steps["white"]

    schedule = Bandit("gain", epoch_length=1000)
    history = train(schedule, n_epochs=2, train_loss=only_white_learns)

    assert share_of_white(history[1:]) > 0.85


def test_equal_losses_leave_the_draws_even():
    history = train(Bandit(epoch_length=4000), train_loss=lambda name, n_steps: 0.5)

    assert share_of_white(history) == pytest.approx(0.5, abs=0.03)


def test_a_loss_that_is_not_finite_teaches_nothing():
    def red_breaks(name, n_steps):
        return float("nan") if name == "red" else 0.5

    history = train(Bandit(epoch_length=64), train_loss=red_breaks)

    assert np.isfinite(history[-1]["plan"]["log_weights"]).all()
    assert history[-1]["plan"]["losses"] == [None, 0.5]


def test_within_a_block_the_probabilities_stay():
    """One block for the whole epoch: the losses cannot matter yet."""
    schedule = Bandit(block=100, epoch_length=100)

    hard, harder = (
        trained(train(schedule, train_loss=loss))
        for loss in (white_is_hard, red_is_hard)
    )

    assert hard == harder


@pytest.mark.slow
def test_what_is_remembered_does_not_grow_without_end():
    sizes = Sizes(("red", "white"), (60, 60), (30, 30))

    history = train(Bandit(epoch_length=8000, block=2), sizes)

    assert len(history[-1]["plan"]["rewards"]) == 200


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reward": "gains"}, "reward must be one of .* Did you mean 'gain'"),
        ({"floor": 0}, "floor must be a number above 0 and at most 1, got 0"),
        ({"step_size": -0.1}, "step_size must be a number above 0, got -0.1"),
        ({"block": 1.5}, "block must be a whole number of at least 1, got 1.5"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(SourceError, match=message):
        Bandit(**settings).check(RED_AND_WHITE)
