"""Estimators that choose a strategy by themselves."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    LeaveOneGroupOut,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sktandem import MergedClassifier, SourceWarning, TandemClassifier, TandemRegressor
from sktandem._sources import resolve_sources
from sktandem.exceptions import SourceError
from sktandem.model_selection import SourceKFold, StrategyComparison, score_by_source
from sktandem.model_selection._choice import Choice
from sktandem.model_selection._compare import judges_for
from sktandem.model_selection._folds import Measured, deal
from sktandem.model_selection._judges import Metric
from sktandem.strategies import (
    Merged,
    OwnModels,
    PerSource,
    StackedPrediction,
    Training,
)

N_A, N_B = 60, 240
LETTERS = list("abcdefghijklmnopqrst")
SOURCE = np.repeat(["a", "b"], [N_A, N_B])
IN_A = SOURCE == "a"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 20))
NOISE = 3 * RNG.normal(size=300)
SAME = X.sum(axis=1) + NOISE
OPPOSITE = np.where(IN_A, 1, -1) * X.sum(axis=1) + NOISE
AGREE = np.where(SAME > 0, "ill", "well")
DISAGREE = np.where(OPPOSITE > 0, "ill", "well")
FRAME = pd.DataFrame(X, columns=LETTERS).assign(ward=SOURCE)
TWO = {"strategies": [Merged()], "random_state": 0}


def classifier(**changed):
    return TandemClassifier(**TWO | changed)


def regressor(**changed):
    return TandemRegressor(**TWO | changed)


def fit(model, y, X=X):
    return model.fit(X, y, sample_source=SOURCE)


# The choice


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["macro", "worst", "primary"])
def test_rows_of_the_same_rule_are_merged_and_of_the_opposite_kept_apart(objective):
    settings = {"objective": objective, "primary_source": "a"}

    for model, agree, disagree in (
        (classifier(**settings), AGREE, DISAGREE),
        (regressor(**settings), SAME, OPPOSITE),
    ):
        assert fit(model, disagree).strategy_.name == "own models"
        if objective == "primary":
            assert fit(model, agree).strategy_.name == "merged"


def inner_losses(y, test_source=None):
    """Return the squared error of own models and of a merge on each row, by hand."""
    _, sources = resolve_sources(X, SOURCE)
    rng = np.random.RandomState(0)
    losses = np.full((2, 300), np.nan)
    for fold in deal(Training(X, y, sources), 5, 1, None, test_source, rng):
        for test in fold.test:
            own = fold.train[SOURCE[fold.train] == SOURCE[test]]
            for place, rows in enumerate((own, fold.train)):
                key = place, SOURCE[test] if place == 0 else "", fold.number
                if key not in (cache := inner_losses.cache):
                    model = make_pipeline(StandardScaler(), Ridge())
                    cache[key] = model.fit(X[rows], y[rows])
                predicted = cache[key].predict(X[[test]])[0]
                losses[place, test] = (predicted - y[test]) ** 2
    return losses


def test_the_comparison_holds_the_inner_losses():
    inner_losses.cache = {}
    own, merged = inner_losses(SAME)

    comparison = fit(regressor(), SAME).comparison_

    assert isinstance(comparison, StrategyComparison)
    for c in comparison.contrasts:
        rows = c.source == SOURCE
        assert c.reference_loss == pytest.approx(own[rows].mean())
        assert c.loss == pytest.approx(merged[rows].mean())
    assert (comparison.design.n_splits, comparison.design.n_repeats) == (5, 1)


@pytest.mark.parametrize("objective", ["macro", "worst"])
@pytest.mark.parametrize("y", [SAME, OPPOSITE], ids=["same", "opposite"])
def test_without_tolerance_the_smallest_cost_wins(objective, y):
    model = fit(regressor(objective=objective, tolerance=0), y)

    summary = {"macro": np.mean, "worst": np.max}[objective]
    relative = [c.loss / c.reference_loss for c in model.comparison_.contrasts]
    better = summary(relative) < 1
    assert model.strategy_.name == ("merged" if better else "own models")


def test_tolerance_is_a_part_of_the_own_models_loss():
    settings = {"objective": "primary", "primary_source": "a"}
    (c,) = fit(regressor(**settings), SAME).comparison_.contrasts
    behind = c.gain / c.reference_loss
    assert behind > 0

    for factor, name in (0.99, "merged"), (1.01, "own models"):
        model = fit(regressor(**settings, tolerance=factor * behind), SAME)
        assert model.strategy_.name == name


@pytest.mark.parametrize("tolerance", [0, 0.1, "one-se"])
def test_of_equals_the_first_is_taken(tolerance):
    twins = {"one": Merged(), "two": Merged(), "three": Merged()}
    settings = {"objective": "primary", "primary_source": "a", "tolerance": tolerance}

    model = fit(regressor(strategies=twins, **settings), SAME)

    assert model.strategy_ is twins["one"] or repr(model.strategy_) == "Merged()"
    assert [c.strategy for c in model.comparison_.contrasts] == list(twins)
    only_own = fit(regressor(strategies={"again": OwnModels()}), SAME)
    assert isinstance(only_own.strategy_, OwnModels)


def test_each_source_may_have_its_own_strategy():
    """What helps the small source hurts the large one, whose units differ."""
    y = np.where(IN_A, SAME, SAME + 30 * (X[:, 0] > 0))
    model = regressor(per_source=True, tolerance=0)

    fit(model, y)

    assert isinstance(model.strategy_, PerSource)
    for c in model.comparison_.contrasts:
        chosen = "merged" if c.gain > 0 else "own models"
        assert model.strategy_.strategies[c.source].name == chosen
    with pytest.raises(SourceError, match="each row's source is needed"):
        model.predict(X)


@pytest.mark.parametrize("scoring", ["accuracy", "roc_auc", "f1_macro"])
def test_a_metric_may_choose(scoring):
    model = fit(classifier(scoring=scoring, tolerance=0), DISAGREE)

    assert model.strategy_.name == "own models"
    assert model.comparison_.design.metric == scoring
    for c in model.comparison_.contrasts:
        assert c.reference_score > c.score


def test_what_is_hopeless_leaves_after_two_folds_and_the_best_stays():
    class Awful(RegressorMixin, BaseEstimator):
        n_fits = 0

        def fit(self, X, y):
            type(self).n_fits += 1
            return self

        def predict(self, X):
            return np.full(len(X), 100.0)

    strategies = {"awful": Awful(), "merged": Merged()}

    raced = fit(regressor(strategies=strategies, tolerance=0), SAME)

    assert Awful.n_fits == 2
    assert raced.comparison_.design.notes[-1] == (
        "Left out: awful, far behind after 2 of 5 folds."
    )
    assert {c.strategy for c in raced.comparison_.contrasts} == {"merged"}
    without = fit(regressor(tolerance=0), SAME)
    assert raced.strategy_.name == without.strategy_.name


def test_what_is_tried_and_chosen_is_told_if_asked_for(capsys):
    fit(regressor(), OPPOSITE)
    assert capsys.readouterr() == ("", "")

    fit(regressor(verbose=1), OPPOSITE)
    told = capsys.readouterr().out
    assert "[TandemRegressor] fold 1 of 5, 2 strategies\n" in told
    assert "[TandemRegressor] chose 'own models'\n" in told


# The fitted model


@pytest.mark.parametrize("y", [SAME, OPPOSITE], ids=["same", "opposite"])
def test_the_model_is_what_the_chosen_strategy_builds(y):
    model = fit(regressor(objective="primary", primary_source="a"), y)

    by_hand = model.strategy_.build(Ridge()).fit(X, y, sample_source=SOURCE)

    np.testing.assert_allclose(model.predict(X, SOURCE), by_hand.predict(X, SOURCE))
    by_source = score_by_source(by_hand, X, y, SOURCE, "r2")
    assert model.score(X, y, SOURCE) == pytest.approx(by_source.macro)


def test_probabilities_and_decisions_are_the_models():
    model = fit(classifier(), DISAGREE)

    proba = model.predict_proba(X, SOURCE)
    likeliest = model.classes_[proba.argmax(axis=1)]

    np.testing.assert_array_equal(model.predict(X, SOURCE), likeliest)
    decided = model.decision_function(X, SOURCE) > 0
    np.testing.assert_array_equal(decided, likeliest == "well")
    assert not hasattr(fit(classifier(estimator=LinearSVC()), AGREE), "predict_proba")
    assert not hasattr(classifier(estimator=LinearSVC()), "predict_proba")


@pytest.mark.slow
@pytest.mark.parametrize("labels", [list(SOURCE), pd.Series(SOURCE), SOURCE[:, None]])
def test_labels_may_come_in_any_container(labels):
    model = classifier().fit(X, DISAGREE, sample_source=labels)

    same = fit(classifier(), DISAGREE).predict(X, SOURCE)
    np.testing.assert_array_equal(model.predict(X, labels), same)
    assert model.sources_ == ("a", "b")
    assert model.classes_by_source_["a"].tolist() == ["ill", "well"]


def test_the_column_is_the_keyword():
    by_column = classifier(source="ward").fit(FRAME, DISAGREE)
    by_keyword = fit(classifier(), DISAGREE, FRAME[LETTERS])

    np.testing.assert_allclose(
        by_column.predict_proba(FRAME),
        by_keyword.predict_proba(FRAME[LETTERS], SOURCE),
        rtol=1e-9,
    )
    assert by_column.feature_names_in_.tolist() == [*LETTERS, "ward"]
    assert by_column.n_features_in_ == 21


@pytest.mark.slow
def test_several_workers_and_seeds_give_the_same_model():
    forest = RandomForestClassifier(3, max_depth=3)
    state = np.random.get_state()[1].copy()  # noqa: NPY002

    one, two, other = (
        fit(classifier(estimator=forest, **changed), AGREE).predict_proba(X, SOURCE)
        for changed in ({}, {"n_jobs": 2}, {"random_state": 1})
    )

    np.testing.assert_array_equal(one, two)
    assert (one != other).any()
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.slow
@pytest.mark.parametrize("per_source", [False, True])
def test_a_fitted_choice_can_be_cloned_kept_and_printed(per_source):
    model = fit(classifier(per_source=per_source), DISAGREE)

    again = pickle.loads(pickle.dumps(model))
    twin = fit(clone(model), DISAGREE)

    for other in again, twin:
        ours, theirs = (m.predict_proba(X, SOURCE) for m in (model, other))
        np.testing.assert_array_equal(ours, theirs)
    assert "TandemClassifier(" in repr(model)
    assert not hasattr(clone(model), "model_")
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


def test_one_source_alone_warns_and_is_fitted():
    with pytest.warns(SourceWarning, match="nothing to choose") as told:
        model = regressor().fit(X, SAME)

    assert [w.filename for w in told] == [__file__]
    alone = make_pipeline(StandardScaler(), Ridge()).fit(X, SAME)
    np.testing.assert_allclose(model.predict(X), alone.predict(X))
    assert model.comparison_ is None
    assert model.strategy_.name == "own models"


def test_persons_stay_together_in_the_inner_folds():
    people = np.arange(300) % 50
    seen = []

    class Spy(Ridge):
        def fit(self, X, y):
            self.rows_ = X[:, 0].astype(int)
            return super().fit(X, y)

        def predict(self, X):
            seen.append((self.rows_, X[:, 0].astype(int)))
            return super().predict(X)

    numbered = np.column_stack([np.arange(300.0), X])
    model = regressor(strategies={"spy": Spy()})
    model.fit(numbered, SAME, sample_source=SOURCE, groups=people)

    assert len(seen) == 5
    for train, test in seen:
        assert not set(people[train]) & set(people[test])
    assert model.comparison_.design.grouped


def test_unknown_sources_follow_the_rule_that_was_set():
    strict = fit(regressor(), OPPOSITE)
    kind = fit(regressor(unknown_source="primary", primary_source="a"), OPPOSITE)

    with pytest.raises(SourceError, match="the first 'z' at row 0"):
        strict.predict(X[:2], ["z", "a"])
    np.testing.assert_allclose(
        kind.predict(X[:2], ["z", "z"]), kind.predict(X[:2], ["a", "a"])
    )


def test_several_targets_are_predicted_together():
    both = np.column_stack([SAME, OPPOSITE])

    assert fit(regressor(), both).predict(X, SOURCE).shape == (300, 2)


# Among scikit-learn's tools


@pytest.mark.slow
@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss", "f1_macro", None])
def test_named_scorers_of_cross_validation_see_the_column(scoring, routing):
    soft = LogisticRegression(C=0.05)
    model = classifier(estimator=soft, source="ward", cv=2)
    with config_context(enable_metadata_routing=routing):
        scores = cross_val_score(
            model, FRAME, DISAGREE, cv=SourceKFold(2, source="ward"), scoring=scoring
        )

    good = -0.67 if scoring == "neg_log_loss" else 0.6
    assert scores.mean() > good


@pytest.mark.slow
def test_a_grid_reaches_the_choice_and_the_estimator():
    grid = {"objective": ["macro", "worst"], "estimator__C": [0.01, 1.0]}
    model = classifier(estimator=LogisticRegression(), source="ward", cv=2)

    search = GridSearchCV(model, grid, cv=SourceKFold(2, source="ward")).fit(
        FRAME, DISAGREE
    )

    assert set(search.best_params_) == set(grid)
    assert search.predict(FRAME).shape == (300,)


def test_nested_names_of_the_default_name_the_object_to_pass():
    with pytest.raises(SourceError, match=r"estimator=LogisticRegression\(max_iter"):
        TandemClassifier().set_params(estimator__C=3)
    with pytest.raises(SourceError, match=r"estimator=Ridge\(\)"):
        TandemRegressor().set_params(estimator__alpha=3)
    model = TandemRegressor().set_params(estimator=Ridge(), estimator__alpha=3)
    assert model.estimator.alpha == 3


@pytest.mark.parametrize("routing", [False, True])
def test_it_can_be_the_last_step_of_a_pipeline(routing):
    with config_context(enable_metadata_routing=routing):
        model = make_pipeline(PCA(19), classifier())
        key = "sample_source" if routing else "tandemclassifier__sample_source"
        model.fit(X, DISAGREE, **{key: SOURCE})
        scores = score_by_source(model, X, DISAGREE, SOURCE)

    assert scores.by_source["a"] > 0.7


@pytest.mark.slow
def test_scores_by_source_and_out_of_fold_predictions():
    model = classifier(source="ward").fit(FRAME, DISAGREE)

    scores = score_by_source(model, FRAME, DISAGREE, SOURCE)
    predicted = cross_val_predict(
        classifier(source="ward", unknown_source="pooled", cv=2),
        FRAME,
        AGREE,
        cv=LeaveOneGroupOut(),
        groups=np.arange(300) % 3,
    )

    by_hand = np.mean(model.predict(FRAME)[IN_A] == DISAGREE[IN_A])
    assert scores.by_source["a"] == pytest.approx(by_hand)
    assert set(predicted) <= {"ill", "well"}


@pytest.mark.parametrize(
    "routing",
    [
        False,
        True,
    ],
)
def test_a_chosen_pipeline_scores_with_its_sources(routing):
    piped = make_pipeline(PCA(19), MergedClassifier(scale_by="source"))
    with config_context(enable_metadata_routing=routing):
        model = fit(
            classifier(
                strategies={"piped": piped},
                tolerance=0,
                objective="primary",
                primary_source="a",
            ),
            AGREE,
        )
        assert model.strategy_ is not None
        assert type(model.model_).__name__ == "Pipeline"
        predicted = model.predict(X, SOURCE)

        assert model.score(X, AGREE, SOURCE) == np.mean(predicted == AGREE)


def test_an_estimator_that_reads_a_column_can_be_chosen_for_a_source():
    mine = MergedClassifier(source="ward")
    model = classifier(
        strategies={"mine": mine}, source="ward", per_source=True, tolerance=0
    )

    assert model.fit(FRAME, AGREE).predict(FRAME).shape == (300,)


# What fails


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"objective": "macros"}, "Did you mean 'macro'"),
        ({"objective": "primary"}, "objective='primary' needs primary_source"),
        ({"tolerance": "two-se"}, "tolerance must be 'one-se' or a number"),
        ({"tolerance": -0.1}, "got -0.1"),
        ({"tolerance": True}, "got True"),
        ({"primary_source": "A"}, "primary_source='A' is not a source"),
        ({"unknown_source": "ask"}, "unknown_source must be one of"),
        ({"strategies": "some"}, "strategies must be one of"),
        ({"strategies": [StackedPrediction, Merged()]}, r"Pass StackedPrediction\(\)"),
        ({"estimator": Ridge()}, r"needs a classifier, got Ridge\(\)"),
        ({"cv": 1}, "must be a whole number of at least 2, got 1"),
    ],
)
def test_settings_that_make_no_sense_leave_nothing_half_fitted(settings, match):
    fresh, old = classifier(**settings), fit(classifier(), DISAGREE)
    before = vars(old.set_params(**settings)).copy()

    for model in fresh, old:
        with pytest.raises(SourceError, match=match):
            model.fit(FRAME, AGREE, sample_source=SOURCE)

    assert not [name for name in vars(fresh) if name.endswith("_")]
    assert vars(old) == before


class Broken(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        raise ValueError("out of paper")


def test_a_failing_strategy_leaves_and_the_record_says_why():
    model = fit(regressor(strategies={"mine": Broken(), "merged": Merged()}), SAME)

    note = model.comparison_.design.notes[-1]
    assert note.startswith("Left out: mine, The strategy 'mine' failed on fold 1")
    assert note.endswith("out of paper.")
    assert set(model.ranking_.costs) == {"own models", "merged"}


def test_a_failing_reference_is_named_and_leaves_nothing_half_fitted():
    model = TandemRegressor(Broken(), strategies=[Merged()])

    with pytest.raises(SourceError, match="'own models' failed on fold 1"):
        fit(model, SAME)
    assert not [name for name in vars(model) if name.endswith("_")]


class Coin(ClassifierMixin, BaseEstimator):
    """Know nothing, and count how often it was asked to learn."""

    n_fits = 0

    def fit(self, X, y):
        type(self).n_fits += 1
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


def test_what_is_hopeless_by_a_metric_of_rows_leaves_as_well(monkeypatch):
    monkeypatch.setattr(Coin, "n_fits", 0)
    far_apart = np.where(X[:, 0] > 0, "ill", "well")

    fit(classifier(strategies={"coin": Coin()}, scoring="accuracy"), far_apart)

    assert Coin.n_fits == 2


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_a_rare_class_of_one_source_does_not_decide_the_choice():
    """Three rows are ill in b, so that two folds of five have none."""
    rare = np.where(IN_A, AGREE, "well")
    rare[-3:] = "ill"
    settings = {"scoring": "roc_auc", "tolerance": 0}

    model = fit(classifier(**settings), rare)
    gains = [c.score_gain for c in model.comparison_.contrasts]

    assert np.isfinite(gains).all()


def test_persons_widen_what_counts_as_a_tie():
    """A row that is there five times over is one piece of evidence, not five."""
    data = Training(X, (X[:, 0] > 0).astype(int), resolve_sources(X, SOURCE)[1])
    judges = judges_for(data, ["a"], True, Metric("accuracy"))
    measured = Measured(judges, ["own models", "merged"], 1, 5)
    once = np.random.default_rng(1).normal(size=len(judges[0].rows) // 5)
    shape = (1, len(judges[0].rows))
    measured.values["own models", "a", "log loss"] = np.ones(shape)
    losses = 1 + np.repeat(once, 5)[None]
    measured.values["merged", "a", "log loss"] = losses
    people = np.full(len(X), -1)
    people[judges[0].rows] = np.repeat(np.arange(len(once)), 5)

    by_row, by_person = (
        Choice(measured, judges, "macro", "one-se", False, groups).difference(
            "merged", "own models", judges[0]
        )
        for groups in (None, people)
    )

    assert by_person.estimate == pytest.approx(by_row.estimate)
    assert by_person.se > 2 * by_row.se


@pytest.mark.parametrize("cv", [1, 2.5, "5"])
def test_folds_that_make_no_sense_are_refused_by_their_name(cv):
    with pytest.raises(SourceError, match="cv must be a whole number of at least 2"):
        classifier(cv=cv).fit(X, AGREE, sample_source=SOURCE)


def test_groups_reach_the_fit_through_a_pipeline_with_routing_on():
    spied = make_pipeline(StandardScaler(), classifier(strategies=[Merged()]))
    groups = np.repeat(np.arange(len(X) // 2), 2)

    with config_context(enable_metadata_routing=True):
        spied.fit(X, AGREE, sample_source=SOURCE, groups=groups)

    assert spied[-1].comparison_.design.grouped


def test_the_ranking_tells_why():
    model = fit(regressor(tolerance="one-se"), OPPOSITE)

    ranking = model.ranking_

    assert ranking.chosen == model.strategy_.name == "own models"
    assert ranking.costs["own models"] == pytest.approx(1)  # of its own loss
    assert ranking.behind["merged"] > ranking.bearable["merged"] > 0
    assert min(ranking.behind.values()) == 0
    assert repr(ranking).splitlines()[1].endswith("chosen")


def test_each_source_has_a_ranking_where_each_has_a_strategy():
    model = fit(regressor(per_source=True), OPPOSITE)

    assert {s: r.chosen for s, r in model.ranking_.items()} == {
        s: strategy.name for s, strategy in model.strategy_.strategies.items()
    }


def test_the_score_means_the_same_whichever_strategy_is_chosen():
    """Another level in each source: pooled R2 would praise a merge for that."""
    y = SAME + 100 * IN_A
    own, merged = (
        fit(TandemRegressor(strategies=listed, random_state=0), y)
        for listed in ([OwnModels()], [Merged(representation="indicator")])
    )

    for model in own, merged:
        by_source = score_by_source(model, X, y, SOURCE, "r2")
        assert model.score(X, y, SOURCE) == pytest.approx(by_source.macro)


@pytest.mark.slow
def test_a_class_that_few_rows_have_stops_no_choice():
    y = np.where(SAME > 0, 1, 0)
    y[IN_A] = 0
    y[:2] = 1

    model = TandemClassifier(random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SourceWarning)
        model.fit(X, y, sample_source=SOURCE)

    assert model.predict(X, SOURCE).shape == y.shape
