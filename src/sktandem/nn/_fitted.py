"""What a fit has learned: one record, on which all predictions stand."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor

from sktandem.nn._aim import Tasks
from sktandem.nn._features import as_tensor
from sktandem.nn._items import Items, unlike_told
from sktandem.nn._precision import Twin, precision_of
from sktandem.nn._preparation import FeatureMap, Prepared
from sktandem.nn._ragged import Ragged, lengths_of
from sktandem.nn._seeding import unmoved
from sktandem.nn._table import Table
from sktandem.nn._tensors import first_rows

__all__ = ["Fitted"]


@dataclass(frozen=True, eq=False)
class Fitted:
    """The fitted state of an estimator with a net.

    Attributes
    ----------
    net : NeuralNet
        The trained net.

    tasks : SharedTask or SourceTasks
        What it has learned.

    features : FeatureMap
        How X becomes numbers.

    sources : tuple
        The names of the sources.

    n_samples : dict of {source: int}
        The rows of each that were trained on.

    seed : int
        The seed of the fit.

    precision : {"float64", "float32"}
        In which the net predicts.

    width : int or None
        Of the embedding, if the module has one.

    columns : list of list of int or None
        The columns that each source's stem sees, if there are stems.

    like : tuple of shape and dtype, or None
        One row of X as numbers; None where they are no array of one shape.
    """

    net: NeuralNet
    tasks: Tasks
    features: FeatureMap
    sources: tuple[Hashable, ...]
    n_samples: dict[Hashable, int]
    seed: int
    precision: str
    width: int | None = None
    columns: list[list[int]] | None = None
    like: tuple[tuple[int, ...], str] | None = None
    _twin: Twin = field(default_factory=Twin, repr=False)

    @classmethod
    def of(cls, net: NeuralNet, data: Prepared, width: int | None) -> Fitted:
        """Return the state after the first fit."""
        # Asked once, with rows of the data: some modules cannot be cast, and a row's
        # prediction must not change its precision from call to call.
        x = first_rows(net, data, dtype=torch.float64)
        return cls(
            net,
            data.tasks,
            data.features,
            data.names,
            dict(zip(data.names, data.n_samples)),
            data.seed,
            precision_of(net, x, data.features.dtype),
            width,
            data.columns,
            _like(data.training.numbers),
        )

    def with_more(self, data: Prepared) -> Fitted:
        """Return the state after training on further rows."""
        new = dict(zip(data.names, data.n_samples))
        counts = {name: n + new[name] for name, n in self.n_samples.items()}
        return replace(self, tasks=data.tasks, n_samples=counts)

    def attributes(self) -> dict[str, Any]:
        """Return what an estimator shows of it, by name."""
        shown = {
            "net_": self.net,
            "features_": self.features,
            "sources_": self.sources,
            "n_samples_by_source_": self.n_samples,
            "seed_": self.seed,
            "precision_": self.precision,
            **self.tasks.attributes(),
        }
        if self.tasks.heads is not None or self.width is not None:
            shown["width_"] = self.width
        if self.columns is not None:
            shown["columns_"] = self.columns
        return shown

    def ask(
        self,
        method: str | Callable[[NeuralNet, Table], NDArray[Any]],
        numbers: Any,
        codes: NDArray[Any],
        heads: NDArray[Any] | None = None,
        places: NDArray[np.intp] | None = None,
        net: NeuralNet | None = None,
    ) -> NDArray[Any]:
        """Return what a method of the net gives for rows that are numbers.

        `places` are those asked for, None for all: they are never copied whole. `net`
        is the one that answers, for those who ask several times.
        """
        net = self.answering() if net is None else net
        lengths = lengths_of(numbers)
        if lengths is None:
            return self._asked(net, method, numbers, codes, heads, places)
        # Rows of like length share a batch, and each gets its own answer back.
        places = np.arange(len(numbers)) if places is None else places
        order = lengths[places].argsort(stable=True).numpy()
        made = self._asked(net, method, numbers, codes, heads, places[order])
        return np.asarray(made[np.argsort(order)])

    def answering(self) -> NeuralNet:
        """Return the net that answers, in the precision of predictions."""
        dtype, own = getattr(torch, self.precision), self.features.dtype
        return self.net if own in (None, dtype) else self._twin.of(self.net)

    def _asked(
        self,
        net: NeuralNet,
        method: str | Callable[[NeuralNet, Table], NDArray[Any]],
        numbers: Any,
        codes: NDArray[Any],
        heads: NDArray[Any] | None,
        places: NDArray[np.intp] | None,
    ) -> NDArray[Any]:
        device = torch.device(self.net.device)
        dtype, own = getattr(torch, self.precision), self.features.dtype
        of_heads: Tensor | None = None
        if heads is not None:
            of_heads = torch.as_tensor(heads.astype(np.int64), device=device)
        table = Table(
            as_tensor(numbers, device),
            None,
            torch.as_tensor(codes.astype(np.int32), device=device),
            self.features.maps,
            # Integers such as tokens stay as they are, in any precision.
            dtype=None if own is None else dtype,
            heads=of_heads,
            asked=None if places is None else torch.as_tensor(places, device=device),
        )
        try:
            with unmoved(device), unlike_told(numbers):
                if callable(method):
                    return np.asarray(method(net, table))
                return np.asarray(getattr(net, method)(table))
        finally:
            table.close()


def _like(numbers: Any) -> tuple[tuple[int, ...], str] | None:
    """Return the shape and the type of a row, if all have one."""
    if isinstance(numbers, Ragged):
        return None
    if isinstance(numbers, Items):
        example = numbers.example
        if not isinstance(example, Tensor):
            return None
        return tuple(example.shape[1:]), str(example.dtype).removeprefix("torch.")
    return tuple(numbers.shape[1:]), str(numbers.dtype)
