"""Warnings point at the user's line, however deep in other tools they arise."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import sktandem
from sktandem import Merged, SourceScaler, SourceWarning, Tandem
from sktandem.members import OwnModels, WeightedMerge
from sktandem.model_selection import (
    compare_strategies,
    learning_curve_by_source,
    score_by_source,
    source_scorers,
)
from sktandem.schedules import EpochAlternation, Phases
from sktandem.shift import shift_report

RNG = np.random.default_rng(0)
N = 80
X = RNG.normal(size=(N, 3)).astype(np.float32)
Y = np.tile([0, 1, 1, 0], N // 4)
SOURCE = np.tile(["a", "b"], N // 2)
TABLE = pd.DataFrame(X, columns=["u", "v", "w"]).assign(site=SOURCE)
OBJECTS = TABLE.assign(w=TABLE["w"].astype(object))

LEARNER = LogisticRegression()
ONE = "Only one source, 'all'"
HIDDEN = "hold numbers but are of dtype object"


def in_pipeline(model):
    make_pipeline(StandardScaler(), model).fit(X, Y)


def in_pipeline_of_pipelines(model):
    inner = make_pipeline(FunctionTransformer(), model)
    make_pipeline(StandardScaler(), inner).fit(X, Y)


def in_cross_val_score(model):
    cross_val_score(make_pipeline(StandardScaler(), model), X, Y, cv=2)


def in_cross_validate(model):
    cross_validate(model, X, Y, cv=2, error_score="raise")


def in_cross_val_predict(model):
    cross_val_predict(model, X, Y, cv=2)


def in_learning_curve(model):
    learning_curve(model, X, Y, cv=2, train_sizes=[0.9])


def in_search(model):
    GridSearchCV(make_pipeline(StandardScaler(), model), {}, cv=2).fit(X, Y)


def in_voting(model):
    VotingClassifier([("one", model), ("two", LEARNER)]).fit(X, Y)


TOOLS = [
    in_pipeline,
    in_pipeline_of_pipelines,
    in_cross_val_score,
    in_cross_validate,
    in_cross_val_predict,
    in_learning_curve,
    in_search,
    in_voting,
]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "model",
    [
        Merged(LEARNER, balance="sources"),
        Merged(LEARNER, scale_by="source"),
        Tandem(LEARNER, members=[OwnModels(), Merged()], cv=2),
    ],
    ids=["balance", "scale_by", "tandem"],
)
def test_a_warning_in_a_tool_of_scikit_learn_points_at_the_user(tool, model):
    with pytest.warns(SourceWarning, match=ONE) as record:
        tool(model)

    assert {w.filename for w in record} == {__file__}


@pytest.mark.parametrize("tool", [in_pipeline, in_cross_val_score, in_search])
@pytest.mark.parametrize("settings", [{}, {"heads": "source"}], ids=["one", "heads"])
def test_so_does_that_of_a_net(tool, settings):
    nn = pytest.importorskip("sktandem.nn")
    net = nn.default_net("classification", max_epochs=1)
    model = sktandem.SharedNet(net, random_state=0, **settings)

    with pytest.warns(SourceWarning, match=ONE) as record:
        tool(model)

    assert {w.filename for w in record} == {__file__}


def test_so_does_that_of_a_schedule():
    nn = pytest.importorskip("sktandem.nn")
    net = nn.default_net("classification", max_epochs=1)
    once = Phases([(EpochAlternation(["a"]), 1)])
    model = sktandem.SharedNet(net, schedule=once, source="site", random_state=0)

    with pytest.warns(SourceWarning, match=r"No phase trains \['b'\]") as record:
        make_pipeline(FunctionTransformer(), model).fit(TABLE, Y)

    assert [w.filename for w in record] == [__file__]


def in_a_step(function):
    """Call a function of ours from within a fit of scikit-learn."""
    step = FunctionTransformer(lambda X: function() and X)
    cross_val_score(make_pipeline(step, LEARNER), X, Y, cv=2, error_score="raise")


FITTED = Merged(LEARNER).fit(X, Y, sample_source=SOURCE)
ALL_OF_A = np.where(SOURCE == "a", 1, Y)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: score_by_source(
                FITTED, X, ALL_OF_A, sample_source=SOURCE, scoring="roc_auc"
            ),
            "single class",
        ),
        (
            lambda: compare_strategies(
                LEARNER,
                X[:20],
                Y[:20],
                sample_source=SOURCE[:20],
                strategies=[Merged()],
                cv=2,
                n_repeats=1,
                progress=False,
            ),
            "There are only",
        ),
        (
            lambda: learning_curve_by_source(
                LEARNER,
                X[:40],
                Y[:40],
                sample_source=SOURCE[:40],
                primary_source="a",
                strategies=[Merged()],
                train_sizes=[0.5],
                cv=2,
                progress=False,
            ),
            "There are only",
        ),
        (
            lambda: shift_report(X[:24], Y[:24], sample_source=SOURCE[:24]),
            "has only 12 rows",
        ),
        (
            lambda: SourceScaler().fit(OBJECTS.drop(columns="site")),
            HIDDEN,
        ),
        (
            lambda: WeightedMerge(LEARNER, source="site", cv=2).fit(OBJECTS, Y),
            HIDDEN,
        ),
    ],
    ids=["scores", "comparison", "curve", "shift", "scaler", "member"],
)
def test_a_function_of_ours_points_at_its_caller(call, message):
    with pytest.warns(SourceWarning, match=message) as direct:
        call()
    with pytest.warns(SourceWarning, match=message) as within:
        in_a_step(call)

    assert {w.filename for w in [*direct, *within]} == {__file__}


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_a_scorer_in_a_search_points_at_the_user():
    search = GridSearchCV(
        Merged(LEARNER, source="site"),
        {},
        cv=[(np.arange(40, N), np.flatnonzero(SOURCE[:40] == "a"))],
        scoring=source_scorers("accuracy", ["a", "b"], source="site"),
        refit="accuracy[a]",
    )

    with pytest.warns(SourceWarning, match="No row of source 'b'") as record:
        search.fit(TABLE, Y)

    ours = [w for w in record if w.category is SourceWarning]
    assert {w.filename for w in ours} == {__file__}


def test_no_file_counts_the_levels_of_the_stack_by_itself():
    for path in Path(sktandem.__file__).parent.rglob("*.py"):
        if path.name == "_telling.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            named = isinstance(node, ast.Attribute) and ast.unparse(node)
            assert named != "warnings.warn", f"{path}: use sktandem._telling.warn"
