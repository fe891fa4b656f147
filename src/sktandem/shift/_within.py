"""Rows of the same class, compared where sources differ in their classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sktandem.data._sources import Sources
from sktandem.shift._columns import Column
from sktandem.shift._features import ALPHA, SIZE, FeatureShift, compare
from sktandem.shift._joint import RAREST_CLASS, Target

__all__ = ["common_classes", "compare_within"]


def common_classes(
    target: Target | None, labels: FeatureShift | None, sources: Sources
) -> tuple[int, ...]:
    """Return the classes to compare features within; none where all rows will do.

    A class that is common in one source and rare in the other moves every feature
    that has to do with it, though nothing is measured differently.
    """
    if target is None or labels is None or target.kind != "classes":
        return ()
    if not (labels.p_value < ALPHA and labels.size > SIZE):
        return ()
    counts = np.zeros((len(sources.names), len(target.classes)), dtype=np.intp)
    np.add.at(counts, (sources.codes, target.y), 1)
    return tuple(np.flatnonzero((counts >= RAREST_CLASS).all(axis=0)).tolist())


def compare_within(
    column: Column,
    sources: Sources,
    target: Target,
    classes: tuple[int, ...],
    n_columns: int,
) -> FeatureShift:
    """Compare how the sources fill one column in rows of the same class.

    That class is told in which the difference is surest; its p-value is adjusted
    for the number of classes.
    """
    whole = compare(column, sources, n_columns)
    if column.kind == "clash" or any(whole.absent):
        return whole
    found = [
        (target.classes[code], _of_rows(column, sources, target.y == code, n_tests))
        for n_tests in [n_columns * len(classes)]
        for code in classes
    ]
    found = [(name, shift) for name, shift in found if np.isfinite(shift.size)]
    if not found:
        return whole
    # By its p-value, not by its size: of a rare class the distance is large by chance.
    name, surest = min(found, key=lambda one: (one[1].p_value, -one[1].size))
    return replace(
        whole,
        size=surest.size,
        p_value=min(1.0, surest.p_value * len(found)),
        chance=surest.chance,
        source=surest.source,
        unit=surest.unit,
        among=name,
        within=surest,
    )


def _of_rows(
    column: Column, sources: Sources, rows: NDArray[np.bool_], n_columns: int
) -> FeatureShift:
    some = Sources(sources.names, sources.codes[rows])
    return compare(replace(column, values=column.values[rows]), some, n_columns)
