"""The weights of a blend, beside what it gains."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktandem.exceptions import SourceError
from sktandem.inspection._history import innermost
from sktandem.report._drawing import COLORS, DARK, matplotlib_for

__all__ = ["BlendDisplay"]

BELOW = 36  # the axis, in points, stands the legend
SHADES = (*COLORS, "#6a5fb0", "#8c8c8c", "#c77f4a", "#2f4b7c")


class BlendDisplay:
    """Bars of the weights that each source gives to the members, beside its gain.

    A row for each source: left the weights, which add up to 1, right the gain of
    the blend over the source's own model, in percent of the own model's loss, with
    its interval.

    Read more in the :ref:`User Guide <blend>`.

    It is recommended to use :meth:`from_estimator` or the `plot` method of
    `gain_`. All parameters are stored as attributes.

    Parameters
    ----------
    gains : BlendGains
        What a fitted :class:`~sktandem.Tandem` has as `gain_`.

    name : str, default=None
        The title of the plot. None means no title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.

    ax_gain_ : matplotlib Axes
        Axes with the gains.

    figure_ : matplotlib Figure
        Figure containing the axes.

    bars_ : dict of {str: matplotlib container}
        The bars of each member.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sktandem import Tandem
    >>> from sktandem.datasets import make_two_sources
    >>> from sktandem.inspection import BlendDisplay
    >>> X, y, source = make_two_sources(300, return_X_y=True, random_state=0)
    >>> model = Tandem(Ridge(), random_state=0).fit(X, y, sample_source=source)
    >>> BlendDisplay.from_estimator(model).ax_.get_xlabel()
    'weight'
    """

    def __init__(self, gains: Any, *, name: str | None = None) -> None:
        self.gains = gains
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, name: str | None = None, ax: Any = None
    ) -> BlendDisplay:
        """Plot the weights and the gains of a fitted blend.

        Parameters
        ----------
        estimator : Tandem
            Fitted :class:`~sktandem.Tandem`, or a fitted pipeline or search whose
            last estimator is one.

        name : str, default=None
            The title of the plot.

        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        Returns
        -------
        display : BlendDisplay
            Object that stores the gains and what was drawn.
        """
        inner = innermost(estimator)
        if not hasattr(inner, "gain_"):
            raise SourceError(
                f"BlendDisplay draws the gain_ of a fitted Tandem, got {inner!r}. Fit "
                "it first."
            )
        return cls(inner.gain_, name=name).plot(ax)

    def plot(self, ax: Any = None, *, name: str | None = None) -> BlendDisplay:
        """Plot visualization.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        name : str, default=None
            The title of the plot. If None, the stored `name`.

        Returns
        -------
        display : BlendDisplay
            The object itself, with what was drawn.
        """
        matplotlib_for(type(self).__name__)
        if ax is None:
            import matplotlib.pyplot as plt

            size = (8, 2.4 + 0.4 * len(self.gains))
            _, ax = plt.subplots(figsize=size, layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        sources = list(self.gains)
        places = np.arange(len(sources))[::-1]
        self._draw_weights(sources, places)
        self._draw_gains(sources, places)
        name = self.name if name is None else name
        if name is not None:
            ax.set_title(name, parse_math=False)
        return self

    def _draw_weights(self, sources: list[Any], places: Any) -> None:
        from matplotlib.transforms import ScaledTranslation

        weights = self.gains.weights
        left = np.zeros(len(sources))
        self.bars_ = {}
        for turn, member in enumerate(weights[sources[0]]):
            widths = np.array([weights[source][member] for source in sources])
            self.bars_[member] = self.ax_.barh(
                places,
                widths,
                left=left,
                height=0.7,
                color=SHADES[turn % len(SHADES)],
                label=member,
            )
            left += widths
        self.ax_.set_yticks(places, [str(source) for source in sources])
        self.ax_.set(xlim=(0, 1), xlabel="weight")
        self.ax_.spines[["left", "right", "top"]].set_visible(False)
        self.ax_.tick_params(axis="y", length=0)
        # Below the words on the axis, however high the axes are.
        down = ScaledTranslation(0, -BELOW / 72, self.figure_.dpi_scale_trans)
        legend = self.ax_.legend(
            fontsize="small",
            loc="upper left",
            bbox_to_anchor=(0, 0),
            bbox_transform=self.ax_.transAxes + down,
            borderaxespad=0,
            frameon=False,
            ncols=3,
        )
        for text in (*legend.get_texts(), *self.ax_.get_yticklabels()):
            text.set_parse_math(False)

    def _draw_gains(self, sources: list[Any], places: Any) -> None:
        from mpl_toolkits.axes_grid1 import make_axes_locatable

        # A part of the user's own axes, so that it stays inside the figure.
        right = make_axes_locatable(self.ax_)
        self.ax_gain_ = right.append_axes("right", "50%", pad=0.2, sharey=self.ax_)
        for source, place in zip(sources, places):
            gain = self.gains[source]
            if not np.isfinite(gain.gain):
                continue
            unit = 100 / gain.own if gain.own > 0 else np.nan
            self.ax_gain_.plot(
                [gain.low * unit, gain.high * unit], [place, place], color=DARK
            )
            self.ax_gain_.plot(gain.gain * unit, place, "o", color=DARK)
        self.ax_gain_.axvline(0, color="#808080", linewidth=0.8)
        self.ax_gain_.spines[["left", "right", "top"]].set_visible(False)
        self.ax_gain_.tick_params(axis="y", length=0, labelleft=False)
        self.ax_gain_.set_xlabel("gain, % of own loss")
