"""Pictures of how a training in turns went."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sktandem.data._tables import pandas_for
from sktandem.exceptions import SourceError
from sktandem.report._drawing import DARK, matplotlib_for, source_colors

__all__ = ["HistoryDisplay", "innermost"]

VALIDATION = {"linestyle": "-", "marker": "o", "markersize": 3}
# With dots, or a source that trained in a single epoch would not be seen.
TRAINING = {"linestyle": "--", "linewidth": 1, "marker": ".", "markersize": 3}
MACRO = {"linestyle": "-", "zorder": 1.9}  # behind the sources that it sums up


class HistoryDisplay:
    """Loss curves of every source, over shades of the source in turn.

    A single curve hides that one source is learned at the expense of another. Here each
    has a colour: solid for its validation loss, dashed for its training loss. An epoch
    in which a single source trained is shaded in the colour of that source.

    It is recommended to use :meth:`from_estimator` to create a
    `HistoryDisplay`. All parameters are stored as attributes.

    Read more in the :ref:`User Guide <schedules>`.

    Parameters
    ----------
    history : sequence of dict
        A row for each epoch, as in the `history_` of a fitted estimator. An
        epoch that was broken off has no "source" and is left out.

    sources : sequence of hashable
        The names of the sources, in the order of their colours.

    name : str, default=None
        The title of the plot. None means no title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure containing the curves.

    lines_ : dict of str to matplotlib Line2D
        The curves, by their keys in `history`, such as "valid_loss[red]".

    spans_ : list of matplotlib patches
        The shaded turns, first to last. Epochs of one source that follow each
        other are a single turn.

    best_point_ : matplotlib Line2D or None
        The dot at the best epoch; None where no validation loss is drawn.

    best_epoch_ : int or None
        The epoch of the lowest macro validation loss, the first of equals; None
        without validation.

    See Also
    --------
    score_by_source : One number per source, when the training is over.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sktandem.inspection import HistoryDisplay
    >>> history = [
    ...     {"epoch": 1, "source": "red", "rows_seen[red]": 40,
    ...      "valid_loss[red]": 0.6, "valid_loss[white]": 0.8,
    ...      "valid_loss_macro": 0.7},
    ...     {"epoch": 2, "source": "white", "rows_seen[red]": 40,
    ...      "rows_seen[white]": 40, "valid_loss[red]": 0.5,
    ...      "valid_loss[white]": 0.5, "valid_loss_macro": 0.5},
    ...     {"epoch": 3, "source": "white", "rows_seen[red]": 40,
    ...      "rows_seen[white]": 80, "valid_loss[red]": 0.8,
    ...      "valid_loss[white]": 0.4, "valid_loss_macro": 0.6},
    ... ]
    >>> display = HistoryDisplay(history, ["red", "white"])
    >>> display = display.plot(ax=Figure().subplots())
    >>> len(display.spans_), display.best_epoch_
    (2, 2)

    Two turns, for white had two epochs on end; the second of them came at the
    cost of red, so that the best epoch is the one before.
    """

    def __init__(
        self,
        history: Sequence[dict[str, Any]],
        sources: Sequence[Hashable],
        *,
        name: str | None = None,
    ) -> None:
        self.history = history
        self.sources = sources
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        ax: Any = None,
        training: bool = True,
        validation: bool = True,
        name: str | None = None,
    ) -> HistoryDisplay:
        """Plot the loss curves of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            Fitted :class:`~sktandem.SharedNet` or the like, or a fitted
            :class:`~sklearn.pipeline.Pipeline` or search around one.

        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        training : bool, default=True
            Whether to draw the training losses.

        validation : bool, default=True
            Whether to draw the validation losses.

        name : str, default=None
            The title of the plot. If None, the name of the estimator.

        Returns
        -------
        display : HistoryDisplay
            Object that stores the history and what was drawn.

        Raises
        ------
        SourceError
            If `estimator` keeps no history of sources, or no epoch of it was
            finished.
        """
        check_is_fitted(estimator)
        fitted = innermost(estimator)
        for attribute in ("history_", "sources_"):
            if not hasattr(fitted, attribute):
                raise SourceError(
                    "HistoryDisplay draws the training of a net on several sources, "
                    f"such as SharedNet, got {fitted!r}, which has no "
                    f"{attribute}. A history kept elsewhere goes into "
                    "HistoryDisplay(history, sources)."
                )
        name = type(fitted).__name__ if name is None else name
        display = cls(list(fitted.history_), fitted.sources_, name=name)
        return display.plot(ax, training=training, validation=validation)

    def plot(
        self,
        ax: Any = None,
        *,
        training: bool = True,
        validation: bool = True,
        name: str | None = None,
    ) -> HistoryDisplay:
        """Plot visualization.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created,
            with the legend beside the curves.

        training : bool, default=True
            Whether to draw the training losses.

        validation : bool, default=True
            Whether to draw the validation losses.

        name : str, default=None
            The title of the plot. If None, the stored `name`.

        Returns
        -------
        display : HistoryDisplay
            The object itself, with what was drawn.

        Raises
        ------
        SourceError
            If the history holds no finished epoch.
        """
        matplotlib = matplotlib_for(type(self).__name__)
        epochs = [row["epoch"] for row in self._rows()]
        if not epochs:
            raise SourceError(
                "The history holds no finished epoch, so there is no loss to draw. "
                "Train for one epoch at least."
            )
        # On axes of the user's, a legend beside them could cover a neighbour.
        legend: dict[str, Any] = {"loc": "best"}
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(layout="constrained")
            legend = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
        self.ax_, self.figure_ = ax, ax.figure

        colors = source_colors(self.sources)
        self._shade(colors)
        self._draw(colors, training, validation)
        self._mark_best(validation)

        whose = ", shaded by the source in turn" if self.spans_ else ""
        ax.set(xlabel=f"Epoch{whose}", ylabel="Loss")
        ax.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
        whole = {"integer": True, "min_n_ticks": 1, "steps": [1, 2, 5, 10]}
        ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator("auto", **whole))
        title = self.name if name is None else name
        if title is not None:
            ax.set_title(title)
        if self.lines_:
            ax.legend(fontsize="small", **legend)
        return self

    def to_frame(self) -> Any:
        """Return the losses as a data frame, one row per finished epoch.

        Returns
        -------
        frame : pandas.DataFrame
            The columns "epoch" and "source", and one for each loss that the
            history holds; nan where a source did not train in an epoch.
        """
        pd = pandas_for("to_frame")
        rows = self._rows()
        keys = ["train_loss", *(f"train_loss[{name}]" for name in self.sources)]
        keys += ["valid_loss", *(f"valid_loss[{name}]" for name in self.sources)]
        keys += ["valid_loss_macro"]
        kept = [key for key in keys if any(key in row for row in rows)]
        losses = {key: [row.get(key, np.nan) for row in rows] for key in kept}
        told = {key: [row[key] for row in rows] for key in ("epoch", "source")}
        return pd.DataFrame({**told, **losses})

    @property
    def best_epoch_(self) -> int | None:
        """The epoch of the lowest macro validation loss, None without one."""
        best = self._best()
        return None if best is None else best["epoch"]

    def _rows(self) -> list[dict[str, Any]]:
        """Return the finished epochs: one that was broken off has no source."""
        return [row for row in list(self.history) if "source" in row]

    def _best(self) -> dict[str, Any] | None:
        macro = "valid_loss_macro"
        rows = [row for row in self._rows() if np.isfinite(row.get(macro, np.nan))]
        return min(rows, key=lambda row: row[macro], default=None)

    def _turns(self) -> Iterator[tuple[Hashable, int, int]]:
        """Yield each turn of a single source, with its first and last epoch."""
        turn = None
        for epoch, trained in self._trained():
            if turn and trained == [turn[0]] and epoch == turn[2] + 1:
                turn = (turn[0], turn[1], epoch)
                continue
            if turn:
                yield turn
            turn = (trained[0], epoch, epoch) if len(trained) == 1 else None
        if turn:
            yield turn

    def _trained(self) -> Iterator[tuple[int, list[Hashable]]]:
        """Yield each finished epoch with the sources that trained in it."""
        # From the rows seen rather than from the text of "source", since the
        # name of a source may hold a comma itself. An epoch that was broken off
        # counts its rows as well, or they would fall to the epoch after it.
        before = dict.fromkeys(self.sources, 0)
        for row in list(self.history):
            seen = {s: row.get(f"rows_seen[{s}]", n) for s, n in before.items()}
            if "source" in row:
                yield row["epoch"], [s for s, n in seen.items() if n > before[s]]
            before = seen

    def _shade(self, colors: dict[Hashable, str]) -> None:
        self.spans_ = [
            self.ax_.axvspan(
                first - 0.5, last + 0.5, color=colors[source], alpha=0.12, linewidth=0
            )
            for source, first, last in self._turns()
        ]

    def _draw(
        self, colors: dict[Hashable, str], training: bool, validation: bool
    ) -> None:
        self.lines_: dict[str, Any] = {}
        for source, color in colors.items():
            if validation:
                label = f"{source}, validation"
                self._line(f"valid_loss[{source}]", label, color, VALIDATION)
            if training:
                label = f"{source}, training"
                self._line(f"train_loss[{source}]", label, color, TRAINING)
        if training and not any(key.startswith("train") for key in self.lines_):
            # Mixed batches have one loss for all.
            self._line("train_loss", "all, training", DARK, TRAINING)
        if validation and len(colors) > 1:
            self._line("valid_loss_macro", "macro, validation", DARK, MACRO)

    def _line(self, key: str, label: str, color: str, style: dict[str, Any]) -> None:
        """Draw one loss over the epochs that have it, if any."""
        points = [(row["epoch"], row[key]) for row in self._rows() if key in row]
        if points:
            (self.lines_[key],) = self.ax_.plot(
                *zip(*points), label=label, color=color, **style
            )

    def _mark_best(self, validation: bool) -> None:
        best = self._best() if validation else None
        self.best_point_ = None
        if best is not None:
            (self.best_point_,) = self.ax_.plot(
                [best["epoch"]],
                [best["valid_loss_macro"]],
                label=f"best, epoch {best['epoch']}",
                color=DARK,
                linestyle="",
                marker="o",
                markersize=8,
                markeredgecolor="white",
                zorder=3,
            )


def innermost(estimator: Any) -> Any:
    """Return the last step of a pipeline and the best estimator of a search."""
    if isinstance(estimator, Pipeline):
        return innermost(estimator[-1])
    if hasattr(estimator, "best_estimator_"):
        return innermost(estimator.best_estimator_)
    return estimator
