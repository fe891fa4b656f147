"""Folds that know the sources."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold

from sktandem.exceptions import SourceError, SourceWarning
from sktandem.model_selection import LeaveOneSourceOut, SourceKFold


def pack(seed, n=60):
    rng = np.random.default_rng(seed)
    return np.zeros((n, 1)), rng.integers(0, 3, n), rng.choice(["a", "b"], n)


@given(seed=st.integers(0, 999), n_splits=st.integers(2, 6), shuffle=st.booleans())
def test_folds_partition_the_rows_and_share_every_cell(seed, n_splits, shuffle):
    X, y, source = pack(seed)
    cv = SourceKFold(n_splits, shuffle=shuffle, random_state=seed if shuffle else None)

    folds = [test for _, test in cv.split(X, y, sample_source=source)]

    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), range(len(X)))
    for train, test in cv.split(X, y, sample_source=source):
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), range(len(X)))
    for name in "ab":
        for label in range(3):
            cell = (source == name) & (y == label)
            counts = [cell[fold].sum() for fold in folds]
            assert max(counts) - min(counts) <= 1
    sizes = [len(fold) for fold in folds]
    assert max(sizes) - min(sizes) <= 1


@given(seed=st.integers(0, 999), shuffle=st.booleans())
def test_cells_are_dealt_as_scikit_learn_deals_classes(seed, shuffle):
    X, y, source = pack(seed, n=90)
    cells = np.char.add(source, y.astype(str))
    ours = SourceKFold(3).split(X, y, sample_source=source)
    theirs = StratifiedKFold(3).split(X, cells)

    for (_, ours_test), (_, theirs_test) in zip(ours, theirs):
        ours_counts = np.unique(cells[ours_test], return_counts=True)[1]
        theirs_counts = np.unique(cells[theirs_test], return_counts=True)[1]
        assert np.abs(ours_counts - theirs_counts).max() <= 1


@given(seed=st.integers(0, 999))
def test_a_continuous_target_has_the_same_spread_in_every_fold(seed):
    rng = np.random.default_rng(seed)
    source = np.repeat(["a", "b"], [100, 50])
    y = rng.normal(size=150) + 100 * (source == "b")

    for _, test in SourceKFold(5).split(np.zeros(150), y, sample_source=source):
        for name, per_fold in (("a", 2), ("b", 1)):
            own = y[source == name]
            tenth = np.searchsorted(np.sort(own), y[test][source[test] == name])
            counts = np.bincount(tenth * 10 // len(own), minlength=10)
            assert (counts == per_fold).all()


@given(seed=st.integers(0, 999), shuffle=st.booleans())
def test_groups_stay_together_across_sources(seed, shuffle):
    rng = np.random.default_rng(seed)
    X, y, source = pack(seed)
    groups = rng.integers(0, 20, len(X))
    cv = SourceKFold(3, shuffle=shuffle, random_state=seed if shuffle else None)

    seen = np.zeros(len(X), dtype=int)
    for train, test in cv.split(X, y, groups, sample_source=source):
        assert not set(groups[train]) & set(groups[test])
        seen[test] += 1

    assert (seen == 1).all()


def test_groups_bring_no_warning_where_a_class_is_rare():
    y = np.array([0] * 20 + [1])
    source = np.repeat(["a", "b"], [11, 10])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folds = list(
            SourceKFold(5).split(np.zeros(21), y, range(21), sample_source=source)
        )

    assert len(folds) == 5


@given(seed=st.integers(0, 999), n_splits=st.integers(2, 6), shuffle=st.booleans())
def test_as_many_groups_as_folds_are_a_fold_each(seed, n_splits, shuffle):
    rng = np.random.default_rng(seed)
    groups = np.r_[np.arange(n_splits), rng.integers(0, n_splits, 30)]
    X, y, source = pack(seed, len(groups))
    cv = SourceKFold(n_splits, shuffle=shuffle, random_state=seed if shuffle else None)

    folds = [test for _, test in cv.split(X, y, groups, sample_source=source)]

    wholes = [np.flatnonzero(groups == group).tolist() for group in range(n_splits)]
    assert sorted(fold.tolist() for fold in folds) == sorted(wholes)


@given(seed=st.integers(0, 999), n_small=st.integers(1, 4))
def test_groups_of_a_source_smaller_than_the_folds_are_tested_once(seed, n_small):
    """Three rows of a visit each: the small source is in as many folds as visits."""
    rng = np.random.default_rng(seed)
    source = np.repeat(["large", "small"], [60, n_small])
    groups = np.r_[np.repeat(np.arange(20), 3), 20 + np.arange(n_small)]
    y = rng.integers(0, 2, len(source))

    with pytest.warns(
        SourceWarning, match=rf"more than the rows of {{'small': {n_small}}}"
    ):
        splits = list(SourceKFold(5).split(y, y, groups, sample_source=source))

    tested = np.concatenate([test for _, test in splits])
    np.testing.assert_array_equal(np.sort(tested), np.arange(len(source)))
    for train, test in splits:
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.sort(tested))
        assert (source[test] == "large").sum() >= 3
        assert set(groups[train]).isdisjoint(groups[test])


def test_the_tested_source_is_alone_in_the_test_folds():
    X, y, source = pack(0)
    tested = []

    for train, test in SourceKFold(4, test_source="a").split(
        X, y, sample_source=source
    ):
        assert set(source[test]) == {"a"}
        assert set(np.flatnonzero(source == "b")) <= set(train)
        tested.extend(test)

    np.testing.assert_array_equal(np.sort(tested), np.flatnonzero(source == "a"))


def test_a_tested_group_is_in_no_training_row_of_another_source():
    source = np.repeat(["math", "language"], 10)
    pupil = np.r_[np.arange(10), np.arange(10)]
    cv = SourceKFold(5, test_source="math")

    for train, test in cv.split(np.zeros(20), None, pupil, sample_source=source):
        assert not set(pupil[train]) & set(pupil[test])
        assert len(train) == 16


def test_a_class_of_fewer_rows_than_folds_is_spread_without_a_warning():
    y = np.array([6] * 30 + [9] * 3)
    source = np.repeat(["white"], 33)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folds = [t for _, t in SourceKFold(5).split(y, y, sample_source=source)]

    assert sorted((y[fold] == 9).sum() for fold in folds) == [0, 0, 1, 1, 1]


def test_the_column_and_the_keyword_give_the_same_folds():
    X, y, source = pack(1)
    frame = pd.DataFrame({"x": X[:, 0], "hospital": source})
    coded = np.column_stack([X, source == "b"]).astype(float)

    by_keyword = SourceKFold(3).split(X, y, sample_source=source)
    by_name = SourceKFold(3, source="hospital").split(frame, y)
    by_position = SourceKFold(3, source=-1).split(coded, y)

    for (_, keyword), (_, name), (_, place) in zip(by_keyword, by_name, by_position):
        np.testing.assert_array_equal(keyword, name)
        np.testing.assert_array_equal(keyword, place)


def test_shuffling_follows_its_seed():
    X, y, source = pack(2)

    def tests(seed):
        cv = SourceKFold(3, shuffle=True, random_state=seed)
        return [t.tolist() for _, t in cv.split(X, y, sample_source=source)]

    assert tests(0) == tests(0)
    assert tests(0) != tests(1)


@pytest.mark.parametrize(
    "y", [None, np.zeros((60, 2)), np.array([0, "x"] * 30, object)]
)
def test_any_target_can_be_split(y):
    X, _, source = pack(3)

    folds = [t for _, t in SourceKFold(4).split(X, y, sample_source=source)]

    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), range(60))


def test_each_source_is_left_out_once():
    X, y, source = pack(4)

    ours = list(LeaveOneSourceOut().split(X, y, sample_source=source))
    theirs = list(LeaveOneGroupOut().split(X, y, source))

    for (train, test), (their_train, their_test) in zip(ours, theirs):
        np.testing.assert_array_equal(train, their_train)
        np.testing.assert_array_equal(test, their_test)
    assert LeaveOneSourceOut().get_n_splits(sample_source=source) == 2
    assert LeaveOneSourceOut().get_n_splits(X, y, sample_source=source) == 2
    with pytest.raises(SourceError, match="X has 4, sample_source has 3"):
        LeaveOneSourceOut().get_n_splits(np.zeros((4, 2)), sample_source=source[:3])
    with pytest.raises(SourceError, match="LeaveOneSourceOut needs each row's source"):
        LeaveOneSourceOut().get_n_splits()


def test_a_group_of_the_left_out_source_is_left_out_elsewhere():
    source, pupil = ["math", "math", "art", "art"], [1, 2, 2, 3]

    splits = LeaveOneSourceOut().split(np.zeros(4), None, pupil, sample_source=source)

    assert [train.tolist() for train, _ in splits] == [[0], [3]]


def test_a_source_smaller_than_the_folds_is_named():
    source = ["a"] * 10 + ["b"] * 2
    with pytest.warns(
        SourceWarning, match=r"n_splits=5 is more than the rows of \{'b'"
    ):
        list(SourceKFold(5).split(np.zeros(12), sample_source=source))


@pytest.mark.parametrize(
    ("cv", "options", "message"),
    [
        (SourceKFold(1), {}, "n_splits must be an integer of at least 2, got 1"),
        (SourceKFold(2.5), {}, "at least 2, got 2.5"),
        (SourceKFold(9), {}, r"n_splits=9 is more than the 4 rows of \['a', 'b'\]"),
        (SourceKFold(3, test_source="a"), {}, r"more than the 2 rows of \['a'\]"),
        (
            SourceKFold(2, test_source="aa"),
            {},
            r"test_source names 'aa', which is not a source.*\['a'",
        ),
        (
            SourceKFold(2),
            {"groups": [1, 2, None, 3]},
            "groups leaves 1 row without a gr",
        ),
        (
            SourceKFold(2),
            {"sample_source": None},
            "SourceKFold needs each row's source",
        ),
        (LeaveOneSourceOut(), {"sample_source": None}, "LeaveOneSourceOut needs each"),
        (
            LeaveOneSourceOut(),
            {"sample_source": ["a"] * 4},
            "at least two sources, got",
        ),
        (
            SourceKFold(2),
            {"sample_source": ["a"] * 3},
            "sample_source must label every",
        ),
        (
            SourceKFold(2),
            {"groups": [1, 1, 1, 1]},
            "n_splits=2 is more than the 1 group to",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(cv, options, message):
    options = {"sample_source": ["a", "a", "b", "b"]} | options
    with pytest.raises(SourceError, match=message):
        list(cv.split(np.zeros((4, 1)), [0, 1, 0, 1], **options))


def test_a_seed_without_shuffling_is_refused():
    with pytest.raises(SourceError, match="does nothing without shuffle=True"):
        SourceKFold(2, random_state=0)


def test_a_meta_estimator_may_hand_its_seed_to_the_splitter():
    """Stacking writes random_state on any splitter that has one."""
    X, y, source = pack(5)
    cv = SourceKFold(3)
    cv.random_state = np.random.RandomState(0)

    groups = np.arange(60)
    assert len(list(cv.split(X, y, groups, sample_source=source))) == 3
    assert len(list(cv.split(X, y, sample_source=source))) == 3


def test_splitters_show_their_settings():
    assert "test_source='red'" in repr(SourceKFold(3, test_source="red"))
    assert repr(LeaveOneSourceOut("wine")) == "LeaveOneSourceOut(source='wine')"
