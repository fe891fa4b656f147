"""A curriculum of rows and of sources."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from schedule_driver import RED_AND_WHITE, train, trained

from sktandem.exceptions import SourceError
from sktandem.schedules import Curriculum, Sizes

WINES = Sizes(("red", "rosé", "white"), (40, 40, 80), (10, 10, 10))
HARD = {"red": 0.7, "rosé": 0.1, "white": 0.2}


def size_of(X, y):
    return np.abs(y)


@given(
    difficulty=st.lists(st.integers(0, 5), min_size=1, max_size=50),
    start=st.floats(0.01, 1),
    epochs=st.integers(1, 9),
)
def test_rows_are_let_in_from_the_easiest_on_until_all_take_part(
    difficulty, start, epochs
):
    schedule = Curriculum(size_of, start=start, epochs=epochs)
    difficulty = np.array(difficulty, dtype=float)
    before = set()

    for epoch in range(epochs):
        rows = schedule.eligible_rows(0, difficulty, epoch)
        rows = np.arange(len(difficulty)) if rows is None else rows
        left_out = np.setdiff1d(np.arange(len(difficulty)), rows)

        assert len(rows) >= 1
        assert before <= set(rows)
        assert difficulty[rows].max() <= difficulty[left_out].min(initial=9)
        before = set(rows)

    assert schedule.eligible_rows(0, difficulty, epochs) is None
    assert schedule.difficulty_in(epochs) is None


@given(n=st.integers(1, 60), tenths=st.integers(1, 10), epochs=st.integers(1, 9))
def test_the_share_of_the_rows_grows_in_a_line_and_is_rounded_up(n, tenths, epochs):
    schedule = Curriculum(size_of, start=tenths / 10, epochs=epochs)

    for epoch in range(epochs):
        rows = schedule.eligible_rows(0, np.arange(float(n)), epoch)
        # In whole numbers: s + (1 - s) e / E of n, in parts of 10 E.
        parts = n * (tenths * epochs + (10 - tenths) * epoch)
        expected = -(-parts // (10 * epochs))
        assert (n if rows is None else len(rows)) == expected


def test_of_rows_equally_hard_the_earlier_take_part():
    rows = Curriculum(size_of, start=0.5).eligible_rows(0, np.ones(6), 0)

    assert rows.tolist() == [0, 1, 2]


def test_an_epoch_is_as_long_as_the_rows_that_take_part():
    """Half of 60 and 180 rows is one batch of 30 and three."""
    history = train(Curriculum(size_of, start=0.5, epochs=1), n_epochs=2)

    assert sorted(trained(history)[0]) == ["red"] + ["white"] * 3
    assert sorted(trained(history)[1]) == ["red"] * 2 + ["white"] * 6


def test_the_easiest_sources_come_first():
    schedule = Curriculum(size_of, start=0.3, epochs=2, by="sources")

    history = train(schedule, WINES, n_epochs=3, difficulty=HARD)

    assert [set(epoch) for epoch in trained(history)] == [
        {"rosé"},
        {"rosé", "white"},
        {"rosé", "white", "red"},
    ]
    assert len(trained(history)[0]) == 4
    assert schedule.eligible_rows(0, np.ones(9), 0) is None


def test_a_source_let_in_first_has_batches_of_its_own_size():
    sizes = Sizes(("red", "rosé", "white"), (40, 40, 80), (10, 20, 40))

    history = train(Curriculum(size_of, by="sources"), sizes, difficulty=HARD)

    assert trained(history) == [["rosé", "rosé"]]


def test_both_lets_in_the_easy_rows_of_easy_sources():
    schedule = Curriculum(size_of, start=0.3, epochs=2, by="both")

    history = train(schedule, WINES, difficulty=HARD)

    assert trained(history) == [["rosé", "rosé"]]
    assert len(schedule.eligible_rows(1, np.arange(40.0), 0)) == 12


def test_an_untrained_model_cannot_tell_easy_from_hard():
    schedule = Curriculum("loss", start=0.5, epochs=4, by="sources")

    history = train(schedule, WINES, n_epochs=2, difficulty=HARD)

    assert [schedule.difficulty_in(epoch) for epoch in range(5)] == [
        None,
        *["loss"] * 3,
        None,
    ]
    assert set(trained(history)[0]) == {"red", "rosé", "white"}
    assert set(trained(history)[1]) == {"rosé", "white"}


def test_the_measure_is_handed_on_as_it_came():
    values = np.arange(240.0)

    assert Curriculum(values).difficulty_in(0) is values
    assert Curriculum(size_of).difficulty_in(0) is size_of


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": 0}, "start must be a number above 0 and at most 1, got 0"),
        ({"start": 1.5}, "start must be a number above 0 and at most 1, got 1.5"),
        ({"epochs": 0}, "epochs must be an integer of at least 1, got 0"),
        ({"by": "row"}, "by must be one of .* got 'row'. Did you mean 'rows'"),
        ({"difficulty": "los"}, "difficulty must be 'loss', .* Did you mean 'loss'"),
        ({"difficulty": 3}, "difficulty must be 'loss', a function of X and y, or one"),
        (
            {"difficulty": [1.0] * 9},
            "difficulty must hold a number for each row given to fit: it has 9, and",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(SourceError, match=message):
        Curriculum(**settings).check(RED_AND_WHITE)
