"""The validation losses of a moment in the middle of an epoch."""

from __future__ import annotations

import numpy as np
import torch
from skorch import NeuralNet

from sktandem.exceptions import SourceError
from sktandem.nn._average import Averaged
from sktandem.nn._batches import RowBatch, SourceRows
from sktandem.schedules import Check, Sizes

__all__ = ["ValidationLosses"]


class ValidationLosses:
    """Measures how the net does on the rows held out, whenever a plan asks.

    Parameters
    ----------
    net : NeuralNet
        The net.

    valid : SourceRows or None
        The rows held out.

    sizes : Sizes
        The sources that train, by whose positions a plan asks.
    """

    def __init__(self, net: NeuralNet, valid: SourceRows | None, sizes: Sizes) -> None:
        self.net, self.valid = net, valid
        self.names = tuple(str(name) for name in sizes.names)
        self.sizes = dict(zip(self.names, sizes.batch_sizes))

    def __call__(self, check: Check, schedule: str) -> dict[str, float]:
        """Return the loss of each source, as the history has them after an epoch."""
        if self.valid is None:
            raise SourceError(
                f"{schedule} needs validation losses, but no rows are held out. Set "
                "validation_fraction, or give fit validation_data."
            )
        # A plan judges by the weights that will be kept, and training goes on from the
        # raw ones.
        average = Averaged.of(self.net)
        if average is not None:
            average.show(self.net, True)
        means, n_rows = {}, {}
        asked = self._asked(check, self.valid)
        for source, name in enumerate(self.valid.names):
            if name in asked:
                means[name] = self._mean(self.valid, source, check.as_trained)
                n_rows[name] = len(self.valid.rows[source])
        if average is not None:
            average.show(self.net, False)
        pooled = np.average(list(means.values()), weights=list(n_rows.values()))
        return {
            **{f"valid_loss[{name}]": loss for name, loss in means.items()},
            "valid_loss_macro": float(np.mean(list(means.values()))),
            "valid_loss": float(pooled),
        }

    def _asked(self, check: Check, valid: SourceRows) -> tuple[str, ...]:
        if check.sources is None:
            return valid.names
        return tuple(self.names[source] for source in check.sources)

    def _mean(self, valid: SourceRows, source: int, as_trained: bool) -> float:
        rows, name = valid.rows[source], valid.names[source]
        # A source that does not train in this call has no batch size of its own.
        size = self.sizes.get(name, max(self.sizes.values()))
        # Loops written by hand often take the mean of the means of batches, and
        # leave the module in training mode: `as_trained` gives the same numbers.
        scored = rows.split(size) if as_trained else valid.table.scored(rows, size)
        losses, lengths = [], []
        for part in scored:
            losses.append(self._loss(valid.batch(source, part), as_trained))
            lengths.append(1 if as_trained else len(part))
        return float(np.average(losses, weights=lengths))

    def _loss(self, batch: RowBatch, as_trained: bool) -> float:
        if not as_trained:
            return float(self.net.validation_step(batch)["loss"].item())
        x, y = batch
        with torch.no_grad():
            y_pred = self.net.infer(x)
            return float(self.net.get_loss(y_pred, y, X=x, training=False).item())
