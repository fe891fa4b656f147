"""The list of what is only written differently, as a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sktandem._telling import counted
from sktandem.data._tables import pandas_for
from sktandem.files._reading import SAFE, Problem, Reading
from sktandem.files._twins import Difference
from sktandem.report._drawing import matplotlib_for
from sktandem.report._result import Result, Table

__all__ = ["CleaningDisplay", "CleaningReport"]


class CleaningDisplay:
    """Bars of the cells that each difference touches.

    Parameters
    ----------
    report : CleaningReport
        The report.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where the bars are.

    bars_ : matplotlib BarContainer
        A bar for each difference.
    """

    def __init__(self, report: CleaningReport) -> None:
        self.report = report

    def plot(self, ax: Any = None, *, name: str | None = None) -> CleaningDisplay:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        name : str, default=None
            The title of the plot.

        Returns
        -------
        display : CleaningDisplay
            This display.
        """
        matplotlib_for("plot")
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.subplots()[1]
        found = self.report.differences
        places = range(len(found))
        self.bars_ = ax.barh(places, [d.n_cells for d in found], color="#3b6ea5")
        ax.set_yticks(places, [f"{d.column}: {d.kind}" for d in found])
        ax.invert_yaxis()
        ax.set(xlabel="cells written differently", title=name or "")
        self.ax_, self.figure_ = ax, ax.figure
        return self


@dataclass(frozen=True, eq=False, repr=False)
class CleaningReport(Result):
    """What is the same in several tables, but written differently.

    What :func:`cleaning_report` returns, and :func:`read_sources` as its `report`.
    Printed, it is a table with a line for each difference and what settles it.

    Attributes
    ----------
    sizes : dict of {str: int}
        The rows of each source.

    differences : tuple of Difference
        All that is written differently, column by column.

    problems : tuple of str
        What keeps the tables from being read or stacked at all.

    reading : Reading
        The settings by which they were read.

    whole : bool
        Whether every file could be read.
    """

    sizes: dict[Any, int]
    differences: tuple[Difference, ...]
    problems: tuple[str, ...]
    reading: Reading
    whole: bool = True

    @property
    def unsettled(self) -> tuple[Difference, ...]:
        """The differences that are still there."""
        return tuple(d for d in self.differences if not d.settled)

    @property
    def options(self) -> str:
        """All that settles what is still there, ready to paste; no choices."""
        given: dict[str, dict[Any, None]] = {}
        settling: list[Difference | Problem] = [*self.unsettled]
        settling += [p for p in self.problems if isinstance(p, Problem)]
        for found in settling:
            values = dict.fromkeys(found.values)
            given.setdefault(found.setting, {}).update(values)
        return (" " if self.reading.typed else ", ").join(
            self._option(setting, tuple(values)) for setting, values in given.items()
        )

    def _option(self, setting: str, values: tuple[Any, ...]) -> str:
        if setting == "clean":
            more = [way for way in values if way not in SAFE]
            safe = ["safe"] if len(more) < len(values) or not values else []
            return self.reading.option("clean", *safe, *more)
        return self.reading.option(setting, *values)

    def to_frame(self) -> Any:
        """Return a line for each difference as a data frame.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns column, kind, sources, n_cells, settled, option and
            sentence.
        """
        rows = [
            {
                "column": d.column,
                "kind": d.kind,
                "sources": ", ".join(map(str, d.sources)),
                "n_cells": d.n_cells,
                "settled": d.settled,
                "option": self._option(d.setting, d.values),
                "sentence": d.sentence,
            }
            for d in self.differences
        ]
        columns = ["column", "kind", "sources", "n_cells", "settled", "option"]
        return pandas_for("to_frame").DataFrame(rows, columns=[*columns, "sentence"])

    def plot(self, ax: Any = None, *, name: str | None = None) -> CleaningDisplay:
        """Draw the cells that each difference touches.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        name : str, default=None
            The title of the plot.

        Returns
        -------
        display : CleaningDisplay
            The display, with what was drawn.
        """
        return CleaningDisplay(self).plot(ax, name=name)

    def _findings(self) -> list[str]:
        told = [
            f"{d.sentence} "
            + ("Settled." if d.settled else f"Use {self._option(d.setting, d.values)}.")
            for d in self.differences
        ]
        problems = [f"Problem: {problem}" for problem in self.problems]
        if not told and not problems:
            return ["Nothing is written differently."]
        return [*told, *problems] if self.whole else [*problems, *told]

    def _method(self) -> list[str]:
        sizes = ", ".join(f"{n}: {counted(k, 'row')}" for n, k in self.sizes.items())
        return [f"Compared: {sizes}.", *self._to_paste()]

    def _to_paste(self) -> list[str]:
        return [f"To paste: {self.options}"] if self.options else []

    def _table(self, *, narrow: bool = False) -> Table:
        rows = [
            (
                str(d.column),
                d.kind,
                ", ".join(map(str, d.sources)),
                f"{d.n_cells:,}",
                "settled" if d.settled else self._option(d.setting, d.values),
            )
            for d in self.differences
        ]
        return Table(["column", "differs by", "in", "cells", "settle it by"], rows, [3])

    def _caption(self) -> str:
        return "Cells that are written differently, column by column"

    def _figure(self) -> dict[str, Any]:
        return {"figsize": (7, 1 + 0.3 * len(self.differences))}

    def _pictures(self) -> list[str]:
        return super()._pictures() if self.differences else []

    def __repr__(self) -> str:
        if not self.differences:
            return "\n".join([*self._findings(), *self._to_paste()])
        told = [super().__repr__()]
        problems = [f"Problem: {problem}" for problem in self.problems]
        told = [*told, *problems] if self.whole else [*problems, *told]
        return "\n".join([*told, *self._to_paste()])
