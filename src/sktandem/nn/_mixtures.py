"""The batches of mixed steps: rows of several sources, shuffled as if of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from sktandem.nn._batches import Ahead, RowBatch, SourceRows
from sktandem.nn._order import Bookmarks, Order
from sktandem.nn._planned import Stream

__all__ = ["Mixtures"]


class Mixtures:
    """The mixtures of an epoch, and what they have taken.

    Parameters
    ----------
    rows : SourceRows
        The training rows.

    sizes : sequence of int
        Rows in a batch of each source.

    bookmarks : Bookmarks
        Where each order goes on.
    """

    def __init__(
        self, rows: SourceRows, sizes: Sequence[int], bookmarks: Bookmarks
    ) -> None:
        self._rows, self._sizes, self._bookmarks = rows, sizes, bookmarks
        self._begun: dict[str, Ahead] = {}
        self._taken: Counter[str] = Counter()
        self._by_code = torch.zeros(max(rows.codes) + 1, dtype=torch.int64)

    def stream(self, sources: Sequence[int], label: str) -> Stream:
        """Return the batches of a mixture, as rows, of a plan that is known ahead.

        `took` is to be called when they have been taken.
        """
        return Stream(*self._order(sources, label))

    def batch(self, sources: Sequence[int]) -> RowBatch:
        """Return the next batch of a mixture."""
        label = ", ".join(self._rows.names[source] for source in sources)
        if label not in self._begun:
            order, _, size = self._order(sources, label)
            # Of heads the rows of each are read by themselves, when they are known.
            table = self._rows.table
            ahead = table.ahead if table.heads is None else 0
            self._begun[label] = Ahead(self._rows, order, size, ahead)
        rows, nth_pass = self._begun[label].next()
        self.took(label, rows)
        return self._rows.mixed(sources, rows, nth_pass)

    def _order(self, sources: Sequence[int], label: str) -> tuple[Order, int, int]:
        """Return the order of a mixture, its rows and the size of its batches."""
        size = max(self._sizes[source] for source in sources)
        rows = torch.cat([self._rows.rows[source] for source in sources])
        # A mixture has an order of its own, beside those of its sources: a plan may
        # mix in one phase and take turns in the next.
        order = self._bookmarks.order(_key(label), label, rows, size)
        return order, len(rows), size

    def took(self, label: str, rows: Tensor) -> None:
        """Count rows that a mixture has taken."""
        self._taken[_key(label)] += len(rows)
        codes = self._rows.table.codes.index_select(0, rows).long()
        self._by_code += torch.bincount(codes, minlength=len(self._by_code)).cpu()

    @property
    def taken(self) -> dict[str, int]:
        """The rows that each mixture has taken, by the key of its bookmark."""
        return dict(self._taken)

    @property
    def by_source(self) -> list[int]:
        """The rows of each source that mixtures have taken."""
        taken: list[int] = self._by_code[self._rows.codes].tolist()
        return taken


def _key(label: str) -> str:
    """Return what a mixture's place is remembered by; a source's is by its name."""
    return f"mixed: {label}"
