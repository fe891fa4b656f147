"""The weights of members, source by source, and what the blend gains."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem._typing import Floats
from sktandem.data._rows import Rows
from sktandem.exceptions import SourceError
from sktandem.model_selection._folds import Fold
from sktandem.stats._inference import Difference, group_means
from sktandem.tandem._donors import FittedDonor, with_donors
from sktandem.tandem._gains import BlendGains, Gain
from sktandem.tandem._judge import Judge, counts_of
from sktandem.tandem._out_of_fold import OutOfFold, out_of_fold
from sktandem.tandem._simplex import best_vertex, best_weights

__all__ = ["Blender", "Measured", "Mixtures", "gains_of", "mixture_of_unknown"]

# How many rows those of the other sources count as, in all. They keep the weights of
# a source of few rows near those that suit every source.
OTHERS = 100.0
# To leave its own model costs a source as much as that model loses on so many rows. On
# thirty rows, some member looks better by chance.
LEAVING = 4.0
BLOCKS = 6  # of sources that are left out together


@dataclass(frozen=True, eq=False)
class Measured:
    """What own models and the blend cost on the rows of a source.

    Attributes
    ----------
    own, blend : float
        The mean loss, out of fold; own is nan where there is no own model.

    gain : Difference
        The mean of what the blend saves.
    """

    own: float
    blend: float
    gain: Difference


@dataclass(frozen=True, eq=False)
class Mixtures:
    """What is mixed, mixture by mixture.

    Attributes
    ----------
    weights : ndarray of shape (n_mixtures, n_members)
        What each member counts; a row adds up to 1.

    even : ndarray of shape (n_mixtures,)
        The part of equal probabilities in what they give together.
    """

    weights: Floats
    even: Floats

    @classmethod
    def of(cls, *mixtures: tuple[Floats, float]) -> Mixtures:
        """Return mixtures, each given by its weights and its part."""
        return cls(*map(np.array, zip(*mixtures)))

    def and_one(self, weights: Floats, even: float) -> Mixtures:
        """Return these mixtures and one more."""
        return Mixtures(np.vstack([self.weights, weights]), np.append(self.even, even))


NOTHING = Measured(np.nan, np.nan, Difference(np.nan, np.nan, 1, 0))


@dataclass(frozen=True, eq=False)
class Blender:
    """Learns the weights of members from what they predict out of fold.

    Attributes
    ----------
    found : OutOfFold
        What each member predicts.

    rows : Rows
        The rows of all sources.

    judge : Judge
        What a mixture costs.

    target : ndarray of shape (n_rows, n_values)
        What is true.

    choose : bool
        Whether each source takes one member, the best, rather than a mixture.

    is_free : bool, default=False
        Whether it costs nothing to leave the own model.
    """

    found: OutOfFold
    rows: Rows
    judge: Judge
    target: Floats
    choose: bool
    is_free: bool = False

    def mixtures(self, among: NDArray[np.bool_] | None = None) -> Mixtures:
        """Return the mixture of each source, learned from some rows."""
        used = self.counts > 0 if among is None else (self.counts > 0) & among
        if len(self.found.names) == 1 and len(self.names) == 1:
            return Mixtures.of((np.ones(1), 0.0))
        values = self._values(used)
        return Mixtures.of(*(self._of_source(n, used, values) for n in self.names))

    @property
    def names(self) -> tuple[Hashable, ...]:
        """The sources."""
        return self.rows.names

    def common(self, answers: Floats, able: NDArray[np.intp]) -> tuple[Floats, float]:
        """Return the mixture of some members that suits all sources."""
        used = np.asarray(np.isfinite(answers[able]).all(axis=(0, 2)))
        used &= self.counts > 0
        values = self._values(used)
        even = self.judge.even_parts(used.sum())[0]
        weights = np.zeros(len(answers))
        judged = self.judge.judged(self.target, answers)[np.ix_(able, used)]
        weights[able], _ = self._solve(judged, used, values[used], even)
        return weights, even

    @cached_property
    def counts(self) -> Floats:
        """What each row counts."""
        return counts_of(self.rows)

    @cached_property
    def judged(self) -> Floats:
        """What of the members' answers decides their cost."""
        return self.judge.judged(self.target, self.found.answers)

    def _values(self, used: NDArray[np.bool_]) -> Floats:
        """Return what each value counts: by its weight, in units of its source."""
        values = np.repeat(self.counts[:, None], self.target.shape[1], axis=1)
        for own in self.rows.sources.rows:
            own = own[used[own]]
            if len(own):
                values[own] /= self.judge.scale(self.target[own])
        return values

    def _of_source(
        self, name: Hashable, used: NDArray[np.bool_], values: Floats
    ) -> tuple[Floats, float]:
        """Return the mixture of the members that can answer for a source."""
        own = np.zeros(len(self.rows), dtype=bool)
        own[self.rows.of(name)] = True
        weights = np.zeros(len(self.judged))
        able = self.found.able(self.rows.of(name))
        if len(able) == 0:
            models = self.found.models.values()
            why = next(m.failures[name] for m in models if name in m.failures)
            raise SourceError(f"No member can answer for {name!r}. {why}")
        if len(weights) == 1:  # nothing is mixed, so it is as it is
            return np.ones(1), 0.0
        # Rows of others say which mixture suits where these members all answer.
        full = np.asarray(self.found.finite[able].all(axis=0)) & used
        others = full & ~own
        counts = values.copy()
        total = self.counts[others].sum()
        if total > 0:
            counts[others] *= OTHERS / total
        if self.choose:
            full = full & own if (full & own).any() else full
        given = self.judged[np.ix_(able, full)]
        solved = []
        for part in self.judge.even_parts((own & used).sum()):
            besides = np.zeros(len(able))
            if able[0] == 0 and not self.is_free:
                leaving = LEAVING * self._own_loss(own & used, values, part)
                besides[able > 0] = leaving
                # A donor was brought to be used, and knows more rows than are here.
                besides[self.found.is_donor[able]] = 0
            found, cost = self._solve(given, full, counts[full], part, besides)
            solved.append((cost, part, found))
        _, even, weights[able] = min(solved, key=lambda each: each[0])
        return weights, even

    def _own_loss(self, rows: NDArray[np.bool_], values: Floats, even: float) -> float:
        """Return what a source's own model costs on a row, in its unit."""
        count = self.counts[rows].sum()
        if count == 0:  # where no row of a tiny source is among those used
            return 0.0
        own = self.judge.evened(self.judged[:1, rows], even)
        cost = self.judge.problem(self.target[rows], own, values[rows]).cost(np.ones(1))
        return float(cost / count)

    def _solve(
        self,
        judged: Floats,
        used: NDArray[np.bool_],
        counts: Floats,
        even: float,
        besides: Floats | float = 0.0,
    ) -> tuple[Floats, float]:
        """Return the weights that cost least, and what they cost."""
        total = counts.sum()
        if total == 0:  # no row tells: a source stays with its own model, the first
            return np.eye(len(judged))[0], 0.0
        judged = self.judge.evened(judged, even)
        problem = self.judge.problem(self.target[used], judged, counts / total)
        problem = replace(problem, besides=besides / total)
        found = best_vertex(problem) if self.choose else best_weights(problem)
        return found, problem.cost(found)

    def mixed(self, mixtures: Mixtures, rows: NDArray[np.intp]) -> Floats:
        """Return what mixtures of members predict out of fold for some rows."""
        codes = self.rows.sources.codes[rows]
        own = mixtures.weights[codes]  # a row's weights
        answers = self.found.answers[:, rows]
        # A member without weight may have no answer.
        parts = np.where(own.T[:, :, None] > 0, answers, 0.0) * own.T[:, :, None]
        return self.judge.evened(parts.sum(axis=0), mixtures.even[codes, None])

    def measured(self, n_splits: int) -> dict[Hashable, Measured]:
        """Return what the blend saves on each source, weights learned by folds.

        The weights for the rows of a fold come from the other folds, so that what
        is measured is the gain of a blend fitted on as many rows as a fold trains on.
        """
        rows = self.rows
        if n_splits == 0:
            return {self.names[0]: NOTHING}
        costs = self._cross_fitted(n_splits)
        # How far a source leaves its own model is luck, too: where it hardly does, the
        # rows alone would tell a certainty that there is not.
        free = replace(self, is_free=True)._cross_fitted(n_splits)
        known = np.isfinite(self.found.own).all(axis=1)
        known &= np.isfinite(self.found.answers[0]).all(axis=1)  # in every fold
        known &= self.judge.can_cost(self.found.own)
        own = np.full(len(rows), np.nan)
        if known.any():
            own[known] = self.judge.costs(self.target[known], self.found.own[known])
        found = {}
        for name in self.names:
            of = rows.of(name)
            of = of[self.counts[of] > 0]
            counts = self.counts[of]
            gain, wide = (
                self._gain(own[of] - each[of], of, counts, n_splits)
                for each in (costs, free)
            )
            found[name] = Measured(
                float(np.average(own[of], weights=counts)),
                float(np.average(costs[of], weights=counts)),
                replace(gain, se=float(np.fmax(gain.se, wide.se))),
            )
        return found

    def _cross_fitted(self, n_splits: int) -> Floats:
        """Return what the blend costs on each row, by weights of the other folds."""
        blend = np.full(self.target.shape, np.nan)
        for number in range(n_splits):
            test = np.flatnonzero(self.found.fold == number)
            if len(test):
                others = self.mixtures(self.found.fold != number)
                blend[test] = self.mixed(others, test)
        return self.judge.costs(self.target, blend)

    def _gain(
        self, saved: Floats, of: NDArray[np.intp], counts: Floats, n_splits: int
    ) -> Difference:
        """Return the mean of what is saved, with the error of rows and of refitting.

        The models of the folds share most of their rows. Their common luck, which
        the variance over rows cannot show, adds by Nadeau and Bengio as much as
        the test rows, times k / (k - 1).
        """
        if not np.isfinite(saved).all():
            return Difference(np.nan, np.nan, 1, 0)
        mean = float(np.average(saved, weights=counts))
        if self.rows.groups is not None:
            saved = group_means(saved[None], self.rows.groups[of])[0]
        n = len(saved)
        if n < 2:
            return Difference(mean, np.nan, 1, n)
        variance = saved.var(ddof=1) / n * (1 + n_splits / (n_splits - 1))
        return Difference(mean, float(np.sqrt(variance)), n - 1, n)


def mixture_of_unknown(
    blender: Blender,
    members: Mapping[str, Any],
    n_jobs: int | None,
    tell: Any,
    folder: Path | None,
) -> tuple[Floats, float]:
    """Return the mixture for rows of sources that were not there in `fit`.

    Its weights come from leaving out whole sources, whose rows are then asked as
    unknown ones; of two sources, one left out would leave nothing to share.
    """
    found, rows = blender.found, blender.rows
    able = np.array(
        [
            place
            for place, name in enumerate(found.names)
            if not found.models[name].failures
        ]
    )
    if len(able) == 0:
        raise SourceError(
            "unknown_source='pooled' needs a member that answers for any source, and "
            f"none of {list(found.names)} could be fitted for all."
        )
    if len(rows.names) < 3:
        return blender.common(found.answers, able)
    block = np.arange(len(rows.names)) % min(BLOCKS, len(rows.names))
    of_row = block[rows.sources.codes]
    folds = [
        Fold(0, b, np.flatnonzero(of_row != b), np.flatnonzero(of_row == b), 0)
        for b in range(block.max() + 1)
    ]
    names = [found.names[place] for place in able]
    asked = {name: members[name] for name in names if name in members}
    judge = blender.judge
    left_out = out_of_fold(
        asked, rows, folds, judge, n_jobs, tell, folder, unknown=True
    )
    donors = [m.donor for m in found.models.values() if isinstance(m, FittedDonor)]
    used = [donor for donor in dict.fromkeys(donors) if donor.name in names]
    left_out = with_donors(
        left_out, used, rows, folds, judge, blender.target, unknown=True
    )
    answers = np.full_like(found.answers, np.nan)
    answers[able] = left_out.answers
    able = able[np.isfinite(answers[able]).all(axis=(1, 2))]
    if len(able) == 0:
        why = next(iter(left_out.models[names[0]].failures.values()))
        raise SourceError(
            f"unknown_source='pooled' needs a member that answers for any source. {why}"
        )
    return blender.common(answers, able)


def gains_of(blender: Blender, weights: Floats, n_splits: int) -> BlendGains:
    """Return what the blend gains on each source, as it is shown."""
    names, loss_name = blender.found.names, blender.judge.loss_name
    gains: dict[Hashable, Gain] = {}
    for source, measured in blender.measured(n_splits).items():
        low, high = measured.gain.interval()
        reason = "" if n_splits else "there is no other source"
        if n_splits and not np.isfinite(measured.own):
            failed = blender.found.models[names[0]].failures.get(source)
            reason = f"it has no own model: {failed}"
            if failed is None:
                reason = f"its own model could not be judged by {loss_name}"
        found = measured.own, measured.blend, measured.gain.estimate
        gains[source] = Gain(*found, low, high, reason)
    by_name = {
        source: dict(zip(names, own.tolist()))
        for source, own in zip(blender.names, weights)
    }
    n_rows = dict(zip(blender.names, blender.rows.sources.sizes.tolist()))
    return BlendGains(gains, by_name, loss_name, n_rows)
