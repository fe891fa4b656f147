"""Data frames are stacked by the names of their columns, and keep their dtypes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktandem import find_shared_rows, stack_sources
from sktandem.exceptions import SourceError

N_COLUMNS = 12
COLUMNS = [f"c{i}" for i in range(N_COLUMNS)]
JOINS = st.sampled_from(["inner", "outer"])


def column(position, n, rng):
    """Values of a dtype that goes with the position, in every source the same."""
    texts = rng.choice(["a", "b", "c"], size=n)
    holes = rng.random(n) < 0.3
    makers = [
        lambda: rng.normal(size=n),
        lambda: rng.normal(size=n).astype("float32"),
        lambda: rng.integers(-9, 9, size=n),
        lambda: rng.integers(0, 9, size=n).astype("uint8"),
        lambda: rng.random(n) < 0.5,
        lambda: pd.Series(rng.integers(0, 9, n), dtype="Int64").mask(holes),
        lambda: pd.Series(rng.random(n) < 0.5, dtype="boolean").mask(holes),
        lambda: pd.Series(texts),
        lambda: pd.Series(texts, dtype="string").mask(holes),
        lambda: pd.Series(texts, dtype="category").mask(holes),
        lambda: pd.Series(pd.Timestamp(2020, 1, 1) + pd.to_timedelta(range(n), "D")),
        lambda: pd.Series(pd.Timestamp(2020, 1, 1, tz="UTC"), index=range(n)),
    ]
    return pd.Series(makers[position]())


@st.composite
def some_datasets(draw):
    """Two to four data frames with some of the columns each, in any order."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    datasets = {}
    for name in "abcd"[: draw(st.integers(2, 4))]:
        n = draw(st.integers(1, 5))
        order = draw(st.permutations(range(1, N_COLUMNS)))
        own = [*order[: draw(st.integers(0, N_COLUMNS - 1))], 0]  # c0 is in all
        frame = pd.DataFrame({COLUMNS[i]: column(i, n, rng) for i in own})
        datasets[name] = (frame, np.arange(n))
    return datasets


def back_in_its_own_dtypes(X, own):
    """Undo the two changes of dtype that the notes tell of."""
    plain = {c: own[c].dtype for c in X if isinstance(own[c].dtype, np.dtype)}
    plain = {c: dtype for c, dtype in plain.items() if dtype.kind in "iub"}
    for name, dtype in X.dtypes.items():
        if name in plain:
            assert dtype in (plain[name], "float64", "boolean")
        elif isinstance(dtype, pd.CategoricalDtype):
            assert set(dtype.categories) >= set(own[name].cat.categories)
            plain[name] = own[name].dtype
        else:
            assert dtype == own[name].dtype
    return X.astype(plain)


# Laws


@given(some_datasets(), JOINS)
def test_a_source_picked_back_from_a_join_is_the_dataset(datasets, join):
    X, _, sample_source = stack_sources(datasets, join=join)

    for name, (own, _) in datasets.items():
        picked = X[sample_source == name].reset_index(drop=True)
        lacking = [c for c in picked if c not in own]
        assert picked[lacking].isna().all(axis=None)
        shared = [c for c in own if c in X]
        picked = back_in_its_own_dtypes(picked[shared], own)
        pd.testing.assert_frame_equal(picked, own[shared], check_categorical=False)


@given(some_datasets())
def test_the_inner_join_is_the_outer_one_less_what_some_source_lacks(datasets):
    inner = stack_sources(datasets, join="inner").X
    outer = stack_sources(datasets, join="outer").X

    everywhere = [c for c in outer if all(c in X for X, _ in datasets.values())]
    pd.testing.assert_frame_equal(outer[everywhere], inner)


@given(some_datasets(), JOINS)
def test_the_order_of_the_sources_is_only_an_order(datasets, join):
    straight = stack_sources(datasets, join=join)
    turned = stack_sources(dict(reversed(datasets.items())), join=join)

    order = np.concatenate(
        [np.flatnonzero(turned.sample_source == name) for name in datasets]
    )
    pd.testing.assert_frame_equal(
        turned.X.iloc[order].reset_index(drop=True)[list(straight.X)],
        straight.X,
        check_categorical=False,
    )
    assert dict(turned.X.dtypes) == dict(straight.X.dtypes)


@given(some_datasets())
def test_where_all_have_the_same_columns_the_joins_agree(datasets):
    same = {name: (X[["c0"]], y) for name, (X, y) in datasets.items()}

    exact = stack_sources(same).X

    for join in ("inner", "outer"):
        pd.testing.assert_frame_equal(stack_sources(same, join=join).X, exact)


@given(some_datasets(), JOINS)
def test_the_datasets_are_left_as_they_were(datasets, join):
    before = {name: X.copy() for name, (X, _) in datasets.items()}

    X = stack_sources(datasets, join=join).X
    X.loc[:, "c0"] = 7.0

    for name, (own, _) in datasets.items():
        pd.testing.assert_frame_equal(own, before[name])


# Columns


def test_columns_come_in_the_order_of_their_first_appearance():
    a = pd.DataFrame({"z": [1.0], "m": [1.0], "b": [1.0]})
    b = pd.DataFrame({"b": [2.0], "new": [2.0], "z": [2.0]})

    inner = stack_sources({"a": (a, [0]), "b": (b, [0])}, join="inner").X
    outer = stack_sources({"a": (a, [0]), "b": (b, [0])}, join="outer").X

    assert inner.to_dict("list") == {"z": [1, 2], "b": [1, 2]}
    assert list(outer) == ["z", "m", "b", "new"]


def test_the_source_column_joins_as_the_last():
    a, b = pd.DataFrame({"p": [1.0]}), pd.DataFrame({"q": [2.0]})

    X, _, _ = stack_sources({"a": (a, [0]), "b": (b, [0])}, join="outer", column="s")

    assert list(X) == ["p", "q", "s"]
    assert X["s"].tolist() == ["a", "b"]


# Dtypes


def stacked(a, b, join="exact"):
    """The dtype and the values of one column from two sources."""
    a, b = pd.DataFrame({"k": 0.0, "v": a}), pd.DataFrame({"k": 0.0, "v": b})
    return stack_sources({"a": (a, [0] * len(a)), "b": (b, [0] * len(b))}, join=join).X[
        "v"
    ]


def test_categories_become_the_union_of_all_even_where_the_columns_are_the_same():
    column = stacked(pd.Categorical(["red", None]), pd.Categorical(["white", "red"]))

    assert column.dtype == "category"
    assert list(column.cat.categories) == ["red", "white"]
    assert column.tolist()[2:] == ["white", "red"]


def test_the_same_categories_in_another_order_are_the_same():
    a = pd.Categorical(["x"], categories=["x", "y"])
    b = pd.Categorical(["y"], categories=["y", "x"])

    assert list(stacked(a, b).cat.categories) == ["x", "y"]


def test_ordered_categories_stay_ordered_and_must_be_the_same():
    grades = pd.CategoricalDtype(["low", "high"], ordered=True)
    fewer = pd.CategoricalDtype(["low"], ordered=True)
    low = pd.Series(["low"])

    assert stacked(low.astype(grades), low.astype(grades)).dtype == grades
    with pytest.raises(SourceError, match=r"'a': \"ordered categories \['low', 'high'"):
        stacked(low.astype(grades), low.astype(fewer))
    with pytest.raises(SourceError, match="'b': 'categories of texts'"):
        stacked(low.astype(grades), low.astype("category"))


def test_booleans_stay_booleans():
    assert stacked([True], [False]).dtype == bool
    assert stacked([True], pd.array([None, False], "boolean")).dtype == "boolean"
    lacking = stacked([True], [np.nan])
    assert lacking.dtype == "boolean"
    assert lacking[0] is np.True_
    assert lacking[1] is pd.NA
    spelt = pd.Series([True, None], dtype=object)
    assert stacked([True], spelt).dtype == "boolean"
    assert stacked(spelt, spelt).tolist() == [True, None] * 2


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b"],
        pd.Series(["a", "b"], dtype=object),
        pd.to_datetime(["2020-01-01", "2021-01-01"]),
        pd.array([1, None], "Int64"),
        pd.Categorical(["a", "b"]),
        np.array([1, 2], "float32"),
        pd.Series(["a", 1], dtype=object),
    ],
)
def test_a_column_without_a_value_takes_the_dtype_of_the_others(values):
    values = pd.Series(values)

    for blank in ([np.nan], pd.Series([None], dtype=object)):
        for column in (stacked(values, blank), stacked(blank, values)):
            assert column.dtype == values.dtype
            assert column.isna().sum() == values.isna().sum() + 1


def test_a_source_whose_only_column_is_blank_keeps_its_rows():
    a, b = pd.DataFrame({"v": ["x"]}), pd.DataFrame({"v": [np.nan, np.nan]})

    X, y, _ = stack_sources({"a": (a, [0]), "b": (b, [1, 1])})

    assert len(X) == len(y) == 3


def test_columns_blank_in_every_source_stay_blank():
    column = stacked([np.nan], pd.Series([None], dtype=object))

    assert column.isna().all()


def test_dates_of_any_unit_are_dates():
    dates = pd.Series(pd.to_datetime(["2020-01-01"]))

    column = stacked(dates.astype("M8[s]"), dates.astype("M8[ns]"))
    since = stacked((dates - dates).astype("m8[s]"), (dates - dates).astype("m8[ns]"))

    assert column.dtype == "M8[ns]"
    assert (column == dates[0]).all()
    assert since.dtype == "m8[ns]"


def test_polars_dates_of_any_unit_are_dates():
    polars = pytest.importorskip("polars")
    a, b, c = [
        polars.DataFrame({"v": [0]}, schema={"v": polars.Datetime(unit, zone)})
        for unit, zone in (("ms", None), ("ns", None), ("ns", "UTC"))
    ]

    assert stack_sources({"a": (a, [0]), "b": (b, [0])}).X["v"].n_unique() == 1
    with pytest.raises(SourceError, match="'b': 'dates', 'c': 'dates of UTC'"):
        stack_sources({"b": (b, [0]), "c": (c, [0])})


def test_large_whole_numbers_are_refused_rather_than_rounded():
    a = pd.DataFrame({"k": [0.0], "id": [2**60 + 1]})
    b = pd.DataFrame({"k": [0.0]})
    nullable = a.astype({"id": "Int64"})

    with pytest.raises(SourceError, match=r"column 'id' of 'a' has whole numbers bey"):
        stack_sources({"a": (a, [0]), "b": (b, [0])}, join="outer")
    with pytest.raises(
        SourceError, match=r"round. Turn it into text, or into nullable"
    ):
        stack_sources({"b": (b.assign(id=1.5), [0]), "a": (-a, [0])})

    X = stack_sources({"a": (nullable, [0]), "b": (b, [0])}, join="outer").X
    assert X["id"][0] == 2**60 + 1


UTC = pd.Timestamp("2020-01-01", tz="UTC")
NUMBERS_AND_TEXTS = "column 'v' has {'a': 'numbers', 'b': 'texts'}"


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1], ["x"], NUMBERS_AND_TEXTS),
        ([1], pd.array(["x"], "string"), NUMBERS_AND_TEXTS),
        (pd.Series([1], dtype=object), pd.Series(["x"], dtype=object), "{'a': 'numb"),
        ([1.5], [True], "'b': 'booleans'"),
        (["x"], pd.Categorical(["x"]), "'a': 'texts', 'b': 'categories of texts'"),
        (pd.Categorical([1]), pd.Categorical(["x"]), "'a': 'categories of numbers'"),
        ([UTC], [UTC.tz_localize(None)], "'a': 'dates of UTC', 'b': 'dates'"),
        ([UTC], [1], "'b': 'numbers'"),
        (pd.Series(["x", 1], dtype=object), ["x"], "'a': 'numbers beside texts'"),
        (pd.Series([(1,)]), [1], "'a': 'mixed objects'"),
    ],
)
def test_columns_of_another_kind_in_each_source_are_refused(a, b, message):
    for join in ("exact", "inner", "outer"):
        with pytest.raises(SourceError) as caught:
            stacked(a, b, join=join)
        assert message in str(caught.value)
        assert "Give it one kind in all datasets before stacking." in str(caught.value)


# Errors


def test_every_column_of_two_kinds_is_named():
    a = pd.DataFrame({"p": [1], "q": [1], "r": [1]})
    b = pd.DataFrame({"p": ["x"], "q": ["x"], "r": [1]})

    with pytest.raises(SourceError, match=r"column 'p' has .* So it is with \['q'\]"):
        stack_sources({"a": (a, [0]), "b": (b, [0])})


def test_what_the_other_joins_would_do_is_told():
    a = pd.DataFrame({"p": [1], "q": [1]})
    b, c = a.rename(columns={"q": "r"}), pd.DataFrame({f"c{i}": [1] for i in range(20)})

    with pytest.raises(
        SourceError,
        match=r"'a' lacks \['r'\]; 'b' lacks \['q'\]. Rename what only differs in "
        r"spelling. join='inner' keeps the 1 that all have; join='outer' keeps all 3",
    ):
        stack_sources({"a": (a, [0]), "b": (b, [0])})
    with pytest.raises(SourceError, match=r"'c7'\] and 12 more") as caught:
        stack_sources({"a": (a, [0]), "c": (c, [0])})
    assert "inner" not in str(caught.value)  # there is nothing it could keep


def test_an_inner_join_needs_a_column_that_all_have():
    a, b = pd.DataFrame({"p": [1]}), pd.DataFrame({"q": [1]})

    with pytest.raises(
        SourceError, match=r"No column is in all datasets: 'a' lacks \['q'\]; .*'outer'"
    ):
        stack_sources({"a": (a, [0]), "b": (b, [0])}, join="inner")


@pytest.mark.parametrize("X", [np.ones((1, 2)), ["text"]])
def test_what_has_no_names_is_not_joined_by_name(X):
    with pytest.raises(SourceError, match="join='outer' goes by the names of columns"):
        stack_sources({"a": (X, [0]), "b": (X, [0])}, join="outer")


# polars


def polars_frames():
    polars = pytest.importorskip("polars")
    a = polars.DataFrame(
        {"age": [40, 50], "ward": ["x", None], "well": [True, False]},
        schema_overrides={"ward": polars.Categorical},
    )
    b = polars.DataFrame(
        {"iron": [1.5], "ward": ["y"], "age": [60]},
        schema_overrides={"ward": polars.Categorical},
    )
    return polars, {"a": (a, [0, 1]), "b": (b, [1])}


def test_polars_frames_are_joined_and_keep_their_dtypes():
    polars, datasets = polars_frames()

    inner = stack_sources(datasets, join="inner", column="hospital").X
    outer = stack_sources(datasets, join="outer").X

    assert inner.to_dict(as_series=False) == {
        "age": [40, 50, 60],
        "ward": ["x", None, "y"],
        "hospital": ["a", "a", "b"],
    }
    assert dict(outer.schema) == {
        "age": polars.Int64,
        "ward": polars.Categorical,
        "well": polars.Boolean,
        "iron": polars.Float64,
    }
    assert outer["iron"].to_list() == [None, None, 1.5]
    with pytest.raises(SourceError, match=r"'a' lacks \['iron'\]; 'b' lacks \['well'"):
        stack_sources(datasets)


def test_polars_frames_with_the_same_columns_are_stacked_in_any_order_of_them():
    _, datasets = polars_frames()
    a = datasets["a"][0]

    X = stack_sources({"a": (a, [0, 1]), "b": (a[:, ::-1], [0, 1])}).X

    assert X[:2].equals(a)
    assert X[2:].equals(a)


def test_polars_columns_of_another_kind_in_each_source_are_refused():
    polars = pytest.importorskip("polars")
    a = polars.DataFrame({"v": [2**60 + 1]})

    with pytest.raises(SourceError, match=r"has {'a': 'numbers', 'b': 'texts'}"):
        stack_sources({"a": (a, [0]), "b": (polars.DataFrame({"v": ["x"]}), [0])})
    with pytest.raises(SourceError, match="whole numbers beyond"):
        stack_sources({"a": (a, [0]), "b": (polars.DataFrame({"v": [1.5]}), [0])})
    with pytest.raises(SourceError, match=r"of one kind, got {'a': 'polars data frame"):
        stack_sources({"a": (a, [0]), "b": (pd.DataFrame({"v": [1]}), [0])})

    blank = stack_sources({"a": (a, [0]), "b": (polars.DataFrame({"v": [None]}), [0])})
    assert blank.X["v"].to_list() == [2**60 + 1, None]


def test_polars_categories_that_are_listed_become_the_union():
    polars = pytest.importorskip("polars")
    a = polars.DataFrame({"v": ["x"]}, schema={"v": polars.Enum(["x"])})
    b = polars.DataFrame({"v": ["y"]}, schema={"v": polars.Enum(["y", "x"])})

    X = stack_sources({"a": (a, [0]), "b": (b, [0])}).X

    assert dict(X.schema) == {"v": polars.Enum(["x", "y"])}
    assert X["v"].to_list() == ["x", "y"]


def test_shared_rows_of_polars_frames_are_found():
    _, datasets = polars_frames()
    X, _, sample_source = stack_sources(datasets | {"c": datasets["a"]}, join="outer")

    shared = find_shared_rows(X, sample_source)

    assert shared.groups.tolist() == [0, 1, 2, 0, 1]
    assert find_shared_rows(X, subset="iron").groups.tolist() == [0, 1, 2, 3, 4]
