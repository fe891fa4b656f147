"""Alternation by lot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_driver import RED_AND_WHITE, train, trained

from sktandem.exceptions import SourceError
from sktandem.schedules import STOP, SampledAlternation, Sizes

INF = float("inf")


def shares_drawn(schedule, sizes, epoch=0):
    """Return how often each source is drawn, over 20,000 batches."""
    history = [{"source": "red"}] * epoch + [{"batches": []}]
    schedule.set_params(epoch_length=20_000)
    plan = schedule.plan(sizes, history, np.random.default_rng(1))
    drawn = [step.sources[0] for step in plan]
    return np.bincount(drawn, minlength=len(sizes.names)) / 20_000


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, INF])
def test_sources_are_drawn_by_their_rows_to_the_power_of_one_over_the_temperature(
    temperature,
):
    rows = np.array([100, 400, 1500])
    sizes = Sizes(("a", "b", "c"), tuple(rows), (10, 10, 10))

    drawn = shares_drawn(SampledAlternation(temperature=temperature), sizes)

    power = (rows / 1500) ** (1 / temperature)
    np.testing.assert_allclose(drawn, power / power.sum(), atol=0.015)


def test_probabilities_are_met_and_only_their_ratios_matter():
    schedule = SampledAlternation({"red": 3, "white": 1})

    np.testing.assert_allclose(
        shares_drawn(schedule, RED_AND_WHITE), [0.75, 0.25], atol=0.015
    )


def test_a_source_of_probability_zero_is_never_drawn():
    for zeros in ({"red": 0, "white": 1}, {"red": 1, "white": 0}):
        drawn = shares_drawn(SampledAlternation(zeros), RED_AND_WHITE)

        assert drawn.tolist() == list(zeros.values())


@pytest.mark.parametrize(("epoch", "exponent"), [(0, 1), (5, 0.5), (10, 0), (25, 0)])
def test_annealing_moves_the_inverse_temperature_in_a_line(epoch, exponent):
    sizes = Sizes(("red", "white"), (10, 90), (5, 5), max_epochs=11)

    drawn = shares_drawn(SampledAlternation(anneal_to=INF), sizes, epoch)

    assert drawn[0] == pytest.approx(1 / (1 + 9**exponent), abs=0.015)


@settings(max_examples=50)
@given(
    rows=st.lists(st.integers(1, 300), min_size=1, max_size=5),
    repeats=st.integers(1, 4),
    temperature=st.sampled_from([1.0, 5.0, INF]),
    seed=st.integers(0, 99),
)
def test_every_source_is_seen_as_often_as_the_cap_and_no_more(
    rows, repeats, temperature, seed
):
    names = tuple(f"s{position}" for position in range(len(rows)))
    sizes = Sizes(names, tuple(rows), (32,) * len(rows), max_epochs=5)
    schedule = SampledAlternation(temperature=temperature, max_repeats=repeats)

    history = train(schedule, sizes, n_epochs=9, seed=seed, heed_stop=True)

    # An epoch is as many batches as one pass over all, so none is left over.
    assert len(history) == repeats
    for name, n in zip(names, rows):
        assert history[-1][f"rows_seen[{name}]"] == repeats * n


def test_capped_probabilities_are_those_of_unimax():
    """Chung et al.: the smallest first, the rest of the budget shared evenly."""
    rows, repeats = (100, 300, 2000, 9000), 2
    sizes = Sizes(("a", "b", "c", "d"), rows, (1,) * 4, max_epochs=4)
    schedule = SampledAlternation(temperature=INF, max_repeats=repeats)
    left, budget = 4 * 1000.0, []
    for position, n in enumerate(rows):
        budget.append(min(repeats * n, left / (4 - position)))
        left -= budget[-1]

    shares = schedule._shares(sizes, 0, n_steps=1000)

    np.testing.assert_allclose(shares, np.array(budget) / sum(budget))


def test_a_source_of_probability_zero_takes_nothing_of_a_capped_budget():
    """Rosé's cap is 40 of 100 draws, so that white has the other 60."""
    sizes = Sizes(("red", "rosé", "white"), (50, 20, 90), (1, 1, 1), max_epochs=1)
    schedule = SampledAlternation({"red": 0, "rosé": 1, "white": 1}, max_repeats=2)

    shares = schedule._shares(sizes, 0, n_steps=100)

    np.testing.assert_allclose(shares, [0, 0.4, 0.6])


def test_expected_draws_stay_within_the_cap_at_every_temperature():
    sizes = Sizes(("a", "b", "c"), (50, 500, 9000), (10, 10, 10), max_epochs=7)
    for temperature in (1, 2, 10, INF):
        schedule = SampledAlternation(temperature=temperature, max_repeats=2)

        shares = schedule._shares(sizes, 3, n_steps=200)

        assert (7 * 200 * shares <= 2 * np.array(sizes.n_batches) + 1e-9).all()


def test_when_all_are_used_up_an_epoch_still_has_a_step():
    schedule = SampledAlternation(max_repeats=1)
    row = {"source": "red", "rows_seen[red]": 60, "rows_seen[white]": 180}

    steps = list(schedule.plan(RED_AND_WHITE, [row, {}], np.random.default_rng(0)))

    assert steps[0].sources == (1,)
    assert steps[1:] == [STOP]
    assert repr(steps[1:]) == "[STOP]"


def test_the_seed_of_the_epoch_decides_the_draws():
    first, again, other = (
        trained(train(SampledAlternation(), seed=seed)) for seed in (1, 1, 2)
    )

    assert first == again != other


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0}, "temperature must be a number above 0, got 0"),
        ({"anneal_to": 0}, "anneal_to must be a number above 0, got 0"),
        ({"max_repeats": 0}, "max_repeats must be a number above 0, got 0"),
        ({"anneal_to": "inf"}, "anneal_to must be a number above 0, got 'inf'"),
        ({"max_repeats": -1}, "max_repeats must be a number above 0, got -1"),
        (
            {"probabilities": {"red": 1, "white": 1}, "temperature": 2},
            "probabilities already sets .* temperature=2 .* one or the other",
        ),
        (
            {"probabilities": {"red": 1, "whit": 1}},
            r"probabilities names 'whit', which is not a source\. The sources are "
            r"\['red', 'white'\]\. Did you mean 'white'\?",
        ),
        (
            {"probabilities": {"red": 1}},
            r"probabilities gives no probability to \['white'\]\. Name every source",
        ),
        (
            {"probabilities": {"red": 1, "white": -1}},
            "probabilities gives 'white' the probability -1. A probability is",
        ),
        (
            {"probabilities": {"red": 0, "white": 0}},
            "probabilities gives every source the probability 0",
        ),
        (
            {"probabilities": [0.5, 0.5]},
            r"must be None or a dict with a probability for each source, got \[0.5",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(SourceError, match=message):
        SampledAlternation(**settings).check(RED_AND_WHITE)
