"""Shares met by rows."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_resampling_pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from sktandem import MergedClassifier, MergedRegressor
from sktandem._sources import resolve_sources
from sktandem.exceptions import SourceError
from sktandem.merge._plan import plan_merge
from sktandem.merge._resample import resample_rows
from sktandem.model_selection import SourceKFold

SEEDS = st.integers(0, 9999)
HOW = pytest.mark.parametrize("how", ["oversample", "undersample"])


@HOW
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    ratios=st.lists(st.floats(0.2, 5), min_size=5, max_size=5),
    seed=SEEDS,
)
def test_every_cell_has_the_count_it_should(how, sizes, ratios, seed):
    shares = np.array(ratios[: len(sizes)])
    shares /= shares.sum()
    cells = np.random.default_rng(seed).permutation(np.repeat(range(len(sizes)), sizes))
    total = min(size / share for size, share in zip(sizes, shares))
    assume(how == "oversample" or total * shares.min() >= 0.5)

    drawn = resample_rows(cells, shares, how, np.random.RandomState(seed))

    counts = np.bincount(cells[drawn], minlength=len(sizes))
    total = counts.sum()
    assert np.abs(counts - shares * total).max() <= len(sizes)
    times = np.bincount(drawn, minlength=len(cells))
    for cell in range(len(sizes)):
        own = times[cells == cell]
        assert own.max() - own.min() <= 1  # no row is favoured
        if how == "oversample":
            assert own.min() >= 1  # nobody is lost
        else:
            assert own.max() <= 1  # nobody is copied
    wholes = counts == sizes
    assert wholes.any()  # the cell that set the size kept it


def rows(seed, n=60):
    rng = np.random.default_rng(seed)
    labels = rng.choice(["a", "b"], n, p=[0.8, 0.2])
    labels[:4] = list("abab")
    y = rng.integers(0, 2, n)
    y[:4] = [0, 0, 1, 1]
    return labels, resolve_sources(np.zeros((n, 1)), labels)[1], y


@HOW
@given(seed=SEEDS)
def test_sources_classes_and_cells_come_out_equal(how, seed):
    labels, sources, y = rows(seed)

    def counts(balance):
        plan = plan_merge(
            sources, y, balance=balance, balance_by=how, random_state=seed
        )
        assert plan.weights is None
        return np.array(
            [
                [np.sum((labels[plan.rows] == s) & (y[plan.rows] == k)) for k in (0, 1)]
                for s in "ab"
            ]
        )

    assert np.ptp(counts("sources").sum(axis=1)) == 0
    assert np.ptp(counts("both")) == 0
    within = counts("classes")
    assert (np.ptp(within, axis=1) <= 1).all()
    before = np.array([(labels == "a").mean(), (labels == "b").mean()])
    total = within.sum()
    assert np.abs(within.sum(axis=1) / total - before).max() <= 2 / total


@HOW
def test_resampling_follows_its_seed(how):
    _, sources, y = rows(0, n=61)

    def drawn(seed):
        plan = plan_merge(
            sources, y, balance="sources", balance_by=how, random_state=seed
        )
        return plan.rows.tolist()

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


@HOW
def test_rows_keep_the_weights_they_came_with(how):
    _, sources, y = rows(1)
    weight = np.linspace(0, 2, 60)  # the first weighs nothing and is not drawn

    plan = plan_merge(
        sources,
        y,
        balance="sources",
        balance_by=how,
        sample_weight=weight,
        random_state=0,
    )

    assert 0 not in plan.rows
    np.testing.assert_array_equal(plan.weights, weight[plan.rows])


def test_a_share_of_zero_leaves_a_source_out_of_the_drawing():
    labels, sources, y = rows(2)

    plan = plan_merge(
        sources, y, balance={"a": 1, "b": 0}, balance_by="oversample", random_state=0
    )

    np.testing.assert_array_equal(plan.rows, np.flatnonzero(labels == "a"))


X = np.random.default_rng(0).normal(size=(60, 2))
SOURCE = np.repeat(["a", "b"], [45, 15])
Y = (X[:, 0] > 0).astype(int)


@HOW
def test_an_estimator_without_weights_is_balanced_by_rows(how):
    model = MergedClassifier(
        KNeighborsClassifier(3), balance="sources", balance_by=how, random_state=0
    ).fit(X, Y, sample_source=SOURCE)

    expected = 45 if how == "oversample" else 15
    assert model.n_samples_by_source_ == {"a": expected, "b": expected}
    assert model.plan_.shares == {"a": 0.5, "b": 0.5}
    assert model.estimator_.n_samples_fit_ == 2 * expected


def test_without_a_balance_every_row_takes_part():
    model = MergedClassifier(KNeighborsClassifier(3), balance_by="undersample")

    model.fit(X, Y, sample_source=SOURCE)

    assert model.plan_.rows is None


def test_oversampling_whole_copies_is_weighing():
    """Three copies of the small source count what its tripled weight counts."""
    by_rows = MergedRegressor(scaler=None, balance="sources", balance_by="oversample")
    by_weight = MergedRegressor(scaler=None)
    weight = np.where(SOURCE == "b", 3.0, 1.0)

    by_rows.fit(X, X[:, 1], sample_source=SOURCE)
    by_weight.fit(X, X[:, 1], sample_source=SOURCE, sample_weight=weight)

    np.testing.assert_allclose(by_rows.estimator_.coef_, by_weight.estimator_.coef_)


def test_test_rows_are_never_drawn():
    """A model that knows its training rows by heart meets no copy of them."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 2, 60)
    coded = np.column_stack([X, SOURCE == "b"])
    model = MergedClassifier(
        KNeighborsClassifier(1), source=-1, balance="both", balance_by="oversample"
    )

    scores = cross_val_score(model, coded, noise, cv=SourceKFold(5, source=-1))

    assert 0.2 < scores.mean() < 0.8
    assert model.fit(coded, noise).score(coded, noise) == 1


def test_synthetic_rows_come_from_an_inner_imbalanced_learn_pipeline():
    y = (X[:, 0] > 0.8).astype(int)
    inner = make_resampling_pipeline(
        SMOTE(random_state=0, k_neighbors=2), LogisticRegression()
    )

    plain = MergedClassifier(LogisticRegression()).fit(X, y, sample_source=SOURCE)
    smoted = MergedClassifier(inner).fit(X, y, sample_source=SOURCE)

    assert smoted.predict(X).sum() > plain.predict(X).sum()


@pytest.mark.parametrize(
    ("how", "shares", "message"),
    [
        (
            "undersample",
            {"a": 1, "b": 1e-4},
            "45 rows would come of 60, the smallest pa",
        ),
        (
            "oversample",
            {"a": 1 - 1e-6, "b": 1e-6},
            "cannot be met by balance_by='overs",
        ),
    ],
)
def test_shares_that_whole_rows_cannot_meet_are_refused(how, shares, message):
    model = MergedClassifier(balance=shares, balance_by=how, random_state=0)
    with pytest.raises(SourceError, match=message):
        model.fit(X, Y, sample_source=SOURCE)


def test_ways_to_balance_are_named():
    with pytest.raises(SourceError, match="Did you mean 'oversample'"):
        MergedClassifier(balance_by="oversampling").fit(X, Y)
