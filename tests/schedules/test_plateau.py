"""Alternation on a plateau."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_driver import RED_AND_WHITE, through_json, train, trained

from sktandem.exceptions import SourceError
from sktandem.schedules import PlateauAlternation, Sizes

LOSSES = st.lists(st.floats(0, 0.1), min_size=24, max_size=24)


def scripted(losses):
    """Return a validation loss that is read off a list, step by step."""
    return lambda name, n_steps: losses[n_steps.total() - 1]


def tutorial(losses):
    """Return the source of each batch as the loop found in tutorials trains them."""
    current, seen, sources = 0, [], []
    for loss in losses:
        sources.append(["red", "white"][current])
        seen.append(loss)
        if len(seen) > 5 and abs(seen[-5] - seen[-1]) <= 0.01:
            current = 1 - current
    return sources


@settings(max_examples=50)
@given(losses=LOSSES, epoch_length=st.sampled_from([1, 4, 6, 24]))
def test_the_rule_of_tutorials_comes_out_whatever_an_epoch_is(losses, epoch_length):
    schedule = PlateauAlternation(
        window=5,
        threshold=0.01,
        rule="absolute",
        monitor="red",
        check_every="batch",
        check_in="train",
        reset_on_switch=False,
        min_history=6,
        epoch_length=epoch_length,
    )

    history = train(schedule, n_epochs=24 // epoch_length, valid_loss=scripted(losses))

    assert list(chain.from_iterable(trained(history))) == tutorial(losses)


def test_the_rule_of_tutorials_is_measured_in_training_mode():
    schedule = PlateauAlternation(check_every="batch", check_in="train")
    plan = schedule.plan(RED_AND_WHITE, [{}], None)

    next(plan)

    assert next(plan).as_trained


def red_by_epoch(losses):
    """Return a loss by epoch, for epochs of one batch."""
    return lambda name, n_steps: losses[min(n_steps.total(), len(losses)) - 1]


def turns_of(schedule, losses):
    schedule.set_params(epoch_length=1)
    history = train(schedule, n_epochs=len(losses), valid_loss=red_by_epoch(losses))
    return "".join(row["source"][0] for row in history)


def test_a_rising_loss_has_stalled_for_the_signed_rule_only():
    rising = [0.1, 0.2, 0.3, 0.4, 0.5]

    assert turns_of(PlateauAlternation(3), rising) == "rrrww"
    assert turns_of(PlateauAlternation(3, rule="absolute"), rising) == "rrrrr"


def test_a_dip_within_the_window_is_progress_for_the_signed_rule_only():
    dip = [0.5, 0.2, 0.5, 0.5, 0.5]

    assert turns_of(PlateauAlternation(3), dip) == "rrrrw"
    assert turns_of(PlateauAlternation(3, rule="absolute"), dip) == "rrrww"


def test_turns_are_no_shorter_and_no_longer_than_asked():
    flat, falling = [0.5] * 9, list(np.linspace(9, 1, 9))

    assert turns_of(PlateauAlternation(2, min_turn=4), flat) == "rrrrwwwwr"
    assert turns_of(PlateauAlternation(2, max_turn=3), falling) == "rrrwwwrrr"
    assert turns_of(PlateauAlternation(2, min_history=3), flat) == "rrrwwwrrr"


def test_without_a_reset_the_losses_of_the_turn_before_count():
    flat = [0.5] * 6

    assert turns_of(PlateauAlternation(3), flat) == "rrrwww"
    assert turns_of(PlateauAlternation(3, reset_on_switch=False), flat) == "rrrwrw"


@pytest.mark.parametrize(
    ("monitor", "expected"),
    [("active", "rrww"), ("red", "rrww"), ("white", "rrrr"), ("macro", "rrrr")],
)
def test_the_monitored_loss_alone_decides(monitor, expected):
    def only_red_is_flat(name, n_steps):
        return 0.5 if name == "red" else 9.0 - n_steps.total()

    schedule = PlateauAlternation(2, monitor=monitor, epoch_length=1)
    history = train(schedule, n_epochs=4, valid_loss=only_red_is_flat)

    assert "".join(row["source"][0] for row in history) == expected


def test_pooled_watches_the_mean_over_all_rows():
    def balanced(name, n_steps):  # three rows of white for each of red
        return n_steps.total() * (3 if name == "red" else -1) + 9.0

    schedule = PlateauAlternation(2, monitor="pooled", epoch_length=1)
    history = train(schedule, n_epochs=3, valid_loss=balanced)

    assert [row["source"] for row in history] == ["red", "red", "white"]


def test_the_training_stops_when_each_source_has_stalled_again():
    """Two turns to set the best losses, two to leave them: 4 turns of 2."""
    history = train(
        PlateauAlternation(2, epoch_length=1),
        n_epochs=9,
        valid_loss=lambda name, n_steps: 0.5,
    )

    assert [row.get("stopped", False) for row in history] == [False] * 8 + [True]
    assert len(history[-1]["batches"]) == 1


@pytest.mark.parametrize(("check_every", "length"), [("epoch", 1), ("batch", 20)])
def test_whoever_goes_on_after_a_stop_gives_each_source_a_new_turn(check_every, length):
    """One turn each, of two losses: the best losses are those of before the stop."""
    schedule = PlateauAlternation(2, check_every=check_every, epoch_length=length)
    history = train(schedule, n_epochs=17, valid_loss=lambda name, n_steps: 0.5)

    batches = np.cumsum([len(row["batches"]) for row in history])
    stops = [batch for batch, row in zip(batches, history) if "stopped" in row]

    if check_every == "epoch":  # a stop is found out with the next epoch's first step
        assert stops == [9, 13, 17]
        assert trained(history)[8:13] == [["red"]] * 2 + [["white"]] * 2 + [["red"]]
    else:
        assert stops == [*range(8, 8 + 4 * 17, 4)]
        assert trained(history)[1] == ["red"] * 2 + ["white"] * 2


@pytest.mark.parametrize("word", ["active", "pooled", "macro"])
def test_a_source_that_is_named_like_a_monitor_is_told_from_it(word):
    sizes = Sizes((word, "white"), (60, 180), (30, 30), validated=(True, True))

    with pytest.raises(SourceError, match=f"monitor='{word}' is both a setting and"):
        PlateauAlternation(monitor=word).check(sizes)

    # Nothing else can be meant by the other source's name.
    schedule = PlateauAlternation(2, monitor="white", epoch_length=1)
    history = train(schedule, sizes, 3, valid_loss=lambda name, n_steps: 0.5)
    assert [row["source"] for row in history] == [word, word, "white"]


def test_by_batch_the_training_stops_at_once():
    schedule = PlateauAlternation(2, check_every="batch", epoch_length=20)

    history = train(schedule, valid_loss=lambda name, n_steps: 0.5)

    assert history[0]["stopped"]
    assert len(history[0]["batches"]) == 8


def test_a_source_that_still_improves_keeps_the_training_going():
    def white_falls_by_turns(name, n_steps):
        return 0.5 if name == "red" else 9.0 - n_steps["white"] // 2

    schedule = PlateauAlternation(2, epoch_length=1)
    history = train(schedule, n_epochs=30, valid_loss=white_falls_by_turns)

    assert not any("stopped" in row for row in history[:16])


def test_without_a_reset_the_training_never_stops_early():
    schedule = PlateauAlternation(2, reset_on_switch=False)

    history = train(schedule, n_epochs=30, valid_loss=lambda name, n_steps: 0.5)

    assert not any("stopped" in row for row in history)


def test_an_epoch_of_another_schedule_is_not_taken_for_a_turn():
    history = train(PlateauAlternation(2), n_epochs=2)
    del history[-1]["plan"]

    assert trained(train(PlateauAlternation(2), history=history))[-1] == ["red"] * 2


@pytest.mark.parametrize("check_every", ["epoch", "batch"])
def test_the_past_is_never_rewritten(check_every):
    schedule = PlateauAlternation(2, check_every=check_every)
    history = train(schedule, n_epochs=4)
    before = through_json(history)

    longer = train(schedule, n_epochs=4, history=history)

    assert longer[:4] == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 1}, "window must be an integer of at least 2, got 1"),
        ({"threshold": -1}, "threshold must be a number of at least 0, got -1"),
        ({"rule": "sign"}, "rule must be one of .* got 'sign'. Did you mean 'signed'"),
        ({"check_every": "batches"}, "check_every must be .* Did you mean 'batch'"),
        ({"check_in": "evil"}, "check_in must be .* got 'evil'. Did you mean 'eval'"),
        ({"min_history": 4}, "min_history must be an integer of at least 5, got 4"),
        ({"min_turn": 0}, "min_turn must be an integer of at least 1, got 0"),
        (
            {"min_turn": 5, "max_turn": 4},
            "max_turn must be an integer of at least 5, got 4",
        ),
        (
            {"monitor": "redd"},
            r"monitor must be 'active', 'pooled', 'macro' or a source, got 'redd'\. "
            r"The sources are \['red', 'white'\]\. Did you mean 'red'\?",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(SourceError, match=message):
        PlateauAlternation(**settings).check(RED_AND_WHITE)


def test_a_source_without_validation_rows_cannot_be_watched():
    sizes = Sizes(("red", "white"), (60, 60), (30, 30), validated=(True, False))
    message = r"and \['white'\] has no validation row\. .* or use monitor='pooled'\."

    with pytest.raises(SourceError, match=message):
        PlateauAlternation().check(sizes)
    with pytest.raises(SourceError, match=message):
        PlateauAlternation(monitor="white").check(sizes)
    PlateauAlternation(monitor="red").check(sizes)
    PlateauAlternation(monitor="pooled").check(sizes)


def test_no_validation_at_all_is_refused():
    sizes = Sizes(("red", "white"), (60, 60), (30, 30), validated=(False, False))

    with pytest.raises(SourceError, match="watches validation losses"):
        PlateauAlternation().check(sizes)
