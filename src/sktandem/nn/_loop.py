"""The seam with skorch: its own fit loop, with batches and records by source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from skorch import (
    NeuralNet,
    NeuralNetClassifier,
    NeuralNetRegressor,
)
from skorch.callbacks import Callback, EpochScoring, PrintLog
from skorch.callbacks.scoring import ScoringBase
from torch import nn

from sktandem.exceptions import SourceError
from sktandem.nn._average import Averaged
from sktandem.nn._batches import RowBatch
from sktandem.nn._heads import MultiHead
from sktandem.nn._losses import StepLoss
from sktandem.nn._recorder import Recorder, Stopper
from sktandem.nn._turns import TurnBatches

__all__ = ["FastEpoch", "taking_turns"]

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
HIDDEN = ("plan", "checks", "seed", "data", "cursor", "valid_loss")


class FastEpoch:
    """One epoch of training without what most steps do not need.

    It gives the same weights and the same history, bit for bit, as skorch's
    `run_single_epoch`, for which it stands in, and hands over to it where a
    net has steps of its own.
    """

    def __init__(self, net: NeuralNet, recorder: Recorder, loss: StepLoss) -> None:
        self.net, self.recorder, self.loss = net, recorder, loss

    def __call__(
        self,
        iterator: Any,
        training: bool,
        prefix: str,
        step_fn: Any,
        **fit_params: Any,
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
        tasks = self.loss.tasks
        bare = type(net).infer is NeuralNet.infer
        as_is = type(net).get_loss is NeuralNet.get_loss or (
            type(net).get_loss is NeuralNetClassifier.get_loss
            and not isinstance(criterion, nn.NLLLoss)
        )
        of_heads = tasks is not None and bare and as_is and self._has_plain_heads()
        bare, as_is = bare and tasks is None, as_is and tasks is None
        averaged = Averaged.of(net) is not None
        rows = net.history[-1]["batches"]
        n_batches = 0
        for batch in iterator:
            row: dict[str, Any] = {"source": batch.label}
            rows.append(row)
            for hook in begin:
                hook(net, batch=batch, training=True)
            x, y = batch
            if not module.training:
                net._set_training(True)
            optimizer.zero_grad()
            plain = batch.parts is None and batch.weights is None
            if of_heads and batch.weights is None:
                y_pred, loss = self._answered(module, criterion, batch)
            else:
                y_pred = module(x) if bare else net.infer(x)
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
            row["train_batch_size"] = len(y)
            if averaged or not plain or not math.isfinite(value):
                recorder.after_step(net, batch, row)
            for hook in end:
                hook(net, batch=batch, training=True, loss=loss, y_pred=y_pred)
            n_batches += 1
        return n_batches

    def _has_plain_heads(self) -> bool:
        """Tell whether a step has only heads to ask, and losses to add up."""
        module = self.net.module_
        hooked = isinstance(module, MultiHead) and (
            module._forward_hooks or module._forward_pre_hooks
        )
        own = isinstance(module, MultiHead) and not hooked
        return own and self.loss.weighing is None

    def _answered(self, module: MultiHead, criterion: Any, batch: RowBatch) -> Any:
        """Return the answers of the heads, and the sum of their losses."""
        x, y = batch
        tasks = self.loss.tasks
        if batch.parts is None:
            (place,) = batch.places
            (y_pred,) = module.answers(x["X"], batch.places, (slice(None),))
            return y_pred, criterion(y_pred, tasks[place].target(y))
        slices = [rows for _, rows, _ in batch.parts]
        outputs = module.answers(x["X"], batch.places, slices)
        batch.losses, total = [], 0.0
        for output, place, (_, rows, weight) in zip(outputs, batch.places, batch.parts):
            loss = criterion(output, tasks[place].target(y[rows]))
            batch.losses.append(loss)
            total = total + (loss if weight == 1 else weight * loss)
        return outputs if len(outputs) > 1 else outputs[0], total


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


def _is_silent(callback: Any, net: NeuralNet) -> bool:
    is_log = isinstance(callback, PrintLog)
    return is_log and not net.verbose and callback.sink is print


def _surrounded(
    net: NeuralNet, recorder: Recorder, stopper: Stopper, tasks: Any
) -> list[Any]:
    """Return the callbacks of a net with ours around the user's."""
    standard = {name for name, _ in net._default_callbacks} - {"print_log"}
    if tasks is not None:
        _refuse_scores_of_heads(net, tasks)
    # An accuracy over heads with other classes each means nothing, and a log
    # that is not printed would build its tables all the same.
    idle = {"valid_acc"} if tasks is not None else set()
    callbacks = [
        (name, callback)
        for name, callback in net.callbacks_
        if name not in idle and not _is_silent(callback, net)
    ]
    place = sum(name in standard for name, _ in callbacks)
    callbacks.insert(place, ("recorder", recorder))
    return [*callbacks, ("stopper", stopper)]


def _refuse_scores_of_heads(net: NeuralNet, tasks: Any) -> None:
    """Refuse a score over outputs that have no common width."""
    widths = {str(task.source): task.n_outputs for task in tasks}
    scored = [
        name
        for name, callback in net.callbacks_
        if isinstance(callback, EpochScoring) and name != "valid_acc"
    ]
    if scored and len(set(widths.values())) > 1:
        raise SourceError(
            f"The callback {scored[0]!r} scores all rows at once, and the heads have "
            f"outputs of their own: {widths}. score_by_source scores each after fit."
        )


def _quieten(net: NeuralNet, names: Any) -> None:
    """Keep what a plan remembers out of the lines of the log."""
    by_source = ("rows_seen", "train_loss", "difficulty")
    hidden = {*HIDDEN, *(f"{key}[{name}]" for key in by_source for name in names)}
    for _, callback in net.callbacks_:
        if isinstance(callback, PrintLog):
            callback.keys_ignored_ = set(callback.keys_ignored_) | hidden


@contextmanager
def taking_turns(
    net: NeuralNet,
    turns: TurnBatches,
    recorder: Recorder,
    tasks: Any = None,
    weighing: Any = None,
) -> Iterator[None]:
    """Let an initialized net train on these batches until the block ends."""
    stopper = Stopper()
    recorder.turns_ = stopper.turns_ = turns
    callbacks = net.callbacks_
    net.callbacks_ = _surrounded(net, recorder, stopper, tasks)
    _quieten(net, turns.names)
    # On the instance, as skorch itself does for its scores, and only meanwhile:
    # the net stays one of the user's own class.
    net.get_loss = StepLoss(net, turns, tasks, weighing)
    net.run_single_epoch = FastEpoch(net, recorder, net.get_loss)
    try:
        yield
    finally:
        del net.run_single_epoch, net.get_loss
        for _, callback in net.callbacks_:
            if hasattr(callback, "turns_"):  # all the rows are behind them
                callback.turns_ = None
        net.callbacks_ = callbacks
