"""A merge that gets its rows a part at a time."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.decomposition import IncrementalPCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    LogisticRegression,
    Perceptron,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import FunctionTransformer, RobustScaler, StandardScaler

from sktandem import Merged, stack_sources, table_preprocessor
from sktandem.exceptions import SourceError, SourceWarning

SEEDS = st.integers(0, 9999)
RNG = np.random.default_rng(0)
N = 240
SOURCE = np.where(RNG.random(N) < 0.8, "clinic", "lab")
X = RNG.normal(size=(N, 3)) + (SOURCE == "lab")[:, None]
Y = np.where(X[:, 0] + RNG.normal(size=N) > 0, "ill", "well")
NUMBERS = X @ [1.0, 2.0, 3.0] + 50 * (SOURCE == "lab")
CLASSES = ["ill", "well"]
COUNTS = {
    "clinic": int((SOURCE == "clinic").sum()),
    "lab": int((SOURCE == "lab").sum()),
}


class Spy(ClassifierMixin, BaseEstimator):
    """Keeps what each call of partial_fit was given."""

    def fit(self, X, y, sample_weight=None):
        return self.partial_fit(X, y, np.unique(y), sample_weight)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        if classes is not None:
            self.classes_, self.calls_ = np.asarray(classes), []
        self.calls_.append((X, y, sample_weight))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class NumberSpy(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        return self.partial_fit(X, y)

    def partial_fit(self, X, y):
        self.calls_ = [*getattr(self, "calls_", []), (X, y)]
        return self

    def predict(self, X):
        return np.zeros(len(X))


def in_parts(model, X, y, source, parts, **first):
    """Hand the rows over in parts; `first` goes to the first call alone."""
    for nth, rows in enumerate(parts):
        more = {} if nth else first
        model.partial_fit(X[rows], y[rows], sample_source=source[rows], **more)
    return model


def thirds(n=N):
    return np.array_split(np.arange(n), 3)


def weights_of(model, nth):
    return model.estimator_.calls_[nth][2]


# Weights ----------------------------------------------------------------------


@given(seed=SEEDS, n_parts=st.integers(1, 9), lab=st.floats(0.1, 10))
def test_with_counts_given_the_parts_are_one_fit(seed, n_parts, lab):
    """Counts of words are sums, so that naive Bayes does not mind how they come."""
    rng = np.random.default_rng(seed)
    words = rng.poisson(2, size=(N, 4))
    order = rng.permutation(N)
    balance = {"clinic": 1, "lab": lab}
    at_once = Merged(MultinomialNB(), scaler=None, balance=balance)
    at_once.fit(words, Y, sample_source=SOURCE)

    model = clone(at_once)
    parts = np.array_split(order, n_parts)
    in_parts(model, words, Y, SOURCE, parts, classes=CLASSES, sources=COUNTS)

    np.testing.assert_allclose(
        model.estimator_.feature_count_, at_once.estimator_.feature_count_
    )
    np.testing.assert_allclose(
        model.estimator_.class_count_, at_once.estimator_.class_count_
    )
    assert model.n_samples_by_source_ == at_once.n_samples_by_source_ == COUNTS
    assert {type(n) for n in model.n_samples_by_source_.values()} == {int}


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("counted", [False, True], ids=["listed", "counted"])
@pytest.mark.parametrize(
    "balance", [None, "sources", "classes", "both", {"clinic": 1, "lab": 3}]
)
@pytest.mark.parametrize("learner", [MultinomialNB(), GaussianNB()])
def test_one_call_is_a_fit(learner, balance, counted, weighted):
    """Or is refused: counts of rows are no sums of weights, nor rows of classes."""
    rng = np.random.default_rng(0)
    words = rng.poisson(2, size=(N, 4)).astype(float)
    weights = rng.uniform(0.5, 2, size=N) * np.where(SOURCE == "lab", 5, 1)
    weights = weights if weighted else None
    at_once = Merged(learner, scaler=None, balance=balance)
    at_once.fit(words, Y, sample_source=SOURCE, sample_weight=weights)
    given = {"classes": CLASSES, "sources": COUNTS if counted else list(COUNTS)}
    model = clone(at_once)

    def one_call():
        model.partial_fit(
            words, Y, sample_source=SOURCE, sample_weight=weights, **given
        )

    if counted and (balance in ("classes", "both") or (weighted and balance)):
        with pytest.raises(SourceError, match="sources gives the rows of each source,"):
            one_call()
        return
    one_call()
    for name in ("class_count_", "theta_", "var_", "feature_count_"):
        if hasattr(at_once.estimator_, name):
            np.testing.assert_allclose(
                getattr(model.estimator_, name), getattr(at_once.estimator_, name)
            )


@pytest.mark.parametrize(
    "balance", ["sources", "classes", "both", {"clinic": 1, "lab": 3}]
)
def test_each_call_weighs_as_a_fit_on_all_rows_so_far(balance):
    rng = np.random.default_rng(0)
    base = rng.uniform(0.5, 2, size=N)
    model = Merged(Spy(), scaler=None, balance=balance)
    for nth, rows in enumerate(thirds()):
        so_far = np.concatenate(thirds()[: nth + 1])
        model.partial_fit(
            X[rows],
            Y[rows],
            sample_source=SOURCE[rows],
            sample_weight=base[rows],
            classes=CLASSES if nth == 0 else None,
        )
        at_once = Merged(Spy(), scaler=None, balance=balance).fit(
            X[so_far],
            Y[so_far],
            sample_source=SOURCE[so_far],
            sample_weight=base[so_far],
        )

        np.testing.assert_allclose(
            weights_of(model, nth), weights_of(at_once, 0)[-len(rows) :]
        )


def test_the_formula_of_running_counts():
    """A row of the clinic weighs p N / N_clinic, with the counts so far."""
    rows = {"clinic": [30, 10], "lab": [5, 15]}
    model, n = Merged(Spy(), scaler=None, balance={"clinic": 1, "lab": 4}), {}
    for nth in range(2):
        labels = [name for name in rows for _ in range(rows[name][nth])]
        n = {name: n.get(name, 0) + rows[name][nth] for name in rows}
        x, y = np.ones((len(labels), 1)), np.tile(CLASSES, len(labels))[: len(labels)]
        model.partial_fit(x, y, sample_source=labels, classes=CLASSES)

        share = {"clinic": 0.2, "lab": 0.8}
        expected = [share[name] * sum(n.values()) / n[name] for name in labels]
        np.testing.assert_allclose(weights_of(model, nth), expected)


def test_a_source_that_is_still_to_come_takes_no_share():
    only_clinic = SOURCE == "clinic"
    model = Merged(Spy(), scaler=None, balance="sources")

    model.partial_fit(
        X[only_clinic],
        Y[only_clinic],
        sample_source=SOURCE[only_clinic],
        classes=CLASSES,
        sources=["clinic", "lab"],
    )

    np.testing.assert_allclose(weights_of(model, 0), 1.0)
    assert model.sources_ == ("clinic",)
    assert model.n_samples_by_source_ == {"clinic": only_clinic.sum()}


def test_without_balance_nothing_is_weighted():
    model = Merged(Spy(), scaler=None)

    in_parts(model, X, Y, SOURCE, thirds(), classes=CLASSES)

    assert [weights for _, _, weights in model.estimator_.calls_] == [None] * 3


def test_a_share_of_zero_leaves_a_source_out_of_every_call():
    model = Merged(Spy(), scaler=None, balance={"clinic": 1, "lab": 0})

    in_parts(model, X, Y, SOURCE, thirds(), classes=CLASSES)
    lab = SOURCE == "lab"
    model.partial_fit(X[lab], Y[lab], sample_source=SOURCE[lab])  # nothing to fit

    assert len(model.estimator_.calls_) == 3
    assert sum(len(X) for X, _, _ in model.estimator_.calls_) == COUNTS["clinic"]
    assert model.sources_ == ("clinic",)


# Scaling ----------------------------------------------------------------------


@pytest.mark.parametrize("scaler", ["standard", "minmax"])
@pytest.mark.parametrize("scale_by", ["pooled", "source"])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix, pd.DataFrame])
def test_after_the_last_part_the_scaling_is_that_of_a_fit(scaler, scale_by, make):
    holed = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)
    holed[thirds()[0], 1] = np.nan  # a column that begins without a value
    at_once = Merged(Spy(), scaler=scaler, scale_by=scale_by, balance="sources")
    table = make(holed)
    at_once.fit(table, Y, sample_source=SOURCE)

    model = clone(at_once)
    for nth, rows in enumerate(thirds()):
        more = {} if nth else {"classes": CLASSES, "sources": COUNTS}
        part = table.iloc[rows] if make is pd.DataFrame else table[rows]
        model.partial_fit(part, Y[rows], sample_source=SOURCE[rows], **more)

    maps, expected = model.scaler_.maps, at_once.scaler_.maps
    np.testing.assert_allclose(maps.center, expected.center, atol=1e-12)
    np.testing.assert_allclose(maps.scale, expected.scale)
    assert not np.isnan(maps.center).any()


def test_rows_are_scaled_by_all_rows_so_far():
    model = in_parts(Merged(Spy()), X, Y, SOURCE, thirds(), classes=CLASSES)

    for nth, rows in enumerate(thirds()):
        so_far = np.concatenate(thirds()[: nth + 1])
        expected = StandardScaler().fit(X[so_far]).transform(X[rows])
        np.testing.assert_allclose(model.estimator_.calls_[nth][0], expected)


@pytest.mark.parametrize("scale_by", ["pooled", "source"])
def test_a_transformer_learns_in_parts_too(scale_by):
    ours = Merged(Spy(), scaler=StandardScaler(), scale_by=scale_by)
    named = Merged(Spy(), scaler="standard", scale_by=scale_by)

    for model in (ours, named):
        in_parts(model, X, Y, SOURCE, thirds(), classes=CLASSES)

    for (one, _, _), (two, _, _) in zip(
        ours.estimator_.calls_, named.estimator_.calls_
    ):
        np.testing.assert_allclose(one, two)
    # Without weights, which it does not take.
    pca = Merged(SGDClassifier(), scaler=IncrementalPCA(2), balance="sources")
    in_parts(pca, X, Y, SOURCE, thirds(), classes=CLASSES)
    assert pca.estimator_.coef_.shape == (1, 2)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("scale_by", ["pooled", "source"])
def test_a_fitted_preprocessor_serves_as_it_is(method, scale_by):
    frame = pd.DataFrame(X).assign(sex=np.tile(["f", "m"], N // 2))
    frame.columns = ["a", "b", "c", "sex"]
    fitted = table_preprocessor().fit(frame)
    scaler = FrozenEstimator(fitted)
    model = Merged(SGDClassifier(random_state=0), scaler=scaler, scale_by=scale_by)
    more = {} if method == "fit" else {"classes": CLASSES}

    getattr(model, method)(frame[:100], Y[:100], sample_source=SOURCE[:100], **more)

    by_hand = SGDClassifier(random_state=0)
    getattr(by_hand, method)(fitted.transform(frame[:100]), Y[:100], **more)
    np.testing.assert_allclose(model.estimator_.coef_, by_hand.coef_)


def test_targets_of_another_size_are_scaled_by_source():
    model = Merged(
        SGDRegressor(random_state=0), scale_by="source", scale_target_by="source"
    )

    for _ in range(20):
        in_parts(model, X, NUMBERS, SOURCE, thirds())

    maps = model.target_scaler_
    for code, name in enumerate(("clinic", "lab")):
        own = NUMBERS[name == SOURCE]
        np.testing.assert_allclose(maps.center[code], own.mean())
        np.testing.assert_allclose(maps.scale[code], own.std())
    assert model.score(X, NUMBERS, sample_source=SOURCE) > 0.9


def test_a_call_that_fails_leaves_everything_as_it_was():
    model = in_parts(
        Merged(SGDClassifier(random_state=0)), X, Y, SOURCE, thirds(), classes=CLASSES
    )
    before, scaler = model.predict(X), model.scaler_.maps.center.copy()

    broken = X.copy()
    broken[7, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        model.partial_fit(broken, Y, sample_source=SOURCE)

    np.testing.assert_array_equal(model.predict(X), before)
    np.testing.assert_array_equal(model.scaler_.maps.center, scaler)
    assert sum(model.n_samples_by_source_.values()) == N


# Sources and classes ----------------------------------------------------------


def test_sources_by_their_column():
    frame = pd.DataFrame(X, columns=list("abc")).assign(hospital=SOURCE)
    by_column = Merged(SGDClassifier(random_state=0), source="hospital")
    by_keyword = Merged(SGDClassifier(random_state=0))

    for rows in thirds():
        by_column.partial_fit(frame.iloc[rows], Y[rows], classes=CLASSES)
        by_keyword.partial_fit(
            X[rows], Y[rows], sample_source=SOURCE[rows], classes=CLASSES
        )

    np.testing.assert_allclose(by_column.estimator_.coef_, by_keyword.estimator_.coef_)


@pytest.mark.parametrize("representation", ["indicator", "augmented"])
def test_sources_come_one_after_the_other(representation):
    """A source that is named but has not come has its place, and no answer yet."""
    model = Merged(
        SGDClassifier(random_state=0), representation=representation, scale_by="source"
    )
    is_lab = SOURCE == "lab"
    model.partial_fit(
        X[is_lab], Y[is_lab], sample_source=SOURCE[is_lab], classes=CLASSES,
        sources=["clinic", "lab"],
    )  # fmt: skip
    n_features = model.estimator_.coef_.shape[1]
    assert len(model.get_feature_names_out()) == n_features
    with pytest.raises(SourceError, match=r"no source that was there in fit.*'clinic'"):
        model.predict(X[~is_lab], sample_source=SOURCE[~is_lab])

    model.partial_fit(X[~is_lab], Y[~is_lab], sample_source=SOURCE[~is_lab])

    assert model.sources_ == ("clinic", "lab")
    assert model.estimator_.coef_.shape[1] == n_features
    assert model.score(X, Y, sample_source=SOURCE) > 0.6


def test_a_primary_source_that_has_not_come_cannot_answer():
    model = Merged(
        SGDClassifier(), scale_by="source", unknown_source="primary",
        primary_source="clinic",
    )  # fmt: skip
    is_lab = SOURCE == "lab"
    model.partial_fit(
        X[is_lab], Y[is_lab], sample_source=SOURCE[is_lab], classes=CLASSES,
        sources=["clinic", "lab"],
    )  # fmt: skip

    with pytest.raises(SourceError, match="'clinic', of which partial_fit has had no"):
        model.predict(X)


def test_numbers_and_strings_as_classes():
    y = np.where(SOURCE == "lab", (X[:, 1] > 0).astype(object), Y.astype(object))
    model = Merged(SGDClassifier(random_state=0), representation="indicator")

    in_parts(model, X, y, SOURCE, thirds(), classes=[False, True, "ill", "well"])

    assert set(model.classes_.tolist()) == {False, True, "ill", "well"}
    assert model.classes_by_source_["clinic"].tolist() == ["ill", "well"]
    assert set(model.predict(X, sample_source=SOURCE)) <= {False, True, "ill", "well"}


def test_a_class_may_come_late():
    late = np.where(np.arange(N) >= 200, "new", Y)
    model = Merged(GaussianNB(), balance="both")

    in_parts(model, X, late, SOURCE, thirds(), classes=["ill", "new", "well"])

    assert model.classes_.tolist() == ["ill", "new", "well"]
    assert "new" in model.classes_by_source_["clinic"]
    assert model.predict_proba(X).shape == (N, 3)


def test_several_labels_for_a_row():
    labels = np.column_stack([X[:, 0] > 0, X[:, 1] > 0]).astype(int)
    model = Merged(MLPClassifier((4,), random_state=0))

    in_parts(model, X, labels, SOURCE, thirds(), classes=[0, 1])

    assert model.predict(X).shape == labels.shape


def test_it_goes_on_after_a_fit_with_its_scaling():
    model = Merged(SGDClassifier(random_state=0), balance="sources")
    model.fit(X, Y, sample_source=SOURCE)
    coef, center = model.estimator_.coef_.copy(), model.scaler_.maps.center.copy()

    model.partial_fit(X + 5, Y, sample_source=SOURCE)

    assert not np.allclose(model.estimator_.coef_, coef)
    np.testing.assert_array_equal(model.scaler_.maps.center, center)
    assert model.n_samples_by_source_ == {name: 2 * n for name, n in COUNTS.items()}
    assert model.classes_by_source_["lab"].tolist() == CLASSES


def test_a_fit_begins_anew():
    model = in_parts(
        Merged(SGDClassifier(random_state=0)), X, Y, SOURCE, thirds(), classes=CLASSES
    )

    model.fit(X, Y, sample_source=SOURCE)

    fresh = clone(model).fit(X, Y, sample_source=SOURCE)
    np.testing.assert_allclose(model.estimator_.coef_, fresh.estimator_.coef_)
    assert model.n_samples_by_source_ == COUNTS


def test_a_regressor_goes_on_after_a_fit_as_it_would_by_itself():
    plain = SGDRegressor(random_state=0)
    model = Merged(clone(plain), scaler=None).fit(X, NUMBERS, sample_source=SOURCE)

    model.partial_fit(X, NUMBERS, sample_source=SOURCE)

    plain.fit(X, NUMBERS).partial_fit(X, NUMBERS)
    np.testing.assert_allclose(model.predict(X), plain.predict(X))
    twice = {name: 2 * n for name, n in COUNTS.items()}
    assert model.n_samples_by_source_ == twice


def test_it_goes_on_after_a_pickle():
    one = Merged(Perceptron(), scale_by="source", balance="both")
    one.partial_fit(X, Y, sample_source=SOURCE, classes=CLASSES)
    other = pickle.loads(pickle.dumps(one))

    for model in (one, other):
        model.partial_fit(X[::-1], Y[::-1], sample_source=SOURCE[::-1])

    np.testing.assert_allclose(one.estimator_.coef_, other.estimator_.coef_)


@pytest.mark.parametrize("routing", [False, True], ids=["off", "on"])
def test_with_routing_on_and_off(routing):
    with config_context(enable_metadata_routing=routing):
        model = Merged(SGDClassifier(random_state=0), balance="sources")
        in_parts(model, X, Y, SOURCE, thirds(), classes=CLASSES)

        assert model.score(X, Y) > 0.65


def test_a_random_state_seeds_the_first_call():
    models = [Merged(SGDClassifier(), random_state=3) for _ in range(2)]
    for model in models:
        in_parts(model, X, Y, SOURCE, thirds(), classes=CLASSES)

    np.testing.assert_allclose(*(model.estimator_.coef_ for model in models))
    assert models[0].estimator_.random_state is not None


def test_what_is_offered():
    assert hasattr(Merged(SGDClassifier()), "partial_fit")
    assert not hasattr(Merged(LogisticRegression()), "partial_fit")
    assert not hasattr(Merged(), "partial_fit")


# Errors -----------------------------------------------------------------------


def begun(**options):
    model = Merged(SGDClassifier(random_state=0), **options)
    return model.partial_fit(X, Y, sample_source=SOURCE, classes=CLASSES)


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({}, {}, r"first partial_fit of a classifier needs classes.*np.unique"),
        ({}, {"classes": ["ill"]}, r"y holds \['well'\], which fit did not see"),
        (
            {"scaler": "robust"},
            {"classes": CLASSES},
            r"scaler='robust' needs the medians of all rows.*FrozenEstimator\(Robust",
        ),
        (
            {"scaler": RobustScaler()},
            {"classes": CLASSES},
            r"The scaler RobustScaler has no partial_fit.*FrozenEstimator\(RobustSca",
        ),
        (
            {"balance": "sources", "balance_by": "oversample"},
            {"classes": CLASSES},
            r"balance_by='oversample' draws from all rows.*Use balance_by='weight'",
        ),
        (
            {"balance": "both"},
            {"classes": CLASSES, "sources": COUNTS},
            r"sources gives the rows of each source, and balance='both' needs those of",
        ),
        (
            {},
            {"classes": CLASSES, "sources": {"clinic": 0, "lab": 5}},
            r"sources\['clinic'\], its number of rows, must be an integer of at least",
        ),
        (
            {},
            {"classes": CLASSES, "sources": ["clinic", "labb"]},
            r"holds 'lab', which is not among the sources.*Did you mean 'labb'",
        ),
        (
            {"balance": {"clinic": 1, "lab": 0}},
            {
                "classes": CLASSES,
                "sources": ["clinic", "lab"],
                "sample_source": ["lab"] * N,
            },
            r"balance gives \['lab'\], the only rows so far, a share of 0",
        ),
    ],
)
def test_what_the_first_call_refuses(options, given, message):
    model = Merged(SGDClassifier(), **options)

    with pytest.raises(SourceError, match=message):
        model.partial_fit(X, Y, **{"sample_source": SOURCE, **given})

    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sample_source": ["labb"] * N}, r"'labb', which is not among the sources"),
        ({"sample_source": None}, r"There are the sources \['clinic', 'lab'\]"),
        ({"classes": ["ill"]}, r"classes=\['ill'\] are not those of the first"),
        ({"sources": ["clinic"]}, r"sources=\['clinic'\] are not those of the first"),
        (
            {"sources": COUNTS},
            "other numbers of rows than the first call, which gave no",
        ),
    ],
)
def test_what_a_later_call_refuses(given, message):
    with pytest.raises(SourceError, match=message):
        begun().partial_fit(X, Y, **{"sample_source": SOURCE, **given})


def test_classes_are_for_classifiers():
    with pytest.raises(SourceError, match="classes are for a classifier, and SGDReg"):
        Merged(SGDRegressor()).partial_fit(
            X, NUMBERS, sample_source=SOURCE, classes=CLASSES
        )


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of what scikit-learn lets go
@pytest.mark.parametrize(
    ("options", "weights", "message"),
    [
        ({"balance": "sources"}, None, "its sources cannot be balanced in parts. Use"),
        ({}, np.ones(N), "sample_weight was given. Leave it out, or use"),
    ],
)
def test_weights_for_an_estimator_that_takes_none(options, weights, message):
    with pytest.raises(
        SourceError, match=f"partial_fit takes no sample_weight.*{message}"
    ):
        Merged(NumberSpy(), **options).partial_fit(
            X, NUMBERS, sample_source=SOURCE, sample_weight=weights
        )


def test_without_labels_a_setting_by_source_is_idle():
    with pytest.warns(SourceWarning, match="scale_by='source' has no effect"):
        Merged(SGDRegressor(), scale_by="source").partial_fit(X, NUMBERS)


class FakeDask:
    """What tells a data frame of dask, which need not be installed."""

    __module__ = "dask.dataframe.dask_expr._collection"
    columns = ("a", "b")

    def compute(self):
        raise AssertionError("nobody asked for it")


FakeDask.__name__ = "DataFrame"


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_dask_data_frame_is_refused_with_the_way_that_works(method):
    message = (
        r"X is a DataFrame of dask, a query that has not been run.*X\.compute\(\).*"
        "hand its parts to Merged.partial_fit"
    )
    with pytest.raises(SourceError, match=message):
        getattr(Merged(SGDClassifier()), method)(FakeDask(), Y)
    with pytest.raises(SourceError, match=message):
        stack_sources({"clinic": FakeDask(), "lab": FakeDask()}, target="a")


@pytest.mark.filterwarnings("ignore:Dask support is moving:FutureWarning")
def test_the_parts_of_a_dask_data_frame_are_fitted():
    dd = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame(X, columns=list("abc")).assign(hospital=SOURCE)
    lazy = dd.from_pandas(frame, npartitions=3)
    model = Merged(SGDClassifier(random_state=0), source="hospital")

    with pytest.raises(SourceError, match="X is a DataFrame of dask"):
        model.fit(lazy, Y)
    for part in lazy.partitions:
        rows = part.compute()
        model.partial_fit(rows, Y[rows.index], classes=CLASSES)

    assert sum(model.n_samples_by_source_.values()) == N


def test_more_rows_than_there_are_said_to_be_are_refused():
    model = Merged(SGDClassifier(random_state=0), balance="sources")
    few = {"clinic": 3, "lab": 3000}

    with pytest.raises(SourceError, match=r"'clinic' 3 rows in all, and \d+ came"):
        model.partial_fit(X, Y, sample_source=SOURCE, classes=CLASSES, sources=few)
    assert not hasattr(model, "sources_")


def test_numbers_of_rows_cannot_change_between_calls():
    model = Merged(MultinomialNB(), scaler=None, balance="sources")
    words = np.abs(X)
    given = {"sample_source": SOURCE}
    model.partial_fit(words, Y, **given, classes=CLASSES, sources=COUNTS)
    before = model.estimator_.class_count_.copy()

    other = {**COUNTS, "lab": 9 * N}
    with pytest.raises(
        SourceError, match=r"'lab': 2160\} gives other numbers.*gave \{"
    ):
        model.partial_fit(words, Y, **given, sources=other)
    with pytest.raises(SourceError, match="goes by the sum of their weights"):
        model.partial_fit(words, Y, **given, sample_weight=np.full(N, 2.0))
    np.testing.assert_array_equal(model.estimator_.class_count_, before)
    for same in (COUNTS, list(COUNTS), None):
        model.partial_fit(words, Y, **given, sources=same)
    np.testing.assert_allclose(model.estimator_.class_count_, 4 * before)

    fitted = Merged(MultinomialNB(), scaler=None).fit(words, Y, **given)
    with pytest.raises(SourceError, match="than the first call, which gave none"):
        fitted.partial_fit(words, Y, **given, sources=COUNTS)


class Named:
    """A function that prints with its address."""

    def __call__(self, X):
        return X


def test_a_copy_from_another_process_goes_on():
    scaler = FrozenEstimator(FunctionTransformer(Named()).fit(X))
    model = Merged(SGDClassifier(random_state=0), scaler=scaler)
    model.partial_fit(X, Y, sample_source=SOURCE, classes=CLASSES)
    again = pickle.loads(pickle.dumps(model))
    assert repr(again.scaler) != repr(model.scaler)

    again.partial_fit(X, Y, sample_source=SOURCE)
    model.partial_fit(X, Y, sample_source=SOURCE)

    np.testing.assert_allclose(again.estimator_.coef_, model.estimator_.coef_)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"scaler": None},
            "scaler was 'standard' in the first .* and is None",
        ),
        ({"representation": "augmented"}, "representation was 'shared'"),
        ({"estimator__alpha": 50.0}, r"estimator was SGDClassifier\(.*alpha=50"),
        ({"estimator": Perceptron()}, r"is Perceptron\(\) now.*start again"),
    ],
)
def test_settings_that_would_not_be_heard_are_refused(changed, words):
    model = Merged(SGDClassifier(random_state=0))
    model.partial_fit(X, Y, sample_source=SOURCE, classes=CLASSES)

    with pytest.raises(SourceError, match=words):
        model.set_params(**changed).partial_fit(X, Y, sample_source=SOURCE)
