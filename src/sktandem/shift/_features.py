"""How differently the sources fill each column, taken one column at a time."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sktandem.data._sources import Sources
from sktandem.data._spelling import fold
from sktandem.shift._columns import OTHER, Column, Floats, Kind
from sktandem.shift._units import (
    Unit,
    find_unit,
    ks_distance,
    ks_p_value,
)

__all__ = [
    "SIZE",
    "FeatureShift",
    "adjusted",
    "compare",
]


SIZE = 0.1  # no difference is reported that is smaller, however sure
ALPHA = 0.05
N_BINS = 24
N_DRAWN = 8


class Spelling(NamedTuple):
    """Two spellings of one category, and the distance once all are written alike."""

    one: str
    other: str
    after: float


@dataclass(frozen=True, eq=False)
class FeatureShift:
    """How differently the sources fill one column.

    Attributes
    ----------
    name : hashable
        The name of the column, or its position.

    kind : {"number", "category", "clash"}
        What it holds; "clash" is numbers in one source and words in another.

    size : float
        The distance between the sources, 0 to 1: of Kolmogorov and Smirnov for
        numbers, total variation for categories. With more than two sources the
        largest between one and all others. NaN where there is none to take.

    p_value : float
        Of that distance, for this column alone.

    p_adjusted : float
        The same, adjusted for the number of columns and of checks.

    chance : float
        What chance alone stays below in 95 % of tables as wide as this one.

    source : hashable
        The source that is farthest from the others.

    missing : tuple of float
        The part that is missing in each source.

    missing_size, missing_p_value, missing_p_adjusted : float
        The same three numbers for what is missing.

    center : tuple of float
        The mean of each source, NaN for categories.

    median : tuple of float
        The median of each source, NaN for categories.

    spread : tuple of float
        The standard deviation of each source, NaN for categories.

    constant : tuple of bool
        Which sources hold a single value.

    edges : tuple
        Ends of the bins, or the names of categories, of `shares`.

    shares : ndarray of shape (n_sources, n_bins)
        The part of each source in each bin.

    words : dict of {source: str} or None
        What each source holds, where they clash.

    unit : Unit or None
        The forgotten conversion, if it looks like one.

    importance : float
        What the column says about y: the rise of the held-out loss when it is
        shuffled. NaN where it was not measured.

    dated : bool
        Whether the numbers are moments, in seconds since 1970.

    among : hashable
        The class in whose rows the sources were compared, where labels differ:
        `size`, `p_value`, `chance`, `source` and `unit` are of these. None means
        all rows.

    within : FeatureShift or None
        The record of these rows alone.

    spelling : Spelling or None
        Two categories that differ in writing alone, if that is most of the distance.
    """

    name: Hashable
    kind: Kind
    size: float
    p_value: float
    chance: float
    source: Hashable
    missing: tuple[float, ...]
    missing_size: float
    missing_p_value: float
    center: tuple[float, ...]
    median: tuple[float, ...]
    spread: tuple[float, ...]
    constant: tuple[bool, ...]
    edges: tuple[Any, ...]
    shares: Floats
    words: dict[Hashable, str] | None = None
    unit: Unit | None = None
    p_adjusted: float = np.nan
    missing_p_adjusted: float = np.nan
    importance: float = np.nan
    dated: bool = False
    among: Hashable = None
    within: FeatureShift | None = None
    spelling: Spelling | None = None

    @property
    def flagged(self) -> bool:
        """Whether the difference is neither small nor chance."""
        return bool(self.p_adjusted < ALPHA and self.size > SIZE)

    @property
    def absent(self) -> tuple[bool, ...]:
        """Which sources hold no value at all."""
        return tuple(part == 1.0 for part in self.missing)


def compare(column: Column, sources: Sources, n_columns: int) -> FeatureShift:
    """Compare how the sources fill one column."""
    present = column.present
    n_present = np.bincount(sources.codes[present], minlength=len(sources.names))
    missing = 1 - n_present / sources.sizes
    missing_size, missing_p = _compare_missing(n_present, sources.sizes)
    shift = FeatureShift(
        name=column.name,
        kind=column.kind,
        size=np.nan,
        p_value=np.nan,
        chance=np.nan,
        source=None,
        missing=tuple(missing.tolist()),
        missing_size=missing_size,
        missing_p_value=missing_p,
        center=(np.nan,) * len(missing),
        median=(np.nan,) * len(missing),
        spread=(np.nan,) * len(missing),
        constant=(False,) * len(missing),
        edges=(),
        shares=np.zeros((len(missing), 0)),
        words=column.words,
        dated=column.dated,
    )
    if column.kind == "clash":
        return shift
    if column.kind == "number":
        parts = [np.sort(own[~np.isnan(own)]) for own in _own(column, sources)]
        found = _compare_numbers(parts, sources.names)
    else:
        found = _compare_categories(column, sources)
    if (n_present == 0).any():  # nothing to compare with; the rest is to look at
        return replace(shift, **{**found, "size": np.nan, "p_value": np.nan})
    if column.kind == "number":
        found["chance"] = max(_chance(n_present, n_columns))
    else:
        found["chance"] = _chance_of_categories(column, n_present, n_columns)
    return replace(shift, **{**found, "chance": min(1.0, found["chance"])})


def _own(column: Column, sources: Sources) -> list[NDArray[Any]]:
    return [column.values[rows] for rows in sources.rows]


def _sides(n_sources: int) -> list[tuple[int, list[int]]]:
    """Return who is compared with whom: of two each other, else one with the rest."""
    if n_sources == 2:
        return [(0, [1])]
    return [(s, [t for t in range(n_sources) if t != s]) for s in range(n_sources)]


def _chance(counts: NDArray[Any], n_columns: int) -> list[float]:
    """Return the distance that chance stays below, for each comparison.

    The one-term bound of the Kolmogorov-Smirnov law at ALPHA, shared out among
    all comparisons of the table.
    """
    sides = _sides(len(counts))
    # P(D > d) <= 2 exp(-2 d^2 n m / (n + m)), solved for d.
    alone = ALPHA / (2 * n_columns * len(sides))
    return [
        float(np.sqrt(-np.log(alone) / 2 * (1 / counts[s] + 1 / counts[rest].sum())))
        for s, rest in sides
    ]


def _chance_of_categories(
    column: Column, counts: NDArray[Any], n_columns: int
) -> float:
    """Return the total variation that chance stays below.

    The differences of the shares are normal, so that the sum of their absolute
    values has a known mean and variance; of two categories it is half-normal.
    """
    sides = _sides(len(counts))
    q = np.bincount(column.values[column.present]) / counts.sum()
    c = max(1 / counts[s] + 1 / counts[rest].sum() for s, rest in sides)
    # The difference of two shares of a multinomial: its variance is c q (1 - q), and
    # its covariance with that of another category -c q q'.
    sd = np.sqrt(c * q * (1 - q))
    alone = ALPHA / (n_columns * len(sides))
    if len(q) < 3:
        return float(stats.norm.isf(alone / 2) * sd.max())
    outer = np.maximum(np.outer(sd, sd), 1e-300)
    rho = np.clip(-c * np.outer(q, q) / outer, -1, 1)
    np.fill_diagonal(rho, 1)
    # cov(|x|, |y|) of two normal values with correlation rho; on the diagonal it is the
    # variance of |x|. All of them sum to the variance of the sum.
    joint = outer * (np.sqrt(1 - rho**2) + rho * np.arcsin(rho) - 1) * 2 / np.pi
    mean = float(sd.sum() * np.sqrt(2 / np.pi) / 2)
    return mean + float(stats.norm.isf(alone) * np.sqrt(joint.sum()) / 2)


def _compare_numbers(parts: list[Floats], names: Sequence[Hashable]) -> dict[str, Any]:
    filled = [part for part in parts if len(part)]
    if not filled:
        return {}
    told: dict[str, Any] = _binned(parts, filled)
    told["center"] = tuple(float(p.mean()) if len(p) else np.nan for p in parts)
    told["median"] = tuple(float(np.median(p)) if len(p) else np.nan for p in parts)
    told["spread"] = tuple(float(p.std()) if len(p) else np.nan for p in parts)
    told["constant"] = tuple(len(p) > 0 and p[0] == p[-1] for p in parts)
    if len(filled) < len(parts):
        return told
    sides = _sides(len(parts))
    sizes, p_values = [], []
    for s, rest in sides:
        others = parts[rest[0]]
        if len(rest) > 1:
            others = np.sort(np.concatenate([parts[t] for t in rest]))
        sizes.append(ks_distance(parts[s], others))
        p_values.append(ks_p_value(sizes[-1], len(parts[s]), len(others)))
    worst = int(np.argmax(sizes))
    told["size"], told["source"] = sizes[worst], names[sides[worst][0]]
    told["p_value"] = min(1.0, min(p_values) * len(sides))
    # A forgotten unit moves nearly all values: below that nobody looks for one.
    if told["size"] > 0.5:
        told["unit"] = find_unit(parts, sides[worst], names, told["size"])
    return told


def _binned(parts: list[Floats], filled: list[Floats]) -> dict[str, Any]:
    """Count the values into bins; the outermost take the rare ones beyond."""
    low = min(float(np.quantile(part, 0.01)) for part in filled)
    high = max(float(np.quantile(part, 0.99)) for part in filled)
    if low == high:
        low, high = filled[0][0], max(part[-1] for part in filled)
    edges = np.linspace(low, high, N_BINS + 1) if low < high else np.array([low, low])
    shares = np.zeros((len(parts), len(edges) - 1))
    for own, part in zip(shares, parts):
        if len(part):
            inner = np.searchsorted(part, edges[1:-1], side="right")
            own[:] = np.diff([0, *inner, len(part)]) / len(part)
    return {"edges": tuple(edges.tolist()), "shares": shares}


def _compare_categories(column: Column, sources: Sources) -> dict[str, Any]:
    n_sources, n_levels = len(sources.names), max(1, len(column.categories))
    present = column.present
    cells = sources.codes[present].astype(np.intp) * n_levels + column.values[present]
    counts = np.bincount(cells, minlength=n_sources * n_levels)
    counts = counts.reshape(n_sources, n_levels)
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(1, totals)[:, None]
    # Of many rare categories the last place holds several.
    pooled = (counts[:, -1] > 0) & (column.categories[-1:] == (OTHER,))
    told: dict[str, Any] = {
        "edges": column.categories[:N_DRAWN],
        "shares": shares[:, :N_DRAWN],
        "constant": tuple((((counts > 0).sum(axis=1) == 1) & ~pooled).tolist()),
    }
    if (totals == 0).any():
        return told
    sides = _sides(n_sources)
    sizes = _variations(counts, sides)
    worst = int(np.argmax(sizes))
    told["size"], told["source"] = sizes[worst], sources.names[sides[worst][0]]
    told["p_value"] = _chi_square(counts)
    told["spelling"] = _spelling(column.categories, counts, sides, sizes[worst])
    return told


def _variations(
    counts: NDArray[Any], sides: list[tuple[int, list[int]]]
) -> list[float]:
    """Return the total variation between the sources of each comparison."""
    shares = counts / counts.sum(axis=1)[:, None]
    sizes = []
    for s, rest in sides:
        others = counts[rest].sum(axis=0) / counts[rest].sum()
        sizes.append(min(1.0, float(np.abs(shares[s] - others).sum() / 2)))
    return sizes


def _spelling(
    categories: Sequence[Any],
    counts: NDArray[Any],
    sides: list[tuple[int, list[int]]],
    before: float,
) -> Spelling | None:
    """Return two spellings of one category, if written alike half the distance goes."""
    keys = [fold(c) if isinstance(c, str) else c for c in categories]
    # Reversed, so that of several spellings the first remains, which is the most
    # common.
    first = {key: place for place, key in reversed(list(enumerate(keys)))}
    if len(first) == len(keys) or before <= SIZE:
        return None
    merged = np.zeros_like(counts)
    np.add.at(merged.T, [first[key] for key in keys], counts.T)
    after = max(_variations(merged, sides))
    if after > before / 2:
        return None
    other = next(place for place, key in enumerate(keys) if first[key] != place)
    return Spelling(categories[first[keys[other]]], categories[other], after)


def _chi_square(counts: NDArray[Any]) -> float:
    """Return the p-value of independence; rare categories are taken as one.

    Where even together they are too few for the law of large numbers, they are
    tested exactly, beside the others.
    """
    totals = counts.sum(axis=1)
    expected = counts.sum(axis=0) * totals.min() / totals.sum()
    rare = expected < 5
    kept, pooled = counts[:, ~rare], counts[:, rare].sum(axis=1)
    # Cochran's rule: the law of chi-squared holds where 5 are expected in each cell.
    # Yates' correction is for tables of two by two, and would make them too strict.
    if not rare.any() or expected[rare].sum() >= 5:
        if rare.any():
            kept = np.column_stack([kept, pooled])
        return float(stats.chi2_contingency(kept, correction=False).pvalue)
    p_values = [_exact(pooled, totals)]
    if kept.shape[1] > 1 and kept.any(axis=1).all():
        p_values.append(stats.chi2_contingency(kept, correction=False).pvalue)
    return min(1.0, len(p_values) * float(min(p_values)))


def _exact(counts: NDArray[Any], totals: NDArray[Any]) -> float:
    """Return Fisher's p-value of one category, of each source against the rest."""
    sides = _sides(len(counts))
    p_values = [
        stats.fisher_exact(
            [
                [counts[s], totals[s] - counts[s]],
                [counts[rest].sum(), (totals - counts)[rest].sum()],
            ]
        )[1]
        for s, rest in sides
    ]
    return min(1.0, len(sides) * float(min(p_values)))


def _compare_missing(n_present: NDArray[Any], sizes: Any) -> tuple[float, float]:
    lost = sizes - n_present
    if not lost.any() or (n_present == 0).any():
        return 0.0, np.nan
    apart = [
        abs(lost[s] / sizes[s] - lost[rest].sum() / sizes[rest].sum())
        for s, rest in _sides(len(sizes))
    ]
    return float(max(apart)), _chi_square(np.column_stack([n_present, lost]))


def adjusted(p_values: Sequence[float]) -> Floats:
    """Return p-values adjusted by Benjamini and Hochberg; NaN stays NaN."""
    out = np.array(p_values, dtype=np.float64)
    known = np.isfinite(out)
    if known.any():
        out[known] = stats.false_discovery_control(out[known])
    return out
