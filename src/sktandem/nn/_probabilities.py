"""What a net gives for classes, checked to be probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem.exceptions import SourceError

__all__ = ["as_probabilities"]


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
