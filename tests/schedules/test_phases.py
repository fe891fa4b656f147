"""One schedule after another."""

import numpy as np
import pytest
from schedule_driver import RED_AND_WHITE, train, trained

from sktandem.exceptions import SourceError, SourceWarning
from sktandem.schedules import (
    STOP,
    BatchAlternation,
    Curriculum,
    EpochAlternation,
    Phases,
    PlateauAlternation,
    SampledAlternation,
    Schedule,
    Step,
)


def test_each_phase_is_like_a_fit_of_its_own():
    inner = BatchAlternation(2, epoch_length=3)
    history = train(Phases([("epochs", 3), (inner, 2)]), n_epochs=5)

    assert trained(history)[:3] == trained(train(EpochAlternation(), n_epochs=3))
    assert trained(history)[3:] == trained(train(inner, n_epochs=2))


def test_the_last_schedule_goes_on():
    history = train(Phases([("joint", 1), ("epochs", 1)]), n_epochs=4)

    assert [row["source"] for row in history] == ["red, white", "red", "white", "red"]


def test_a_phase_ends_on_the_source_that_its_schedule_names_last():
    schedule = Phases([(EpochAlternation(last="red"), 3), ("shuffled", 5)])

    history = train(schedule, n_epochs=3)

    assert [row["source"] for row in history] == ["red", "white", "red"]


def test_a_cap_counts_the_passes_of_its_own_phase():
    capped = SampledAlternation(max_repeats=1, epoch_length=4)
    schedule = Phases([("joint", 2), (capped, 2)])

    history = train(schedule, n_epochs=4)

    before, after = history[1], history[3]
    assert "stopped" in after
    assert after["rows_seen[red]"] - before["rows_seen[red]"] == 60
    assert after["rows_seen[white]"] - before["rows_seen[white]"] == 180


class StopsAtOnce(Schedule):
    def plan(self, sizes, history, rng):
        yield Step((0,))
        yield STOP


def test_a_stop_is_heard_in_the_last_phase_only():
    history = train(Phases([(StopsAtOnce(), 1), (StopsAtOnce(), 1)]), n_epochs=2)

    assert ["stopped" in row for row in history] == [False, True]


def test_validation_is_needed_where_some_phase_needs_it():
    assert Phases([("epochs", 1), ("plateau", 1)]).needs_validation
    assert not Phases([("epochs", 1), ("batches", 1)]).needs_validation


def test_a_curriculum_begins_with_its_phase():
    curriculum = Curriculum(np.arange(240.0), start=0.5, epochs=2)
    schedule = Phases([("epochs", 2), (curriculum, 3)])
    difficulty = np.arange(8.0)

    eligible = [schedule.eligible_rows(0, difficulty, epoch) for epoch in range(5)]

    assert eligible[:2] == [None, None]
    assert [len(rows) for rows in eligible[2:4]] == [4, 6]
    assert eligible[4] is None
    measures = [schedule.difficulty_in(epoch) is not None for epoch in range(5)]
    assert measures == [False, False, True, True, False]


def test_a_source_that_no_phase_trains_is_told():
    schedule = Phases([(EpochAlternation(["red"]), 1), (EpochAlternation(["red"]), 2)])

    with pytest.warns(SourceWarning, match=r"No phase trains \['white'\]\. Name it in"):
        schedule.check(RED_AND_WHITE)
    Phases([(EpochAlternation(["red"]), 1), ("epochs", 2)]).check(RED_AND_WHITE)


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ([], r"phases must be a list of schedules with their epochs, got \[\]\. Pass"),
        (
            "epochs",
            "phases must be a list of schedules with their epochs, got 'epochs'",
        ),
        (["epochs"], r"phases\[0\] must be a schedule with its epochs, got 'epochs'"),
        ([("epochs", 0)], r"the epochs of phases\[0\] must be an integer of at"),
        ([("epoch", 1)], "schedule must be one of .* Did you mean 'epochs'"),
        ([(EpochAlternation(["rde"]), 1)], "order names 'rde', .* Did you mean 'red'"),
        ([(PlateauAlternation(1), 1)], "window must be an integer of at least 2"),
    ],
)
def test_settings_that_make_no_sense_are_refused(phases, message):
    with pytest.raises(SourceError, match=message):
        Phases(phases).check(RED_AND_WHITE)
