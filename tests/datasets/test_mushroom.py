"""Mushrooms that widen downwards, and mushrooms that taper."""

import sys

import numpy as np
import pytest

from sktandem.datasets import load_mushroom
from sktandem.datasets._loading import read_columns
from sktandem.datasets._mushroom import LETTERS
from sktandem.exceptions import SourceError


def test_sources_and_classes_have_the_published_numbers():
    mushroom = load_mushroom()

    names, sizes = np.unique(mushroom.sample_source, return_counts=True)
    classes, counts = np.unique(mushroom.target, return_counts=True)

    assert dict(zip(names, sizes)) == {"enlarging": 3516, "tapering": 4608}
    assert dict(zip(classes, counts)) == {"edible": 4208, "poisonous": 3916}
    assert mushroom.target_names == classes.tolist()


def test_the_stalk_shape_is_no_feature_unless_asked():
    plain = load_mushroom()
    asked = load_mushroom(column="stalk_shape")

    assert "stalk_shape" not in plain.feature_names
    assert plain.data.shape == (8124, 21)
    assert asked.data["stalk_shape"].tolist() == asked.sample_source.tolist()


def test_every_letter_of_the_file_has_a_word_of_its_own():
    columns = read_columns("mushroom.csv.gz")

    for name, pairs in LETTERS.items():
        words = dict(pair.split(" ", 1) for pair in pairs.split(","))
        assert len(set(words.values())) == len(words), name
        assert set(columns[name]) - {"?"} <= set(words), name


def test_words_are_categories_of_both_sources_together():
    frame = load_mushroom().data

    assert (frame.dtypes == "category").all()
    # The description: 2,480 roots unknown, and the veil always partial.
    assert frame["stalk_root"].isna().sum() == frame.isna().sum().sum() == 2480
    assert frame["veil_type"].unique().tolist() == ["partial"]


def test_a_foul_smell_means_poison():
    """The best known rule of the data, and a check of the words."""
    mushroom = load_mushroom()
    foul = mushroom.data["odor"].isin(["foul", "fishy", "spicy", "pungent", "creosote"])

    assert (mushroom.target[foul] == "poisonous").all()
    assert (mushroom.target[mushroom.data["odor"] == "almond"] == "edible").all()


def test_any_complete_column_can_tell_the_sources_apart():
    mushroom = load_mushroom(source="habitat")

    assert len(np.unique(mushroom.sample_source)) == 7
    assert "stalk_shape" in mushroom.feature_names
    assert "habitat" not in mushroom.feature_names


def test_x_y_and_source_come_alone_if_asked():
    X, y, sample_source = load_mushroom(return_X_y=True)

    assert len(X) == len(y) == len(sample_source) == 8124


def test_a_column_that_is_not_there_is_refused_with_the_likely_one():
    with pytest.raises(SourceError, match=r"'stalk-shape' is not .*mean 'stalk_shape'"):
        load_mushroom(source="stalk-shape")


def test_a_column_with_gaps_cannot_tell_the_sources_apart():
    with pytest.raises(SourceError, match="'stalk_root' is missing in 2480 rows"):
        load_mushroom(source="stalk_root")


def test_the_table_of_words_says_that_it_needs_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(ImportError, match=r"load_mushroom needs pandas.*\[notebook"):
        load_mushroom()
