"""scikit-learn's callbacks hear of every fit, where scikit-learn has them."""

import io
import pickle
from contextlib import redirect_stdout

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktandem import Merged, SharedNet, SourceError, Tandem
from sktandem.datasets import make_two_sources
from sktandem.members import (
    OnlySource,
    OtherSources,
    OwnModels,
    SimilarityWeighted,
    StackedOwnModels,
    StackedPrediction,
    WeightedMerge,
)
from sktandem.nn import default_net

callback = pytest.importorskip("sklearn.callback", reason="of scikit-learn 1.9")

X, Y, SOURCE = make_two_sources(
    120, task="classification", return_X_y=True, random_state=0
)
LOGISTIC = LogisticRegression()
MODELS = [
    Merged(LOGISTIC),
    OwnModels(LOGISTIC),
    OnlySource(LOGISTIC, name="first"),
    OtherSources(LOGISTIC),
    StackedOwnModels(LOGISTIC, random_state=0),
    StackedPrediction(LOGISTIC, random_state=0),
    SimilarityWeighted(LOGISTIC, random_state=0),
    WeightedMerge(LOGISTIC, cv=2, random_state=0),
    Tandem(LOGISTIC, cv=2, random_state=0),
    SharedNet(default_net(max_epochs=1), random_state=0),
]


class Listener:
    """Writes down what it hears."""

    def __init__(self, max_propagation_depth=None):
        self.heard, self.max_propagation_depth = [], max_propagation_depth

    def setup(self, estimator, context):
        self.heard.append(("setup", type(estimator).__name__))

    def teardown(self, estimator, context):
        self.heard.append(("teardown", type(estimator).__name__))

    def on_fit_task_begin(self, estimator, context):
        self.heard.append(("begin", context.task_name))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.heard.append(("end", context.task_name))
        if context.parent is None:
            self.fitted = fitted_estimator


def of_kind(listener, kind):
    return [name for what, name in listener.heard if what == kind]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_callback_hears_of_a_fit_and_changes_nothing(model):
    plain = clone(model).fit(X, Y, sample_source=SOURCE)
    model, listener = clone(model), Listener()

    model.set_callbacks(listener).fit(X, Y, sample_source=SOURCE)

    name = type(model).__name__
    assert listener.heard[0] == ("setup", name)
    assert listener.heard[1] == ("begin", "fit")
    assert listener.heard[-2] == ("end", "fit")
    assert listener.heard[-1] == ("teardown", name)
    assert len(of_kind(listener, "begin")) == len(of_kind(listener, "end"))
    for fitted in (model, listener.fitted):
        np.testing.assert_array_equal(
            fitted.predict_proba(X, sample_source=SOURCE),
            plain.predict_proba(X, sample_source=SOURCE),
        )
    assert set(vars(model)) - set(vars(plain)) == {"_skl_callbacks"}


def test_what_a_merge_and_members_fit_inside_is_told_of():
    listener = Listener()
    Merged(LOGISTIC).set_callbacks(listener).fit(X, Y, sample_source=SOURCE)
    # LogisticRegression tells of its own classes.
    assert of_kind(listener, "begin")[:2] == ["fit", "fit"]

    listener = Listener(max_propagation_depth=0)
    Merged(LOGISTIC).set_callbacks(listener).fit(X, Y, sample_source=SOURCE)
    assert of_kind(listener, "begin") == ["fit", "fit-estimator"]

    listener = Listener(max_propagation_depth=0)
    OwnModels(LOGISTIC).set_callbacks(listener).fit(X, Y, sample_source=SOURCE)
    assert of_kind(listener, "begin") == ["fit", "fit-model", "fit-model"]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_tandem_tells_of_each_fit_of_a_member_from_any_process(n_jobs):
    listener = Listener()
    members = [OwnModels(), Merged()]
    model = Tandem(LOGISTIC, members=members, cv=2, n_jobs=n_jobs, random_state=0)
    model.set_callbacks(listener).fit(X, Y, sample_source=SOURCE)
    begun = of_kind(listener, "begin")
    assert begun[:2] == ["fit", "fit-members"]
    assert len(begun) == 2 + 2 * 3  # two members, on two folds and on all rows
    assert "merged on fold 1" in begun
    assert "merged on all rows" in begun


def test_callbacks_come_down_from_a_pipeline_and_a_search():
    for outer in (
        make_pipeline(StandardScaler(), Merged(LOGISTIC)),
        GridSearchCV(Merged(LOGISTIC), {"balance": [None, "classes"]}, cv=2),
    ):
        listener = Listener()
        outer.set_callbacks(listener).fit(X, Y)
        assert len(of_kind(listener, "begin")) == len(of_kind(listener, "end")) > 2
        assert of_kind(listener, "setup") == [type(outer).__name__]


def test_a_fit_that_fails_is_taken_down_and_leaves_nothing():
    listener = Listener()
    model = Merged(LOGISTIC).set_callbacks(listener)
    with pytest.raises(SourceError, match="label every sample"):
        model.fit(X, Y, sample_source=SOURCE[:5])
    assert listener.heard[-1] == ("teardown", "Merged")
    assert set(vars(model)) - set(model.get_params()) == {"_skl_callbacks"}


def test_the_monitor_scores_a_merge_that_reads_its_source_from_a_column():
    rows = np.column_stack([X, SOURCE == "first"])
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = Merged(LOGISTIC, source=-1, scale_by="source").set_callbacks(monitor)
    model.fit(rows, Y)
    [score] = [row["accuracy"] for row in monitor.get_logs().data]
    assert score == pytest.approx(model.score(rows, Y))


def test_the_progress_bar_runs():
    pytest.importorskip("rich")
    told = io.StringIO()
    with redirect_stdout(told):
        model = Tandem(LOGISTIC, cv=2, random_state=0)
        model.set_callbacks(callback.ProgressBar()).fit(X, Y, sample_source=SOURCE)
    assert "Tandem" in told.getvalue()


def test_callbacks_outlive_clone_and_pickle():
    listener = Listener()
    model = Merged(LOGISTIC).set_callbacks(listener)
    assert clone(model)._skl_callbacks == [listener]
    again = pickle.loads(pickle.dumps(model))
    assert [type(c) for c in again._skl_callbacks] == [Listener]
