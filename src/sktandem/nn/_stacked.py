"""The weights of many nets as one, and a step for all of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from skorch import NeuralNet
from torch import Tensor, nn

from sktandem.nn._average import Averaged
from sktandem.nn._heads import MultiHead
from sktandem.nn._stackable import OVER_CLASSES, layers_of, taken_by, weights_of
from sktandem.nn._tasks import Task

__all__ = ["Stack"]

Layer = Callable[[Tensor], Tensor]


class Stack:
    """Nets of one form, each of their weights stacked to a tensor.

    Its place in the stack is the first dimension of all that belongs to a net:
    of weights, their gradients and moments, and of a step's rows. All nets of a
    stack take their steps together from the first on, so that one count of steps
    serves for all of them.

    Parameters
    ----------
    nets : sequence of NeuralNet
        The nets, initialized.

    heads : tuple of Task or None
        What each head learns, if there are heads.
    """

    def __init__(
        self, nets: Sequence[NeuralNet], heads: tuple[Task, ...] | None
    ) -> None:
        self.heads = heads
        self.n_steps = 0
        first = nets[0]
        self._judge = _by_row(first)
        self._module = first.module_
        places = {id(weight): at for at, weight in enumerate(weights_of(first))}
        with torch.no_grad():
            stacked = zip(*(weights_of(net) for net in nets))
            self.weights = [torch.stack([_turned(w) for w in own]) for own in stacked]
        # An average of the last epochs changes once an epoch, and each net sees to its
        # own.
        average = Averaged.of(first)
        self._average = None if average is None or average.swa else average
        self._held = None
        if self._average is not None:
            self._held = [weight.clone() for weight in self.weights]
        self._optimizer = _optimizer_like(first.optimizer_, self._require())
        self._places = places
        self._chains = self._chained()

    def _require(self) -> list[Tensor]:
        for weight in self.weights:
            weight.requires_grad_()
        return self.weights

    def _chained(self) -> list[list[Layer]]:
        """Return the layers of the trunk, and those of each head."""
        module = self._module
        if not isinstance(module, MultiHead):
            return [self._chain(module)]
        return [self._chain(module.trunk), *map(self._chain, module.heads)]

    def _chain(self, module: nn.Module) -> list[Layer]:
        return [self._layer(layer) for layer in layers_of(module)]

    def _layer(self, layer: nn.Module) -> Layer:
        if isinstance(layer, nn.Linear):
            weight, bias = (self._places.get(id(w)) for w in (layer.weight, layer.bias))
            assert weight is not None
            return lambda x: self._linear(x, weight, bias)
        if type(layer) in OVER_CLASSES:
            return type(layer)(dim=-1)
        return layer

    def _linear(self, x: Tensor, weight: int, bias: int | None) -> Tensor:
        if bias is None:
            return torch.bmm(x, self.weights[weight])
        return torch.baddbmm(self.weights[bias].unsqueeze(1), x, self.weights[weight])

    # A step ---------------------------------------------------------------------

    def step(
        self, x: Tensor, y: Tensor, counts: Tensor, heads: Tensor | None = None
    ) -> Tensor:
        """Take an optimizer step of all nets, and return the loss of each row.

        Parameters
        ----------
        x : Tensor of shape (n_nets, n_rows, n_features)
            Features.

        y : Tensor of shape (n_nets, n_rows, ...)
            Targets.

        counts : Tensor of shape (n_nets, n_rows)
            What the loss of each row counts, 0 where a net has fewer rows.

        heads : Tensor of shape (n_nets, n_rows) or None
            The head of each row.
        """
        losses = self._losses(x, y, heads)
        # No weight belongs to two nets, so the gradient of the sum of their losses is
        # for each net that of its own.
        grads = torch.autograd.grad((losses * counts).sum(), self.weights)
        for weight, grad in zip(self.weights, grads):
            # A fused optimizer walks through memory, and takes no other strides.
            weight.grad = grad.contiguous()
        self._optimizer.step()
        self.n_steps += 1
        if self._held is not None and self._average is not None:
            part = self._average.part_of(self.n_steps)
            with torch.no_grad():
                torch._foreach_lerp_(self._held, self.weights, part)
        return losses.detach()

    def _losses(self, x: Tensor, y: Tensor, codes: Tensor | None) -> Tensor:
        trunk, *heads = self._chains
        for layer in trunk:
            x = layer(x)
        if self.heads is None or codes is None:
            return self._judged(x, y)
        # Every head answers for all rows, and counts for its own.
        total = torch.zeros(x.shape[:2], dtype=x.dtype, device=x.device)
        for code, (head, task) in enumerate(zip(heads, self.heads)):
            own = codes == code
            answer = x
            for layer in head:
                answer = layer(answer)
            # Rows of another source may be of a class that this head does not have, for
            # which torch would raise: they get class 0, and do not count.
            target = task.target(y.flatten(0, 1))
            flat = own.flatten()
            target = torch.where(
                flat if target.ndim == 1 else flat.unsqueeze(1), target, 0
            )
            losses = self._judged(answer, target.unflatten(0, own.shape))
            # Chosen and not multiplied by 0: NaN times 0 is NaN.
            total = total + torch.where(own, losses, 0.0)
        return total

    def _judged(self, answer: Tensor, y: Tensor) -> Tensor:
        n_nets, n_rows = answer.shape[:2]
        flat, target = answer.flatten(0, 1), y.flatten(0, 1)
        if target.ndim == 1 and target.is_floating_point():
            flat = flat.squeeze(1)  # of one number, as the net of two classes infers
        own = type(self._judge).get_loss
        losses = own(self._judge, flat, target, X=None, training=True)
        # Of several outputs the mean over a batch is that of the means of its rows.
        if losses.ndim > 1:
            losses = losses.flatten(1).mean(dim=1)
        return losses.view(n_nets, n_rows)

    # In and out -----------------------------------------------------------------

    def give(self, net: NeuralNet, place: int) -> None:
        """Give a net the weights that it has here, and its average."""
        with torch.no_grad():
            for own, weight in zip(weights_of(net), self.weights):
                own.copy_(_turned(weight[place]))
        average = Averaged.of(net)
        if average is not None and self._held is not None:
            for buffer, weight in zip(average._held(), self._held):
                buffer.copy_(_turned(weight[place]))
            average.count.fill_(self.n_steps)

    def give_moments(self, net: NeuralNet, place: int) -> None:
        """Give the optimizer of a net the moments that its weights have here."""
        for own, weight in zip(weights_of(net), self.weights):
            net.optimizer_.state[own] = {
                key: _of_place(value, weight, place)
                for key, value in self._optimizer.state[weight].items()
            }

    def leave(self, places: Sequence[int]) -> None:
        """Keep the nets in some places only."""
        kept = torch.as_tensor(places, device=self.weights[0].device)
        old, optimizer = self.weights, self._optimizer
        with torch.no_grad():
            self.weights = [weight.index_select(0, kept) for weight in old]
            if self._held is not None:
                self._held = [held.index_select(0, kept) for held in self._held]
        self._optimizer = _optimizer_like(optimizer, self._require())
        for weight, before in zip(self.weights, old):
            self._optimizer.state[weight] = {
                key: _of_places(value, before, kept)
                for key, value in optimizer.state[before].items()
            }


def _by_row(net: NeuralNet) -> NeuralNet:
    """Return a net that has the loss of another, row by row."""
    judge: NeuralNet = object.__new__(type(net))
    vars(judge).update(vars(net))
    vars(judge).pop("get_loss", None)  # by source, of the other's own batches
    vars(judge)["criterion_"] = criterion = copy.copy(net.criterion_)
    criterion.reduction = "none"
    return judge


def _optimizer_like(
    optimizer: torch.optim.Optimizer, weights: list[Tensor]
) -> torch.optim.Optimizer:
    """Return an optimizer of the same kind and settings for other weights."""
    kind = type(optimizer)
    group = optimizer.param_groups[0]
    settings = taken_by(kind, {k: v for k, v in group.items() if k != "params"})
    chosen = settings.get("foreach") or settings.get("differentiable")
    if settings.get("fused") is None and not chosen:
        try:
            return kind(weights, **settings | {"fused": True})
        except (RuntimeError, TypeError):  # of an older torch, or another device
            pass
    return kind(weights, **settings)


def _turned(weight: Tensor) -> Tensor:
    """Return the matrix of a linear layer as a stack has it, or the reverse.

    Then its gradient comes in the order of its own memory.
    """
    return weight.t() if weight.ndim == 2 else weight


def _of_place(value: Any, weight: Tensor, place: int) -> Any:
    if not isinstance(value, Tensor):
        return value
    # A count of steps, as Adam has: one for all nets here, and one for each outside.
    if value.shape != weight.shape:
        return value.clone()
    return _turned(value[place]).clone(memory_format=torch.contiguous_format)


def _of_places(value: Any, weight: Tensor, places: Tensor) -> Any:
    if not isinstance(value, Tensor) or value.shape != weight.shape:
        return value
    return value.index_select(0, places)
