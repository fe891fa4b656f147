"""What a net says of classes: its probabilities, and how often it is right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_consistent_length

from sktandem.data._cells import as_target, mixes_kinds
from sktandem.exceptions import SourceError

__all__ = ["as_probabilities", "label_accuracy"]


def as_probabilities(
    scores: NDArray[Any], n_classes: int, net: Any
) -> NDArray[np.float64]:
    """Return the probabilities of the classes there are, or refuse other numbers.

    A net for one class has a second output that means nothing.
    """
    scores = scores.astype(np.float64)
    odd = (scores < 0).any(axis=1) | ~np.isclose(scores.sum(axis=1), 1, atol=1e-3)
    if odd.any():
        row = int(np.flatnonzero(odd)[0])
        raise SourceError(
            f"{type(net).__name__} gives numbers that are no probabilities, such as "
            f"{scores[row][:5].round(3).tolist()} for row {row}. Set its "
            "predict_nonlinearity: torch.exp where the module gives logarithms, a "
            "softmax where it gives logits."
        )
    own = scores[:, :n_classes]
    return np.asarray(own / own.sum(axis=1, keepdims=True))


def label_accuracy(y: Any, predicted: NDArray[Any], sample_weight: Any) -> float:
    """Return the accuracy, also of labels that mix numbers with texts."""
    y = as_target(y).ravel()
    check_consistent_length(y, predicted, sample_weight)
    if mixes_kinds(y) or mixes_kinds(predicted):
        return float(np.average(y == predicted, weights=sample_weight))
    return float(accuracy_score(y, predicted, sample_weight=sample_weight))
