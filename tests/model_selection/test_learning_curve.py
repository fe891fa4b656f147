"""The gain from other sources, by the rows of one's own."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.tree import DecisionTreeClassifier

from sktandem import Merged, SourceError, SourceWarning
from sktandem.members import OnlySource, OwnModels, WeightedMerge
from sktandem.model_selection import compare_strategies, learning_curve_by_source

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 3))
SOURCE = np.tile(["a", "b"], 120)
IN_A = SOURCE == "a"
NUMBERS = X @ [1.0, 2.0, 0.0] + RNG.normal(size=240)
Y = np.where(NUMBERS > 0.8, "ill", "well")
FRAME = pd.DataFrame(X, columns=list("uvw")).assign(ward=SOURCE)
QUICK = {"cv": 3, "n_repeats": 2, "random_state": 0, "progress": False}


def curve(estimator=None, X=X, y=Y, **changed):
    known = {"sample_source": SOURCE, "strategies": [Merged()], "primary_source": "a"}
    return learning_curve_by_source(estimator, X, y, **QUICK | known | changed)


def test_small_sets_are_parts_of_larger_ones_and_keep_the_classes(diary):
    rows = np.column_stack([np.arange(240.0), X])

    found = curve(None, rows, strategies={"mine": diary}, train_sizes=(10, 0.5, 1.0))

    assert found.sizes == (10, 40, 80)
    assert len(diary.pages) == 3 * 3 * 2
    by_test = {}
    for trained, _, tested in diary.pages:
        assert set(SOURCE[tested]) == {"a"}
        assert not set(trained) & set(tested)
        assert set(np.flatnonzero(~IN_A)) <= set(trained)
        by_test.setdefault(tuple(tested), []).append(set(trained[IN_A[trained]]))
    share = np.mean(Y[IN_A] == "ill")
    for sets in by_test.values():
        small, half, whole = sorted(sets, key=len)
        assert small < half < whole
        assert [len(s) for s in sorted(sets, key=len)] == [10, 40, 80]
        for part in small, half, whole:
            ill = np.sum(Y[sorted(part)] == "ill")
            assert abs(ill - share * len(part)) <= 2


@pytest.mark.parametrize(
    ("estimator", "y"), [(None, Y), (Ridge(), NUMBERS), (DecisionTreeClassifier(), Y)]
)
def test_all_rows_cost_what_they_cost_in_a_comparison(estimator, y):
    if isinstance(estimator, DecisionTreeClassifier):
        estimator = estimator.set_params(random_state=0)

    found = curve(estimator, y=y, train_sizes=[1.0], scoring=None)

    compared = compare_strategies(
        estimator,
        X,
        y,
        sample_source=SOURCE,
        primary_source="a",
        strategies=[Merged()],
        **QUICK,
    )
    (c,) = compared.contrasts
    assert found.loss == compared.design.loss
    # The rows come in another order, which solvers feel in the last digits.
    assert found.reference_losses[0] == pytest.approx(c.reference_loss, rel=1e-5)
    assert found.losses["merged"][0] == pytest.approx(c.loss, rel=1e-5)
    assert found.gains["merged"][0] == pytest.approx(c.gain, abs=1e-5)
    assert found.lows["merged"][0] == pytest.approx(c.low, abs=1e-4)
    assert found.scores["merged"][0] == pytest.approx(c.score)


def test_the_help_shrinks_with_the_rows_of_ones_own():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 15))
    y = X.sum(axis=1) + 3 * rng.normal(size=600)
    source = np.repeat(["a", "b"], [300, 300])

    found = curve(Ridge(), X, y, sample_source=source, train_sizes=(20, 200))

    assert found.gains["merged"][0] > 5 * found.gains["merged"][1]
    assert found.lows["merged"][0] > 0


def test_sizes_may_be_parts_and_numbers_in_any_order():
    assert curve(train_sizes=(1.0, 20, 0.25, np.int64(20))).sizes == (20, 80)


@pytest.mark.slow
def test_workers_doors_and_frames_change_nothing():
    sizes = {"train_sizes": (0.5, 1.0)}
    plain = curve(**sizes)

    for other in (
        curve(n_jobs=2, **sizes),
        curve(None, FRAME, sample_source=None, source="ward", **sizes),
        curve(None, FRAME[list("uvw")], pd.Series(Y), **sizes),
    ):
        np.testing.assert_allclose(other.gains["merged"], plain.gains["merged"])
        np.testing.assert_allclose(other.highs["merged"], plain.highs["merged"])


def test_one_loss_serves_the_whole_curve():
    """A tree of few rows has no doubts; one that is cut has some."""
    strategies = {"tree": DecisionTreeClassifier(random_state=0), "m": Merged()}

    found = curve(LogisticRegression(), strategies=strategies, train_sizes=(20, 80))

    assert found.loss == "Brier score"
    assert (found.reference_losses < 0.5).all()


@pytest.mark.slow
def test_too_few_groups_give_no_verdict_and_are_told():
    groups = np.arange(240) // 12

    with pytest.warns(SourceWarning, match="only 20 groups of 'a'"):
        by_group = curve(groups=groups)

    assert curve().verdict_["merged"][0] is not None
    assert by_group.verdict_["merged"] == (None,) * len(by_group.sizes)
    assert np.isfinite(by_group.lows["merged"]).all()
    assert "too few rows to tell yet whether merged helps" in by_group.summary()


@pytest.mark.slow
def test_what_never_differs_has_a_flat_curve():
    found = curve(strategies=[OnlySource(name="a"), WeightedMerge(weights=(0,))])

    for name in found.strategies:
        np.testing.assert_array_equal(found.gains[name], np.zeros(5))
        np.testing.assert_array_equal(found.highs[name], np.zeros(5))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"primary_source": "A"}, "primary_source names 'A', which is not a"),
        ({"primary_source": None}, "primary_source names None, which is not"),
        ({"train_sizes": ()}, "train_sizes is empty"),
        ({"train_sizes": (1,)}, "holds 1, which is 1 of 'a'; a fold has 80"),
        ({"train_sizes": (81,)}, "holds 81"),
        ({"train_sizes": (1.5,)}, "holds 1.5, which is 120"),
        ({"train_sizes": (0.001,)}, "2 are the least"),
        ({"margin": -1}, "margin must be"),
        ({"cv": 1}, "cv must be"),
        ({"strategies": "none"}, "strategies must be one of"),
        ({"sample_source": ["a"] * 240}, "at least two sources"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, match):
    with pytest.raises(SourceError, match=match):
        curve(**settings)


@pytest.mark.parametrize("sizes", [0.5, ["all"]])
def test_sizes_that_are_no_list_of_numbers_are_refused(sizes):
    with pytest.raises(SourceError, match="train_sizes"):
        curve(train_sizes=sizes)


def test_own_models_alone_have_no_curve():
    with pytest.raises(SourceError, match="beside own models"):
        curve(strategies=[OwnModels()])


def test_progress_goes_to_the_error_stream_alone(capsys):
    curve(train_sizes=[1.0], progress=True)

    shown = capsys.readouterr()
    assert shown.out == ""
    assert "comparing: 12 of 12 fits" in shown.err


def test_a_curve_of_our_list_goes_on_without_what_cannot_be_fitted():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 2))
    y = rng.poisson(np.exp(X[:, 0] / 2))
    given = {"primary_source": "a", "sample_source": np.tile(["a", "b"], 120)}

    with pytest.warns(SourceWarning, match="Left out: merged, target scaled by source"):
        curve = learning_curve_by_source(
            PoissonRegressor(),
            X,
            y,
            **given,
            strategies="all",
            train_sizes=(0.5, 1.0),
            cv=2,
            n_repeats=1,
            progress=False,
        )

    assert "merged" in curve.strategies
    assert "merged, target scaled by source" not in curve.strategies


def test_a_learning_curve_is_shown_where_transformers_give_frames():
    found = curve(Ridge(), y=NUMBERS, train_sizes=(0.5, 1.0))
    expected = found.summary()

    with config_context(transform_output="pandas"):
        assert found.summary() == expected
