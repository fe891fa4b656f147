"""A small experiment and a large survey."""

import numpy as np

from sktandem.datasets import load_lalonde


def test_the_survey_has_thirty_six_rows_for_each_of_the_experiment():
    lalonde = load_lalonde()

    names, sizes = np.unique(lalonde.sample_source, return_counts=True)

    assert names.tolist() == ["cps", "nsw"]
    assert sizes.tolist() == [15_992, 445]
    assert round(sizes[0] / sizes[1]) == 36


def test_the_published_means_and_effects_come_out():
    """Dehejia and Wahba (1999), table 1 and 2: effects of 1,794 and -8,498."""
    X, y, sample_source = load_lalonde(as_frame=True, return_X_y=True)
    treated, survey = (X["treat"] == 1).to_numpy(), sample_source == "cps"

    assert treated.sum() == 185
    assert not treated[survey].any()
    assert round(X["age"][treated].mean(), 2) == 25.82
    assert round(X["re74"][survey].mean()) == 14_017
    assert round(y[treated].mean() - y[~treated & ~survey].mean()) == 1_794
    assert round(y[treated].mean() - y[survey].mean()) == -8_498


def test_the_treatment_is_a_feature_and_the_outcome_is_not():
    lalonde = load_lalonde()

    assert lalonde.feature_names[0] == "treat"
    assert lalonde.target_name == "re78" not in lalonde.feature_names
    assert lalonde.data.shape == (16_437, 9)
    assert np.isfinite(lalonde.data).all()


def test_the_source_can_be_a_column_too():
    lalonde = load_lalonde(column="study", as_frame=True)

    assert lalonde.data["study"].tolist() == lalonde.sample_source.tolist()
    assert load_lalonde(column="study").data.shape == (16_437, 10)


def test_the_description_names_those_to_cite():
    assert "Dehejia, Wahba (1999)" in load_lalonde().DESCR
