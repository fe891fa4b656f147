"""Columns that are no plain numbers: each is taken, or refused by its name."""

import datetime as dt
import io

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from sktandem import Merged, SharedNet, SourceError, SourceScaler, table_preprocessor
from sktandem.members import OwnModels
from sktandem.scaling._dates import DateEncoder
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
        OwnModels(LEARNER),
        SharedNet(task="classification"),
    ):
        with pytest.raises(SourceError, match=wanted):
            model.fit(X, Y, sample_source=SITE)


@pytest.mark.parametrize("kind", [kind for kind in DATES if kind != "times"])
def test_prepared_dates_are_a_few_numbers(kind):
    """As one category each, 200 dates of noise were learned by heart."""
    X = table(pd.Series(DATES[kind]))

    model = Merged(LEARNER, scaler=table_preprocessor()).fit(X, Y, sample_source=SITE)

    assert len(model.get_feature_names_out()) <= X.shape[1] - 1 + 7


def test_times_of_day_are_refused_by_name():
    X = table(pd.Series(DATES["times"]))

    with pytest.raises(
        SourceError, match=r"\['col'\] hold times of day without a date"
    ):
        table_preprocessor().fit(X)


def test_a_date_is_its_years_its_season_and_its_day_of_the_week():
    """Of 1 January 2000, a Saturday, and half a turn of the week and day later."""
    when = pd.Series(pd.to_datetime(["2000-01-01 00:00", "2000-01-04 12:00"]))

    years, *circles = DateEncoder().fit_transform(when.to_frame("when")).T

    np.testing.assert_allclose(years, [0, 3.5 / 365.2425])
    sines, cosines = np.array(circles[0::2]), np.array(circles[1::2])
    season = 2 * np.pi * 3.5 / 365.2425
    np.testing.assert_allclose(sines[:, 0], 0, atol=1e-12)
    np.testing.assert_allclose(cosines[:, 0], 1)
    np.testing.assert_allclose(sines[:, 1], [np.sin(season), 0, 0], atol=1e-12)
    np.testing.assert_allclose(cosines[:, 1], [np.cos(season), -1, -1])


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_durations_are_days_and_a_missing_moment_is_missing(make):
    X = make({"stay": [dt.timedelta(days=2, hours=12), None]})

    encoder = DateEncoder().fit(X)

    np.testing.assert_array_equal(encoder.transform(X), [[2.5], [np.nan]])
    assert list(encoder.get_feature_names_out()) == ["stay_days"]
    empty = make({"stay": [None, None]})
    assert np.isnan(encoder.transform(empty)).all()


@pytest.mark.parametrize("empty", [np.nan, None, pd.NA])
@pytest.mark.parametrize("kind", ["strings", "booleans", "nullable"])
def test_a_category_that_is_empty_is_missing_whatever_its_dtype(kind, empty):
    """As pandas reads a file of one row, whose cell is empty: a column of floats."""
    column = pd.Series(["ICU", None, "ward", "ICU"] * (N // 4))
    if kind != "strings":
        column = column.map({"ICU": True, "ward": False})
    column = column.astype("boolean") if kind == "nullable" else column
    scaler = table_preprocessor().fit(table(column))

    new = scaler.transform(pd.DataFrame({"age": [0.0], "col": [empty]}))

    np.testing.assert_array_equal(new[0, 1:], [0, 0, 1])


@pytest.mark.parametrize("empty", [pl.Null, pl.Float64, pl.String])
def test_a_category_of_polars_may_be_empty_too(empty):
    X = pl.DataFrame({"age": NUMBER, "col": ["ICU", None] * (N // 2)})
    new = pl.DataFrame({"age": [0.0], "col": pl.Series([None], dtype=empty)})

    prepared = table_preprocessor().fit(X).transform(new)

    np.testing.assert_array_equal(prepared[0, 1:], [0, 1])


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
