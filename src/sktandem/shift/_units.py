"""Columns that two sources hold in different units."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sktandem.shift._columns import Floats

__all__ = ["Unit", "find_unit", "ks_distance", "ks_p_value"]

ALPHA, NEAR = 0.01, 0.03  # what is left is chance, or too little to see
ROUND = (10.0, 100.0, 1000.0)

# Conversions that people forget: what one source has, times the factor, plus the
# offset, is what the other has.
UNITS = (
    ("a factor of 1000", 1000.0, 0.0),
    ("a factor of 100", 100.0, 0.0),
    ("a factor of 10", 10.0, 0.0),
    ("a factor of 60, as of minutes to seconds", 60.0, 0.0),
    ("inches to centimetres", 2.54, 0.0),
    ("inches to millimetres", 25.4, 0.0),
    ("metres to feet", 3.2808, 0.0),
    ("kilograms to pounds", 2.2046, 0.0),
    ("miles to kilometres", 1.6093, 0.0),
    ("mmol/l to mg/dl of glucose", 18.02, 0.0),
    ("mmol/l to mg/dl of cholesterol", 38.67, 0.0),
    ("mg/dl to µmol/l of creatinine", 88.4, 0.0),
    ("calories to joules", 4.184, 0.0),
    ("Celsius to Fahrenheit", 1.8, 32.0),
)


@dataclass(frozen=True)
class Unit:
    """A conversion after which two sources agree."""

    words: str
    source: Hashable
    factor: float
    offset: float
    before: float
    after: float

    @property
    def sure(self) -> bool:
        """Whether no population is likely to differ just so by its size."""
        return self.offset != 0 or self.factor in ROUND


def ks_distance(a: Floats, b: Floats) -> float:
    """Return the largest gap between the distributions of two sorted samples."""
    both = np.concatenate([a, b])
    below_a = np.searchsorted(a, both, side="right") / len(a)
    below_b = np.searchsorted(b, both, side="right") / len(b)
    return float(np.abs(below_a - below_b).max())


def find_unit(
    parts: list[Floats],
    side: tuple[int, list[int]],
    names: Sequence[Hashable],
    before: float,
    *,
    slack: float = 1.5,
) -> Unit | None:
    """Return the conversion that makes two sources agree, if a known one does.

    The ratio of the spreads must be the factor, as near as so many rows tell it, times
    `slack`; of the distance not more than a quarter may be left, and what is left must
    be what chance gives, or next to nothing.
    """
    one = parts[side[0]]
    other = np.sort(np.concatenate([parts[t] for t in side[1]]))
    found: list[Unit] = []
    for small, large, source in (
        (one, other, names[side[0]]),
        (other, one, names[side[1][0]] if len(side[1]) == 1 else "the others"),
    ):
        with np.errstate(over="ignore", invalid="ignore"):
            inner = [np.subtract(*np.quantile(p, [0.75, 0.25])) for p in (small, large)]
        if not all(0 < width < np.inf for width in inner):  # nor nan, of infinities
            continue
        near = 0.03 + slack * np.sqrt(1 / len(small) + 1 / len(large))
        for words, factor, offset in UNITS:
            # By differences: a quotient of the largest and the smallest overflows.
            if abs(np.log(inner[1]) - np.log(inner[0]) - np.log(factor)) > near:
                continue
            with np.errstate(over="ignore"):  # infinite is as far as can be
                after = ks_distance(small * factor + offset, large)
            likely = ks_p_value(after, len(small), len(large)) > ALPHA
            if after < before / 4 and (likely or after < NEAR):
                found.append(Unit(words, source, factor, offset, before, after))
    return min(found, key=lambda unit: unit.after, default=None)


def ks_p_value(distance: float, n: int, m: int) -> float:
    """Return the asymptotic two-sided p-value, as `scipy.stats.ks_2samp` does."""
    return float(np.clip(stats.kstwo.sf(distance, np.round(n * m / (n + m))), 0, 1))
