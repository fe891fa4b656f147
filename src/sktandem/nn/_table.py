"""Rows as tensors, each kept once and scaled a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from sktandem.nn._items import PLAIN, Items, Read, joined, named, typed
from sktandem.nn._ragged import Ragged
from sktandem.scaling._affine import AffineMaps

__all__ = ["Table"]

SCORED_AT_ONCE = 4096  # rows; without gradients a large batch is a cheap one
VALUES_AT_ONCE = 1 << 20
PRECISE = {
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
    torch.float32: torch.float32,
}  # in which numbers are scaled; of all others in double precision
BLOCK = 1 << 16  # values of features gathered at once: what a core's cache holds


@dataclass(frozen=True, eq=False)
class Table(Dataset[Any]):
    """Features and targets of all rows, each kept once.

    As a dataset of its own it is what skorch gets for a prediction: its rows as
    they stand, without targets.

    X is scaled a batch at a time, in its own precision, so that neither a
    scaled nor a cast copy of it is ever made.

    Attributes
    ----------
    X : Tensor of shape (n_rows, ...), Ragged or Items
        Features as they came.

    y : Tensor or None
        Targets.

    codes : Tensor of shape (n_rows,)
        Position of each row's source.

    maps : AffineMaps or None
        The scaling.

    weights : Tensor or None
        What the loss of each row counts.

    dtype : torch.dtype or None
        Of features; None is for tokens, which stay integers.

    heads : Tensor of shape (n_rows,) or None
        The head of each row, if the module is to be told.

    asked : Tensor or None
        The rows to predict for; None for all.
    """

    X: Tensor | Ragged | Items
    y: Tensor | None
    codes: Tensor
    maps: AffineMaps | None = None
    weights: Tensor | None = None
    dtype: torch.dtype | None = torch.float32
    heads: Tensor | None = None
    asked: Tensor | None = None
    _maps: tuple[Tensor, Tensor] | None = field(init=False, default=None)
    _rows: list[tuple[Tensor, Tensor]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        if self.maps is None:
            return
        assert not isinstance(self.X, Ragged)  # which are tokens, without a scaling
        # What is done to items may make floats of bytes.
        kind = self.X.dtype if isinstance(self.X, Tensor) else None
        precise = torch.float64 if kind is None else PRECISE.get(kind, torch.float64)
        device = self.X.device
        center = torch.as_tensor(self.maps.center, dtype=precise, device=device)
        scale = torch.as_tensor(self.maps.scale, dtype=precise, device=device)
        object.__setattr__(self, "_maps", (center, scale))
        self._rows.extend(zip(center.unbind(), scale.unbind()))

    def __len__(self) -> int:
        return len(self.X if self.asked is None else self.asked)

    def __getitem__(self, position: int) -> tuple[Any, Tensor]:
        x, y = self.pair(self.rows[position].reshape(1), None)
        return x[0], y[0]

    @property
    def rows(self) -> Tensor:
        """The rows to predict for."""
        if self.asked is not None:
            return self.asked
        return torch.arange(len(self.X), device=self.X.device)

    def features(self, rows: Tensor, source: int | None, nth_pass: int = PLAIN) -> Read:
        """Return some rows as the module wants them; `source` if they share one.

        They train if they are told which pass over their source it is.
        """
        X = self.X
        x = X.read(rows, nth_pass) if isinstance(X, Items) else X.index_select(0, rows)
        if isinstance(x, dict):
            return typed(x, self.dtype)
        if self._maps is not None:
            center, scale = self._map_of(rows, source)
            x = x if x.dtype is center.dtype else x.to(center.dtype)  # whole numbers
            # In place, as what was gathered is a copy already.
            x.sub_(center).div_(scale)
        return typed(x, self.dtype)

    def _map_of(self, rows: Tensor, source: int | None) -> tuple[Tensor, Tensor]:
        if len(self._rows) == 1:
            return self._rows[0]  # pooled
        if source is not None:
            return self._rows[source]
        assert self._maps is not None
        codes = self.codes.index_select(0, rows).long()
        return self._maps[0][codes], self._maps[1][codes]

    def pair(
        self, rows: Tensor, source: int | None, nth_pass: int = PLAIN
    ) -> tuple[Any, Tensor]:
        """Return features and targets; without targets zeros, as skorch does."""
        x: Any = self.features(rows, source, nth_pass)
        if self.heads is not None:
            x = {**named(x), "source": self.heads.index_select(0, rows)}
        if self.y is None:
            return x, torch.zeros(len(rows))
        return x, self.y.index_select(0, rows)

    @property
    def ahead(self) -> int:
        """How many batches to ask for in advance."""
        return self.X.supply.ahead if isinstance(self.X, Items) else 0

    def ask(self, rows: Tensor, nth_pass: int = PLAIN) -> None:
        """Have rows read in advance."""
        if isinstance(self.X, Items):
            self.X.supply.ask(rows, nth_pass)

    def open(self, **settings: Any) -> None:
        """Start the workers that the net's settings ask for, if rows are read."""
        if isinstance(self.X, Items):
            self.X.supply.open(**settings)

    def close(self) -> None:
        """End them."""
        if isinstance(self.X, Items):
            self.X.supply.close()

    def stacked(self, parts: list[Any]) -> Any:
        """Return the features of several batches as one."""
        if isinstance(self.X, Items):
            return joined(parts)
        return self.X.stacked(parts) if isinstance(self.X, Ragged) else torch.cat(parts)

    def gathered(self, size: int) -> int:
        """Return how many rows to gather in one go, for batches of a size."""
        if not isinstance(self.X, Tensor):
            return size  # padded to the longest of their batch, and no more
        return size * max(1, BLOCK // (size * max(1, self.X[:1].numel())))

    def scored(self, rows: Tensor, batch_size: int) -> Iterator[Tensor]:
        """Yield rows in parts to score in one go."""
        if isinstance(self.X, Ragged):
            return self.X.split(rows, max(batch_size, 1))
        if isinstance(self.X, Items):
            return iter(rows.split(max(batch_size, 1)))
        per_row = max(1, self.X[:1].numel())
        at_once = min(SCORED_AT_ONCE, VALUES_AT_ONCE // per_row)
        # Half as many values of twice the precision take no more memory.
        most = batch_size // 2 if self.dtype is torch.float64 else batch_size
        return iter(rows.split(max(most, at_once, 1)))
