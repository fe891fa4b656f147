"""AdamW as transformers are fine-tuned with: clipped, and after several batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["AccumulatedAdamW"]


class AccumulatedAdamW(torch.optim.AdamW):
    """AdamW on the mean gradient of several batches, clipped in its norm.

    Biases and the weights of normalisations, which have one dimension, do not
    decay, and what needs no gradient is left out.

    Parameters
    ----------
    params : iterable of dict
        Groups of weights, each with its own `lr`.

    lr : float
        The learning rate of groups without one.

    weight_decay : float
        The decay of weights with two dimensions or more.

    accumulation : int
        The batches whose gradients make one step.

    max_norm : float or None
        The largest norm of the gradient of all weights together.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float,
        *,
        weight_decay: float = 0.01,
        accumulation: int = 1,
        max_norm: float | None = 1.0,
    ) -> None:
        # The groups carry the count and the settings: they are all that a
        # checkpoint and a pickle take of an optimizer.
        groups = [
            {**group, "params": some, "weight_decay": decay, "waiting": 0}
            for group in params
            for some, decay in _by_shape(group["params"], weight_decay)
            if some
        ]
        for group in groups:
            group["initial_lr"] = group.setdefault("lr", lr)
            group.update(accumulation=accumulation, max_norm=max_norm)
        super().__init__(groups, lr=lr, weight_decay=weight_decay, fused=True)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, unless they wait for those of the next batch."""
        if not self.param_groups[0]["waiting"]:
            super().zero_grad(set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step if enough batches have come.

        Parameters
        ----------
        closure : callable, default=None
            Computes the loss of a batch and its gradients.

        Returns
        -------
        loss : float or Tensor
            What `closure` returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        first = self.param_groups[0]
        self._wait(first["waiting"] + 1)
        if first["waiting"] == first["accumulation"]:
            self.finish()
        return loss

    @property
    def waits(self) -> bool:
        """Whether batches have come that no step was taken for."""
        return bool(self.param_groups[0]["waiting"])

    def begin(self) -> None:
        """Forget what an interrupted epoch has left."""
        self._wait(0)
        self.zero_grad()

    def finish(self) -> None:
        """Take a step with what waits, as at the end of an epoch."""
        first = self.param_groups[0]
        if not self.waits:
            return
        weights = [w for group in self.param_groups for w in group["params"]]
        given = [w.grad for w in weights if w.grad is not None]
        if first["waiting"] > 1:
            # They have added up, each of the mean over its batch: the mean of these is
            # that of all rows where the batches are of one size.
            torch._foreach_div_(given, first["waiting"])
        if first["max_norm"] is not None:
            torch.nn.utils.clip_grad_norm_(weights, first["max_norm"])
        super().step()
        self._wait(0)

    def _wait(self, n_batches: int) -> None:
        for group in self.param_groups:
            group["waiting"] = n_batches


def _by_shape(
    weights: Iterable[Tensor], weight_decay: float
) -> list[tuple[list[Tensor], float]]:
    """Return weights that decay and weights that do not, with what they decay by."""
    learned = [w for w in weights if w.requires_grad]
    matrices = [w for w in learned if w.ndim > 1]
    others = [w for w in learned if w.ndim <= 1]
    return [(matrices, weight_decay), (others, 0.0)]
