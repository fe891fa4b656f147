"""Does the second dataset help: every number against a loop of scikit-learn's."""

import os
import re
import sys
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse, stats
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import (
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sktandem import Merged, SourceError, SourceWarning, table_preprocessor
from sktandem.data._rows import read_rows
from sktandem.members import OnlySource, OwnModels, StackedPrediction, WeightedMerge
from sktandem.model_selection import _compare, compare_strategies
from sktandem.model_selection._folds import deal

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 3))
SOURCE = np.tile(["a", "b"], 120)
IN_A = SOURCE == "a"
RULE = np.where(IN_A, X @ [1.0, 2.0, 0.0], X @ [1.0, 1.0, 1.0])
NUMBERS = RULE + RNG.normal(size=240)
Y = np.where(RULE + 2 * RNG.normal(size=240) > 0, "ill", "well")
FRAME = pd.DataFrame(X, columns=list("uvw")).assign(ward=SOURCE)
POLARS = pl.DataFrame(X, schema=list("uvw")).with_columns(ward=pl.Series(SOURCE))
K, REPEATS = 3, 2
QUICK = {"cv": K, "n_repeats": REPEATS, "random_state": 0, "progress": False}


def compare(estimator=None, X=X, y=Y, **changed):
    known = {"sample_source": SOURCE, "strategies": [Merged()]}
    return compare_strategies(estimator, X, y, **QUICK | known | changed)


def numbers(comparison):
    keys = (
        "source strategy reference_loss loss gain low high "
        "reference_score score score_gain score_low score_high"
    )
    return [
        tuple(getattr(c, key) for key in keys.split()) for c in comparison.contrasts
    ]


def folds(y, groups=None, test_source=None):
    rows = read_rows(None, X, y, sample_source=SOURCE, groups=groups)
    return deal(rows, K, REPEATS, test_source, np.random.RandomState(0))


def held_out(name, y, estimator, answer):
    """Return what models of own rows and of all rows answer, by scikit-learn alone."""
    own = np.full((REPEATS, 240), np.nan)
    merged = own.copy()
    for fold in folds(y):
        test = fold.test[SOURCE[fold.test] == name]
        mine = fold.train[SOURCE[fold.train] == name]
        for table, rows in (own, mine), (merged, fold.train):
            model = make_pipeline(StandardScaler(), estimator).fit(X[rows], y[rows])
            table[fold.repeat, test] = answer(model, X[test])
    rows = name == SOURCE
    return own[:, rows], merged[:, rows]


def wide_interval(d, level):
    """Return the interval of the documentation, written out."""
    n = d.shape[1]
    se = np.sqrt(np.mean([np.var(repeat, ddof=1) for repeat in d]) / n * K / (K - 1))
    half = stats.t.ppf(1 - level / 2, n - 1) * se
    return d.mean() - half, d.mean() + half


# The numbers


def test_losses_gains_and_intervals_of_classes_are_those_of_a_plain_loop():
    comparison = compare()

    level = comparison.design.level
    assert 0.025 <= level <= 0.05
    for c in comparison.contrasts:
        truth = Y[c.source == SOURCE] == "ill"
        own, merged = (
            -np.log(np.where(truth, p, 1 - p))
            for p in held_out(
                c.source,
                Y,
                LogisticRegression(max_iter=1000),
                lambda model, X: model.predict_proba(X)[:, 0],
            )
        )
        assert c.reference_loss == pytest.approx(own.mean(), rel=1e-6)
        assert c.loss == pytest.approx(merged.mean(), rel=1e-6)
        assert c.gain == pytest.approx((own - merged).mean(), abs=1e-7)
        assert (c.low, c.high) == pytest.approx(wide_interval(own - merged, level))
        assert c.margin == pytest.approx(0.01 * own.mean())
        assert c.n_rows == c.n_units == 120
    assert comparison.design.loss == "log loss"


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_losses_and_r2_of_numbers_are_those_of_a_plain_loop(shape):
    """A target of one column is the same target."""
    comparison = compare(Ridge(), y=NUMBERS.reshape(shape))

    for c in comparison.contrasts:
        truth = NUMBERS[c.source == SOURCE]
        own, merged = held_out(
            c.source, NUMBERS, Ridge(), lambda model, X: model.predict(X)
        )
        errors = [(truth - predicted) ** 2 for predicted in (own, merged)]
        assert c.reference_loss == pytest.approx(errors[0].mean())
        assert c.loss == pytest.approx(errors[1].mean())
        if shape == (-1,):
            by_hand = [
                np.mean([r2_score(truth, p) for p in ps]) for ps in (own, merged)
            ]
            assert (c.reference_score, c.score) == pytest.approx(tuple(by_hand))
    assert comparison.design.loss == "squared error"


@pytest.mark.parametrize("scoring", ["accuracy", "balanced_accuracy"])
def test_metrics_made_of_rows_are_the_mean_over_repeats(scoring):
    metric = {
        "accuracy": lambda y, p: np.mean(y == p),
        "balanced_accuracy": balanced_accuracy_score,
    }[scoring]

    for c in compare(scoring=scoring).contrasts:
        truth = Y[c.source == SOURCE]
        ill = held_out(
            c.source,
            Y,
            LogisticRegression(max_iter=1000),
            lambda model, X: model.predict(X) == "ill",
        )
        by_hand = [
            np.mean([metric(truth, np.where(one, "ill", "well")) for one in p])
            for p in ill
        ]
        assert (c.reference_score, c.score) == pytest.approx(tuple(by_hand))
        assert c.score_gain == pytest.approx(by_hand[1] - by_hand[0])


@pytest.mark.slow
@pytest.mark.parametrize("scoring", ["roc_auc", "f1_macro"])
def test_metrics_of_folds_are_the_mean_over_folds(scoring):
    """Of the area too, up to folds of one row more or less."""
    by_hand = {name: [] for name in "ab"}
    for fold in folds(Y):
        for name in "ab":
            test = fold.test[SOURCE[fold.test] == name]
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            model.fit(X[fold.train], Y[fold.train])
            if scoring == "roc_auc":
                ranking = model.decision_function(X[test])
                score = roc_auc_score(Y[test], ranking)
            else:
                score = f1_score(Y[test], model.predict(X[test]), average="macro")
            by_hand[name].append(score)

    for c in compare(scoring=scoring).contrasts:
        exact = scoring == "f1_macro"
        expected = pytest.approx(
            np.mean(by_hand[c.source]), abs=1e-9 if exact else 0.01
        )
        assert c.score == expected
        assert c.score_low < c.score_gain < c.score_high


@pytest.mark.slow
@pytest.mark.parametrize("y", [Y, NUMBERS], ids=["classes", "numbers"])
def test_workers_doors_and_containers_change_nothing(y):
    estimator = None if y is Y else Ridge()
    plain = numbers(compare(estimator, y=y))

    table = FRAME[list("uvw")]
    others = [
        compare(estimator, y=y, n_jobs=2),
        compare(estimator, FRAME, y, sample_source=None, source="ward"),
        compare(estimator, table, pd.Series(y), sample_source=pd.Series(SOURCE)),
        compare(estimator, POLARS, y, sample_source=None, source="ward"),
        compare(estimator, X.tolist(), list(y), sample_source=list(SOURCE)),
    ]

    for other in others:
        for one, two in zip(plain, numbers(other)):
            assert one[:2] == two[:2]
            np.testing.assert_allclose(one[2:], two[2:])


def test_sparse_rows_and_strings_are_compared():
    texts = [f"{'good' if label == 'ill' else 'bad'} day" for label in Y]
    reader = make_pipeline(TfidfVectorizer(), LogisticRegression())

    of_texts = compare(reader, texts, scaler=None)
    of_sparse = compare(None, sparse.csr_array(X), scaler=None)

    assert all(c.score == 1 for c in of_texts.contrasts)
    np.testing.assert_allclose(
        [row[2:] for row in numbers(of_sparse)],
        [row[2:] for row in numbers(compare(scaler=None))],
        rtol=1e-3,
        atol=1e-5,
    )


def test_seeds_are_kept_and_the_global_one_left_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    tree = DecisionTreeClassifier(max_features=1)

    one, two, other = (numbers(compare(tree, random_state=s)) for s in (1, 1, 2))

    assert one == two
    assert one != other
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


# Who trains and who is tested


ROWS = np.column_stack([np.arange(240.0), X])


@pytest.mark.filterwarnings("ignore:There are only 60 groups")
def test_groups_are_never_split_and_the_interval_rests_on_them(diary):
    groups = np.arange(240) // 4  # of both sources

    comparison = compare(None, ROWS, strategies={"mine": diary}, groups=groups)

    assert len(diary.pages) == K * REPEATS
    for trained, _, tested in diary.pages:
        assert not set(groups[trained]) & set(groups[tested])
    assert [c.n_units for c in comparison.contrasts] == [60, 60]
    assert [c.difference.df for c in comparison.contrasts] == pytest.approx([59, 59])
    assert comparison.design.grouped


def test_a_primary_source_alone_is_tested_and_all_others_train(diary):
    comparison = compare(None, ROWS, strategies={"mine": diary}, primary_source="a")

    assert [c.source for c in comparison.contrasts] == ["a"]
    tested_rows = []
    for trained, labels, tested in diary.pages:
        assert set(SOURCE[tested]) == {"a"}
        assert set(np.flatnonzero(~IN_A)) <= set(trained)
        np.testing.assert_array_equal(SOURCE[trained], labels)
        tested_rows += tested.tolist()
    np.testing.assert_array_equal(np.sort(tested_rows)[::REPEATS], np.flatnonzero(IN_A))


# The words


def test_a_strategy_that_ignores_the_others_is_identical():
    comparison = compare(strategies={"zero": WeightedMerge(weights=(0,))})

    for c in comparison.contrasts:
        assert (c.gain, c.low, c.high, c.score_gain) == (0, 0, 0, 0)
        assert c.verdict == "does no harm"
        assert c.words == "does no harm: same as its own model"
    assert "nan" not in repr(comparison) + comparison.summary()


@pytest.mark.filterwarnings("ignore:There are only")
def test_a_source_without_any_difference_does_not_hinder_the_others():
    source = np.tile(["a", "b", "c"], 80)

    comparison = compare(strategies=[OnlySource(name="a")], sample_source=source)

    assert comparison.verdict_["a", "only a"] == "does no harm: same as its own model"
    assert np.isfinite([c.low for c in comparison.contrasts]).all()


def test_perfect_models_on_both_sides_are_identical():
    comparison = compare(DummyRegressor(), y=np.ones(240))

    same = "does no harm: same as its own model"
    assert {c.words for c in comparison.contrasts} == {same}


@pytest.mark.parametrize(("sign", "verdict"), [(1.0, "helps"), (-1.0, "harms")])
def test_the_same_rule_helps_and_the_opposite_harms(sign, verdict):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 40))
    source = np.repeat(["small", "large"], [150, 750])
    rule = X.sum(axis=1) * np.where(source == "large", sign, 1)
    y = rule + 4 * rng.normal(size=900)

    comparison = compare(Ridge(), X, y, sample_source=source, primary_source="small")

    assert comparison.contrasts[0].verdict == verdict
    assert comparison.best_ == {"small": "merged" if sign > 0 else "own models"}


def test_the_margin_moves_the_words_and_not_the_interval():
    narrow, wide = (compare(margin=margin).contrasts[0] for margin in (0.001, 5.0))

    assert (narrow.low, narrow.high) == (wide.low, wide.high)
    assert narrow.verdict == "cannot tell yet"
    assert wide.words == "does no harm, no gain"


def test_a_tree_without_doubts_is_judged_by_the_brier_score():
    tree = DecisionTreeClassifier(random_state=0)

    comparison = compare(tree)
    insisted = compare(tree, scoring="neg_log_loss")

    assert comparison.design.loss == "Brier score"
    assert any("no chance at all" in note for note in comparison.design.notes)
    # A grown tree's probabilities are 0 and 1: its Brier score is its error.
    assert all(c.loss == pytest.approx(1 - c.score) for c in comparison.contrasts)
    assert insisted.design.loss == "log loss"
    assert insisted.contrasts[0].loss > 5


def test_the_metric_chooses_the_proper_loss_that_it_is():
    brier = compare(scoring="neg_brier_score")
    log = compare(scoring="neg_log_loss")

    for comparison, loss in (brier, "Brier score"), (log, "log loss"):
        assert comparison.design.loss == loss
        for c in comparison.contrasts:
            assert c.score == pytest.approx(-c.loss)
            assert c.score_gain == pytest.approx(c.gain)


def test_without_probabilities_classes_are_right_or_wrong():
    comparison = compare(LinearSVC())

    assert comparison.design.loss == "zero-one loss"
    for c in comparison.contrasts:
        assert c.loss == pytest.approx(1 - c.score)
        assert c.margin == 0.01


def test_one_strategy_without_probabilities_decides_for_all():
    assert compare(strategies={"svm": LinearSVC()}).design.loss == "zero-one loss"


# Too little to tell


def test_few_rows_warn_once_and_fewer_get_no_verdict():
    rows = np.arange(90 + 40)
    source = np.repeat(["a", "b"], [90, 40])

    with pytest.warns(SourceWarning, match="90 rows of 'a', 40 rows of 'b'") as told:
        comparison = compare(None, X[rows], Y[rows], sample_source=source)

    assert len(told) == 1
    assert told[0].filename.endswith("test_compare.py")
    of_a, of_b = comparison.contrasts
    assert of_a.verdict is not None
    assert of_b.verdict is None
    assert of_b.words == "cannot tell yet: 40 rows, at least 50 needed"


def test_fewer_than_twenty_of_the_rarer_class_get_no_verdict():
    y = np.full(240, "well")
    y[:38:2] = "ill"  # 19 of a
    y[1:41:2] = "ill"  # 20 of b

    of_a, of_b = compare(y=y).contrasts

    rarer = "cannot tell yet: 19 rows of the rarer class, at least 20 needed"
    assert of_a.words == rarer
    assert of_b.verdict is not None


@pytest.mark.parametrize("n_groups", [99, 49])
def test_few_groups_count_whatever_their_rows(n_groups):
    groups = np.arange(240) % n_groups

    with pytest.warns(SourceWarning, match=f"{n_groups} groups of 'a'"):
        comparison = compare(groups=groups)

    verdicts = {c.verdict is None for c in comparison.contrasts}
    assert verdicts == {n_groups < 50}


def test_many_features_and_few_repeats_are_noted():
    wide = np.hstack([X] * 9)

    notes = " ".join(compare(None, wide).design.notes)

    assert "fewer than 5 rows for each of the 27 features" in notes
    assert "With 2 repeats, another seed may change a close verdict; 5" in notes
    assert "features" not in " ".join(compare().design.notes)


def test_strings_have_no_features_to_count():
    reader = make_pipeline(TfidfVectorizer(), LogisticRegression())

    comparison = compare(reader, [f"day {label}" for label in Y], scaler=None)

    assert "features" not in " ".join(comparison.design.notes)


# What fails says so


class Broken(RegressorMixin, BaseEstimator):
    def __init__(self, error=ValueError):
        self.error = error

    def fit(self, X, y):
        raise self.error("out of paper")


class Lost(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.full(len(X), np.nan)


class Overflowing(Ridge):
    def predict(self, X):
        return np.where(X[:, 0] > 1.5, np.inf, super().predict(X))


def test_a_strategy_that_gives_infinity_is_named():
    """The metric would leave these rows out without a word."""
    with pytest.raises(SourceError, match=r"'mine'.* its squared error on .* is inf"):
        compare(Ridge(), y=NUMBERS, strategies={"mine": Overflowing()})


class LostClasses(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def predict_proba(self, X):
        return np.full((len(X), 2), np.nan)


def test_a_strategy_that_fails_is_named():
    match = r"strategy 'mine' failed on fold 1 of repeat 1 \(160 .*\): out of paper"
    with pytest.raises(SourceError, match=match):
        compare(Ridge(), y=NUMBERS, strategies={"mine": Broken()})


class Kills(LogisticRegression):
    """Ends its process, as the system does where memory runs out."""

    def fit(self, X, y, sample_weight=None):
        assert os.getpid() != self.C, "this would end the tests"
        os._exit(1)


def test_a_process_that_dies_is_told_with_its_strategies_and_folds():
    told = (
        r"A process of n_jobs=2 died, .* 'own models' on fold 1 of repeat 1; 'merged' "
        r"on fold 1 of repeat 1; .* Lower n_jobs, or find out with n_jobs=1 what"
    )
    with pytest.raises(SourceError, match=told):
        compare(Kills(C=os.getpid()), n_jobs=2)


def test_a_strategy_that_fails_in_any_way_is_named():
    with pytest.raises(SourceError, match="'mine' failed"):
        compare(Ridge(), y=NUMBERS, strategies={"mine": Broken(RuntimeError)})


@pytest.mark.parametrize("model", [Lost(), LostClasses()])
def test_a_strategy_that_gives_nan_is_named(model):
    of_numbers = isinstance(model, Lost)
    with pytest.raises(SourceError, match=r"'mine'.*nan"):
        compare(
            Ridge() if of_numbers else None,
            y=NUMBERS if of_numbers else Y,
            strategies={"mine": model},
        )


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"margin": 0}, "margin must be a number above 0, got 0"),
        ({"margin": "1"}, "margin must be a number above 0, got '1'"),
        ({"margin": np.inf}, "got inf"),
        ({"cv": 1}, "cv must be an integer of at least 2, got 1"),
        ({"cv": 2.5}, "cv must be an integer"),
        ({"n_repeats": 0}, "n_repeats must be an integer of at least 1"),
        ({"n_repeats": True}, "got True"),
        ({"primary_source": "A"}, "primary_source names 'A', which is not a"),
        ({"X": None}, "needs an estimator, X and y, in this order"),
        ({"y": None}, "needs an estimator, X and y, in this order"),
        ({"sample_source": None}, "at least two sources"),
        ({"sample_source": ["a"] * 240}, "at least two sources, got"),
        ({"strategies": "some"}, "strategies must be one of"),
        ({"strategies": [Merged(scale_target_by="source")]}, "is for regressors"),
        ({"cv": 241}, "n_splits=241 is more than the 240 rows"),
        ({"y": Y[:-1]}, "inconsistent numbers of samples"),
        ({"groups": [1, 2]}, "inconsistent numbers of samples"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        compare(**settings)


def test_rows_without_a_group_are_refused():
    groups = np.where(np.arange(240) % 50 == 0, np.nan, np.arange(240) // 2)

    with pytest.raises(SourceError, match="groups leaves"):
        compare(groups=groups)


@pytest.mark.parametrize(
    ("estimator", "y", "scoring"),
    [
        (LinearSVC(), Y, "neg_log_loss"),
        (Ridge(), NUMBERS, "accuracy"),
        (None, (NUMBERS > 0) * 1, "r2"),
    ],
)
def test_a_metric_that_does_not_suit_is_refused(estimator, y, scoring):
    with pytest.raises(ValueError, match=scoring):
        compare(estimator, y=y, scoring=scoring)


# What is compared


@pytest.mark.slow
@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (NUMBERS, Ridge),
        (NUMBERS.round(), Ridge),
        (Y, LogisticRegression),
        ((NUMBERS > 0) * 1, LogisticRegression),
        (NUMBERS > 0, LogisticRegression),
    ],
    ids=["floats", "whole floats", "texts", "integers", "booleans"],
)
def test_without_an_estimator_the_dtype_decides(y, kind):
    assert type(compare(None, y=y).design.estimator) is kind


def test_estimators_of_the_user_read_no_column_and_get_the_sources():
    mine = Merged(LogisticRegression(max_iter=1000), source="ward")

    comparison = compare(
        None,
        FRAME,
        sample_source=None,
        source="ward",
        strategies={"both": Merged(), "mine": mine},
    )

    both, same = comparison.contrasts[:2]
    assert same.loss == pytest.approx(both.loss)
    assert mine.source == "ward"


@pytest.mark.slow
@pytest.mark.parametrize("routing", [False, True])
def test_pipelines_and_searches_around_merges_can_be_compared(routing):
    by_source = Merged(LogisticRegression(max_iter=1000), scale_by="source")
    with config_context(enable_metadata_routing=routing):
        comparison = compare(
            strategies={
                "piped": make_pipeline(StandardScaler(), by_source),
                "alone": by_source,
                "searched": GridSearchCV(
                    Merged(LogisticRegression(max_iter=1000)),
                    {"balance": [None, "sources"]},
                    cv=2,
                ),
            }
        )

    piped, alone, searched = comparison.contrasts[:3]
    assert piped.loss == pytest.approx(alone.loss, rel=1e-3)
    assert np.isfinite(searched.loss)


def test_classes_that_are_not_shared_are_judged_within_each_source():
    y = np.where(IN_A, Y, np.where(X[:, 2] > 0, "high", "low"))

    comparison = compare(y=y, strategies=[Merged(), StackedPrediction()])

    for c in comparison.contrasts:
        assert 0 < c.loss < 1.5
        assert c.reference_score > 0.5
    mixed = compare(y=np.where(IN_A, (NUMBERS > 0) * 1, y.astype(object)))
    assert np.isfinite([c.loss for c in mixed.contrasts]).all()


def test_several_targets_count_alike():
    two = np.column_stack([NUMBERS, NUMBERS])

    both, one = (compare(Ridge(), y=y).contrasts for y in (two, NUMBERS))

    # Several targets are not stratified by, so the folds are others.
    for c, same in zip(both, one):
        assert c.loss == pytest.approx(same.loss, rel=0.05)


def test_progress_goes_to_the_error_stream_alone(capsys):
    compare(progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.search(r"^comparing: (24 of 24|12 of 12) fits, \d+ s\n$", shown.err)

    compare(progress=False)
    assert capsys.readouterr() == ("", "")


def test_progress_comes_every_few_seconds_and_on_a_screen_as_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(_compare, "BETWEEN_LINES", 0.0)
    compare(progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) in (12, 24)
    assert all(line.startswith("comparing: ") for line in lines)

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    compare(progress=True)
    assert re.search(r"24/24|12/12", capsys.readouterr().err)


@pytest.mark.slow
def test_inputs_are_left_as_they_were():
    table, y = FRAME.copy(), NUMBERS.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(
            DecisionTreeRegressor(max_depth=2),
            table,
            y,
            sample_source=None,
            source="ward",
            strategies="default",
        )

    pd.testing.assert_frame_equal(table, FRAME)
    np.testing.assert_array_equal(y, NUMBERS)


@pytest.mark.parametrize("strategies", [[OwnModels()], []], ids=["own", "none"])
def test_own_models_alone_are_no_comparison(strategies):
    with pytest.raises(SourceError, match="needs a strategy beside own models"):
        compare(strategies=strategies)


def test_a_metric_that_there_is_not_says_so_before_the_work():
    with pytest.raises(ValueError, match="accuracyy"):
        compare(scoring="accuracyy")


def test_classes_in_one_column_are_the_same_classes():
    with pytest.warns(UserWarning, match="column-vector"):
        column = compare(y=Y[:, None])

    assert numbers(column) == numbers(compare())


@pytest.mark.slow
def test_strings_get_the_strategies_that_need_no_columns():
    words = np.array([f"{'good' if y == 'well' else 'bad'} day" for y in Y], object)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())

    comparison = compare(model, words, strategies="default", scaler=None)

    names = {contrast.strategy for contrast in comparison.contrasts}
    assert names == {"merged", "merged, sources balanced", "weighted"}


def test_missing_targets_are_counted():
    y = NUMBERS.copy()
    y[[3, 7]] = np.nan

    with pytest.raises(SourceError, match="y is missing in 2 rows of 240"):
        compare(y=y)


def test_a_reference_that_knows_nothing_is_told():
    rng = np.random.default_rng(5)
    noise = np.where(rng.normal(size=240) > 0, "ill", "well")

    notes = compare(y=noise).design.notes

    told = [note for note in notes if "no better than" in note]
    assert len(told) == 2
    assert "no better than predicting the same for every row (" in told[0]
    assert not [note for note in compare().design.notes if "no better" in note]


@pytest.mark.filterwarnings("ignore:There are only")
def test_losses_and_gain_are_means_of_the_same_groups():
    groups = np.repeat(np.arange(80), 3)
    groups[:60] = np.repeat([0, 1, 2], 20)

    for contrast in compare(groups=groups).contrasts:
        saved = contrast.reference_loss - contrast.loss
        assert contrast.difference.estimate == pytest.approx(saved)
        gained = contrast.score - contrast.reference_score
        assert contrast.score_gain == pytest.approx(gained)


@pytest.mark.slow
@pytest.mark.parametrize("scaler", [None, StandardScaler()], ids=["none", "object"])
def test_scaling_by_source_is_tried_where_the_scaler_has_a_name(scaler):
    listed = [
        [c.strategy for c in compare(strategies="default", scaler=s, cv=2).contrasts]
        for s in (scaler, "standard")
    ]

    assert "merged, scaled by source" not in listed[0]
    assert "merged, scaled by source" in listed[1]


def test_a_cure_for_columns_is_offered_where_columns_are_the_trouble():
    table = pd.DataFrame({"x": [0.0, 1.0, 2.0], "ward": ["a", "b", "a"]})
    model = make_pipeline(table_preprocessor(), LogisticRegression())

    with pytest.raises(ValueError, match="at least 2 classes") as told:
        Merged(model, scaler=None).fit(table, [0, 0, 0])
    with pytest.raises(SourceError, match="table_preprocessor"):
        Merged(LogisticRegression(max_iter=1000), scaler=None).fit(table, [0, 1, 0])

    assert "table_preprocessor" not in str(told.value)


def test_giving_chances_to_foreign_classes_is_no_help():
    """A merge of disjoint classes predicts the wrong source's half the time."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 25))
    sign = np.where(X[:, 0] + rng.normal(size=240) > 0, "+", "-")
    y = np.char.add(np.where(IN_A, "a", "b"), sign)

    for contrast in compare(LogisticRegression(C=0.05), X, y).contrasts:
        assert contrast.verdict == "harms"
        assert contrast.score < contrast.reference_score


def test_a_perfect_reference_leaves_no_margin_and_no_error():
    y = np.where(IN_A, 1.0, NUMBERS)

    first = compare(DecisionTreeRegressor(max_depth=3), y=y).contrasts[0]

    assert first.reference_loss == 0
    assert first.words in ("harms", "cannot tell yet")


def test_a_rarer_class_of_few_groups_gets_no_verdict():
    y, groups = np.full(240, "well"), np.arange(240)
    y[:100:2], groups[:100:2] = "ill", np.arange(50) // 10  # 50 rows, 5 groups

    with pytest.warns(SourceWarning, match="only 75 groups of 'a'"):
        first = compare(y=y, groups=groups, primary_source="a").contrasts[0]

    assert first.n_rarer == 5
    rarer = "cannot tell yet: 5 groups of the rarer class, at least 20 needed"
    assert first.words == rarer


def test_intervals_without_a_verdict_are_not_counted_among_those_that_are_right():
    few = np.where(np.arange(240) < 30, "few", SOURCE)

    with pytest.warns(SourceWarning, match="only 30 rows of 'few'"):
        how = compare(sample_source=few).summary()

    assert "of such comparisons all 2 intervals of log loss are right" in how


def test_a_users_estimator_that_meets_no_source_warns():
    class Blind(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            inner = Merged(
                LogisticRegression(max_iter=1000), representation="indicator"
            )
            self.inner_ = inner.fit(X, y)
            self.classes_ = self.inner_.classes_
            return self

        def predict(self, X):
            return self.inner_.predict(X)

    with pytest.warns(SourceWarning, match="Only one source"):
        compare(strategies={"told": Blind()}, n_repeats=1)


def test_groups_in_both_sources_are_noted_where_inner_steps_cannot_know():
    groups = np.arange(240) // 2  # a row of either source

    noted = compare(groups=groups, strategies=[StackedPrediction()]).design.notes
    plain = compare(groups=groups).design.notes

    assert len([note for note in noted if "know nothing" in note]) == 1
    assert not [note for note in plain if "know nothing" in note]


def test_a_source_of_one_class_is_left_out_with_a_note():
    """It cannot be judged, but its rows train the others, as by hand."""
    y = np.where(IN_A, Y, "well")

    comparison = compare(LogisticRegression(), y=y)

    assert set(comparison.best_) == {"a"}
    note = "Left out: b, which has a single class, 'well': its own model is always"
    assert any(note in line for line in comparison.design.notes)
    with pytest.raises(SourceError, match="nothing to compare: 'b' has a single class"):
        compare(LogisticRegression(), y=y, primary_source="b")
    expected = [
        (Merged(LogisticRegression()).fit(X[train], y[train]).predict(X[test]), test)
        for train, test in (
            (fold.train, fold.test[IN_A[fold.test]]) for fold in folds(y)
        )
    ]
    accuracy = np.mean([np.mean(p == y[test]) for p, test in expected])
    assert comparison.contrasts[0].score == pytest.approx(accuracy, abs=1e-3)


@pytest.mark.filterwarnings("ignore:There are only", "ignore:n_splits=3 is more")
@pytest.mark.parametrize("y", [NUMBERS, Y])
def test_a_source_with_fewer_rows_or_groups_than_folds_is_compared(y):
    few = np.where(np.arange(240) < 238, "a", "b")

    comparison = compare(y=np.where(few == "b", y[::-1], y), sample_source=few)

    assert set(comparison.best_) <= {"a", "b"}
    groups = np.arange(240) // 2  # two of b
    compare(y=y, sample_source=np.where(np.arange(240) < 236, "a", "b"), groups=groups)


def test_a_source_of_a_single_row_or_group_is_left_out_with_a_note():
    groups = np.where(IN_A, np.arange(240), 1)

    comparison = compare(Ridge(), y=NUMBERS, groups=groups)

    assert set(comparison.best_) == {"a"}
    note = "Left out: b, which has a single group, never in training and test at once"
    assert any(note in line for line in comparison.design.notes)


COUNTS = RNG.poisson(np.exp(X[:, 0] / 2))
BELOW = "scale_target_by='source' makes targets below 0, which PoissonRegressor did"


def test_of_our_own_list_what_cannot_be_fitted_is_left_out_with_a_note():
    comparison = compare(PoissonRegressor(), y=COUNTS, strategies="all")

    left = "merged, target scaled by source"
    assert left not in comparison.design.strategies
    assert "merged" in comparison.design.strategies
    note = next(line for line in comparison.design.notes if "Left out" in line)
    assert note.startswith(f"Left out: {left}. ")
    assert BELOW in note
    with pytest.raises(SourceError, match=BELOW):
        compare(
            PoissonRegressor(),
            y=COUNTS,
            strategies=[Merged(), Merged(scale_target_by="source")],
        )


def test_where_nothing_of_our_list_can_be_fitted_the_reason_is_raised():
    class Small(Ridge):
        def fit(self, X, y):
            if len(y) > 100 or X.shape[1] > 3:
                raise ValueError("too many rows")
            return super().fit(X, y)

    with pytest.raises(SourceError, match=r"The strategy 'merged' .*too many rows"):
        compare(Small(), y=NUMBERS, strategies="default")


# The loss that judges


COUNTS = np.random.default_rng(1).poisson(np.exp(RULE / 4)).astype(float)
MADE_FOR = {
    "pinball loss at 0.9": (
        QuantileRegressor(quantile=0.9, alpha=0),
        lambda y, p: mean_pinball_loss(y, p, alpha=0.9),
    ),
    "absolute error": (
        GradientBoostingRegressor(
            loss="absolute_error", n_estimators=5, random_state=0
        ),
        mean_absolute_error,
    ),
    "Poisson deviance": (PoissonRegressor(), mean_poisson_deviance),
    "squared error": (Ridge(), mean_squared_error),
}


@pytest.mark.parametrize("loss", MADE_FOR)
def test_a_regressor_is_judged_by_the_loss_that_it_is_made_for(loss):
    """The losses are those of a loop over the same folds, by scikit-learn's metric."""
    estimator, metric = MADE_FOR[loss]
    rows = read_rows(None, X, COUNTS, sample_source=SOURCE)
    (contrast, _) = (found := compare(estimator, y=COUNTS)).contrasts

    costs = []
    for fold in deal(rows, K, REPEATS, None, np.random.RandomState(0)):
        test = fold.test[SOURCE[fold.test] == "a"]
        own = fold.train[SOURCE[fold.train] == "a"]
        alone, merged = (
            make_pipeline(StandardScaler(), clone(estimator))
            .fit(X[train], COUNTS[train])
            .predict(X[test])
            for train in (own, fold.train)
        )
        costs.append(
            [len(test), metric(COUNTS[test], alone), metric(COUNTS[test], merged)]
        )

    n, alone, merged = np.array(costs).T
    assert found.design.loss == loss
    assert contrast.reference_loss == pytest.approx(np.average(alone, weights=n))
    assert contrast.loss == pytest.approx(np.average(merged, weights=n))


@pytest.mark.parametrize(
    ("scoring", "loss"),
    [
        ("r2", "squared error"),
        ("neg_mean_absolute_error", "absolute error"),
        ("neg_mean_poisson_deviance", "Poisson deviance"),
    ],
)
def test_the_metric_that_was_asked_for_names_the_loss(scoring, loss):
    found = compare(PoissonRegressor(), y=COUNTS, scoring=scoring)

    assert found.design.loss == loss


def test_a_quantile_by_weighted_merge_covers_fresh_rows_as_own_models_do():
    """Judged by squared error it chose a weight that covered .69 of them."""
    rng = np.random.default_rng(0)

    def draw(n):
        source = np.repeat(["a", "b"], [n // 4, n - n // 4])
        X = rng.normal(size=(n, 1))
        return (
            X,
            X[:, 0] + rng.exponential(size=n) * np.where(source == "a", 3, 1),
            source,
        )

    made_for = QuantileRegressor(quantile=0.9, alpha=0)
    train, fresh = draw(400), draw(8000)
    covered = {}
    for member in WeightedMerge(made_for, random_state=0), OwnModels(made_for):
        member.fit(*train[:2], sample_source=train[2])
        below = fresh[1] <= member.predict(fresh[0], sample_source=fresh[2])
        covered[type(member).__name__] = below[fresh[2] == "a"].mean()

    assert covered["WeightedMerge"] == pytest.approx(covered["OwnModels"], abs=0.03)
    assert covered["WeightedMerge"] == pytest.approx(0.9, abs=0.05)


def test_the_number_of_repeats_may_be_one_of_numpy():
    text = compare(strategies=[Merged()], n_repeats=np.int64(2)).summary()

    assert f"{K} folds x 2 repeats, " in text
