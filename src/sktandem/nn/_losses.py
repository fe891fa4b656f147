"""The loss of single rows, whatever the criterion makes of a batch."""

from __future__ import annotations

from typing import Any

from skorch import NeuralNet
from torch import Tensor

from sktandem.exceptions import SourceError

__all__ = ["row_losses"]


def row_losses(
    net: NeuralNet, y_pred: Any, y_true: Any, X: Any, *, training: bool
) -> Tensor:
    """Return the loss of each row, by the criterion without its reduction."""
    criterion = net.criterion_
    reduction = getattr(criterion, "reduction", None)
    if reduction is None:
        raise SourceError(
            f"The loss of single rows is needed, and {type(criterion).__name__} has no "
            "`reduction` that could be set to 'none'. Use a criterion that has one, "
            "with balance=None and no curriculum by loss otherwise."
        )
    criterion.reduction = "none"
    try:
        own = type(net).get_loss
        losses = own(net, y_pred, y_true, X=X, training=training)
    finally:
        criterion.reduction = reduction
    return losses.reshape(len(losses), -1).mean(dim=1)
