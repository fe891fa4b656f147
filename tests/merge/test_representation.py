"""How the source shows in the features."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from sktandem import Merged, table_preprocessor
from sktandem.exceptions import SourceError
from sktandem.merge._representation import represent

NAMES = ("a", "b", "c")


def pack(seed, n=40, width=2):
    rng = np.random.default_rng(seed)
    codes = np.r_[[0, 1, 2], rng.integers(0, 3, n - 3)]
    return rng.normal(size=(n, width)), codes


def augmented_by_hand(X, codes):
    constant = np.hstack([X, np.ones((len(X), 1))])
    blocks = [constant * (codes == k)[:, None] for k in range(3)]
    return np.hstack([X, *blocks])


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix, pd.DataFrame])
@pytest.mark.parametrize("allow_sparse", [False, True])
@given(seed=st.integers(0, 999))
def test_copies_are_those_of_the_definition(container, allow_sparse, seed):
    X, codes = pack(seed)
    codes[5] = -1  # an unknown source has the shared copy only

    got = represent(container(X), codes, NAMES, "augmented", allow_sparse=allow_sparse)

    dense = got.toarray() if sparse.issparse(got) else np.asarray(got)
    np.testing.assert_array_equal(dense, augmented_by_hand(X, codes))
    if allow_sparse:
        assert sparse.issparse(got)
        assert got.has_canonical_format or container is not np.asarray


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix, pd.DataFrame])
@given(seed=st.integers(0, 999))
def test_indicators_are_those_of_the_definition(container, seed):
    X, codes = pack(seed)
    codes[5] = -1

    got = represent(container(X), codes, NAMES, "indicator", allow_sparse=True)

    dense = got.toarray() if sparse.issparse(got) else np.asarray(got)
    ones = (codes[:, None] == np.arange(3)).astype(float)
    np.testing.assert_array_equal(dense, np.hstack([X, ones]))


@given(seed=st.integers(0, 999))
def test_without_the_shared_copy_an_unpenalised_linear_model_is_one_per_source(seed):
    X, codes = pack(seed)
    y = np.random.default_rng(seed).normal(size=len(X))
    copies = represent(X, codes, NAMES, "augmented", allow_sparse=False)[
        :, X.shape[1] :
    ]

    together = LinearRegression(fit_intercept=False).fit(copies, y)

    for k, (*coef, intercept) in enumerate(together.coef_.reshape(3, -1)):
        alone = LinearRegression().fit(X[codes == k], y[codes == k])
        np.testing.assert_allclose(X @ coef + intercept, alone.predict(X), atol=1e-6)


@given(seed=st.integers(0, 999))
def test_with_the_shared_copy_an_unpenalised_model_predicts_the_same(seed):
    X, codes = pack(seed, n=60)
    source = np.array(NAMES)[codes]
    y = np.random.default_rng(seed).normal(size=len(X))
    model = Merged(
        LinearRegression(fit_intercept=False), scaler=None, representation="augmented"
    ).fit(X, y, sample_source=source)

    predicted = model.predict(X, sample_source=source)

    for k in range(3):
        own = codes == k
        alone = LinearRegression().fit(X[own], y[own])
        np.testing.assert_allclose(predicted[own], alone.predict(X[own]), atol=1e-4)


# Two sources of opposite rules: no shared linear model knows both.
X2 = np.random.default_rng(0).normal(size=(200, 2))
SOURCE2 = np.tile(["left", "right"], 100)
Y2 = np.where(SOURCE2 == "left", 1, -1) * X2[:, 0] + 1.2 * (SOURCE2 == "left")
FRAME2 = pd.DataFrame(X2, columns=["u", "v"]).assign(side=SOURCE2)


def r2(representation, estimator=None, **options):
    estimator = Ridge() if estimator is None else estimator
    model = Merged(estimator, source="side", representation=representation, **options)
    return cross_val_score(model, FRAME2, Y2, cv=4, error_score="raise").mean()


def test_each_representation_lets_a_model_see_more():
    shared, indicator, augmented = map(r2, ("shared", "indicator", "augmented"))

    assert shared < 0.1
    assert indicator > shared + 0.1  # the level of each source
    assert augmented > indicator + 0.2  # its rule as well


def test_augmented_gives_a_linear_model_an_intercept_for_each_source():
    X = np.random.default_rng(0).normal(size=(400, 1))
    source = np.repeat(["left", "right"], 200)
    y = X[:, 0] + 100.0 * (source == "right")

    model = Merged(Ridge(alpha=1e-6), scaler=None, representation="augmented")
    model.fit(X, y, sample_source=source)

    predicted = model.predict([[0.0], [0.0]], sample_source=["left", "right"])
    np.testing.assert_allclose(predicted, [0.0, 100.0], atol=1e-3)


def test_an_indicator_is_all_that_a_tree_needs():
    forest = RandomForestRegressor(30, random_state=0)

    assert r2("shared", forest) < 0.3
    assert r2("indicator", forest) > 0.8


def test_a_pipeline_inside_gets_the_represented_features():
    inner = make_pipeline(PolynomialFeatures(2), Ridge())

    assert r2("indicator", inner) > 0.9  # the products of source and feature


def test_features_have_names():
    def names(**options):
        model = Merged(Ridge(), source="side", **options).fit(FRAME2, Y2)
        got = model.get_feature_names_out().tolist()
        seen = getattr(model.estimator_, "feature_names_in_", None)
        assert seen is None or seen.tolist() == got
        assert model.estimator_.coef_.shape == (len(got),)
        return got

    assert names() == ["u", "v"]
    indicator = ["u", "v", "source__left", "source__right"]
    assert names(representation="indicator") == indicator
    left, right = (["u__" + s, "v__" + s, "source__" + s] for s in ("left", "right"))
    augmented = ["u", "v", *left, *right]
    assert names(representation="augmented") == augmented
    prepared = {"scaler": table_preprocessor()}
    assert names(representation="augmented", **prepared) == augmented


def test_arrays_have_positions_for_names():
    coded = np.column_stack([X2, SOURCE2 == "right"])
    model = Merged(Ridge(), source=-1, representation="indicator").fit(coded, Y2)

    names = model.get_feature_names_out().tolist()

    assert names == ["x0", "x1", "source__0", "source__1"]


def test_an_unknown_source_has_the_shared_part_only():
    model = Merged(
        Ridge(), scaler=None, representation="augmented", unknown_source="pooled"
    ).fit(X2, Y2, sample_source=SOURCE2)
    ridge = model.estimator_

    predicted = model.predict(X2, sample_source=["new"] * 200)

    np.testing.assert_allclose(predicted, X2 @ ridge.coef_[:2] + ridge.intercept_)


def test_a_representation_that_there_is_not_is_told():
    with pytest.raises(SourceError, match=r"representation must be .*'one-hot'"):
        Merged(Ridge(), representation="one-hot").fit(X2, Y2, sample_source=SOURCE2)


def test_a_rule_for_unknown_sources_needs_its_source():
    model = Merged(Ridge(), unknown_source="primary")
    with pytest.raises(SourceError, match="'primary' needs primary_source, one of"):
        model.fit(X2, Y2, sample_source=SOURCE2)


def test_by_default_an_unknown_source_is_refused():
    model = Merged(Ridge(), representation="indicator").fit(
        X2, Y2, sample_source=SOURCE2
    )

    with pytest.raises(SourceError, match="representation is 'indicator', so each row"):
        model.predict(X2)


def test_many_sources_stay_sparse_where_the_estimator_takes_it():
    codes = np.arange(200) % 20
    y = (X2[:, 0] > 0).astype(int)
    linear = Merged(LogisticRegression(), representation="augmented")
    seen = []

    class Spy(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            seen.append(X)
            return super().fit(X, y, sample_weight=sample_weight)

    linear.set_params(estimator=Spy()).fit(X2, y, sample_source=codes)

    assert sparse.issparse(seen[0])
    assert seen[0].shape == (200, 2 + 20 * 3)
    assert seen[0].nnz == 2 * X2.size + 200
    assert linear.predict(X2, sample_source=codes).shape == (200,)


def test_a_frame_of_numbered_columns_gets_numbered_columns():
    frame = pd.DataFrame(X2)
    model = Merged(Ridge(), representation="indicator").fit(
        frame, Y2, sample_source=SOURCE2
    )

    assert model.predict(frame, sample_source=SOURCE2).shape == (200,)


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (X2, {"representation": "augment"}, "Did you mean 'augmented'"),
        (
            FRAME2.rename(columns={"side": "sex"}),
            {"representation": "augmented"},
            r"copies numbers, but \['sex'\] are not numeric. Use scaler=table",
        ),
        (
            FRAME2[["u"]].assign(**{"source__left": 1.0}),
            {"representation": "indicator"},
            r"but X has \['source__left'\] already. Rename them",
        ),
        (
            ["some", "texts"] * 100,
            {"representation": "indicator", "scaler": None},
            "needs columns, but X has shape",
        ),
    ],
)
def test_what_cannot_be_represented_is_refused(X, options, message):
    with pytest.raises(SourceError, match=message):
        Merged(Ridge(), **options).fit(X, Y2, sample_source=SOURCE2)


def test_copies_that_would_not_fit_are_refused_with_their_size(monkeypatch):
    from sktandem.merge import _representation

    monkeypatch.setattr(_representation, "MOST_BYTES", 300 * 14 * 8 - 1)
    X = np.zeros((300, 2))
    codes = np.arange(300) % 4

    with pytest.raises(SourceError, match=r"4 sources: 300 rows of 14 columns.*Ridge"):
        represent(X, codes, list("abcd"), "augmented", allow_sparse=False)

    sparse = represent(X, codes, list("abcd"), "augmented", allow_sparse=True)
    assert sparse.shape == (300, 14)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("allow_sparse", [False, True])
@pytest.mark.parametrize("codes", [[0, 0, 0], [0, 1, -1], [-1, -1, -1]])
def test_copies_of_sources_without_a_row_are_columns_of_zeros(
    container, allow_sparse, codes
):
    """As at predict, where the rows are of few of the sources, or of a new one."""
    X = np.arange(1, 7, dtype=np.float32).reshape(3, 2)

    ours = represent(
        container(X), np.array(codes), "abc", "augmented", allow_sparse=allow_sparse
    )

    by_hand = np.zeros((3, 2 + 3 * 3))
    by_hand[:, :2] = X
    for row, code in enumerate(codes):
        if code >= 0:
            by_hand[row, 2 + 3 * code : 5 + 3 * code] = [*X[row], 1]
    assert ours.dtype == X.dtype
    dense = ours.toarray() if sparse.issparse(ours) else ours
    np.testing.assert_array_equal(dense, by_hand)
