"""The loss of a training step: of single rows, of sources, of heads."""

from __future__ import annotations

from typing import Any

from skorch import NeuralNet
from torch import Tensor

from sktandem.exceptions import SourceError
from sktandem.nn._batches import RowBatch
from sktandem.nn._tasks import Task
from sktandem.nn._turns import TurnBatches
from sktandem.nn._weighing import Weighing

__all__ = ["StepLoss", "row_losses"]


class StepLoss:
    """The loss of a step: by source in a joint batch, by row if weighted.

    It stands in for `get_loss` of the net, which it calls for every part.

    Parameters
    ----------
    net : NeuralNet
        The net.

    turns : TurnBatches or None
        The batches of training.

    tasks : sequence of Task or None
        What each head learns, if there are heads.

    weighing : Weighing or None
        What the loss of each source counts.
    """

    def __init__(
        self,
        net: NeuralNet,
        turns: TurnBatches | None,
        tasks: tuple[Task, ...] | None = None,
        weighing: Weighing | None = None,
    ) -> None:
        self.net, self.turns, self.tasks, self.weighing = net, turns, tasks, weighing

    def __getstate__(self) -> dict[str, Any]:
        # No data in a checkpoint.
        return vars(self) | {"turns": None, "weighing": None}

    def __call__(
        self,
        y_pred: Any,
        y_true: Any,
        X: Any = None,
        training: bool = False,
        **kwargs: Any,
    ) -> Tensor:
        # skorch hands on X and y, but not the batch that they came in. The turns know
        # which it is: they have yielded it a moment ago.
        batch = self.turns.current if training and self.turns is not None else None
        if batch is None or (batch.parts is None and batch.weights is None):
            return self._part(y_pred, y_true, X, training, None, **kwargs)
        self._refuse_other_rows(y_true, batch)
        if batch.parts is None:
            return self._part(y_pred, y_true, X, training, batch.weights, **kwargs)
        batch.losses = []
        total: Any = 0.0
        for place, (_, rows, weight) in enumerate(batch.parts):
            weights = None if batch.weights is None else batch.weights[rows]
            own = self._part_of(y_pred, place, rows), y_true[rows], _rows_of(X, rows)
            loss = self._part(*own, training, weights, **kwargs)
            batch.losses.append(loss)
            if self.weighing is not None:
                loss = self.weighing.weighted(int(own[2]["source"][0]), loss)
            total = total + (loss if weight == 1 else weight * loss)
        return total

    def _refuse_other_rows(self, y_true: Any, batch: RowBatch) -> None:
        """Refuse a step of the user's own that passes a part of the batch."""
        if len(y_true) != len(batch[1]):
            raise SourceError(
                f"{type(self.net).__name__} computed the loss of {len(y_true)} rows in "
                f"a batch of {len(batch[1])}. Joint steps and balance need all of "
                "them: use a schedule of single sources, such as 'batches', and "
                "balance=None."
            )

    def _part_of(self, y_pred: Any, place: int, rows: slice) -> Any:
        """Return a source's part of the output: heads give a list of them."""
        heads = self.tasks is not None and isinstance(y_pred, list)
        return y_pred[place] if heads else _rows_of(y_pred, rows)

    def _part(
        self,
        y_pred: Any,
        y_true: Any,
        X: Any,
        training: bool,
        weights: Any,
        **kwargs: Any,
    ) -> Any:
        # All rows of a part share a head, and the first says which. The user's own
        # get_loss is called for every part, so that a loss of a subclass counts.
        if self.tasks is not None:
            y_true = self.tasks[int(X["source"][0])].target(y_true)
        if weights is None:
            own = type(self.net).get_loss
            return own(self.net, y_pred, y_true, X=X, training=training, **kwargs)
        losses = row_losses(self.net, y_pred, y_true, X, training=training)
        total = (losses * weights).sum()
        return total if self.net.criterion_.reduction == "sum" else total / len(weights)


def _rows_of(values: Any, rows: slice) -> Any:
    if isinstance(values, tuple):
        return tuple(_rows_of(part, rows) for part in values)
    if isinstance(values, dict):
        return {key: part[rows] for key, part in values.items()}
    return values[rows]


def row_losses(
    net: NeuralNet, y_pred: Any, y_true: Any, X: Any, *, training: bool
) -> Tensor:
    """Return the loss of each row, by the criterion without its reduction."""
    criterion = net.criterion_
    reduction = getattr(criterion, "reduction", None)
    if reduction is None:
        raise SourceError(
            f"The loss of each row is needed, but {type(criterion).__name__} has no "
            "`reduction` to set to 'none'. Use a criterion that has one, or "
            "balance=None and no curriculum by loss."
        )
    # Set for a moment and on the very criterion, since get_loss of a subclass may use
    # it in ways of its own; a copy would not be the one that it uses.
    criterion.reduction = "none"
    try:
        own = type(net).get_loss
        losses = own(net, y_pred, y_true, X=X, training=training)
    finally:
        criterion.reduction = reduction
    return losses.reshape(len(losses), -1).mean(dim=1)
