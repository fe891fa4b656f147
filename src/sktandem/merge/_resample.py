"""Shares met by rows instead of weights: some drawn twice, or some left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sktandem.exceptions import SourceError

MOST_COPIES = 1000

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
    # Halves up: np.round takes them to the even number, which of half a row is none.
    counts: NDArray[np.float64] = np.floor(shares * total + 0.5)
    return counts.astype(np.intp)


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
    sizes = np.bincount(cells)
    counts = cell_counts(sizes, shares, how)
    if counts.min() == 0 or counts.sum() > MOST_COPIES * sizes.sum():
        raise SourceError(
            f"Shares of {shares.min():.2g} to {shares.max():.2g} cannot be met by "
            f"balance_by={how!r}: {counts.sum():,} rows would come of {sizes.sum():,}, "
            f"the smallest part with {counts.min()}. Use balance_by='weight'."
        )
    order = np.argsort(cells, kind="stable")
    drawn = []
    for own, count in zip(np.split(order, np.cumsum(sizes)[:-1]), counts):
        copies, rest = divmod(int(count), len(own))
        drawn += [own] * copies
        drawn.append(rng.choice(own, size=rest, replace=False))
    return np.sort(np.concatenate(drawn))
