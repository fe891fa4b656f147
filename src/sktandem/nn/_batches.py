"""Batches by source: slices of one tensor, in the order of a schedule."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from skorch.dataset import Dataset as SkorchDataset
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sktandem.nn._ragged import Ragged, grouped_by_length
from sktandem.scaling._affine import AffineMaps

__all__ = [
    "Feed",
    "GivenRows",
    "Joiner",
    "Order",
    "RowBatch",
    "SourceRows",
    "Table",
    "derive_seed",
    "rows_in_order",
]

SCORED_AT_ONCE = 4096  # rows; without gradients a large batch is a cheap one
VALUES_AT_ONCE = 1 << 20
MOST_KNOWN = 1000
BLOCK = 1 << 16  # values of features gathered at once: what a core's cache holds


def derive_seed(*parts: int | str) -> int:
    """Mix a seed with what it is for, such as a source and a pass."""
    numbers = [p if isinstance(p, int) else zlib.crc32(p.encode()) for p in parts]
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1


class RowBatch(tuple[Any, Any]):
    """A pair (X, y), as skorch knows it, that also tells where it is from.

    Attributes
    ----------
    label : str
        The sources in it, for the history.

    parts : tuple of (str, slice, float) or None
        Name, rows and loss weight of each source, if it is a joint batch.

    weights : Tensor or None
        What the loss of each row counts.

    places : tuple of int
        The places of its sources among all, in order.
    """

    label: str
    places: tuple[int, ...]
    parts: tuple[tuple[str, slice, float], ...] | None = None
    weights: Tensor | None = None
    losses: list[Tensor]  # of the parts, once they are known

    def __reduce__(self) -> Any:
        return type(self), (tuple(self),), vars(self)


@dataclass(frozen=True, eq=False)
class Table:
    """Features and targets of all rows, each kept once.

    X is scaled a batch at a time, in its own precision, so that neither a
    scaled nor a cast copy of it is ever made.

    Attributes
    ----------
    X : Tensor of shape (n_rows, ...) or Ragged
        Features as they came.

    y : Tensor or None
        Targets.

    codes : Tensor of shape (n_rows,)
        Position of each row's source.

    maps : AffineMaps or None
        The scaling.

    weights : Tensor or None
        What the loss of each row counts.

    heads : Tensor of shape (n_rows,) or None
        The head of each row, if the module is to be told.
    """

    X: Tensor | Ragged
    y: Tensor | None
    codes: Tensor
    maps: AffineMaps | None = None
    weights: Tensor | None = None
    dtype: torch.dtype | None = torch.float32  # of features; None leaves them
    heads: Tensor | None = None
    _maps: tuple[Tensor, Tensor] | None = field(init=False, default=None)
    _rows: list[tuple[Tensor, Tensor]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        if self.maps is None:
            return
        assert isinstance(self.X, Tensor)  # ragged rows are tokens, without a scaling
        precise = self.X.dtype if self.X.is_floating_point() else torch.float64
        device = self.X.device
        center = torch.as_tensor(self.maps.center, dtype=precise, device=device)
        scale = torch.as_tensor(self.maps.scale, dtype=precise, device=device)
        object.__setattr__(self, "_maps", (center, scale))
        self._rows.extend(zip(center.unbind(), scale.unbind()))

    def __len__(self) -> int:
        return len(self.X)

    def features(self, rows: Tensor, source: int | None) -> Tensor:
        """Return some rows as the module wants them; `source` if they share one."""
        x = self.X.index_select(0, rows)
        if self._maps is not None:
            center, scale = self._map_of(rows, source)
            x = x if x.dtype is center.dtype else x.to(center.dtype)  # whole numbers
            x.sub_(center).div_(scale)
        return x if self.dtype in (None, x.dtype) else x.to(self.dtype)

    def _map_of(self, rows: Tensor, source: int | None) -> tuple[Tensor, Tensor]:
        if len(self._rows) == 1:
            return self._rows[0]  # pooled
        if source is not None:
            return self._rows[source]
        assert self._maps is not None
        codes = self.codes.index_select(0, rows).long()
        return self._maps[0][codes], self._maps[1][codes]

    def pair(self, rows: Tensor, source: int | None) -> tuple[Any, Tensor]:
        """Return features and targets; without targets zeros, as skorch does."""
        x: Any = self.features(rows, source)
        if self.heads is not None:
            x = {"X": x, "source": self.heads.index_select(0, rows)}
        if self.y is None:
            return x, torch.zeros(len(rows))
        return x, self.y.index_select(0, rows)

    def stacked(self, parts: list[Tensor]) -> Tensor:
        """Return the features of several batches as one."""
        return self.X.stacked(parts) if isinstance(self.X, Ragged) else torch.cat(parts)

    def gathered(self, size: int) -> int:
        """Return how many rows to gather in one go, for batches of a size."""
        if isinstance(self.X, Ragged):
            return size  # padded to the longest of their batch, and no more
        return size * max(1, BLOCK // (size * max(1, self.X[:1].numel())))

    def scored(self, rows: Tensor, batch_size: int) -> Iterator[Tensor]:
        """Yield rows in parts to score in one go."""
        if isinstance(self.X, Ragged):
            return self.X.split(rows, max(batch_size, 1))
        per_row = max(1, self.X[:1].numel())
        at_once = min(SCORED_AT_ONCE, VALUES_AT_ONCE // per_row)
        return iter(rows.split(max(batch_size, at_once, 1)))


Part = tuple[Tensor, Tensor, Tensor | None]  # features, targets, weights of rows


class Joiner:
    """Puts parts of several sources together, each with a loss of its own.

    What does not depend on the rows is kept: it is the same in most steps.

    Parameters
    ----------
    rows : SourceRows
        The dataset.
    """

    def __init__(self, rows: SourceRows) -> None:
        self._rows = rows
        self._known: dict[Any, tuple[str, Any, Tensor | None]] = {}

    def __call__(
        self, sources: Sequence[int], parts: Sequence[Part], weights: Sequence[float]
    ) -> RowBatch:
        """Return one batch of the parts, in their order."""
        lengths = tuple(len(y) for _, y, _ in parts)
        key = tuple(sources), lengths, tuple(weights)
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = self._described(*key)
        label, described, heads = self._known[key]
        X = self._rows.table.stacked([x for x, _, _ in parts])
        y = torch.cat([y for _, y, _ in parts])
        batch = RowBatch((X if heads is None else {"X": X, "source": heads}, y))
        batch.label, batch.parts = label, described
        batch.places = tuple(self._rows.codes[source] for source in sources)
        if self._rows.table.weights is not None:
            batch.weights = torch.cat([w for _, _, w in parts if w is not None])
        return batch

    def _described(self, sources: Any, lengths: Any, weights: Any) -> Any:
        rows = self._rows
        labels = [rows.names[source] for source in sources]
        ends = list(accumulate(lengths))
        slices = [slice(end - n, end) for end, n in zip(ends, lengths)]
        heads = None
        if rows.table.heads is not None:
            codes = torch.tensor([rows.codes[source] for source in sources])
            heads = codes.repeat_interleave(torch.tensor(lengths))
            heads = heads.to(rows.table.heads.device)
        return ", ".join(labels), tuple(zip(labels, slices, weights)), heads


class SourceRows(SkorchDataset):
    """Some rows of a table, by source: the dataset that skorch gets.

    Parameters
    ----------
    table : Table
        All rows.

    names : sequence
        The names of the sources; empty ones may be among them.

    rows : sequence of Tensor
        The rows of each source; one without rows is left out.
    """

    def __init__(
        self, table: Table, names: Sequence[Hashable], rows: Sequence[Tensor]
    ) -> None:
        self.table = table
        # The code by which the table knows a source is its place among all.
        self.codes = [code for code, own in enumerate(rows) if len(own)]
        self.sources = tuple(names[code] for code in self.codes)
        self.names = tuple(str(name) for name in self.sources)
        self.rows = tuple(self._sorted_by_length(rows[code]) for code in self.codes)

    def _sorted_by_length(self, rows: Tensor) -> Tensor:
        """Return rows in the order in which they are scored."""
        X = self.table.X
        if not isinstance(X, Ragged):
            return rows
        return rows[X.lengths[rows].argsort(stable=True)]

    @property
    def X(self) -> SourceRows:
        """The rows as skorch's scorers get them: `predict` of the net takes these."""
        return self

    @property
    def y(self) -> Tensor | None:
        """The targets, in the order in which the rows are scored."""
        y = self.table.y
        return None if y is None else y.index_select(0, torch.cat(self.rows))

    def __len__(self) -> int:
        return sum(len(rows) for rows in self.rows)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        x, y = self.table.pair(torch.cat(self.rows)[position].reshape(1), None)
        return x[0], y[0]

    def batch(self, source: int, rows: Tensor) -> RowBatch:
        """Return rows that all belong to one source, told by its place here."""
        batch = RowBatch(self.table.pair(rows, self.codes[source]))
        batch.label = self.names[source]
        if self.table.weights is not None:
            batch.weights = self.table.weights.index_select(0, rows)
        return batch

    def mixed(self, sources: Sequence[int], rows: Tensor) -> RowBatch:
        """Return rows of several sources that share one loss."""
        if self.table.heads is not None:
            return self._sorted(rows)
        batch = RowBatch(self.table.pair(rows, None))
        batch.label = ", ".join(self.names[source] for source in sources)
        if self.table.weights is not None:
            batch.weights = self.table.weights.index_select(0, rows)
        return batch

    def _sorted(self, rows: Tensor) -> RowBatch:
        """Return mixed rows source by source, each to weigh by its rows."""
        codes = self.table.codes.index_select(0, rows)
        present, parts = [], []
        for source, code in enumerate(self.codes):
            own = rows[codes == code]
            if len(own):
                present.append(source)
                parts.append(own)
        weights = [len(own) / len(rows) for own in parts]
        own_parts = [self.part(s, own) for s, own in zip(present, parts)]
        return Joiner(self)(present, own_parts, weights)

    def part(self, source: int, rows: Tensor) -> Part:
        """Return features, targets and weights of rows that belong to one source."""
        table = self.table
        assert table.y is not None
        weights = table.weights
        return (
            table.features(rows, self.codes[source]),
            table.y.index_select(0, rows),
            None if weights is None else weights.index_select(0, rows),
        )

    def in_order(self, batch_size: int) -> Iterator[RowBatch]:
        """Yield all rows, source by source."""
        for source, rows in enumerate(self.rows):
            for own in self.table.scored(rows, batch_size):
                yield self.batch(source, own)


class Order:
    """The order of rows: shuffled anew in each pass over a source.

    It is a function of seed, source and pass alone.

    Parameters
    ----------
    seed : int
        The seed of the fit.

    rows : Tensor
        The rows to shuffle.

    name : str
        The name of the source.

    cursor : pair of int
        The pass, and the place in it, where to go on.

    lengths : Tensor or None
        The length of every row, by which those of a batch are to be alike.

    size : int
        Rows in a batch.
    """

    def __init__(
        self,
        seed: int,
        rows: Tensor,
        name: str,
        cursor: tuple[int, int] = (0, 0),
        *,
        lengths: Tensor | None = None,
        size: int = 1,
    ) -> None:
        self._seed, self._rows, self._name = seed, rows, name
        self._lengths, self._size = lengths, size
        self._n_rows = len(rows)
        self._pass, self._start = cursor
        self._shuffled: Tensor | None = None

    def take(self, n: int) -> Tensor:
        """Return the next `n` rows, or what is left of the pass."""
        if self._start >= self._n_rows:
            self._pass, self._start, self._shuffled = self._pass + 1, 0, None
        if self._shuffled is None:
            self._shuffled = self._order_of_pass()
        start, left = self._start, self._n_rows - self._start
        # Batch normalisation cannot train on a single row that is left over.
        n = left if n == left - 1 and n > 1 else min(n, left)
        self._start = start + n
        return self._shuffled.narrow(0, start, n)

    def _order_of_pass(self) -> Tensor:
        seed = derive_seed(self._seed, "order", self._name, self._pass)
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(self._n_rows, generator=generator)
        rows = self._rows[order.to(self._rows.device)]
        if self._lengths is None:
            return rows
        return grouped_by_length(rows, self._lengths, self._size, generator)


class Feed:
    """The batches of one source, cut from blocks that are gathered at once.

    Gathering and scaling a few hundred rows takes hardly longer than a few
    dozen, so that a step has only to cut its batch from what is there.

    Parameters
    ----------
    rows : SourceRows
        The dataset.

    source : int
        The place of the source in it.

    order : Order
        The order of its rows.

    size : int
        Rows in a batch.
    """

    def __init__(self, rows: SourceRows, source: int, order: Order, size: int) -> None:
        self._rows, self._source, self._order, self._size = rows, source, order, size
        self._at_once = rows.table.gathered(size)
        self._label, self._places = rows.names[source], (rows.codes[source],)
        self._heads: Tensor | None = None
        if rows.table.heads is not None:
            place = rows.codes[source]
            self._heads = torch.full_like(rows.table.heads[:1], place)
        self._at = self._end = 0
        self.taken = 0

    def next(self) -> RowBatch:
        """Return the next batch, the last of a pass being what is left."""
        x, y, weights = self.part()
        heads = self._heads
        features = x if heads is None else {"X": x, "source": heads.expand(len(y))}
        batch = RowBatch((features, y))
        batch.label, batch.places, batch.weights = self._label, self._places, weights
        return batch

    def part(self) -> Part:
        """Return features, targets and weights of the next batch."""
        if self._at == self._end:
            rows = self._order.take(self._at_once)
            self._x, self._y, self._weights = self._rows.part(self._source, rows)
            self._at, self._end = 0, len(rows)
        at, left, size = self._at, self._end - self._at, self._size
        # Batch normalisation cannot train on a single row that is left over.
        n = left if left == size + 1 > 2 else min(size, left)
        self._at = at + n
        self.taken += n
        weights = self._weights
        return (
            self._x.narrow(0, at, n),
            self._y.narrow(0, at, n),
            None if weights is None else weights.narrow(0, at, n),
        )


class _InOrder:
    """All rows of a dataset in order, as often as asked for."""

    def __init__(self, dataset: SourceRows, batch_size: int) -> None:
        self.dataset, self.batch_size = dataset, batch_size

    def __iter__(self) -> Iterator[RowBatch]:
        yield from self.dataset.in_order(self.batch_size)


class _AsGiven:
    """The rows of a table as they stand, for predictions."""

    def __init__(self, table: Table, batch_size: int) -> None:
        self.table, self.batch_size = table, batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        rows = torch.arange(len(self.table), device=self.table.X.device)
        for part in self.table.scored(rows, self.batch_size):
            yield self.table.pair(part, None)


class GivenRows(Dataset[Any]):
    """The rows of a table as they stand: the dataset of a prediction."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        x, y = self.table.pair(
            torch.tensor([position], device=self.table.X.device), None
        )
        return x[0], y[0]


def rows_in_order(dataset: Any, batch_size: int = 1, **kwargs: Any) -> Any:
    """Open a dataset for validation or prediction: skorch's `iterator_valid`."""
    if isinstance(dataset, SourceRows):
        return _InOrder(dataset, batch_size)
    if isinstance(dataset, GivenRows):
        return _AsGiven(dataset.table, batch_size)
    return DataLoader(dataset, batch_size=batch_size, **kwargs)
