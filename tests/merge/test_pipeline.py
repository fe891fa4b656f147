"""A fitted merge as a plain pipeline: the same predictions, and no need of us."""

import pickle
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sktandem import Merged, SourceError, table_preprocessor
from sktandem.datasets import make_two_sources
from sktandem.members import OwnModels

X, Y, SOURCE = make_two_sources(
    150, task="classification", return_X_y=True, random_state=0
)
FRAME = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
MIXED = FRAME.assign(sex=np.where(X[:, 3] > 0, "f", "m"), ward=np.tile(list("xyz"), 50))
MIXED = MIXED[["sex", "a", "ward", "b", "c"]]
HOLES = MIXED.copy()
HOLES.loc[3:9, "a"] = np.nan
HOLES.loc[12, "sex"] = np.nan

BLOCKED = """
import pickle, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "sktandem":
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import warnings
warnings.simplefilter("error")
cases = pickle.loads(sys.stdin.buffer.read())
for pipeline, rows, expected in cases:
    assert abs(pipeline.predict_proba(rows) - expected).max() < 1e-12
print(len(cases), "sktandem" in sys.modules)
"""


def with_column(rows):
    if isinstance(rows, pd.DataFrame):
        return rows.assign(site=SOURCE)
    return np.column_stack([SOURCE.astype(object), rows.astype(object)])


NAMED = [
    pytest.param(Merged(LogisticRegression(), scaler=scaler), rows, id=f"{scaler}-{n}")
    for scaler in (None, "standard", "minmax", "robust")
    for n, rows in (("array", X), ("frame", FRAME))
]
INSIDE = make_pipeline(table_preprocessor(scaler=None), LogisticRegression())
OTHERS = [
    pytest.param(Merged(LogisticRegression(), scaler=StandardScaler()), X, id="own"),
    pytest.param(
        Merged(LogisticRegression(), scaler=table_preprocessor()), MIXED, id="table"
    ),
    pytest.param(
        Merged(LogisticRegression(), scaler=table_preprocessor()), HOLES, id="holes"
    ),
    pytest.param(
        Merged(
            HistGradientBoostingClassifier(
                categorical_features=["sex", "ward"], max_iter=5
            )
        ),
        MIXED.astype({"sex": "category", "ward": "category"}),
        id="categories",
    ),
    pytest.param(Merged(INSIDE), MIXED, id="inside"),
    pytest.param(Merged(LogisticRegression(), balance="both"), X, id="balanced"),
    pytest.param(
        Merged(LogisticRegression()), sparse.csr_matrix(X * (X > 0)), id="sparse"
    ),
    pytest.param(
        Merged(LogisticRegression(), scaler="minmax"),
        sparse.csr_matrix(X * (X > 0)),
        id="sparse minmax",
    ),
]


COLUMNS = [
    ("standard", FRAME, "site"),
    ("minmax", FRAME, -1),
    (None, FRAME, "site"),
    (table_preprocessor(), HOLES, "site"),
    ("standard", X, 0),
    ("robust", X, 0),
    (None, X, 0),
]


def fitted(model, rows):
    if model.source is None:
        return clone(model).fit(rows, Y, sample_source=SOURCE)
    return clone(model).fit(rows, Y)


def of_column(scaler, rows, source):
    return Merged(LogisticRegression(), scaler=scaler, source=source), with_column(rows)


@pytest.mark.parametrize(("model", "rows"), NAMED + OTHERS)
def test_a_pipeline_predicts_the_same(model, rows):
    model = fitted(model, rows)

    pipeline = model.to_pipeline()

    assert type(pipeline) is Pipeline
    np.testing.assert_allclose(
        pipeline.predict_proba(rows), model.predict_proba(rows), rtol=0, atol=1e-12
    )
    np.testing.assert_array_equal(pipeline.predict(rows), model.predict(rows))


@pytest.mark.parametrize(("scaler", "rows", "source"), COLUMNS)
def test_the_column_of_sources_is_dropped(scaler, rows, source):
    model, rows = of_column(scaler, rows, source)
    model = fitted(model, rows)
    other = rows.copy()
    if isinstance(rows, pd.DataFrame):
        other["site"] = "nobody"
    else:
        other[:, source] = "nobody"

    predicted = model.to_pipeline().predict_proba(other)

    np.testing.assert_allclose(predicted, model.predict_proba(rows), rtol=0, atol=1e-12)


def test_a_pickle_of_a_pipeline_opens_where_this_package_is_not():
    cases = [case.values for case in NAMED + OTHERS]
    cases += [of_column(*case) for case in COLUMNS]
    sent = []
    for model, rows in cases:
        model = fitted(model, rows)
        sent.append((model.to_pipeline(), rows, model.predict_proba(rows)))
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED],
        input=pickle.dumps(sent),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == f"{len(cases)} False"


def test_a_pipeline_is_a_copy():
    model = Merged(Ridge()).fit(X, Y, sample_source=SOURCE)
    before = model.predict(X)
    model.to_pipeline().fit(X, -Y)
    np.testing.assert_array_equal(model.predict(X), before)


def test_a_merge_of_one_source_has_no_sources_to_depend_on():
    model = Merged(SVC()).fit(X, Y)
    np.testing.assert_array_equal(model.to_pipeline().predict(X), model.predict(X))


@pytest.mark.skipif(not find_spec("skops"), reason="needs skops")
@pytest.mark.parametrize(("model", "rows"), NAMED)
def test_skops_asks_nothing_about_a_pipeline(model, rows):
    from skops import io

    data = io.dumps(model.fit(rows, Y, sample_source=SOURCE).to_pipeline())
    assert io.get_untrusted_types(data=data) == []
    np.testing.assert_allclose(
        io.loads(data).predict_proba(rows),
        model.predict_proba(rows),
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.parametrize(
    ("params", "because"),
    [
        ({"scale_by": "source"}, "X was scaled by source"),
        ({"representation": "indicator"}, "representation is 'indicator'"),
        ({"representation": "augmented"}, "representation is 'augmented'"),
        ({"scale_target_by": "source"}, "y was scaled by source"),
    ],
)
def test_what_depends_on_the_source_is_refused(params, because):
    model = Merged(Ridge(), **params).fit(X, Y, sample_source=SOURCE)
    with pytest.raises(
        SourceError, match=rf"{because}\. Fit with scale_by='pooled', representation"
    ):
        model.to_pipeline()


def test_what_needs_this_package_is_refused():
    dates = FRAME.assign(day=pd.date_range("2024-01-01", periods=150))
    model = Merged(LogisticRegression(), scaler=table_preprocessor())
    model.fit(dates, Y, sample_source=SOURCE)
    with pytest.raises(SourceError, match=r"hold sktandem\..*DateEncoder.*Turn dates"):
        model.to_pipeline()
    ours = Merged(OwnModels(LogisticRegression()), scaler=None)
    ours.fit(X, Y, sample_source=SOURCE)
    with pytest.raises(SourceError, match=r"OwnModels.*Save the model itself"):
        ours.to_pipeline()


def test_classes_of_two_kinds_are_refused():
    y = np.where(SOURCE == "first", Y.astype(object), "x")
    model = Merged(LogisticRegression()).fit(X, y, sample_source=SOURCE)
    with pytest.raises(SourceError, match=r"numbers and strings, .*labels='str'"):
        model.to_pipeline()


def test_an_unfitted_merge_has_no_pipeline():
    with pytest.raises(NotFittedError, match="not fitted"):
        Merged(Ridge()).to_pipeline()


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series(["u", None, "v", "u"] * 20, dtype="string"),
        pd.Series(["u", pd.NA, "v", "u"] * 20, dtype=object),
        pd.Series([0, 1, 2, 1] * 20, dtype="category"),
        pd.Series([True, None, False, True] * 20, dtype="boolean"),
    ],
    ids=["string", "object", "category", "boolean"],
)
def test_categories_of_every_dtype_are_read_the_same(cells):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=80), "c": cells})
    y, source = rng.integers(0, 2, 80), np.repeat(["p", "q"], 40)
    model = Merged(LogisticRegression(), scaler=table_preprocessor())
    model.fit(table, y, sample_source=source)

    found = model.to_pipeline().predict_proba(table)

    np.testing.assert_allclose(found, model.predict_proba(table), rtol=0, atol=1e-12)
