"""The pupils of two subjects, many of them in both."""

import sys

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from sktandem.datasets import load_student_performance


def test_the_subjects_have_the_published_numbers_of_rows():
    students = load_student_performance()

    names, sizes = np.unique(students.sample_source, return_counts=True)

    assert names.tolist() == ["math", "portuguese"]
    assert sizes.tolist() == [395, 649]
    assert students.data.shape == (1044, 30)
    assert not students.data.isna().any(axis=None)


def test_the_grade_goes_from_0_to_20():
    students = load_student_performance()

    assert students.target_name == students.target.name == "G3"
    assert (students.target.min(), students.target.max()) == (0, 20)


def test_the_earlier_grades_are_left_out_because_they_predict_the_last():
    plain = load_student_performance()
    full = load_student_performance(earlier_grades=True)

    earlier = full.data[["G1", "G2"]]
    model = LinearRegression().fit(earlier, full.target)

    assert full.data.columns.difference(plain.data.columns).tolist() == ["G1", "G2"]
    assert model.score(earlier, full.target) > 0.8
    assert "left out" in plain.DESCR
    assert "kept, as asked" in full.DESCR


def test_words_are_categories_and_counts_are_whole_numbers():
    frame = load_student_performance().data

    assert frame["Mjob"].dtype == "category"
    assert frame["age"].dtype.kind == "i"
    assert set(frame.dtypes.astype(str)) == {"category", "int64"}


def test_rows_of_one_person_share_a_group_and_agree_on_their_origin():
    students = load_student_performance()

    by_person = students.data.assign(person=students.groups).groupby("person")

    assert len(students.groups) == len(students.data)
    assert by_person.ngroups == 662
    for name in ["school", "sex", "age", "Mjob", "reason", "internet"]:
        assert (by_person[name].nunique() == 1).all(), name


def test_most_pupils_of_mathematics_took_portuguese_as_well():
    students = load_student_performance()
    math = students.sample_source == "math"

    both = set(students.groups[math]) & set(students.groups[~math])

    assert len(both) == 366
    assert f"{len(both)} pupils" in students.DESCR


def test_the_source_can_be_a_column_too():
    students = load_student_performance(column="subject")

    assert students.data["subject"].tolist() == students.sample_source.tolist()


def test_x_y_and_source_come_alone_if_asked():
    X, y, sample_source = load_student_performance(return_X_y=True)

    assert len(X) == len(y) == len(sample_source) == 1044


def test_the_mixed_table_says_that_it_needs_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(
        ImportError, match=r"load_student_performance needs pandas.*\[notebook"
    ):
        load_student_performance()
