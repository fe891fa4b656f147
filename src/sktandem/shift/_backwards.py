"""Whether the two labels of a source run against those of the others."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from sktandem.data._sources import Sources
from sktandem.shift._columns import Column
from sktandem.shift._joint import (
    Target,
    area_under_roc,
    bounded_rows,
    says_something,
    standardised,
)

__all__ = ["Backwards", "find_backwards"]

MOST_ROWS, MOST_COLUMNS, MOST_SOURCES = 3_000, 100, 20
# Strict, for it is asked beside the questions that share a level.
SURE, FAR = 0.001, 0.4


@dataclass(frozen=True)
class Backwards:
    """A source whose rows a model of the others ranks the wrong way round."""

    source: Hashable
    auc: float


def find_backwards(
    columns: Sequence[Column],
    sources: Sources,
    target: Target,
    rng: np.random.RandomState,
) -> Backwards | None:
    """Return the source that the others predict most surely backwards, if one is.

    Of two sources each is the other's mirror, so which codes are swapped nobody knows.
    """
    columns = [column for column in columns if says_something(column)][:MOST_COLUMNS]
    n_sources = len(sources.names)
    two = target.kind == "classes" and len(target.classes) == 2
    if not two or not columns or not 1 < n_sources <= MOST_SOURCES:
        return None
    rows = bounded_rows(sources, rng, MOST_ROWS)
    X = np.hstack([standardised(column, rows) for column in columns])
    y, codes = target.y[rows], sources.codes[rows]
    found = []
    for code, name in enumerate(sources.names):
        own = codes == code
        if len(np.unique(y[own])) < 2 or len(np.unique(y[~own])) < 2:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is a rough check
            model = LogisticRegression(max_iter=200).fit(X[~own], y[~own])
        scores = -model.decision_function(X[own])
        turned, _, p = area_under_roc(y[own] == 1, scores, np.zeros(own.sum(), int))
        if p * n_sources < SURE:
            found.append((1 - turned, name))
    auc, name = min(found, default=(1.0, None), key=lambda one: one[0])
    return Backwards(name, auc) if auc < FAR else None
