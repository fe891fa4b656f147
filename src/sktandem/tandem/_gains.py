"""What a blend gains on each source, and how it is shown."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sktandem.data._tables import pandas_for
from sktandem.inspection import BlendDisplay
from sktandem.report._result import Result, Table
from sktandem.report._wording import moved, named, plain, with_interval

__all__ = ["BlendGains", "Gain"]


@dataclass(frozen=True)
class Gain:
    """What the blend gains on one source.

    Attributes
    ----------
    own : float
        The loss of the source's own model, out of fold; nan if it has none.

    blend : float
        The loss of the blend, its weights learned on the other folds.

    gain, low, high : float
        The difference of the two, and the ends of its 95 % interval. They speak of
        a blend that was fitted on as many rows as a fold trains on.

    reason : str
        Why there is no gain to tell, if there is none.
    """

    own: float
    blend: float
    gain: float
    low: float
    high: float
    reason: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class BlendGains(Result):
    """What a blend gains on each source, from the same fits that made it.

    Index it by a source's name for its :class:`Gain`.

    Attributes
    ----------
    by_source : dict of {source: Gain}
        The gains.

    weights : dict of {source: dict of {str: float}}
        The weights of the members.

    loss : str
        What is lost.

    n_rows : dict of {source: int}
        The rows of each source.
    """

    by_source: Mapping[Hashable, Gain]
    weights: Mapping[Hashable, Mapping[str, float]]
    loss: str
    n_rows: Mapping[Hashable, int]

    @property
    def member_names(self) -> list[str]:
        """The names of the members."""
        return list(next(iter(self.weights.values())))

    def __getitem__(self, source: Hashable) -> Gain:
        """Return the gain of one source."""
        return self.by_source[source]

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.by_source)

    def __len__(self) -> int:
        return len(self.by_source)

    def to_frame(self) -> Any:
        """Return a line for each source as a data frame.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by source: rows, losses, the gain and its interval, and the
            weight of each member.
        """
        pd = pandas_for("to_frame")
        rows = [
            {
                "n_rows": self.n_rows[source],
                "own_loss": gain.own,
                "blend_loss": gain.blend,
                "gain": gain.gain,
                "low": gain.low,
                "high": gain.high,
                **{f"weight[{name}]": w for name, w in self.weights[source].items()},
            }
            for source, gain in self.by_source.items()
        ]
        return pd.DataFrame(rows, index=pd.Index(list(self.by_source), name="source"))

    def plot(self, ax: Any = None, *, name: str | None = None) -> Any:
        """Draw the weights as bars, and the gains beside them.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        name : str, default=None
            The title.

        Returns
        -------
        display : BlendDisplay
            The display, with what was drawn.
        """
        return BlendDisplay(self, name=name).plot(ax)

    def _findings(self) -> list[str]:
        return [self._sentence(source) for source in self.by_source]

    def _method(self) -> list[str]:
        return [
            "Losses are of held-out rows, with weights learned on the other folds. The "
            "interval is that of a blend fitted on as many rows as a fold trains on."
        ]

    def _sentence(self, source: Hashable) -> str:
        gain, weights = self.by_source[source], self.weights[source]
        parts = [f"{w:.0%} {name}" for name, w in weights.items() if w >= 0.005]
        mixture = f"The blend: {', '.join(parts)}."
        if gain.reason:
            told = f"{self.loss} is {plain(gain.blend)} with the blend; {gain.reason}"
            return f"For {named(source)}, {told}. {mixture}"
        numbers = gain.own, gain.blend, -gain.gain, -gain.high, -gain.low
        told = f"with the blend instead of its own model, {moved(self.loss, *numbers)}"
        return f"For {named(source)}, {told}. {mixture}"

    def _table(self, *, narrow: bool = False) -> Table:
        names = self.member_names
        heads = ["source", "rows", "own", "blend", "gain", *names]
        rows = []
        for source, gain in self.by_source.items():
            found = np.isfinite(gain.gain)
            rows.append(
                [
                    str(source),
                    f"{self.n_rows[source]:,}",
                    plain(gain.own) if np.isfinite(gain.own) else "",
                    plain(gain.blend),
                    with_interval(gain.gain, gain.low, gain.high) if found else "",
                    *(f"{self.weights[source][name]:.0%}" for name in names),
                ]
            )
        return Table(heads, rows, range(1, len(heads)))

    def _figure(self) -> dict[str, Any]:
        return {"figsize": (8, 2.4 + 0.4 * len(self))}

    def _caption(self) -> str:
        return "Weights of the members and gain, by source"
