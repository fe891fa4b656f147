"""How a source label comes in: two doors, one resolver."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from sktandem import Merged
from sktandem._telling import did_you_mean
from sktandem.data._rows import read_rows
from sktandem.data._sources import UNKNOWN, matched, resolve_sources
from sktandem.exceptions import SourceError

LABELS = st.one_of(
    st.integers(-5, 5),
    st.sampled_from(["red", "white", "rosé"]),
    st.tuples(st.booleans()),
)


@given(labels=st.lists(LABELS, min_size=1, max_size=40))
def test_any_hashable_labels_are_told_apart_and_lose_no_row(labels):
    X = np.zeros((len(labels), 1))

    _, sources = resolve_sources(X, labels)

    assert [sources.names[code] for code in sources.codes] == labels
    assert sources.sizes.sum() == len(labels)
    np.testing.assert_array_equal(np.sort(np.concatenate(sources.rows)), range(len(X)))


@given(
    labels=st.lists(st.sampled_from("abc"), min_size=1, max_size=30),
    seed=st.integers(0, 99),
)
def test_the_order_of_rows_does_not_change_the_names(labels, seed):
    shuffled = np.random.default_rng(seed).permutation(labels)
    X = np.zeros((len(labels), 1))

    assert resolve_sources(X, labels)[1].names == resolve_sources(X, shuffled)[1].names


def test_labels_that_do_not_sort_are_ordered_by_type_and_text():
    _, sources = resolve_sources(np.zeros((3, 1)), ["lab", 7, "clinic"])

    assert sources.names == (7, "clinic", "lab")


def test_without_a_label_there_is_one_source():
    X, sources = resolve_sources([[1.0], [2.0]])

    assert sources.names == ("all",)
    np.testing.assert_array_equal(sources.codes, [0, 0])
    np.testing.assert_array_equal(X, [[1.0], [2.0]])


@pytest.mark.parametrize("source", ["hospital", 1, -2])
def test_the_column_gives_the_labels_and_leaves_the_features(source):
    X = pd.DataFrame({"age": [1.0, 2.0], "hospital": ["b", "a"], "weight": [3.0, 4.0]})
    before = X.copy()

    features, sources = resolve_sources(X, source=source)

    assert list(features.columns) == ["age", "weight"]
    assert sources.names == ("a", "b")
    np.testing.assert_array_equal(sources.codes, [1, 0])
    pd.testing.assert_frame_equal(X, before)


@pytest.mark.parametrize("position", [0, 1, 2, -1])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix, sparse.csc_array])
def test_a_position_works_in_arrays_and_sparse_matrices(container, position):
    X = np.array([[5.0, 6.0, 7.0], [8.0, 9.0, 10.0]])

    features, sources = resolve_sources(container(X), source=position)

    dense = features.toarray() if sparse.issparse(features) else features
    np.testing.assert_array_equal(dense, np.delete(X, position, axis=1))
    assert sources.names == tuple(X[:, position].astype(int))


def test_an_outer_column_is_taken_off_without_a_copy():
    X = np.zeros((5, 3))

    for position in (0, 2):
        features, _ = resolve_sources(X, source=position)
        assert np.shares_memory(features, X)


def test_the_keyword_wins_and_the_column_still_goes():
    X = pd.DataFrame({"age": [1.0, 2.0], "hospital": ["a", "b"]})

    features, sources = resolve_sources(X, ["u", "v"], source="hospital")

    assert sources.names == ("u", "v")
    assert list(features.columns) == ["age"]


def test_every_container_of_labels_says_the_same():
    labels = ["b", "a", "b"]
    containers = [
        labels,
        tuple(labels),
        np.array(labels),
        np.array(labels, dtype=object),
        np.array(labels)[:, None],
        pd.Series(labels, index=[7, 7, 7]),
        pd.Series(labels, dtype="category"),
        pd.DataFrame({"s": labels}),
    ]

    for container in containers:
        _, sources = resolve_sources(np.zeros((3, 1)), container)
        assert sources.names == ("a", "b")
        np.testing.assert_array_equal(sources.codes, [1, 0, 1])


def test_whole_floats_are_named_as_integers():
    assert resolve_sources(np.zeros((2, 1)), np.array([1.0, 0.0]))[1].names == (0, 1)


def test_at_predict_unseen_and_missing_labels_are_unknown():
    sources = matched(["b", "new", None, "a"], 4, ("a", "b"))

    np.testing.assert_array_equal(sources.codes, [1, UNKNOWN, UNKNOWN, 0])


def test_sources_of_some_rows_lose_the_names_that_go_empty():
    _, sources = resolve_sources(np.zeros((4, 1)), ["a", "b", "c", "c"])

    taken = sources.take(np.array([0, 3]))

    assert taken.names == ("a", "c")
    np.testing.assert_array_equal(taken.codes, [0, 1])


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_missing_labels_are_refused_with_their_row(missing):
    message = "leaves 2 samples unlabelled, the first at row 1. Drop them"
    with pytest.raises(SourceError, match=message):
        resolve_sources(np.zeros((4, 1)), ["a", missing, "b", missing])


def test_a_wrong_number_of_labels_is_refused():
    message = "X has 3, sample_source has 2. stack_sources builds"
    with pytest.raises(SourceError, match=message):
        resolve_sources(np.zeros((3, 1)), ["a", "b"])


def test_sources_that_read_the_same_are_refused():
    with pytest.raises(SourceError, match=r"The sources 1 and '1' read the same"):
        resolve_sources(np.zeros((2, 1)), [1, "1"])


def test_unhashable_labels_are_refused():
    with pytest.raises(SourceError, match=r"hashable, got \['a'\] of type list"):
        resolve_sources(np.zeros((2, 1)), [["a"], ["b"]])
    with pytest.raises(SourceError, match="Labels must be hashable"):
        matched([["a"], ["b"]], 2, ("a", "b"))


def test_labels_in_two_columns_are_refused():
    with pytest.raises(SourceError, match=r"one label per row, got shape \(2, 2\)"):
        resolve_sources(np.zeros((2, 1)), np.zeros((2, 2)))


def test_a_text_as_labels_is_told_to_be_a_column():
    with pytest.raises(
        SourceError, match="use source='hospital'; if it is the source of all"
    ):
        resolve_sources(np.zeros((2, 1)), "hospital")


@pytest.mark.parametrize(
    "X",
    [
        [np.zeros((3, 2)), np.zeros((4, 2))],
        [(np.zeros((3, 2)), [0, 1, 1]), (np.zeros((4, 2)), [0, 1, 1, 0])],
        [pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": [1.0]})],
        {"red": np.zeros((3, 2)), "white": np.zeros((4, 2))},
        [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]],
    ],
)
def test_datasets_in_place_of_a_table_are_refused(X):
    message = r"of 2 datasets; expected one table. stack_sources builds"
    with pytest.raises(SourceError, match=message):
        resolve_sources(X)


def test_a_column_that_is_not_there_is_refused_with_its_likeness():
    X = pd.DataFrame({"age": [1.0], "hospitals": ["a"]})
    with pytest.raises(SourceError, match="Did you mean 'hospitals'"):
        resolve_sources(X, source="hospital")
    with pytest.raises(SourceError, match="source=2 is not a column of X, which has 2"):
        resolve_sources(X, source=2)
    with pytest.raises(SourceError, match="but X is a ndarray without names"):
        resolve_sources(np.zeros((2, 2)), source="hospital")
    with pytest.raises(SourceError, match=r"names a column, but X has shape \(2,\)"):
        resolve_sources(["some text", "another"], source=0)
    with pytest.raises(SourceError, match=r"but X has shape \(4, 3, 2\)"):
        resolve_sources(np.zeros((4, 3, 2)), source=0)


def test_a_scaled_column_is_refused():
    X = np.column_stack([np.arange(9.0), [-0.7, 1.4, -0.7] * 3])
    with pytest.raises(SourceError, match=r"2 different values, -0.7 among them, in 9"):
        resolve_sources(X, source=1)


def test_a_projected_column_is_refused():
    X = np.arange(240).reshape(120, 2)
    message = "The column 0 holds 120 different values in 120 rows, so it looks trans"
    with pytest.raises(SourceError, match=message):
        resolve_sources(X, source=0)


def test_ten_sources_of_one_row_are_lawful():
    _, sources = resolve_sources(np.arange(20).reshape(10, 2), source=0)

    assert len(sources.names) == 10


def test_dates_are_the_same_in_any_container():
    days = np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[ns]")
    by_array = resolve_sources(np.zeros((2, 1)), days)[1]
    by_series = resolve_sources(np.zeros((2, 1)), pd.Series(days))[1]

    assert by_array.names == by_series.names
    np.testing.assert_array_equal(by_array.codes, by_series.codes)


def test_a_name_of_two_columns_is_refused():
    X = pd.DataFrame([["a", "b"]], columns=["s", "s"])
    with pytest.raises(SourceError, match=r"'s' is the name of 2 columns of X. Rename"):
        resolve_sources(X, source="s")


def test_no_rows_are_lawful_to_resolve():
    _, sources = resolve_sources(np.zeros((0, 1)), np.array([], dtype=str))

    assert sources.names == ()


def test_what_has_no_rows_is_no_table():
    with pytest.raises(SourceError, match="X must hold a row for each sample, got int"):
        resolve_sources(3)


def test_a_hint_names_what_was_probably_meant():
    assert did_you_mean("labb", ["clinic", "lab"]) == " Did you mean 'lab'?"
    assert did_you_mean("x", ["clinic", "lab"]) == ""


def test_dates_finer_than_a_microsecond_do_not_become_one_source():
    dates = np.array(["2024-01-01T00:00:00.000000001", "2024-01-01"], dtype="M8[ns]")
    X = np.zeros((2, 1))

    with pytest.raises(SourceError, match=r"finer than a microsecond.*astype\(str\)"):
        resolve_sources(X, dates)

    assert len(resolve_sources(X, dates.astype(str))[1].names) == 2
    _, days = resolve_sources(X, dates.astype("M8[D]") + np.array([0, 1]))
    assert len(days.names) == 2


@pytest.mark.parametrize("what", ["X", "y", "sample_source", "sample_weight", "groups"])
def test_a_mask_is_not_dropped_in_silence(what):
    X, labels = np.arange(8.0).reshape(4, 2), np.array(["a", "a", "b", "b"])
    given = {
        "X": X,
        "y": X[:, 0],
        "sample_source": labels,
        "sample_weight": np.ones(4),
        "groups": np.arange(4),
    }
    open_ = {key: np.ma.masked_array(value) for key, value in given.items()}
    mask = np.zeros(given[what].shape, dtype=bool)
    mask[1] = True
    given[what] = np.ma.masked_array(given[what], mask=mask)

    with pytest.raises(SourceError, match=f"^{what} is a masked array that hides"):
        read_rows(None, **given)
    assert len(read_rows(None, **open_)) == 4


def test_labels_may_stand_in_for_a_column_that_is_not_there():
    """The column in fit, the keyword at predict, for a frame without the column."""
    X = pd.DataFrame({"age": [1.0, 2, 3, 4] * 5, "site": ["a", "b"] * 10})
    y = np.arange(20) % 4 > 1
    model = Merged(LogisticRegression(), source="site", scale_by="source").fit(X, y)
    new = X[["age"]]

    by_keyword = model.predict_proba(new, sample_source=X["site"])

    np.testing.assert_array_equal(by_keyword, model.predict_proba(X))
    with pytest.raises(ValueError, match="site"):
        model.predict(new)
