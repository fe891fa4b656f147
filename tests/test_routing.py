"""How a source label travels through scikit-learn's tools, in both routing modes."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sktandem import MergedClassifier, SourceScaler, stack_sources
from sktandem.exceptions import SourceError
from sktandem.model_selection import (
    LeaveOneSourceOut,
    SourceKFold,
    score_by_source,
)

# The two sources carry the same signal, one of them turned upside down and moved:
# only a model that knows the source of a row at predict gets it right.
RNG = np.random.default_rng(0)
SIGNAL = RNG.normal(size=(120, 2))
SOURCE = np.tile(["a", "b"], 60)
IS_B = SOURCE == "b"
X = np.where(IS_B[:, None], 50 + 9 * SIGNAL, SIGNAL)
Y = np.where(SIGNAL[:, 0] > 0, "ill", "well")
FRAME = pd.DataFrame(X, columns=["u", "v"]).assign(hospital=SOURCE)
CODED = np.column_stack([X, IS_B])

BY_NAME = MergedClassifier(source="hospital", scale_by="source")
BY_PLACE = MergedClassifier(source=-1, scale_by="source")
BY_KEYWORD = MergedClassifier(scale_by="source")

both_modes = pytest.mark.parametrize("routing", [False, True], ids=["off", "on"])
both_columns = pytest.mark.parametrize(
    ("model", "table", "cv"),
    [
        (BY_NAME, FRAME, SourceKFold(3, source="hospital")),
        (BY_PLACE, CODED, SourceKFold(3, source=-1)),
    ],
    ids=["frame", "array"],
)
GOOD = 0.9  # with the sources known; about 0.5 to 0.7 without


def test_without_the_sources_the_task_cannot_be_done():
    blind = cross_val_score(LogisticRegression(), X, Y, cv=3)

    assert blind.max() < GOOD


@pytest.mark.slow
@both_modes
@both_columns
@pytest.mark.parametrize(
    "scoring", [None, "accuracy", "roc_auc", "neg_log_loss", "f1_macro"]
)
def test_the_column_is_right_with_every_named_scorer(
    model, table, cv, routing, scoring
):
    with config_context(enable_metadata_routing=routing):
        scores = cross_val_score(
            model, table, Y, cv=cv, scoring=scoring, error_score="raise"
        )

    assert scores.min() > (-0.35 if scoring == "neg_log_loss" else GOOD)


@both_modes
@both_columns
def test_the_column_is_right_in_a_search_and_its_predict(model, table, cv, routing):
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            model,
            {"balance": [None, "both"], "estimator": [LogisticRegression()]},
            cv=cv,
            scoring=["accuracy", "roc_auc"],
            refit="roc_auc",
            error_score="raise",
        ).fit(table, Y)
        predicted = search.predict(table)

    assert np.mean(predicted == Y) > GOOD


@both_modes
@both_columns
def test_the_column_is_right_in_cross_val_predict(model, table, cv, routing):
    with config_context(enable_metadata_routing=routing):
        predicted = cross_val_predict(model, table, Y, cv=cv)

    assert np.mean(predicted == Y) > GOOD


@both_modes
@both_columns
def test_the_column_is_right_in_curves_and_permutation_tests(model, table, cv, routing):
    with config_context(enable_metadata_routing=routing):
        _, _, scores = learning_curve(
            model, table, Y, cv=cv, train_sizes=[1.0], error_score="raise"
        )
        score, _, _ = permutation_test_score(model, table, Y, cv=cv, n_permutations=2)

    assert scores.min() > GOOD
    assert score > GOOD


@both_modes
def test_the_column_is_right_inside_voting(routing):
    with config_context(enable_metadata_routing=routing):
        voting = VotingClassifier([("one", BY_NAME), ("two", BY_NAME)]).fit(FRAME, Y)

        assert voting.score(FRAME, Y) > GOOD


@both_modes
def test_the_bare_estimator_takes_the_keyword(routing):
    with config_context(enable_metadata_routing=routing):
        model = BY_KEYWORD.fit(X, Y, sample_source=SOURCE)

        assert model.score(X, Y, sample_source=SOURCE) > GOOD
        assert np.mean(model.predict(X, sample_source=SOURCE) == Y) > GOOD


def test_with_routing_a_pipeline_hands_the_keyword_on():
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(StandardScaler(), BY_KEYWORD)
        model.fit(X, Y, sample_source=SOURCE)

        assert np.mean(model.predict(X, sample_source=SOURCE) == Y) > GOOD
        assert model.score(X, Y, sample_source=SOURCE) > GOOD
        assert model.predict_proba(X, sample_source=SOURCE).shape == (120, 2)


def test_with_routing_a_scaler_in_a_pipeline_gets_the_keyword_at_predict_too():
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(SourceScaler(), LogisticRegression())
        model.fit(X, Y, sample_source=SOURCE)

        assert np.mean(model.predict(X, sample_source=SOURCE) == Y) > GOOD


def test_with_routing_scores_reach_a_scaler_in_a_pipeline():
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(SourceScaler(), LogisticRegression())
        model.fit(X, Y, sample_source=SOURCE)

        assert score_by_source(model, X, Y, SOURCE, "accuracy").worst > GOOD


def test_with_routing_a_search_hands_the_keyword_to_fit_and_score():
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            BY_KEYWORD,
            {"balance": [None, "both"]},
            cv=SourceKFold(3),
            error_score="raise",
        ).fit(X, Y, sample_source=SOURCE)

    assert search.best_score_ > GOOD


def test_with_routing_cross_validation_and_curves_hand_the_keyword_on():
    with config_context(enable_metadata_routing=True):
        params = {"sample_source": SOURCE}
        scores = cross_val_score(
            BY_KEYWORD, X, Y, cv=SourceKFold(3), params=params, error_score="raise"
        )
        _, _, curve = learning_curve(
            BY_KEYWORD,
            X,
            Y,
            cv=SourceKFold(3),
            params=params,
            train_sizes=[1.0],
            error_score="raise",
        )

        _, validation = validation_curve(
            BY_KEYWORD,
            X,
            Y,
            cv=SourceKFold(3),
            params=params,
            param_name="balance",
            param_range=[None, "both"],
            error_score="raise",
        )
        score, _, _ = permutation_test_score(
            BY_KEYWORD, X, Y, cv=SourceKFold(3), params=params, n_permutations=2
        )

    assert scores.min() > GOOD
    assert curve.min() > GOOD
    assert validation.min() > GOOD
    assert score > GOOD


def test_with_routing_a_wrong_length_is_refused_in_cross_validation():
    options = {"params": {"sample_source": SOURCE[1:]}, "error_score": "raise"}
    with (
        config_context(enable_metadata_routing=True),
        pytest.raises(ValueError, match=r"120.*119|119.*120"),
    ):
        cross_val_score(BY_KEYWORD, X, Y, cv=SourceKFold(3), **options)


def test_with_routing_bagging_hands_the_keyword_to_fit():
    with config_context(enable_metadata_routing=True):
        model = MergedClassifier(balance="sources")
        bagging = BaggingClassifier(model, 3, random_state=0)

        bagging.fit(X, Y, sample_source=SOURCE)

    assert bagging.estimators_[0].sources_ == ("a", "b")


def test_persons_go_by_groups_in_both_modes():
    persons = np.repeat(np.arange(60), 2)
    cv = SourceKFold(3, source="hospital")
    with config_context(enable_metadata_routing=False):
        off = cross_validate(BY_NAME, FRAME, Y, groups=persons, cv=cv)
    with config_context(enable_metadata_routing=True):
        on = cross_validate(BY_NAME, FRAME, Y, params={"groups": persons}, cv=cv)

    np.testing.assert_array_equal(off["test_score"], on["test_score"])


@both_modes
def test_a_new_source_is_predicted_where_the_source_does_not_matter(routing):
    with config_context(enable_metadata_routing=routing):
        scores = cross_val_score(
            MergedClassifier(source="hospital"),
            FRAME,
            Y,
            cv=LeaveOneSourceOut("hospital"),
            error_score="raise",
        )

    assert len(scores) == 2


@both_modes
def test_leaving_a_source_out_works_in_searches_and_curves(routing):
    model, cv = MergedClassifier(source="hospital"), LeaveOneSourceOut("hospital")
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(model, {"balance": [None, "classes"]}, cv=cv)
        search.fit(FRAME, Y)
        _, _, curve = learning_curve(
            model, FRAME, Y, cv=cv, train_sizes=[1.0], error_score="raise"
        )

    assert search.n_splits_ == 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert curve.shape == (1, 2)


# ---- what goes wrong ends in a clear error, never in a silent wrong answer


@both_modes
@pytest.mark.parametrize(
    ("in_front", "table", "message"),
    [
        (
            StandardScaler(),
            CODED,
            "so it looks transformed. Put the estimator outermos",
        ),
        (PCA(3), CODED, "different values.*looks transformed"),
        (PCA(2), CODED, "looks transformed"),
        (SelectKBest(k=1), CODED, "looks transformed"),
        (
            StandardScaler(),
            FRAME.assign(hospital=IS_B.astype(int)),
            "'hospital' is a column name, but X is a ndarray without names",
        ),
        (
            SourceScaler(OneHotEncoder()),
            FRAME,
            "SourceScaler needs a scaler that keeps the columns",
        ),
    ],
    ids=["scaler", "pca", "narrow pca", "selection", "frame", "encoder"],
)
def test_a_transformer_in_front_of_the_column_is_refused(
    in_front, table, message, routing
):
    source = "hospital" if isinstance(table, pd.DataFrame) else -1
    # 119 and 61 rows, so that the scaled codes are no whole numbers
    rows = np.r_[np.flatnonzero(IS_B), np.flatnonzero(~IS_B)[:41]]
    table = table.iloc[rows] if isinstance(table, pd.DataFrame) else table[rows]
    model = make_pipeline(in_front, MergedClassifier(source=source, scale_by="source"))
    cv = SourceKFold(3, source=source)

    with (
        config_context(enable_metadata_routing=routing),
        pytest.raises(SourceError, match=message),
    ):
        cross_val_score(model, table, Y[rows], cv=cv, error_score="raise")


def test_a_pipeline_that_narrows_the_table_leaves_no_column_to_read():
    model = make_pipeline(SelectKBest(k=1), MergedClassifier(source=2))
    with pytest.raises(
        SourceError, match=r"source=2 is not a column of X, which has 1"
    ):
        model.fit(CODED, Y)


@both_modes
def test_a_list_of_datasets_is_refused(routing):
    datasets = [X[:60], X[60:]]
    with config_context(enable_metadata_routing=routing):
        for call in (
            lambda: MergedClassifier().fit(datasets, [Y[:60], Y[60:]]),
            lambda: cross_val_score(
                MergedClassifier(), datasets, [0, 1], cv=KFold(2), error_score="raise"
            ),
            lambda: SourceScaler().fit(datasets),
        ):
            with pytest.raises(SourceError, match="stack_sources builds"):
                call()


@both_modes
@pytest.mark.parametrize("lost", [None, np.nan], ids=["none", "nan"])
def test_a_missing_label_is_refused_in_fit(lost, routing):
    table = FRAME.astype({"hospital": object})
    table.loc[110, "hospital"] = lost
    with (
        config_context(enable_metadata_routing=routing),
        pytest.raises(SourceError, match=r"leaves 1 sample unlabelled"),
    ):
        cross_val_score(BY_NAME, table, Y, cv=3, error_score="raise")


def test_an_empty_source_and_a_wrong_length_are_refused():
    with pytest.raises(SourceError, match=r"'b' has no rows. Leave it out"):
        stack_sources({"a": (X, Y), "b": (X[:0], Y[:0])})
    with pytest.raises(SourceError, match="X has 120, sample_source has 119"):
        BY_KEYWORD.fit(X, Y, sample_source=SOURCE[1:])
    model = BY_KEYWORD.fit(X, Y, sample_source=SOURCE)
    with pytest.raises(SourceError, match="X has 120, sample_source has 119"):
        model.predict(X, sample_source=SOURCE[1:])
    plain = MergedClassifier().fit(X, Y)
    with pytest.raises(SourceError, match="X has 120, sample_source has 119"):
        plain.predict(X, sample_source=SOURCE[1:])


@both_modes
def test_an_unseen_source_is_refused_where_it_matters(routing):
    with (
        config_context(enable_metadata_routing=routing),
        pytest.raises(
            SourceError, match=r"source that was there in fit: 60 of \d+ have none"
        ),
    ):
        cross_val_score(
            BY_NAME, FRAME, Y, cv=LeaveOneSourceOut("hospital"), error_score="raise"
        )


@both_modes
def test_a_label_missing_at_predict_is_refused_where_it_matters(routing):
    """The traps of the keyword: named scorers, pipelines' score, a search's predict."""
    message = "so each row's source is needed: pass sample_source, or name its column"
    with config_context(enable_metadata_routing=routing):
        model = BY_KEYWORD.fit(X, Y, sample_source=SOURCE)
        with pytest.raises(SourceError, match=message):
            model.predict(X)
        options = {"params": {"sample_source": SOURCE}, "error_score": "raise"}
        with pytest.raises(SourceError, match=message):
            cross_val_score(BY_KEYWORD, X, Y, cv=3, scoring="accuracy", **options)
        with pytest.raises(SourceError, match=message):
            cross_val_predict(BY_KEYWORD, X, Y, cv=3, params={"sample_source": SOURCE})


def test_without_routing_a_pipelines_score_does_not_drop_the_label_in_silence():
    model = make_pipeline(StandardScaler(), BY_KEYWORD)
    model.fit(X, Y, mergedclassifier__sample_source=SOURCE)

    assert np.mean(model.predict(X, sample_source=SOURCE) == Y) > GOOD
    with pytest.raises(SourceError, match=r"so each row's source is needed"):
        model.score(X, Y)


def test_without_routing_a_scaler_in_a_pipeline_asks_for_the_label_at_predict():
    model = make_pipeline(SourceScaler(), LogisticRegression())
    model.fit(X, Y, sourcescaler__sample_source=SOURCE)

    with pytest.raises(
        SourceError, match=r"X is scaled by source, so each row's source"
    ):
        model.predict(X)


def test_splitters_and_scorers_without_routing_name_the_column():
    with pytest.raises(SourceError, match=r"name its column by source=, or pass"):
        cross_val_score(BY_NAME, FRAME, Y, cv=SourceKFold(3), error_score="raise")


def test_users_can_still_opt_out_or_rename():
    with config_context(enable_metadata_routing=True):
        model = MergedClassifier().set_fit_request(sample_source="site")
        pipeline = make_pipeline(StandardScaler(), model)

        pipeline.fit(X, Y, site=SOURCE)

    assert pipeline[-1].sources_ == ("a", "b")
