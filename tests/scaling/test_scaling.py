"""Scaling, pooled and by source."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)

from sktandem import Merged, SourceScaler, table_preprocessor
from sktandem.data._sources import resolve_sources
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.scaling import _affine as affine
from sktandem.scaling._affine import Spread, fit_affine

THEIRS = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "robust": RobustScaler(),
}


def two(seed, n=30, dtype=float):
    rng = np.random.default_rng(seed)
    source = np.r_[["a", "b"], rng.choice(["a", "b"], n - 2)]
    X = rng.normal(size=(n, 3)) * [1, 10, 100] + 50 * (source == "b")[:, None]
    return X.astype(dtype), source


@pytest.mark.parametrize("name", list(THEIRS))
@given(seed=st.integers(0, 999))
def test_each_source_is_scaled_as_scikit_learn_would_scale_it_alone(name, seed):
    X, source = two(seed)

    scaled = SourceScaler(name).fit_transform(X, sample_source=source)

    for own in (source == "a", source == "b"):
        alone = clone(THEIRS[name]).fit_transform(X[own])
        np.testing.assert_allclose(scaled[own], alone, atol=1e-9)


@pytest.mark.parametrize("scaler", ["standard", "minmax", "robust", StandardScaler()])
@given(seed=st.integers(0, 999))
def test_scaling_then_inverse_is_the_identity(scaler, seed):
    X, source = two(seed)
    model = SourceScaler(scaler).fit(X, sample_source=source)

    scaled = model.transform(X, sample_source=source)
    back = model.inverse_transform(scaled, sample_source=source)

    np.testing.assert_allclose(back, X, atol=1e-8)


@pytest.mark.parametrize("name", list(THEIRS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_chunks_give_what_one_piece_gives(monkeypatch, name, dtype):
    X, _ = two(0, n=1000, dtype=dtype)
    whole = fit_affine(name, X)

    monkeypatch.setattr(affine, "CHUNK", 30)
    chunked = fit_affine(name, X)

    np.testing.assert_allclose(chunked.center, whole.center, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(chunked.scale, whole.scale, rtol=1e-6)
    assert chunked.forward(X).dtype == dtype
    np.testing.assert_allclose(
        chunked.forward(X), whole.forward(X), rtol=1e-3, atol=1e-5
    )


@given(seed=st.integers(0, 999))
def test_a_weight_is_a_number_of_copies(seed):
    rng = np.random.default_rng(seed)
    X, source = two(seed)
    copies = rng.integers(1, 4, len(X))
    X_long, source_long = np.repeat(X, copies, axis=0), np.repeat(source, copies)

    weighted = fit_affine("standard", X, resolve_sources(X, source)[1], copies * 1.0)
    repeated = fit_affine("standard", X_long, resolve_sources(X_long, source_long)[1])

    np.testing.assert_allclose(weighted.center, repeated.center)
    np.testing.assert_allclose(weighted.scale, repeated.scale)


@pytest.mark.parametrize("name", list(THEIRS))
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_array])
def test_sparse_features_keep_their_zeros_and_their_format(name, container):
    X, source = two(1)
    X[X < 20] = 0
    model = SourceScaler(name)

    scaled = model.fit_transform(container(X), sample_source=source)
    back = model.inverse_transform(scaled, sample_source=source)

    assert scaled.format == container(X).format
    np.testing.assert_array_equal(scaled.toarray() == 0, X == 0)
    np.testing.assert_allclose(back.toarray(), X)
    if name == "standard":
        own = source == "a"
        alone = StandardScaler(with_mean=False).fit_transform(X[own])
        np.testing.assert_allclose(scaled.toarray()[own], alone)


def test_missing_values_pass_and_do_not_count():
    X = np.array([[1.0], [3.0], [np.nan], [10.0], [30.0]])
    source = ["a", "a", "a", "b", "b"]

    scaled = SourceScaler().fit_transform(X, sample_source=source)

    np.testing.assert_allclose(scaled.ravel(), [-1, 1, np.nan, -1, 1])


@pytest.mark.parametrize("name", list(THEIRS))
def test_a_column_that_a_source_lacks_takes_the_measure_of_all(name):
    X = np.array([[1.0, 5.0, np.nan], [3.0, 9.0, np.nan]] * 2)
    X[:2, 1] = np.nan
    source = ["a", "a", "b", "b"]
    model = SourceScaler(name).fit(X, sample_source=source)

    new = model.transform([[2.0, 7.0, 4.0]], sample_source=["a"])

    centre = {"standard": 0, "robust": 0, "minmax": 0.5}[name]
    np.testing.assert_allclose(new, [[centre, centre, 4.0]], atol=1e-12)


def test_only_numeric_columns_of_a_frame_are_scaled():
    X = pd.DataFrame(
        {
            "age": [1, 3, 10, 30],
            "name": list("wxyz"),
            "hospital": list("aabb"),
            "ill": [True, False, True, False],
            "dose": pd.array([1, None, 2, 4], dtype="Int64"),
        },
        index=[5, 6, 7, 8],
    )
    before = X.copy()

    scaled = SourceScaler(source="hospital").fit_transform(X)

    assert scaled.index.tolist() == [5, 6, 7, 8]
    assert list(scaled.columns) == list(X.columns)
    np.testing.assert_allclose(scaled["age"], [-1, 1, -1, 1])
    np.testing.assert_allclose(scaled["dose"].astype(float), [0, np.nan, -1, 1])
    for column in ("name", "hospital", "ill"):
        pd.testing.assert_series_equal(scaled[column], X[column])
    pd.testing.assert_frame_equal(X, before)


def test_the_column_stays_in_place_for_a_later_estimator():
    X, source = two(2)
    coded = np.insert(X, 1, source == "b", axis=1)

    for container in (np.asarray, sparse.csr_matrix):
        scaled = SourceScaler(source=1).fit_transform(container(coded))
        dense = scaled.toarray() if sparse.issparse(scaled) else scaled
        np.testing.assert_array_equal(dense[:, 1], source == "b")


def test_set_output_and_feature_names_follow_scikit_learn():
    X, source = two(3)
    frame = pd.DataFrame(X, columns=["u", "v", "w"]).assign(s=source)
    model = SourceScaler(source="s").set_output(transform="pandas")

    out = model.fit_transform(frame)

    assert out.columns.tolist() == ["u", "v", "w", "s"]
    assert model.get_feature_names_out().tolist() == ["u", "v", "w", "s"]
    by_keyword = SourceScaler().set_output(transform="pandas")
    assert by_keyword.fit_transform(X, sample_source=source).columns.tolist() == [
        "x0",
        "x1",
        "x2",
    ]


def test_a_transformer_that_returns_arrays_keeps_the_frame():
    X, source = two(3)
    frame = pd.DataFrame(X, columns=["u", "v", "w"]).assign(s=source)

    out = SourceScaler(StandardScaler(), source="s").fit_transform(frame)

    assert out["s"].tolist() == source.tolist()
    np.testing.assert_allclose(
        out[["u", "v", "w"]].groupby(out["s"]).mean(), 0, atol=1e-9
    )


def test_in_a_pipeline_the_column_needs_no_routing():
    X, source = two(4)
    coded = np.column_stack([X, source == "b"])
    pipeline = make_pipeline(SourceScaler(source=-1), StandardScaler())

    scaled = pipeline.fit(coded).transform(coded)

    np.testing.assert_allclose(scaled[source == "a", :3].mean(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize(
    ("rule", "primary", "expected"), [("pooled", None, 0.0), ("primary", "b", -5.0)]
)
def test_an_unknown_source_follows_the_rule(rule, primary, expected):
    X, source = [[0.0], [2.0], [10.0], [12.0]], ["a", "a", "b", "b"]
    model = SourceScaler(unknown_source=rule, primary_source=primary)
    model.fit(X, sample_source=source)

    pooled_mean_or_six = model.transform([[6.0]], sample_source=["c"])

    np.testing.assert_allclose(pooled_mean_or_six, [[expected]])
    np.testing.assert_allclose(model.transform([[6.0]]), [[expected]])
    np.testing.assert_allclose(
        model.transform([[0.0], [6.0]], sample_source=["a", "c"])[0], [-1.0]
    )


@pytest.mark.parametrize("scaler", ["standard", StandardScaler()])
def test_unknown_rows_are_refused_by_default(scaler):
    X, source = two(5)
    model = SourceScaler(scaler).fit(X, sample_source=source)

    with pytest.raises(
        SourceError, match="scaled by source, so each row's source is n"
    ):
        model.transform(X)
    message = "1 row of 3 have no source that was there in fit, the first 'aa' at row 2"
    with pytest.raises(SourceError, match=message):
        model.transform(X[:3], sample_source=["a", "b", "aa"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scaler": "standart"}, "Did you mean 'standard'"),
        ({"scaler": None}, "SourceScaler needs a scaler, got None"),
        ({"scaler": 3}, "a transformer or None, got 3"),
        ({"scaler": PCA(2)}, "made 2 of 3"),
        ({"unknown_source": "average"}, "unknown_source must be one of"),
        ({"unknown_source": "primary"}, "'primary' needs primary_source"),
        ({"primary_source": "aa"}, r"primary_source='aa' is not a source"),
    ],
)
def test_settings_that_make_no_sense_leave_nothing_fitted(options, message):
    X, source = two(6)
    model = SourceScaler(**options)

    with pytest.raises(SourceError, match=message):
        model.fit(X, sample_source=source)

    assert not any(name.endswith("_") for name in vars(model))


def test_an_encoder_of_another_width_per_source_is_refused():
    X = pd.DataFrame({"colour": ["r", "g", "b"]})
    with pytest.raises(
        SourceError, match=r"'b' has 1, such as .*, 'a' has 2. Use scale_by='p"
    ):
        SourceScaler(OneHotEncoder(sparse_output=False)).fit(
            X, sample_source=["a", "a", "b"]
        )


def test_columns_of_other_meaning_per_source_are_refused():
    """The same number of columns, and not one of them the same."""
    X = pd.DataFrame({"town": ["Bern", "Ulm", "Zug", "Graz"]})
    encoder = OneHotEncoder(sparse_output=False)

    with pytest.raises(
        SourceError, match=r"'b' has 2, such as \['town_Graz', 'town_Zug"
    ):
        SourceScaler(encoder).fit(X, sample_source=["a", "a", "b", "b"])


def test_numbers_in_columns_of_objects_are_noticed():
    X = pd.DataFrame(
        {"u": np.array([1.0, 2.0, 3.0], dtype=object), "v": [1.0, 2.0, 3.0]}
    )
    message = r"\['u'\] hold numbers but are of dtype object.*infer_objects"

    with pytest.warns(SourceWarning, match=message):
        SourceScaler().fit(X, sample_source=["a", "a", "b"])
    with pytest.warns(SourceWarning, match=message):
        table_preprocessor().fit(X)


def test_the_kept_column_keeps_its_dtype():
    X = pd.DataFrame({"u": [1.0, 2.0], "s": pd.Categorical(["a", "b"])})

    assert SourceScaler(source="s").fit_transform(X)["s"].dtype == "category"


def test_a_mixed_table_is_imputed_encoded_and_scaled():
    X = pd.DataFrame(
        {
            "age": [40.0, None, 60.0, 50.0],
            "empty": [np.nan] * 4,
            "sex": ["f", "m", None, "m"],
            "ill": [True, False, True, False],
            "ward": pd.Categorical(["u", "v", "u", None]),
        }
    )
    prepared = table_preprocessor().set_output(transform="pandas").fit(X)

    out = prepared.transform(X)

    np.testing.assert_allclose(out["age"].mean(), 0, atol=1e-12)
    assert out["age"].iloc[1] == 0  # the median, which is the mean here
    assert not out.isna().any().any()
    assert (out["empty"] == 0).all()
    unseen = X.assign(sex="x", ward=None)
    assert (prepared.transform(unseen).filter(like="sex_").sum(axis=1) == 0).all()


def test_the_preprocessor_takes_arrays_and_other_scalings():
    X = np.array([[1.0, np.nan], [3.0, 5.0]])

    out = table_preprocessor(scaler="minmax").fit_transform(X)
    plain = table_preprocessor(scaler=None).fit_transform(X)

    np.testing.assert_allclose(out, [[0, 0], [1, 0]])
    np.testing.assert_allclose(plain, [[1, 5], [3, 5]])
    with pytest.raises(SourceError, match="scaler must be one of"):
        table_preprocessor(scaler="none")


def test_rare_categories_may_share_a_column():
    X = pd.DataFrame({"c": ["u"] * 8 + ["v", "w"]})

    assert table_preprocessor(min_frequency=2).fit_transform(X).shape == (10, 2)


ABSURD = np.random.default_rng(0).normal(size=(20, 2))
ABSURD[3, 1], ABSURD[4, 1] = -1e308, 1e308
HALVES = np.repeat(["a", "b"], 10)
BROKEN = "holds -1e\\+308 in row 3, too large to be scaled by '{}'. Correct the value"


@pytest.mark.parametrize("name", ["standard", "minmax"])
@pytest.mark.parametrize("scale_by", ["pooled", "source"])
@pytest.mark.parametrize("frame", [True, False])
def test_a_cell_too_large_for_a_scale_is_named(name, scale_by, frame):
    X = pd.DataFrame(ABSURD, columns=["age", "iron"]) if frame else ABSURD
    column = "'iron' of X " if frame else "1 of X "
    model = Merged(LogisticRegression(), scaler=name, scale_by=scale_by)

    with pytest.raises(SourceError, match=f"^Column {column}{BROKEN.format(name)}"):
        model.fit(X, HALVES == "a", sample_source=HALVES)


def test_a_target_too_large_for_a_scale_is_named():
    model = Merged(Ridge(), scale_target_by="source")

    with pytest.raises(SourceError, match=f"Column 0 of y {BROKEN.format('standard')}"):
        model.fit(ABSURD[:, :1], ABSURD[:, 1], sample_source=HALVES)


def test_a_fitted_model_with_the_tables_preprocessor_is_shown_in_a_notebook():
    """Of a fitted model scikit-learn asks its unfitted parts for names too."""
    X = pd.DataFrame({"age": np.arange(8.0), "height": np.arange(8.0)})
    model = Merged(Ridge(), scaler=table_preprocessor())
    model.fit(X, np.arange(8.0), sample_source=["a", "b"] * 4)

    assert "ColumnTransformer" in model._repr_html_()


@pytest.mark.parametrize("scaler", THEIRS)
def test_a_sparse_column_without_a_value_is_left_alone(scaler):
    X = np.array([[np.nan, 2.0], [np.nan, 4.0], [np.nan, 0.0], [np.nan, 4.0]])

    scaled = SourceScaler(scaler).fit_transform(
        sparse.csr_array(X), sample_source=list("aabb")
    )

    assert np.isnan(scaled.toarray()[:, 0]).all()
    assert np.isfinite(scaled.toarray()[:, 1]).all()


@pytest.mark.parametrize("weight", [0.03, 1.0, 4.0])
def test_moments_of_two_sets_of_rows_are_those_of_both_at_any_weight(weight):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 4)) * [1, 1e-6, 1e6, 0] + [1e3, 3, 0, 0.1]
    X[rng.random((50, 4)) < 0.1] = np.nan
    X[:, 3] = 0.1  # of a constant, sums are not quite one
    counts = rng.uniform(0.5, 2, size=50)

    both = Spread.of(X[:20], counts[:20]).plus(Spread.of(X[20:], counts[20:]), weight)

    maps, scaler = both.maps(), StandardScaler()
    with np.errstate(invalid="ignore"):  # its variance of a constant may be below 0
        scaler.fit(X, sample_weight=counts * np.where(np.arange(50) < 20, 1, weight))
    np.testing.assert_allclose(maps.center[0], scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(maps.scale[0], scaler.scale_, rtol=1e-7)
    assert maps.scale[0, 3] == 1
