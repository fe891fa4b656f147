"""From the rows of a run to the figures of the page."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from .cells import unpacked
from .ways import BLEND, CHOOSE, CONTROL, OWN

# A source that its own model predicts almost perfectly would decide every mean.
FLOOR = 0.1


@dataclass(frozen=True)
class Cell:
    """A way on a problem: its loss as a part of own models'."""

    ratio: float
    se: float
    p_worse: float
    seconds: float
    memory: float  # MB beside what was held before
    draws: int


@dataclass(frozen=True)
class Difference:
    """What one way loses more than another, in parts of own models' loss."""

    mean: float
    se: float
    p_more: float


class Results:
    """The losses of one learner, by problem, way and draw."""

    def __init__(self, cache, problems, learner):
        self.problems, self.learner = problems, learner
        self.errors, self.losses, self.seconds, self.memory = {}, {}, {}, {}
        for row in cache.rows.values():
            if row["learner"] != learner or row["problem"] not in problems:
                continue
            key = row["problem"], row["way"]
            if "error" in row:
                self.errors[key] = row["error"]
                continue
            found = unpacked(row["losses"], np.float32)
            self.losses.setdefault(key, {})[row["draw"]] = found
            self.seconds.setdefault(key, []).append(row["seconds"])
            self.memory.setdefault(key, []).append(row.get("memory", np.nan))
        self._draws, self._ratios = {}, {}

    def names(self):
        """Return the problems that have own models, in the order of the list."""
        return [name for name in self.problems if (name, OWN) in self.losses]

    def tested(self, name, draw):
        """Return the source of each test row."""
        if (name, draw) not in self._draws:
            _, test = self.problems[name].draw(draw)
            self._draws[name, draw] = test.source
        return self._draws[name, draw]

    def cell(self, name, way):
        """Return a cell, or None where the way has no answer."""
        if (name, way) not in self.losses:
            return None
        found = self.difference(name, way, OWN)
        return Cell(
            1 + found.mean,
            found.se,
            found.p_more,
            float(np.median(self.seconds[name, way])),
            float(np.max(self.memory[name, way])),
            len(self.losses[name, way]),
        )

    def difference(self, name, way, other):
        """Return by how much one way loses more than the other."""
        key = name, way, other
        if key not in self._ratios:
            self._ratios[key] = self._difference(*key)
        return self._ratios[key]

    def _difference(self, name, way, other):
        first, second = self.losses[name, way], self.losses[name, other]
        own = self.losses[name, OWN]
        draws = sorted(set(first) & set(second) & set(own))
        sources = {draw: self.tested(name, draw) for draw in draws}
        names = np.unique(np.concatenate([*sources.values()]))
        unit = {
            s: np.mean([own[d][sources[d] == s].mean() for d in draws]) for s in names
        }
        least = FLOOR * np.mean([*unit.values()])
        means, variances, n_tested = [], [], 0
        for draw in draws:
            lost, variance = [], 0.0
            for s in names:
                asked = sources[draw] == s
                parts = (first[draw] - second[draw])[asked] / max(unit[s], least)
                lost.append(parts.mean())
                if asked.sum() > 1:
                    variance += parts.var(ddof=1) / asked.sum()
            means.append(np.mean(lost))
            variances.append(variance / len(names) ** 2)
            n_tested = max(n_tested, len(first[draw]))
        return _judged(means, variances, n_tested)


def _judged(means, variances, n_tested):
    """Return the mean over draws with its standard error, the larger of two.

    By rows: of one draw, as draws share their rows, times 2 for the half of the rows
    that trained. By draws: the luck of the training rows, by their spread.
    """
    mean, n = float(np.mean(means)), len(means)
    by_rows = float(np.sqrt(2 * np.mean(variances)))
    by_draws = float(np.std(means, ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    df, se = (n - 1, by_draws) if by_draws > by_rows else (n_tested - 1, by_rows)
    p = float(stats.t.sf(mean / se, df)) if se > 0 else 1.0
    return Difference(mean, se, p)


def holm(p_values, level=0.05):
    """Return which of several hypotheses are rejected, by Holm's rule."""
    order = np.argsort(p_values)
    rejected = np.zeros(len(p_values), dtype=bool)
    for place, at in enumerate(order):
        if p_values[at] > level / (len(p_values) - place):
            break
        rejected[at] = True
    return rejected


def ratios_of(results, names, ways):
    """Return the ratios, problems by ways; no answer counts as own models."""
    table = np.ones((len(names), len(ways)))
    for i, name in enumerate(names):
        for j, way in enumerate(ways):
            cell = results.cell(name, way)
            if cell is not None:
                table[i, j] = cell.ratio
    return table


def critical_difference(n_ways, n_problems, level=0.05):
    """Return by how much two mean ranks must differ, by Nemenyi."""
    q = stats.studentized_range.ppf(1 - level, n_ways, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_ways * (n_ways + 1) / (6 * n_problems)))


def in_hindsight(results, name, ways):
    """Return the best way of a problem that is no blend and no control."""
    simple = [way for way in ways if way not in (BLEND, CHOOSE, CONTROL)]
    have = [way for way in simple if results.cell(name, way) is not None]
    return min(have, key=lambda way: results.cell(name, way).ratio)
