"""The distance of one column: what scipy says, and what a law says."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse, stats

from sktandem.data._sources import Sources
from sktandem.shift._columns import (
    number_column,
    read_columns,
    word_column,
)
from sktandem.shift._features import adjusted, compare
from sktandem.shift._joint import Target
from sktandem.shift._units import find_unit, ks_distance, ks_p_value
from sktandem.shift._within import compare_within

SEEDS = st.integers(0, 2**32 - 1)


def sources_of(*sizes):
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return Sources(tuple("abcdefgh"[: len(sizes)]), codes)


def numbers(*parts):
    values = np.concatenate([np.asarray(part, dtype=float) for part in parts])
    return compare(number_column("x", values), sources_of(*map(len, parts)), 1)


def words(*parts):
    values = np.array([word for part in parts for word in part], dtype=object)
    sources = sources_of(*map(len, parts))
    return compare(word_column("x", values, sources), sources, 1)


@given(seed=SEEDS, n=st.integers(3, 300), m=st.integers(3, 300), ties=st.booleans())
def test_distance_and_p_value_are_those_of_scipy(seed, n, m, ties):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n), rng.normal(0.3, size=m)
    if ties:
        a, b = a.round(), b.round()

    theirs = stats.ks_2samp(a, b, method="asymp")
    ours = ks_distance(np.sort(a), np.sort(b))

    assert ours == pytest.approx(theirs.statistic)
    assert ks_p_value(ours, n, m) == pytest.approx(theirs.pvalue)


@given(seed=SEEDS)
def test_categories_have_the_chi_square_p_value_and_the_total_variation(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.choice(list("xyz"), 200), rng.choice(list("xyz"), 300, p=[0.5, 0.3, 0.2])
    table = np.array([[np.sum(part == v) for v in "xyz"] for part in (a, b)])

    shift = words(a, b)

    assert shift.p_value == pytest.approx(stats.chi2_contingency(table).pvalue)
    shares = table / table.sum(axis=1, keepdims=True)
    assert shift.size == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2)


def test_the_chance_of_numbers_is_the_bound_of_kolmogorov_and_smirnov():
    rng = np.random.default_rng(0)
    sources = sources_of(200, 200)
    column = number_column("x", rng.normal(size=400))

    shift = compare(column, sources, 20)

    assert shift.chance == pytest.approx(
        np.sqrt(-np.log(0.05 / 40) / 2 * (1 / 200 + 1 / 200))
    )


@pytest.mark.slow
@pytest.mark.parametrize("levels", [2, 3, 8, 40])
def test_chance_alone_goes_beyond_the_band_of_one_column_in_a_twentieth(levels):
    rng = np.random.default_rng(levels)
    sources = sources_of(300, 500)

    beyond = []
    for _ in range(1000):
        column = word_column("x", rng.integers(levels, size=800).astype("U2"), sources)
        shift = compare(column, sources, 1)
        beyond.append(shift.size > shift.chance)

    assert 0.02 < np.mean(beyond) < 0.08


@given(seed=SEEDS, scale=st.floats(0.1, 1000), moved=st.floats(-100, 100))
def test_another_unit_for_all_sources_changes_no_distance(seed, scale, moved):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=50), rng.normal(1, size=70)

    assert numbers(a * scale + moved, b * scale + moved).size == pytest.approx(
        numbers(a, b).size
    )


def test_identical_values_have_no_distance_and_apart_ones_all():
    assert numbers(np.arange(30), np.arange(30)).size == 0
    assert numbers(np.arange(30), np.arange(30) + 100).size == 1
    assert words("aab" * 9, "aab" * 9).size == 0
    assert words("aab" * 9, "ccd" * 9).size == pytest.approx(1)


def test_words_of_one_source_only_are_not_lost_among_the_rare():
    shift = words("a" * 20, "b" * 500 + "c" * 500)

    assert shift.size == 1
    assert shift.p_value < 1e-20


def test_of_three_sources_the_odd_one_is_named():
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=200), rng.normal(size=200), rng.normal(3, size=200)]

    assert numbers(*parts).source == "c"
    assert words("ab" * 50, "aabb" * 30, "zab" * 40).source == "c"


def test_only_present_values_are_compared_and_infinite_ones_are_missing():
    a = np.r_[np.arange(100.0), np.full(100, np.nan)]
    b = np.r_[np.arange(100.0), np.inf]

    shift = numbers(a, b)

    assert shift.size == 0
    assert shift.missing == pytest.approx((0.5, 1 / 101))
    assert shift.missing_size == pytest.approx(0.5 - 1 / 101)


def test_a_column_without_values_in_a_source_is_absent_there():
    shift = numbers(np.full(30, np.nan), np.arange(30))

    assert shift.absent == (True, False)
    assert np.isnan(shift.size)
    assert np.isnan(shift.missing_p_value)


def test_numbers_in_one_source_and_words_in_another_clash():
    shift = words([1, 2, 3] * 9, ["low", "high"] * 9)

    assert shift.kind == "clash"
    assert shift.words == {"a": "numbers", "b": "text"}
    assert np.isnan(shift.size)


@pytest.mark.parametrize(
    ("factor", "offset", "words_"),
    [
        (1.8, 32, "Celsius to Fahrenheit"),
        (1000, 0, "a factor of 1000"),
        (2.54, 0, "inches to centimetres"),
        (0.1, 0, "a factor of 10"),
    ],
)
def test_a_forgotten_conversion_is_recognised(factor, offset, words_):
    rng = np.random.default_rng(0)
    a, b = rng.gamma(9, size=400) * 2, rng.gamma(9, size=300) * 2

    unit = numbers(a, b * factor + offset).unit

    assert unit.words == words_
    assert unit.source == ("b" if factor < 1 else "a")
    assert unit.after < 0.12 < 0.5 < unit.before


@given(seed=SEEDS, moved=st.floats(1.5, 6))
def test_a_population_that_is_merely_higher_is_no_other_unit(seed, moved):
    rng = np.random.default_rng(seed)

    assert numbers(rng.normal(size=300), rng.normal(moved, size=300)).unit is None


def test_every_kind_of_table_is_read_alike():
    values = np.array([[1.0, 5.0], [2.0, np.nan], [7.0, 6.0]] * 4)
    values[0, 0] = 9.0
    sources = sources_of(6, 6)
    tables = [
        values,
        pd.DataFrame(values),
        pl.DataFrame(values),
        pd.DataFrame(values).convert_dtypes(),
        pd.DataFrame(values).astype(object),
        values.astype(object),
        sparse.csr_matrix(values),
    ]

    for table in tables:
        first, second = read_columns(table, sources)
        np.testing.assert_array_equal(first.values, values[:, 0])
        assert second.kind == "category"  # two values are not yet a measurement
        np.testing.assert_array_equal(second.values[:3], [0, -1, 1])


def test_dates_are_numbers_and_truth_values_categories():
    days = pd.date_range("2024-01-01", periods=12).to_series()
    days.iloc[3] = pd.NaT
    pandas = pd.DataFrame(
        {"day": days, "zone": days.dt.tz_localize("UTC"), "yes": [True, False] * 6}
    )
    polars = pl.DataFrame(
        {"day": [*days.dt.date[:3], None, *days.dt.date[4:]], "yes": [True, False] * 6}
    )

    for table in (pandas, polars):
        *moments, yes = read_columns(table, sources_of(6, 6))
        for day in moments:
            assert day.kind == "number"
            assert np.isnan(day.values[3])
            assert np.unique(np.diff(day.values[4:])).size == 1
        assert yes.categories == (False, True)


def test_many_categories_share_the_last_code():
    values = np.array([f"word{i}" for i in range(500)] * 2)

    column = word_column("x", values, sources_of(500, 500))

    assert len(column.categories) == 61
    assert column.categories[-1] == "(other)"


def test_adjusted_p_values_are_those_of_benjamini_and_hochberg():
    p = [0.01, np.nan, 0.04, 0.03]

    found = adjusted(p)

    np.testing.assert_allclose(found[[0, 2, 3]], [0.03, 0.04, 0.04])
    assert np.isnan(found[1])


@given(seed=SEEDS, n=st.integers(10, 60))
def test_within_classes_the_surest_difference_of_one_class_is_told(seed, n):
    rng = np.random.default_rng(seed)
    y, sources = np.arange(4 * n) % 2, sources_of(2 * n, 2 * n)
    values = rng.normal(size=4 * n) + 3 * y
    column, target = number_column("x", values), Target("classes", y, ("ill", "well"))

    shift = compare_within(column, sources, target, (0, 1), 1)

    alone = [
        stats.ks_2samp(
            values[: 2 * n][y[: 2 * n] == k], values[2 * n :][y[2 * n :] == k]
        )
        for k in (0, 1)
    ]
    found = dict(zip(("ill", "well"), alone))[shift.among].statistic
    assert shift.size == pytest.approx(found)
    assert found == pytest.approx(max(one.statistic for one in alone))
    assert shift.center == compare(column, sources, 1).center
    own = ks_p_value(shift.size, n, n)
    assert shift.p_value == pytest.approx(min(1.0, 2 * own))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([-1e308, 1e308], [0.0, 1.0]),  # a spread beyond the largest number
        ([0.0, 1e-300], [0.0, 1e300]),  # a ratio beyond it
        ([1.0], [-1e308] + 4 * [np.inf]),  # no spread, and one that is not a number
    ],
)
def test_numbers_as_large_as_there_are_have_no_unit_and_bring_no_warning(one, other):
    parts = [np.sort(np.resize(part, 40)) for part in (one, other)]

    for sides in ((0, [1]), (1, [0])):
        assert find_unit(parts, sides, ["a", "b"], 1.0) is None
