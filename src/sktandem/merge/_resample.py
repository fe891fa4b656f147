"""Shares met by rows instead of weights: some drawn twice, or some left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["RESAMPLERS", "cell_counts", "resample_rows"]

RESAMPLERS = ("oversample", "undersample")


def cell_counts(
    sizes: NDArray[np.intp], shares: NDArray[np.float64], how: str
) -> NDArray[np.intp]:
    """Return how many rows each cell is to have.

    Oversampling takes the smallest total in which no cell loses a row,
    undersampling the largest in which none gains one.
    """
    totals = sizes / shares
    total = totals.max() if how == "oversample" else totals.min()
    # Rounding may not take the cell that set the total off its own size.
    return np.rint(shares * total).astype(np.intp)


def resample_rows(
    cells: NDArray[np.intp],
    shares: NDArray[np.float64],
    how: str,
    rng: np.random.RandomState,
) -> NDArray[np.intp]:
    """Return the rows, some of them several times, that give each cell its share.

    A row of an oversampled cell comes as often as any other, give or take
    once: whole copies first, then a draw without replacement.
    """
    counts = cell_counts(np.bincount(cells), shares, how)
    order = np.argsort(cells, kind="stable")
    drawn = []
    for own, count in zip(np.split(order, np.cumsum(np.bincount(cells))[:-1]), counts):
        copies, rest = divmod(int(count), len(own))
        drawn += [own] * copies
        drawn.append(rng.choice(own, size=rest, replace=False))
    return np.sort(np.concatenate(drawn))
