"""Rows as they were read, and as they are used."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from sktandem.data._sources import Sources
from sktandem.data._tables import take_rows

__all__ = ["Piece", "Rows"]


class Rows(NamedTuple):
    """Rows that were read and checked."""

    X: Any
    y: NDArray[Any]  # as it came
    targets: NDArray[Any]  # as the net learns it
    sources: Sources
    places: NDArray[Any] | None = None  # among the rows given to fit; None for all

    def take(self, rows: NDArray[Any] | None) -> Rows:
        """Return some of the rows; sources keep their codes."""
        if rows is None:
            return self
        sources = Sources(self.sources.names, self.sources.codes[rows])
        X, y = take_rows(self.X, rows), self.y[rows]
        return Rows(X, y, self.targets[rows], sources, rows)


class Piece(NamedTuple):
    """Numbers, the rows they were made of, and which of them are used."""

    numbers: NDArray[Any]
    rows: Rows
    used: NDArray[Any] | None  # None for all
    weights: NDArray[Any] | None

    def by_source(self) -> list[NDArray[Any]]:
        """Return the rows used of each source."""
        if self.used is None:
            return list(self.rows.sources.rows)
        names, codes = self.rows.sources.names, self.rows.sources.codes
        own = Sources(names, codes[self.used]).rows
        return [self.used[places] for places in own]
