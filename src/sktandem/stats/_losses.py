"""What each single row costs: the parts that a loss is the mean of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem._typing import Floats

__all__ = [
    "aligned",
    "brier_scores",
    "log_losses",
    "with_the_rest",
]

# What scikit-learn's log_loss makes of a probability of 0.
SMALLEST = float(np.finfo(np.float64).eps)


def aligned(
    probabilities: Floats, have: NDArray[Any], wanted: NDArray[Any]
) -> tuple[Floats, Floats]:
    """Return the columns of the classes `wanted`, made to add up to 1.

    A class that a model never met has probability 0. A row that gave all its
    probability to classes that are not wanted is even. The second result is
    what each row had given to the wanted ones.
    """
    place = {label: column for column, label in enumerate(have.tolist())}
    columns = np.zeros((len(probabilities), len(wanted)))
    for column, label in enumerate(wanted.tolist()):
        if label in place:
            columns[:, column] = probabilities[:, place[label]]
    total = columns.sum(axis=1)
    parts = np.full_like(columns, 1 / max(1, len(wanted)))
    # Not "> 0", by which a probability that is nan would become an even one.
    np.divide(columns, total[:, None], out=parts, where=total[:, None] != 0)
    return parts, total


def with_the_rest(
    probabilities: Floats, have: NDArray[Any], wanted: NDArray[Any]
) -> Floats:
    """Return the columns of the classes `wanted` as they are, and then the rest.

    What a model gives to classes that a source does not have is lost to the
    true one: whoever predicts would make that mistake.
    """
    parts, total = aligned(probabilities, have, wanted)
    return np.column_stack([parts * total[:, None], np.clip(1 - total, 0, None)])


def log_losses(probabilities: Floats, codes: NDArray[Any]) -> Floats:
    """Return minus the logarithm of the probability of each row's true class."""
    true = probabilities[np.arange(len(codes)), codes]
    return np.asarray(-np.log(np.clip(true, SMALLEST, 1.0)))


def brier_scores(probabilities: Floats, codes: NDArray[Any], n_classes: int) -> Floats:
    """Return the squared distance of each row's probabilities from the truth.

    Of two classes the half of it, which is the square of one class's error.
    """
    errors = np.array(probabilities)
    errors[np.arange(len(codes)), codes] -= 1
    total = (errors**2).sum(axis=1)
    return np.asarray(total / 2 if n_classes == 2 else total)
