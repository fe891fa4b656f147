"""Four hospitals, one examination."""

import sys

import numpy as np
import pytest

from sktandem.datasets import load_heart_disease
from sktandem.datasets._loading import read_columns

HOSPITALS = ["cleveland", "hungarian", "switzerland", "va"]


def of(bunch, name):
    rows = bunch.sample_source == name
    return bunch.data[rows], bunch.target[rows]


def column(bunch, name):
    return bunch.data[:, bunch.feature_names.index(name)]


def test_the_hospitals_have_the_published_numbers_of_patients():
    heart = load_heart_disease(drop_duplicates=False)

    names, sizes = np.unique(heart.sample_source, return_counts=True)
    assert names.tolist() == HOSPITALS
    assert sizes.tolist() == [303, 294, 123, 200]
    assert heart.n_duplicates_dropped == 0


def test_the_numbers_of_the_ill_are_the_published_ones():
    """From the class distribution in heart-disease.names: patients less healthy."""
    heart = load_heart_disease(drop_duplicates=False)

    ill = {name: int(of(heart, name)[1].sum()) for name in HOSPITALS}

    assert ill == {
        "cleveland": 303 - 164,
        "hungarian": 294 - 188,
        "switzerland": 123 - 8,
        "va": 200 - 51,
    }
    assert heart.target_names == ["healthy", "ill"]


def test_two_patients_repeat_another_and_are_left_out():
    heart = load_heart_disease()

    assert heart.n_duplicates_dropped == 2
    assert len(heart.data) == len(heart.target) == len(heart.sample_source) == 918


def test_zero_cholesterol_and_zero_blood_pressure_are_missing():
    texts = read_columns("heart_disease.csv.gz")
    heart = load_heart_disease(drop_duplicates=False)

    for name, zeros in [("chol", 172), ("trestbps", 1)]:
        # Rows are stacked by hospital, so only the counts compare.
        untaken = np.sum(texts[name] == "")
        values = column(heart, name)
        assert np.nanmin(values) > 0
        assert np.isnan(values).sum() == untaken + zeros


def test_the_swiss_hospitals_took_no_cholesterol():
    heart = load_heart_disease()

    untaken = np.isnan(column(heart, "chol"))

    assert untaken[heart.sample_source == "switzerland"].all()
    assert not untaken[heart.sample_source == "cleveland"].any()


def test_the_six_unknown_values_of_cleveland_are_missing():
    """Some copies in circulation write 0 for the "?" of the original file."""
    heart = load_heart_disease()
    cleveland = heart.sample_source == "cleveland"

    assert np.isnan(column(heart, "ca")[cleveland]).sum() == 4
    assert np.isnan(column(heart, "thal")[cleveland]).sum() == 2
    assert np.isnan(heart.data[cleveland]).sum() == 6


def test_a_frame_has_names_for_the_codes_of_the_array():
    heart, frame = load_heart_disease(), load_heart_disease(as_frame=True).data

    assert frame.select_dtypes("category").columns.tolist() == [
        "cp",
        "restecg",
        "slope",
        "thal",
    ]
    np.testing.assert_array_equal(frame["age"], column(heart, "age"))
    for name, code, text in [
        ("cp", 4, "asymptomatic"),
        ("slope", 1, "upsloping"),
        ("thal", 7, "reversible defect"),
    ]:
        values = column(heart, name)
        np.testing.assert_array_equal(frame[name] == text, values == code)
        np.testing.assert_array_equal(frame[name].isna(), np.isnan(values))


def test_the_source_can_be_a_column_too():
    heart = load_heart_disease(column="hospital", as_frame=True)

    assert heart.data["hospital"].tolist() == heart.sample_source.tolist()
    assert heart.feature_names[-1] == "hospital"


def test_x_y_and_source_come_alone_if_asked():
    X, y, sample_source = load_heart_disease(return_X_y=True)

    assert X.shape == (918, 13)
    assert set(y.tolist()) == {0, 1}
    assert len(sample_source) == 918


def test_the_description_tells_codes_licence_and_citation():
    text = load_heart_disease().DESCR

    assert "thal: 3 normal, 6 fixed defect, 7 reversible defect" in text
    assert "CC BY 4.0" in text
    assert "doi:10.24432/C52P4X" in text


def test_the_array_needs_no_pandas_and_the_frame_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)

    assert load_heart_disease().data.shape == (918, 13)
    with pytest.raises(ImportError, match=r'as_frame=True .*"sktandem\[notebook\]"'):
        load_heart_disease(as_frame=True)
