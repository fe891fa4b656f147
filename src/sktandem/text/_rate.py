"""The learning rate over a fit: up in a straight line, then down to zero."""

from __future__ import annotations

from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback
from tqdm import tqdm

__all__ = ["BatchProgress", "WarmupDecay"]


class WarmupDecay(Callback):
    """Raises the learning rates in a straight line, then lowers them to zero.

    All that it knows is the history: a fit that was interrupted goes on with
    the rate at which it stopped. At step t of T, counted from 0, each rate is
    multiplied by t / (w T) before the warm-up of the share w is over, and by
    (T - t) / (T - w T) after it, as in ``get_linear_schedule_with_warmup`` of
    the library transformers.

    Parameters
    ----------
    warmup_ratio : float
        The share of all steps in which the rates rise.
    """

    def __init__(self, warmup_ratio: float = 0.1) -> None:
        self.warmup_ratio = warmup_ratio

    def on_epoch_begin(
        self, net: NeuralNet, dataset_train: Any = None, **kwargs: Any
    ) -> None:
        """Take note of who plans the steps; leave nothing of an epoch broken off."""
        self.turns_ = dataset_train.turns
        net.optimizer_.begin()

    def on_batch_begin(
        self, net: NeuralNet, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Set the rates of the step to come."""
        if not training:
            return
        done = len(net.history) - 1
        step = len(net.history[-1]["batches"]) - 1  # its own row is there already
        if step == 0:  # not before: a plan may go by what begins the epoch
            self.n_steps_ = max(1, self.turns_.n_steps())
        # A plan that ends by its losses may have more steps than were counted.
        now = done + min(step / self.n_steps_, 1.0)
        factor = self.factor(now / net.max_epochs)
        for group in net.optimizer_.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"turns_": None}  # no data in a checkpoint

    def factor(self, progress: float) -> float:
        """Return what the rates are multiplied by, at a share of the whole fit."""
        rise = self.warmup_ratio
        if progress < rise:
            return progress / rise
        return max(0.0, (1.0 - progress) / (1.0 - rise)) if rise < 1 else 1.0

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Record the rate of the last step."""
        net.history.record("lr", float(net.optimizer_.param_groups[0]["lr"]))


class BatchProgress(Callback):
    """Shows how far an epoch has come: on a processor it may take minutes."""

    def on_epoch_begin(
        self, net: NeuralNet, dataset_train: Any = None, **kwargs: Any
    ) -> None:
        """Take note of who plans the steps."""
        self.turns_ = dataset_train.turns

    def on_batch_end(
        self, net: NeuralNet, training: bool = False, **kwargs: Any
    ) -> None:
        """Move it on."""
        if training:
            if len(net.history[-1]["batches"]) == 1:
                name = f"epoch {len(net.history)}"
                # Of several processes that train, one shows it: the others are silent.
                idle = None if net.verbose else True
                total = self.turns_.n_steps()
                self.bar_ = tqdm(total=total, desc=name, leave=False, disable=idle)
            self.bar_.set_postfix(loss=net.history[-1, "batches", -1, "train_loss"])
            self.bar_.update()

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Take it away."""
        self.bar_.close()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"turns_": None, "bar_": None}  # no data either
