"""Any estimator, fitted on all sources."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import (
    GammaRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import get_tags

from sktandem import (
    Merged,
    stack_sources,
    table_preprocessor,
)
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.model_selection import score_by_source

SEEDS = st.integers(0, 9999)


def pair(seed, n_a=30, n_b=12, k=3):
    """Return two regression datasets whose rules differ a little."""
    rng = np.random.default_rng(seed)
    X_a, X_b = rng.normal(size=(n_a, k)), rng.normal(size=(n_b, k))
    y_a = X_a @ np.ones(k) + rng.normal(size=n_a)
    y_b = X_b @ np.arange(k) + rng.normal(size=n_b)
    return {"a": (X_a, y_a), "b": (X_b, y_b)}


def fit_coef(datasets, **options):
    X, y, source = stack_sources(datasets)
    model = Merged(LinearRegression(), scaler=None, **options)
    return model.fit(X, y, sample_source=source).estimator_.coef_


@given(seed=SEEDS, copies=st.integers(1, 20))
def test_repeating_one_source_does_not_move_an_equal_merge(seed, copies):
    """Ten copies of a source's samples carry no more news than one."""
    datasets = pair(seed)
    X_b, y_b = datasets["b"]
    repeated = np.tile(X_b, (copies, 1)), np.tile(y_b, copies)

    once = fit_coef(datasets, balance="sources")
    often = fit_coef({**datasets, "b": repeated}, balance="sources")

    np.testing.assert_allclose(often, once, rtol=1e-6, atol=1e-8)


@given(seed=SEEDS)
def test_the_order_of_rows_and_of_sources_does_not_matter(seed):
    datasets = pair(seed)
    order = np.random.default_rng(seed).permutation(30)
    X_a, y_a = datasets["a"]
    other = {"b": datasets["b"], "a": (X_a[order], y_a[order])}

    for balance in (None, "sources", {"a": 1, "b": 3}):
        one, two = fit_coef(datasets, balance=balance), fit_coef(other, balance=balance)
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-8)


@given(seed=SEEDS)
def test_a_share_of_zero_is_as_if_the_source_were_not_there(seed):
    datasets = pair(seed)

    alone = fit_coef({"a": datasets["a"]})

    np.testing.assert_allclose(
        fit_coef(datasets, balance={"a": 1, "b": 0}), alone, 1e-6
    )


@pytest.mark.parametrize("test_size", [0.25])
def test_the_job_of_the_tutorials_gives_the_same_r2_as_by_hand(test_size):
    rng = np.random.default_rng(0)
    datasets = {
        name: (X := rng.normal(size=(n, 5)), X @ rng.normal(size=(5, 1)) + 0.1)
        for name, n in (("first", 100), ("second", 150))
    }
    X_hand = np.concatenate([X for X, _ in datasets.values()])
    y_hand = np.concatenate([y for _, y in datasets.values()])

    # by hand, the scaler fitted on the training rows
    X_train, X_test, y_train, y_test = train_test_split(
        X_hand, y_hand, test_size=test_size, random_state=0
    )
    scaler = StandardScaler().fit(X_train)
    by_hand = LinearRegression().fit(scaler.transform(X_train), y_train)
    r2_by_hand = r2_score(y_test, by_hand.predict(scaler.transform(X_test)))

    X, y, source = stack_sources(datasets)
    X_train, X_test, y_train, y_test, s_train, s_test = train_test_split(
        X, y, source, test_size=test_size, random_state=0
    )
    model = Merged(LinearRegression())
    model.fit(X_train, y_train, sample_source=s_train)

    assert y.shape == (250, 1)
    assert model.predict(X_test).shape == y_test.shape
    assert abs(model.score(X_test, y_test, sample_source=s_test) - r2_by_hand) < 1e-10


def test_a_pooled_scaler_is_scikit_learns_pipeline():
    X, y, source = stack_sources(pair(0))

    ours = Merged(Ridge()).fit(X, y, sample_source=source)
    theirs = make_pipeline(StandardScaler(), Ridge()).fit(X, y)

    np.testing.assert_allclose(ours.predict(X), theirs.predict(X))


def test_scaling_by_source_undoes_a_difference_of_units():
    rng = np.random.default_rng(0)
    celsius = rng.normal(15, 8, size=(50, 1))
    rule = 3 * celsius[:, 0]
    datasets = {"C": (celsius, rule), "F": (1.8 * celsius + 32, rule)}
    X, y, source = stack_sources(datasets)

    def fitted(scale_by):
        model = Merged(LinearRegression(), scale_by=scale_by)
        return model.fit(X, y, sample_source=source).score(X, y, sample_source=source)

    assert fitted("pooled") < 0.9
    assert fitted("source") == pytest.approx(1)


def test_targets_of_another_scale_are_given_back_in_their_own_units():
    """A large and a small city whose bicycles follow the same rule."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    rule = X @ [1.0, 2.0]
    large, small = (X[:100], 4000 + 1000 * rule[:100]), (X[100:], 40 + 10 * rule[100:])
    X, y, source = stack_sources({"large": large, "small": small})
    naive = Merged(LinearRegression()).fit(X, y, sample_source=source)
    model = clone(naive).set_params(scale_target_by="source")
    model.fit(X, y, sample_source=source)

    predicted = model.predict(X, sample_source=source)

    by_naive = [
        r2_score(y[source == s], naive.predict(X)[source == s]) for s in ("small",)
    ]
    assert by_naive[0] < 0
    for name in ("large", "small"):
        assert r2_score(y[source == name], predicted[source == name]) > 0.95
    macro = np.mean(
        [r2_score(y[source == s], predicted[source == s]) for s in set(source)]
    )
    assert model.score(X, y, sample_source=source) == pytest.approx(macro)


def test_the_score_of_scaled_targets_is_honest():
    """A model that knows only each source's mean scores nothing."""
    rng = np.random.default_rng(0)
    X, noise = np.zeros((100, 1)), rng.normal(size=100)
    source = np.repeat(["a", "b"], 50)
    y = noise + 1000 * (source == "b")
    model = Merged(Ridge(), scale_target_by="source").fit(X, y, sample_source=source)

    assert r2_score(y, model.predict(X, sample_source=source)) > 0.99
    assert abs(model.score(X, y, sample_source=source)) < 1e-6
    weights = np.ones(100)
    weighted = model.score(X, y, sample_source=source, sample_weight=weights)
    assert weighted == pytest.approx(model.score(X, y, sample_source=source))


def test_several_outputs_are_scaled_each_by_its_own():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    Y = np.column_stack([X[:, 0] * 10 + 100, X[:, 1]])
    source = np.repeat(["a", "b"], 20)
    Y[20:] = Y[:20] * 5 + 9
    X[20:] = X[:20]
    model = Merged(LinearRegression(), scale_target_by="source")

    predicted = model.fit(X, Y, sample_source=source).predict(X, sample_source=source)

    assert predicted.shape == Y.shape
    assert r2_score(Y, predicted) == pytest.approx(1)


BLOBS = np.random.default_rng(0).normal(size=(60, 2))
SOURCE = np.repeat(["a", "b"], [40, 20])
CLASSES = np.where(BLOBS[:, 0] > 0, "ill", "well")
BLOBS[CLASSES == "ill"] += 1


LEARNER = LogisticRegression()
STEPS = make_pipeline(StandardScaler(), LEARNER)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize(
    ("inner", "key"),
    [
        (LEARNER, "sample_weight"),
        (STEPS, "logisticregression__sample_weight"),
        (
            make_pipeline(StandardScaler(), STEPS),
            "pipeline__logisticregression__sample_weight",
        ),
        (GridSearchCV(LEARNER, {"C": [0.1, 1.0]}, cv=2), "sample_weight"),
        (
            GridSearchCV(STEPS, {"logisticregression__C": [0.1, 1.0]}, cv=2),
            "logisticregression__sample_weight",
        ),
    ],
    ids=["bare", "pipeline", "nested", "search", "search of a pipeline"],
)
def test_weights_reach_the_last_step_in_both_routing_modes(inner, key, routing):
    weights = np.where(SOURCE == "a", 60 / 2 / 40, 60 / 2 / 20)
    by_hand = clone(inner).fit(BLOBS, CLASSES, **{key: weights})
    unweighted = clone(inner).fit(BLOBS, CLASSES)

    with config_context(enable_metadata_routing=routing):
        model = Merged(inner, scaler=None, balance="sources")
        model.fit(BLOBS, CLASSES, sample_source=SOURCE)

    proba = model.predict_proba(BLOBS)
    np.testing.assert_allclose(proba, by_hand.predict_proba(BLOBS))
    assert np.abs(proba - unweighted.predict_proba(BLOBS)).max() > 1e-4


def test_balance_multiplies_the_users_weights():
    weight = np.linspace(1, 2, 60)

    ours = Merged(
        LogisticRegression(max_iter=1000), scaler=None, balance="sources"
    ).fit(BLOBS, CLASSES, sample_source=SOURCE, sample_weight=weight)
    expected = weight.copy()
    for name in "ab":
        expected[name == SOURCE] *= weight.sum() / 2 / weight[name == SOURCE].sum()
    by_hand = LogisticRegression(max_iter=1000).fit(
        BLOBS, CLASSES, sample_weight=expected
    )

    np.testing.assert_allclose(ours.estimator_.coef_, by_hand.coef_)
    np.testing.assert_allclose(ours.plan_.weights, expected)


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (KNeighborsClassifier(), "KNeighborsClassifier"),
        (
            make_pipeline(StandardScaler(), KNeighborsClassifier()),
            "KNeighborsClassifier",
        ),
    ],
)
def test_an_estimator_without_weights_is_told_the_cure(estimator, name):
    model = Merged(estimator, balance="sources")

    with pytest.raises(SourceError, match=f"{name}.fit takes no sample_weight, so its"):
        model.fit(BLOBS, CLASSES, sample_source=SOURCE)

    assert not any(attribute.endswith("_") for attribute in vars(model))
    Merged(estimator).fit(BLOBS, CLASSES, sample_source=SOURCE)


def test_abilities_of_the_estimator_shine_through():
    svc = Merged(LinearSVC())
    bayes = Merged(GaussianNB())

    assert hasattr(svc, "decision_function")
    assert not hasattr(svc, "predict_proba")
    assert not hasattr(bayes, "decision_function")
    assert hasattr(bayes, "predict_proba")
    assert is_classifier(svc)
    assert is_regressor(Merged(Ridge()))
    svc.fit(BLOBS, CLASSES)
    assert svc.decision_function(BLOBS).shape == (60,)
    np.testing.assert_allclose(
        Merged(LogisticRegression(max_iter=1000))
        .fit(BLOBS, CLASSES)
        .predict_log_proba(BLOBS),
        np.log(
            Merged(LogisticRegression(max_iter=1000))
            .fit(BLOBS, CLASSES)
            .predict_proba(BLOBS)
        ),
    )


def test_tags_are_those_of_the_estimator():
    boosted = Merged(HistGradientBoostingClassifier())

    assert get_tags(boosted).input_tags.allow_nan
    assert not get_tags(boosted).input_tags.sparse
    assert get_tags(Merged(LogisticRegression(max_iter=1000))).input_tags.sparse
    assert not get_tags(Merged(LogisticRegression(max_iter=1000))).input_tags.allow_nan
    assert get_tags(Merged(Ridge())).target_tags.multi_output


def test_missing_values_pass_to_an_estimator_that_takes_them():
    X = BLOBS.copy()
    X[::7, 1] = np.nan
    X[SOURCE == "b", 0] = np.nan
    model = Merged(HistGradientBoostingClassifier(), scale_by="source")

    model.fit(X, CLASSES, sample_source=SOURCE)

    assert model.score(X, CLASSES, sample_source=SOURCE) > 0.8


def test_a_frame_stays_a_frame_up_to_the_estimator():
    X = pd.DataFrame(BLOBS, columns=["u", "v"]).assign(
        hospital=SOURCE, sex=np.tile(["f", "m"], 30)
    )
    inner = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["sex"]), remainder="passthrough"),
        LogisticRegression(),
    )
    model = Merged(inner, source="hospital").fit(X, CLASSES)

    assert model.feature_names_in_.tolist() == ["u", "v", "hospital", "sex"]
    assert model.n_features_in_ == 4
    assert model.estimator_.feature_names_in_.tolist() == ["u", "v", "sex"]
    assert model.n_samples_by_source_ == {"a": 40, "b": 20}
    assert model.sources_ == ("a", "b")


def test_a_preprocessor_serves_as_scaler():
    X = pd.DataFrame(BLOBS, columns=["u", "v"]).assign(sex=np.tile(["f", None], 30))
    X.loc[3, "u"] = np.nan
    model = Merged(
        LogisticRegression(max_iter=1000),
        scaler=table_preprocessor(),
        unknown_source="pooled",
    )

    model.fit(X, CLASSES, sample_source=SOURCE)
    by_source = clone(model).set_params(scale_by="source")
    by_source.fit(X, CLASSES, sample_source=SOURCE)

    assert model.score(X, CLASSES) > 0.7
    assert by_source.score(X, CLASSES, sample_source=SOURCE) > 0.7
    assert by_source.score(X, CLASSES) > 0.6


@pytest.mark.parametrize(
    "container", [sparse.csr_matrix, sparse.csc_matrix, sparse.coo_array]
)
def test_sparse_features_stay_sparse(container):
    X = container(BLOBS)
    coded = container(np.column_stack([BLOBS, SOURCE == "b"]))

    by_keyword = Merged(LogisticRegression(max_iter=1000), scale_by="source").fit(
        X, CLASSES, sample_source=SOURCE
    )
    by_column = Merged(
        LogisticRegression(max_iter=1000), scale_by="source", source=-1
    ).fit(coded, CLASSES)

    np.testing.assert_allclose(by_keyword.estimator_.coef_, by_column.estimator_.coef_)
    np.testing.assert_array_equal(
        by_keyword.predict(X, sample_source=SOURCE), by_column.predict(coded)
    )


def test_texts_go_to_a_vectorizer_inside():
    X = ["good wine", "bad wine", "good beer", "bad beer"] * 3
    y, source = [1, 0] * 6, ["wine", "wine", "beer", "beer"] * 3
    inner = make_pipeline(TfidfVectorizer(), LogisticRegression())

    model = Merged(inner, scaler=None, balance="sources")

    assert model.fit(X, y, sample_source=source).predict(["good"]) == [1]
    with pytest.raises(SourceError, match="needs columns, but X holds texts"):
        Merged(inner).fit(X, y, sample_source=source)


def test_tensors_are_taken_as_arrays():
    torch = pytest.importorskip("torch")
    X, y = torch.from_numpy(BLOBS), torch.from_numpy((CLASSES == "ill").astype(int))

    model = Merged(LogisticRegression(max_iter=1000)).fit(X, y, sample_source=SOURCE)

    assert model.score(X, y) > 0.6


def test_numbers_and_texts_may_be_classes_together():
    y = CLASSES.astype(object)
    y[SOURCE == "b"] = (CLASSES[SOURCE == "b"] == "ill").astype(int)
    model = Merged(LogisticRegression(max_iter=1000), balance="both").fit(
        BLOBS, y, sample_source=SOURCE
    )

    assert model.classes_.tolist() == [0, 1, "ill", "well"]
    assert model.classes_by_source_["b"].tolist() == [0, 1]
    assert set(model.predict(BLOBS)) <= {0, 1, "ill", "well"}
    assert model.predict_proba(BLOBS).shape == (60, 4)
    again = pickle.loads(pickle.dumps(model))
    expected = np.mean([a == b for a, b in zip(y, model.predict(BLOBS))])
    assert again.score(BLOBS, y) == pytest.approx(expected)


SHUFFLED = np.random.default_rng(1).normal(scale=9, size=60)


def test_a_seed_makes_a_random_estimator_repeat_itself():
    def proba(seed, **options):
        forest = RandomForestClassifier(5, **options)
        model = Merged(make_pipeline(forest), random_state=seed)
        return model.fit(BLOBS, BLOBS[:, 1] > 0.1 * SHUFFLED).predict_proba(BLOBS)

    np.testing.assert_array_equal(proba(0), proba(0))
    assert not np.array_equal(proba(0), proba(1))
    np.testing.assert_array_equal(proba(0, random_state=5), proba(1, random_state=5))


def test_a_fitted_model_survives_pickling():
    model = Merged(LogisticRegression(max_iter=1000), scale_by="source", balance="both")
    model.fit(BLOBS, CLASSES, sample_source=SOURCE)

    again = pickle.loads(pickle.dumps(model))

    np.testing.assert_array_equal(
        again.predict_proba(BLOBS, sample_source=SOURCE),
        model.predict_proba(BLOBS, sample_source=SOURCE),
    )
    assert repr(again) == repr(model)


def test_inputs_are_not_changed():
    X, y, source = BLOBS.copy(), CLASSES.copy(), SOURCE.copy()
    weight = np.ones(60)

    Merged(LogisticRegression(max_iter=1000), scale_by="source", balance="both").fit(
        X, y, sample_source=source, sample_weight=weight
    )

    np.testing.assert_array_equal(X, BLOBS)
    np.testing.assert_array_equal(y, CLASSES)
    np.testing.assert_array_equal(source, SOURCE)
    assert (weight == 1).all()


@pytest.mark.parametrize(("rule", "primary"), [("pooled", None), ("primary", "b")])
def test_an_unknown_source_follows_the_rule(rule, primary):
    model = Merged(
        LogisticRegression(max_iter=1000),
        scale_by="source",
        unknown_source=rule,
        primary_source=primary,
    ).fit(BLOBS + 3 * (SOURCE == "b")[:, None], CLASSES, sample_source=SOURCE)

    unseen = model.predict_proba(BLOBS, sample_source=["c"] * 60)

    np.testing.assert_allclose(model.predict_proba(BLOBS), unseen)
    as_b = model.predict_proba(BLOBS, sample_source=["b"] * 60)
    assert np.allclose(unseen, as_b) == (rule == "primary")


def test_a_source_of_share_zero_is_unknown_at_predict():
    model = Merged(
        LogisticRegression(max_iter=1000),
        scale_by="source",
        balance={"a": 1, "b": 1, "c": 0},
    )
    source = SOURCE.astype(object)
    source[:5] = "c"
    model.fit(BLOBS, CLASSES, sample_source=source)

    assert model.sources_ == ("a", "b")
    with pytest.raises(
        SourceError, match=r"5 rows of 60 have no source that was there in fit"
    ):
        model.predict(BLOBS, sample_source=source)


def test_where_the_source_does_not_matter_nobody_asks_for_it():
    model = Merged(LogisticRegression(max_iter=1000)).fit(
        BLOBS, CLASSES, sample_source=SOURCE
    )

    np.testing.assert_array_equal(
        model.predict(BLOBS), model.predict(BLOBS, sample_source=["new"] * 60)
    )


def test_a_forgotten_source_is_noticed_and_not_asked_for_again():
    model = Merged(Ridge(), scale_by="source", scale_target_by="source")
    message = "'all': scale_by='source', scale_target_by='source' has no effect"

    with pytest.warns(SourceWarning, match=message) as caught:
        model.fit(BLOBS, BLOBS[:, 0])

    assert caught[0].filename == __file__
    assert len(model.predict(BLOBS)) == 60
    with pytest.warns(SourceWarning, match="representation='indicator' has no effect"):
        Merged(LogisticRegression(max_iter=1000), representation="indicator").fit(
            BLOBS, CLASSES
        )


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_missing_label_is_no_class(missing):
    y = CLASSES.astype(object)
    y[3] = missing
    for labels in (y, pd.Series(y), pd.Series(y).astype("category")):
        with pytest.raises(
            SourceError, match="y leaves 1 sample without a label, the f"
        ):
            Merged(LogisticRegression(max_iter=1000)).fit(
                BLOBS, labels, sample_source=SOURCE
            )


def test_weights_in_the_place_of_sources_are_refused():
    with pytest.raises(
        SourceError, match="60 different numbers in 60 rows, so it looks"
    ):
        Merged(LogisticRegression(max_iter=1000)).fit(
            BLOBS, CLASSES, sample_source=np.random.default_rng(0).random(60)
        )


def test_no_rows_are_refused():
    with pytest.raises(SourceError, match="X has no rows to fit"):
        Merged(LogisticRegression(max_iter=1000)).fit(BLOBS[:0], CLASSES[:0])
    model = Merged(LogisticRegression(max_iter=1000), scale_by="source").fit(
        BLOBS, CLASSES, sample_source=SOURCE
    )
    with pytest.raises(SourceError, match="no rows to predict for, 0 samples"):
        model.predict(BLOBS[:0], sample_source=SOURCE[:0])


def test_parameters_of_a_default_are_told_the_object_to_pass():
    with pytest.raises(
        SourceError, match=r"estimator is None.*estimator=LogisticRegression\(\)"
    ):
        Merged().set_params(estimator__C=1)
    with pytest.raises(SourceError, match=r"scaler is 'standard'. Pass the object"):
        Merged(Ridge()).set_params(scaler__with_mean=False)
    model = Merged(LogisticRegression()).set_params(estimator__C=5)
    assert model.estimator.C == 5


def test_a_model_of_a_frame_takes_an_array_as_scikit_learn_does():
    frame = pd.DataFrame(BLOBS, columns=["u", "v"])
    model = Merged(LogisticRegression(max_iter=1000)).fit(frame, CLASSES)

    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        predicted = model.predict(BLOBS)

    np.testing.assert_array_equal(predicted, model.predict(frame))
    mixed = Merged(HistGradientBoostingClassifier(categorical_features=[1]))
    mixed.fit(frame.assign(v=pd.Categorical(np.tile(["f", "m"], 30))), CLASSES)
    with (
        pytest.warns(UserWarning, match="valid feature names"),
        pytest.raises(SourceError, match="1 numeric columns among 2, and ndarray does"),
    ):
        mixed.predict(BLOBS)


@pytest.mark.parametrize(
    "inner",
    [
        VotingClassifier([("one", LogisticRegression())]),
        CalibratedClassifierCV(LogisticRegression(), cv=2),
    ],
)
def test_weights_reach_what_wraps_several_estimators(inner):
    weights = np.where(SOURCE == "a", 60 / 2 / 40, 60 / 2 / 20)
    by_hand = clone(inner).fit(BLOBS, CLASSES, sample_weight=weights)

    model = Merged(inner, scaler=None, balance="sources")
    model.fit(BLOBS, CLASSES, sample_source=SOURCE)

    np.testing.assert_array_equal(model.predict(BLOBS), by_hand.predict(BLOBS))


def test_weights_reach_the_regressor_of_a_transformed_target():
    inner = TransformedTargetRegressor(Ridge(), transformer=StandardScaler())
    model = Merged(inner, scaler=None, balance="sources")
    y = BLOBS[:, 0] + (SOURCE == "b")
    weights = np.where(SOURCE == "a", 60 / 2 / 40, 60 / 2 / 20)

    model.fit(BLOBS, y, sample_source=SOURCE)

    by_hand = clone(inner).fit(BLOBS, y, sample_weight=weights)
    np.testing.assert_allclose(model.predict(BLOBS), by_hand.predict(BLOBS))


def test_weights_of_the_user_are_not_called_a_balance():
    with pytest.raises(
        SourceError, match=r"takes no sample_weight. Leave it out, or use"
    ):
        Merged(KNeighborsClassifier()).fit(
            BLOBS, CLASSES, sample_source=SOURCE, sample_weight=np.arange(1.0, 61)
        )


def test_an_error_of_another_cause_is_left_as_it_was():
    model = Merged(HistGradientBoostingRegressor(loss="poisson"))

    with pytest.raises(ValueError, match="requires non-negative y") as caught:
        model.fit(HOLED, BLOBS[:, 0] - 5, sample_source=SOURCE)

    assert not isinstance(caught.value, SourceError)
    assert caught.value.__cause__ is None


def test_several_outputs_may_have_other_numbers_of_classes():
    Y = np.column_stack([BLOBS[:, 0] > 0, np.arange(60) % 3]).astype(int)
    model = Merged(RandomForestClassifier(5, random_state=0))

    model.fit(BLOBS, CLASSES, sample_source=SOURCE).fit(BLOBS, Y, sample_source=SOURCE)

    assert model.predict(BLOBS).shape == (60, 2)
    assert model.classes_by_source_ == {}


def test_a_score_needs_no_more_rows_than_sources():
    """What looks like a measurement in fit may be a few rows to score."""
    names = [f"site {k}" for k in range(12)]
    X = pd.DataFrame({"u": np.arange(240) % 7.0, "site": np.repeat(names, 20)})
    y = X["u"] * 2 + np.repeat(np.arange(12), 20)
    model = Merged(Ridge(), source="site", scale_target_by="source").fit(X, y)
    few = X.iloc[::20].index.union(
        [1, 21, 41, 61, 81, 101, 121, 141, 161, 181, 201, 221]
    )

    assert np.isfinite(model.score(X.loc[few], y[few]))
    assert len(score_by_source(model, X.loc[few], y[few]).by_source) == 12


def test_a_precomputed_kernel_is_sliced_on_both_sides():
    kernel = BLOBS @ BLOBS.T
    model = Merged(SVC(kernel="precomputed"), scaler=None)

    ours = cross_val_score(model, kernel, CLASSES, cv=3)

    theirs = cross_val_score(SVC(kernel="precomputed"), kernel, CLASSES, cv=3)
    np.testing.assert_array_equal(ours, theirs)


def test_a_failed_refit_leaves_the_old_model():
    frame = pd.DataFrame(BLOBS, columns=["u", "v"])
    model = Merged(LogisticRegression(max_iter=1000)).fit(frame, CLASSES)
    before = model.predict(frame)

    with pytest.raises(SourceError, match="sample_source must label every"):
        model.fit(frame.rename(columns={"u": "w"}), CLASSES, sample_source=["a"])

    np.testing.assert_array_equal(model.predict(frame), before)


def test_a_failed_fit_leaves_nothing_fitted():
    model = Merged(LogisticRegression(max_iter=1000))
    with pytest.raises(SourceError, match="sample_source must label every"):
        model.fit(BLOBS, CLASSES, sample_source=["a"])
    with pytest.raises(NotFittedError):
        model.predict(BLOBS)
    assert not any(name.endswith("_") for name in vars(model))


MIXED = pd.DataFrame({"u": BLOBS[:, 0], "sex": np.tile(["f", "m"], 30)})
HOLED = np.where(np.arange(120).reshape(60, 2) % 7 == 0, np.nan, BLOBS)


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (MIXED, {}, r"not numeric \(sex\), which LogisticRegression did not take"),
        (MIXED.to_numpy(), {}, "X holds texts, which LogisticRegression did not take"),
        (HOLED, {}, "X holds missing values, which LogisticRegression did not"),
        (
            pd.DataFrame(HOLED),
            {"scaler": None},
            "X holds missing values, which LogisticRegression",
        ),
        (MIXED, {"scaler": StandardScaler()}, r"scaler=table_preprocessor\(\)"),
    ],
)
def test_what_the_estimator_cannot_take_is_named_with_the_cure(X, options, message):
    with pytest.raises(SourceError, match=message):
        Merged(LogisticRegression(max_iter=1000), **options).fit(
            X, CLASSES, sample_source=SOURCE
        )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Merged(), "needs a classifier or a regressor as its estimator, got None"),
        (Merged(StandardScaler()), "needs a classifier or a regressor"),
        (
            Merged(LogisticRegression(), scale_target_by="source"),
            "scale_target_by='source' is for regressors, and LogisticRegression",
        ),
        (
            Merged(LogisticRegression(max_iter=1000), scaler="standart"),
            "Did you mean 'standard'",
        ),
        (
            Merged(LogisticRegression(max_iter=1000), scale_by="sources"),
            "scale_by must be one of",
        ),
        (
            Merged(LogisticRegression(max_iter=1000), unknown_source="x"),
            "unknown_source must be one of",
        ),
        (
            Merged(LogisticRegression(max_iter=1000), primary_source="A"),
            "primary_source='A' is not a source",
        ),
        (
            Merged(LogisticRegression(max_iter=1000), balance={"a": 1}),
            r"gives no share to \['b'\]",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(model, message):
    with pytest.raises(SourceError, match=message):
        model.fit(BLOBS, CLASSES, sample_source=SOURCE)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            Merged(Ridge(), scale_target_by="pooled"),
            r"scale_target_by must be one of \[None, 'source'\], got 'pooled'",
        ),
        (Merged(Ridge(), balance="both"), "'both' needs classes, and a regressor has"),
    ],
)
def test_settings_of_the_regressor_are_refused_too(model, message):
    with pytest.raises(SourceError, match=message):
        model.fit(BLOBS, BLOBS[:, 0], sample_source=SOURCE)


def test_a_single_source_warns_once_that_there_is_nothing_to_balance():
    with pytest.warns(SourceWarning, match="Only one source, 'all'") as caught:
        Merged(LogisticRegression(max_iter=1000), balance="sources").fit(BLOBS, CLASSES)

    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_hole_has_no_kind_and_never_raises_but_in_fit():
    hole = Merged(balance="sources")

    assert get_tags(hole).estimator_type is None
    assert repr(clone(pickle.loads(pickle.dumps(hole)))) == repr(hole)
    assert not hasattr(hole, "predict_proba")
    with pytest.raises(SourceError, match="Pass one, such as Merged"):
        hole.fit(BLOBS, CLASSES)
    assert is_classifier(Merged(LogisticRegression()))
    assert is_regressor(Merged(Ridge()))


@pytest.mark.parametrize("method", ["fit", "score"])
def test_a_third_positional_argument_is_a_type_error(method):
    """Weights by position would be taken for sources, or sources for weights."""
    model = Merged(LogisticRegression()).fit(BLOBS, CLASSES)

    with pytest.raises(TypeError, match="positional argument"):
        getattr(model, method)(BLOBS, CLASSES, np.ones(60))
    with pytest.raises(TypeError, match="positional argument"):
        model.predict(BLOBS, SOURCE)


@pytest.mark.parametrize("y", [["ill"], ["ill"] * 59, []])
def test_a_score_needs_a_target_for_every_row(y):
    model = Merged(LogisticRegression()).fit(BLOBS, CLASSES)

    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(BLOBS, y)


@pytest.mark.parametrize(
    "estimator",
    [
        PoissonRegressor(),
        GammaRegressor(),
        HistGradientBoostingRegressor(loss="poisson"),
        HistGradientBoostingRegressor(loss="gamma"),
    ],
)
def test_targets_that_scaling_makes_negative_are_refused(estimator):
    y = np.exp(BLOBS[:, 0])
    model = Merged(estimator, scale_target_by="source")

    with pytest.raises(SourceError, match=r"makes targets below 0.*Leave it at None"):
        model.fit(BLOBS, y, sample_source=SOURCE)

    Merged(estimator).fit(BLOBS, y, sample_source=SOURCE)
