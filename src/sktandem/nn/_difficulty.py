"""How hard each training row is, by its loss or as the user says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet

from sktandem.exceptions import SourceError
from sktandem.nn._batches import SourceRows
from sktandem.nn._losses import row_losses
from sktandem.nn._preparation import Prepared
from sktandem.nn._tasks import Task

__all__ = ["Difficulty"]


@dataclass(frozen=True)
class Difficulty:
    """Measures the training rows of each source, for a curriculum.

    Attributes
    ----------
    net : NeuralNet
        The net, whose losses may be the measure.

    rows : SourceRows
        The training rows.

    data : Prepared
        The rows as they came, which the user's function gets.

    tasks : tuple of Task or None
        What each head learns, if there are heads.
    """

    net: NeuralNet
    rows: SourceRows
    data: Prepared
    tasks: tuple[Task, ...] | None

    def __call__(self, wanted: Any) -> list[NDArray[np.float64]]:
        """Return the difficulty of the rows of each source that trains."""
        if isinstance(wanted, str):
            return [self._losses(source) for source in range(len(self.rows.names))]
        values = self._given(wanted)
        return [values[own.cpu().numpy()] for own in self.rows.rows]

    def _losses(self, source: int) -> NDArray[np.float64]:
        # In evaluation mode: with dropout a row would be hard by bad luck. The rows
        # come in the order of `rows`, since the plan picks by position.
        net, table, losses = self.net, self.rows.table, []
        net._set_training(False)
        with torch.no_grad():
            for rows in table.scored(self.rows.rows[source], 1):
                x, y = self.rows.batch(source, rows)
                if self.tasks is not None:  # a head learns columns of its own
                    y = self.tasks[self.rows.codes[source]].target(y)
                y_pred = net.infer(x)
                losses.append(row_losses(net, y_pred, y, x, training=False))
        return np.asarray(torch.cat(losses).double().cpu().numpy())

    def _given(self, wanted: Any) -> NDArray[np.float64]:
        """Return what the user's function or array says of the rows prepared."""
        part = self.data.training
        if callable(wanted):
            values, n = np.asarray(wanted(part.rows.X, part.rows.y), float), len(part)
        else:
            values, n = np.asarray(wanted, dtype=float), self.data.n_rows
        if values.shape != (n,):
            raise SourceError(
                f"difficulty must have one number for each row of X: X has {n}, "
                f"difficulty has shape {values.shape}."
            )
        # A transformer makes numbers of the training rows only; an array of the
        # user's is of all rows.
        of_all = not callable(wanted) and part.places is not None
        return values[part.places] if of_all else values
