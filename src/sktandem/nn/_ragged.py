"""Rows of different lengths, kept one behind the other and padded by the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["PADDING", "Ragged", "grouped_by_length", "lengths_of"]

PADDING = -1  # where a row has ended; no token has this number
TOKENS_AT_ONCE = 1 << 11  # on a processor more of them take longer
TOKENS_AT_ONCE_ON_GPU = 1 << 15
MOST_BATCHES_SORTED = 50


class Ragged:
    """Rows of tokens, each as long as it is.

    A batch of them is a matrix as wide as its longest row, with ``PADDING``
    behind the others, so that a long text costs nothing in batches it is not in.

    Parameters
    ----------
    values : Tensor of shape (n_values,)
        The tokens of all rows.

    ends : Tensor of shape (n_rows + 1,)
        Where each row ends, after a zero.
    """

    ndim = 1

    def __init__(self, values: Tensor, ends: Tensor) -> None:
        self.values, self.ends = values, ends
        self.lengths = ends.diff()

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Ragged:
        """Return lists of tokens as one record."""
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        flat = (token for row in rows for token in row)
        values = np.fromiter(flat, np.int32, int(lengths.sum()))
        return cls(torch.from_numpy(values), _ends(torch.from_numpy(lengths)))

    @classmethod
    def joined(cls, parts: Sequence[Ragged]) -> Ragged:
        """Return the rows of several records as one."""
        lengths = torch.cat([part.lengths for part in parts])
        return cls(torch.cat([part.values for part in parts]), _ends(lengths))

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def shape(self) -> tuple[int]:
        """The number of rows."""
        return (len(self),)

    @property
    def device(self) -> torch.device:
        """Where the tokens are."""
        return self.values.device

    def to(self, device: Any) -> Ragged:
        """Return the rows on a device."""
        return Ragged(self.values.to(device), self.ends.to(device))

    def __getitem__(self, rows: Any) -> Ragged:
        """Return some rows, told by their positions."""
        rows = torch.as_tensor(np.arange(len(self))[rows], device=self.device)
        lengths = self.lengths[rows]
        ends = _ends(lengths)
        moved = (self.ends[rows] - ends[:-1]).repeat_interleave(lengths)
        places = torch.arange(len(moved), device=self.device) + moved
        return Ragged(self.values[places], ends)

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Return some rows as a matrix: a tensor's own method, for its callers."""
        # Places behind the end of a row point at tokens of the next, or beyond the last
        # of all: gathered without a branch, then overwritten.
        places, inside = self._places(rows)
        values = self.values[places.clamp_(max=max(len(self.values) - 1, 0))]
        return values.masked_fill_(~inside, PADDING).long()

    def _places(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return where the tokens of rows stand, and which places are theirs."""
        lengths = self.lengths[rows]
        longest = int(lengths.max()) if len(rows) else 0
        columns = torch.arange(longest, device=self.device)
        places = self.ends[rows][:, None] + columns
        return places, columns < lengths[:, None]

    def split(self, rows: Tensor, least: int) -> Iterator[Tensor]:
        """Yield rows, shortest first, in parts of as many tokens as fit."""
        lengths = self.lengths[rows].cpu()
        order = lengths.argsort(stable=True)
        most = TOKENS_AT_ONCE_ON_GPU if self.values.is_cuda else TOKENS_AT_ONCE
        start = 0
        for at, length in enumerate(lengths[order].tolist()):
            n = at - start
            if n >= least and (n + 1) * length > most:
                yield rows[order[start:at].to(rows.device)]
                start = at
        if start < len(rows):
            yield rows[order[start:].to(rows.device)]

    @staticmethod
    def stacked(parts: Sequence[Tensor]) -> Tensor:
        """Return several batches as one, as wide as the widest."""
        widest = max(part.shape[1] for part in parts)
        padded = [
            torch.nn.functional.pad(part, (0, widest - part.shape[1]), value=PADDING)
            for part in parts
        ]
        return torch.cat(padded)


def lengths_of(X: Any) -> Tensor | None:
    """Return the length of each row, of tokens and of items; None of a tensor."""
    return getattr(X, "lengths", None)


def _ends(lengths: Tensor) -> Tensor:
    return torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])


def grouped_by_length(
    rows: Tensor, lengths: Tensor, size: int, generator: torch.Generator
) -> Tensor:
    """Return shuffled rows so that batches of `size` hold rows of like length.

    As in the length-grouped sampler of the library transformers: a stretch of
    batches is sorted, at most 50 and a quarter of all, and the batches are then
    shuffled, so that no length comes first. The short batch remains the last.
    """
    stretch = size * max(1, min(len(rows) // (4 * size), MOST_BATCHES_SORTED))
    parts = [part[lengths[part].argsort(stable=True)] for part in rows.split(stretch)]
    batches = torch.cat(parts).split(size)
    n_whole = len(rows) // size
    order = torch.randperm(n_whole, generator=generator).tolist()
    return torch.cat([batches[i] for i in order] + list(batches[n_whole:]))
