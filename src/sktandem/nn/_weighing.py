"""What the loss of each source counts, whichever is in turn."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import Tensor, nn

from sktandem._settings import check_choice, check_known, is_number
from sktandem.exceptions import SourceError
from sktandem.schedules import Sizes, finished

__all__ = ["Uncertain", "Weighing", "check_loss_weights"]

WEIGHINGS = ("size", "uncertainty", "dwa")
TEMPERATURE = 2.0  # of dwa, as in Liu et al. (2019)


def check_loss_weights(weights: Any) -> None:
    """Refuse what is not a way to weight losses."""
    if weights is None or isinstance(weights, Mapping):
        return
    check_choice("loss_weights", weights, WEIGHINGS, ", a dict by source or None")


class Uncertain:
    """Makes a criterion that carries a log variance for each source.

    It stands where skorch expects a criterion class, so that the log variances
    are among the parameters that the optimizer gets.
    """

    def __init__(self, criterion: Any, n_sources: int) -> None:
        self.criterion, self.n_sources = criterion, n_sources

    def __call__(self, **params: Any) -> nn.Module:
        built = isinstance(self.criterion, nn.Module)
        criterion = self.criterion if built else self.criterion(**params)
        # A parameter of the criterion is trained, checkpointed and moved by skorch as
        # any weight of the module is.
        criterion.log_variance = nn.Parameter(torch.zeros(self.n_sources))
        return criterion


class Weighing:
    """The weight of each source's loss, as it stands in an epoch.

    - "size": a source counts by its rows, the mean over sources being 1.
    - dict: as given.
    - "uncertainty": the loss :math:`L_s` becomes
      :math:`e^{-v_s} L_s + v_s / 2`, halved before the sum for numbers, with a
      log variance :math:`v_s` that is trained.
    - "dwa": the softmax of each loss's last ratio of change, times the number
      of sources.

    Parameters
    ----------
    weights : str, dict or None
        How to weigh.

    sizes : Sizes
        The sources.

    net : NeuralNet
        The net, for its history and its criterion.

    classifies : sequence of bool
        Whether each source has classes.

    places : sequence of int
        The place of each source among all that the net has.

    names : sequence of hashable
        All that the net has, of which some may be absent now.
    """

    def __init__(
        self,
        weights: Any,
        sizes: Sizes,
        net: NeuralNet,
        classifies: list[bool],
        places: list[int],
        names: Sequence[Hashable],
    ) -> None:
        self.weights, self.sizes, self.net = weights, sizes, net
        self.classifies, self.places, self.names = classifies, places, names
        self._epoch, self._now = -1, [1.0] * len(sizes.names)
        if isinstance(weights, Mapping):
            self._now = self._given(weights)
        elif weights == "size":
            n_rows = np.asarray(sizes.n_rows, dtype=float)
            self._now = (n_rows / n_rows.mean()).tolist()

    def _given(self, weights: Mapping[Any, float]) -> list[float]:
        for name, weight in weights.items():
            check_known("loss_weights", name, self.names)
            if not is_number(weight) or not 0 <= weight < np.inf:
                raise SourceError(
                    f"loss_weights gives {name!r} the weight {weight!r}. A weight is a "
                    "number of at least 0."
                )
        missing = [name for name in self.sizes.names if name not in weights]
        if missing:
            raise SourceError(
                f"loss_weights gives no weight to {missing}. Name every source; a "
                "weight of 0 leaves one out."
            )
        return [float(weights[name]) for name in self.sizes.names]

    def weighted(self, place: int, loss: Tensor) -> Tensor:
        """Return the loss of a source with its weight, told by its place."""
        own = self.places.index(place)
        if self.weights == "uncertainty":
            variance = self.net.criterion_.log_variance[place]
            part = 1.0 if self.classifies[own] else 0.5
            return part * torch.exp(-variance) * loss + variance / 2
        if self.weights == "dwa":
            self._follow()
        return self._now[own] * loss

    def _follow(self) -> None:
        """Once an epoch, weigh by how fast each loss fell."""
        # The history grows by a row when an epoch begins, so its length is the epoch.
        if self._epoch == len(self.net.history):
            return
        self._epoch = len(self.net.history)
        past = finished(self.net.history)[-2:]
        keys = [f"train_loss[{name}]" for name in self.sizes.names]
        if len(past) < 2 or not all(key in row for row in past for key in keys):
            self._now = [1.0] * len(keys)
            return
        before, last = ([row[key] for key in keys] for row in past)
        # A softmax over ratios of change; shifted by the largest, so that it cannot
        # overflow, and floored, so that a loss of 0 divides nothing.
        ratio = np.asarray(last) / np.maximum(before, 1e-12) / TEMPERATURE
        share = np.exp(ratio - ratio.max())
        self._now = (len(keys) * share / share.sum()).tolist()
