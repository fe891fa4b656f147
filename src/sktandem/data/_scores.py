"""What `score` gives, accuracy and R2, and what gives no answer to be scored."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.validation import check_consistent_length

from sktandem.data._cells import as_target
from sktandem.exceptions import SourceError

__all__ = ["label_accuracy", "macro_r2", "refuse_nan"]


def label_accuracy(y: Any, predicted: NDArray[Any], sample_weight: Any = None) -> float:
    """Return the accuracy, also of labels that mix numbers with strings."""
    y = as_target(y)
    check_consistent_length(y, predicted, sample_weight)
    if y.ndim == 1 or y.shape[1] == 1:
        y = y.ravel()
        # Of objects scikit-learn knows strings only, not numbers nor a mixture.
        if y.dtype == object or predicted.dtype == object:
            return float(np.average(y == predicted, weights=sample_weight))
    return float(accuracy_score(y, predicted, sample_weight=sample_weight))


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


def refuse_nan(model: str, scores: NDArray[Any]) -> None:
    """Refuse to tell the class of a row for which a model gives nan."""
    # Of nan the first would be the largest, and less than every threshold.
    rows = np.flatnonzero(np.isnan(scores).any(axis=1))
    if len(rows):
        raise SourceError(
            f"The {model} gives nan for row {rows[0]} of those asked for, and so no "
            "class. Look for a value in that row of X that is missing, or too large."
        )
