"""Columns that are the same in another unit, or under another name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any

import numpy as np

from sktandem.data._spelling import fold
from sktandem.files._file import text_columns
from sktandem.shift._units import find_unit, ks_distance

__all__ = ["CODES", "Difference", "differing_names", "differing_units"]

# Numbers that stand for a missing value.
CODES = {-1, -7, -8, -9, -77, -88, -99, -999, -9999, 99, 999, 9999, 99999}
LIKE_NAMES = 0.8
SLACK = 2.5  # of the spread, so that 19 of 20 changes of unit are found
FEWEST_NUMBERS = 30  # to compare two columns of other names by their values


@dataclass(frozen=True)
class Difference:
    """One thing that is written differently, and what settles it.

    Attributes
    ----------
    kind : str
        "blanks", "case", "accents", "dates", "decimals", "thousands", "zeros",
        "words", "answers", "missing", "strings", "names" or "units".

    column : hashable
        The column that is meant.

    sources : tuple of str
        The sources in which it is to be looked at.

    n_cells : int
        The number of cells that would change.

    sentence : str
        What was found.

    setting : str
        The parameter of :func:`~sktandem.read_sources` that settles it.

    values : tuple
        Its values.

    settled : bool
        Whether it was settled on the way.
    """

    kind: str
    column: Any
    sources: tuple[Any, ...]
    n_cells: int
    sentence: str
    setting: str
    values: tuple[Any, ...]
    settled: bool = False


def differing_units(column: Any, numbers: Mapping[Any, Any]) -> Iterator[Difference]:
    """Yield the pairs of sources of which one has a column in another unit."""
    codes = list(CODES)
    cleaned = {n: np.sort(v[~np.isin(v, codes)]) for n, v in numbers.items()}
    for one, other in combinations([n for n, v in cleaned.items() if len(v)], 2):
        yield from _unit_of(column, column, one, other, cleaned[one], cleaned[other])


def _unit_of(
    column: Any, twin: Any, one: Any, other: Any, a: Any, b: Any
) -> Iterator[Difference]:
    distance = ks_distance(a, b)
    # A unit that is missed passes without a word; one that is not there is a hint.
    unit = distance > 0.5 and find_unit(
        [a, b], (0, [1]), (one, other), distance, slack=SLACK
    )
    if not unit:
        return
    offset = f"+{unit.offset:g}" if unit.offset else ""
    place = column if unit.source == one else twin
    also = f" is {twin!r} of {other}, it seems," if twin != column else ""
    yield Difference(
        "units", place, (unit.source,), len(a if unit.source == one else b),
        f"{column!r} of {one}{also} {'looks like' if unit.sure else 'could be'} "
        f"another unit, {unit.words}: {place!r} of {unit.source} x "
        f"{unit.factor:g}{offset} agrees with the other.",
        "convert", (f"{unit.source}:{place}*{unit.factor:g}{offset}",),
    )  # fmt: skip


# Names


def differing_names(
    frames: Mapping[Any, Any], apart: Collection[Any]
) -> Iterator[Difference]:
    """Yield the columns that one source has under another name."""
    for one, other in combinations(frames, 2):
        lone = [c for c in frames[one] if c not in frames[other] and c not in apart]
        rest = [c for c in frames[other] if c not in frames[one] and c not in apart]
        for column in lone:
            scored = [(_alike(column, c, frames[one][column], frames[other][c]), c)
                      for c in rest]  # fmt: skip
            (score, how), twin = max(scored, default=((0.0, ""), None))
            if score < LIKE_NAMES:
                continue
            rest.remove(twin)
            n_cells = int(frames[other][twin].notna().sum())
            yield Difference(
                "names", twin, (other,), n_cells,
                f"{column!r} of {one} and {twin!r} of {other} look like the same "
                f"column: {how}.",
                "rename", ((twin, column),),
            )  # fmt: skip


def _alike(column: Any, twin: Any, a: Any, b: Any) -> tuple[float, str]:
    """Return how much two columns of other names look like one, and why."""
    names = ["".join(filter(str.isalnum, fold(str(c)))) for c in (column, twin)]
    if names[0] == names[1]:
        return 2.0, "the names differ in spelling alone"
    texts = [bool(text_columns(v.to_frame())) for v in (a, b)]
    if texts[0] != texts[1]:
        return 0.0, ""
    a, b = a.dropna(), b.dropna()
    if all(texts):
        own = [{fold(str(v)) for v in values.unique()} for values in (a, b)]
        shared = len(own[0] & own[1]) / max(1, len(own[0] | own[1]))
        if min(map(len, own)) >= 3 and shared >= LIKE_NAMES:
            return 1.0 + shared / 2, "they hold the same strings"
    ratio = SequenceMatcher(None, names[0], names[1]).ratio()
    if ratio >= LIKE_NAMES:
        return ratio, "their names are alike"
    if any(texts) or any(v.dtype.kind not in "iuf" for v in (a, b)):
        return 0.0, ""
    x, y = (np.sort(v.astype(float).to_numpy()) for v in (a, b))
    if min(len(np.unique(x)), len(np.unique(y))) < FEWEST_NUMBERS:
        return 0.0, ""
    near = 1.2 * np.sqrt(1 / len(x) + 1 / len(y))  # p-value of about 0.1
    if ks_distance(x, y) < near:
        return LIKE_NAMES, "their numbers are spread alike"
    return 0.0, ""
