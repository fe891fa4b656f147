"""Scores per source."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context, get_config
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import (
    BayesianRidge,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
)
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    get_scorer,
    log_loss,
    make_scorer,
    r2_score,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sktandem import Merged
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.model_selection import (
    SourceKFold,
    classification_report_by_source,
    score_by_source,
    source_scorer,
    source_scorers,
)

RNG = np.random.default_rng(0)
N = 300
X = RNG.normal(size=(N, 3))
SOURCE = np.repeat(["big", "small"], [200, 100])
RULE = X[:, 0] + RNG.normal(scale=0.7, size=N) + 0.5 * (SOURCE == "small")
Y = np.select([RULE < -0.5, RULE < 0.5], ["low", "mid"], "top")
# The small source has no top at all.
Y_LACKING = np.where((SOURCE == "small") & (Y == "top"), "mid", Y)


def fitted(y, **options):
    return Merged(LogisticRegression(max_iter=1000), **options).fit(
        X, y, sample_source=SOURCE
    )


@pytest.mark.parametrize(
    "scoring",
    ["accuracy", "f1_macro", "balanced_accuracy", "neg_log_loss", "roc_auc_ovr"],
)
def test_with_all_classes_everywhere_a_score_is_scikit_learns_on_the_rows(scoring):
    model = fitted(Y)

    scores = score_by_source(model, X, Y, sample_source=SOURCE, scoring=scoring)

    for name in ("big", "small"):
        own = name == SOURCE
        expected = get_scorer(scoring)(model, X[own], Y[own])
        assert scores.by_source[name] == pytest.approx(expected)
    assert scores.overall == pytest.approx(get_scorer(scoring)(model, X, Y))
    values = list(scores.by_source.values())
    assert scores.macro == pytest.approx(np.mean(values))
    assert scores.worst == min(values)
    assert scores.gap == pytest.approx(max(values) - min(values))


def test_without_scoring_the_estimators_own_score_is_used():
    model = fitted(Y)

    scores = score_by_source(model, X, Y, sample_source=SOURCE)

    own = SOURCE == "small"
    assert scores.by_source["small"] == model.score(X[own], Y[own])
    assert scores.metric == "score"


def test_regressors_and_weights_are_scored_too():
    y, weight = X[:, 0] + (SOURCE == "small"), np.linspace(1, 2, N)
    model = Merged(LinearRegression()).fit(X, y, sample_source=SOURCE)

    scores = score_by_source(
        model, X, y, sample_source=SOURCE, scoring="r2", sample_weight=weight
    )

    own = SOURCE == "big"
    expected = r2_score(y[own], model.predict(X[own]), sample_weight=weight[own])
    assert scores.by_source["big"] == pytest.approx(expected)


def test_a_source_whose_weights_are_all_0_is_named():
    y = X[:, 0] + (SOURCE == "small")
    weight = np.where(SOURCE == "big", 0.0, 1.0)
    model = Merged(LinearRegression()).fit(X, y, sample_source=SOURCE)

    with pytest.raises(SourceError, match="is 0 for all rows of 'big', so that there"):
        score_by_source(model, X, y, sample_source=SOURCE, sample_weight=weight)


@pytest.mark.parametrize("metric", [f1_score, balanced_accuracy_score])
def test_a_class_that_a_source_lacks_takes_no_part(metric):
    model = fitted(Y_LACKING)
    own = SOURCE == "small"
    y, predicted = Y_LACKING[own], model.predict(X[own])
    assert "top" in predicted  # or the test would show nothing

    if metric is f1_score:
        options = {"average": "macro", "pos_label": None}
        expected = f1_score(y, predicted, labels=["low", "mid"], average="macro")
    else:
        options = {}
        recalls = [np.mean(predicted[y == label] == label) for label in ("low", "mid")]
        expected = np.mean(recalls)

    scores = score_by_source(
        model,
        X,
        Y_LACKING,
        sample_source=SOURCE,
        scoring=make_scorer(metric, **options),
    )

    assert scores.by_source["small"] == pytest.approx(expected)
    assert scores.metric == metric.__name__


def test_probabilities_are_those_among_the_sources_own_classes():
    model = fitted(Y_LACKING)
    own = SOURCE == "small"
    proba = model.predict_proba(X[own])[:, :2]
    proba /= proba.sum(axis=1, keepdims=True)
    y = Y_LACKING[own]

    by_log_loss = score_by_source(
        model, X, Y_LACKING, sample_source=SOURCE, scoring="neg_log_loss"
    )
    by_auc = score_by_source(
        model, X, Y_LACKING, sample_source=SOURCE, scoring="roc_auc_ovr"
    )

    assert by_log_loss.by_source["small"] == pytest.approx(-log_loss(y, proba))
    # roc_auc ranks by the decision function, which orders as the ratio does
    assert by_auc.by_source["small"] == pytest.approx(
        roc_auc_score(y == "mid", proba[:, 1])
    )


def test_a_class_in_the_record_but_not_in_the_rows_still_has_its_column():
    model = fitted(Y)
    rows = np.flatnonzero((SOURCE == "small") & (Y != "top"))
    proba = model.predict_proba(X[rows])

    scores = score_by_source(
        model, X[rows], Y[rows], sample_source=SOURCE[rows], scoring="neg_log_loss"
    )
    auc = score_by_source(
        model, X[rows], Y[rows], sample_source=SOURCE[rows], scoring="roc_auc_ovr"
    )

    expected = -log_loss(Y[rows], proba, labels=model.classes_)
    assert scores.by_source["small"] == pytest.approx(expected)
    ratio = proba[:, 1] / (proba[:, 0] + proba[:, 1])
    assert auc.by_source["small"] == pytest.approx(
        roc_auc_score(Y[rows] == "mid", ratio)
    )


@pytest.mark.parametrize(
    "estimator", [GaussianNB(), RidgeClassifier(), SVC(), DummyClassifier()]
)
@pytest.mark.parametrize("scoring", ["accuracy", "f1_weighted", "roc_auc"])
def test_any_estimator_of_scikit_learn_can_be_scored(estimator, scoring):
    y = Y_LACKING != "low"
    model = make_pipeline(StandardScaler(), estimator).fit(X, y)

    scores = score_by_source(model, X, y, sample_source=SOURCE, scoring=scoring)

    own = SOURCE == "small"
    assert scores.by_source["small"] == pytest.approx(
        get_scorer(scoring)(model, X[own], y[own])
    )


def test_the_sources_reach_a_predict_that_needs_them():
    model = fitted(Y, scale_by="source")
    piped = make_pipeline(
        StandardScaler(), Merged(LogisticRegression(max_iter=1000), scale_by="source")
    )
    piped.fit(X, Y, merged__sample_source=SOURCE)
    search = GridSearchCV(
        Merged(LogisticRegression(max_iter=1000), scale_by="source"),
        {"balance": [None]},
        cv=SourceKFold(2),
    )
    with config_context(enable_metadata_routing=True):
        search.fit(X, Y, sample_source=SOURCE)

    for estimator in (model, piped, search):
        expected = np.mean(model.predict(X, sample_source=SOURCE) == Y)
        for scoring in ("accuracy", None):
            scores = score_by_source(
                estimator, X, Y, sample_source=SOURCE, scoring=scoring
            )
            assert scores.overall == pytest.approx(expected)


def test_the_estimators_own_column_is_read():
    frame = pd.DataFrame(X, columns=list("uvw")).assign(s=SOURCE)
    by_column = Merged(
        LogisticRegression(max_iter=1000), source="s", scale_by="source"
    ).fit(frame, Y)
    by_keyword = fitted(Y, scale_by="source")

    one = score_by_source(by_column, frame, Y)
    two = score_by_source(by_keyword, X, Y, sample_source=SOURCE)

    assert one == two


def test_mixed_classes_are_scored_within_each_source():
    y = Y.astype(object)
    y[SOURCE == "small"] = (Y[SOURCE == "small"] == "low").astype(int)
    model = fitted(y)
    own = SOURCE == "small"
    expected = np.mean([a == b for a, b in zip(model.predict(X[own]), y[own])])

    assert (
        score_by_source(model, X, y, sample_source=SOURCE).by_source["small"]
        == expected
    )


def test_scores_read_well_as_text_frame_and_html():
    scores = score_by_source(fitted(Y), X, Y, sample_source=SOURCE, scoring="accuracy")

    frame = scores.to_frame()

    assert frame.index.tolist() == ["big", "small", "overall", "macro", "worst"]
    assert frame["n_samples"].tolist()[:3] == [200, 100, 300]
    assert frame.loc["small", "accuracy"] == scores.by_source["small"]
    lines = repr(scores).splitlines()
    assert lines[0].split() == ["source", "rows", "accuracy"]
    assert lines[1].split() == ["big", "200", f"{scores.by_source['big']:.3f}"]
    html = scores._repr_html_()
    assert '<td>small</td><td class="number">100</td>' in html


def test_several_metrics_make_a_table():
    model = fitted(Y)

    table = score_by_source(
        model, X, Y, sample_source=SOURCE, scoring=["accuracy", "f1_macro"]
    )
    named = score_by_source(
        model, X, Y, sample_source=SOURCE, scoring={"hits": get_scorer("accuracy")}
    )

    assert table["f1_macro"] == score_by_source(
        model, X, Y, sample_source=SOURCE, scoring="f1_macro"
    )
    assert named["hits"].by_source == table["accuracy"].by_source
    frame = table.to_frame()
    assert frame.columns.tolist() == ["n_samples", "accuracy", "f1_macro"]
    assert frame.loc["big", "f1_macro"] == table["f1_macro"].by_source["big"]
    lines = repr(table).splitlines()
    assert lines[0].split() == ["source", "rows", "accuracy", "f1_macro"]
    assert lines[1].split()[2:] == [f"{table[m].by_source['big']:.3f}" for m in table]
    assert '<th class="number">f1_macro</th>' in table.to_html()


def test_a_report_tells_the_classes_of_each_source():
    model = fitted(Y_LACKING)
    own = SOURCE == "small"

    report = classification_report_by_source(
        model, X, Y_LACKING, sample_source=SOURCE, output_dict=True
    )
    text = classification_report_by_source(
        model, X, Y_LACKING, sample_source=SOURCE, digits=3
    )

    called_low = model.predict(X[own]) == "low"
    expected = np.mean(Y_LACKING[own][called_low] == "low")
    assert report["small"]["low"]["precision"] == pytest.approx(expected)
    assert "top" not in report["small"]
    assert "top" in report["big"]
    assert text.startswith("big\n")
    assert f"{expected:.3f}" in text.split("small\n")[1]


def test_a_report_takes_numbers_beside_texts_and_refuses_regressors():
    y = Y.astype(object)
    y[SOURCE == "small"] = (Y[SOURCE == "small"] == "low").astype(int)

    report = classification_report_by_source(
        fitted(y), X, y, sample_source=SOURCE, output_dict=True
    )

    assert {"0", "1"} <= set(report["small"])
    regressor = Merged(Ridge()).fit(X, X[:, 0], sample_source=SOURCE)
    with pytest.raises(
        SourceError, match="needs a classifier of one output, got Merged"
    ):
        classification_report_by_source(regressor, X, X[:, 0], sample_source=SOURCE)


def test_rows_without_a_source_are_refused():
    model = fitted(Y)
    with pytest.raises(SourceError, match="score_by_source needs each row's source"):
        score_by_source(model, X, Y)
    with pytest.raises(
        SourceError, match=r"source_scorer\('r2', 'a'\) needs each row's"
    ):
        source_scorer("r2", "a")(model, X, Y)


def test_a_search_sees_every_source_and_refits_on_one():
    frame = pd.DataFrame(X, columns=list("uvw")).assign(s=SOURCE)
    scorers = source_scorers("f1_macro", ["big", "small"], source="s")
    search = GridSearchCV(
        Merged(LogisticRegression(max_iter=1000), source="s"),
        {"balance": [None, "sources", {"big": 0, "small": 1}]},
        cv=SourceKFold(3, source="s"),
        scoring=scorers,
        refit="f1_macro[small]",
        error_score="raise",
    ).fit(frame, Y)

    results = search.cv_results_
    best = np.argmax(results["mean_test_f1_macro[small]"])
    assert search.best_index_ == best
    macro = (
        results["mean_test_f1_macro[big]"] + results["mean_test_f1_macro[small]"]
    ) / 2
    np.testing.assert_allclose(results["mean_test_f1_macro.macro"], macro)
    assert (results["mean_test_f1_macro.worst"] <= macro).all()


def test_with_routing_the_keyword_reaches_scorers_and_splitters():
    with config_context(enable_metadata_routing=True):
        results = cross_validate(
            make_pipeline(
                StandardScaler(),
                Merged(LogisticRegression(max_iter=1000), scale_by="source"),
            ),
            X,
            Y,
            cv=SourceKFold(3),
            scoring=source_scorers("accuracy", ["big", "small"]),
            params={"sample_source": SOURCE},
            error_score="raise",
            return_estimator=True,
            return_indices=True,
        )

    for k, model in enumerate(results["estimator"]):
        test = results["indices"]["test"][k]
        own = test[SOURCE[test] == "small"]
        predicted = model[-1].predict(
            model[0].transform(X[own]), sample_source=SOURCE[own]
        )
        expected = accuracy_score(Y[own], predicted)
        assert results["test_accuracy[small]"][k] == pytest.approx(expected)


def test_a_source_without_rows_scores_nan_and_says_so():
    model, big = fitted(Y), SOURCE == "big"
    with pytest.warns(SourceWarning, match=r"No row of source 'small' among the 200"):
        score = source_scorer("accuracy", "small")(
            model, X[big], Y[big], sample_source=SOURCE[big]
        )

    assert np.isnan(score)


def test_what_a_scorer_cannot_do_is_said_when_it_can_be_known():
    with pytest.raises(SourceError, match=r"'smal', which is not a.*mean 'small'"):
        source_scorer("accuracy", "smal")(fitted(Y), X, Y, sample_source=SOURCE)
    with pytest.raises(SourceError, match=r"a list of at least one source, got 'red'"):
        source_scorers("r2", "red")
    with pytest.raises(SourceError, match=r"at least one source, got \[\]"):
        source_scorers("r2", [])
    with pytest.raises(ValueError, match="'acuracy' is not a valid scoring value"):
        source_scorers("acuracy", ["a"])


def test_several_metrics_make_the_scorers_of_one_search():
    keys = list(source_scorers(["r2", "neg_max_error"], ["a"]))

    assert keys[:3] == ["r2[a]", "r2.macro", "r2.worst"]
    assert keys[3] == "neg_max_error[a]"


def test_a_class_that_fit_never_saw_still_counts_against_the_model():
    y = np.where(RULE > 0, "u", "v")
    model = Merged(LogisticRegression(max_iter=1000)).fit(X, y, sample_source=SOURCE)
    y[-20:] = "w"
    own = SOURCE == "small"

    scores = score_by_source(model, X, y, sample_source=SOURCE, scoring="f1_macro")
    report = classification_report_by_source(
        model, X, y, sample_source=SOURCE, output_dict=True
    )

    expected = f1_score(y[own], model.predict(X[own]), average="macro")
    assert scores.by_source["small"] == pytest.approx(expected)
    assert report["small"]["w"]["recall"] == 0


def test_averages_over_rows_count_every_wrong_prediction():
    model = fitted(Y_LACKING)
    own = SOURCE == "small"

    scores = score_by_source(
        model, X, Y_LACKING, sample_source=SOURCE, scoring="f1_micro"
    )

    expected = np.mean(model.predict(X[own]) == Y_LACKING[own])
    assert scores.by_source["small"] == pytest.approx(expected)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc", "roc_auc_ovr"])
def test_a_source_of_one_class_has_no_ranking(scoring):
    y = np.where(RULE > 0, "u", "v")
    y[SOURCE == "small"] = "u"
    model = Merged(LogisticRegression(max_iter=1000)).fit(X, y, sample_source=SOURCE)

    with pytest.warns(SourceWarning, match=r"\['small'\] have a single class, \['u'\]"):
        scores = score_by_source(model, X, y, sample_source=SOURCE, scoring=scoring)

    assert np.isnan(scores.by_source["small"])
    assert np.isfinite(scores.by_source["big"])
    assert np.isnan(scores.worst)
    assert np.isnan(scores.gap)


@pytest.mark.parametrize(
    "scoring", ["accuracy", "f1_macro", "balanced_accuracy", "neg_log_loss"]
)
def test_numbers_beside_texts_are_scored_by_every_metric(scoring):
    y = Y.astype(object)
    y[SOURCE == "small"] = (Y[SOURCE == "small"] == "low").astype(int)
    as_text = np.array([str(label) for label in y])

    mixed = score_by_source(fitted(y), X, y, sample_source=SOURCE, scoring=scoring)
    spelt = score_by_source(
        fitted(as_text), X, as_text, sample_source=SOURCE, scoring=scoring
    )

    assert mixed.by_source == pytest.approx(spelt.by_source)
    assert mixed.overall == pytest.approx(spelt.overall)


@pytest.mark.parametrize("unit", ["D", "us", "ns"])
@pytest.mark.parametrize(
    "scoring", ["accuracy", "f1_macro", "balanced_accuracy", "neg_log_loss"]
)
def test_classes_that_are_dates_are_scored_as_any_others(scoring, unit):
    dates = (np.datetime64("2024-01-01") + (Y == "top")).astype(f"M8[{unit}]")

    by_date = score_by_source(
        fitted(dates), X, dates, sample_source=SOURCE, scoring=scoring
    )

    by_name = score_by_source(
        fitted(Y == "top"), X, Y == "top", sample_source=SOURCE, scoring=scoring
    )
    assert by_date.by_source == pytest.approx(by_name.by_source)


def test_a_source_is_predicted_once_for_each_metric():
    calls = []

    class Counting(LogisticRegression):
        def predict(self, X):
            calls.append(len(X))
            return super().predict(X)

    model = Merged(Counting()).fit(X, Y, sample_source=SOURCE)

    score_by_source(model, X, Y, sample_source=SOURCE, scoring="f1_macro")

    assert sorted(calls) == [100, 200, 300]


def test_a_callable_of_the_users_may_ask_more_of_predict():
    y = X[:, 0] + np.random.default_rng(1).normal(size=N)
    model = BayesianRidge().fit(X, y)

    def sharpness(estimator, X, y):
        return -estimator.predict(X, return_std=True)[1].mean()

    scores = score_by_source(model, X, y, sample_source=SOURCE, scoring=sharpness)

    own = SOURCE == "small"
    assert scores.metric == "sharpness"
    assert scores.by_source["small"] == pytest.approx(sharpness(model, X[own], y[own]))


def test_scorers_show_how_they_were_made():
    scorers = source_scorers("r2", ["a", "b"], source="s")

    assert repr(scorers["r2[a]"]) == "source_scorer('r2', 'a', source='s')"
    assert repr(scorers["r2.worst"]).endswith("source='s')['r2.worst']")
    assert list(source_scorers(None, ["a"])) == [
        "score[a]",
        "score.macro",
        "score.worst",
    ]


def test_decision_columns_that_cannot_be_told_apart_are_refused():
    y = np.select([X[:, 0] < -0.5, X[:, 0] < 0, X[:, 0] < 0.5], list("pqr"), "s")
    y[(SOURCE == "small") & (y == "s")] = "r"
    model = SVC(decision_function_shape="ovo").fit(X, y)

    with pytest.raises(SourceError, match="6 columns for 4 classes"):
        score_by_source(
            model,
            X[200:],
            y[200:],
            sample_source=SOURCE[200:],
            scoring="top_k_accuracy",
        )
    logistic = LogisticRegression().fit(X, y)
    score_by_source(logistic, X, y, sample_source=SOURCE, scoring="top_k_accuracy")


WEIGHT = RNG.integers(0, 4, N).astype(float)
FOLD = np.arange(N) % 3


def searched(scoring):
    """Score a search of one candidate, fitted with weights."""
    table = pd.DataFrame(X).assign(source=SOURCE).rename(columns=str)
    model = Merged(LogisticRegression(), source="source")
    if get_config()["enable_metadata_routing"]:
        model.set_fit_request(sample_weight=True)
    search = GridSearchCV(
        model,
        {"estimator__C": [1]},
        cv=PredefinedSplit(FOLD),
        scoring=scoring,
        refit=False,
    )
    return search.fit(table, Y, sample_weight=WEIGHT).cv_results_


def scored_by_hand(weighted):
    """Score the small source in each fold by the metric itself."""
    scores = []
    for fold in range(3):
        train, test = fold != FOLD, (fold == FOLD) & (SOURCE == "small")
        model = Merged(LogisticRegression())
        model.fit(X[train], Y[train], sample_weight=WEIGHT[train])
        weight = WEIGHT[test] if weighted else None
        scores += [
            accuracy_score(Y[test], model.predict(X[test]), sample_weight=weight)
        ]
    return scores


def test_the_weights_of_a_search_reach_the_scores_of_each_source():
    results = searched(source_scorers("accuracy", ["big", "small"], source="source"))

    got = [results[f"split{fold}_test_accuracy[small]"][0] for fold in range(3)]
    np.testing.assert_allclose(got, scored_by_hand(weighted=True))


@pytest.mark.parametrize("weighted", [True, False])
def test_with_routing_the_weights_of_a_search_are_scored_as_requested(weighted):
    scorer = source_scorer("accuracy", "small", source="source")
    with config_context(enable_metadata_routing=True):
        scorer.set_score_request(sample_weight=weighted)
        results = searched(scorer)

    got = [results[f"split{fold}_test_score"][0] for fold in range(3)]
    np.testing.assert_allclose(got, scored_by_hand(weighted))


def test_with_routing_weights_that_nobody_requested_are_refused_by_name():
    scorers = source_scorers("accuracy", ["big", "small"], source="source")

    with config_context(enable_metadata_routing=True):
        with pytest.raises(UnsetMetadataPassedError, match="set_score_request"):
            searched(scorers)
        with pytest.raises(SourceError, match="got 'weight'"):
            scorers["accuracy.macro"].set_score_request(weight=True)


@pytest.mark.parametrize("scoring", ["matthews", None])
def test_weights_for_a_score_that_takes_none_are_refused(scoring):
    def matthews(y, predicted):
        return np.mean(y == predicted)

    class Unweighted(DummyClassifier):
        def score(self, X, y):
            return 0.5

    model = Unweighted().fit(X, Y)
    scoring = scoring and make_scorer(matthews)
    name = "matthews" if scoring else "Unweighted.score"

    with pytest.raises(SourceError, match=f"{name} takes no sample_weight. Leave"):
        score_by_source(
            model, X, Y, sample_source=SOURCE, sample_weight=WEIGHT, scoring=scoring
        )


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc"])
def test_a_metric_of_what_the_model_does_not_predict_is_refused(scoring):
    X, y, source = np.eye(4), np.arange(4.0), ["a", "a", "b", "b"]
    model = Merged(Ridge()).fit(X, y, sample_source=source)

    with pytest.raises(SourceError, match="predict_proba, which Merged does not have"):
        score_by_source(model, X, y, sample_source=source, scoring=scoring)
