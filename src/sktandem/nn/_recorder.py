"""What each source went through, written into skorch's history."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn

from sktandem.exceptions import SourceError
from sktandem.nn._average import Averaged, trained_parts
from sktandem.nn._batches import RowBatch
from sktandem.nn._turns import TurnBatches

__all__ = ["Recorder", "Stopped", "Stopper"]

PLAIN = 3  # values of a batch of one source


class Recorder(Callback):
    """Writes what each source went through into the history.

    It comes before the user's callbacks, so that they find the columns there.
    """

    def __init__(
        self,
        history_detail: str = "batch",
        monitor: str = "valid_loss_macro",
        keep: str = "last",
        remedy: str = "",
    ) -> None:
        self.history_detail = history_detail
        self.monitor = monitor
        self.keep = keep
        self.remedy = remedy
        self.turns_: TurnBatches | None = None
        self.average_: Averaged | None = None
        self.best_: tuple[float, list[dict[str, Tensor]]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # No data in a checkpoint, and nothing twice.
        return vars(self) | {"turns_": None, "average_": None}

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Go back to the raw weights, and forget the batches of old epochs."""
        self.average_ = average = Averaged.of(net)
        if average is not None:
            average.show(net, False)
        if len(net.history) > 1 and self.history_detail == "epoch":
            net.history[-2]["batches"] = []
        if self.turns_ is not None and len(net.history) == 1:
            net.history.record("seed", self.turns_.seed)

    def on_batch_begin(
        self, net: NeuralNet, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Record the source of the batch."""
        if isinstance(batch, RowBatch):
            net.history.record_batch("source", batch.label)

    def on_batch_end(
        self, net: NeuralNet, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Refuse a loss that is not finite; record the losses of a joint step."""
        if not isinstance(batch, RowBatch):
            return
        row = net.history[-1]["batches"][-1]
        if training:
            if batch.shares is not None:
                row["train_batch_size"] = sum(share.n_rows for share in batch.shares)
            self.after_step(net, batch, row)
        elif self.turns_ is not None:
            row["valid_loss"] = self.turns_.agreed(row["valid_loss"])

    def after_step(self, net: NeuralNet, batch: RowBatch, row: dict[str, Any]) -> None:
        """Do what is to be done after each optimizer step."""
        # At once, and not at the end of the epoch: from here on every weight is NaN.
        if not math.isfinite(row["train_loss"]):
            loss = row["train_loss"]
            raise diverged(net, "training", loss, batch.label, self.remedy)
        if batch.parts is not None:
            sizes = [rows.stop - rows.start for _, rows, _ in batch.parts]
            if batch.shares is not None:
                sizes = [share.n_rows for share in batch.shares]
            for (name, *_), loss, size in zip(batch.parts, batch.losses, sizes):
                row[f"train_loss[{name}]"] = loss.item()
                row[f"train_batch_size[{name}]"] = size
        # An optimizer may gather several batches for one step.
        if self.average_ is not None and not getattr(net.optimizer_, "waits", False):
            self.average_.after_step(net)

    def after_training(self, net: NeuralNet) -> None:
        """Show the averaged weights to validation and to all callbacks."""
        if getattr(net.optimizer_, "waits", False):
            net.optimizer_.finish()
            if self.average_ is not None:
                self.average_.after_step(net)
        if self.turns_ is not None and self.turns_.ranks is not None:
            self.turns_.ranks.adopt(net, alike=True)
        average = Averaged.of(net)
        if average is not None and self.turns_ is not None:
            sizes = self.turns_.sizes
            average.after_epoch(net, len(net.history), sizes.max_epochs)
            average.show(net, True)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Record the losses of each source, and keep the best weights."""
        if self.turns_ is None:
            return
        # A loop of the user's own may leave an epoch early, and has then not asked for
        # the batch behind the last one, by which the end is noticed.
        if self.turns_.current is not None:
            self.after_training(net)
        # skorch has the means over all rows already. Those by source are means over
        # rows, too, and do not depend on how the rows were cut into batches.
        row = net.history[-1]
        valid = self.turns_.valid
        names = dict.fromkeys(self.turns_.names + (valid.names if valid else ()))
        losses = losses_by_source(row["batches"], names)
        row.update({key: loss for key, loss in losses.items() if key not in row})
        for name in names:
            loss = losses.get(f"valid_loss[{name}]", 0.0)
            if not math.isfinite(loss):
                raise diverged(net, "validation", loss, name, self.remedy)
        row.update(self.turns_.seen())
        _refuse_unwritable(row.get("plan"), self.turns_.schedule)
        row["source"] = self.turns_.label()
        if "valid_loss_macro" not in row:
            return
        # Only epochs that validated the same sources can be compared: in partial_fit
        # another call may have had other ones.
        validated = _validated(row)
        past = [old for old in list(net.history)[:-1] if _validated(old) == validated]
        lowest = min((old["valid_loss_macro"] for old in past), default=math.inf)
        row["valid_loss_macro_best"] = row["valid_loss_macro"] < lowest
        if self.keep != "best" or self.monitor not in row:
            return
        monitored = row[self.monitor]
        if self.best_ is None or monitored < self.best_[0]:
            self.best_ = None  # before the copy: there is never room for two
            self.best_ = (
                monitored,
                [_what_changes(part) for part in trained_parts(net).values()],
            )

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Show the weights that are kept, before the user's callbacks look."""
        if self.best_ is not None:
            for part, state in zip(trained_parts(net).values(), self.best_[1]):
                part.load_state_dict(state, strict=False)


def _what_changes(part: nn.Module) -> dict[str, Tensor]:
    """Return a copy of all but frozen weights, which may be most of a module."""
    frozen = {name for name, w in part.named_parameters() if not w.requires_grad}
    state = part.state_dict().items()
    return {key: value.detach().clone() for key, value in state if key not in frozen}


def _validated(row: dict[str, Any]) -> list[str]:
    return sorted(key for key in row if key.startswith("valid_loss["))


class Stopped(Exception):
    """The training ends as planned, which is not what Ctrl-C means."""


class Stopper(Callback):
    """Ends the training when the plan says so, after all other callbacks."""

    def __init__(self) -> None:
        self.turns_: TurnBatches | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"turns_": None}

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Stop, if that was asked for."""
        if self.turns_ is not None and self.turns_.stopped:
            raise Stopped


def _refuse_unwritable(plan: Any, schedule: Any) -> None:
    """Refuse what no checkpoint could hold."""
    try:
        json.dumps(plan)
    except (TypeError, ValueError) as error:
        raise SourceError(
            f"{type(schedule).__name__} wrote {plan!r} to history[-1]['plan'], which a "
            f"checkpoint cannot hold: {error}. Write lists, dicts, numbers and strings."
        ) from None


def losses_by_source(batches: Any, names: Any) -> dict[str, float]:
    """Return the mean losses over rows of each source, and their macro mean."""
    totals: dict[tuple[str, str], list[float]] = {}
    parts = [(n, f"train_loss[{n}]", f"train_batch_size[{n}]") for n in names]
    for row in batches:
        prefix = "train" if "train_loss" in row else "valid"
        if f"{prefix}_loss" not in row:
            continue
        # A joint batch has a loss for each source in it, any other belongs to one, and
        # has nothing beside its loss, its rows and its source.
        together = False
        for name, loss, size in parts if len(row) > PLAIN else ():
            if loss in row:
                together = True
                _add(totals, ("train", name), row[loss], row[size])
        if not together:
            n_rows = row[f"{prefix}_batch_size"]
            _add(totals, (prefix, row["source"]), row[f"{prefix}_loss"], n_rows)
    means = {key: total / n for key, (total, n) in totals.items()}
    pooled = {
        f"{prefix}_loss": sum(part[0] for part in own) / sum(part[1] for part in own)
        for prefix in ("train", "valid")
        if (own := [part for key, part in totals.items() if key[0] == prefix])
    }
    result = pooled | {
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


def diverged(
    net: NeuralNet, what: str, loss: float, source: str, remedy: str
) -> SourceError:
    """Return the error for a loss that is not finite."""
    rates = {group["lr"] for group in net.optimizer_.param_groups if "lr" in group}
    rate = ", ".join(f"{float(rate):g}" for rate in sorted(rates))
    return SourceError(
        f"The {what} loss became {loss} in epoch {len(net.history)}, on a batch of "
        f"{source!r}, at a learning rate of {rate}. {remedy}"
    )
