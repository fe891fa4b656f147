"""Weights averaged over training, and the raw ones they are exchanged with."""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNet
from torch import Tensor, nn

from sktandem._settings import check_choice, is_number
from sktandem.exceptions import SourceError

__all__ = ["Averaged", "check_average", "trained_parts", "trained_weights"]

AVERAGES = ("ema", "swa")
EMA_DECAY = 0.99
SWA_START = 0.75  # of all epochs, as in Izmailov et al. (2018)


def check_average(average: Any) -> None:
    """Refuse what is no way to average."""
    if average is None or (is_number(average) and 0 < average < 1):
        return
    decay = f", the decay of an exponential average such as {EMA_DECAY}, or None"
    check_choice("average", average, AVERAGES, decay)


def trained_parts(net: NeuralNet) -> dict[str, nn.Module]:
    """Return all that a net may train, by name: its modules and its criterion."""
    names = (*net._modules, *net._criteria)
    parts = {name: getattr(net, f"{name}_") for name in names}
    return {name: part for name, part in parts.items() if isinstance(part, nn.Module)}


def trained_weights(net: NeuralNet) -> list[Tensor]:
    """Return the weights of all modules of a net, and of its criterion."""
    return [w for part in trained_parts(net).values() for w in part.parameters()]


class Averaged(nn.Module):
    """The averaged weights of a net while the raw ones train, and the reverse.

    It lives as a part of the criterion, so that skorch's own checkpoints,
    pickles and moves between devices take it along.
    """

    count: Tensor
    shown: Tensor

    def __init__(self, weights: list[Tensor], average: str | float) -> None:
        super().__init__()
        self.swa = average == "swa"
        self.decay = EMA_DECAY if isinstance(average, str) else float(average)
        for place, weight in enumerate(weights):
            self.register_buffer(f"weight_{place}", weight.detach().clone())
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("shown", torch.zeros((), dtype=torch.bool))

    @classmethod
    def of(cls, net: NeuralNet) -> Averaged | None:
        """Return the average that a net carries, if any."""
        found = getattr(net.criterion_, "averaged_weights", None)
        return found if isinstance(found, cls) else None

    @classmethod
    def attach(cls, net: NeuralNet, average: str | float) -> None:
        """Let an initialized net carry an average from now on."""
        if not isinstance(net.criterion_, nn.Module):
            raise SourceError(
                f"average={average!r} needs a criterion that is a torch module, got "
                f"{net.criterion_!r}."
            )
        net.criterion_.averaged_weights = cls(trained_weights(net), average)

    def _held(self) -> list[Tensor]:
        held = [held for held in self._buffers.values() if held is not None]
        return held[:-2]  # the last two are not weights

    def after_step(self, net: NeuralNet) -> None:
        """Take in the weights after an optimizer step."""
        if self.swa:
            return
        self.count += 1
        self._take_in(net, self.part_of(int(self.count)))

    def part_of(self, step: int) -> float:
        """Return what the weights after a step count in their exponential average."""
        # Early on the first weights, which are random, would weigh too much.
        # The ramp is that of TensorFlow's ExponentialMovingAverage.
        return 1 - min(self.decay, (1 + step) / (10 + step))

    def after_epoch(self, net: NeuralNet, epoch: int, max_epochs: int) -> None:
        """Take in the weights after an epoch, the first of which is 1."""
        if not self.swa:
            return
        averaging = epoch > SWA_START * max_epochs
        self.count += int(averaging)
        self._take_in(net, 1 / int(self.count) if averaging else 1.0)

    def _take_in(self, net: NeuralNet, part: float) -> None:
        weights = [weight.detach() for weight in trained_weights(net)]
        # One call for all weights, private to torch but the one that its own averages
        # use.
        torch._foreach_lerp_(self._held(), weights, part)

    def show(self, net: NeuralNet, shown: bool) -> None:
        """Put the averaged weights into the module, or the raw ones back."""
        if bool(self.shown) == shown:
            return
        # Exchanged in place: the optimizer holds these very tensors, and a module with
        # others in their stead would train no more.
        with torch.no_grad():
            for held, weight in zip(self._held(), trained_weights(net)):
                raw = weight.detach().clone()
                weight.copy_(held)
                held.copy_(raw)
        self.shown.fill_(shown)
