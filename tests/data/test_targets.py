"""Targets of any kind: taken for what they are, or refused by name at every door."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from sktandem import Merged, SharedNet, SourceError, Tandem, table_preprocessor
from sktandem.data._cells import as_target
from sktandem.members import OwnModels, WeightedMerge
from sktandem.model_selection import SourceKFold, compare_strategies, score_by_source

pytest.importorskip("torch")

N = 40
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(N, 2)), columns=["u", "v"])
SOURCE = np.tile(["a", "b"], N // 2)
NUMBERS = X["u"].to_numpy()
GIVEN = {"sample_source": SOURCE}
TABLES = {
    "numbers": X,
    "strings": X.assign(w=np.tile(["p", "q"], N // 2)),
    "booleans": X.assign(w=pd.array(NUMBERS > 0, dtype="boolean")),
    "missing": X.assign(v=X["v"].where(X["v"] > -1)),
}
BOOSTED = HistGradientBoostingRegressor(max_iter=2)


def fits(X, y):
    """Return every door at which y comes in, by name."""
    models = {
        "merged": Merged(Ridge(), scaler=table_preprocessor()),
        "boosted": Merged(BOOSTED),
        "target scaled": Merged(BOOSTED, scale_target_by="source"),
        "own": OwnModels(BOOSTED),
        "tandem": Tandem(BOOSTED, cv=2),
        "net": SharedNet(task="regression", scaler=table_preprocessor()),
        "heads": SharedNet(task="regression", heads="source"),
    }
    for name, model in models.items():
        yield name, lambda model=model: model.fit(X, y, **GIVEN)
    fitted = Merged(Ridge(), scaler=table_preprocessor()).fit(X, NUMBERS, **GIVEN)
    yield "score", lambda: fitted.score(X, y, **GIVEN)
    yield "scores", lambda: score_by_source(fitted, X, y, **GIVEN)
    yield "folds", lambda: list(SourceKFold(2).split(X, y, **GIVEN))
    yield (
        "compare",
        lambda: compare_strategies(BOOSTED, X, y, **GIVEN, cv=2, progress=False),
    )


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "contains NaN: y is missing in 1 row of"),
        (-np.inf, "contains infinity"),
    ],
)
@pytest.mark.filterwarnings("ignore:There are only")
def test_what_is_wrong_with_y_is_not_said_of_x(table, value, message):
    y = NUMBERS.copy()
    y[7] = value

    for name, fit in fits(TABLES[table], y):
        with pytest.raises(SourceError) as caught:
            fit()
        told = str(caught.value)
        assert f"Input y {message}" in told, name
        assert "first at row 7. Drop" in told


def test_a_missing_target_of_a_row_that_weighs_nothing_is_dropped_with_it():
    y, weight = NUMBERS.copy(), np.ones(N)
    y[7], weight[7] = np.nan, 0
    kept = np.arange(N) != 7

    model = Merged(Ridge()).fit(X, y, sample_weight=weight, **GIVEN)

    by_hand = Merged(Ridge()).fit(X[kept], y[kept], sample_source=SOURCE[kept])
    np.testing.assert_allclose(model.predict(X), by_hand.predict(X))


@pytest.mark.parametrize(
    ("given", "kind"),
    [([True, False], bool), ([1, 0], int), ([1.5, 2], float)],
)
def test_what_came_as_objects_has_its_own_dtype(given, kind):
    assert as_target(pd.Series(given, dtype=object)).dtype == np.dtype(kind)


@pytest.mark.parametrize("given", [[1, "a"], [True, 1], ["a", "b"], [2**70, 1]])
def test_what_has_no_dtype_in_common_stays_objects(given):
    assert as_target(np.array(given, dtype=object)).tolist() == given


@pytest.mark.filterwarnings("ignore:There are only")
def test_booleans_left_by_dropping_rows_are_classes():
    y = pd.Series((NUMBERS > 0).tolist(), dtype=object)
    learner = LogisticRegression()

    for model in (
        Merged(learner),
        OwnModels(learner),
        WeightedMerge(learner, random_state=0),
        Tandem(learner, cv=2, random_state=0),
        SharedNet(task="classification", random_state=0),
        SharedNet(task="classification", heads="source", random_state=0),
    ):
        model.fit(X, y, **GIVEN)
        assert model.classes_.dtype == bool
        assert model.score(X, y, **GIVEN) > 0.8


SURVIVAL = np.zeros(N, dtype=[("event", bool), ("time", float)])
SURVIVAL["event"], SURVIVAL["time"] = NUMBERS > -1, np.exp(NUMBERS)


class Survival(RegressorMixin, BaseEstimator):
    """Regresses the time of those with an event."""

    def fit(self, X, y):
        seen = y["event"]
        self.inner_ = Ridge().fit(X[seen], y["time"][seen])
        return self

    def predict(self, X):
        return self.inner_.predict(X)


@pytest.mark.parametrize("scale_by", ["pooled", "source"])
def test_a_structured_target_passes_to_what_takes_it(scale_by):
    model = Merged(Survival(), scaler=None)
    own = OwnModels(Survival(), scaler=None)

    predicted = model.fit(X.to_numpy(), SURVIVAL, **GIVEN).predict(X.to_numpy())

    by_hand = Survival().fit(X.to_numpy(), SURVIVAL).predict(X.to_numpy())
    np.testing.assert_allclose(predicted, by_hand)
    own.fit(X.to_numpy(), SURVIVAL, **GIVEN)
    assert len(list(SourceKFold(2).split(X, SURVIVAL, **GIVEN))) == 2


@pytest.mark.filterwarnings("ignore:There are only")
def test_a_structured_target_is_refused_where_one_target_is_needed():
    survival = Survival()
    table = X.to_numpy()
    fitted = Merged(survival).fit(table, SURVIVAL, **GIVEN)
    refused = [
        lambda: fitted.score(table, SURVIVAL, **GIVEN),
        lambda: score_by_source(fitted, table, SURVIVAL, **GIVEN),
        lambda: Merged(LogisticRegression()).fit(table, SURVIVAL, **GIVEN),
        lambda: Merged(survival, scale_target_by="source").fit(
            table, SURVIVAL, **GIVEN
        ),
        lambda: Tandem(survival).fit(table, SURVIVAL, **GIVEN),
        lambda: compare_strategies(survival, table, SURVIVAL, **GIVEN, progress=False),
        lambda: SharedNet(task="regression").fit(table, SURVIVAL, **GIVEN),
        lambda: SharedNet(task="classification").fit(table, SURVIVAL, **GIVEN),
        lambda: SharedNet(task="regression", heads="source").fit(
            table, SURVIVAL, **GIVEN
        ),
    ]

    for fit in refused:
        with pytest.raises(
            SourceError, match=r"y has the fields \['event', 'time'\], and .*y\['event"
        ):
            fit()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("y", "got str"),
        (3, "got int"),
        ({"a": 1}, "got dict"),
        (sparse.csr_matrix(np.ones((N, 1))), "got csr_matrix"),
        (len, "got builtin_function"),
        ([[1] * (row % 3) for row in range(N)], r"got \[\] at row 0.*one length"),
        (pd.Series([(1, 2)] * N), r"got \(1, 2\) at row 0"),
    ],
    ids=["text", "number", "dict", "sparse", "function", "ragged", "tuples"],
)
def test_what_is_no_target_is_refused_at_every_door(given, message):
    for _, fit in fits(X, given):
        with pytest.raises(SourceError, match="^y must hold .*" + message):
            fit()


def test_a_missing_date_is_no_target():
    days = np.arange(N).astype("M8[D]")
    days[7] = np.datetime64("NaT")

    for _, fit in fits(X, days):
        with pytest.raises(SourceError, match=r"y is missing in 1 row of .* at row 7"):
            fit()
