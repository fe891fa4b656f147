"""Several datasets become one table."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sktandem import stack_sources
from sktandem.exceptions import SourceError

torch = pytest.importorskip("torch")


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4), k=st.integers(1, 3))
def test_stacking_then_picking_a_source_gives_the_dataset_back(sizes, k):
    rng = np.random.default_rng(0)
    datasets = {
        f"s{i}": (rng.normal(size=(n, k)), rng.normal(size=n))
        for i, n in enumerate(sizes)
    }

    X, y, sample_source = stack_sources(datasets)

    for name, (X_own, y_own) in datasets.items():
        np.testing.assert_array_equal(X[sample_source == name], X_own)
        np.testing.assert_array_equal(y[sample_source == name], y_own)


def test_frames_stay_frames_and_columns_are_aligned_by_name():
    red = pd.DataFrame({"ph": [1.0], "colour": pd.Categorical(["r"])})
    white = pd.DataFrame({"colour": pd.Categorical(["r"]), "ph": [2.0]}, index=[9])

    X, y, _ = stack_sources(
        {"red": (red, pd.Series([1])), "white": (white, pd.Series([2]))}
    )

    assert list(X.columns) == ["ph", "colour"]
    assert X["colour"].dtype == "category"
    assert X.index.tolist() == [0, 1]
    assert y.tolist() == [1, 2]


def test_sparse_matrices_stay_sparse():
    a, b = sparse.csr_matrix(np.eye(2)), sparse.csr_array(np.eye(2))

    X, _, _ = stack_sources({"a": (a, [0, 1]), "b": (b, [1, 0])})

    assert X.format == "csr"
    np.testing.assert_array_equal(X.toarray(), np.vstack([np.eye(2)] * 2))


def test_texts_stay_a_list_of_texts():
    X, y, sample_source = stack_sources(
        {"en": (["hello", "bye"], ["hi", "bye"]), "de": (["hallo"], ["hi"])}
    )

    assert X == ["hello", "bye", "hallo"]
    assert y.tolist() == ["hi", "bye", "hi"]
    assert sample_source.tolist() == ["en", "en", "de"]


def test_tensors_stay_tensors():
    X, y, _ = stack_sources(
        {
            "a": (torch.zeros(2, 3), torch.tensor([0, 1])),
            "b": (torch.ones(1, 3), torch.tensor([1])),
        }
    )

    assert torch.equal(X, torch.tensor([[0.0] * 3] * 2 + [[1.0] * 3]))
    assert torch.equal(y, torch.tensor([0, 1, 1]))


@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 3)])
def test_targets_keep_their_shape(shape):
    _, y, _ = stack_sources(
        {
            "a": (np.zeros((2, 1)), np.zeros(shape)),
            "b": (np.zeros((2, 1)), np.ones(shape)),
        }
    )

    assert y.shape == (4, *shape[1:])


def test_no_dataset_needs_a_target():
    assert stack_sources({"a": ([[1.0]], None), "b": ([[2.0]], None)}).y is None


def test_the_column_carries_names_in_frames_and_sorted_positions_in_arrays():
    frames = {n: (pd.DataFrame({"ph": [1.0]}), [0]) for n in ("white", "red")}
    arrays = {n: (np.ones((1, 1)), [0]) for n in ("white", "red")}
    tensors = {n: (torch.ones(1, 1), [0]) for n in ("white", "red")}
    sparse_ = {n: (sparse.csr_matrix([[1.0]]), [0]) for n in ("white", "red")}

    assert stack_sources(frames, column="wine").X["wine"].tolist() == ["white", "red"]
    expected = [[1.0, 1.0], [1.0, 0.0]]
    assert stack_sources(arrays, column="wine").X.tolist() == expected
    assert stack_sources(tensors, column="wine").X.tolist() == expected
    assert stack_sources(sparse_, column="wine").X.toarray().tolist() == expected


def test_integer_names_stay_integers():
    _, _, sample_source = stack_sources({3: ([[1.0]], [0]), 1: ([[1.0]], [0])})

    assert sample_source.tolist() == [3, 1]


def test_numbers_beside_texts_become_text_only_when_asked():
    datasets = {"a": ([[1.0]], [0]), "b": ([[2.0]], ["good"])}

    with pytest.raises(SourceError, match=r"y has \{'a': 'numbers', 'b': 'texts'\}"):
        stack_sources(datasets)

    assert stack_sources(datasets, labels="str").y.tolist() == ["0", "good"]


def test_a_label_is_spelt_alike_as_a_whole_number_and_as_a_float():
    datasets = {"a": ([[1.0]], [1]), "b": ([[2.0]], [1.0]), "c": ([[2.0]], ["x"])}

    assert stack_sources(datasets, labels="str").y.tolist() == ["1", "1", "x"]


def test_numbers_beside_texts_in_rows_stay_numbers():
    X = stack_sources({"a": ([[1, "x"]], [0]), "b": ([[2, "y"]], [0])}).X

    assert X.tolist() == [[1, "x"], [2, "y"]]


def test_targets_in_frames_are_stacked_by_name():
    a, b = pd.DataFrame({"p": [1], "q": [2]}), pd.DataFrame({"q": [4], "p": [3]})

    y = stack_sources({"a": ([[1.0]], a), "b": ([[1.0]], b)}).y

    assert y.to_dict("list") == {"p": [1, 3], "q": [2, 4]}


def test_names_may_be_any_hashable_thing():
    names = [("ward", 1), ("ward", 2)]

    sample_source = stack_sources({name: ([[1.0]], None) for name in names})[2]

    assert sample_source.tolist() == names


def test_inputs_are_not_changed():
    frame = pd.DataFrame({"ph": [1.0]})
    before = frame.copy()

    X, _, _ = stack_sources({"a": (frame, [0])}, column="source")
    X.loc[0, "ph"] = 9.0

    pd.testing.assert_frame_equal(frame, before)


X2, X3, y2 = np.zeros((2, 2)), np.zeros((2, 3)), [0, 1]


@pytest.mark.parametrize(
    ("datasets", "options", "message"),
    [
        ({}, {}, "expects a dict .*, got an empty one"),
        ([(X2, y2)], {}, r"expects a dict \{name: \(X, y\), ...\}, got list"),
        ({"a": X2}, {}, r"'a' must be a pair \(X, y\), got ndarray"),
        ({"a": (X2, y2, y2)}, {}, r"'a' must be a pair \(X, y\), got tuple of 3"),
        ({"a": (X2, [0])}, {}, "'a' has 2 rows of X and 1 of y"),
        ({"a": (X2[:0], [])}, {}, "'a' has no rows. Leave it out"),
        ({"a": (X2, y2), "b": (X2, None)}, {}, r"\['b'\] have no y, but \['a'\] have"),
        ({"a": (X2, y2), "b": (X3, y2)}, {}, r"their columns, got \{'a': 2, 'b': 3\}"),
        (
            {"a": (X2, y2), "b": (X2, np.zeros((2, 2)))},
            {},
            "must have the same outputs",
        ),
        ({"a": (X2, y2), "b": (pd.DataFrame(X2), y2)}, {}, "must be of one kind"),
        ({"a": (X2, y2), "b": (X2.astype(str), y2)}, {}, "Use data frames"),
        ({1: (X2, y2), "1": (X2, y2)}, {}, "read the same as text"),
        ({"a": (X2, y2)}, {"join": "left"}, "join must be"),
        (np.zeros((2, 2)), {}, "expects a dict .*, got ndarray"),
        ({"a": (X2, y2)}, {"join": np.zeros(2)}, "join must be one of"),
        ({"a": (X2, y2)}, {"labels": "int"}, "labels must be None or 'str'"),
        ({"a": (["t", "u"], y2)}, {"column": "s"}, "but X has no columns"),
        ({"a": (np.zeros((2, 2, 2)), y2)}, {"column": "s"}, "but X has no columns"),
        (
            {name: (X2.astype(bool), y2) for name in "abc"},
            {"column": "s"},
            "column='s' needs numbers up to 2, which X of bool cannot hold",
        ),
        (
            {name: (torch.zeros(2, 2, dtype=bool), y2) for name in "abc"},
            {"column": "s"},
            "numbers up to 2, which X of torch.bool cannot hold",
        ),
        (
            {name: (X2.astype(int).astype("U1"), y2) for name in "abcdefghijk"},
            {"column": "s"},
            "numbers up to 10, which X of <U1 cannot hold",
        ),
        ({"a": (None, y2)}, {}, "'a': X must hold a row for each sample, got NoneT"),
        ({"a": (X2, "label")}, {}, "'a': y must hold a target for .*, got str"),
        ({"a": ([X2, X2], y2)}, {}, "'a': X is a list of 2 datasets; expected one"),
        (
            {
                "a": (X2, pd.DataFrame({"p": y2})),
                "b": (X2, pd.DataFrame({"q": y2})),
            },
            {},
            r"the same outputs, got {'a': \['p'\], 'b': \['q'\]}. Name the col",
        ),
        (
            {"a": (X2, [0.0, None]), "b": (X2, ["x", "y"])},
            {"labels": "str"},
            "'a': y leaves 1 sample without a label, the first at row 1. Drop them",
        ),
        (
            {"a": (X2, [0.0, np.nan]), "b": (X2, ["x", "y"])},
            {"labels": "str"},
            "y of 'a' is missing in 1 row, the first at row 1",
        ),
        (
            {"a": (pd.DataFrame({"s": [1, 2]}), y2)},
            {"column": "s"},
            "column='s' is a column of X already",
        ),
        (
            {
                "a": (pd.DataFrame({"p": [1], "q": [1]}), [0]),
                "b": (pd.DataFrame({"p": [1], "r": [1]}), [0]),
            },
            {},
            r"'a' does not have \['r'\]; 'b' does not have \['q'\]. Rename",
        ),
        (
            {"a": (pd.DataFrame([[1, 2]], columns=["p", "p"]), [0])},
            {},
            r"'a' has the columns \['p'\] more than once",
        ),
    ],
)
def test_datasets_that_do_not_fit_together_are_refused(datasets, options, message):
    with pytest.raises(SourceError, match=message):
        stack_sources(datasets, **options)


LARGE, SMALL = np.array([[2**53 + 1]]), np.array([[0.5]])
ROUNDED = "'a' has integers beyond 9,007,199,254,740,992, which stacking would"


@pytest.mark.parametrize(
    ("large", "small"),
    [
        (LARGE, SMALL),
        (LARGE.astype(np.uint64), -np.ones((1, 1), dtype=np.int64)),
        (sparse.csr_array(LARGE), sparse.csr_array(SMALL)),
        (torch.from_numpy(LARGE), torch.from_numpy(SMALL)),
    ],
)
@pytest.mark.parametrize("column", [None, "source"])
def test_integers_that_would_be_rounded_are_refused(large, small, column):
    with pytest.raises(SourceError, match=f"{ROUNDED} .*float64 and round."):
        stack_sources({"a": (large, [0]), "b": (small, [1])}, column=column)

    kept = stack_sources({"a": (large, [0]), "b": (large, [1])}).X
    assert kept.max() == 2**53 + 1


@pytest.mark.parametrize(
    "kind",
    [np.ravel, lambda y: pd.Series(y.ravel()), lambda y: torch.from_numpy(y.ravel())],
)
def test_targets_that_would_be_rounded_are_refused(kind):
    with pytest.raises(SourceError, match=f"y of {ROUNDED}"):
        stack_sources({"a": (SMALL, kind(LARGE)), "b": (SMALL, kind(SMALL))})


def test_tensors_of_single_precision_hold_fewer_integers():
    large, small = torch.tensor([[2**24 + 1]]), torch.tensor([[0.5]])

    with pytest.raises(SourceError, match=r"beyond 16,777,216, .* torch\.float32"):
        stack_sources({"a": (large, [0]), "b": (small, [1])})


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_target_may_be_a_column_of_each_frame(library):
    make = pytest.importorskip(library).DataFrame
    a = make({"age": [40, 50], "ill": [1, 0]})
    b = make({"ill": [1], "age": [60]})

    X, y, source = stack_sources({"A": a, "B": b}, target="ill")

    assert list(X.columns) == ["age"]
    assert list(X["age"]) == [40, 50, 60]
    assert list(y) == [1, 0, 1]
    assert list(source) == ["A", "A", "B"]
    assert list(a.columns) == ["age", "ill"]


def test_what_has_no_column_of_the_target_is_refused():
    frame = pd.DataFrame({"age": [40], "ill": [1]})

    for other, message in (
        (frame.rename(columns={"ill": "il"}), r"'B' has no column 'ill'. .*mean 'il'"),
        (([[1]], [2]), "target='ill' names a column, so 'B' must be a data frame"),
    ):
        with pytest.raises(SourceError, match=message):
            stack_sources({"A": frame, "B": other}, target="ill")
    with pytest.raises(SourceError, match=r"must be a pair.* If y is a column of it"):
        stack_sources({"A": frame, "B": frame})


def test_yes_and_no_beside_1_and_0_are_not_four_classes():
    datasets = {"A": ([[1], [2]], ["yes", "no"]), "B": ([[1], [2]], [1, 0])}

    with pytest.raises(
        SourceError,
        match=r"y.map.*, or map= of read_sources",
    ):
        stack_sources(datasets)
