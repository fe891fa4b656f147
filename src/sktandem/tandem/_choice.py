"""Choosing one strategy: what counts, which ties are ties, who may leave early."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem._settings import check_choice, is_number
from sktandem.exceptions import SourceError
from sktandem.model_selection._folds import Measured
from sktandem.model_selection._judges import SourceJudge
from sktandem.report._wording import text_table
from sktandem.stats._inference import Difference, paired_rows

__all__ = ["Choice", "Ranking", "check_objective", "on_source"]

OBJECTIVES = ("macro", "worst", "primary")
CLEARLY = 3.0  # standard errors behind the leader, after which a strategy leaves


def check_objective(objective: Any, tolerance: Any, primary_source: Any) -> None:
    """Refuse settings of the choice that make no sense."""
    check_choice("objective", objective, OBJECTIVES)
    if objective == "primary" and primary_source is None:
        raise SourceError("objective='primary' needs primary_source, the source meant.")
    in_words = isinstance(tolerance, str) and tolerance == "one-se"
    if not in_words and not (is_number(tolerance) and tolerance >= 0):
        raise SourceError(
            f"tolerance must be 'one-se' or a number of at least 0, got {tolerance!r}."
        )


@dataclass(frozen=True, repr=False)
class Ranking:
    """Why a strategy was chosen: what each costs, and how far it is behind.

    Attributes
    ----------
    chosen : str
        The first strategy that is not farther behind than bearable.

    costs : dict of {str: float}
        What each strategy costs: its loss as a part of the own model's, over the
        sources as `objective` says; or, with `scoring`, the negative metric.

    behind : dict of {str: float}
        By how much each costs more than the best.

    bearable : dict of {str: float}
        How far behind each may be: one standard error of its difference from
        the best, or the `tolerance`.
    """

    chosen: str
    costs: dict[str, float]
    behind: dict[str, float]
    bearable: dict[str, float]

    def __repr__(self) -> str:
        headers = ["strategy", "cost", "behind", "bearable", ""]
        rows = [
            [
                name,
                f"{cost:.4f}",
                f"{self.behind[name]:.4f}",
                f"{self.bearable[name]:.4f}",
                "chosen" if name == self.chosen else "",
            ]
            for name, cost in self.costs.items()
        ]
        return text_table(headers, rows, numbers=(1, 2, 3))


class Choice:
    """Compares what strategies cost on each source with each other.

    Costs are losses as a part of the own model's loss, so that sources of
    different units count alike; or, with a metric of the user's, the negative
    metric.

    Parameters
    ----------
    measured : Measured
        The rows of some folds or of all.

    judges : sequence of SourceJudge
        The sources that count.

    objective : {"macro", "worst", "primary"}
        Their mean, the worst of them, or the only one.

    tolerance : "one-se" or float
        How much worse than the best a simpler strategy may be.

    by_metric : bool
        Whether the user's metric decides rather than the loss.

    groups : ndarray of int or None
        The group of each row of all sources.
    """

    def __init__(
        self,
        measured: Measured,
        judges: Sequence[SourceJudge],
        objective: str,
        tolerance: str | float,
        by_metric: bool,
        groups: NDArray[np.intp] | None = None,
    ) -> None:
        self.measured = measured
        self.judges = judges
        self.objective = objective
        self.tolerance = tolerance
        self.by_metric = by_metric
        self.groups = groups
        self.loss = measured.loss()

    def rank(self, names: Sequence[str]) -> Ranking:
        """Choose the first strategy that the best one does not clearly beat."""
        costs = {name: self.cost(name) for name in names}
        best = min(names, key=lambda name: costs[name])
        behind = {name: costs[name] - costs[best] for name in names}
        bearable = {name: self._bearable(name, best) for name in names}
        chosen = next(
            name for name in names if name == best or behind[name] <= bearable[name]
        )
        return Ranking(chosen, costs, behind, bearable)

    def _bearable(self, name: str, best: str) -> float:
        if isinstance(self.tolerance, str):  # "one-se"
            return self._standard_error(name, best)
        return self.tolerance

    def hopeless(self, names: Sequence[str]) -> list[str]:
        """Return the strategies that are far behind the leader already."""
        costs = {name: self.cost(name) for name in names}
        best = min(names, key=lambda name: costs[name])
        return [
            name
            for name in names[1:]  # the first is the measure of all
            if costs[name] - costs[best] > CLEARLY * self._standard_error(name, best)
            and name != best
        ]

    def cost(self, name: str) -> float:
        """Return what a strategy costs over all sources that count."""
        costs = [self._cost_on(name, judge) for judge in self.judges]
        return max(costs) if self.objective == "worst" else float(np.mean(costs))

    def _cost_on(self, name: str, judge: SourceJudge) -> float:
        return self.difference(name, None, judge).estimate

    def difference(
        self, name: str, other: str | None, judge: SourceJudge
    ) -> Difference:
        """Return by how much a strategy costs a source more than another; or all."""
        n_splits = self.measured.shape[1]
        key = "metric" if self.by_metric else self.loss
        own = self.measured.of(name, judge.name, key)
        base = np.zeros_like(own)
        if other is not None:
            base = self.measured.of(other, judge.name, key)
        groups = None if self.groups is None else self.groups[judge.rows]
        if self.by_metric:
            return judge.metric_difference(own, base, n_splits, groups)[2]
        d = (own - base) / self._scale(judge)
        known = np.isfinite(d).all(axis=0)  # of the folds so far
        groups = None if groups is None else groups[known]
        return paired_rows(d[:, known], n_splits, groups=groups)

    def _scale(self, judge: SourceJudge) -> float:
        reference = self.measured.of(self.measured.names[0], judge.name, self.loss)
        return float(np.nanmean(reference)) or 1.0

    def _standard_error(self, name: str, other: str) -> float:
        """Return the standard error of the difference of two strategies' costs."""
        if name == other:
            return 0.0
        judges = list(self.judges)
        if self.objective == "worst":
            judges = [max(judges, key=lambda judge: self._cost_on(name, judge))]
        errors = [self.difference(name, other, judge).se for judge in judges]
        return float(np.sqrt(np.sum(np.square(errors))) / len(errors))


def on_source(choice: Choice, source: Hashable) -> Choice:
    """Return the same choice for one source alone."""
    judges = [judge for judge in choice.judges if judge.name == source]
    settings = choice.tolerance, choice.by_metric, choice.groups
    return Choice(choice.measured, judges, "macro", *settings)
