"""Pictures of how different the sources are."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Self

import numpy as np

from sktandem._telling import counted
from sktandem.exceptions import SourceError
from sktandem.report._drawing import DARK, matplotlib_for, source_colors
from sktandem.shift._features import SIZE, FeatureShift

__all__ = ["ShiftDisplay", "ShiftImportanceDisplay"]

FAINT = "#b8b8b8"
BAND = "#ececec"
MOST_NAMED = 8
# Where a name may stand, in points from its dot.
BESIDE = ((6, 0), (-6, 0), (0, 9), (0, -9), (6, 8), (-6, 8), (0, 18), (0, -18))
MOST_LETTERS = 24


class _OfReport:
    """What both displays share: the report they draw."""

    def __init__(self, report: Any) -> None:
        self.report = report

    @classmethod
    def from_report(cls, report: Any, *, ax: Any = None, **how: Any) -> Self:
        """Plot a report.

        Parameters
        ----------
        report : ShiftReport
            What :func:`shift_report` returned.

        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        **how : dict
            Handed to :meth:`plot`.

        Returns
        -------
        display : object
            The display, with what was drawn.
        """
        display: Any = cls(report)
        drawn: Self = display.plot(ax, **how)
        return drawn


class ShiftDisplay(_OfReport):
    """A bar for each feature, over what chance alone would give.

    The bar is the distance between the sources, 0 to 1. It is dark where the
    difference is flagged and pale where it is not; the grey behind it reaches as
    far as chance does. Beside each bar stand the values themselves, a colour to
    a source. After a scaling, a hollow dot marks the distance before.

    It is recommended to use :meth:`from_report` or `ShiftReport.plot`. All
    parameters are stored as attributes.

    Read more in the :ref:`User Guide <shift>`.

    Parameters
    ----------
    report : ShiftReport
        What :func:`shift_report` returned.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.

    figure_ : matplotlib Figure
        Figure containing them.

    bars_ : matplotlib BarContainer
        The distances, the largest first.

    chance_ : matplotlib BarContainer
        What chance stays below.

    before_ : matplotlib Line2D or None
        The distances before scaling; None without `after`.

    histograms_ : list of matplotlib Axes
        The values of each feature, in the order of the bars.

    See Also
    --------
    ShiftImportanceDisplay : The same distances against what matters for y.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sktandem.datasets import load_wine_quality
    >>> from sktandem.inspection import ShiftDisplay
    >>> from sktandem.shift import shift_report
    >>> X, _, sample_source = load_wine_quality(return_X_y=True)
    >>> report = shift_report(X, None, sample_source=sample_source)
    >>> ax = Figure().subplots()
    >>> display = ShiftDisplay.from_report(report, ax=ax, n_features=5)
    >>> [round(float(bar.get_width()), 2) for bar in display.bars_]
    [0.82, 0.77, 0.65, 0.53, 0.52]
    """

    def plot(self, ax: Any = None, *, n_features: int = 20) -> ShiftDisplay:
        """Plot visualization.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        n_features : int, default=20
            How many features to draw, the largest distances first.

        Returns
        -------
        display : ShiftDisplay
            The object itself, with what was drawn.
        """
        matplotlib_for(type(self).__name__)
        shown = [f for f in self.report.features if np.isfinite(f.size)][:n_features]
        if not shown:
            raise SourceError(
                "No column can be compared, so there is no distance to draw. "
                "report.findings says why."
            )
        if ax is None:
            import matplotlib.pyplot as plt

            height = 1.2 + 0.36 * len(shown)
            _, ax = plt.subplots(figsize=(8, height), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self._draw_bars(shown)
        self._draw_before(shown)
        self._draw_values(shown)
        self._label(shown)
        return self

    def _draw_bars(self, shown: list[FeatureShift]) -> None:
        places = np.arange(len(shown))
        self.chance_ = self.ax_.barh(
            places, [f.chance for f in shown], height=0.86, color=BAND
        )
        self.bars_ = self.ax_.barh(
            places,
            [f.size for f in shown],
            height=0.46,
            color=[DARK if f.flagged else FAINT for f in shown],
        )
        for place, feature in zip(places, shown):
            self.ax_.annotate(
                f"{feature.size:.2f}",
                (feature.size, place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize="small",
                color=DARK if feature.flagged else "#808080",
            )

    def _draw_before(self, shown: list[FeatureShift]) -> None:
        before = self.report.size_before
        self.before_ = None
        points = [(before[f.name], p) for p, f in enumerate(shown) if f.name in before]
        if points:
            (self.before_,) = self.ax_.plot(
                *zip(*points), "o", markerfacecolor="white", color=DARK, markersize=6
            )

    def _draw_values(self, shown: list[FeatureShift]) -> None:
        colors = source_colors(self.report.sources)
        self.histograms_ = []
        for place, feature in enumerate(shown):
            inset = self.ax_.inset_axes(
                (1.04, place - 0.42, 0.3, 0.84),
                transform=self.ax_.get_yaxis_transform(),
            )
            inset.set_axis_off()
            self.histograms_.append(inset)
            n_bins, numbers = feature.shares.shape[1], feature.kind == "number"
            for at, (shares, color) in enumerate(zip(feature.shares, colors.values())):
                if numbers:
                    inset.stairs(shares, np.arange(n_bins + 1), color=color, lw=1.2)
                    inset.stairs(
                        shares, np.arange(n_bins + 1), color=color, fill=True, alpha=0.2
                    )
                else:
                    wide = 0.8 / len(colors)
                    places = np.arange(n_bins) + wide * (at + 0.5) - 0.4
                    inset.bar(places, shares, width=wide, color=color)
            inset.set_xlim(*((0, n_bins) if numbers else (-0.5, max(n_bins, 2) - 0.5)))
            inset.set_ylim(0, max(float(feature.shares.max()), 1e-9) * 1.05)

    def _label(self, shown: list[FeatureShift]) -> None:
        ax, report = self.ax_, self.report
        ax.set_yticks(range(len(shown)), [_short(f.name) for f in shown])
        ax.set_ylim(len(shown) - 0.4, -0.6)
        sizes = [max(f.size, f.chance) for f in shown]
        largest = max([*sizes, *report.size_before.values()])
        ax.set_xlim(0, min(1.12, 1.18 * largest))
        hidden = len(report.features) - len(shown)
        more = f"; not drawn: {counted(hidden, 'column')}" if hidden else ""
        ax.set_xlabel(f"distance between the sources, 0 to 1{more}", fontsize="small")
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        self._add_legend()

    def _add_legend(self) -> None:
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        keys: list[Any] = [
            Patch(color=DARK, label="flagged"),
            Patch(color=FAINT, label="not flagged"),
            Patch(color=BAND, label="what chance gives"),
        ]
        if self.before_ is not None:
            keys.append(
                Line2D([], [], ls="", marker="o", mfc="white", c=DARK, label="before")
            )
        look: dict[str, Any] = {
            "frameon": False,
            "fontsize": "small",
            "handlelength": 1.2,
            "columnspacing": 1.2,
            "borderaxespad": 0.2,
        }
        bars = self.ax_.legend(
            handles=keys, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, **look
        )
        self.ax_.add_artist(bars)
        colors = source_colors(self.report.sources)
        # Above the histograms, which alone have the colours of the sources.
        self.ax_.legend(
            handles=[Patch(color=c, label=_short(s)) for s, c in colors.items()],
            loc="lower left",
            bbox_to_anchor=(1.03, 1),
            ncols=2,
            **look,
        )


class ShiftImportanceDisplay(_OfReport):
    """Features by how they differ and by what they say about y.

    Upper right stand the features that differ between the sources and that a
    model of y relies on: those to look at first if merging harms.

    It is recommended to use :meth:`from_report` or
    ``ShiftReport.plot(kind="importance")``. All parameters are stored as
    attributes.

    Read more in the :ref:`User Guide <shift>`.

    Parameters
    ----------
    report : ShiftReport
        What :func:`shift_report` returned for data with y.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the points.

    figure_ : matplotlib Figure
        Figure containing them.

    points_ : matplotlib PathCollection
        A point for each feature.

    texts_ : list of matplotlib Text
        The names of those that differ and matter most.

    See Also
    --------
    ShiftDisplay : The distances alone, with the values of each source.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sktandem.datasets import load_wine_quality
    >>> from sktandem.inspection import ShiftImportanceDisplay
    >>> from sktandem.shift import shift_report
    >>> X, y, sample_source = load_wine_quality(return_X_y=True)
    >>> report = shift_report(X, y, sample_source=sample_source)
    >>> ax = Figure().subplots()
    >>> display = ShiftImportanceDisplay.from_report(report, ax=ax)
    >>> len(display.points_.get_offsets())
    11
    """

    def plot(self, ax: Any = None) -> ShiftImportanceDisplay:
        """Plot visualization.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        Returns
        -------
        display : ShiftImportanceDisplay
            The object itself, with what was drawn.
        """
        matplotlib_for(type(self).__name__)
        shown = [f for f in self.report.features if np.isfinite(f.size + f.importance)]
        if not shown:
            raise SourceError(
                "The report measured no importance, which needs y with labels that "
                "the sources have in common. Pass y to shift_report, or draw "
                "kind='features'."
            )
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        x = np.array([f.size for f in shown])
        y = np.array([f.importance for f in shown])
        ax.axvspan(0, SIZE, color=BAND, zorder=0, linewidth=0)
        ax.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
        self.points_ = ax.scatter(
            x, y, c=[DARK if f.flagged else "white" for f in shown], edgecolors=DARK
        )
        self._name(shown, x, y)
        ax.set_xlim(0, max(0.2, 1.15 * float(x.max())))
        ax.set_xlabel(f"distance between the sources (grey: {SIZE} and less)")
        classes = self.report.concept is not None
        classes = classes and self.report.concept.metric == "log loss"
        what = "rise of the log loss" if classes else "part of the variance of y lost"
        ax.set_ylabel(f"importance: {what}\nwhen the column is shuffled")
        ax.set_title("differs and matters: upper right", loc="right", fontsize="small")
        ax.spines[["top", "right"]].set_visible(False)
        return self

    def _name(self, shown: list[FeatureShift], x: Any, y: Any) -> None:
        """Name the points farthest to the upper right, where there is room."""
        y = np.clip(y, 0, None) / max(float(y.max()), 1e-12)
        worth = [f.flagged or y[at] > 0.3 for at, f in enumerate(shown)]
        reach = x / max(float(x.max()), 1e-12) + y
        order = [at for at in np.argsort(-reach) if worth[at]][:MOST_NAMED]
        self.texts_ = []
        self.figure_.draw_without_rendering()
        points = self.ax_.transData.transform(self.points_.get_offsets())
        for at in order:
            text = self._text(_short(shown[at].name), self.points_.get_offsets()[at])
            if self._find_room(text, np.delete(points, at, axis=0)):
                self.texts_.append(text)
            else:
                text.remove()

    def _text(self, name: str, point: Any) -> Any:
        return self.ax_.annotate(
            name, point, (0, 0), textcoords="offset points", fontsize="small"
        )

    def _find_room(self, text: Any, points: Any) -> bool:
        """Move a name beside its point to where it covers nothing, if there is."""
        edge = self.ax_.get_window_extent()
        others = [other.get_window_extent() for other in self.texts_]
        for (dx, dy), side in zip(BESIDE, ("left", "right", "center", "center") * 3):
            text.set(position=(dx, dy), ha=side, va="center")
            box = text.get_window_extent()
            inside = edge.x0 <= box.x0 and box.x1 <= edge.x1 + 40
            if (
                inside
                and not box.count_contains(points)
                and not box.count_overlaps(others)
            ):
                return True
        return False


def _short(name: Hashable) -> str:
    text = str(name)
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"
