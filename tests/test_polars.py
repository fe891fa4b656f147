"""A polars frame goes wherever a pandas frame goes, and comes out as polars."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from sktandem import (
    MergedClassifier,
    MergedRegressor,
    SourceScaler,
    stack_sources,
    table_preprocessor,
)
from sktandem.exceptions import SourceError
from sktandem.model_selection import SourceKFold, score_by_source

polars = pytest.importorskip("polars")


def two_wards(n=40):
    """The same mixed table with a source column, for pandas and for polars."""
    rng = np.random.default_rng(0)
    columns = {
        "age": rng.normal(50, 9, size=n).tolist(),
        "visits": [None, *rng.integers(0, 5, size=n - 1).tolist()],
        "sex": ["f", "m"] * (n // 2),
        "ward": ["east"] * 15 + ["west"] * (n - 15),
    }
    y = np.where(rng.random(n) < 0.4, "ill", "well")
    return pd.DataFrame(columns), polars.DataFrame(columns), y


TREE = DecisionTreeClassifier(random_state=0)
MODELS = [
    MergedClassifier(
        make_pipeline(table_preprocessor(), TREE),
        source="ward",
        balance="sources",
        balance_by="oversample",
        random_state=0,
    ),
    MergedClassifier(source="ward", scaler=table_preprocessor()),
    MergedClassifier(source="ward", scaler=table_preprocessor(), scale_by="source"),
    MergedClassifier(make_pipeline(table_preprocessor(), TREE), source="ward"),
    MergedClassifier(
        make_pipeline(table_preprocessor(), TREE),
        source="ward",
        scale_by="source",
        balance="both",
    ),
    MergedClassifier(
        make_pipeline(table_preprocessor(), TREE), source="ward", scaler=None
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_polars_and_pandas_give_the_same_predictions(model):
    pandas_X, polars_X, y = two_wards()
    cv = SourceKFold(3, source="ward")

    expected = cross_val_predict(model, pandas_X, y, cv=cv)
    got = cross_val_predict(model, polars_X, y, cv=cv)

    np.testing.assert_array_equal(got, expected)


def test_polars_and_pandas_give_the_same_scores():
    pandas_X, polars_X, _ = two_wards()
    keep, y = ["age", "ward"], pandas_X["age"].to_numpy() ** 2
    model = MergedRegressor(source="ward", scale_by="source", scale_target_by="source")
    cv = SourceKFold(3, source="ward")

    pandas_scores = cross_val_score(model, pandas_X[keep], y, cv=cv)
    polars_scores = cross_val_score(model, polars_X[keep], y, cv=cv)

    np.testing.assert_allclose(polars_scores, pandas_scores)
    fitted = model.fit(polars_X[keep], y)
    assert set(score_by_source(fitted, polars_X[keep], y).by_source) == {"east", "west"}


@pytest.mark.parametrize("scaler", ["standard", "minmax", "robust"])
def test_the_scaler_gives_polars_back_with_the_other_columns_as_they_were(scaler):
    pandas_X, polars_X, _ = two_wards()
    model = SourceScaler(scaler, source="ward")

    expected = model.fit_transform(pandas_X)
    got = model.fit_transform(polars_X)

    assert isinstance(got, polars.DataFrame)
    assert got.columns == list(expected)
    for name in ("age", "visits"):
        np.testing.assert_allclose(got[name].to_numpy(), expected[name])
    assert got[["sex", "ward"]].equals(polars_X[["sex", "ward"]])
    back = model.inverse_transform(got)
    np.testing.assert_allclose(back["age"].to_numpy(), polars_X["age"].to_numpy())


@pytest.mark.parametrize("representation", ["indicator", "augmented"])
@pytest.mark.parametrize("scale_by", ["pooled", "source"])
def test_the_source_shows_in_the_features_as_it_does_for_pandas(
    representation, scale_by
):
    pandas_X, polars_X, y = two_wards()
    keep = ["age", "ward"]
    model = MergedClassifier(
        source="ward", representation=representation, scale_by=scale_by
    )

    expected = model.fit(pandas_X[keep], y).predict_proba(pandas_X[keep])
    got = model.fit(polars_X[keep], y).predict_proba(polars_X[keep])

    np.testing.assert_allclose(got, expected)


def test_single_precision_stays_single():
    _, polars_X, _ = two_wards()
    X = polars_X.select(polars.col("age").cast(polars.Float32), "ward")

    assert SourceScaler(source="ward").fit_transform(X)["age"].dtype == polars.Float32


def test_a_stack_with_its_column_is_fitted_and_its_label_may_be_a_series():
    _, X, y = two_wards()
    own = X[["age"]]
    stacked = stack_sources({"a": (own[:15], y[:15]), "b": (own[15:], y[15:])})
    column = stack_sources(
        {"a": (own[:15], y[:15]), "b": (own[15:], y[15:])}, column="s"
    )

    by_column = MergedClassifier(source="s", balance="sources").fit(column.X, column.y)
    for label in (column.X["s"], column.X[["s"]]):
        by_keyword = MergedClassifier(balance="sources").fit(stacked.X, y, label)
        np.testing.assert_allclose(
            by_keyword.predict_proba(own), by_column.predict_proba(column.X)
        )


def test_columns_that_the_estimator_cannot_take_are_named():
    _, X, y = two_wards()

    with pytest.raises(SourceError, match=r"columns that are not numeric \(sex\)"):
        MergedClassifier(source="ward").fit(X, y)
    with pytest.raises(SourceError, match="X holds missing values"):
        MergedClassifier(source="ward").fit(X.drop("sex"), y)
