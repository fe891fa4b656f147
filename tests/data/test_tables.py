"""One law for each thing that is done to a data frame, whatever its library."""

import datetime as dt
from importlib.util import find_spec

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from sktandem import Merged, SourceScaler, stack_sources
from sktandem.data._tables import (
    append_columns,
    as_table,
    column_names,
    drop_column,
    frame_like,
    insert_column,
    is_frame,
    is_missing,
    numeric_columns,
    replace_columns,
    stack_rows,
    take_column,
    take_rows,
    to_floats,
)
from sktandem.exceptions import SourceError
from sktandem.model_selection import score_by_source
from sktandem.shift import find_shared_rows, shift_report

RIDGE = Ridge()
needs_pyarrow = pytest.mark.skipif(find_spec("pyarrow") is None, reason="no pyarrow")
LIBRARIES = ["pandas", "polars", pytest.param("pyarrow", marks=needs_pyarrow)]
every_library = pytest.mark.parametrize("library", LIBRARIES)

N = 6
COLUMNS = {
    "half": [0.5, None, 2.5, -1.0, 0.0, 3.5],
    "count": [1, 2, 3, 4, 5, 6],
    "holes": [7, None, 9, 10, None, 12],
    "word": ["a", "b", None, "a", "", "c"],
    "yes": [True, False, True, True, False, False],
    "day": [dt.datetime(2020, 1, day) for day in range(1, N + 1)],
    "kind": ["x", "y", "x", None, "y", "y"],
}
NUMERIC = [0, 1, 2]
FLOATS = np.array([COLUMNS[name] for name in ("half", "count", "holes")], float).T

PLACES = st.integers(0, len(COLUMNS) - 1)
ROWS = st.lists(st.integers(0, N - 1), max_size=9)


def frame_of(library, columns=COLUMNS):
    """The same columns as a data frame of a library, "kind" as categories."""
    if library == "pandas":
        X = pd.DataFrame(columns, index=range(10, 10 + N))
        X = X.astype({"holes": "Int64"} if "holes" in X else {})
        return X.astype({"kind": "category"} if "kind" in X else {})
    if library == "polars":
        overrides = {"kind": pl.Categorical} if "kind" in columns else {}
        return pl.DataFrame(columns, schema_overrides=overrides)
    import pyarrow as pa

    X = pa.table(columns)
    if "kind" in columns:
        place = X.column_names.index("kind")
        X = X.set_column(place, "kind", X["kind"].dictionary_encode())
    return X


def held(X):
    """The columns as lists of plain values, None where one is missing."""
    lists = [take_column(X, place).to_list() for place in range(X.shape[1])]
    plain = [[None if is_missing(value) else value for value in own] for own in lists]
    return dict(zip(column_names(X), plain))


def dtypes(X):
    """The dtype of each column, as its own library has it."""
    own = X.schema.types if type(X).__module__ == "pyarrow.lib" else X.dtypes
    return dict(zip(column_names(X), own))


def equal(X, other):
    """Whether two frames are one and the same, dtypes and index included."""
    assert type(X) is type(other)
    assert dtypes(X) == dtypes(other)
    if hasattr(X, "index"):
        assert X.index.equals(other.index)
    return held(X) == held(other)


@every_library
def test_a_frame_holds_what_went_into_it(library):
    X = frame_of(library)

    assert is_frame(X)
    assert as_table(X) is X
    assert column_names(X) == list(COLUMNS)
    assert held(X) == COLUMNS


# Rows


@every_library
@settings(deadline=None)
@given(rows=ROWS)
def test_rows_are_taken_from_every_column(library, rows):
    X = frame_of(library)

    for some in (rows, np.array(rows, dtype=int)):
        taken = take_rows(X, some)

        assert type(taken) is type(X)
        assert dtypes(taken) == dtypes(X)
        assert held(taken) == {k: [v[i] for i in rows] for k, v in COLUMNS.items()}
    if library == "pandas":
        assert taken.index.tolist() == [10 + row for row in rows]


@every_library
def test_rows_are_taken_by_a_mask_or_a_slice_and_none_means_all(library):
    X = frame_of(library)
    mask = np.arange(N) % 2 == 0

    assert equal(take_rows(X, mask), take_rows(X, [0, 2, 4]))
    assert equal(take_rows(X, slice(1, 3)), take_rows(X, [1, 2]))
    assert take_rows(X, None) is X


@every_library
@settings(deadline=None)
@given(rows=ROWS.filter(len), others=ROWS.filter(len))
def test_rows_stacked_are_the_rows_taken_at_once(library, rows, others):
    X = frame_of(library)

    stacked = stack_rows([take_rows(X, rows), take_rows(X, others)])

    assert equal(stacked, take_rows(X, rows + others))


@every_library
def test_rows_of_other_dtypes_are_stacked_in_a_common_one(library):
    whole, broken = ({"v": values} for values in ([1] * N, [0.5] * N))

    stacked = stack_rows([frame_of(library, whole), frame_of(library, broken)])

    assert held(stacked) == {"v": [1.0] * N + [0.5] * N}


# Columns


@every_library
@settings(deadline=None)
@given(place=PLACES)
def test_a_column_taken_out_and_put_back_is_as_it_was(library, place):
    X = frame_of(library)
    name = column_names(X)[place]

    without = drop_column(X, place)
    back = insert_column(without, place, take_column(X, place), name)

    assert held(without) == {k: v for k, v in COLUMNS.items() if k != name}
    assert equal(back, X)
    assert equal(X, frame_of(library))  # as it came


@every_library
@settings(deadline=None)
@given(place=st.integers(0, len(COLUMNS)))
def test_an_array_becomes_a_column(library, place):
    X = frame_of(library)
    for values in (np.array(list("abcdef"), dtype=object), np.arange(N)):
        out = insert_column(X, place, values, "new")

        assert column_names(out)[place] == "new"
        assert take_column(out, place).to_list() == values.tolist()
        assert equal(drop_column(out, place), X)


@pytest.mark.parametrize("library", LIBRARIES[1:])
def test_no_column_takes_the_place_of_another_of_its_name(library):
    X = frame_of(library)

    with pytest.raises(Exception, match="word"):
        insert_column(X, 0, np.arange(N), "word")
    with pytest.raises(Exception, match="word"):
        append_columns(X, np.ones((N, 1)), ["word"])


# Numbers


@every_library
def test_numbers_become_floats_with_nan_where_one_is_missing(library):
    X = frame_of(library)

    assert numeric_columns(X) == NUMERIC
    np.testing.assert_array_equal(to_floats(X, NUMERIC), FLOATS)
    np.testing.assert_array_equal(to_floats(X, [2, 0]), FLOATS[:, [2, 0]])
    assert to_floats(X, NUMERIC).dtype == np.float64
    assert to_floats(X, []).shape == (N, 0)


@every_library
def test_yes_and_no_become_floats_where_they_are_asked_for(library):
    floats = to_floats(frame_of(library), [4, 1])

    np.testing.assert_array_equal(floats[:, 0], COLUMNS["yes"])


@every_library
def test_single_precision_stays_only_where_all_columns_have_it(library):
    X = frame_like(frame_of(library), np.ones((N, 2), dtype=np.float32), ["p", "q"])
    wider = append_columns(X, np.ones((N, 1)), ["r"])

    assert to_floats(X, [0, 1]).dtype == np.float32
    assert to_floats(wider, [1, 0]).dtype == np.float32
    assert to_floats(wider, [0, 2]).dtype == np.float64


@every_library
@settings(deadline=None)
@given(columns=st.lists(PLACES, min_size=1, unique=True), seed=st.integers(0, 99))
def test_new_values_go_into_their_columns_and_the_rest_stays(library, columns, seed):
    X = frame_of(library)
    values = np.random.default_rng(seed).normal(size=(N, len(columns)))

    out = replace_columns(X, columns, values)

    names = [list(COLUMNS)[place] for place in columns]
    assert held(out) == COLUMNS | dict(zip(names, values.T.tolist()))
    rest = [name for name in COLUMNS if name not in names]
    assert {k: dtypes(out)[k] for k in rest} == {k: dtypes(X)[k] for k in rest}
    assert equal(X, frame_of(library))


@every_library
def test_columns_of_numbers_are_put_behind_the_others(library):
    X = frame_of(library)
    values = np.arange(2.0 * N).reshape(N, 2)

    out = append_columns(X, values, ["p", "q"])

    assert held(out) == COLUMNS | {"p": [*values[:, 0]], "q": [*values[:, 1]]}
    assert equal(drop_column(drop_column(out, 8), 7), X)


@every_library
def test_an_array_takes_after_a_frame(library):
    X = frame_of(library)
    values = np.arange(2.0 * N).reshape(N, 2)

    out = frame_like(X, values, ["p", "q"])

    assert type(out) is type(X)
    assert held(out) == {"p": [*values[:, 0]], "q": [*values[:, 1]]}
    if library == "pandas":
        assert out.index.equals(X.index)


# What only pandas has


def test_pandas_columns_of_one_name_are_told_apart_by_their_place():
    X = pd.DataFrame(np.arange(8.0).reshape(2, 4), columns=["a", "a", "b", "a"])
    X.isetitem(2, ["u", "v"])

    assert column_names(X) == ["a", "a", "b", "a"]
    assert numeric_columns(X) == [0, 1, 3]
    assert to_floats(X, [1, 3]).tolist() == [[1.0, 3.0], [5.0, 7.0]]
    assert take_rows(X, [1]).to_numpy().tolist() == [[4.0, 5.0, "v", 7.0]]
    assert drop_column(X, 1).to_numpy()[0].tolist() == [0.0, "u", 3.0]
    back = insert_column(drop_column(X, 1), 1, take_column(X, 1), "a")
    pd.testing.assert_frame_equal(back, X)
    doubled = replace_columns(X, [0, 3], 2 * to_floats(X, [0, 3]))
    assert doubled.to_numpy()[1].tolist() == [8.0, 5.0, "v", 14.0]
    assert append_columns(X, np.ones((2, 1)), ["a"]).shape == (2, 5)
    pd.testing.assert_frame_equal(stack_rows([X[:1], X[1:]]), X)


def test_pandas_names_need_not_be_strings():
    index = pd.Index([3, 1, 2], name="number")
    X = pd.DataFrame(np.eye(3), columns=index)

    replaced = replace_columns(X, [0, 2], np.zeros((3, 2)))

    assert replaced.columns.equals(index)
    assert replaced.columns.name == "number"
    assert replace_columns(X, [2, 1, 0], np.eye(3)).columns.tolist() == [2, 1, 3]
    assert column_names(drop_column(X, 1)) == [3, 2]


@pytest.mark.parametrize("dtype", ["Sparse[float64]", "Float64", "longdouble", "UInt8"])
def test_pandas_numbers_of_any_dtype_are_numbers(dtype):
    X = pd.DataFrame({"v": pd.Series([0, 2]).astype(dtype), "w": ["a", "b"]})

    assert numeric_columns(X) == [0]
    assert to_floats(X, [0]).tolist() == [[0.0], [2.0]]
    back = insert_column(drop_column(X, 0), 0, take_column(X, 0), "v")
    pd.testing.assert_frame_equal(back, X)


# From end to end


@every_library
def test_estimators_take_a_frame_of_any_library(library):
    rng = np.random.default_rng(0)
    columns = {"age": rng.normal(size=N), "ward": list("eewwew"), "pulse": [*range(N)]}
    X, y = frame_of(library, columns), np.arange(N)
    plain = np.column_stack([columns["age"], columns["pulse"]])

    model = Merged(scale_by="source", source="ward").set_params(estimator=RIDGE)
    expected = Merged(RIDGE, scale_by="source").fit(
        plain, y, sample_source=columns["ward"]
    )

    predicted = model.fit(X, y).predict(X)
    np.testing.assert_allclose(
        predicted, expected.predict(plain, sample_source=columns["ward"])
    )
    assert set(score_by_source(model, X, y).by_source) == {"e", "w"}
    scaled = SourceScaler(source="ward").fit_transform(X)
    assert type(scaled) is type(X)
    assert column_names(scaled) == ["age", "ward", "pulse"]
    by_series = Merged(RIDGE).fit(drop_column(X, 1), y, sample_source=X["ward"])
    assert by_series.sources_ == ("e", "w")


@pytest.mark.filterwarnings("ignore:'a' has only 6 rows")
@every_library
def test_frames_of_any_library_are_stacked_and_compared(library):
    a = frame_of(library)
    b = drop_column(drop_column(a, 4), 2)
    y = np.arange(N)

    outer = stack_sources({"a": (a, y), "b": (b, y)}, join="outer", column="ward")

    lacks = COLUMNS | {"holes": [None] * N, "yes": [None] * N, "ward": ["b"] * N}
    expected = {k: v + lacks[k] for k, v in (COLUMNS | {"ward": ["a"] * N}).items()}
    assert type(outer.X) is type(a)
    assert held(outer.X) == expected
    report = shift_report(outer.X, source="ward", random_state=0)
    assert "yes" in str(report)
    shared = find_shared_rows(outer.X, source="ward", subset=["half", "word"])
    assert shared.groups.tolist() == [*range(N)] * 2
    other = frame_of(library, {"v": ["a"] * N}), frame_of(library, {"v": [1] * N})
    with pytest.raises(SourceError, match=r"{'a': '\w+', 'b': 'numbers'}"):
        stack_sources({"a": (other[0], y), "b": (other[1], y)})


# Queries that were not run


@pytest.mark.parametrize(
    "call",
    [
        as_table,
        lambda X: Merged(RIDGE).fit(X, [0]),
        lambda X: SourceScaler().fit(X),
        lambda X: shift_report(X, sample_source=["a"]),
        lambda X: find_shared_rows(X, sample_source=["a"]),
    ],
)
def test_a_query_is_refused_with_the_method_that_runs_it(call):
    X = pl.DataFrame({"v": [1.0]}).lazy()

    with pytest.raises(
        SourceError, match=r"X is a LazyFrame of polars.*X\.collect\(\)"
    ):
        call(X)
    with pytest.raises(SourceError, match=r"'a': X is a LazyFrame of polars"):
        stack_sources({"a": (X, [0])})
