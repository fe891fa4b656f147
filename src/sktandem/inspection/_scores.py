"""The picture of scores by source: a dot for each, and a line for their mean."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from sktandem.report._drawing import DARK, matplotlib_for, source_colors

__all__ = ["SourceScoresDisplay"]


class SourceScoresDisplay:
    """Dot plot of what an estimator scores on each source.

    A row for each source, in its colour, and a panel for each metric. The line is the
    score over all rows, which can hide that one source got worse.

    Read more in the :ref:`User Guide <scores>`.

    It is recommended to use :meth:`from_scores` or the `plot` method of scores.
    All parameters are stored as attributes.

    Parameters
    ----------
    scores : sequence of SourceScores
        The scores, of one metric each, on the same sources.

    name : str, default=None
        The title of the plot. None means no title.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        The axes, one for each metric.

    figure_ : matplotlib Figure
        Figure containing the scores.

    points_ : dict of {(str, source): matplotlib Line2D}
        The dot of each metric and source; there is none where the score is nan.

    lines_ : dict of {str: matplotlib Line2D}
        The line of each metric, the score over all rows.

    See Also
    --------
    StrategyComparisonDisplay : Whether the sources help each other.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sktandem.inspection import SourceScoresDisplay
    >>> from sktandem.model_selection import SourceScores
    >>> scores = SourceScores(
    ...     "accuracy", 0.8, {"clinic": 0.9, "lab": 0.7}, {"clinic": 50, "lab": 50}
    ... )
    >>> display = SourceScoresDisplay.from_scores(scores, ax=Figure().subplots())
    >>> display.points_["accuracy", "lab"].get_xdata()
    array([0.7])
    """

    def __init__(self, scores: Sequence[Any], *, name: str | None = None) -> None:
        self.scores = scores
        self.name = name

    @classmethod
    def from_scores(
        cls, scores: Any, *, ax: Any = None, name: str | None = None
    ) -> SourceScoresDisplay:
        """Plot scores.

        Parameters
        ----------
        scores : SourceScores or SourceScoreTable
            What :func:`~sktandem.model_selection.score_by_source` returned.

        ax : matplotlib axes or array of these, default=None
            Axes to plot on, one for each metric. If None, a new figure and axes
            are created.

        name : str, default=None
            The title of the plot. None means no title.

        Returns
        -------
        display : SourceScoresDisplay
            Object that stores the scores and what was drawn.
        """
        several = list(scores.values()) if isinstance(scores, dict) else [scores]
        return cls(several, name=name).plot(ax)

    def plot(self, ax: Any = None, *, name: str | None = None) -> SourceScoresDisplay:
        """Plot visualization.

        Parameters
        ----------
        ax : matplotlib axes or array of these, default=None
            Axes to plot on, one for each metric. If None, a new figure and axes
            are created.

        name : str, default=None
            The title of the plot. If None, the stored `name`.

        Returns
        -------
        display : SourceScoresDisplay
            The object itself, with what was drawn.
        """
        matplotlib_for(type(self).__name__)
        if ax is None:
            import matplotlib.pyplot as plt

            wide = plt.rcParams["figure.figsize"][0]
            _, ax = plt.subplots(
                1, len(self.scores), layout="constrained", figsize=(wide, self.height)
            )
        self.axes_ = list(np.ravel(ax))
        if len(self.axes_) != len(self.scores):
            raise ValueError(
                f"There are {len(self.scores)} metrics, got {len(self.axes_)} axes. "
                "Pass one for each."
            )
        self.figure_ = self.axes_[0].figure
        self.points_: dict[tuple[str, Hashable], Any] = {}
        self.lines_: dict[str, Any] = {}
        for axes, scores in zip(self.axes_, self.scores):
            self._draw(axes, scores)
        name = self.name if name is None else name
        if name is not None:
            self.axes_[0].set_title(name, parse_math=False)
        return self

    @property
    def height(self) -> float:
        """The height in inches that the plot asks for."""
        return 1.2 + 0.35 * len(self.scores[0].by_source)

    def _draw(self, axes: Any, scores: Any) -> None:
        names = list(scores.by_source)
        colors = source_colors(names)
        for place, (name, score) in enumerate(scores.by_source.items()):
            axes.axhline(place, color="#e4e4e4", linewidth=0.8, zorder=1)
            if np.isfinite(score):
                (self.points_[scores.metric, name],) = axes.plot(
                    [score], [place], "o", color=colors[name], markersize=8, zorder=3
                )
        if np.isfinite(scores.overall):
            self.lines_[scores.metric] = axes.axvline(
                scores.overall, color=DARK, linewidth=1, linestyle="--", zorder=2
            )
        first = axes is self.axes_[0]
        labels = [f"{name} ({scores.n_samples[name]:,} rows)" for name in names]
        axes.set_yticks(range(len(names)), labels if first else [""] * len(names))
        for label in axes.get_yticklabels():
            label.set_parse_math(False)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlabel(f"{scores.metric} (dashed: all rows)", parse_math=False)
