"""The mean of a score over sources."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score

__all__ = ["macro_r2"]


def macro_r2(
    y: NDArray[Any],
    predicted: NDArray[Any],
    codes: NDArray[Any],
    weight: NDArray[Any] | None,
) -> float:
    """Return the mean over sources of R2; rows of unknown sources count as one."""
    scores = [
        r2_score(
            y[rows],
            predicted[rows],
            sample_weight=None if weight is None else weight[rows],
        )
        for rows in (np.flatnonzero(codes == code) for code in np.unique(codes))
    ]
    return float(np.mean(scores))
