"""What each source went through, written into skorch's history."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor

from sktandem.exceptions import SourceError
from sktandem.nn._average import Averaged
from sktandem.nn._batches import RowBatch
from sktandem.nn._turns import TurnBatches

__all__ = ["Recorder", "Stopper"]


class Recorder(Callback):
    """Writes what each source went through into the history.

    It comes before the user's callbacks, so that they find the columns there.
    """

    def __init__(
        self,
        history_detail: str = "batch",
        monitor: str = "valid_loss_macro",
        keep: str = "last",
    ) -> None:
        self.history_detail = history_detail
        self.monitor = monitor
        self.keep = keep
        self.turns_: TurnBatches | None = None
        self.best_: tuple[float, dict[str, Tensor]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"turns_": None}  # no data in a checkpoint

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Go back to the raw weights, and forget the batches of old epochs."""
        average = Averaged.of(net)
        if average is not None:
            average.show(net, False)
        if len(net.history) > 1 and self.history_detail == "epoch":
            net.history[-2]["batches"] = []
        if self.turns_ is not None and len(net.history) == 1:
            net.history.record("seed", self.turns_.seed)

    def on_batch_begin(self, net, batch=None, training=False, **kwargs) -> None:
        """Record the source of the batch."""
        if isinstance(batch, RowBatch):
            net.history.record_batch("source", batch.label)

    def on_batch_end(self, net, batch=None, training=False, **kwargs) -> None:
        """Refuse a loss that is no number; record the losses of a joint step."""
        if training and isinstance(batch, RowBatch):
            row = net.history[-1]["batches"][-1]
            self.after_step(net, batch, row)

    def after_step(self, net: NeuralNet, batch: RowBatch, row: dict[str, Any]) -> None:
        """Do what is to be done after each optimizer step."""
        if not math.isfinite(row["train_loss"]):
            raise diverged(net, "training", row["train_loss"], batch.label)
        if batch.parts is not None:
            for (name, rows, _), loss in zip(batch.parts, batch.losses):
                row[f"train_loss[{name}]"] = loss.item()
                row[f"train_batch_size[{name}]"] = rows.stop - rows.start
        average = Averaged.of(net)
        if average is not None:
            average.after_step(net)

    def after_training(self, net: NeuralNet) -> None:
        """Show the averaged weights to validation and to all callbacks."""
        average = Averaged.of(net)
        if average is not None and self.turns_ is not None:
            sizes = self.turns_.sizes
            average.after_epoch(net, len(net.history), sizes.max_epochs)
            average.show(net, True)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Record the losses of each source, and keep the best weights."""
        if self.turns_ is None:
            return
        row = net.history[-1]
        losses = losses_by_source(row["batches"], self.turns_.names)
        row.update(losses)
        for name in self.turns_.names:
            loss = losses.get(f"valid_loss[{name}]", 0.0)
            if not math.isfinite(loss):
                raise diverged(net, "validation", loss, name)
        row.update(self.turns_.seen())
        row["source"] = self.turns_.label()
        if "valid_loss_macro" not in row:
            return
        past = [old.get("valid_loss_macro", math.inf) for old in list(net.history)[:-1]]
        macro = row["valid_loss_macro"]
        row["valid_loss_macro_best"] = macro < min(past, default=math.inf)
        if self.monitor not in row:
            return
        monitored = row[self.monitor]
        better = self.best_ is None or monitored < self.best_[0]
        if self.keep == "best" and better:
            weights = net.module_.state_dict()
            copied = {key: value.detach().clone() for key, value in weights.items()}
            self.best_ = monitored, copied


class Stopper(Callback):
    """Ends the training when the plan says so, after all other callbacks."""

    def __init__(self) -> None:
        self.turns_: TurnBatches | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"turns_": None}

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Stop as skorch's own EarlyStopping does."""
        if self.turns_ is not None and self.turns_.stopped:
            raise KeyboardInterrupt


def losses_by_source(batches: Any, names: Any) -> dict[str, float]:
    """Return the mean losses over rows of each source, and their macro mean."""
    totals: dict[tuple[str, str], list[float]] = {}
    for row in batches:
        prefix = "train" if "train_loss" in row else "valid"
        if f"{prefix}_loss" not in row:
            continue
        by_part = [key for key in row if key.startswith("train_loss[")]
        if by_part:
            for key in by_part:
                name = key.removeprefix("train_loss[").removesuffix("]")
                n_rows = row[f"train_batch_size[{name}]"]
                _add(totals, ("train", name), row[key], n_rows)
            continue
        n_rows = row[f"{prefix}_batch_size"]
        _add(totals, (prefix, row["source"]), row[f"{prefix}_loss"], n_rows)
    means = {key: total / n for key, (total, n) in totals.items()}
    result = {
        f"{prefix}_loss[{name}]": means[prefix, name]
        for prefix in ("train", "valid")
        for name in names
        if (prefix, name) in means
    }
    valid = [means["valid", name] for name in names if ("valid", name) in means]
    if valid:
        result["valid_loss_macro"] = float(np.mean(valid))
    return result


def _add(totals: dict[Any, list[float]], key: Any, loss: float, n_rows: int) -> None:
    total = totals.setdefault(key, [0.0, 0])
    total[0] += loss * n_rows
    total[1] += n_rows


def diverged(net: NeuralNet, what: str, loss: float, source: str) -> SourceError:
    """Return the error for a loss that is no number any more."""
    rates = {group["lr"] for group in net.optimizer_.param_groups if "lr" in group}
    rate = ", ".join(f"{float(rate):g}" for rate in sorted(rates))
    return SourceError(
        f"The {what} loss became {loss} in epoch {len(net.history)}, on a batch of "
        f"{source!r}, at a learning rate of {rate}. Lower net__lr, scale the features "
        "and the target, or clip gradients with skorch's GradientNormClipping."
    )
