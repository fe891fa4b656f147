"""Rows that are handed on inside the package instead of being read again."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktandem import Merged, SourceError, SourceScaler
from sktandem.data._estimator import (
    answer_rows,
    depends_on_source,
    fit_rows,
    is_ours,
    score_rows,
)
from sktandem.data._rows import read_rows
from sktandem.data._sources import UNKNOWN, Sources

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
SOURCE = np.repeat(["a", "b"], 30)
Y = X @ [1.0, 2.0, 3.0] + (SOURCE == "a")
ROWS = read_rows(None, X, Y, sample_source=SOURCE)
BY_SOURCE = {"scale_by": "source", "representation": "indicator"}


class Louder(Merged):
    def predict(self, X, *, sample_source=None):
        return super().predict(X, sample_source=sample_source) + 100


@pytest.mark.parametrize(
    "model",
    [
        Merged(Ridge(), **BY_SOURCE),
        make_pipeline(StandardScaler(), Merged(Ridge(), **BY_SOURCE)),
        Ridge(),
        Louder(Ridge(), **BY_SOURCE),
    ],
    ids=lambda model: type(model).__name__,
)
def test_handed_on_is_what_the_public_methods_give(model):
    fit_rows(model, ROWS)
    labels = {} if isinstance(model, Ridge) else {"sample_source": SOURCE}

    np.testing.assert_array_equal(
        answer_rows(model, "predict", ROWS), model.predict(X, **labels)
    )
    by_hand = (
        model[-1].score(model[0].transform(X), Y, **labels)
        if hasattr(model, "steps")
        else model.score(X, Y, **labels)
    )
    assert score_rows(model, ROWS) == pytest.approx(by_hand)


def test_a_failed_fit_leaves_nothing_behind():
    model = Merged(Ridge(), scaler="standart")

    with pytest.raises(SourceError, match="Did you mean 'standard'"):
        fit_rows(model, ROWS)

    assert not [name for name in vars(model) if name.endswith("_")]


def test_what_a_user_has_written_over_a_method_is_theirs():
    louder = Louder(Ridge())

    assert is_ours(louder, "fit")
    assert not is_ours(louder, "predict")
    assert not is_ours(Ridge(), "fit")


def test_why_a_source_is_needed_is_known_of_any_estimator():
    blind = Merged(LogisticRegression()).fit(X, Y > 0, sample_source=SOURCE)
    seeing = Merged(Ridge(), scale_by="source").fit(X, Y, sample_source=SOURCE)
    by_scaler = make_pipeline(SourceScaler(), Ridge())

    assert depends_on_source(blind) is None
    assert depends_on_source(Ridge().fit(X, Y)) is None
    assert depends_on_source(seeing) == "X was scaled by source"
    piped = make_pipeline(StandardScaler(), seeing)
    assert depends_on_source(piped) == "X was scaled by source"
    assert depends_on_source(by_scaler) is None  # for routing is off


def test_rows_as_one_source_keep_all_but_their_sources():
    one = ROWS.as_one()
    named = ROWS.as_one("b")

    assert one.names == ("all",)
    assert named.names == ("b",)
    assert one.X is ROWS.X
    assert one.y is ROWS.y
    assert set(named.labels) == {"b"}


def test_rows_of_unknown_sources_have_no_name_and_take_none():
    sources = Sources(("a", "b", "c"), np.array([2, UNKNOWN, 0], dtype=np.int8))

    assert sources.labels.tolist() == ["c", None, "a"]
    some = sources.take(np.array([1, 0]))
    assert some.names == ("c",)
    assert some.codes.tolist() == [UNKNOWN, 0]
    assert sources.take(np.array([1])).names == ()
