"""Batches by source: parts cut from blocks, alone or joined."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import torch
from skorch.dataset import Dataset as SkorchDataset
from torch import Tensor
from torch.utils.data import DataLoader

from sktandem.nn._items import PLAIN, named
from sktandem.nn._order import Order
from sktandem.nn._ragged import lengths_of
from sktandem.nn._ranks import Ranks, Share
from sktandem.nn._table import Table

__all__ = ["Ahead", "Feed", "Joiner", "RowBatch", "SourceRows", "rows_in_order"]

MOST_KNOWN = 1000
# Features, targets, weights of rows, and the share that a rank has of them.
Part = tuple[Any, Tensor, Tensor | None, Share | None]


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

    shares : sequence of Share or None
        What this rank has of each source's rows, or of all of a plain batch, if
        several processes train.
    """

    label: str
    places: tuple[int, ...]
    shares: Sequence[Share] | None = None
    parts: tuple[tuple[str, slice, float], ...] | None = None
    weights: Tensor | None = None
    losses: list[Tensor]  # of the parts, once they are known

    def __reduce__(self) -> Any:
        return type(self), (tuple(self),), vars(self)


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

    ranks : Ranks or None
        The processes that train on them together.
    """

    def __init__(
        self,
        table: Table,
        names: Sequence[Hashable],
        rows: Sequence[Tensor],
        ranks: Ranks | None = None,
    ) -> None:
        self.table, self.ranks = table, ranks
        # A source may have no rows in this call of partial_fit, and then takes no turn.
        # The code by which the table knows a source is its place among all.
        self.codes = [code for code, own in enumerate(rows) if len(own)]
        self.sources = tuple(names[code] for code in self.codes)
        self.names = tuple(str(name) for name in self.sources)
        self.rows = tuple(self._sorted_by_length(rows[code]) for code in self.codes)

    def _sorted_by_length(self, rows: Tensor) -> Tensor:
        """Return rows in the order in which they are scored."""
        lengths = lengths_of(self.table.X)
        return rows if lengths is None else rows[lengths[rows].argsort(stable=True)]

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

    def mixed(self, sources: Sequence[int], rows: Tensor, nth_pass: int) -> RowBatch:
        """Return rows of several sources that share one loss."""
        if self.table.heads is not None:
            return self._sorted(rows, nth_pass)
        rows, share = self._own(rows)
        batch = RowBatch(self.table.pair(rows, None, nth_pass))
        batch.label = ", ".join(self.names[source] for source in sources)
        batch.shares = None if share is None else (share,)
        if self.table.weights is not None:
            batch.weights = self.table.weights.index_select(0, rows)
        return batch

    def _sorted(self, rows: Tensor, nth_pass: int) -> RowBatch:
        """Return mixed rows source by source, each to weigh by its rows."""
        # A head answers for its own rows only, so that a mixed batch is a joint one,
        # whose losses weigh by rows: then every row counts the same, as it would with
        # one output for all.
        codes = self.table.codes.index_select(0, rows)
        present, parts = [], []
        for source, code in enumerate(self.codes):
            own = rows[codes == code]
            if len(own):
                present.append(source)
                parts.append(own)
        weights = [len(own) / len(rows) for own in parts]
        own_parts = [self.part(s, own, nth_pass) for s, own in zip(present, parts)]
        return Joiner(self)(present, own_parts, weights)

    def part(self, source: int, rows: Tensor, nth_pass: int = PLAIN) -> Part:
        """Return what is this rank's of a batch of one source, to train on."""
        rows, share = self._own(rows)
        table = self.table
        assert table.y is not None
        weights = table.weights
        return (
            table.features(rows, self.codes[source], nth_pass),
            table.y.index_select(0, rows),
            None if weights is None else weights.index_select(0, rows),
            share,
        )

    def _own(self, rows: Tensor) -> tuple[Tensor, Share | None]:
        return (rows, None) if self.ranks is None else self.ranks.own(rows)

    def ask(self, rows: Tensor, nth_pass: int) -> None:
        """Have this rank's rows of a batch read in advance."""
        self.table.ask(self._own(rows)[0], nth_pass)

    def gathered(self, size: int) -> int:
        """Return how many rows to gather in one go, for batches of a size."""
        # Each rank has a part of every batch: several at once would be cut elsewhere.
        return self.table.gathered(size) if self.ranks is None else size

    def in_order(self, batch_size: int) -> Iterator[RowBatch]:
        """Yield all rows, source by source."""
        parts = [
            (source, own)
            for source, rows in enumerate(self.rows)
            for own in self.table.scored(rows, batch_size)
        ]
        for at, (source, own) in enumerate(parts):
            for _, rows in parts[at : at + 1 + self.table.ahead]:
                self.table.ask(rows)
            yield self.batch(source, own)


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
        xs, ys, weighted, shares = zip(*parts)
        lengths = tuple(map(len, ys))
        # Labels, slices and the tensor of heads depend on the sources and the lengths
        # of their parts only, which are the same in nearly every step. What was built
        # is kept; a plan that never repeats itself must not fill the memory.
        key = tuple(sources), lengths, tuple(weights)
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = self._described(*key)
        label, described, heads = self._known[key]
        X = self._rows.table.stacked([*xs])
        y = torch.cat(ys)
        batch = RowBatch((X if heads is None else {**named(X), "source": heads}, y))
        batch.label, batch.parts = label, described
        batch.places = tuple(self._rows.codes[source] for source in sources)
        if self._rows.table.weights is not None:
            batch.weights = torch.cat(weighted)
        if self._rows.ranks is not None:
            batch.shares = shares
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


class Ahead:
    """The rows of an order, some of which workers read in advance.

    An order does not depend on when its turns are, so that its next rows may be read
    before the schedule has decided who is next.

    Parameters
    ----------
    rows : SourceRows
        The dataset.

    order : Order
        The order.

    size : int
        Rows to take at once.

    ahead : int
        How often to take rows in advance.
    """

    def __init__(self, rows: SourceRows, order: Order, size: int, ahead: int) -> None:
        self._rows, self._order, self._size, self._n = rows, order, size, ahead
        self._taken: deque[tuple[Tensor, int]] = deque()

    def next(self) -> tuple[Tensor, int]:
        """Return the next rows, and the pass that they belong to."""
        while len(self._taken) <= self._n:
            rows = self._order.take(self._size)
            self._taken.append((rows, self._order.nth_pass))
            if self._n:
                self._rows.ask(*self._taken[-1])
        return self._taken.popleft()


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
        self._rows, self._source, self._size = rows, source, size
        table = rows.table
        # What workers have in advance is shared out among the sources: nobody knows
        # whose turn is next.
        ahead = -(-table.ahead // len(rows.names))
        self._ahead = Ahead(rows, order, rows.gathered(size), ahead)
        self._label, self._places = rows.names[source], (rows.codes[source],)
        self._heads: Tensor | None = None
        if rows.table.heads is not None:
            place = rows.codes[source]
            self._heads = torch.full_like(rows.table.heads[:1], place)
        self._block: Part | None = None
        self._at = self._end = 0
        self.taken = 0

    def next(self) -> RowBatch:
        """Return the next batch, the last of a pass being what is left."""
        x, y, weights, share = self.part()
        heads = self._heads
        if heads is not None:
            x = {**named(x), "source": heads.expand(len(y))}
        batch = RowBatch((x, y))
        batch.label, batch.places, batch.weights = self._label, self._places, weights
        if share is not None:
            batch.shares = (share,)
        return batch

    def part(self) -> Part:
        """Return the next batch, or what is this rank's of it."""
        if self._at == self._end:
            # A block never reaches beyond the pass: its last batch is as short as if
            # batches were gathered one by one, and `Sizes.n_batches` counts them so.
            rows, nth_pass = self._ahead.next()
            self._block = self._rows.part(self._source, rows, nth_pass)
            self._at, self._end = 0, len(rows)
        at, left, size = self._at, self._end - self._at, self._size
        # Batch normalisation cannot train on a single row that is left over.
        n = left if left == size + 1 > 2 else min(size, left)
        self._at = at + n
        self.taken += n
        # Items are read a batch at a time, and are not always a tensor; of a batch that
        # several processes share the block is what is this one's.
        block = self._block
        assert block is not None
        if n == self._end:
            self._block = None  # not kept until this source's next turn
            return block
        x, y, weights, share = block
        return (
            x.narrow(0, at, n),
            y.narrow(0, at, n),
            None if weights is None else weights.narrow(0, at, n),
            share,
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
        parts = list(self.table.scored(self.table.rows, self.batch_size))
        for at, part in enumerate(parts):
            for rows in parts[at : at + 1 + self.table.ahead]:
                self.table.ask(rows)
            yield self.table.pair(part, None)


def rows_in_order(dataset: Any, batch_size: int = 1, **kwargs: Any) -> Any:
    """Open a dataset for validation or prediction: skorch's `iterator_valid`."""
    if isinstance(dataset, SourceRows):
        dataset.table.open(**kwargs)
        return _InOrder(dataset, batch_size)
    if isinstance(dataset, Table):
        dataset.open(**kwargs)
        return _AsGiven(dataset, batch_size)
    return DataLoader(dataset, batch_size=batch_size, **kwargs)
