"""The members, each used alone, against the same by hand."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    QuantileRegressor,
    Ridge,
)
from sklearn.metrics import (
    log_loss,
    make_scorer,
    mean_pinball_loss,
    mean_squared_error,
)
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from sktandem import Merged, SourceError, SourceWarning
from sktandem.data._cells import cross_cells, deal_folds, target_strata
from sktandem.data._sources import resolve_sources
from sktandem.members import (
    OnlySource,
    OtherSources,
    OwnModels,
    SimilarityWeighted,
    StackedOwnModels,
    StackedPrediction,
    WeightedMerge,
)
from sktandem.members._names import member_name
from sktandem.model_selection import SourceKFold

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
SOURCE = np.repeat(["a", "b"], [50, 40])
IN_A = SOURCE == "a"
NUMBERS = np.where(IN_A, X @ [1.0, 2.0, 3.0], X @ [1.0, -2.0, 0.0])
NUMBERS = NUMBERS + RNG.normal(size=90)
CLASSES = np.where(NUMBERS > 0, "ill", "well")
FRAME = pd.DataFrame(X, columns=list("uvw")).assign(ward=SOURCE)
BY_SOURCE = [
    OwnModels(),
    OnlySource(name="a"),
    WeightedMerge(cv=2),
    SimilarityWeighted(),
    StackedPrediction(),
    StackedOwnModels(cv=2),
    OtherSources(),
]
EVERY = [*BY_SOURCE, Merged(), Merged(balance="sources", representation="augmented")]
each = pytest.mark.parametrize("member", EVERY, ids=member_name)
each_by_source = pytest.mark.parametrize("member", BY_SOURCE, ids=member_name)


def scaled(estimator):
    return make_pipeline(StandardScaler(), estimator)


def assert_close(ours, theirs, tolerance=1e-12):
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def around(member, estimator, **options):
    """Return a member whose hole is filled by hand."""
    return clone(member).set_params(estimator=estimator, **options)


def fitted(member, estimator, y, X=X, source=SOURCE, **options):
    return around(member, estimator, **options).fit(X, y, sample_source=source)


# Own models, one source's model, merges


@pytest.mark.parametrize("scaler", ["standard", None])
def test_own_models_are_those_fitted_apart(scaler):
    def by_hand(estimator):
        return estimator if scaler is None else scaled(estimator)

    numbers = fitted(OwnModels(), Ridge(), NUMBERS, scaler=scaler)
    classes = fitted(OwnModels(), LogisticRegression(), CLASSES, scaler=scaler)

    for name in "ab":
        rows = name == SOURCE
        alone = by_hand(Ridge()).fit(X[rows], NUMBERS[rows]).predict(X)
        assert_close(numbers.predict(X, sample_source=[name] * 90), alone)
        alone = by_hand(LogisticRegression()).fit(X[rows], CLASSES[rows])
        ours = classes.predict_proba(X, sample_source=[name] * 90)
        assert_close(ours, alone.predict_proba(X), 1e-9)  # a solver that iterates
        decided = classes.decision_function(X, sample_source=[name] * 90)
        assert_close(decided, alone.decision_function(X), 1e-9)


def test_one_sources_model_answers_for_all_rows_and_needs_no_labels():
    model = fitted(OnlySource(name="b"), Ridge(), NUMBERS)

    alone = scaled(Ridge()).fit(X[~IN_A], NUMBERS[~IN_A]).predict(X)

    assert_close(model.predict(X), alone)
    assert_close(model.predict(X, sample_source=SOURCE), alone)


@pytest.mark.parametrize("name", ["a", "b"])
def test_one_sources_model_is_its_own_model_by_the_same_seed(name):
    own, rows = OwnModels(), name == SOURCE
    forest = RandomForestRegressor(3)

    models = [
        fitted(member, forest, NUMBERS, random_state=7)
        for member in (own, OnlySource(name=name))
    ]

    one, two = (model.predict(X[rows], sample_source=SOURCE[rows]) for model in models)
    np.testing.assert_array_equal(one, two)


# The others at a weight


@pytest.mark.parametrize(
    ("estimator", "y"), [(Ridge(), NUMBERS), (LogisticRegression(), CLASSES)]
)
def test_weights_of_zero_and_one_are_own_models_and_a_plain_merge(estimator, y):
    own, merge = (fitted(s, estimator, y) for s in (OwnModels(), Merged()))

    zero = fitted(WeightedMerge(weights=(0.0,)), estimator, y)
    one = fitted(WeightedMerge(weights=(1.0,)), estimator, y)

    method = "predict_proba" if y is CLASSES else "predict"
    for model, same in (zero, own), (one, merge):
        ours, theirs = (
            getattr(m, method)(X, sample_source=SOURCE) for m in (model, same)
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def brute_force(name, y, weights, n_folds, folds_of, proba):
    """Return the loss of each weight in a plain loop of scikit-learn."""
    own, others = np.flatnonzero(name == SOURCE), np.flatnonzero(name != SOURCE)
    losses = []
    for weight in weights:
        loss = 0.0
        for fold in range(n_folds):
            train, test = own[folds_of != fold], own[folds_of == fold]
            rows = np.concatenate([train, others])
            w = np.repeat([1.0, weight], [len(train), len(others)])
            keep = w > 0
            rows, w = rows[keep], w[keep]
            scaler = StandardScaler().fit(X[rows], sample_weight=w)
            model = LogisticRegression() if proba else Ridge()
            model.fit(scaler.transform(X[rows]), y[rows], sample_weight=w)
            Z = scaler.transform(X[test])
            if proba:
                p = model.predict_proba(Z)
                loss += log_loss(y[test], p, normalize=False, labels=model.classes_)
            else:
                loss += ((model.predict(Z) - y[test]) ** 2).sum()
        losses.append(loss)
    return losses


@pytest.mark.slow
@pytest.mark.parametrize("proba", [False, True])
def test_the_chosen_weight_is_that_of_a_loop_over_the_same_folds(proba):
    y = CLASSES if proba else NUMBERS
    weights, n_folds = (0.0, 0.02, 0.2, 1.0), 4
    estimator = LogisticRegression() if proba else Ridge()

    model = fitted(
        WeightedMerge(weights=weights, cv=n_folds), estimator, y, random_state=5
    )

    # The same draws: the folds of each source, and a seed for every unit made. The
    # losses of least squares need none.
    rng, largest = np.random.RandomState(5), np.iinfo(np.int32).max
    for name in "ab":
        rows = name == SOURCE
        _, sources = resolve_sources(X[rows], SOURCE[rows])
        cells = cross_cells(sources, target_strata(sources, y[rows]))
        folds = deal_folds(cells, n_folds, rng)
        losses = brute_force(name, y, weights, n_folds, folds, proba)
        rng.randint(largest, size=1 + proba * n_folds * len(weights))
        assert model.weight_by_source_[name] == weights[int(np.argmin(losses))]


def same_and_opposite(sign, n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + 400, 4))
    y = X @ np.ones(4) + rng.normal(size=n + 400)
    y[n:] = sign * (X[n:] @ np.ones(4)) + rng.normal(size=400)
    return X, y, np.repeat(["small", "large"], [n, 400])


@pytest.mark.parametrize(("sign", "weight"), [(1, 1.0), (-1, 0.0)])
def test_rows_of_the_same_rule_weigh_one_and_of_the_opposite_nothing(sign, weight):
    X, y, source = same_and_opposite(sign)
    member = WeightedMerge(weights=(0.0, 1.0))

    numbers = fitted(member, Ridge(), y, X, source, random_state=0)
    classes = fitted(member, LogisticRegression(), y > 0, X, source, random_state=0)

    assert numbers.weight_by_source_["small"] == weight
    assert classes.weight_by_source_["small"] == weight


def test_a_metric_that_is_the_loss_chooses_the_same_weight():
    X, y, source = same_and_opposite(1)
    settings = {"X": X, "source": source, "random_state": 0}
    pinball = make_scorer(mean_pinball_loss, alpha=0.8, greater_is_better=False)

    for estimator, target, scoring in (
        (Ridge(), y, "neg_mean_squared_error"),
        (QuantileRegressor(quantile=0.8, alpha=0), y, pinball),
        (LogisticRegression(), y > 0, "neg_log_loss"),
    ):
        own, asked = (
            fitted(WeightedMerge(scoring=s), estimator, target, **settings)
            for s in (None, scoring)
        )
        assert own.weight_by_source_ == asked.weight_by_source_


def test_the_metric_that_was_asked_for_chooses_the_weight():
    X, y, source = same_and_opposite(1)
    wrong = make_scorer(mean_squared_error, greater_is_better=True)
    member = WeightedMerge(weights=(0.0, 1.0), scoring=wrong)

    model = fitted(member, Ridge(), y, X, source, random_state=0)

    assert model.weight_by_source_["small"] == 0.0
    member = WeightedMerge(scoring=lambda model, X, y: np.nan)
    with pytest.raises(SourceError, match="gives nan on an inner fold"):
        fitted(member, Ridge(), y, X, source)
    with pytest.raises(ValueError, match="'scoring' parameter"):
        fitted(WeightedMerge(scoring="acuracy"), Ridge(), y, X, source)


def test_without_probabilities_wrong_classes_choose_the_weight():
    X, y, source = same_and_opposite(-1)
    member = WeightedMerge(weights=(1.0, 0.0))

    model = fitted(member, LinearSVC(), y > 0, X, source, random_state=0)

    assert model.weight_by_source_["small"] == 0.0
    assert not hasattr(model, "predict_proba")


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"weights": (-1.0,)}, "numbers of at least 0"),
        ({"weights": ()}, "numbers of at least 0"),
        ({"weights": (0.0, np.nan)}, "numbers of at least 0"),
        ({"weights": (np.inf,)}, "numbers of at least 0"),
        ({"weights": "ab"}, "numbers of at least 0, got 'ab'"),
        ({"weights": 0.5}, "numbers of at least 0"),
        ({"cv": 1}, "cv of WeightedMerge must be an integer of at least 2, got 1"),
        ({"cv": "5"}, "got '5'"),
        ({"cv": True}, "got True"),
    ],
)
def test_weights_and_folds_that_make_no_sense_are_refused(settings, match):
    with pytest.raises(SourceError, match=match):
        fitted(WeightedMerge(**settings), Ridge(), NUMBERS)


@pytest.mark.parametrize("member", [WeightedMerge(), SimilarityWeighted()])
@pytest.mark.parametrize("estimator", [KNeighborsRegressor(), KNeighborsClassifier()])
def test_what_cannot_be_weighted_is_refused(member, estimator):
    with pytest.raises(SourceError, match=r"Neighbors\w+\.fit takes no sample_weight"):
        fitted(member, estimator, NUMBERS > 0)


# The others by likeness


class Spy(LinearRegression):
    """Remember the weights."""

    def fit(self, X, y, sample_weight=None):
        self.weights_ = sample_weight
        return super().fit(X, y, sample_weight=sample_weight)


def test_rows_weigh_the_cross_fitted_ratio_of_densities():
    model = fitted(SimilarityWeighted(cv=3, clip=4.0), Spy(), NUMBERS, random_state=2)

    rng, largest = np.random.RandomState(2), np.iinfo(np.int32).max
    for name, n_own in ("a", 50), ("b", 40):
        mine = (name == SOURCE) * 1
        folds = deal_folds(mine, 3, rng)
        split = [(folds != fold, folds == fold) for fold in range(3)]
        split = [tuple(map(np.flatnonzero, pair)) for pair in split]
        teller = scaled(LogisticRegression(max_iter=1000))
        p = cross_val_predict(teller, X, mine, cv=split, method="predict_proba")[:, 1]
        ratios = np.clip((p / (1 - p))[mine == 0] * (90 - n_own) / n_own, 0, 4)
        rng.randint(largest, size=4)
        weights = model.models_[name].estimator_.weights_
        np.testing.assert_allclose(weights, [*np.ones(n_own), *ratios], rtol=1e-6)


@pytest.mark.slow
@settings(max_examples=10)
@given(seed=st.integers(0, 999), clip=st.sampled_from([0.5, 1.0, 3.0, 10.0]))
def test_ratios_are_one_on_average_and_never_above_the_clip(seed, clip):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(600, 2))
    source = rng.permutation(np.repeat(["a", "b"], [200, 400]))
    member = SimilarityWeighted(clip=clip)

    model = fitted(member, Spy(), X[:, 0], X, source, random_state=seed)

    foreign = model.models_["a"].estimator_.weights_[200:]
    assert foreign.max() <= clip
    assert clip <= 1 or foreign.mean() == pytest.approx(1, abs=0.15)


def test_a_shift_of_the_features_is_repaired():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 1, 100), rng.normal(2, 1, 1000)])
    X, y, source = x[:, None], x**2, np.repeat(["near", "far"], [100, 1000])
    near = source == "near"

    def error(member):
        model = fitted(member, LinearRegression(), y, X, source, random_state=0)
        return np.mean(
            (model.predict(X[near], sample_source=source[near]) - y[near]) ** 2
        )

    assert error(SimilarityWeighted()) < error(Merged()) / 4


def test_a_single_row_of_ones_own_leaves_the_others_at_weight_one():
    source = np.repeat(["a", "b"], [89, 1])

    model = fitted(SimilarityWeighted(), Spy(), NUMBERS, X, source, random_state=0)

    for own in model.models_.values():
        np.testing.assert_allclose(own.estimator_.weights_, np.ones(90))


def test_missing_values_do_not_hinder_telling_sources_apart():
    holes = np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X)
    model = make_pipeline(SimpleImputer(), Ridge())

    predicted = fitted(SimilarityWeighted(), model, NUMBERS, holes).predict(
        X, sample_source=SOURCE
    )

    assert np.isfinite(predicted).all()


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"classifier": Ridge()}, "needs a classifier to tell the sources apart"),
        ({"classifier": LinearSVC()}, "predict_proba, got LinearSVC.*Calibrated"),
        ({"clip": 0}, "clip must be a number above 0, got 0"),
        ({"cv": 1}, "cv of SimilarityWeighted must be an integer"),
    ],
)
def test_settings_of_similarity_that_make_no_sense_are_refused(settings, match):
    with pytest.raises(SourceError, match=match):
        fitted(SimilarityWeighted(**settings), Ridge(), NUMBERS)


# The others' opinion


def by_hand_stacked(y, name, donor, model):
    own, others = name == SOURCE, name != SOURCE
    donor = scaled(donor).fit(X[others], y[others])
    if y is CLASSES:
        logs = np.log(np.clip(donor.predict_proba(X), 1e-6, 1))
        opinion = logs[:, [1]] - logs[:, [0]]
    else:
        opinion = donor.predict(X)[:, None]
    wider = np.hstack([X, opinion])
    return wider[own], scaled(model).fit(wider[own], y[own])


CONTAINERS = {
    "array": X,
    "pandas": FRAME[list("uvw")],
    "numbered": pd.DataFrame(X),
    "polars": pl.DataFrame(X, schema=list("uvw")),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_stacking_is_two_fits_by_hand(kind):
    table = CONTAINERS[kind]
    numbers = fitted(StackedPrediction(), Ridge(), NUMBERS, table)
    classes = fitted(StackedPrediction(), LogisticRegression(), CLASSES, table)

    for name in "ab":
        rows = name == SOURCE
        wider, model = by_hand_stacked(NUMBERS, name, Ridge(), Ridge())
        ours = numbers.predict(table, sample_source=SOURCE)[rows]
        np.testing.assert_allclose(ours, model.predict(wider), rtol=1e-9)
        wider, model = by_hand_stacked(
            CLASSES, name, LogisticRegression(), LogisticRegression()
        )
        ours = classes.predict_proba(table, sample_source=SOURCE)[rows]
        np.testing.assert_allclose(ours, model.predict_proba(wider), rtol=1e-6)


def test_stacking_takes_sparse_tables():
    dense = fitted(StackedPrediction(), Ridge(), NUMBERS, scaler=None)

    for kind in sparse.csr_matrix, sparse.csr_array, sparse.csc_array:
        model = fitted(StackedPrediction(), Ridge(), NUMBERS, kind(X), scaler=None)
        np.testing.assert_allclose(
            model.predict(kind(X), sample_source=SOURCE),
            dense.predict(X, sample_source=SOURCE),
            rtol=1e-3,
        )


def test_stacking_hands_the_opinion_past_a_scaler_of_named_columns():
    scaler = make_column_transformer(
        (StandardScaler(), ["u", "v", "w"]), (OneHotEncoder(), ["color"])
    )
    table = FRAME[list("uvw")].assign(color=np.where(X[:, 0] > 0, "red", "blue"))

    model = fitted(StackedPrediction(), Ridge(), NUMBERS, table, scaler=scaler)

    assert np.isfinite(model.predict(table, sample_source=SOURCE)).all()
    width = model.models_["a"].estimator_.n_features_in_
    assert width == 3 + 2 + 1  # the opinion is among them
    assert not hasattr(scaler, "transformers_")


def test_stacking_goes_over_classes_that_are_not_shared():
    """The lab's words tell the clinic's numbers."""
    y = np.where(IN_A, np.where(X[:, 0] > 0, "high", "low"), CLASSES)

    model = fitted(StackedPrediction(), LogisticRegression(), y)

    proba = model.predict_proba(X, sample_source=SOURCE)
    own = model.classes_by_source_
    assert model.classes_.tolist() == ["high", "ill", "low", "well"]
    foreign = ~np.isin(model.classes_, own["a"])
    assert (proba[np.ix_(IN_A, foreign)] == 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert model.score(X, y, sample_source=SOURCE) > 0.8


def test_stacking_needs_columns():
    texts = np.array(["good day", "bad day"] * 45, dtype=object)
    model = make_pipeline(TfidfVectorizer(), Ridge())

    with pytest.raises(SourceError, match="needs a table, got ndarray of shape"):
        fitted(StackedPrediction(), model, NUMBERS, texts, scaler=None)


# What holds for all


@pytest.mark.slow
@each
def test_both_doors_give_the_same_model(member):
    by_column = around(member, Ridge(), source="ward", random_state=0)
    by_column.fit(FRAME, NUMBERS)

    by_keyword = fitted(member, Ridge(), NUMBERS, FRAME[list("uvw")], random_state=0)

    ours = by_column.predict(FRAME)
    theirs = by_keyword.predict(FRAME[list("uvw")], sample_source=SOURCE)
    np.testing.assert_allclose(ours, theirs)
    assert by_column.score(FRAME, NUMBERS) == pytest.approx(
        by_keyword.score(FRAME[list("uvw")], NUMBERS, sample_source=SOURCE)
    )


@each
def test_three_sources_and_any_labels_are_served(member):
    source = np.tile([1, 2, 3], 30)
    if isinstance(member, OnlySource):
        member = OnlySource(name=1)

    model = fitted(member, LogisticRegression(), CLASSES, X, source)

    assert model.sources_ == (1, 2, 3)
    assert model.predict_proba(X, sample_source=source).shape == (90, 2)


@each
def test_a_source_of_one_row_can_be_fitted(member):
    source = np.repeat(["a", "b"], [89, 1])

    predicted = fitted(member, Ridge(), NUMBERS, X, source).predict(
        X, sample_source=source
    )

    assert np.isfinite(predicted).all()


@each
def test_numbers_of_one_source_stand_beside_texts_of_another(member):
    y = np.where(IN_A, (NUMBERS > 0) * 1, CLASSES.astype(object))

    model = fitted(member, LogisticRegression(), y, random_state=0)
    predicted = model.predict(X, sample_source=SOURCE)

    assert set(map(type, predicted.tolist())) <= {int, str}
    assert model.score(X, y, sample_source=SOURCE) == np.mean(
        [p == t for p, t in zip(predicted, y)]
    )
    assert model.predict_proba(X, sample_source=SOURCE).shape == (90, 4)


@pytest.mark.slow
@each
def test_members_can_be_cloned_kept_and_printed(member):
    model = fitted(member, LogisticRegression(), CLASSES, random_state=0)

    again = pickle.loads(pickle.dumps(model))
    twin = clone(model).fit(X, CLASSES, sample_source=SOURCE)

    for other in again, twin:
        ours, theirs = (
            m.predict_proba(X, sample_source=SOURCE) for m in (model, other)
        )
        np.testing.assert_array_equal(ours, theirs)
    assert repr(clone(member)) == repr(member)
    assert member_name(member)
    assert type(member).__name__ in repr(model)


@pytest.mark.slow
@each_by_source
def test_chance_is_seeded_and_the_global_seed_left_alone(member):
    state = np.random.get_state()[1].copy()  # noqa: NPY002

    one, two, other = (
        fitted(member, RandomForestClassifier(3), CLASSES, random_state=seed)
        for seed in (0, 0, 1)
    )

    proba = [
        model.predict_proba(X, sample_source=SOURCE) for model in (one, two, other)
    ]
    np.testing.assert_array_equal(proba[0], proba[1])
    assert (proba[0] != proba[2]).any()
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.slow
@each
def test_inputs_are_left_as_they_were(member):
    table, y, estimator = FRAME.copy(), NUMBERS.copy(), Ridge()
    scaler = make_column_transformer((StandardScaler(), list("uvw")))

    model = around(member, estimator, source="ward", scaler=scaler)
    model.fit(table, y).predict(table)

    pd.testing.assert_frame_equal(table, FRAME)
    np.testing.assert_array_equal(y, NUMBERS)
    assert not hasattr(estimator, "coef_")
    assert not hasattr(scaler, "transformers_")


TEXTS = [f"{'good' if label == 'ill' else 'bad'} day" for label in CLASSES]
READER = make_pipeline(TfidfVectorizer(), LogisticRegression())


@pytest.mark.slow
@pytest.mark.parametrize(
    "member",
    [
        OwnModels(),
        OnlySource(name="a"),
        Merged(balance="sources"),
        WeightedMerge(cv=2),
        SimilarityWeighted(classifier=READER),
    ],
    ids=member_name,
)
@pytest.mark.parametrize("routing", [False, True])
def test_a_list_of_texts_goes_through(member, routing):
    with config_context(enable_metadata_routing=routing):
        model = fitted(member, READER, CLASSES, TEXTS, scaler=None)

        assert model.score(TEXTS, CLASSES, sample_source=SOURCE) == 1


def test_similarity_of_texts_needs_a_classifier_that_reads():
    with pytest.raises(SourceError, match="a pipeline that begins with a vectorizer"):
        fitted(SimilarityWeighted(), READER, CLASSES, TEXTS, scaler=None)


# Rows of sources that fit did not meet


def test_unknown_rows_follow_the_one_rule():
    rows, stranger = X[:3], ["z", "a", "z"]
    own = fitted(OwnModels(), LogisticRegression(), CLASSES)
    a, b = (own.predict_proba(rows, sample_source=[name] * 3) for name in "ab")

    def settled(**rule):
        model = fitted(OwnModels(), LogisticRegression(), CLASSES, **rule)
        return model.predict_proba(rows, sample_source=stranger)

    with pytest.raises(SourceError, match=r"2 rows of 3 have no .*first 'z' at row 0"):
        settled()
    primary = settled(unknown_source="primary", primary_source="b")
    np.testing.assert_allclose(primary, [b[0], a[1], b[2]])
    pooled = settled(unknown_source="pooled")
    np.testing.assert_allclose(pooled, [(a + b)[0] / 2, a[1], (a + b)[2] / 2])


def test_pooled_numbers_are_the_mean_and_pooled_classes_the_likeliest():
    numbers = fitted(OwnModels(), Ridge(), NUMBERS, unknown_source="pooled")
    both = [numbers.predict(X, sample_source=[name] * 90) for name in "ab"]
    np.testing.assert_allclose(numbers.predict(X), np.mean(both, axis=0))

    classes = fitted(
        OwnModels(), LogisticRegression(), CLASSES, unknown_source="pooled"
    )
    likeliest = classes.classes_[classes.predict_proba(X).argmax(axis=1)]
    np.testing.assert_array_equal(classes.predict(X), likeliest)


def test_pooling_without_probabilities_says_what_to_do():
    model = fitted(OwnModels(), LinearSVC(), CLASSES, unknown_source="pooled")

    with pytest.raises(SourceError, match="Use unknown_source='primary'"):
        model.predict(X)


def test_labels_are_needed_only_where_models_differ():
    with pytest.raises(SourceError, match="Each source has a model of its own"):
        fitted(OwnModels(), Ridge(), NUMBERS).predict(X)
    single = fitted(OwnModels(), Ridge(), NUMBERS, source=["a"] * 90)
    np.testing.assert_array_equal(
        single.predict(X), single.predict(X, sample_source=["z"] * 90)
    )


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"unknown_source": "none"}, "unknown_source must be one of"),
        ({"unknown_source": "primary"}, "needs primary_source"),
        ({"primary_source": "A"}, r"primary_source='A' is not a source"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, match):
    model = OwnModels(Ridge(), **settings)

    with pytest.raises(SourceError, match=match):
        model.fit(X, NUMBERS, sample_source=SOURCE)
    assert not vars(model).keys() & {"models_", "sources_", "n_features_in_"}


@pytest.mark.parametrize(
    ("name", "match"),
    [("aa", "name names 'aa', which is not a source.*mean 'a'"), (None, "needs name")],
)
def test_only_one_source_needs_the_name_of_a_source(name, match):
    model = OnlySource(Ridge(), name=name)

    with pytest.raises(SourceError, match=match):
        model.fit(X, NUMBERS, sample_source=SOURCE)
    assert not vars(model).keys() & {"models_", "sources_", "n_features_in_"}


def test_an_error_of_one_sources_model_names_the_source():
    few = np.where(IN_A, CLASSES, np.where(np.arange(90) < 87, "ill", "well"))

    with pytest.raises(SourceError, match=r"model of 'b' \(40 rows of its own\)"):
        fitted(OwnModels(), CalibratedClassifierCV(cv=5), few)


def test_a_source_of_one_class_can_learn_from_the_others():
    one_class = np.where(IN_A, CLASSES, "ill")

    for member in Merged(), SimilarityWeighted(), OnlySource(name="a"):
        model = fitted(member, LogisticRegression(), one_class)
        assert model.predict_proba(X, sample_source=SOURCE).shape == (90, 2)


@pytest.mark.parametrize("kind", [OwnModels, WeightedMerge])
def test_what_is_no_model_is_refused(kind):
    with pytest.raises(SourceError, match="needs a classifier, a regressor or a sk"):
        kind(StandardScaler()).fit(X, NUMBERS, sample_source=SOURCE)
    piped = make_pipeline(StandardScaler(), SimpleImputer())
    with pytest.raises(SourceError, match="got a pipeline that ends in SimpleImputer"):
        kind(piped).fit(X, NUMBERS, sample_source=SOURCE)


def test_several_outputs_of_classes_are_refused():
    two = np.column_stack([CLASSES, CLASSES])

    with pytest.raises(SourceError, match="one class for each row, got y of shape"):
        fitted(OwnModels(), RandomForestClassifier(2), two)


def test_nested_parameters_reach_the_estimator_and_the_scaler():
    model = WeightedMerge(Ridge())

    model.set_params(estimator__alpha=9.0, cv=2)

    assert model.estimator.alpha == 9
    assert model.cv == 2
    with pytest.raises(SourceError, match=r"scaler=StandardScaler\(\)"):
        model.set_params(scaler__with_mean=False)
    model.set_params(scaler=StandardScaler(), scaler__with_mean=False)
    assert model.scaler.with_mean is False
    with pytest.raises(SourceError, match=r"estimator=LogisticRegression\(\)"):
        OwnModels().set_params(estimator__alpha=3)


def test_r2_of_own_models_is_the_mean_over_sources():
    y = NUMBERS + 1000 * IN_A
    model = fitted(OwnModels(), Ridge(), y)

    by_source = [
        model.score(X[r], y[r], sample_source=SOURCE[r]) for r in (IN_A, ~IN_A)
    ]

    assert model.score(X, y, sample_source=SOURCE) == pytest.approx(np.mean(by_source))
    assert model.score(X, y, sample_source=SOURCE) < 0.95


def test_models_of_sources_leave_out_a_source_in_cross_validation():
    from sktandem.model_selection import LeaveOneSourceOut

    model = OwnModels(Ridge(), source="ward", unknown_source="pooled")
    predicted = cross_val_predict(
        model, FRAME, NUMBERS, cv=LeaveOneSourceOut(source="ward")
    )

    other = scaled(Ridge()).fit(X[IN_A], NUMBERS[IN_A]).predict(X[~IN_A])
    np.testing.assert_allclose(predicted[~IN_A], other)


def test_models_of_sources_stand_in_scikit_learns_cross_validation():
    model = OwnModels(LogisticRegression(), source="ward")

    proba = cross_val_predict(
        model, FRAME, CLASSES, cv=SourceKFold(3, source="ward"), method="predict_proba"
    )

    np.testing.assert_allclose(proba.sum(axis=1), 1)


@pytest.mark.filterwarnings("error::sktandem.SourceWarning")
def test_nothing_warns_of_what_was_wanted():
    assert issubclass(SourceWarning, UserWarning)
    for member in EVERY:
        fitted(member, Ridge(), NUMBERS)


@pytest.mark.parametrize("estimator", [LogisticRegression(), LinearSVC()])
@pytest.mark.parametrize("member", [OwnModels(), StackedPrediction(), WeightedMerge()])
def test_the_own_model_of_a_single_class_answers_it(member, estimator):
    y = np.where(IN_A, CLASSES, "well")
    model = around(member, estimator).fit(X, y, sample_source=SOURCE)

    assert set(model.predict(X, sample_source=SOURCE)[~IN_A]) == {"well"}
    if hasattr(estimator, "predict_proba") and isinstance(member, OwnModels):
        proba = model.predict_proba(X, sample_source=SOURCE)
        assert_close(proba[~IN_A], np.tile([0.0, 1.0], (40, 1)))


@each_by_source
def test_no_rows_to_predict_for_are_refused(member):
    model = around(member, Ridge()).fit(X, NUMBERS, sample_source=SOURCE)

    with pytest.raises(SourceError, match="X has no rows to predict for, 0 samples"):
        model.predict(X[:0], sample_source=SOURCE[:0])
