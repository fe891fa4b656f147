"""What is true of every schedule, and the plain alternations."""

import pickle
import subprocess
import sys
from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_driver import RED_AND_WHITE, through_json, train, trained
from sklearn.base import clone

from sktandem.exceptions import SourceError
from sktandem.schedules import (
    Bandit,
    BatchAlternation,
    Curriculum,
    EpochAlternation,
    Joint,
    Phases,
    PlateauAlternation,
    SampledAlternation,
    Shuffled,
    Sizes,
    resolve_schedule,
)

EVERY = [
    EpochAlternation(epochs_per_turn=2, last="red"),
    BatchAlternation(3),
    BatchAlternation(3, epoch_length=7),
    BatchAlternation(2, epoch_length="all"),
    PlateauAlternation(2, threshold=0.2),
    PlateauAlternation(2, check_every="batch", epoch_length=5),
    SampledAlternation(temperature=2, anneal_to=5, max_repeats=4),
    Curriculum(start=0.2, epochs=5, by="both"),
    Curriculum(start=0.2, epochs=5, epoch_length=7),
    Bandit("gain", block=3),
    Joint({"red": 2, "white": 1}, epoch_length="all"),
    Shuffled(),
    Phases([("batches", 2), (Bandit(block=2), 2), (PlateauAlternation(2), 2)]),
]
HARD = {"red": 0.9, "white": 0.2}
every_schedule = pytest.mark.parametrize("schedule", EVERY, ids=str)


@st.composite
def some_sizes(draw):
    n_sources = draw(st.integers(1, 4))
    several = {"min_size": n_sources, "max_size": n_sources}
    return Sizes(
        tuple("abcd"[:n_sources]),
        tuple(draw(st.lists(st.integers(1, 90), **several))),
        tuple(draw(st.lists(st.integers(1, 40), **several))),
        validated=(True,) * n_sources,
    )


@every_schedule
@pytest.mark.parametrize("cut", [1, 3, 5])
def test_a_fit_cut_short_goes_on_as_if_nothing_had_happened(schedule, cut):
    whole = train(schedule, n_epochs=8, difficulty=HARD)

    part = train(schedule, n_epochs=cut, difficulty=HARD)
    resumed = train(
        pickle.loads(pickle.dumps(schedule)),
        n_epochs=8 - cut,
        history=through_json(part),
        difficulty=HARD,
    )

    assert resumed == through_json(whole)


@every_schedule
def test_an_epoch_broken_off_is_trained_again(schedule):
    whole = train(schedule, n_epochs=4, difficulty=HARD)

    history = train(schedule, n_epochs=2, difficulty=HARD)
    history.append({"batches": [{"source": "red", "train_loss": 9.0}], "plan": {}})
    resumed = train(schedule, n_epochs=2, history=history, difficulty=HARD)

    assert resumed[3:] == whole[2:]


@every_schedule
def test_the_same_history_and_seed_give_the_same_plan(schedule):
    first, again = (train(schedule, n_epochs=6, difficulty=HARD) for _ in range(2))

    assert first == again


@every_schedule
def test_an_epoch_has_at_least_one_step(schedule):
    assert all(trained(train(schedule, n_epochs=12, difficulty=HARD)))


@every_schedule
def test_a_schedule_is_a_parameter_object(schedule):
    copy = clone(schedule)

    assert repr(copy) == repr(schedule)
    assert type(copy)(**copy.get_params(deep=False)).get_params() == copy.get_params()
    for name, value in schedule.get_params(deep=False).items():
        copy.set_params(**{name: value})
        assert getattr(copy, name) is value


@every_schedule
def test_planning_leaves_the_schedule_as_it_was(schedule):
    before = dict(vars(schedule))

    train(schedule, n_epochs=3, difficulty=HARD)

    assert vars(schedule) == before


def steps_of(schedule, sizes):
    history = [{"batches": []}]
    steps = []
    for step in schedule.plan(sizes, history, np.random.default_rng(0)):
        steps.append(step)
        history[-1]["batches"].append({"source": "a", "train_loss": 1.0})
    return steps


INTERLEAVED = [BatchAlternation, SampledAlternation, Curriculum, Bandit, Shuffled]


@given(sizes=some_sizes(), length=st.integers(1, 50))
def test_an_epoch_of_a_number_of_batches_has_that_many(sizes, length):
    for kind in (*INTERLEAVED, EpochAlternation, PlateauAlternation, Joint):
        assert len(steps_of(kind(epoch_length=length), sizes)) == length


@given(sizes=some_sizes())
def test_largest_and_smallest_are_that_many_batches_for_each_source(sizes):
    for word, measure in (("largest", max), ("smallest", min)):
        each = measure(sizes.n_batches)
        for kind in INTERLEAVED:
            steps = steps_of(kind(epoch_length=word), sizes)
            assert len(steps) == each * len(sizes.names)
        for kind in (EpochAlternation, PlateauAlternation, Joint):
            assert len(steps_of(kind(epoch_length=word), sizes)) == each


@given(sizes=some_sizes(), k=st.integers(1, 7))
def test_all_is_every_batch_of_every_source_once(sizes, k):
    for schedule in (
        BatchAlternation(k, epoch_length="all"),
        Curriculum(),
        Joint(epoch_length="all"),
    ):
        steps = steps_of(schedule, sizes)
        had = Counter(source for step in steps for source in step.sources)
        assert tuple(had[s] for s in range(len(sizes.names))) == sizes.n_batches
    assert len(steps_of(EpochAlternation(), sizes)) == sizes.n_batches[0]
    assert len(steps_of(PlateauAlternation(), sizes)) == sizes.n_batches[0]
    assert len(steps_of(SampledAlternation(), sizes)) == sum(sizes.n_batches)
    assert len(steps_of(Bandit(), sizes)) == sum(sizes.n_batches)


@given(sizes=some_sizes(), k=st.integers(1, 7))
def test_batches_alternate_in_equal_numbers(sizes, k):
    for word, measure in (("largest", max), ("smallest", min)):
        steps = steps_of(BatchAlternation(k, epoch_length=word), sizes)

        had = Counter(step.sources[0] for step in steps)
        assert set(had.values()) == {measure(sizes.n_batches)}


@given(sizes=some_sizes(), k=st.integers(1, 5))
def test_at_every_prefix_no_source_is_a_whole_turn_ahead(sizes, k):
    n_turns = -(-np.array(sizes.n_batches) // k)
    steps = steps_of(BatchAlternation(k, epoch_length="all"), sizes)
    left = list(sizes.n_batches)
    had, position = np.zeros(len(sizes.names)), 0

    while position < len(steps):
        source = steps[position].sources[0]
        length = min(k, left[source])
        left[source] -= length
        position += length
        had[source] += 1
        owed = had.sum() * n_turns / n_turns.sum()
        assert np.abs(had - owed).max() < 1


@settings(max_examples=30)
@given(k=st.integers(1, 5), length=st.integers(1, 12), n_sources=st.integers(1, 4))
def test_turns_go_on_across_epochs_of_a_number_of_batches(k, length, n_sources):
    names = "abcd"[:n_sources]
    sizes = Sizes(tuple(names), (30,) * n_sources, (10,) * n_sources)

    history = train(BatchAlternation(k, epoch_length=length), sizes, n_epochs=4)

    drawn = list(chain.from_iterable(trained(history)))
    assert drawn == [names[step // k % n_sources] for step in range(4 * length)]


def epochs_of(schedule, n_epochs, **changes):
    sizes = Sizes(("red", "white"), (60, 90), (30, 30), **changes)
    return [row["source"] for row in train(schedule, sizes, n_epochs)]


def test_epochs_alternate_in_order():
    assert epochs_of(EpochAlternation(), 3) == ["red", "white", "red"]
    assert epochs_of(EpochAlternation(["white", "red"]), 2) == ["white", "red"]
    assert epochs_of(EpochAlternation(["white"]), 2) == ["white", "white"]
    twice = EpochAlternation(["red", "red", "white"])
    assert epochs_of(twice, 4) == ["red", "red", "white", "red"]
    longer = EpochAlternation(epochs_per_turn=2)
    assert epochs_of(longer, 5) == ["red", "red", "white", "white", "red"]


@given(
    max_epochs=st.integers(1, 12),
    k=st.integers(1, 4),
    last=st.sampled_from(["red", "white"]),
    order=st.sampled_from([None, ["white", "red"], ["red", "white", "red"]]),
)
def test_the_last_turn_is_whole_and_belongs_to_the_source_named_last(
    max_epochs, k, last, order
):
    schedule = EpochAlternation(order, epochs_per_turn=k, last=last)

    names = epochs_of(schedule, max_epochs, max_epochs=max_epochs)

    assert set(names[-k:]) == {last}


def test_joint_steps_take_a_batch_of_every_source():
    weighed = Joint({"red": 2, "white": 0.5}, epoch_length=2)

    assert [tuple(step) for step in steps_of(weighed, RED_AND_WHITE)] == [
        ((0, 1), (2.0, 0.5), False)
    ] * 2


def test_a_source_sits_out_a_joint_step_when_its_pass_is_over():
    sizes = Sizes(("a", "b", "c"), (10, 30, 20), (10, 10, 10))
    schedule = Joint({"a": 1, "b": 2, "c": 3}, epoch_length="all")

    assert [tuple(step) for step in steps_of(schedule, sizes)] == [
        ((0, 1, 2), (1.0, 2.0, 3.0), False),
        ((1, 2), (2.0, 3.0), False),
        ((1,), (2.0,), False),
    ]


def test_a_source_of_weight_zero_is_left_out_of_joint_steps():
    schedule = Joint({"red": 1, "white": 0}, epoch_length="all")

    assert [step.sources for step in steps_of(schedule, RED_AND_WHITE)] == [(0,)] * 2


def test_shuffled_rows_are_passed_once():
    sizes = Sizes(("a", "b"), (10, 25), (10, 8))

    steps = steps_of(Shuffled(), sizes)

    assert len(steps) == 4  # 35 rows, 10 at a time
    assert all(step.mixed and step.sources == (0, 1) for step in steps)


def test_every_name_gives_a_schedule_with_its_defaults():
    named = {
        "epochs": EpochAlternation,
        "batches": BatchAlternation,
        "plateau": PlateauAlternation,
        "sampled": SampledAlternation,
        "curriculum": Curriculum,
        "bandit": Bandit,
        "joint": Joint,
        "shuffled": Shuffled,
    }
    for name, kind in named.items():
        schedule = resolve_schedule(name)
        assert type(schedule) is kind
        assert schedule.get_params() == kind().get_params()
        schedule.check(RED_AND_WHITE)


def test_an_instance_is_taken_as_it_is():
    schedule = Joint()

    assert resolve_schedule(schedule) is schedule


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ("batch", "schedule must be one of .* got 'batch'. Did you mean 'batches'"),
        (
            "phases",
            r"needs its phases\. Pass them, such as Phases\(\[\('epochs', 4\)",
        ),
        (Joint, r"got the class Joint\. Pass Joint\(\)\."),
        (Phases, r"got the class Phases\. Pass Phases\(\[\('epochs', 4\)"),
        (3, "schedule must be one of .* or an instance of a schedule, got 3"),
    ],
)
def test_what_is_no_schedule_is_refused(given_, message):
    with pytest.raises(SourceError, match=message):
        resolve_schedule(given_)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (
            EpochAlternation(["red", "whit"]),
            r"order names 'whit', which is not a source\. The sources are "
            r"\['red', 'white'\]\. Did you mean 'white'\?",
        ),
        (EpochAlternation([]), r"order must be None or a list of sources, got \[\]"),
        (EpochAlternation("red"), "order must be None or a list of sources, got 'red'"),
        (EpochAlternation(2), "order must be None or a list of sources, got 2"),
        (EpochAlternation(last="rd"), "last names 'rd', .* Did you mean 'red'"),
        (
            EpochAlternation(["red"], last="white"),
            r"last is 'white', which has no turn in order=\['red'\]\. Add it there",
        ),
        (
            EpochAlternation(epochs_per_turn=0),
            "epochs_per_turn must be an integer of at least 1, got 0",
        ),
        (
            BatchAlternation(0),
            "batches_per_turn must be an integer of at least 1, got 0",
        ),
        (
            BatchAlternation(True),
            "batches_per_turn must be an integer of at least 1, got True",
        ),
        (
            Joint({"red": 1}),
            r"weights gives no weight to \['white'\]\. Name every source",
        ),
        (Joint({"red": 0, "white": 0}), "weights gives every source the weight 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(schedule, message):
    with pytest.raises(SourceError, match=message):
        schedule.check(RED_AND_WHITE)


@pytest.mark.parametrize("length", [0, -3, 2.5, "longest", True])
@pytest.mark.parametrize("kind", [*INTERLEAVED, EpochAlternation, Joint])
def test_an_epoch_length_that_makes_no_sense_is_refused(kind, length):
    with pytest.raises(SourceError, match=f"epoch_length must be .* got {length!r}"):
        kind(epoch_length=length).check(RED_AND_WHITE)


LIGHT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "skorch", "pandas", "matplotlib", "transformers"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import sktandem.schedules
print("done")
"""


@pytest.mark.slow
def test_schedules_need_no_heavy_library():
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "done"
