"""An epoch as rows: for plans that know all their steps beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sktandem.nn._order import Order
from sktandem.schedules import (
    BatchAlternation,
    EpochAlternation,
    Joint,
    Phases,
    SampledAlternation,
    Schedule,
    Shuffled,
)

__all__ = ["Epoch", "Stream", "is_known_ahead"]

KNOWN = (BatchAlternation, EpochAlternation, Joint, SampledAlternation, Shuffled)
Described = tuple[tuple[str, slice, float], ...]


def is_known_ahead(schedule: Schedule) -> bool:
    """Tell whether no step of an epoch depends on the losses of those before."""
    # By the very class: the plan of a subclass may look at losses.
    if type(schedule) is Phases:
        return all(is_known_ahead(phase.schedule) for phase in schedule._all())
    return type(schedule) in KNOWN


class Stream:
    """An order of rows that is cut into batches before they are gathered.

    Its batches are those of a `Feed`, or of a mixture, of the same rows.

    Parameters
    ----------
    order : Order
        The order.

    n_rows : int
        Rows in a pass.

    size : int
        Rows in a batch.
    """

    def __init__(self, order: Order, n_rows: int, size: int) -> None:
        self._order, self._n_rows, self._size = order, n_rows, size
        self._passes: list[Tensor] = []
        self._cuts = self._cut()
        self.taken = 0

    def next(self) -> tuple[int, int]:
        """Return where the next batch begins, and its rows."""
        return next(self._cuts)

    def _cut(self) -> Iterator[tuple[int, int]]:
        size, start = self._size, 0
        while True:
            # A whole pass, though the epoch may end within it: an order is a function
            # of seed, source and pass, so that the rest of it comes again in the next
            # epoch.
            self._passes.append(self._order.take(self._n_rows))
            end = start + len(self._passes[-1])
            while start < end:
                left = end - start
                n = size if size < left else left
                if left == size + 1 > 2:
                    n = left  # a single row that is left over, as in a feed
                self.taken = start + n
                yield start, n
                start += n

    @property
    def rows(self) -> Tensor:
        """The rows taken, in order."""
        if not self._passes:
            return torch.empty(0, dtype=torch.int64)
        return torch.cat(self._passes)[: self.taken]


@dataclass(frozen=True, eq=False)
class Epoch:
    """All steps of an epoch, as rows.

    Attributes
    ----------
    rows : Tensor of shape (n_rows,)
        The rows of all steps, one step behind the other.

    ends : ndarray of shape (n_steps,)
        Where the rows of each step end.

    counts : ndarray of shape (n_rows,)
        What the loss of each row counts in its step: 1 / n in a batch of n rows.

    labels : list of str
        The sources of each step.

    parts : list of (tuple or None)
        Name, rows and weight of each source in a step that joins several.
    """

    rows: Tensor
    ends: NDArray[np.intp]
    counts: NDArray[np.float64]
    labels: list[str]
    parts: list[Described | None]

    def __len__(self) -> int:
        return len(self.ends)

    @classmethod
    def of(
        cls,
        streams: Sequence[Stream],
        cuts: Sequence[tuple[int, int, int, float]],
        steps: Sequence[int],
        labels: list[str],
        parts: list[Described | None],
    ) -> Epoch:
        """Return the epoch of some cuts: stream, start, rows and weight of each.

        `steps` tells how many cuts each step has.
        """
        table = np.asarray([cut[:3] for cut in cuts], dtype=np.intp).reshape(-1, 3)
        which, starts, sizes = table.T
        before = np.cumsum([0, *(stream.taken for stream in streams)])
        starts = starts + before[which]
        ends = np.cumsum(sizes)
        # All cuts at once: for each row its place among the rows of all streams.
        places = np.repeat(starts - (ends - sizes), sizes) + np.arange(ends[-1])
        taken = torch.cat([stream.rows.cpu() for stream in streams])
        counts = np.array([cut[3] for cut in cuts]) / sizes
        return cls(
            taken[torch.from_numpy(places)],
            ends[np.cumsum(steps) - 1],
            np.repeat(counts, sizes),
            labels,
            parts,
        )
