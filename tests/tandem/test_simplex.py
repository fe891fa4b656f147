"""Weights that add up to 1 and cost least."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.metrics import mean_pinball_loss, mean_tweedie_deviance

from sktandem.stats._row_loss import RowLoss
from sktandem.tandem._simplex import Problem, best_vertex, best_weights

SMOOTH = {
    "log loss": None,
    "squared error": RowLoss("squared error"),
    "Poisson": RowLoss("deviance", 1),
    "Tweedie": RowLoss("deviance", 1.5),
}
EDGED = {"pinball": RowLoss("pinball loss", 0.8), "absolute": RowLoss("absolute error")}


def problem(loss, seed=0, n=60, n_members=4, besides=0.0):
    besides = np.linspace(0, besides, n_members)
    rng = np.random.default_rng(seed)
    weights = rng.random(n)
    weights /= weights.sum()
    if loss is None:
        given = rng.uniform(0.05, 0.95, (n, n_members))
        return Problem(given, None, weights, None, besides)
    y = rng.gamma(2, 2, n)
    given = y[:, None] * rng.gamma(5, 0.2, (n, n_members))
    return Problem(given, y, weights, loss, besides)


def by_brute_force(of):
    """Minimise over logarithms of weights, which need no constraints."""

    def cost(logs):
        parts = np.exp(logs - logs.max())
        return of.cost(parts / parts.sum())

    starts = np.random.default_rng(1).normal(size=(3, of.n_members))
    options = {"maxiter": 20_000, "xatol": 1e-10, "fatol": 1e-14}
    found = [minimize(cost, s, method="Nelder-Mead", options=options) for s in starts]
    best = min(found, key=lambda result: result.fun)
    return best.fun, np.exp(best.x - best.x.max()) / np.exp(best.x - best.x.max()).sum()


@pytest.mark.parametrize("loss", SMOOTH.values(), ids=list(SMOOTH))
@given(seed=st.integers(0, 10_000))
def test_no_mixture_costs_less_by_more_than_the_gap(loss, seed):
    of = problem(loss, seed, besides=0.1)

    found = best_weights(of)

    assert found.min() >= 0
    assert found.sum() == pytest.approx(1, abs=1e-12)
    # No mixture is below the tangent of a convex cost.
    slope = of.slope(found)
    assert slope @ found - slope.min() <= 1e-7


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("loss", SMOOTH.values(), ids=list(SMOOTH))
def test_the_weights_are_those_of_brute_force(loss, seed):
    of = problem(loss, seed, n_members=3, besides=0.05)

    cost, weights = by_brute_force(of)
    found = best_weights(of)

    assert of.cost(found) <= cost + 1e-9
    np.testing.assert_allclose(found, weights, atol=2e-4)  # as flat as the cost is


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("loss", EDGED.values(), ids=list(EDGED))
def test_losses_of_straight_pieces_are_solved_exactly(loss, seed):
    of = problem(loss, seed, n_members=3, besides=0.05)

    found = best_weights(of)

    grid = np.array([(a, b, 50 - a - b) for a in range(51) for b in range(51 - a)]) / 50
    assert of.cost(found) <= min(map(of.cost, grid)) + 1e-9


@pytest.mark.parametrize("loss", [*SMOOTH.values(), *EDGED.values()])
def test_the_order_of_members_is_only_an_order(loss):
    of = problem(loss)
    turned = Problem(of.predictions[:, ::-1], of.y, of.weights, of.loss)

    np.testing.assert_allclose(
        best_weights(turned)[::-1], best_weights(of), rtol=1e-3, atol=1e-4
    )


def test_of_members_that_give_the_same_the_first_takes_all():
    of = problem(SMOOTH["squared error"], n_members=2)
    twice = Problem(of.predictions[:, [0, 0, 1, 0]], of.y, of.weights, of.loss)

    found = best_weights(twice)

    np.testing.assert_allclose(found[[0, 2]], best_weights(of), atol=1e-6)
    assert found[[1, 3]].tolist() == [0, 0]


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_y_does_not_matter(unit):
    of = problem(SMOOTH["squared error"])
    scale = float(np.var(of.y))
    scaled = Problem(of.predictions, of.y, of.weights / scale, of.loss)
    other = Problem(
        of.predictions * unit, of.y * unit, of.weights / (scale * unit**2), of.loss
    )

    np.testing.assert_allclose(best_weights(other), best_weights(scaled), atol=1e-5)


def test_the_best_vertex_is_the_cheapest_member():
    of = problem(SMOOTH["log loss"])

    costs = [of.cost(vertex) for vertex in np.eye(4)]

    assert best_vertex(of).tolist() == np.eye(4)[np.argmin(costs)].tolist()


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_a_pinball_loss_is_scikit_learns(level):
    rng = np.random.default_rng(0)
    y, predicted = rng.normal(size=(2, 50))

    ours = RowLoss("pinball loss", level).of_rows(y, predicted).mean()

    assert ours == pytest.approx(mean_pinball_loss(y, predicted, alpha=level))


@pytest.mark.parametrize("power", [1, 1.3, 2, 3])
def test_a_deviance_is_scikit_learns(power):
    rng = np.random.default_rng(0)
    y, predicted = rng.gamma(2, 1, size=(2, 50))
    loss = RowLoss("deviance", power)

    theirs = mean_tweedie_deviance(y, predicted, power=power)

    assert loss.of_rows(y, predicted).mean() == pytest.approx(theirs)
    step = 1e-6
    rise = loss.of_rows(y, predicted + step) - loss.of_rows(y, predicted - step)
    np.testing.assert_allclose(
        loss.slope(y, predicted), rise / (2 * step), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("loss", [*list(SMOOTH.values())[1:], *EDGED.values()])
def test_no_constant_costs_less_than_the_best(loss):
    y = np.random.default_rng(0).gamma(2, 2, 80)

    def cost(constant):
        return loss.of_rows(y, np.full(80, constant)).mean()

    best = float(loss.constant(y))
    assert all(cost(best) <= cost(other) + 1e-12 for other in np.linspace(0.1, 9, 60))
