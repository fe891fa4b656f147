"""Telling differences from chance, against implementations that are not ours."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from sktandem.stats._inference import (
    Difference,
    corrected_resampled,
    judge,
    paired_rows,
    placements,
    rows_needed,
    simultaneous_alpha,
)

K = 10
# Of 20,000 draws: four standard errors of a share of .05.
CHANCE = 4 * np.sqrt(0.05 * 0.95 / 20_000)


def plain(difference, n_splits=K):
    """Undo the factor for the rows that training lacks."""
    se = difference.se * np.sqrt((n_splits - 1) / n_splits)
    return Difference(difference.estimate, se, difference.df, difference.n)


# Rows


@given(n=st.integers(3, 60), seed=st.integers(0, 2**32 - 1))
def test_one_repeat_is_scipys_paired_t_but_for_the_rows_that_training_lacks(n, seed):
    rng = np.random.default_rng(seed)
    reference, other = rng.normal(size=(2, n))
    theirs = stats.ttest_rel(reference, other)
    interval = theirs.confidence_interval(0.95)

    ours = plain(paired_rows((reference - other)[None], K))

    assert ours.n == n
    assert ours.df == pytest.approx(theirs.df)
    assert ours.estimate / ours.se == pytest.approx(theirs.statistic)
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert ours.interval() == pytest.approx((interval.low, interval.high))


def test_the_interval_is_wider_by_the_rows_that_training_lacks():
    d = np.random.default_rng(0).normal(size=(1, 40))

    two, ten = paired_rows(d, 2), paired_rows(d, 10)

    # Of two folds half the rows are lacking, of ten a tenth.
    assert (two.se / plain(two, 2).se) ** 2 == pytest.approx(2)
    assert (ten.se / plain(ten, 10).se) ** 2 == pytest.approx(10 / 9)


@given(copies=st.integers(2, 20), seed=st.integers(0, 2**32 - 1))
def test_the_same_repeat_over_and_over_makes_no_interval_narrower(copies, seed):
    d = np.random.default_rng(seed).normal(size=(1, 30))

    once, often = paired_rows(d, K), paired_rows(np.tile(d, (copies, 1)), K)

    assert often.interval() == pytest.approx(once.interval())
    assert often.df == pytest.approx(once.df)


def test_repeats_are_averaged_in_the_estimate_and_in_the_variance():
    d = np.random.default_rng(0).normal(size=(5, 30))

    ours = plain(paired_rows(d, K))

    errors = [stats.sem(repeat) for repeat in d]
    assert ours.estimate == pytest.approx(np.mean([r.mean() for r in d]))
    assert ours.se**2 == pytest.approx(np.mean(np.square(errors)))


def test_groups_are_scipys_t_on_the_means_of_persons_of_any_size():
    sizes = [1, 2, 3, 7, 4, 1, 5]
    people = np.repeat(np.arange(7) + 40, sizes)
    rng = np.random.default_rng(0)
    people = people[rng.permutation(len(people))]
    d = rng.normal(size=len(people))
    means = [d[people == person].mean() for person in np.unique(people)]

    ours = plain(paired_rows(d[None], K, groups=people))

    theirs = stats.ttest_1samp(means, 0)
    assert (ours.n, ours.df) == pytest.approx((7, 6))
    assert ours.estimate / ours.se == pytest.approx(theirs.statistic)
    assert ours.p_value == pytest.approx(theirs.pvalue)


@given(copies=st.integers(2, 9), seed=st.integers(0, 2**32 - 1))
def test_a_person_whose_rows_are_all_alike_counts_once(copies, seed):
    d = np.random.default_rng(seed).normal(size=(2, 20))
    people = np.repeat(np.arange(20), copies)

    of_people = paired_rows(np.repeat(d, copies, axis=1), K, groups=people)
    of_rows = paired_rows(d, K)

    assert of_people.interval() == pytest.approx(of_rows.interval())
    assert of_people.n == 20


# Classes


@given(a=st.integers(3, 30), b=st.integers(3, 30), seed=st.integers(0, 2**32 - 1))
def test_one_class_against_another_is_welchs_t(a, b, seed):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=a), rng.normal(scale=3, size=b)
    theirs = stats.ttest_ind(first, second, equal_var=False)
    strata = np.repeat([0, 1], [a, b])

    d = np.concatenate([first, second])[None]
    ours = plain(paired_rows(d, K, strata=strata, weights=(1, -1)))

    assert ours.df == pytest.approx(theirs.df)
    assert ours.estimate / ours.se == pytest.approx(theirs.statistic)
    assert ours.p_value == pytest.approx(theirs.pvalue)


def test_classes_count_alike_as_in_scikit_learns_balanced_accuracy():
    y = np.repeat([0, 1, 2], [30, 12, 5])
    one, two = np.random.default_rng(0).integers(0, 3, size=(2, len(y)))
    d = (two == y).astype(float) - (one == y)

    ours = paired_rows(d[None], K, strata=y)

    theirs = balanced_accuracy_score(y, two) - balanced_accuracy_score(y, one)
    assert ours.estimate == pytest.approx(theirs)


# The area under the ROC curve


@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(2, 50))
def test_placements_average_to_scikit_learns_area_in_either_class(seed, levels):
    rng = np.random.default_rng(seed)
    positive = np.arange(40) < rng.integers(1, 40)
    scores = rng.integers(0, levels, size=40) / levels  # with ties

    parts = placements(positive, scores)

    area = roc_auc_score(positive, scores)
    assert parts[positive].mean() == pytest.approx(area)
    assert parts[~positive].mean() == pytest.approx(area)


def test_rows_have_no_part_in_an_area_where_a_class_is_missing():
    assert np.isnan(placements(np.ones(3, dtype=bool), np.arange(3.0))).all()


def delong(positive, one, two):
    """Return the difference of two areas and its variance, pair by pair.

    As in the equations of DeLong, DeLong and Clarke-Pearson (1988), with nothing
    sorted and nothing shared with our code.
    """
    areas, of_positive, of_negative = [], [], []
    for scores in (one, two):
        above, below = scores[positive], scores[~positive]
        wins = [[(x > y) + (x == y) / 2 for y in below] for x in above]
        areas.append(np.mean(wins))
        of_positive.append(np.mean(wins, axis=1))
        of_negative.append(np.mean(wins, axis=0))
    s10, s01 = np.cov(of_positive), np.cov(of_negative)
    both = s10 / positive.sum() + s01 / (~positive).sum()
    contrast = np.array([-1, 1])
    return areas[1] - areas[0], contrast @ both @ contrast


def area_difference(positive, one, two):
    d = placements(positive, two) - placements(positive, one)
    strata = positive.astype(int)
    return plain(paired_rows(d[None], K, strata=strata, weights=(1, 1)))


@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(3, 100))
def test_the_variance_of_a_difference_of_areas_is_delongs(seed, levels):
    rng = np.random.default_rng(seed)
    positive = np.arange(30) < rng.integers(3, 28)
    one, two = rng.integers(0, levels, size=(2, 30)) + positive

    ours = area_difference(positive, one, two)

    estimate, variance = delong(positive, one, two)
    assert ours.estimate / 2 == pytest.approx(estimate)
    assert ours.se**2 == pytest.approx(variance, abs=1e-12)


def test_delongs_error_is_how_far_areas_stray_over_fresh_samples():
    rng = np.random.default_rng(0)
    positive = np.arange(120) < 40
    found = []
    for _ in range(1500):
        shared = rng.normal(size=120) + positive
        one, two = shared + rng.normal(size=(2, 120))
        found.append(area_difference(positive, one, two))

    strays = np.std([one.estimate / 2 for one in found])
    told = np.mean([one.se for one in found])
    assert told == pytest.approx(strays, rel=0.08)


# Folds


def test_the_corrected_variance_is_baycomps():
    """Two models, 3 repeats of 4 folds; the numbers are those of baycomp 1.0.3.

    ``CorrelatedTTest.compute_statistics(one, two, runs=3)`` and ``.probs``.
    """
    one = [0.81, 0.79, 0.84, 0.80, 0.82, 0.78, 0.83, 0.80, 0.80, 0.81, 0.85, 0.79]
    two = [0.83, 0.80, 0.84, 0.83, 0.84, 0.81, 0.83, 0.82, 0.80, 0.84, 0.86, 0.79]

    ours = corrected_resampled(np.subtract(two, one).reshape(3, 4), 4)

    assert ours.estimate == pytest.approx(0.01416666666666664)
    assert ours.se**2 == pytest.approx(6.407828282828258e-05)
    assert ours.df == 11
    assert ours.p_value / 2 == pytest.approx(0.05222258629155385)


def corrected_std(differences, n_train, n_test):
    """Return what scikit-learn's example on comparing grid search models defines.

    https://scikit-learn.org/1.9/auto_examples/model_selection/plot_grid_search_stats.html
    """
    kr = len(differences)
    variance = np.var(differences, ddof=1) * (1 / kr + n_test / n_train)
    return np.sqrt(variance)


@given(k=st.integers(2, 10), repeats=st.integers(1, 10), seed=st.integers(0, 2**32 - 1))
def test_the_corrected_error_is_that_of_scikit_learns_example(k, repeats, seed):
    d = np.random.default_rng(seed).normal(size=(repeats, k))

    ours = corrected_resampled(d, k)

    assert ours.se == pytest.approx(corrected_std(d.ravel(), (k - 1) * 12, 12))


def test_folds_without_a_value_are_left_out():
    d = np.array([[0.1, np.nan, 0.3], [0.2, 0.4, np.nan]])

    ours = corrected_resampled(d, 3)

    assert ours.n == 4
    assert ours.interval() == corrected_resampled(d[np.isfinite(d)], 3).interval()


def test_one_fold_tells_nothing():
    ours = corrected_resampled(np.array([[0.5, np.nan]]), 2)

    assert np.isnan(ours.interval()).all()
    assert judge(*ours.interval(), 0.01) == "cannot tell yet"


# All intervals together


@pytest.mark.parametrize("m", [2, 5, 20])
def test_independent_sources_take_sidaks_level_whatever_their_rows(m):
    dfs = np.linspace(20, 2000, m)

    level = simultaneous_alpha([np.eye(1)] * m, dfs)

    assert 1 - (1 - level) ** m == pytest.approx(0.05, abs=CHANCE)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("df", [30, 500])
def test_strategies_of_a_source_hold_together_by_scipys_multivariate_t(correlation, df):
    m = 4
    matrix = np.full((m, m), correlation) + (1 - correlation) * np.eye(m)

    level = simultaneous_alpha([matrix], [df])

    end = stats.t.ppf(1 - level / 2, df)
    law = stats.multivariate_t(shape=matrix, df=df, seed=0)
    inside = law.cdf(np.full(m, end), lower_limit=np.full(m, -end))
    assert 1 - inside == pytest.approx(0.05, abs=CHANCE)


def test_two_sources_hold_together_where_each_holds():
    matrix, df = np.array([[1.0, 0.7], [0.7, 1.0]]), 80

    level = simultaneous_alpha([matrix, matrix], [df, df])

    end = stats.t.ppf(1 - level / 2, df)
    law = stats.multivariate_t(shape=matrix, df=df, seed=0)
    inside = law.cdf(np.full(2, end), lower_limit=np.full(2, -end))
    assert 1 - inside**2 == pytest.approx(0.05, abs=CHANCE)


def test_strategies_that_never_differ_need_no_stricter_level():
    assert simultaneous_alpha([np.ones((6, 6))], [100]) == pytest.approx(
        0.05, abs=CHANCE
    )


@pytest.mark.parametrize("correlations", [[], [np.eye(0)], [np.eye(1)]])
def test_one_interval_or_none_keeps_its_level(correlations):
    assert simultaneous_alpha(correlations, [100] * len(correlations)) == 0.05


@pytest.mark.slow
@settings(max_examples=20)
@given(m=st.integers(2, 6), rank=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_the_level_lies_between_bonferronis_and_a_single_one(m, rank, seed):
    columns = np.random.default_rng(seed).normal(size=(m, rank + 1))
    correlation = np.corrcoef(columns)

    level = simultaneous_alpha([correlation, np.eye(1)], [60.0, 200.0])

    assert 0.05 / (m + 1) <= level <= 0.05


# Words

ENDS = st.floats(-1, 1)
MARGINS = st.floats(1e-3, 0.5)


@given(a=ENDS, b=ENDS, margin=MARGINS, place=st.floats(0, 1))
def test_no_word_is_false_of_a_truth_inside_the_interval(a, b, margin, place):
    low, high = sorted((a, b))
    truth = float(np.clip(low + place * (high - low), low, high))

    true_of = {
        "helps": truth > 0,
        "harms": truth < 0,
        "does no harm": truth > -margin,
        "cannot tell yet": True,
    }

    assert true_of[judge(low, high, margin)]


@given(a=ENDS, b=ENDS, margin=MARGINS)
def test_it_cannot_be_told_where_harm_is_possible_and_not_shown(a, b, margin):
    low, high = sorted((a, b))

    unsure = low <= -margin and high >= 0

    assert (judge(low, high, margin) == "cannot tell yet") == unsure


@given(a=ENDS, b=ENDS, margin=MARGINS)
def test_what_helps_one_way_round_harms_the_other(a, b, margin):
    low, high = sorted((a, b))

    assert (judge(low, high, margin) == "helps") == (
        judge(-high, -low, margin) == "harms"
    )


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.001, 0.2, "helps"),
        (0.0, 0.2, "does no harm"),
        (-0.2, -0.001, "harms"),
        (-0.2, 0.0, "cannot tell yet"),
        (-0.0099, 0.2, "does no harm"),
        (-0.01, 0.0099, "cannot tell yet"),
        (-0.01, 0.01, "cannot tell yet"),
        (0.0, 0.0, "does no harm"),
        (np.nan, np.nan, "cannot tell yet"),
        (-np.inf, np.inf, "cannot tell yet"),
    ],
)
def test_an_end_on_the_border_claims_nothing(low, high, word):
    assert judge(low, high, 0.01) == word


# The record


@given(
    estimate=st.floats(-5, 5),
    se=st.floats(0.01, 5),
    df=st.floats(1, 1000),
    alpha=st.floats(0.001, 0.3),
)
def test_an_interval_leaves_out_zero_where_the_p_value_is_below_alpha(
    estimate, se, df, alpha
):
    difference = Difference(estimate, se, df, 10)
    assume(abs(difference.p_value - alpha) > 1e-6)

    low, high = difference.interval(alpha)

    assert (difference.p_value < alpha) == (low > 0 or high < 0)


def test_rows_without_any_difference_are_identical_with_a_p_value_of_1():
    ours = paired_rows(np.zeros((5, 30)), K)

    assert ours.identical
    assert ours.p_value == 1
    assert ours.interval() == (0, 0)


def test_the_same_difference_on_every_row_has_a_p_value_of_0():
    ours = paired_rows(np.full((5, 32), 0.25), K)

    assert not ours.identical
    assert ours.p_value == 0
    assert ours.interval() == (0.25, 0.25)


# Rows needed


@given(n=st.integers(50, 10_000), half=st.floats(0.01, 0.5), margin=MARGINS)
def test_an_interval_twice_as_wide_needs_four_times_the_rows(n, half, margin):
    once = rows_needed(n, -half, half, margin)
    twice = rows_needed(n, -2 * half, 2 * half, margin)
    assume(once >= 100)

    # Either is rounded up to two figures.
    assert 4 / 1.1 <= twice / once <= 4 * 1.1


@given(n=st.integers(50, 10_000), half=st.floats(0.05, 0.5))
def test_rows_needed_are_of_two_figures_and_enough(n, half):
    needed = rows_needed(n, -half, half, 0.01)

    # scipy's normal law: the half-width shrinks with the root of the rows.
    assert half * np.sqrt(n / needed) <= 0.01 * (1 + 1e-9)
    assert len(str(needed).rstrip("0")) <= 2


@pytest.mark.parametrize("half", [0.0, np.inf, np.nan])
def test_without_a_width_to_go_by_as_many_rows_as_there_are(half):
    assert rows_needed(120, -half, half, 0.01) == 120


@pytest.mark.parametrize("margin", [0.0, -0.01])
def test_no_number_of_rows_shows_a_difference_of_nothing(margin):
    assert rows_needed(120, -0.1, 0.1, margin) is None


@pytest.mark.parametrize(
    ("n", "half", "margin", "needed"),
    [(100, 0.02, 0.01, 400), (120, 0.03, 0.01, 1100), (7, 0.02, 0.02, 7)],
)
def test_rows_needed_are_those_of_the_square_root_law_rounded_up(
    n, half, margin, needed
):
    """At 100 rows half as wide as wanted: four times 100. 1080 are 1100, 7 are 7."""
    assert rows_needed(n, -half, half, margin) == needed


@pytest.mark.parametrize("strata", [None, np.array([0, 0, 0, 1])])
def test_a_single_row_has_no_variance_and_shows_nothing(strata):
    d = np.array([[0.1, 0.3, 0.2, 0.4]])
    alone = d[:, :1] if strata is None else d

    ours = paired_rows(alone, K, strata=strata)

    assert np.isnan(ours.se)
    assert judge(*ours.interval(), 0.01) == "cannot tell yet"
