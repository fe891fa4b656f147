"""The seam with skorch: its own fit loop, with batches and records by source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from skorch import (
    NeuralNet,
    NeuralNetClassifier,
    NeuralNetRegressor,
)
from skorch.callbacks import Callback, PrintLog
from skorch.callbacks.scoring import ScoringBase
from torch import Tensor, nn

from sktandem.exceptions import SourceError
from sktandem.nn._average import Averaged
from sktandem.nn._batches import RowBatch
from sktandem.nn._losses import row_losses
from sktandem.nn._turns import TurnBatches

__all__ = ["FastEpoch", "Recorder", "taking_turns"]

# What a step is made of: whoever overrides one of these gets skorch's own loop.
STEP_METHODS = (
    "_set_training",
    "_step_optimizer",
    "_zero_grad_optimizer",
    "get_loss",
    "get_train_step_accumulator",
    "infer",
    "notify",
    "on_batch_begin",
    "on_batch_end",
    "on_grad_computed",
    "run_single_epoch",
    "train_step",
    "train_step_single",
)
OF_SKORCH = tuple(
    f"{kind.__module__}"
    for kind in (NeuralNet, NeuralNetClassifier, NeuralNetRegressor)
)
HIDDEN = ("plan", "checks", "seed", "mixed_rows")


class StepLoss:
    """The loss of a training step: by source in a joint batch, by row if weighed.

    It stands in for `get_loss` of the net, which it calls for every part.
    """

    def __init__(self, net: NeuralNet, turns: TurnBatches | None) -> None:
        self.net, self.turns = net, turns

    def __getstate__(self) -> dict[str, Any]:
        return {"net": self.net, "turns": None}  # no data in a checkpoint

    def __call__(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        batch = self.turns.current if training and self.turns is not None else None
        if batch is None or batch.parts is None:
            weights = None if batch is None else batch.weights
            return self._part(y_pred, y_true, X, training, weights)
        losses = []
        for _, rows, _ in batch.parts:
            weights = None if batch.weights is None else batch.weights[rows]
            own = _rows_of(y_pred, rows), y_true[rows], X[rows]
            losses.append(self._part(*own, training, weights))
        batch.losses = losses
        return sum(
            loss if weight == 1 else weight * loss
            for loss, (_, _, weight) in zip(losses, batch.parts)
        )

    def _part(self, y_pred: Any, y_true: Any, X: Any, training: bool, weights: Any):
        own = type(self.net).get_loss
        if weights is None:
            return own(self.net, y_pred, y_true, X=X, training=training)
        losses = row_losses(self.net, y_pred, y_true, X, training=training)
        return (losses * weights).sum() / len(weights)


def _rows_of(y_pred: Any, rows: slice) -> Any:
    if isinstance(y_pred, tuple):
        return tuple(_rows_of(part, rows) for part in y_pred)
    return y_pred[rows]


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
        if self.monitor not in row:
            return
        past = [old.get("valid_loss_macro", math.inf) for old in list(net.history)[:-1]]
        macro = row["valid_loss_macro"]
        row["valid_loss_macro_best"] = macro < min(past, default=math.inf)
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


class FastEpoch:
    """One epoch of training without what most steps do not need.

    It gives the same weights and the same history, bit for bit, as skorch's
    `run_single_epoch`, for which it stands in, and hands over to it where a
    net has steps of its own.
    """

    def __init__(self, net: NeuralNet, recorder: Recorder) -> None:
        self.net, self.recorder = net, recorder

    def __call__(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params
    ) -> None:
        net = self.net
        own = type(net).run_single_epoch
        if not training:
            own(net, iterator, training, prefix, step_fn, **fit_params)
            return
        if fit_params or not isinstance(iterator, TurnBatches) or not is_plain(net):
            own(net, iterator, training, prefix, step_fn, **fit_params)
        else:
            n_batches = self._train(iterator)
            net.history.record(f"{prefix}_batch_count", n_batches)
        self.recorder.after_training(net)

    def _train(self, iterator: TurnBatches) -> int:
        net, recorder = self.net, self.recorder
        module, criterion, optimizer = net.module_, net.criterion_, net.optimizer_
        begin, grad, end = (
            _hooks(net, name, recorder)
            for name in ("on_batch_begin", "on_grad_computed", "on_batch_end")
        )
        bare = type(net).infer is NeuralNet.infer
        as_is = type(net).get_loss is NeuralNet.get_loss or (
            type(net).get_loss is NeuralNetClassifier.get_loss
            and not isinstance(criterion, nn.NLLLoss)
        )
        averaged = Averaged.of(net) is not None
        rows = net.history[-1]["batches"]
        n_batches = 0
        for batch in iterator:
            row = {"source": batch.label}
            rows.append(row)
            for hook in begin:
                hook(net, batch=batch, training=True)
            x, y = batch
            if not module.training:
                net._set_training(True)
            optimizer.zero_grad()
            y_pred = module(x) if bare else net.infer(x)
            plain = batch.parts is None and batch.weights is None
            if as_is and plain:
                loss = criterion(y_pred, y)
            else:
                loss = net.get_loss(y_pred, y, X=x, training=True)
            loss.backward()
            for hook in grad:
                named = list(net.get_all_learnable_params())
                hook(net, named_parameters=named, batch=batch, training=True)
            optimizer.step()
            value = row["train_loss"] = loss.item()
            row["train_batch_size"] = len(x)
            if averaged or not plain or not math.isfinite(value):
                recorder.after_step(net, batch, row)
            for hook in end:
                hook(net, batch=batch, training=True, loss=loss, y_pred=y_pred)
            n_batches += 1
        return n_batches


def _hooks(net: NeuralNet, method: str, recorder: Recorder) -> list[Any]:
    """Return the methods of callbacks that do something in a training batch."""
    hooks = []
    for _, callback in net.callbacks_:
        if callback is recorder or _inherits(callback, method):
            continue
        idle = isinstance(callback, ScoringBase) and not callback.on_train
        if not (idle and type(callback).__module__ == ScoringBase.__module__):
            hooks.append(getattr(callback, method))
    return hooks


def _inherits(callback: Any, method: str) -> bool:
    return getattr(type(callback), method, None) is getattr(Callback, method)


def is_plain(net: NeuralNet) -> bool:
    """Tell whether every step of a net is skorch's own."""
    kind = type(net)
    own = all(getattr(kind, name).__module__ in OF_SKORCH for name in STEP_METHODS)
    bound = vars(net).keys() & set(STEP_METHODS) - {"get_loss", "run_single_epoch"}
    optimizer = net.optimizer_
    usual = type(optimizer).__module__.startswith("torch.optim")
    return (
        own
        and not bound
        and net._modules == ["module"]
        and net._criteria == ["criterion"]
        and net._optimizers == ["optimizer"]
        and usual
        and not isinstance(optimizer, torch.optim.LBFGS)
    )


def _surrounded(net: NeuralNet, recorder: Recorder, stopper: Stopper) -> list[Any]:
    """Return the callbacks of a net with ours around the user's."""
    standard = {name for name, _ in net._default_callbacks} - {"print_log"}
    callbacks = [
        (name, callback)
        for name, callback in net.callbacks_
        if net.verbose or not isinstance(callback, PrintLog) or callback.sink != print
    ]  # a log that is not printed would build its tables all the same
    place = sum(name in standard for name, _ in callbacks)
    callbacks.insert(place, ("recorder", recorder))
    return [*callbacks, ("stopper", stopper)]


def _quieten(net: NeuralNet, names: Any) -> None:
    """Keep what a plan remembers out of the lines of the log."""
    hidden = {*HIDDEN, *(f"rows_seen[{name}]" for name in names)}
    for _, callback in net.callbacks_:
        if isinstance(callback, PrintLog):
            callback.keys_ignored_ = set(callback.keys_ignored_) | hidden


@contextmanager
def taking_turns(
    net: NeuralNet, turns: TurnBatches, recorder: Recorder
) -> Iterator[None]:
    """Let an initialized net train on these batches until the block ends."""
    stopper = Stopper()
    recorder.turns_ = stopper.turns_ = turns
    callbacks = net.callbacks_
    net.callbacks_ = _surrounded(net, recorder, stopper)
    _quieten(net, turns.names)
    # On the instance, as skorch itself does for its scores, and only meanwhile:
    # the net stays one of the user's own class.
    net.run_single_epoch = FastEpoch(net, recorder)
    net.get_loss = StepLoss(net, turns)
    try:
        yield
    finally:
        del net.run_single_epoch, net.get_loss
        net.callbacks_ = callbacks
        recorder.turns_ = None
