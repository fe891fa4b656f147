"""Weights that add up to 1: the mixture of members that costs least."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq, linprog, minimize

from sktandem._typing import Floats
from sktandem.stats._row_loss import RowLoss

__all__ = ["Problem", "best_vertex", "best_weights"]

GAP = 1e-8  # how much a solution may cost above the best there is
NEGLIGIBLE = 1e-9  # a weight that is none


@dataclass(frozen=True, eq=False)
class Problem:
    """What a mixture costs: a mean over rows of a convex function of it.

    Attributes
    ----------
    predictions : ndarray of shape (n_values, n_members)
        What each member gives: the probability of the true class of each row, or
        the numbers of all rows, output by output.

    y : ndarray of shape (n_values,) or None
        The numbers to predict; None for probabilities.

    weights : ndarray of shape (n_values,)
        What each value counts; they add up to 1.

    loss : RowLoss or None
        What a number costs; None for the log loss of probabilities.

    besides : float or ndarray of shape (n_members,), default=0.0
        What a member of weight 1 costs besides.
    """

    predictions: Floats
    y: Floats | None
    weights: Floats
    loss: RowLoss | None
    besides: Floats | float = 0.0

    @property
    def n_members(self) -> int:
        """How many members there are."""
        return int(self.predictions.shape[1])

    def cost(self, mixture: Floats) -> float:
        """Return what a mixture costs."""
        mixed, besides = self.predictions @ mixture, np.sum(self.besides * mixture)
        if self.loss is None or self.y is None:
            return float(besides - self.weights @ np.log(mixed))
        return float(besides + self.weights @ self.loss.of_rows(self.y, mixed))

    def slope(self, mixture: Floats) -> Floats:
        """Return the gradient of `cost`."""
        mixed = self.predictions @ mixture
        if self.loss is None or self.y is None:
            return self.besides - (self.weights / mixed) @ self.predictions
        slope = (self.weights * self.loss.slope(self.y, mixed)) @ self.predictions
        return np.asarray(self.besides + slope)


def best_vertex(problem: Problem) -> Floats:
    """Return the weights that take one member, the first of the cheapest."""
    vertices = np.eye(problem.n_members)
    costs = [problem.cost(vertex) for vertex in vertices]
    return np.asarray(vertices[int(np.argmin(costs))])


def best_weights(problem: Problem) -> Floats:
    """Return the weights of the mixture that costs least.

    Of members that give the same numbers the first takes all.
    """
    known: dict[bytes, int] = {}  # np.unique takes as long as many fits
    for place, given in enumerate(problem.predictions.T):
        known.setdefault((given + 0.0).tobytes(), place)  # of zeros with either sign
    first = list(known.values())
    weights = np.zeros(problem.n_members)
    besides = np.broadcast_to(problem.besides, problem.n_members)[first]
    given = problem.predictions[:, first]
    found = _solved(replace(problem, predictions=given, besides=besides))
    # What a solver leaves at 1e-17 changes nothing, but its member would be asked.
    found = np.where(found < NEGLIGIBLE, 0.0, found)
    weights[first] = found / found.sum()
    return weights


def _solved(problem: Problem) -> Floats:
    if problem.n_members == 1:
        return np.ones(1)
    loss = problem.loss
    if loss is not None and loss.kind in ("absolute error", "pinball loss"):
        return _by_linear_program(problem, loss)
    return _polished(problem, _by_slsqp(problem))


def _by_linear_program(problem: Problem, loss: RowLoss) -> Floats:
    """Minimise a loss of straight pieces: what is short and what is over, weighted.

    The program is solved in its dual form, which has a variable for each row, with
    bounds, and a constraint for each member, where the primal one has two
    variables and a constraint for each row.
    """
    assert problem.y is not None
    level = 0.5 if loss.kind == "absolute error" else loss.level
    y, given, weights = problem.y, problem.predictions, problem.weights
    m = problem.n_members
    # max u'y - v  for  given'u <= v + besides,  (level - 1) w <= u <= level w.
    found = linprog(
        np.append(-y, 1.0),
        A_ub=np.column_stack([given.T, np.full(m, -1.0)]),
        b_ub=np.broadcast_to(problem.besides, m),
        bounds=[*zip((level - 1) * weights, level * weights), (None, None)],
        method="highs",
    )
    mixture = np.clip(-found.ineqlin.marginals, 0, None)
    return np.asarray(mixture / mixture.sum())


def _by_slsqp(problem: Problem) -> Floats:
    """Minimise a smooth cost; quick, but it may stop early where the cost is flat."""
    n = problem.n_members
    even = np.full(n, 1 / n)
    found = minimize(
        problem.cost,
        even,
        jac=problem.slope,
        bounds=[(0, 1)] * n,
        constraints={  # a LinearConstraint takes as long as the rest
            "type": "eq",
            "fun": lambda mixture: mixture.sum() - 1,
            "jac": lambda mixture: np.ones(n),
        },
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    mixture = np.clip(found.x, 0, None)
    return mixture / mixture.sum() if np.isfinite(mixture).all() else even


def _polished(problem: Problem, mixture: Floats, n_steps: int = 2000) -> Floats:
    """Move weight from the worst member to the best until the gap is small enough.

    These are the pairwise steps of Frank and Wolfe: each is exact along its line,
    so that the cost only falls.
    """
    for _ in range(n_steps):
        slope = problem.slope(mixture)
        # No mixture is below the tangent of a convex cost.
        if slope @ mixture - slope.min() <= GAP:
            break
        to = int(np.argmin(slope))
        away = int(np.argmax(np.where(mixture > 0, slope, -np.inf)))
        step = _line_search(problem, mixture, to, away)
        mixture[to] += step
        mixture[away] -= step
    mixture = np.clip(mixture, 0, None)
    return np.asarray(mixture / mixture.sum())


def _line_search(problem: Problem, mixture: Floats, to: int, away: int) -> float:
    """Return how much weight to move from one member to another."""

    def slope_at(step: float) -> float:
        moved = mixture.copy()
        moved[to] += step
        moved[away] -= step
        slope = problem.slope(moved)
        return float(slope[to] - slope[away])

    most = float(mixture[away])
    return most if slope_at(most) <= 0 else float(brentq(slope_at, 0.0, most))
