"""The forest plot of a comparison of strategies."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from sktandem.report._drawing import BAND, DARK, matplotlib_for, source_colors

__all__ = ["StrategyComparisonDisplay"]

SIZE = 9  # of letters, in points
GAP = 14  # between columns of text, in points
PLOT = 300  # the width of the forest itself, in points
ROW = 19  # the height of a row, in points
BETWEEN = 0.45  # blocks, in rows
HELPS = "helps \N{RIGHTWARDS ARROW}"


class StrategyComparisonDisplay:
    """Forest plot of what each strategy gains on each source.

    A row for each strategy, in the colour of the source: a dot for the gain and
    a line for its interval. Right of zero helps, left of it harms, and the grey
    band is the margin, within which a difference is too small to matter. Dots are
    filled where the interval leaves out zero. What runs out of the picture ends
    in an arrow, so that one long interval does not squash the others.

    Gains are drawn in percent of the loss of the source's own model, so that
    sources whose targets have different units can be compared, and the margin
    is as wide for all of them. Zero-one losses have no units and are drawn in
    percentage points.

    Read more in the :ref:`User Guide <comparing>`.

    It is recommended to use :meth:`from_comparison` or the `plot` method of a
    comparison. All parameters are stored as attributes.

    Parameters
    ----------
    contrasts : sequence of Contrast
        The rows of the plot, as in a comparison.

    design : Design
        How the comparison was made.

    name : str, default=None
        The title of the plot. None means no title.

    columns : bool, default=True
        Whether metric, rows and verdict stand right of the forest. Without them it
        suits a narrow page.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the forest.

    figure_ : matplotlib Figure
        Figure containing the forest.

    points_ : dict of {(source, str): matplotlib Line2D}
        The dot of each source and strategy.

    intervals_ : dict of {(source, str): matplotlib Line2D}
        The intervals; those that could not be had are missing.

    arrows_ : dict of {(source, str): list of matplotlib Line2D}
        The arrows of intervals and dots that run out of the picture.

    bands_ : dict of {source: matplotlib collection}
        The margin of each source.

    texts_ : dict of {(source, str): list of matplotlib Text}
        What stands beside each row: the strategy, the metric of both models,
        the rows and the verdict.

    See Also
    --------
    LearningCurveBySourceDisplay : How the gain changes with the rows.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sktandem.stats._inference import Difference
    >>> from sktandem.inspection import StrategyComparisonDisplay
    >>> from sktandem.model_selection import Contrast, Design
    >>> contrast = Contrast(
    ...     "clinic", "merged", n_rows=812, n_units=812, reference_loss=0.4,
    ...     loss=0.38, difference=Difference(0.02, 0.005, 811, 812), low=0.01,
    ...     high=0.03, margin=0.004, verdict="helps", n_needed=None,
    ...     reference_score=0.81, score=0.83, score_gain=0.02, score_low=0.0,
    ...     score_high=0.04,
    ... )
    >>> design = Design(
    ...     loss="log loss", metric="roc_auc", reference="own",
    ...     strategies={"own": None, "merged": None}, estimator=None,
    ...     sources=("clinic", "lab"), n_splits=10, n_repeats=5, margin=0.01,
    ...     alpha=0.05, level=0.05, grouped=False,
    ... )
    >>> display = StrategyComparisonDisplay([contrast], design)
    >>> display = display.plot(ax=Figure().subplots())
    >>> print(round(float(display.points_["clinic", "merged"].get_xdata()[0]), 6))
    5.0

    The loss of 0.4 falls by 5 %.
    """

    def __init__(
        self,
        contrasts: Sequence[Any],
        design: Any,
        *,
        name: str | None = None,
        columns: bool = True,
    ) -> None:
        self.contrasts = contrasts
        self.design = design
        self.name = name
        self.columns = columns

    @classmethod
    def from_comparison(
        cls, comparison: Any, *, ax: Any = None, name: str | None = None
    ) -> StrategyComparisonDisplay:
        """Plot a comparison.

        Parameters
        ----------
        comparison : StrategyComparison
            What :func:`~sktandem.model_selection.compare_strategies` returned.

        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        name : str, default=None
            The title of the plot. None means no title.

        Returns
        -------
        display : StrategyComparisonDisplay
            Object that stores the contrasts and what was drawn.
        """
        display = cls(comparison.contrasts, comparison.design, name=name)
        return display.plot(ax)

    def plot(
        self, ax: Any = None, *, name: str | None = None
    ) -> StrategyComparisonDisplay:
        """Plot visualization.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on; the columns of text stand left and right of it. If
            None, a new figure and axes is created, as large as it need be.

        name : str, default=None
            The title of the plot. If None, the stored `name`.

        Returns
        -------
        display : StrategyComparisonDisplay
            The object itself, with what was drawn.
        """
        matplotlib_for(type(self).__name__)
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(layout="constrained", figsize=self.figsize)
        self.ax_, self.figure_ = ax, ax.figure
        self.points_: dict[tuple[Hashable, str], Any] = {}
        self.intervals_: dict[tuple[Hashable, str], Any] = {}
        self.arrows_: dict[tuple[Hashable, str], list[Any]] = {}
        self.bands_: dict[Hashable, Any] = {}
        self.texts_: dict[tuple[Hashable, str], list[Any]] = {}
        self._frame()
        colors = source_colors(self.design.sources)
        for contrast, y in self._places():
            self._draw(contrast, y, colors[contrast.source])
        self._head(colors)
        self._write()
        title = self.name if name is None else name
        if title is not None:
            ax.set_title(title, pad=3.2 * SIZE, parse_math=False)
        return self

    @property
    def figsize(self) -> tuple[float, float]:
        """The width and height in inches that the plot asks for."""
        rows = self._places()[-1][1] + 1 if self.contrasts else 1
        beside = self._label_width() + sum(self._widths()) + 6 * GAP
        plot = PLOT if self.columns else 0.6 * PLOT
        return (plot + beside + 30) / 72, (ROW * rows + 95) / 72

    def _blocks(self) -> dict[Hashable, list[Any]]:
        blocks: dict[Hashable, list[Any]] = {}
        for contrast in self.contrasts:
            blocks.setdefault(contrast.source, []).append(contrast)
        return blocks

    def _places(self) -> list[tuple[Any, float]]:
        """Return each contrast with its height; a row above each block is free."""
        places, y = [], 0.0
        for contrasts in self._blocks().values():
            places += [(contrast, y + i) for i, contrast in enumerate(contrasts, 1)]
            y += len(contrasts) + 1 + BETWEEN
        return places

    def _unit(self, contrast: Any) -> float:
        """Return what 1 on the axis is worth in units of the loss."""
        if self.design.loss == "zero-one loss":
            return 0.01
        # Percent of nothing is nothing: such a row has no place on the axis.
        return float(contrast.reference_loss) / 100 or np.nan

    def _limits(self) -> tuple[float, float]:
        """Return the ends of the axis: where most intervals end, not the longest."""
        drawn = [
            [value / self._unit(c) for value in (c.low, c.difference.estimate, c.high)]
            for c in self.contrasts
        ]
        ends = np.nan_to_num(np.reshape(drawn, (-1, 3)))
        margins = [c.margin / self._unit(c) for c in self.contrasts]
        least = 2 * float(np.nanmax([*margins, 1e-9]))
        # Sources with too few rows have long intervals, and they teach nothing.
        judged = np.array([c.verdict is not None for c in self.contrasts], dtype=bool)
        reach = np.abs(ends[judged] if judged.any() else ends).max(axis=1)
        # A few may reach far; two thirds and more are seen whole.
        most = float(np.quantile(reach, 0.7, method="lower")) if len(reach) else 0.0
        cap = max(1.5 * most, 2 * least)

        def side(sign: int) -> float:
            far = float(np.max(sign * ends, initial=0.0))
            # Slightly longer than the rest is no reason for an arrow.
            return max(1.06 * far if far < 1.3 * cap else cap, least)

        return -side(-1), side(1)

    def _frame(self) -> None:
        """Set the axes up: limits, zero line, the words above and below."""
        ax = self.ax_
        bottom = self._places()[-1][1] if self.contrasts else 1.0
        ax.set(xlim=self._limits(), ylim=(bottom + 0.7, -0.6), yticks=[])
        ax.spines[["left", "right", "top"]].set_visible(False)
        self.zero_line_ = ax.axvline(0, color=DARK, linewidth=1, zorder=1.5)
        points = self.design.loss == "zero-one loss"
        unit = "percentage points" if points else "% of the own model's"
        margin = f"{100 * self.design.margin:.3g}{'' if points else ' %'}"
        note = f"(grey: within the margin of {margin})"
        ax.set_xlabel(f"Gain in {self.design.loss}, {unit}\n{note}", fontsize=SIZE)
        ax.tick_params(axis="x", labelsize=SIZE)
        for words, side in (("\N{LEFTWARDS ARROW} harms", -1), (HELPS, 1)):
            ax.annotate(
                words,
                (0, 1),
                (side * 5, SIZE * 0.6),
                xycoords=ax.get_xaxis_transform(),
                textcoords="offset points",
                ha="left" if side > 0 else "right",
                fontsize=SIZE,
                color=DARK,
            )

    def _draw(self, contrast: Any, y: float, color: str) -> None:
        """Draw the dot and the interval of one contrast."""
        key, unit = (contrast.source, contrast.strategy), self._unit(contrast)
        low, high = contrast.low / unit, contrast.high / unit
        gain = contrast.difference.estimate / unit
        if np.isfinite([low, high]).all():
            (self.intervals_[key],) = self.ax_.plot(
                [low, high], [y, y], color=color, linewidth=1.8, solid_capstyle="butt"
            )
        sure = contrast.verdict in ("helps", "harms")
        (self.points_[key],) = self.ax_.plot(
            [gain],
            [y],
            color=color,
            marker="o",
            markersize=6,
            markerfacecolor=color if sure else "white",
            markeredgewidth=1.5,
            zorder=3,
        )
        self.arrows_[key] = [
            self._arrow(edge, y, color, gain if sign * gain > sign * edge else None)
            for edge, sign in zip(self.ax_.get_xlim(), (-1, 1))
            if any(sign * value > sign * edge for value in (low, gain, high))
        ]

    def _arrow(self, edge: float, y: float, color: str, gain: float | None) -> Any:
        """Draw an arrow at an edge, with the gain where its dot is beyond."""
        (arrow,) = self.ax_.plot(
            [edge],
            [y],
            marker="<" if edge < 0 else ">",
            markersize=6,
            color=color,
            clip_on=False,
            zorder=3,
        )
        if gain is not None:
            sign = "" if self.design.loss == "zero-one loss" else " %"
            self.ax_.annotate(
                f"{gain:+,.3g}{sign}" if abs(gain) < 1000 else f"{gain:+,.0f}{sign}",
                (edge, y),
                (8 if edge < 0 else -8, 0),
                textcoords="offset points",
                va="center",
                ha="left" if edge < 0 else "right",
                fontsize=SIZE - 1,
                color=DARK,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
                zorder=4,
            )
        return arrow

    def _head(self, colors: dict[Hashable, str]) -> None:
        """Write the name of each source, with its colour and its margin."""
        left = -self._label_width() - GAP
        for source, contrasts in self._blocks().items():
            first = self._places_of(source)[0]
            top, bottom = first - 1.4, first + len(contrasts) - 0.5
            self._text(0, left, first - 1, str(source), fontweight="bold")
            margin = contrasts[0].margin / self._unit(contrasts[0])
            self.bands_[source] = self.ax_.fill_betweenx(
                [top, bottom], -margin, margin, color=BAND, linewidth=1, zorder=0.5
            )
            self._bar(left - 5, top, bottom, colors[source])

    def _bar(self, offset: float, top: float, bottom: float, color: str) -> None:
        """Draw the colour of a source along its block, left of the labels."""
        from matplotlib.transforms import ScaledTranslation

        dpi = self.figure_.dpi_scale_trans
        moved = ScaledTranslation(offset / 72, 0, dpi)
        self.ax_.plot(
            [0, 0],
            [top + 0.1, bottom],
            color=color,
            linewidth=4,
            solid_capstyle="butt",
            transform=self.ax_.get_yaxis_transform() + moved,
            clip_on=False,
        )

    def _places_of(self, source: Hashable) -> list[float]:
        return [y for contrast, y in self._places() if contrast.source == source]

    def _columns(self, contrast: Any) -> list[str]:
        """Return what stands right of a row."""
        if not self.columns:
            return []
        scores = " \N{RIGHTWARDS ARROW} ".join(contrast.score_texts)
        return [scores, f"{contrast.n_rows:,}", contrast.words]

    def _headers(self) -> list[str]:
        if not self.columns:
            return []
        arrow = "\N{RIGHTWARDS ARROW}"
        scores = f"{self.design.metric}\n{self.design.reference} {arrow} strategy"
        return [scores, "rows", "verdict"]

    def _widths(self) -> list[float]:
        """Return the width of each column of texts in points."""
        rows = [self._columns(contrast) for contrast in self.contrasts]
        lines = [header.split("\n") for header in self._headers()]
        columns = zip(*rows) if rows else [()] * len(lines)
        return [_width([*head, *texts]) for head, texts in zip(lines, columns)]

    def _label_width(self) -> float:
        labels = [f"  {contrast.strategy}" for contrast in self.contrasts]
        # Bold letters are a little wider.
        return max(_width(labels), 1.15 * _width(map(str, self._blocks())))

    def _write(self) -> None:
        """Write the strategies at the left and the columns at the right."""
        widths, numbers = self._widths(), (False, True, False)
        starts = np.cumsum([2 * GAP, *(width + GAP for width in widths)])
        for start, width, header, number in zip(
            starts, widths, self._headers(), numbers
        ):
            self.ax_.annotate(
                header,
                (1, 1),
                (start + width if number else start, SIZE * 0.6),
                xycoords="axes fraction",
                textcoords="offset points",
                ha="right" if number else "left",
                fontsize=SIZE,
                color=DARK,
                parse_math=False,
            )
        left = -self._label_width() - GAP
        for contrast, y in self._places():
            texts = [self._text(0, left, y, f"  {contrast.strategy}")]
            for start, width, text, number in zip(
                starts, widths, self._columns(contrast), numbers
            ):
                end = start + width if number else start
                side = "right" if number else "left"
                texts.append(self._text(1, end, y, text, ha=side))
            self.texts_[contrast.source, contrast.strategy] = texts

    def _text(self, x: float, offset: float, y: float, text: str, **how: Any) -> Any:
        """Write beside the forest, so many points from its left or right edge."""
        return self.ax_.annotate(
            text,
            (x, y),
            (offset, 0),
            xycoords=self.ax_.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            fontsize=SIZE,
            parse_math=False,
            **how,
        )


def _width(texts: Iterable[str]) -> float:
    """Return the width in points of the longest of some texts."""
    from matplotlib.textpath import TextPath

    # A dollar would begin a formula.
    paths = (
        TextPath((0, 0), t.replace("$", "S"), size=SIZE) for t in texts if t.strip()
    )
    # The corners of a letter's curves: as wide as it is, or wider by a hair.
    return max((float(path.vertices[:, 0].max()) for path in paths), default=0.0)
