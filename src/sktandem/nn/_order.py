"""The order of rows: a function of seed, source and pass, and where it goes on."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sktandem.nn._items import Items
from sktandem.nn._ragged import grouped_by_length, lengths_of
from sktandem.nn._seeding import derive_seed
from sktandem.nn._table import Table

__all__ = ["Bookmarks", "Order"]


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

    @property
    def nth_pass(self) -> int:
        """The number of the pass that the rows taken last belong to."""
        return self._pass

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
        # The name and not the position: a source's order stays when others are added.
        seed = derive_seed(self._seed, "order", self._name, self._pass)
        generator = torch.Generator().manual_seed(seed)
        kind = self._rows.dtype  # of the same order, whichever it is
        order = torch.randperm(self._n_rows, generator=generator, dtype=kind)
        rows = self._rows[order.to(self._rows.device)]
        if self._lengths is None:
            return rows
        return grouped_by_length(rows, self._lengths, self._size, generator)


class Bookmarks:
    """Where each order of rows goes on when the next epoch begins.

    They live in the history, so that a fit that was interrupted or continued
    takes up every order in mid-pass.

    Parameters
    ----------
    table : Table
        All rows.

    seed : int
        The seed of the fit.

    cursors : mapping of {str: [int, int, str]}
        Pass, place and fingerprint of each order, as the last epoch left them.
    """

    def __init__(self, table: Table, seed: int, cursors: Mapping[str, Any]) -> None:
        self._table, self._seed = table, seed
        self._cursors = dict(cursors)
        self._begun: dict[str, tuple[tuple[int, int], Tensor]] = {}

    def order(self, key: str, name: str, rows: Tensor, size: int) -> Order:
        """Return an order that goes on where it stopped, and remember it by `key`."""
        cursor = self._cursor(key, rows)
        self._begun[key] = cursor, rows
        return self.own_order(self._seed, name, rows, size, cursor)

    def own_order(
        self,
        seed: int,
        name: str,
        rows: Tensor,
        size: int,
        cursor: tuple[int, int] = (0, 0),
    ) -> Order:
        """Return an order that is not remembered."""
        lengths = lengths_of(self._table.X)
        return Order(seed, rows, name, cursor, lengths=lengths, size=size)

    def _cursor(self, key: str, rows: Tensor) -> tuple[int, int]:
        """Return the pass and the place where an order of these rows goes on.

        Other rows than before, as the next chunk of many brings them, begin a
        pass of their own.
        """
        if key not in self._cursors:
            return 0, 0
        old_pass, start, fingerprint = self._cursors[key]
        if fingerprint == self._fingerprint(rows):
            return old_pass, start
        return old_pass + 1, 0

    def _fingerprint(self, rows: Tensor) -> str:
        """Return a few words that tell these rows from others."""
        # Their number and three of them: all of them would cost a pass over X.
        places = rows[[0, len(rows) // 2, len(rows) - 1]]
        X = self._table.X
        if isinstance(X, Items):
            few = X.fingerprint(places)
        else:
            few = X.index_select(0, places).cpu().contiguous().numpy().tobytes()
        return f"{len(rows)}-{zlib.crc32(few):x}"

    def moved(self, taken: Mapping[str, int]) -> dict[str, Any]:
        """Return the cursors, those of this epoch moved by the rows it has taken."""
        # An order yields its pass to the end, then shuffles anew: so the rows taken say
        # where it stands, without asking it.
        for key, ((old_pass, start), rows) in self._begun.items():
            passes, place = divmod(start + taken[key], len(rows))
            where = [old_pass + passes, place, self._fingerprint(rows)]
            self._cursors[key] = where
        return self._cursors
