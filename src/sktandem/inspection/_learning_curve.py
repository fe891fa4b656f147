"""The picture of a learning curve: losses over the rows of one source."""

from __future__ import annotations

from typing import Any

from sktandem.report._drawing import COLORS, matplotlib_for, source_colors

__all__ = ["LearningCurveBySourceDisplay"]

# Apart from the colours of sources, which are taken.
STRATEGY_COLORS = ("#6a4c93", "#1b8a8f", "#b5651d", "#555555", "#c2649a", "#7d8c2f")
MARKERS = "osD^vP"


class LearningCurveBySourceDisplay:
    """Learning curves of a source, by itself and beside the other sources.

    Held-out loss over the rows of the source, few to many. The thick line in the colour
    of the source is its own model; each strategy has a line of its own. The shade of a
    strategy is the interval of its difference from the own model, so a strategy is
    better than that model where its shade lies entirely below the thick line.

    Read more in the :ref:`User Guide <comparing>`.

    It is recommended to use :meth:`from_curve` to create a
    `LearningCurveBySourceDisplay`. All parameters are stored as attributes.

    Parameters
    ----------
    curve : SourceLearningCurve
        The losses, gains and intervals at each size.

    name : str, default=None
        The title of the plot. None means the name of the source.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure containing the curves.

    lines_ : dict of str to matplotlib Line2D
        The curves, by the name of the strategy, the reference included.

    bands_ : dict of str to matplotlib collection
        The intervals, by the name of the strategy.

    See Also
    --------
    StrategyComparisonDisplay : The gains with all rows.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from sktandem.inspection import LearningCurveBySourceDisplay
    >>> from sktandem.model_selection import SourceLearningCurve
    >>> own, merged = np.array([0.6, 0.5]), np.array([0.5, 0.5])
    >>> curve = SourceLearningCurve(
    ...     source="clinic", strategies=("merged",), sizes=(50, 100),
    ...     gains={"merged": own - merged}, lows={"merged": own - merged - 0.02},
    ...     highs={"merged": own - merged + 0.02}, reference_losses=own,
    ...     losses={"merged": merged}, loss="log loss", metric="accuracy",
    ...     scores={"own": 1 - own, "merged": 1 - merged}, margin=0.01, level=0.05,
    ...     reference="own", n_other=900, n_repeats=5,
    ... )
    >>> display = LearningCurveBySourceDisplay.from_curve(
    ...     curve, ax=Figure().subplots()
    ... )
    >>> display.lines_["merged"].get_ydata()
    array([0.5, 0.5])
    """

    def __init__(self, curve: Any, *, name: str | None = None) -> None:
        self.curve = curve
        self.name = name

    @classmethod
    def from_curve(
        cls, curve: Any, *, ax: Any = None, name: str | None = None
    ) -> LearningCurveBySourceDisplay:
        """Plot a learning curve.

        Parameters
        ----------
        curve : SourceLearningCurve
            What :func:`~sktandem.model_selection.learning_curve_by_source`
            returned.

        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        name : str, default=None
            The title of the plot. If None, the name of the source.

        Returns
        -------
        display : LearningCurveBySourceDisplay
            Object that stores the curve and what was drawn.
        """
        return cls(curve, name=name).plot(ax)

    def plot(
        self, ax: Any = None, *, name: str | None = None
    ) -> LearningCurveBySourceDisplay:
        """Plot visualization.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        name : str, default=None
            The title of the plot. If None, the stored `name`, or else the name
            of the source.

        Returns
        -------
        display : LearningCurveBySourceDisplay
            The object itself, with what was drawn.
        """
        matplotlib_for(type(self).__name__)
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self._draw_own()
        self._draw_strategies()
        curve = self.curve
        ax.set(
            xlabel=f"Rows of {curve.source} to learn from", ylabel=_upper(curve.loss)
        )
        self._mark_sizes()
        name = self.name if name is None else name
        title = f"{curve.source}, beside {curve.n_other:,} rows of other sources"
        ax.set_title(title if name is None else name, parse_math=False)
        legend = ax.legend(
            fontsize="small",
            title="shaded: interval of the\ndifference from the own model",
            title_fontsize="x-small",
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
        return self

    def _draw_own(self) -> None:
        curve = self.curve
        known = source_colors(curve.sources)
        (line,) = self.ax_.plot(
            curve.sizes,
            curve.reference_losses,
            color=known.get(curve.source, COLORS[0]),
            linewidth=3,
            label=f"{curve.reference}: {curve.source} alone",
        )
        self.lines_ = {curve.reference: line}

    def _draw_strategies(self) -> None:
        curve = self.curve
        self.bands_ = {}
        for place, strategy in enumerate(curve.strategies):
            turn = place % len(STRATEGY_COLORS)
            color, marker = STRATEGY_COLORS[turn], MARKERS[turn]
            (self.lines_[strategy],) = self.ax_.plot(
                curve.sizes,
                curve.losses[strategy],
                color=color,
                marker=marker,
                markersize=5,
                label=strategy,
                zorder=3,
            )
            # A gain is own loss minus loss, so its upper end is the lower loss.
            self.bands_[strategy] = self.ax_.fill_between(
                curve.sizes,
                curve.reference_losses - curve.highs[strategy],
                curve.reference_losses - curve.lows[strategy],
                color=color,
                alpha=0.14,
                linewidth=0,
            )

    def _mark_sizes(self) -> None:
        """Set a tick at each size, on a scale where doubling is a step."""
        self.ax_.set_xscale("log")
        sizes = self.curve.sizes
        self.ax_.set_xticks(sizes, [f"{size:,}" for size in sizes])
        self.ax_.set_xticks([], minor=True)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
