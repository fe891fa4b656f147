"""Weights meet their shares."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sktandem.data._sources import resolve_sources
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.merge._plan import plan_merge, warn_of_one_source

SEEDS = st.integers(0, 9999)


def rows(seed, n=40, weighted=True):
    """Return sources, classes and weights, some of them zero."""
    rng = np.random.default_rng(seed)
    labels = np.r_[
        ["a", "b", "c"], rng.choice(["a", "b", "c"], n - 3, p=[0.6, 0.3, 0.1])
    ]
    y = rng.integers(0, 3, n)
    weight = rng.choice([0.0, 0.5, 1.0, 2.0], n) if weighted else None
    return labels, resolve_sources(np.zeros((n, 1)), labels)[1], y, weight


def full_weights(plan, n):
    weights = np.zeros(n)
    weights[slice(None) if plan.rows is None else plan.rows] = plan.weights
    return weights


@given(seed=SEEDS, weighted=st.booleans())
def test_every_source_weighs_the_same(seed, weighted):
    labels, sources, y, weight = rows(seed, weighted=weighted)
    base = np.ones(40) if weight is None else weight
    assume(all(base[labels == name].sum() > 0 for name in "abc"))

    plan = plan_merge(sources, y, balance="sources", sample_weight=weight)

    total = base.sum()
    weights = full_weights(plan, 40)
    for name in "abc":
        np.testing.assert_allclose(weights[labels == name].sum(), total / 3)


@given(seed=SEEDS)
def test_classes_weigh_the_same_within_a_source_that_keeps_its_total(seed):
    labels, sources, y, weight = rows(seed)
    plan = plan_merge(sources, y, balance="classes", sample_weight=weight)

    weights = full_weights(plan, 40)
    for name in "abc":
        own = labels == name
        np.testing.assert_allclose(weights[own].sum(), weight[own].sum())
        totals = [weights[own & (y == k)].sum() for k in range(3)]
        totals = [total for total in totals if total > 0]
        np.testing.assert_allclose(totals, np.mean(totals) if totals else [])


@given(seed=SEEDS)
def test_every_cell_weighs_the_same(seed):
    labels, sources, y, weight = rows(seed)
    plan = plan_merge(sources, y, balance="both", sample_weight=weight)

    weights = full_weights(plan, 40)
    cells = {
        (a, k): weights[(labels == a) & (y == k)].sum()
        for a in "abc"
        for k in (0, 1, 2)
    }
    totals = [total for total in cells.values() if total > 0]
    np.testing.assert_allclose(totals, weight.sum() / len(totals))


@given(seed=SEEDS, a=st.floats(0.1, 9), b=st.floats(0.1, 9), c=st.floats(0.1, 9))
def test_shares_are_met_and_only_their_ratios_matter(seed, a, b, c):
    labels, sources, y, _ = rows(seed)
    shares = {"a": a, "b": b, "c": c}

    plan = plan_merge(sources, y, balance=shares)
    doubled = plan_merge(sources, y, balance={k: 2 * v for k, v in shares.items()})

    np.testing.assert_allclose(plan.weights, doubled.weights)
    np.testing.assert_allclose(plan.weights.sum(), 40)
    for name, share in shares.items():
        got = plan.weights[labels == name].sum() / 40
        np.testing.assert_allclose(got, share / (a + b + c))
        np.testing.assert_allclose(plan.shares[name], share / (a + b + c))


@given(seed=SEEDS)
def test_the_order_of_rows_does_not_matter(seed):
    labels, sources, y, weight = rows(seed)
    order = np.random.default_rng(seed).permutation(40)
    shuffled = resolve_sources(np.zeros((40, 1)), labels[order])[1]

    plan = plan_merge(sources, y, balance="both", sample_weight=weight)
    other = plan_merge(shuffled, y[order], balance="both", sample_weight=weight[order])

    np.testing.assert_allclose(full_weights(plan, 40)[order], full_weights(other, 40))


def test_without_balance_weights_pass_untouched():
    _, sources, y, _ = rows(0)
    weight = np.full(40, 7.5)

    assert plan_merge(sources, y, sample_weight=weight).weights is weight
    assert plan_merge(sources, y).weights is None


def test_rows_of_weight_zero_and_sources_of_share_zero_take_no_part():
    labels, sources, y, _ = rows(0)
    weight = np.ones(40)
    weight[0] = 0

    plan = plan_merge(
        sources, y, balance={"a": 1, "b": 1, "c": 0}, sample_weight=weight
    )

    assert plan.sources.names == ("a", "b")
    kept = np.flatnonzero((labels != "c") & (weight > 0))
    np.testing.assert_array_equal(plan.rows, kept)
    assert plan.n_samples == {n: int((labels[kept] == n).sum()) for n in "ab"}


def test_a_single_source_is_said_to_need_no_balance():
    with pytest.warns(
        SourceWarning, match="Only one source, 'all': nothing to balance"
    ):
        warn_of_one_source(("all",), "sources")


@pytest.mark.parametrize(
    ("balance", "message"),
    [
        (
            {"a": 1, "bb": 1},
            r"balance names 'bb', which is not a source.*'a', 'b', 'c'",
        ),
        ({"a": 1}, r"balance gives no share to \['b', 'c'\]. Name every source"),
        ({"a": 1, "b": -1, "c": 1}, "balance gives 'b' the share -1"),
        ({"a": 1, "b": np.nan, "c": 1}, "the share nan. A share is a finite number"),
        ({"a": 1, "b": "1", "c": 1}, "the share '1'"),
        (
            {"a": 0, "b": 0, "c": 0},
            "gives every source the share 0, so no rows are left",
        ),
        ("source", "Did you mean 'sources'"),
        (0.5, "balance must be one of"),
    ],
)
def test_shares_that_make_no_sense_are_refused(balance, message):
    _, sources, y, _ = rows(0)
    with pytest.raises(SourceError, match=message):
        plan_merge(sources, y, balance=balance)


def test_classes_are_refused_where_there_are_none():
    _, sources, _, _ = rows(0)
    with pytest.raises(SourceError, match="'classes' needs classes, and a regressor"):
        plan_merge(sources, balance="classes")
    with pytest.raises(
        SourceError, match=r"one class per row, got y of shape \(40, 2\)"
    ):
        plan_merge(sources, np.zeros((40, 2)), balance="both")


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_weights_that_are_no_weights_are_refused(bad):
    _, sources, y, _ = rows(0)
    with pytest.raises(SourceError, match="finite numbers of at least 0"):
        plan_merge(sources, y, sample_weight=np.r_[bad, np.ones(39)])
