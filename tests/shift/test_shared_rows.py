"""The same thing twice is found, and numbered as one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse, stats
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import GroupKFold

from sktandem.datasets import load_student_performance, load_wine_quality
from sktandem.exceptions import SourceError
from sktandem.shift import _near_rows, find_shared_rows

SEEDS = st.integers(0, 2**32 - 1)
TOLERANCES = st.sampled_from([0.0, 0.01, 0.3, 1.0])


def together(groups):
    """Which pairs of rows share a number: the partition without its names."""
    groups = np.asarray(groups)
    return groups[:, None] == groups


def table_with_gaps(rng, n):
    X = rng.integers(0, 4, size=(n, 3)).astype(float)
    X[rng.random((n, 3)) < 0.1] = np.nan
    X[rng.random((n, 3)) < 0.05] = np.inf
    X[rng.random((n, 3)) < 0.05] = -np.inf
    return X


# Published counts


def test_the_wines_repeat_1177_rows_within_the_kinds_and_share_two():
    X, _, kind = load_wine_quality(drop_duplicates=False, return_X_y=True)

    shared = find_shared_rows(X, sample_source=kind)

    assert shared.within == {"red": 240, "white": 937}
    assert shared.across == {("red", "white"): 2}
    cleaned = load_wine_quality()
    again = find_shared_rows(cleaned.data, sample_source=cleaned.sample_source)
    assert again.within == {"red": 0, "white": 0}


def test_the_pupils_of_both_subjects_are_found_by_the_columns_of_their_origin():
    students = load_student_performance()
    key = ["school", "sex", "age", "address", "famsize", "Pstatus", "Medu", "Fedu"]
    key += ["Mjob", "Fjob", "reason", "nursery", "internet"]
    persons = list(students.data[key].itertuples(index=False, name=None))
    math = students.sample_source == "math"
    in_math = {person for person, taken in zip(persons, math) if taken}
    in_portuguese = {person for person, taken in zip(persons, math) if not taken}

    shared = find_shared_rows(
        students.data, sample_source=students.sample_source, subset=key
    )

    assert shared.across["math", "portuguese"] == len(in_math & in_portuguese) == 366
    assert shared.n_groups == len(in_math | in_portuguese)
    # The 382 that the authors print are the rows of their join on these columns.
    joined = sum(
        np.sum(math & (shared.groups == g)) * np.sum(~math & (shared.groups == g))
        for g in range(shared.n_groups)
    )
    assert joined == 382


# Laws


@given(seed=SEEDS, tolerance=TOLERANCES, n_copies=st.integers(1, 10))
def test_a_planted_copy_has_the_number_of_its_original(seed, tolerance, n_copies):
    rng = np.random.default_rng(seed)
    X = table_with_gaps(rng, 20)
    originals = rng.integers(0, 20, size=n_copies)

    groups = find_shared_rows(np.vstack([X, X[originals]]), tolerance=tolerance).groups

    np.testing.assert_array_equal(groups[20:], groups[originals])


@given(seed=SEEDS, tolerance=TOLERANCES)
def test_the_order_of_the_rows_does_not_matter(seed, tolerance):
    rng = np.random.default_rng(seed)
    X = table_with_gaps(rng, 30)
    order = rng.permutation(30)

    straight = find_shared_rows(X, tolerance=tolerance).groups
    shuffled = find_shared_rows(X[order], tolerance=tolerance).groups

    np.testing.assert_array_equal(together(straight[order]), together(shuffled))


@given(seed=SEEDS, smaller=TOLERANCES, larger=TOLERANCES)
def test_a_larger_tolerance_only_joins(seed, smaller, larger):
    """Exact copies, at tolerance 0, stay together at every other."""
    smaller, larger = sorted([smaller, larger])
    X = table_with_gaps(np.random.default_rng(seed), 25)

    fine = find_shared_rows(X, tolerance=smaller).groups
    coarse = find_shared_rows(X, tolerance=larger).groups

    assert not np.any(together(fine) & ~together(coarse))


@given(seed=SEEDS, tolerance=st.sampled_from([0.1, 0.26, 0.5, 1.0]))
def test_near_is_what_the_notes_say_joined_through(seed, tolerance):
    X = np.random.default_rng(seed).integers(0, 30, size=(25, 2)).astype(float)
    apart = np.abs(X[:, None, :] - X) <= tolerance * stats.iqr(X, axis=0)
    _, expected = connected_components(apart.all(axis=2), directed=False)

    groups = find_shared_rows(X, tolerance=tolerance).groups

    np.testing.assert_array_equal(together(groups), together(expected))


@given(seed=SEEDS)
def test_the_numbers_run_from_0_in_order_of_appearance(seed):
    X = table_with_gaps(np.random.default_rng(seed), 20)

    groups = find_shared_rows(X, tolerance=0.5).groups

    highest_before = np.maximum.accumulate(groups)
    assert groups[0] == 0
    assert (groups[1:] <= highest_before[:-1] + 1).all()


@given(seed=SEEDS)
def test_the_counts_are_those_of_the_numbers(seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 3, size=(30, 2))
    place = np.array(["a", "b", "c"])[rng.permutation(np.arange(30) % 3)]

    shared = find_shared_rows(X, sample_source=place)

    things = {name: set(shared.groups[place == name]) for name in "abc"}
    for name in "abc":
        assert shared.within[name] == 10 - len(things[name])
    for one, other in shared.across:
        assert shared.across[one, other] == len(things[one] & things[other])
    elsewhere = [
        any(group in things[name] for name in "abc" if name != own)
        for group, own in zip(shared.groups, place)
    ]
    assert shared.n_rows_across == sum(elsewhere)


def test_near_copies_may_differ_by_the_tolerance_and_no_more():
    base = np.arange(100.0)  # the interquartile range is 49.5
    within, beyond = 10 + 0.008 * 49.5, 20 + 0.012 * 49.5
    X = np.r_[base, within, beyond][:, None]

    # The two more rows widen the range by a few percent.
    groups = find_shared_rows(X, tolerance=0.01).groups

    assert groups[100] == groups[10]
    assert groups[101] != groups[20]


def test_a_column_that_hardly_varies_is_scaled_by_its_standard_deviation():
    earnings = np.r_[np.zeros(20), 1000.0, 1001.0]

    groups = find_shared_rows(earnings[:, None], tolerance=0.01).groups

    assert groups[20] == groups[21] != groups[0]


def test_nearness_is_handed_on():
    """1 is near 2 and 2 near 3, so 1 and 3 are one thing, 50 another."""
    X = np.r_[1.0, 2.0, 3.0, 50.0, 100.0][:, None]  # the range is 48

    groups = find_shared_rows(X, tolerance=1.5 / 48).groups

    assert groups.tolist() == [0, 0, 0, 1, 2]


def test_pairs_compared_a_few_at_a_time_give_the_same_numbers(monkeypatch):
    X = np.random.default_rng(0).normal(size=(300, 2))
    at_once = find_shared_rows(X, tolerance=0.05).groups

    monkeypatch.setattr(_near_rows, "BUDGET", 10)
    in_portions = find_shared_rows(X, tolerance=0.05).groups

    assert 1 < at_once.max() < 299
    np.testing.assert_array_equal(in_portions, at_once)


def test_a_split_by_the_numbers_keeps_copies_together():
    X, y, kind = load_wine_quality(drop_duplicates=False, return_X_y=True)
    groups = find_shared_rows(X, sample_source=kind).groups
    rows = list(map(bytes, np.ascontiguousarray(X)))

    for train, test in GroupKFold(5).split(X, y, groups):
        assert not {rows[i] for i in train} & {rows[i] for i in test}


# What is equal


def test_missing_equals_missing_and_zero_equals_minus_zero():
    X = np.array([[np.nan, 0.0], [np.nan, -0.0], [1.0, 0.0]])

    assert find_shared_rows(X).groups.tolist() == [0, 0, 1]


def test_the_infinities_and_missing_are_near_only_to_their_like():
    X = np.array([[np.nan], [np.inf], [-np.inf], [0.0], [np.inf], [0.1], [9.0]])

    groups = find_shared_rows(X, tolerance=0.1).groups

    assert groups.tolist() == [0, 1, 2, 3, 1, 3, 4]


def test_a_column_that_is_missing_throughout_tells_nothing_apart():
    X = np.c_[[np.nan] * 4, [1.0, 1.1, 50.0, 100.0]]

    assert find_shared_rows(X, tolerance=0.1).groups.tolist() == [0, 0, 1, 2]


def test_a_number_is_not_its_spelling():
    assert find_shared_rows([["1"], [1], [1.0], [None]]).groups.tolist() == [0, 1, 1, 2]


def test_data_frames_of_all_kinds_of_columns_are_compared_by_value():
    frame = pd.DataFrame(
        {
            "ward": pd.Categorical(["a", None, "a", None]),
            "visits": pd.array([1, None, 1, None], dtype="Int64"),
            "name": ["x", None, "x", None],
            "when": pd.to_datetime(["2020-01-01", None, "2020-01-01", None]),
            "dose": [0.5, np.nan, 0.5, np.nan],
        }
    )

    assert find_shared_rows(frame).groups.tolist() == [0, 1, 0, 1]
    for name in frame:
        changed = frame.copy()
        changed.loc[2, name] = None
        assert find_shared_rows(changed).groups.tolist() == [0, 1, 2, 1], name


def test_words_and_booleans_must_agree_where_numbers_may_be_near():
    frame = pd.DataFrame(
        {
            "age": pd.array([40, 41, 41, 40, 90, 10], dtype="Int64"),
            "ward": ["a", "a", "b", "a", "a", "a"],
            "smokes": [True, True, True, False, True, True],
        }
    )

    groups = find_shared_rows(frame, tolerance=2.0).groups

    assert groups.tolist() == [0, 0, 1, 2, 3, 4]


def test_sparse_rows_are_compared_as_dense_ones():
    dense = np.random.default_rng(0).integers(0, 2, size=(40, 3)).astype(float)
    doubled = sparse.coo_matrix(
        (np.r_[0.5, 0.5, 0.0], ([0, 0, 1], [1, 1, 0])), shape=(3, 2)
    )  # a value in two parts, and a zero that is stored

    np.testing.assert_array_equal(
        find_shared_rows(sparse.csr_matrix(dense)).groups,
        find_shared_rows(dense).groups,
    )
    expected = find_shared_rows(doubled.toarray()).groups
    np.testing.assert_array_equal(find_shared_rows(doubled).groups, expected)


def test_texts_are_compared_whole():
    texts = ["good day", "hello", "good day"]

    shared = find_shared_rows(texts, sample_source=["en", "en", "de"])

    assert shared.groups.tolist() == [0, 1, 0]
    assert shared.across == {("de", "en"): 1}


def test_images_are_compared_pixel_by_pixel():
    images = np.zeros((3, 2, 2))
    images[1, 1, 1] = 1

    assert find_shared_rows(images).groups.tolist() == [0, 1, 0]


# Columns


def test_the_column_of_the_source_is_not_compared():
    frame = pd.DataFrame({"dose": [1.0, 1.0, 2.0], "lab": ["a", "b", "b"]})

    shared = find_shared_rows(frame, source="lab")

    assert shared.groups.tolist() == [0, 0, 1]
    assert shared.across == {("a", "b"): 1}
    assert shared.n_rows_across == 2


def test_a_subset_tells_persons_by_name_or_position():
    frame = pd.DataFrame({"id": [7, 8, 7], "dose": [1.0, 1.0, 2.0]})

    assert find_shared_rows(frame, subset="id").groups.tolist() == [0, 1, 0]
    assert find_shared_rows(frame.to_numpy(), subset=[0]).groups.tolist() == [0, 1, 0]
    assert find_shared_rows(
        sparse.csr_matrix(frame.to_numpy()), subset=0
    ).groups.tolist() == [0, 1, 0]


def test_rows_without_any_key_are_not_taken_for_one_person():
    frame = pd.DataFrame(
        {"id": [None, "p", None, "p", None], "born": [np.nan, 1, np.nan, 1, 2.0]}
    )

    assert find_shared_rows(frame, subset=["id", "born"]).groups.tolist() == [
        0,
        1,
        2,
        1,
        3,
    ]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, np.datetime64("NaT")])
def test_whatever_stands_for_a_missing_key_is_no_person(missing):
    keys = np.array([missing, missing])

    assert find_shared_rows(keys[:, None], subset=0).groups.tolist() == [0, 1]
    assert find_shared_rows(keys[:, None]).groups.tolist() == [0, 0]


# The report


def test_the_report_reads_as_sentences():
    shared = find_shared_rows(
        [[1], [1], [1], [2]], sample_source=["lab", "lab", "ward", "ward"]
    )

    assert repr(shared) == (
        "SharedRows: 4 rows, 2 different\n"
        "  lab: 1 of 2 rows repeat another\n"
        "  ward: 0 of 2 rows repeat another\n"
        "  lab, ward: 1 in both"
    )


def test_the_report_says_when_nothing_is_shared_and_is_short_when_much_is():
    assert "nothing is in two sources" in repr(
        find_shared_rows([[1], [2]], sample_source=["a", "b"])
    )
    assert "sources" not in repr(find_shared_rows([[1], [2]]))
    many = find_shared_rows(np.ones((6, 1)), sample_source=list("abcdef"))
    assert "and 5 more pairs" in repr(many)


def test_the_source_itself_is_not_compared():
    X = pd.DataFrame({"u": [1, 1, 2], "site": ["a", "b", "b"]})
    with pytest.raises(SourceError, match="X holds the source itself as a column"):
        find_shared_rows(X, sample_source=X["site"])

    assert find_shared_rows(X, source="site").n_rows_across == 2


def test_the_record_is_frozen():
    shared = find_shared_rows([[1], [2]])

    with pytest.raises(AttributeError):
        shared.within = {}


def test_x_is_left_as_it_was():
    X = sparse.coo_matrix(([1.0, 1.0, 0.0], ([0, 0, 1], [0, 0, 0]))).tocsr()
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None]})
    before, frame_before = X.copy(), frame.copy()

    find_shared_rows(X)
    find_shared_rows(frame, tolerance=0.1)

    np.testing.assert_array_equal(X.data, before.data)
    pd.testing.assert_frame_equal(frame, frame_before)


# Errors


def test_an_unknown_column_is_named_and_the_likely_one_offered():
    frame = pd.DataFrame({"age": [1], "school": ["x"]})

    with pytest.raises(
        SourceError, match=r"'shool', which is no column .*Did you mean 'school'"
    ):
        find_shared_rows(frame, subset=["age", "shool"])
    with pytest.raises(SourceError, match=r"5, which is no position of X. X has 2 col"):
        find_shared_rows(np.ones((2, 2)), subset=[0, 5])
    with pytest.raises(SourceError, match=r"9, which is no position .* 0 to 7"):
        find_shared_rows(np.ones((2, 8)), subset=9)
    with pytest.raises(SourceError, match="subset names no column"):
        find_shared_rows(frame, subset=[])


@pytest.mark.parametrize("tolerance", [-0.1, np.nan, np.inf, "1%"])
def test_a_tolerance_is_a_number_from_0_on(tolerance):
    with pytest.raises(SourceError, match="tolerance must be a number from 0 on, got"):
        find_shared_rows([[1.0]], tolerance=tolerance)


def test_a_tolerance_needs_a_number_to_work_on():
    with pytest.raises(SourceError, match="needs a numeric column among those compar"):
        find_shared_rows(["hello", "bye"], tolerance=0.1)
    with pytest.raises(SourceError, match="make a sparse X dense"):
        find_shared_rows(sparse.eye(3, format="csr"), tolerance=0.1)


def test_values_that_cannot_be_compared_are_pointed_at():
    frame = pd.DataFrame({"visits": [(1, 2), [1, 2]]})

    with pytest.raises(SourceError, match="Row 1 holds a list, which cannot be comp"):
        find_shared_rows(frame)


def test_a_table_without_rows_or_columns_has_nothing_to_compare():
    with pytest.raises(SourceError, match="X has no rows to compare"):
        find_shared_rows(np.ones((0, 2)))
    with pytest.raises(SourceError, match="X has no columns to compare"):
        find_shared_rows(np.array([[1], [2]]), source=0)


def test_labels_must_be_one_for_each_row():
    with pytest.raises(SourceError, match="X has 2, sample_source has 1"):
        find_shared_rows([[1], [2]], sample_source=["a"])
