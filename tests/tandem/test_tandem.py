"""Tandem blends the ways of using several datasets."""

import pickle

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ShuffleSplit,
    cross_val_predict,
    cross_val_score,
)
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sktandem import Merged, SourceError, SourceWarning, Tandem
from sktandem.data._rows import Rows
from sktandem.data._sources import Sources
from sktandem.inspection import BlendDisplay
from sktandem.members import OtherSources, OwnModels, StackedOwnModels
from sktandem.model_selection import SourceKFold, score_by_source
from sktandem.stats._row_loss import SQUARED_ERROR
from sktandem.tandem import _blend
from sktandem.tandem._blend import Blender, gains_of
from sktandem.tandem._judge import Judge
from sktandem.tandem._out_of_fold import FittedMember, OutOfFold
from sktandem.tandem._tandem import blend_members

N_A, N_B = 60, 240
LETTERS = list("abcdefgh")
SOURCE = np.repeat(["a", "b"], [N_A, N_B])
IN_A = SOURCE == "a"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 8))
NOISE = RNG.normal(size=300)
SAME = X.sum(axis=1) + NOISE
OPPOSITE = np.where(IN_A, 1, -1) * X.sum(axis=1) + NOISE
CLASSES = np.where(SAME > 0, "ill", "well")
FRAME = pd.DataFrame(X, columns=LETTERS).assign(ward=SOURCE)
TWO = {"members": [Merged()], "random_state": 0}


def classifier(estimator=None, **changed):
    estimator = LogisticRegression() if estimator is None else estimator
    return Tandem(estimator, **TWO | changed)


def regressor(estimator=None, **changed):
    return Tandem(Ridge() if estimator is None else estimator, **TWO | changed)


def fit(model, y, X=X, **given):
    return model.fit(X, y, sample_source=SOURCE, **given)


# The blend


def test_weights_add_up_to_one_and_go_where_the_rule_is():
    same, opposite = fit(regressor(), SAME), fit(regressor(), OPPOSITE)

    for model in same, opposite:
        for weights in model.weights_.values():
            assert list(weights) == ["own models", "merged"]
            assert sum(weights.values()) == pytest.approx(1)
    assert same.weights_["a"]["merged"] > 0.5
    assert opposite.weights_["a"]["own models"] > 0.99


def test_predictions_are_the_weighted_mean_of_the_members():
    model = fit(regressor(), SAME)

    parts = model.predict_members(X, sample_source=SOURCE)
    mixed = sum(
        np.array([model.weights_[s][name] for s in SOURCE]) * part.ravel()
        for name, part in parts.items()
    )

    np.testing.assert_allclose(model.predict(X, sample_source=SOURCE), mixed)
    own = model.members_["own models"].predict(X, sample_source=SOURCE)
    np.testing.assert_allclose(parts["own models"].ravel(), own)


def answers_by_hand(make, y, folds):
    """Return what own models, and a merged one, predict out of fold."""
    numbers = y.dtype.kind == "f"
    one, two = np.zeros((2, 300, 1 if numbers else 2))
    for train, test in folds:
        merged = make_pipeline(StandardScaler(), make()).fit(X[train], y[train])
        answer = merged.predict(X[test]) if numbers else merged.predict_proba(X[test])
        two[test] = answer.reshape(len(test), -1)
        for name in "ab":
            mine, asked = train[SOURCE[train] == name], test[SOURCE[test] == name]
            own = make_pipeline(StandardScaler(), make()).fit(X[mine], y[mine])
            answer = own.predict(X[asked]) if numbers else own.predict_proba(X[asked])
            one[asked] = answer.reshape(len(asked), -1)
    return one, two


@pytest.mark.parametrize("y", [SAME, CLASSES], ids=["numbers", "classes"])
def test_out_of_fold_predictions_are_those_of_a_loop_by_hand(y):
    """Weights learned from a loop over the same folds are the same."""
    folds = list(KFold(4, shuffle=True, random_state=0).split(X))
    numbers = y is SAME
    make = Ridge if numbers else LogisticRegression
    model = fit(Tandem(make(), members=[Merged()], cv=iter(folds)), y)

    one, two = answers_by_hand(make, y, folds)

    def lost(w, count):  # of the mixture for a
        mixed = w * one + (1 - w) * two
        if numbers:
            units = np.array([y[IN_A].var(), y[~IN_A].var()])[(~IN_A).astype(int)]
            return (y - mixed[:, 0]) ** 2 / units
        true = np.where(y == "ill", mixed[:, 0], mixed[:, 1])
        return -np.log((N_A * true + count) / (N_A + 2 * count))

    def cost(w, count):  # to leave the own model costs what it loses on 4 rows
        leaving = (1 - w) * 4 * lost(1.0, count)[IN_A].mean()
        # The rows of b count as 100.
        return lost(w, count) @ np.where(IN_A, 1, 100 / N_B) + leaving

    grid = [(w, count) for w in np.linspace(0, 1, 1001) for count in (1, 0.25, 0.05)]
    by_hand, count = min(grid, key=lambda each: cost(*each))
    assert model.weights_["a"]["own models"] == pytest.approx(by_hand, abs=0.002)
    if not numbers:
        p = model.predict_proba(X, sample_source=SOURCE)[IN_A]
        parts = model.predict_members(X, sample_source=SOURCE)
        weights = model.weights_["a"]
        mixed = sum(weights[name] * part[IN_A] for name, part in parts.items())
        np.testing.assert_allclose(p, (N_A * mixed + count) / (N_A + 2 * count))


def test_a_brier_score_counts_the_same_in_every_source():
    """Of probabilities all have one unit, though fewer of a are ill than of b."""
    y = np.where(np.where(IN_A, 2, 0) < SAME, "ill", "well")
    folds = list(KFold(4, shuffle=True, random_state=0).split(X))
    settings = {"members": [Merged()], "cv": folds, "loss": "brier_score"}
    model = fit(Tandem(LogisticRegression(), **settings), y)

    one, two = answers_by_hand(LogisticRegression, y, folds)
    true = y[:, None] == np.array(["ill", "well"])

    def lost(w):
        return ((w * one + (1 - w) * two - true) ** 2).sum(axis=1)

    for name in "ab":
        own = name == SOURCE
        counts = np.where(own, 1, 100 / (~own).sum())
        leaving = 4 * lost(1)[own].mean()
        costs = [lost(w) @ counts + (1 - w) * leaving for w in np.linspace(0, 1, 1001)]
        by_hand = np.argmin(costs) / 1000
        assert 0.1 < by_hand < 0.9
        assert model.weights_[name]["own models"] == pytest.approx(by_hand, abs=0.002)


def test_a_blend_of_own_models_alone_is_the_own_models():
    model = fit(Tandem(Ridge(), members=[OwnModels()]), SAME)
    alone = OwnModels(Ridge()).fit(X, SAME, sample_source=SOURCE)

    np.testing.assert_allclose(
        model.predict(X, sample_source=SOURCE), alone.predict(X, sample_source=SOURCE)
    )


def test_the_order_of_sources_and_members_does_not_matter():
    folds = list(KFold(4, shuffle=True, random_state=0).split(X))
    order = np.r_[N_A:300, :N_A]  # the sources in the other order
    place = np.argsort(order)
    turned = [(place[train], place[test]) for train, test in folds]
    members = {"merged": Merged(), "with": Merged(representation="indicator")}
    model = fit(Tandem(Ridge(), members=members, cv=folds), OPPOSITE)

    other = Tandem(Ridge(), members=dict(reversed(members.items())), cv=turned)
    other.fit(X[order], OPPOSITE[order], sample_source=SOURCE[order])

    for source in "ab":
        for name, weight in model.weights_[source].items():
            assert other.weights_[source][name] == pytest.approx(weight, abs=1e-4)


def test_choose_takes_one_member_for_each_source():
    model = fit(regressor(combine="choose"), OPPOSITE)

    assert model.weights_["a"] == {"own models": 1.0, "merged": 0.0}
    np.testing.assert_allclose(
        model.predict(X, sample_source=SOURCE),
        model.members_["own models"].predict(X, sample_source=SOURCE),
    )


def test_many_small_sources_share_their_weights():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(600, 3))
    y = X.sum(axis=1) + rng.normal(size=600)
    source = np.arange(600) % 40

    model = Tandem(Ridge(), members=[Merged()], random_state=0)
    model.fit(X, y, sample_source=source)

    assert np.std([w["merged"] for w in model.weights_.values()]) < 0.2


@pytest.mark.parametrize("y", [SAME, np.column_stack([SAME, 100 * SAME])])
def test_predictions_stay_near_the_range_of_the_sources_target(y):
    """By a quarter of it, output by output."""
    model = fit(regressor(LinearRegression()), y)

    low, high = model.predict([[-1e6] * 8, [1e6] * 8], sample_source=["b", "b"])

    own = y[~IN_A]
    np.testing.assert_allclose(low, own.min(axis=0) - np.ptp(own, axis=0) / 4)
    np.testing.assert_allclose(high, own.max(axis=0) + np.ptp(own, axis=0) / 4)


def test_the_range_of_few_rows_is_widened_to_that_of_all_on_their_scale():
    few = np.arange(300) < 12
    y = np.where(few, 50 + SAME / 10, SAME)
    source = np.where(few, "few", SOURCE)
    model = regressor().fit(X, y, sample_source=source)

    found = model.predict([[-1e6] * 8, [1e6] * 8], sample_source=["few", "few"])

    own = y[few]
    on_their_scale = (y - y.mean()) / y.std() * own.std() + own.mean()
    low, high = min(*own, *on_their_scale), max(*own, *on_their_scale)
    assert high > own.max()
    np.testing.assert_allclose(found, [low - (high - low) / 4, high + (high - low) / 4])


def test_a_target_of_small_integers_is_a_target_of_numbers():
    """Of one byte each, from -120 to 120: their range is no such integer."""
    y = np.clip(np.round(30 * SAME), -120, 120)
    whole, numbers = fit(regressor(), y.astype(np.int8)), fit(regressor(), y)

    np.testing.assert_allclose(
        whole.predict(X, sample_source=SOURCE), numbers.predict(X, sample_source=SOURCE)
    )
    assert whole.gain_["a"].gain == pytest.approx(numbers.gain_["a"].gain)


def test_no_zero_decides():
    """A tree is sure of every class; the blend never is."""
    model = fit(classifier(DecisionTreeClassifier(random_state=0)), CLASSES)

    p = model.predict_proba(X, sample_source=SOURCE)

    assert p.min() > 0
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_exact_members_keep_their_sureness():
    """To add a row of each class, as with uncertain ones, would cost .01 a row."""
    y = np.where(X[:, 0] > 0, "ill", "well")
    model = fit(classifier(DecisionTreeClassifier(random_state=0)), y)

    p = model.predict_proba(X, sample_source=SOURCE)

    assert 0 < log_loss(y, p) < 0.001


def test_members_that_err_are_made_less_sure():
    rng = np.random.default_rng(0)
    y = rng.choice(["ill", "well"], size=300)
    model = fit(classifier(KNeighborsClassifier(1)), y)

    p = model.predict_proba(X, sample_source=SOURCE)[IN_A]

    # Laplace's row of each class, besides the N_A of the source.
    assert p.min() >= 1 / (N_A + 2) - 1e-12


# The loss


@pytest.mark.parametrize(
    ("estimator", "loss"),
    [
        (Ridge(), "squared error"),
        (QuantileRegressor(quantile=0.9, alpha=0), "pinball loss at 0.9"),
        (make_pipeline(StandardScaler(), PoissonRegressor()), "Poisson deviance"),
        (LogisticRegression(), "log loss"),
        (LinearSVC(), "Brier score"),
    ],
)
def test_the_loss_is_the_one_the_estimator_is_made_for(estimator, loss):
    y = CLASSES if loss in ("log loss", "Brier score") else np.exp(SAME / 4)

    assert fit(Tandem(estimator, **TWO), y).gain_.loss == loss


def test_log_loss_may_be_named():
    named, auto = (fit(classifier(loss=loss), CLASSES) for loss in ("log_loss", "auto"))

    assert named.gain_.loss == "log loss"
    assert named.weights_ == auto.weights_


def test_a_quantile_is_blended_as_a_quantile():
    """Of two constants, the low one right for a and the high one for b."""
    y = np.where(IN_A, 0.0, 10.0) + RNG.exponential(size=300)
    model = fit(
        Tandem(DummyRegressor(strategy="quantile", quantile=0.9), loss=0.9, **TWO), y
    )

    below = y <= model.predict(X, sample_source=SOURCE) + 1e-9

    assert below[IN_A].mean() == pytest.approx(0.9, abs=0.06)
    assert below[~IN_A].mean() == pytest.approx(0.9, abs=0.06)


@pytest.mark.parametrize(
    ("model", "y", "match"),
    [
        (regressor(loss="log_loss"), SAME, "for a regressor, got 'log_loss'"),
        (classifier(loss="poisson"), CLASSES, "for a classifier, got 'poisson'"),
        (classifier(loss=0.5), CLASSES, "quantile of a pinball loss"),
        (classifier(LinearSVC(), loss="log_loss"), CLASSES, "needs probabilities"),
        (regressor(combine="vote"), SAME, r"combine must be one of \['blend', 'choos"),
        (regressor(cv=1), SAME, "cv must be an integer of at least 2, got 1"),
        (regressor(members="all"), SAME, r"members must be one of \['default'\]"),
        (regressor(members=[Ridge()]), SAME, r"members=\{'mine': estimator\}"),
        (regressor(cv=ShuffleSplit(2)), SAME, "hold out every row once, got 60 held"),
    ],
)
def test_settings_that_make_no_sense_leave_nothing_half_fitted(model, y, match):
    with pytest.raises(SourceError, match=match):
        fit(model, y)

    assert not hasattr(model, "weights_")
    assert not hasattr(model, "n_features_in_")


# What fails


class Broken(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        raise ValueError("no such luck")


def test_a_member_that_was_named_and_fails_is_an_error():
    with pytest.raises(SourceError, match=r"member 'mine' failed on fold 1: .*no such"):
        fit(Tandem(Ridge(), members={"mine": Merged(Broken())}), SAME)


def test_where_all_fail_the_first_error_is_told():
    with pytest.raises(SourceError, match=r"'own models' failed on fold 1: .*no such"):
        fit(Tandem(Broken()), SAME)


class Lost(LogisticRegression):
    """Has no answer where the first feature is beyond `limit`."""

    def __init__(self, limit=np.inf):
        super().__init__()
        self.limit = limit

    def predict_proba(self, X):
        found = super().predict_proba(X)
        found[X[:, 0] > self.limit] = np.nan
        return found


def test_members_that_give_nan_are_left_out_as_those_that_fail():
    message = r"'own models' failed on fold 1: it gives nan for \d+ rows"
    with pytest.raises(SourceError, match=message):
        fit(Tandem(Lost(limit=0)), CLASSES)
    members = {"lost": Merged(Lost(limit=0)), "merged": Merged(LogisticRegression())}
    with pytest.raises(SourceError, match="'lost' failed on fold 1: it gives nan"):
        fit(Tandem(LogisticRegression(), members=members), CLASSES)


def test_there_is_no_class_for_a_row_that_the_members_give_nan_for():
    model = fit(Tandem(Lost(limit=1e6), **TWO), CLASSES)
    far = X[:4].copy()
    far[2, 0] = 1e12

    with pytest.raises(SourceError, match="The blend gives nan for row 2 of those"):
        model.predict(far, sample_source=SOURCE[:4])
    assert np.isnan(model.predict_proba(far, sample_source=SOURCE[:4])[2]).all()


def test_a_source_without_an_own_model_gets_the_others():
    source = np.where(np.arange(300) < 12, "few", SOURCE)
    model = Tandem(KNeighborsRegressor(12), members=[Merged()], random_state=0)

    with pytest.warns(SourceWarning, match=r"'own models' cannot answer for \['few'\]"):
        model.fit(X, SAME, sample_source=source)

    assert model.weights_["few"] == {"own models": 0.0, "merged": 1.0}
    assert np.isnan(model.gain_["few"].gain)
    assert "no own model: The member 'own models'" in model.gain_["few"].reason
    assert np.isfinite(model.predict(X[:3], sample_source=["few"] * 3)).all()
    assert model.gain_["b"].gain == model.gain_["b"].gain


def test_a_source_of_one_class_is_answered():
    y = np.where(IN_A, "ill", CLASSES)

    model = fit(Tandem(LogisticRegression(), random_state=0), y)

    assert sum(model.weights_["a"].values()) == pytest.approx(1)
    assert set(model.predict(X[:3], sample_source=["a"] * 3)) == {"ill"}


# Unknown sources


@pytest.mark.filterwarnings("ignore::sktandem.SourceWarning")
@pytest.mark.parametrize("cv", [2, 3])
@pytest.mark.parametrize(
    "estimator", [KNeighborsRegressor(1), KNeighborsClassifier(1)], ids=["y", "class"]
)
def test_sources_of_a_single_row_leave_nothing_to_learn_weights_from(estimator, cv):
    """No fold of such a source has a row outside it, so that no weight is learned."""
    X, y, source = np.eye(3), np.array([1, 2, 2]), ["a", "b", "c"]
    model = Tandem(estimator, cv=cv, scaler=None, random_state=0)

    answers = model.fit(X, y, sample_source=source).predict(X, sample_source=source)

    assert ((answers >= 1) & (answers <= 2)).all()


def test_unknown_sources_are_an_error_by_default():
    with pytest.raises(SourceError, match="Each source has weights of its own"):
        fit(regressor(), SAME).predict(X[:1], sample_source=["c"])


def test_the_primary_source_may_stand_for_unknown_ones():
    model = fit(regressor(unknown_source="primary", primary_source="a"), OPPOSITE)

    np.testing.assert_allclose(
        model.predict(X[:5], sample_source=["c"] * 5),
        model.predict(X[:5], sample_source=["a"] * 5),
    )


def test_pooled_weights_come_from_leaving_sources_out():
    source = np.arange(300) % 3
    y = X.sum(axis=1) + NOISE + 5 * source
    model = Tandem(Ridge(), members=[Merged()], unknown_source="pooled")
    model.fit(X, y, sample_source=source)

    with pytest.warns(SourceWarning, match="2 rows of 2 have no source that was there"):
        found = model.predict(X[:2], sample_source=[7, 7])

    assert np.isfinite(found).all()


@pytest.mark.filterwarnings("ignore:.*no source that was there in fit")
@pytest.mark.parametrize("make", [Ridge, LogisticRegression])
def test_of_two_sources_unknown_ones_get_the_weights_that_suit_both(make):
    folds = list(KFold(4, shuffle=True, random_state=0).split(X))
    settings = {"members": [Merged()], "cv": folds, "unknown_source": "pooled"}
    numbers, y = make is Ridge, SAME + 1.5 * IN_A * X[:, 0]
    units = np.where(IN_A, y[IN_A].var(), y[~IN_A].var())
    y = y if numbers else np.where(y > 0, "ill", "well")
    model = fit(Tandem(make(), **settings), y)

    one, two = answers_by_hand(make, y, folds)

    def mixed(w, one, two):  # of 300 rows, and one for each class
        p = w * one + (1 - w) * two
        return p if numbers else (300 * p + 1) / 302

    def cost(w):
        p = mixed(w, one, two)
        if numbers:
            return ((y - p[:, 0]) ** 2 / units).sum()
        return -np.log(np.where(y == "ill", p[:, 0], p[:, 1])).sum()

    w = min(np.linspace(0, 1, 1001), key=cost)
    assert 0.1 < w < 0.9
    parts = model.predict_members(X, sample_source=["new"] * 300).values()
    ask = model.predict if numbers else model.predict_proba
    found = ask(X, sample_source=["new"] * 300).reshape(300, -1)
    np.testing.assert_allclose(found, mixed(w, *parts), atol=0.002)


@pytest.mark.filterwarnings("ignore:.*no source that was there in fit")
def test_weights_for_unknown_sources_are_those_of_a_loop_that_leaves_sources_out(
    capsys,
):
    """Of eight sources six times, the first beside the seventh, as unknown ones."""
    source = np.arange(300) % 8
    y = X.sum(axis=1) + (source > 3) * X[:, 0] + source + NOISE
    members = OwnModels(Ridge(), unknown_source="pooled"), Merged(Ridge())
    settings = {"unknown_source": "pooled", "cv": 2, "random_state": 0, "verbose": 1}
    model = Tandem(Ridge(), members=[Merged()], **settings)
    model.fit(X, y, sample_source=source)

    answers = np.zeros((2, 300))
    for block in range(6):
        out = source % 6 == block
        for place, member in enumerate(members):
            known = clone(member).fit(X[~out], y[~out], sample_source=source[~out])
            asked = {"sample_source": [99] * out.sum()}
            answers[place, out] = known.predict(X[out], **asked)
    units = np.array([y[source == number].var() for number in source])
    apart, left = answers[0] - answers[1], y - answers[1]
    w = (apart * left / units).sum() / (apart**2 / units).sum()

    assert 0.1 < w < 0.9
    one, two = model.predict_members(X, sample_source=[99] * 300).values()
    np.testing.assert_allclose(
        model.predict(X, sample_source=[99] * 300),
        (w * one + (1 - w) * two).ravel(),
        atol=1e-4,
    )
    assert "[Tandem] 12 fits on" in capsys.readouterr().out


# What users of scikit-learn expect


@pytest.mark.parametrize("make", [regressor, classifier])
def test_the_column_is_the_keyword(make):
    y = SAME if make is regressor else CLASSES
    by_column = make(source="ward").fit(FRAME, y)
    by_keyword = fit(make(), y, FRAME[LETTERS])

    expected = by_keyword.predict(FRAME[LETTERS], sample_source=SOURCE)
    assert (by_column.predict(FRAME) == expected).all()
    assert by_column.score(FRAME, y) == pytest.approx(
        by_keyword.score(FRAME[LETTERS], y, sample_source=SOURCE)
    )


def test_workers_pickles_and_clones_give_the_same():
    model = fit(Tandem(Ridge(), random_state=0), SAME)
    expected = model.predict(X, sample_source=SOURCE)

    others = fit(Tandem(Ridge(), random_state=0, n_jobs=2), SAME)
    for other in others, pickle.loads(pickle.dumps(model)), fit(clone(model), SAME):
        np.testing.assert_allclose(other.predict(X, sample_source=SOURCE), expected)


@pytest.mark.parametrize("container", [sparse.csr_matrix, pd.DataFrame])
def test_x_may_be_sparse_or_a_frame(container):
    model = fit(Tandem(Ridge(), random_state=0), SAME, container(X))

    assert model.score(container(X), SAME, sample_source=SOURCE) > 0.8


def test_several_outputs_of_any_units_are_blended_together():
    y = np.column_stack([SAME, 1e6 * OPPOSITE])

    model = fit(regressor(), y)

    assert model.predict(X, sample_source=SOURCE).shape == (300, 2)
    assert model.score(X, y, sample_source=SOURCE) > 0.7


def test_rows_of_no_weight_are_not_there():
    weight = np.where(np.arange(300) % 5 == 0, 0.0, 1.0)
    wrong = np.where(weight == 0, 1e3, SAME)
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    settings = {"members": [Merged()], "cv": folds, "scaler": None}
    one = fit(Tandem(Ridge(), **settings), SAME, sample_weight=weight)
    two = fit(Tandem(Ridge(), **settings), wrong, sample_weight=weight)

    for name, share in one.weights_["b"].items():
        assert two.weights_["b"][name] == pytest.approx(share)
    for part in ("gain", "low", "high"):
        expected = getattr(one.gain_["b"], part)
        assert getattr(two.gain_["b"], part) == pytest.approx(expected)
    np.testing.assert_allclose(
        two.predict(X, sample_source=SOURCE), one.predict(X, sample_source=SOURCE)
    )


def test_a_source_whose_rows_all_have_no_weight_is_named():
    with pytest.raises(SourceError, match="gives no row of 'a' a weight above 0"):
        fit(regressor(), SAME, sample_weight=1.0 - IN_A)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_target_too_large_for_its_loss_is_named():
    absurd = np.where(np.arange(300) == 7, 1e308, SAME)

    with pytest.raises(SourceError, match=r"y holds values up to 1e\+308, too large"):
        fit(regressor(), absurd)
    weight = np.where(np.arange(300) == 7, 0.0, 1.0)  # such a row is not there
    model = fit(regressor(), absurd, sample_weight=weight)
    plain = fit(regressor(), np.where(weight, SAME, 0), sample_weight=weight)
    assert model.weights_ == plain.weights_


def test_an_estimator_without_weights_says_so():
    with pytest.raises(SourceError, match="takes no sample_weight"):
        fit(regressor(KNeighborsRegressor()), SAME, sample_weight=np.ones(300) + IN_A)


def test_groups_stay_together_in_the_inner_folds():
    groups = np.arange(300) // 3
    noisy = np.repeat(RNG.normal(size=(100, 8)), 3, axis=0)
    y = np.repeat(RNG.normal(size=100), 3)

    apart = fit(regressor(KNeighborsRegressor(1)), y, noisy, groups=groups)
    together = fit(regressor(KNeighborsRegressor(1)), y, noisy)

    assert apart.gain_["b"].own > 1 > 0.3 > together.gain_["b"].own


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss", None])
def test_named_scorers_of_cross_validation_see_the_column(scoring, routing):
    cv = SourceKFold(3, source="ward")

    with config_context(enable_metadata_routing=routing):
        scores = cross_val_score(
            classifier(source="ward"), FRAME, CLASSES, cv=cv, scoring=scoring
        )

    assert np.isfinite(scores).all()


def test_a_grid_reaches_members_and_their_estimators():
    grid = {
        "members__merged__balance": [None, "sources"],
        "estimator__alpha": [0.1, 10.0],
        "combine": ["blend", "choose"],
    }
    model = Tandem(Ridge(), members={"merged": Merged()}, source="ward")

    search = GridSearchCV(model, grid, cv=SourceKFold(2, source="ward"))
    search.fit(FRAME, SAME)

    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert model.members["merged"].balance is None


def test_members_in_a_dict_are_parameters():
    model = Tandem(Ridge(), members={"merged": Merged()})

    model.set_params(members__merged__balance="sources")
    assert model.get_params()["members__merged__balance"] == "sources"
    model.set_params(members__merged=OtherSources())
    assert isinstance(model.members["merged"], OtherSources)
    with pytest.raises(ValueError, match=r"The members are \['merged'\]"):
        model.set_params(members__mergd__balance="sources")
    with pytest.raises(ValueError, match="members is 'default'"):
        Tandem(Ridge()).set_params(members__merged__balance="sources")


def test_one_source_alone_warns_and_is_fitted():
    with pytest.warns(SourceWarning, match="Only one source, 'all': there is nothing"):
        model = Tandem(Ridge()).fit(X, SAME)

    alone = make_pipeline(StandardScaler(), Ridge()).fit(X, SAME)
    np.testing.assert_allclose(model.predict(X), alone.predict(X))
    assert model.gain_["all"].reason == "there is no other source"


def test_scores_by_source_and_out_of_fold_predictions():
    model = regressor(source="ward").fit(FRAME, SAME)

    scores = score_by_source(model, FRAME, SAME)
    found = cross_val_predict(model, FRAME, SAME, cv=SourceKFold(3, source="ward"))

    assert list(scores.by_source) == ["a", "b"]
    assert np.isfinite(found).all()


# What is gained, and how it is shown


def test_the_gain_is_measured_on_rows_held_out():
    model = fit(Tandem(Ridge(), random_state=0), SAME)

    gain = model.gain_["a"]

    assert gain.own - gain.blend == pytest.approx(gain.gain)
    assert gain.low < gain.gain < gain.high
    assert gain.gain > 0


def chooser(answers, y, source, fold, *, weights=None, groups=None):
    """Choose among members of which only the answers out of fold are there."""
    names, codes = np.unique(source, return_inverse=True)
    rows = Rows(None, y, Sources(tuple(names.tolist()), codes), weights, groups)
    members = {f"member {n}": FittedMember(None, {}) for n in range(len(answers))}
    answers = answers[:, :, None]
    none = dict.fromkeys(members, 0)
    found = OutOfFold(tuple(members), answers, members, answers[0], fold, none)
    return Blender(found, rows, Judge(None, SQUARED_ERROR), y[:, None], choose=True)


@pytest.mark.parametrize("of", ["rows", "weighted rows", "groups"])
def test_the_gain_is_that_of_choices_that_did_not_see_the_rows(of):
    """Of members that are mere luck, choices that saw them would gain a lot."""
    rng = np.random.default_rng(0)
    y, answers = rng.normal(size=60), rng.normal(size=(4, 60))
    source, fold = np.repeat(["a", "b"], [24, 36]), np.arange(60) // 2 % 3
    weights = rng.integers(3, size=60) if of == "weighted rows" else np.ones(60)
    groups = np.arange(60) // 2 if of == "groups" else None
    counts = weights / weights[weights > 0].mean()

    given = {"weights": counts if of == "weighted rows" else None, "groups": groups}
    measured = chooser(answers, y, source, fold, **given).measured(3)

    lost = (y - answers) ** 2

    def saved(leaving):
        left = np.zeros(60)
        for name, number in [(name, number) for name in "ab" for number in range(3)]:
            seen = (source == name) & (fold != number)
            cost = lost[:, seen] @ counts[seen]
            cost[1:] += leaving * cost[0] / counts[seen].sum()
            held = (source == name) & (fold == number)
            left[held] = (lost[0] - lost[cost.argmin()])[held]
        return left

    for name in "ab":
        rows = np.flatnonzero((source == name) & (weights > 0))
        found = measured[name].gain
        mean = np.average(saved(4)[rows], weights=weights[rows])
        # Where leaving is free the error is larger, or smaller: the larger one counts.
        units = [saved(leaving)[rows] for leaving in (4, 0)]
        if groups is not None:
            units = [unit.reshape(-1, 2).mean(axis=1) for unit in units]
        n = len(units[0])
        errors = [np.sqrt(unit.var(ddof=1) / n * (1 + 3 / 2)) for unit in units]
        expected = mean, max(errors), n - 1, n
        assert (found.estimate, found.se, found.df, found.n) == pytest.approx(expected)


def test_choose_asks_the_rows_of_the_source_alone():
    """Of the second member a loses nothing, and b a lot."""
    rng = np.random.default_rng(0)
    y, source = rng.normal(size=60), np.repeat(["a", "b"], [24, 36])
    answers = y + np.array([np.ones(60), np.where(source == "a", 0, 9)])

    mixtures = chooser(answers, y, source, np.arange(60) % 3).mixtures()

    assert mixtures.weights.tolist() == [[0, 1], [1, 0]]


def test_a_gain_on_one_row_has_no_interval():
    y, source = np.arange(9.0), np.repeat(["a", "b"], [1, 8])
    answers = y + np.array([[2.0], [1.0]])
    blender = chooser(answers, y, source, np.arange(9) % 3)

    gain = gains_of(blender, blender.mixtures().weights, 3)["a"]

    assert (gain.own, gain.blend, gain.gain) == pytest.approx((4, 1, 3))
    assert np.isnan([gain.low, gain.high]).all()


def test_gains_are_shown_in_sentences_tables_and_pictures():
    gains = fit(Tandem(Ridge(), random_state=0), SAME).gain_

    told = "For a, with the blend instead of its own model, squared error falls from "
    assert gains.summary().startswith(told)
    assert ". The blend: " in gains.summary()
    assert gains.to_frame().index.tolist() == ["a", "b"]
    assert "<svg" in gains.to_html()
    assert "| ---: |" in gains.to_markdown()
    assert repr(gains).splitlines()[0].split()[0] == "source"
    assert list(gains) == ["a", "b"]
    assert len(gains) == 2


def test_the_display_draws_a_bar_for_each_member_and_source():
    model = fit(Tandem(Ridge(), random_state=0), SAME)

    display = BlendDisplay.from_estimator(model, ax=Figure().subplots(), name="wards")

    widths = {
        name: [bar.get_width() for bar in bars] for name, bars in display.bars_.items()
    }
    for place, source in enumerate("ab"):
        for name, weight in model.weights_[source].items():
            assert widths[name][place] == pytest.approx(weight)
    assert display.ax_.get_title() == "wards"
    with pytest.raises(SourceError, match="gain_ of a fitted Tandem"):
        BlendDisplay.from_estimator(Ridge())


def test_verbose_prints_what_is_fitted(capsys):
    fit(regressor(verbose=1, cv=2), SAME)

    printed = capsys.readouterr().out
    assert "[Tandem] fold 1 of 2: 'own models'" in printed
    assert "[Tandem] fitted 'merged' on all 300 rows" in printed


class CountingRidge(Ridge):
    """Counts the rows that it is fitted on."""

    rows = 0

    def fit(self, X, y, sample_weight=None):
        CountingRidge.rows += len(X)
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("n_sources", [2, 9])
def test_verbose_prints_how_many_rows_are_fitted(capsys, n_sources):
    CountingRidge.rows = 0
    model = Tandem(CountingRidge(), cv=3, verbose=1, random_state=0)

    model.fit(X, SAME, sample_source=np.arange(300) % n_sources)

    line = capsys.readouterr().out.splitlines()[0]
    words = line.replace(",", "").split()
    assert line.startswith("[Tandem] 21 fits on ")
    assert int(words[4]) + int(words[words.index("and") + 2]) == CountingRidge.rows
    # What the members need: cv + 1 fits of each, and less.
    assert int(words[4]) <= 6 * (3 + 1) * 300


# Members


def test_the_default_members_suit_the_estimator():
    named = blend_members(Ridge(), True, "standard")

    assert list(named) == [
        *("own models", "merged", "with indicator", "scaled by source"),
        *("own as a feature", "other sources"),
    ]
    assert named["scaled by source"].scale_target_by == "source"
    assert list(blend_members(Ridge(), False, None)) == [
        *("own models", "merged", "other sources")
    ]


def test_a_model_of_other_sources_never_sees_its_own_rows():
    model = OtherSources(LinearRegression(), scaler=None)
    model.fit(X, OPPOSITE, sample_source=SOURCE)

    alone = LinearRegression().fit(X[~IN_A], OPPOSITE[~IN_A])
    np.testing.assert_allclose(
        model.predict(X[IN_A], sample_source=SOURCE[IN_A]), alone.predict(X[IN_A])
    )


def test_many_sources_share_six_models_of_others():
    source = np.arange(300) % 12
    model = OtherSources(Ridge()).fit(X, SAME, sample_source=source)

    assert len({id(fitted) for fitted in model.models_.values()}) == 6
    assert model.models_[0] is model.models_[6]


@pytest.mark.parametrize("y", [SAME, CLASSES], ids=["numbers", "classes"])
@pytest.mark.parametrize("scaler", ["standard", None, StandardScaler()])
def test_own_predictions_are_a_feature(y, scaler):
    make = Ridge if y is SAME else LogisticRegression
    model = StackedOwnModels(make(), scaler=scaler, random_state=0)

    model.fit(X, y, sample_source=SOURCE)

    # The features, an indicator for each of two sources, and the prediction.
    assert model.merged_.estimator_.n_features_in_ == 8 + 2 + 1
    assert model.score(X, y, sample_source=SOURCE) > 0.8


# What a reader found


@pytest.mark.parametrize("unit", [1e-3, 1e3])
@pytest.mark.parametrize("of", ["a", "b"])
def test_the_unit_of_one_sources_target_moves_no_weights_of_the_other(unit, of):
    """A loss is a part of what a constant costs on its source, whatever the unit."""
    folds = list(KFold(4, shuffle=True, random_state=0).split(X))
    settings = {"members": {"others": OtherSources()}, "cv": folds}
    y = X.sum(axis=1) + 3 * NOISE
    one = fit(Tandem(Ridge(), **settings), y)

    everywhere = fit(Tandem(Ridge(), **settings), unit * y)
    for source in "ab":
        found = everywhere.weights_[source]["others"]
        assert found == pytest.approx(one.weights_[source]["others"], abs=1e-3)

    # Own models alone know the unit, so a change of it leaves them all the weight.
    changed = fit(Tandem(Ridge(), **settings), np.where(of == SOURCE, unit, 1.0) * y)
    assert changed.weights_[of]["own models"] > 0.95


@pytest.mark.filterwarnings("ignore:n_splits=5 is more:sktandem.SourceWarning")
@pytest.mark.filterwarnings("ignore:.*cannot answer for:sktandem.SourceWarning")
def test_a_source_that_no_member_answers_for_is_an_error():
    source = np.where(np.arange(300) < 4, "few", SOURCE)
    model = Tandem(KNeighborsRegressor(6), members=[OwnModels()], random_state=0)

    with pytest.raises(SourceError, match=r"No member can answer for 'few'.*failed on"):
        model.fit(X, SAME, sample_source=source)

    assert not hasattr(model, "weights_")


@pytest.mark.filterwarnings("ignore:n_splits=5 is more:sktandem.SourceWarning")
def test_a_source_of_one_row_gets_the_weights_that_suit_the_others():
    source = np.where(np.arange(300) < 1, "one", SOURCE)
    model = Tandem(Ridge(), members=[Merged()], random_state=0)

    with pytest.warns(
        SourceWarning, match="'own models' cannot answer for \\['one'\\]"
    ):
        model.fit(X, SAME, sample_source=source)

    assert model.weights_["one"] == {"own models": 0.0, "merged": 1.0}
    assert np.isfinite(model.gain_["one"].blend)


def test_the_gain_is_over_own_models_where_they_can_answer_for_no_source():
    """Every other member goes on; none of them passes for the own models."""

    class Large(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            if len(X) < 200:
                raise ValueError("too few")
            self.inner_ = Ridge().fit(X, y)
            return self

        def predict(self, X):
            return self.inner_.predict(X)

    with pytest.warns(SourceWarning, match="member"):
        model = fit(Tandem(Large(), cv=5, random_state=0), SAME)

    assert {w["own models"] for w in model.weights_.values()} == {0.0}
    assert np.isnan(model.gain_["a"].own)
    assert "no own model" in model.gain_["b"].reason
    assert np.isfinite(model.predict(X, sample_source=SOURCE)).all()


def test_what_was_clipped_is_counted():
    X_far = np.where(np.arange(300)[:, None] % 50 == 0, 1e4 * X, X)

    model = fit(Tandem(LinearRegression(), scaler=None, random_state=0), SAME, X_far)

    assert model.n_clipped_["own models"] > 0
    assert list(model.n_clipped_) == list(model.weights_["a"])


def test_the_interval_knows_that_the_weights_are_luck_too(monkeypatch):
    """It is no narrower than where it costs nothing to leave the own model."""

    def gain(leaving):
        monkeypatch.setattr(_blend, "LEAVING", leaving)
        return fit(regressor(), SAME).gain_["a"]

    free, bound = gain(0.0), gain(1e6)

    assert bound.gain == pytest.approx(0, abs=1e-3)
    assert free.gain > 0.01
    assert bound.high - bound.low == pytest.approx(free.high - free.low, rel=1e-3)


@pytest.mark.filterwarnings("ignore::sktandem.SourceWarning")
@pytest.mark.filterwarnings("ignore:'own' cannot answer:sktandem.SourceWarning")
@pytest.mark.parametrize("others", ["bbbbb", "bbbccc"])
def test_own_models_alone_cannot_be_judged_on_a_source_of_one_row(others):
    """Beside one source or more: the model of the others does not pass for its own."""
    X = np.random.default_rng(0).normal(size=(1 + len(others), 3))
    model = Tandem(Ridge(), members={"own": OwnModels()}, cv=2, random_state=0)

    with pytest.raises(SourceError, match="No member can answer for 'a'"):
        model.fit(X, X.sum(axis=1), sample_source=["a", *others])


@pytest.mark.parametrize("unit", [1 / 300, 0.01, 100.0])
def test_the_unit_of_weights_changes_nothing(unit):
    weight = np.where(IN_A, 1.0, 2.0)
    one, other = (
        fit(regressor(LinearRegression()), SAME, sample_weight=weight * u)
        for u in (1.0, unit)
    )

    for name in one.weights_:
        assert other.weights_[name] == pytest.approx(one.weights_[name], abs=1e-6)


def test_weights_below_0_are_refused():
    weight = np.where(np.arange(300) == 7, -1.0, 1.0)

    with pytest.raises(SourceError, match="sample_weight must hold finite numbers of"):
        fit(regressor(), SAME, sample_weight=weight)


def test_a_group_that_holds_a_whole_source_leaves_it_without_an_own_model():
    """Of two sources: the model of the other one does not pass for its own."""
    groups = np.where(IN_A, "A", np.arange(300).astype(str))

    with pytest.warns(SourceWarning, match="no row of 'a' to train on"):
        model = fit(regressor(), OPPOSITE, groups=groups)

    assert np.isnan(model.gain_["a"].own)
    assert "it has no own model" in model.gain_["a"].reason
    assert model.weights_["a"]["own models"] == 0


def test_a_source_of_one_row_is_not_answered_by_its_only_number():
    source = np.where(np.arange(300) < 1, "one", SOURCE)
    with pytest.warns(SourceWarning):
        model = regressor().fit(X, X.sum(axis=1), sample_source=source)

    answers = model.predict(X[:20], sample_source=["one"] * 20)

    assert r2_score(X[:20].sum(axis=1), answers) > 0.9


def test_what_is_learned_in_fit_cannot_be_asked_for_afterwards():
    model = fit(regressor(), SAME).set_params(unknown_source="pooled")

    with pytest.raises(SourceError, match=r"'pooled' was set after fit.* Fit again"):
        model.predict(X[:1], sample_source=["z"])


def test_a_member_without_weight_is_not_asked():
    model = fit(regressor(), OPPOSITE)
    weights = np.array([list(of.values()) for of in model.weights_.values()])

    assert not ((weights > 0) & (weights < 1e-9)).any()
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_the_packages_own_splitter_deals_the_inner_folds():
    assert fit(regressor(cv=SourceKFold(3)), SAME).weights_.keys() == {"a", "b"}


def test_a_target_that_a_deviance_is_not_defined_for_is_named():
    counts = np.abs(SAME).round()

    told = "y holds 0, and the gamma deviance needs numbers above 0"
    with pytest.raises(SourceError, match=told):
        fit(regressor(Ridge(), loss="gamma"), counts)
    with pytest.raises(SourceError, match="Poisson deviance needs numbers of at least"):
        fit(regressor(Ridge(), loss="poisson"), counts - 1)


def test_own_models_below_0_have_no_deviance_and_the_blend_has():
    counts = np.random.default_rng(3).poisson(np.exp(X[:, 0]))

    model = fit(regressor(LinearRegression(), loss="poisson"), counts)

    assert "could not be judged by Poisson deviance" in model.gain_["b"].reason
    assert (model.predict(X, sample_source=SOURCE) > 0).all()
    # Half of what is least above 0, which here is 1.
    far = model.predict(np.c_[-1e6, np.zeros((1, 7))], sample_source=["b"])
    np.testing.assert_allclose(far, 0.5)
