"""The loss of a training step: of single rows, of sources, of heads."""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNet
from torch import Tensor, nn

from sktandem.exceptions import SourceError
from sktandem.nn._batches import RowBatch, SourceRows
from sktandem.nn._ranks import Gradients
from sktandem.nn._table import Table
from sktandem.nn._tasks import Task
from sktandem.nn._turns import TurnBatches
from sktandem.nn._weighing import Weighing

__all__ = ["StepLoss", "refuse_other_means", "row_losses"]

N_FEW = 32  # rows on which a loss is seen to be a mean


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
        ranks = None if turns is None else turns.ranks
        self.gradients = None if ranks is None else Gradients(ranks, net)

    def __getstate__(self) -> dict[str, Any]:
        # No data in a checkpoint.
        return vars(self) | {"turns": None, "weighing": None, "gradients": None}

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
        plain = batch is None or (batch.parts is None and batch.weights is None)
        if batch is None or (plain and batch.shares is None):
            return self._part(y_pred, y_true, X, training, None, **kwargs)
        self._refuse_other_rows(y_true, batch)
        batch.losses = []
        if batch.parts is None:
            loss = self._part(y_pred, y_true, X, training, batch.weights, **kwargs)
            return self._of_all(batch, self._counted(batch, 0) * loss)
        total: Any = 0.0
        for place, (_, rows, weight) in enumerate(batch.parts):
            weights = None if batch.weights is None else batch.weights[rows]
            own = self._part_of(y_pred, place, rows), y_true[rows], _rows_of(X, rows)
            loss = self._part(*own, training, weights, **kwargs)
            counted = self._counted(batch, place)
            batch.losses.append(loss if counted == 1 else counted * loss)
            if self.weighing is not None:
                loss = self.weighing.weighted(int(own[2]["source"][0]), loss)
            counted *= weight
            total = total + (loss if counted == 1 else counted * loss)
        return self._of_all(batch, total)

    def _counted(self, batch: RowBatch, place: int) -> float:
        """Return what a loss of this rank counts in that of all."""
        if batch.shares is None:
            return 1.0
        part = batch.shares[place].part
        return float(part > 0) if _adds_up(self.net) else part

    def _of_all(self, batch: RowBatch, loss: Tensor) -> Tensor:
        """Return the loss of a batch, of which this may be one rank's part."""
        if self.gradients is None or batch.shares is None:
            return loss
        step = f"{[share.n_rows for share in batch.shares]} rows of {batch.label!r}"
        whole, *parts = self.gradients.ranks.summed([loss, *batch.losses], step)
        batch.losses = parts
        return self.gradients.of_all(loss, whole)

    def _refuse_other_rows(self, y_true: Any, batch: RowBatch) -> None:
        """Refuse a step of the user's own that passes a part of the batch."""
        if len(y_true) != len(batch[1]):
            raise SourceError(
                f"{type(self.net).__name__} computed the loss of {len(y_true)} rows in "
                f"a batch of {len(batch[1])}. Joint steps, balance and several "
                "processes need all of them: use a schedule of single sources, such as "
                "'batches', balance=None and one process."
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
        return total if _adds_up(self.net) else total / len(weights)


def _adds_up(net: NeuralNet) -> bool:
    """Tell whether a loss is the sum over rows, and not their mean."""
    return getattr(net.criterion_, "reduction", "mean") == "sum"


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


def refuse_other_means(net: NeuralNet, training: SourceRows) -> None:
    """Refuse a loss of which no rank could have its part: all but means and sums.

    It is tried out on a few rows, as it may be a function of the user's.
    """
    criterion, told = net.criterion_, None
    if isinstance(criterion, nn.CrossEntropyLoss | nn.NLLLoss):
        if criterion.weight is not None:
            told = "with weight= for classes is a weighted mean"
        elif criterion.ignore_index >= 0:
            told = f"with ignore_index={criterion.ignore_index} leaves rows out"
    # A head answers for rows of its own; of one output for all they come mixed.
    groups: list[tuple[int | None, Tensor]] = [*zip(training.codes, training.rows)]
    if training.table.heads is None:
        groups = [(None, torch.cat(training.rows))]
    if told is None and not all(_is_mean(net, training.table, *own) for own in groups):
        told = "is not the mean over the rows of a batch"
    if told is not None:
        raise SourceError(
            f"The loss of {type(net).__name__} by {type(criterion).__name__} {told}, "
            "so that the losses of several processes do not add up to it. Use a "
            "criterion that takes the mean, or one process; balance='classes' weights "
            "the rows of each class."
        )


def _is_mean(net: NeuralNet, table: Table, code: int | None, rows: Tensor) -> bool:
    """Tell whether the loss of some rows is made of those of two parts of them."""
    assert table.y is not None
    # Sorted by target and cut in unequal parts: so the classes are others in each.
    y = table.y.index_select(0, rows)
    rows = rows[y.reshape(len(y), -1)[:, 0].argsort(stable=True)]
    rows = rows[:: -(-len(rows) // N_FEW)]
    cut = len(rows) // 3
    if cut == 0:
        return True
    x, y = table.pair(rows, code)
    net._set_training(False)
    with torch.no_grad():
        y_pred = net.infer(x)
        own = [slice(None), slice(None, cut), slice(cut, None)]
        whole, first, rest = (
            net.get_loss(
                _rows_of(y_pred, part), y[part], X=_rows_of(x, part), training=True
            )
            for part in own
        )
    part = cut / len(rows)
    made = first + rest if _adds_up(net) else part * first + (1 - part) * rest
    rtol = 1e-3 + 8 * torch.finfo(whole.dtype).eps  # of half precision it is coarse
    close = torch.isclose(
        whole.double(), made.double(), rtol=rtol, atol=1e-6, equal_nan=True
    )
    return bool(close)  # of NaN there is more to say when it trains
