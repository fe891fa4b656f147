"""Rows as they are past the door: taken, pickled, weighted, grouped."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from sktandem import Merged
from sktandem.data._rows import number_groups, read_rows
from sktandem.data._sources import warn_of_source_among_features
from sktandem.exceptions import SourceError, SourceWarning

SEEDS = st.integers(0, 9999)


def drawn(seed, n=12):
    rng = np.random.default_rng(seed)
    X, y, source = (
        rng.normal(size=(n, 2)),
        rng.normal(size=n),
        rng.choice(list("abc"), n),
    )
    weights, groups = rng.integers(1, 5, n), rng.integers(0, 4, n)
    given = {"sample_source": source, "sample_weight": weights, "groups": groups}
    return X, y, source, weights, read_rows(None, X, y, **given)


@given(seed=SEEDS)
def test_rows_of_a_source_and_of_the_others_are_those_of_a_plain_loop(seed):
    _, _, source, _, rows = drawn(seed)

    for name in rows.names:
        own = [row for row, label in enumerate(source) if label == name]
        others = [row for row, label in enumerate(source) if label != name]
        assert rows.of(name).tolist() == own
        assert rows.of_others(name).tolist() == others


@given(seed=SEEDS)
def test_taken_rows_keep_all_that_belongs_to_them(seed):
    X, y, source, weights, rows = drawn(seed)
    places = np.random.default_rng(seed).permutation(12)[:5]

    part = rows.take(places)
    again = part.take(np.array([3, 1]))

    for some, at in ((part, places), (again, places[[3, 1]])):
        np.testing.assert_array_equal(some.X, X[at])
        np.testing.assert_array_equal(some.y, y[at])
        np.testing.assert_array_equal(some.labels, source[at])
        np.testing.assert_array_equal(some.weights, weights[at])
        np.testing.assert_array_equal(some.groups, rows.groups[at])
        assert some.taken.whole is rows.X
        np.testing.assert_array_equal(some.taken.places, at)
    assert rows.take(None) is rows


def test_pickled_rows_leave_the_table_that_they_are_from_behind():
    *_, rows = drawn(0)
    part = rows.take(np.arange(4))
    part.labels, part.sources.rows  # noqa: B018  derived, and kept

    other = pickle.loads(pickle.dumps(part))

    assert other.taken is None
    assert part.taken is not None
    assert other.names == part.names
    for what in ("X", "y", "weights", "groups", "labels"):
        np.testing.assert_array_equal(getattr(other, what), getattr(part, what))
    assert "rows" not in vars(other.sources)
    assert [own.tolist() for own in other.sources.rows] == [
        own.tolist() for own in part.sources.rows
    ]


def test_rows_taken_of_one_source_have_its_numbers_as_numbers():
    """Classes of two sources may be numbers in one and texts in the other."""
    y = np.array([1, 2, "x", "y"], dtype=object)
    rows = read_rows(None, np.zeros((4, 1)), y, sample_source=["a", "a", "b", "b"])

    assert rows.take(np.array([0, 1])).y.dtype.kind == "i"
    assert rows.take(np.array([2, 3])).y.dtype == object
    assert rows.take(np.array([1, 2])).y.tolist() == [2, "x"]
    assert rows.take(np.array([], dtype=int)).y.dtype == object


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_weights_are_numbers_of_the_precision_that_they_came_in(dtype):
    weights = np.array([1, 0, 1], dtype=dtype)

    rows = read_rows(None, np.zeros((3, 1)), [1.0, 2.0, 3.0], sample_weight=weights)

    assert rows.weights.dtype == ("float32" if dtype == "float32" else "float64")
    np.testing.assert_array_equal(rows.weights, [1, 0, 1])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (["much", "little"], "sample_weight must hold a number for each row: could no"),
        ([1.0], r"sample_weight.shape == \(1,\), expected \(2,\)"),
    ],
)
def test_weights_that_are_none_are_told_by_name(weights, message):
    with pytest.raises(ValueError, match=message):
        read_rows(None, np.zeros((2, 1)), [1.0, 2.0], sample_weight=weights)


def test_groups_are_numbered_in_the_order_of_their_names():
    numbers = number_groups(["b", "a", "b", "c"])

    assert numbers.tolist() == [1, 0, 1, 2]
    assert np.bincount(numbers).tolist() == [1, 2, 1]  # integers, to count by


def test_of_many_columns_the_first_twelve_are_named():
    frame = pd.DataFrame(np.zeros((2, 12)), columns=list("abcdefghijkl"))
    named = ", ".join(repr(name) for name in frame)

    with pytest.raises(SourceError, match=rf"The columns are \[{named}\]\. Where"):
        read_rows(None, frame, source="hospital")
    wider = frame.assign(m=0.0, n=0.0)
    with pytest.raises(SourceError, match=rf"are \[{named}, and 2 more\]\. Where"):
        read_rows(None, wider, source="hospital")


@pytest.mark.parametrize(("n_names", "lawful"), [(10, True), (15, True), (16, False)])
def test_half_as_many_sources_as_rows_look_transformed(n_names, lawful):
    column = np.arange(30) % n_names
    X = np.column_stack([column, np.zeros(30)])

    if lawful:
        assert len(read_rows(None, X, source=0).names) == n_names
        return
    with pytest.raises(SourceError, match="holds 16 different values in 30 rows, so"):
        read_rows(None, X, source=0)


def test_a_column_of_words_that_is_the_source_is_told_once_and_no_other():
    source = ["a", "b", "a", "b"]
    frame = pd.DataFrame(
        {
            "site": source,
            "ward": ["a", "b", "a", "c"],
            "gap": ["a", "b", "a", None],
            "size": [1.0, 2.0, 1.0, 2.0],
        }
    )

    with pytest.warns(SourceWarning) as told:
        warn_of_source_among_features(frame, np.array(source))

    assert [str(one.message)[:51] for one in told] == [
        "The column 'site' of X holds the source of every ro"
    ]
    # Silence is no warning, which would be an error here.
    warn_of_source_among_features(frame, None)
    warn_of_source_among_features(frame.to_numpy(), source)
    warn_of_source_among_features(frame, [1.0, 2.0, 1.0, 2.0])
    warn_of_source_among_features(frame, [*source[:3], None])
    warn_of_source_among_features(frame, [*source, "a"])


def test_rows_of_an_unknown_source_go_by_the_rule_and_are_told_by_their_place():
    X, y, source, *_ = drawn(0)
    given = {"scale_by": "source", "primary_source": "b"}
    model = Merged(Ridge(), unknown_source="primary", **given)
    model.fit(X, y, sample_source=source)

    told = model.predict(X[:3], sample_source=["a", "new", "c"])

    expected = model.predict(X[:3], sample_source=["a", "b", "c"])
    np.testing.assert_array_equal(told, expected)
    model = model.set_params(unknown_source="error").fit(X, y, sample_source=source)
    with pytest.raises(SourceError, match=r"1 row of 3 .*the first 'new' at row 1\."):
        model.predict(X[:3], sample_source=["a", "new", "c"])


def test_columns_other_than_those_of_fit_are_refused_and_not_learned():
    frame = pd.DataFrame(drawn(0)[0], columns=["u", "v"])
    model = Merged(Ridge()).fit(frame, drawn(0)[1], sample_source=drawn(0)[2])

    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"v": "w"}))

    assert list(model.feature_names_in_) == ["u", "v"]
