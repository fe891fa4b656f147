"""Every estimator of the package through skops, and only what is listed trusted."""

import re
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_regressor
from sklearn.linear_model import (
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDRegressor,
)
from sklearn.preprocessing import StandardScaler

from sktandem import (
    Merged,
    SharedNet,
    SourceError,
    SourceScaler,
    Tandem,
    read_sources,
    schedules,
    table_preprocessor,
)
from sktandem.datasets import make_two_sources
from sktandem.files import TRUSTED_TYPES, load_model
from sktandem.members import (
    OnlySource,
    OtherSources,
    OwnModels,
    SimilarityWeighted,
    StackedOwnModels,
    StackedPrediction,
    WeightedMerge,
)
from sktandem.model_selection import LeaveOneSourceOut, SourceKFold, source_scorer
from sktandem.nn import default_net

skops = pytest.mark.skipif(not find_spec("skops"), reason="needs skops")

X, Y, SOURCE = make_two_sources(
    120, task="classification", return_X_y=True, random_state=0
)
TABLE = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "x", "y")})
TABLE["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(120), unit="D")
TABLE.loc[3, "a"] = np.nan

LOGISTIC, RIDGE = LogisticRegression(), Ridge()
DONOR = LogisticRegression().fit(X, Y)
MODELS = [
    *(
        Merged(estimator, scaler=scaler, scale_by=by, representation=kind)
        for estimator in (LOGISTIC, RIDGE)
        for scaler, by in (
            (None, "pooled"),
            ("standard", "pooled"),
            ("minmax", "source"),
            ("robust", "source"),
            (StandardScaler(), "source"),
        )
        for kind in ("shared", "indicator", "augmented")
    ),
    Merged(RIDGE, scale_target_by="source", balance="sources"),
    Merged(LOGISTIC, balance="both", balance_by="oversample", random_state=0),
    Merged(LOGISTIC, scaler=table_preprocessor()),
    OwnModels(LOGISTIC),
    OnlySource(RIDGE, name="first"),
    OtherSources(RIDGE),
    StackedOwnModels(LOGISTIC),
    StackedPrediction(RIDGE),
    SimilarityWeighted(LOGISTIC),
    WeightedMerge(RIDGE, cv=2),
    Tandem(LOGISTIC, cv=2, random_state=0),
    Tandem(RIDGE, cv=2, random_state=0, unknown_source="pooled"),
    Tandem(
        PoissonRegressor(),
        members=[OwnModels(), Merged()],
        cv=2,
        combine="choose",
        random_state=0,
    ),
    Tandem(LOGISTIC, donors={"published": DONOR}, cv=2, random_state=0),
    SharedNet(default_net(max_epochs=2), random_state=0),
]
SCHEDULES = [
    *(getattr(schedules, name)() for name in schedules.__all__
      if name.endswith(("Alternation", "Curriculum", "Bandit", "Joint", "Shuffled"))),
    schedules.Phases([("batches", 1), ("joint", 2)]),
]  # fmt: skip


def asked_of(data):
    from skops import io

    return set(io.get_untrusted_types(data=data))


def there_and_back(thing):
    from skops import io

    return io.loads(io.dumps(thing), trusted=TRUSTED_TYPES)


def fitted(model):
    mixed = "table" in repr(model) or "ColumnTransformer" in repr(model)
    rows = TABLE if mixed else X
    y = np.abs(X[:, 0]) if is_regressor(model) else Y
    return model.fit(rows, y, sample_source=SOURCE), rows


def without_addresses(model):
    """Return what a test is called: the same in every process."""
    return re.sub(r" at 0x\w+", "", repr(model))


@skops
@pytest.mark.parametrize("model", MODELS, ids=without_addresses)
def test_every_estimator_predicts_the_same_after_skops(model):
    model, rows = fitted(model)

    again = there_and_back(model)

    for method in ("predict", "predict_proba"):
        if hasattr(model, method):
            np.testing.assert_allclose(
                getattr(again, method)(rows, sample_source=SOURCE),
                getattr(model, method)(rows, sample_source=SOURCE),
                rtol=0,
                atol=1e-12,
            )
    assert again.sources_ == model.sources_
    if isinstance(model, Tandem):
        assert again.gain_.to_frame().equals(model.gain_.to_frame())


@skops
@pytest.mark.parametrize("scaler", ["standard", "minmax", StandardScaler()], ids=repr)
def test_a_scaler_transforms_the_same_after_skops(scaler):
    model = SourceScaler(scaler=scaler).fit(X, sample_source=SOURCE)
    again = there_and_back(model)
    np.testing.assert_allclose(
        again.transform(X, sample_source=SOURCE),
        model.transform(X, sample_source=SOURCE),
        rtol=0,
        atol=1e-12,
    )


@skops
def test_what_stands_around_estimators_comes_back_from_skops():
    preprocessor = table_preprocessor().fit(TABLE)
    np.testing.assert_allclose(
        there_and_back(preprocessor).transform(TABLE), preprocessor.transform(TABLE)
    )
    model, _ = fitted(Merged(LOGISTIC))
    scorer = source_scorer("roc_auc", "first")
    given = {"sample_source": SOURCE}
    assert there_and_back(scorer)(model, X, Y, **given) == pytest.approx(
        scorer(model, X, Y, **given)
    )
    for splitter in (SourceKFold(3), LeaveOneSourceOut()):
        again = there_and_back(splitter)
        for ours, theirs in zip(
            again.split(X, Y, sample_source=SOURCE),
            splitter.split(X, Y, sample_source=SOURCE),
        ):
            np.testing.assert_array_equal(ours[1], theirs[1])
    for schedule in SCHEDULES:
        assert repr(there_and_back(schedule)) == repr(schedule)


@skops
def test_the_list_holds_what_is_needed_and_nothing_more():
    from skops import io

    things = [fitted(model)[0] for model in MODELS]
    things += [SourceScaler().fit(X, sample_source=SOURCE), *SCHEDULES]
    things += [SourceKFold(), LeaveOneSourceOut(), source_scorer("accuracy", "first")]
    table = TABLE.assign(y=Y)
    tables = read_sources({n: table[n == SOURCE] for n in ("first", "second")},
                          target="y")  # fmt: skip
    things.append(tables.fit(Merged(LOGISTIC, scaler=table_preprocessor())))
    for scaler, by in (
        ("standard", "source"),
        ("minmax", None),
        (StandardScaler(), None),
    ):
        model = Merged(SGDRegressor(), scaler=scaler, scale_target_by=by)
        things.append(clone(model).partial_fit(X, X[:, 0], sample_source=SOURCE))
        model.fit(X, X[:, 0], sample_source=SOURCE)
        things.append(model.partial_fit(X, X[:, 0], sample_source=SOURCE))

    asked = set().union(*(asked_of(io.dumps(thing)) for thing in things))

    assert sorted(asked) == sorted(TRUSTED_TYPES)


def test_each_type_of_the_list_is_of_this_package():
    for name in TRUSTED_TYPES[1:]:
        module, _, kind = name.rpartition(".")
        assert getattr(import_module(module), kind).__module__ == module
    assert TRUSTED_TYPES[0] == "numpy.dtype"


@skops
def test_a_function_of_ours_that_is_not_listed_is_not_called(tmp_path):
    """A file can have what it names called: load_model would open a pickle."""
    from skops import io

    path = tmp_path / "odd.skops"
    io.dump({"a": load_model}, path)
    with pytest.raises(SourceError, match=r"holds the types \['sktandem\.files\._mod"):
        load_model(path)


@skops
def test_a_net_of_skorch_is_said_to_bring_a_pickle(tmp_path):
    from skops import io

    path = tmp_path / "net.skops"
    io.dump(default_net(), path)
    with pytest.raises(SourceError, match=r"'skorch\..*skorch brings a pickle"):
        load_model(path)


@skops
@pytest.mark.parametrize("first", ["fit", "partial_fit"])
@pytest.mark.parametrize("scaler", ["standard", "minmax", None, StandardScaler()])
@pytest.mark.parametrize("by", [None, "source"])
def test_a_model_that_learns_in_parts_goes_on_after_skops(first, scaler, by):
    model = Merged(SGDRegressor(random_state=0), scaler=scaler, scale_target_by=by)
    getattr(model, first)(X, X[:, 0], sample_source=SOURCE)
    model.partial_fit(X, X[:, 0], sample_source=SOURCE)

    again = there_and_back(model).partial_fit(X, X[:, 0], sample_source=SOURCE)

    model.partial_fit(X, X[:, 0], sample_source=SOURCE)
    np.testing.assert_allclose(
        again.predict(X, sample_source=SOURCE), model.predict(X, sample_source=SOURCE)
    )


@skops
def test_a_file_that_was_cut_short_is_told_as_one(tmp_path):
    path = tmp_path / "model.skops"
    path.write_bytes(b"PK\x03\x04 and no more")

    with pytest.raises(SourceError, match=r"model\.skops is not a skops file"):
        load_model(path)
