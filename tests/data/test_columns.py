"""Columns that are no plain numbers: each is taken, or refused by its name."""

import datetime as dt
import io

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktandem import Merged, SharedNet, SourceError, SourceScaler, table_preprocessor
from sktandem.members import OwnModels
from sktandem.shift import shift_report

pytest.importorskip("torch")

N = 40
RNG = np.random.default_rng(0)
SITE = np.tile(["p", "q"], N // 2)
NUMBER = RNG.normal(size=N)
Y = (NUMBER > 0).astype(int)
DAYS = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(N), unit="D")
LEARNER = LogisticRegression()


def table(column):
    return pd.DataFrame({"age": NUMBER, "col": column})


DATES = {
    "dates": DAYS,
    "dates of a zone": DAYS.tz_localize("UTC"),
    "a missing date": pd.Series(DAYS).where(NUMBER > -1),
    "durations": DAYS - DAYS[0],
    "periods": pd.period_range("2020-01", periods=N, freq="M"),
    "date objects": [day.date() for day in DAYS],
    "times": [dt.time(i % 24) for i in range(N)],
}


@pytest.mark.parametrize("kind", DATES)
def test_dates_are_refused_by_name(kind):
    X = table(pd.Series(DATES[kind]))
    wanted = r"(?s)col.*(Turn them into numbers first|not numeric)"

    for model in (
        Merged(LEARNER),
        Merged(LEARNER, scaler=None),
        Merged(LEARNER, representation="indicator"),
        Merged(make_pipeline(table_preprocessor(), LEARNER)),
        Merged(LEARNER, scaler=table_preprocessor()),
        OwnModels(LEARNER),
        SharedNet(task="classification"),
        SharedNet(task="classification", scaler=table_preprocessor()),
    ):
        with pytest.raises(SourceError, match=wanted):
            model.fit(X, Y, sample_source=SITE)


def test_dates_of_polars_are_refused_by_name():
    X = pl.from_pandas(table(DAYS))

    with pytest.raises(SourceError, match=r"\['col'\] hold dates"):
        Merged(LEARNER, scaler=table_preprocessor()).fit(X, Y, sample_source=SITE)


ODD = {
    "interval": pd.cut(pd.Series(NUMBER), 4),
    "lists": [[1, 2]] * N,
    "tuples": [(1, 2)] * N,
    "numbers beside strings": [1, "a"] * (N // 2),
    "complex": NUMBER + 1j,
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("prepared", [False, True])
def test_what_no_estimator_takes_is_refused(kind, prepared):
    X = table(pd.Series(ODD[kind]))
    model = Merged(LEARNER, scaler=table_preprocessor() if prepared else "standard")

    if kind == "interval" and prepared:
        model.fit(X, Y, sample_source=SITE)
        return
    with pytest.raises(SourceError, match=r"\bcol\b|complex"):
        model.fit(X, Y, sample_source=SITE)


@pytest.mark.parametrize("X", [table(NUMBER + 1j), np.c_[NUMBER, NUMBER + 1j]])
def test_complex_numbers_are_refused_everywhere(X):
    for fit in (
        lambda: SourceScaler().fit(X, sample_source=SITE),
        lambda: SharedNet(task="classification").fit(X, Y, sample_source=SITE),
        lambda: shift_report(X, Y, sample_source=SITE),
    ):
        with pytest.raises(SourceError, match="Complex data not supported"):
            fit()


MISSING = {
    "strings": pd.array(["a", None] * (N // 2), dtype="string"),
    "booleans": pd.array([True, None] * (N // 2), dtype="boolean"),
    "objects": np.array(["a", None] * (N // 2), dtype=object),
    "categories": pd.Categorical(["a", None] * (N // 2)),
}


@pytest.mark.parametrize("kind", MISSING)
def test_missing_values_of_any_dtype_are_one_category(kind):
    X = table(MISSING[kind])
    prepared = table_preprocessor().fit(X)

    for model in (
        Merged(LEARNER, scaler=table_preprocessor()),
        SharedNet(task="classification", scaler=table_preprocessor()),
    ):
        assert model.fit(X, Y, sample_source=SITE).score(X, Y) > 0.5
    assert prepared.transform(X).shape == (N, 3)
    with pytest.raises(SourceError, match=r"table_preprocessor\(\)"):
        SharedNet(task="classification").fit(X, Y, sample_source=SITE)


def test_a_category_that_comes_empty_is_a_missing_one():
    """As read from a file in which the column is empty: floats, all NaN."""
    X = table(np.array(["ICU", None] * (N // 2), dtype=object))
    model = Merged(LEARNER, scaler=table_preprocessor()).fit(X, Y, sample_source=SITE)
    empty = pd.read_csv(io.StringIO("age,col\n0.3,\n-0.3,\n"))
    assert empty["col"].dtype == float

    predicted = model.predict_proba(empty)

    expected = model.predict_proba(empty.assign(col=[None, None]))
    np.testing.assert_allclose(predicted, expected)
