"""The record of a learning curve: what other sources are worth in rows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from sktandem._telling import counted
from sktandem._typing import Floats
from sktandem.data._tables import pandas_for
from sktandem.report._result import Result, Table
from sktandem.report._wording import (
    decimals_for,
    fixed,
    level_text,
    moved,
    named,
    with_interval,
)
from sktandem.stats._inference import Verdict, judge

__all__ = ["SourceLearningCurve"]


@dataclass(frozen=True, repr=False)
class SourceLearningCurve(Result):
    """How the gain from other sources changes with the rows of one source.

    What :func:`learning_curve_by_source` returns. Other sources help most while
    the rows of one's own are few; the curve shows where that ends.

    Read more in the :ref:`User Guide <comparing>`.

    Attributes
    ----------
    source : hashable
        The source whose rows were varied and tested.

    strategies : tuple of str
        The strategies, without the reference.

    sizes : tuple of int
        The training rows of the source, from few to many.

    gains, lows, highs : dict of {str: ndarray of shape (n_sizes,)}
        The gain in loss of each strategy over the reference, and its interval.

    reference_losses : ndarray of shape (n_sizes,)
        The mean held-out loss of the source's own model.

    losses : dict of {str: ndarray of shape (n_sizes,)}
        The mean held-out loss of each strategy.

    loss : str
        What the gains are measured in.

    metric : str
        The metric of the user, as scikit-learn names it.

    scores : dict of {str: ndarray of shape (n_sizes,)}
        The metric of each strategy and of the reference; greater is better.

    margin : float
        The smallest gain that matters, as a part of the reference's loss; of
        zero-one loss, as it stands.

    level : float
        How often a single interval misses.

    reference : str
        The name of the source's own model.

    n_other : int
        The rows of the other sources, the same at every size.

    n_repeats : int
        How often each size was measured, on other rows of the source.

    sources : tuple of hashable
        All sources, in the order of their colours; empty where not known.

    too_few : bool
        Whether the source has too few rows for any verdict.

    nets : dict of {str: int}
        How many nets were trained as one, under "together", and how many alone,
        under the reason for it; empty without nets.

    verdict_ : dict of {str: tuple of str}
        The verdict on each strategy at each size: "helps", "does no harm",
        "harms" or "cannot tell yet".

    worth_ : dict of {str: tuple of (int or None)}
        How many more rows of its own each strategy is worth at each size.

    See Also
    --------
    sktandem.inspection.LearningCurveBySourceDisplay : The picture.

    Examples
    --------
    >>> import numpy as np
    >>> from sktandem.model_selection import SourceLearningCurve
    >>> own, merged = np.array([0.6, 0.5, 0.4]), np.array([0.5, 0.45, 0.4])
    >>> gain = own - merged
    >>> curve = SourceLearningCurve(
    ...     source="clinic", strategies=("merged",), sizes=(50, 100, 200),
    ...     gains={"merged": gain}, lows={"merged": gain - 0.02},
    ...     highs={"merged": gain + 0.02}, reference_losses=own,
    ...     losses={"merged": merged}, loss="log loss", metric="accuracy",
    ...     scores={"own": 1 - own, "merged": 1 - merged}, margin=0.01, level=0.05,
    ...     reference="own", n_other=900, n_repeats=5,
    ... )
    >>> curve
    source  rows  strategy  log loss  gain [interval]        worth in rows  accuracy
    clinic    50  own          0.600                                           0.400
    clinic    50  merged       0.500  0.100 [0.080, 0.120]              50     0.500
    clinic   100  own          0.500                                           0.500
    clinic   100  merged       0.450  0.050 [0.030, 0.070]              41     0.550
    clinic   200  own          0.400                                           0.600
    clinic   200  merged       0.400  0.000 [-0.020, 0.020]              0     0.600
    >>> curve.worth_["merged"][0]
    50
    """

    source: Hashable
    strategies: tuple[str, ...]
    sizes: tuple[int, ...]
    gains: dict[str, Floats]
    lows: dict[str, Floats]
    highs: dict[str, Floats]
    reference_losses: Floats
    losses: dict[str, Floats]
    loss: str
    metric: str
    scores: dict[str, Floats]
    margin: float
    level: float
    reference: str
    n_other: int
    n_repeats: int
    sources: tuple[Hashable, ...] = ()
    too_few: bool = False
    nets: Mapping[str, int] = field(default_factory=dict, repr=False)

    @property
    def verdict_(self) -> dict[str, tuple[Verdict | None, ...]]:
        """The verdict on each strategy at each size; None where none is given."""
        if self.too_few:
            return {name: (None,) * len(self.sizes) for name in self.strategies}
        absolute = self.loss == "zero-one loss"
        margins = self.margin * (1.0 if absolute else self.reference_losses)
        margins = np.broadcast_to(margins, len(self.sizes))
        return {
            strategy: tuple(
                judge(float(low), float(high), float(margin))
                for low, high, margin in zip(
                    self.lows[strategy], self.highs[strategy], margins
                )
            )
            for strategy in self.strategies
        }

    @property
    def worth_(self) -> dict[str, tuple[int | None, ...]]:
        """How many more rows of its own each strategy is worth at each size.

        The rows its own model would need for the same loss, less those it has:
        read off the own model's curve, made to fall throughout and joined by
        lines over the logarithm of rows. None where the curve does not reach
        so far; negative where fewer rows would do. A description without an
        interval, and the verdict goes by the loss.
        """
        rows = np.log(self.sizes)
        falling = IsotonicRegression(increasing=False)
        # fit_transform would give a frame where scikit-learn is set to give frames.
        curve = falling.fit(rows, self.reference_losses).predict(rows)
        return {
            strategy: tuple(
                _more_rows(loss, size, curve, rows)
                for loss, size in zip(self.losses[strategy], self.sizes)
            )
            for strategy in self.strategies
        }

    def to_frame(self) -> Any:
        """Return all numbers as a data frame.

        Returns
        -------
        frame : pandas.DataFrame
            A row for each size and strategy, the reference first. "worth" is
            missing where the own model's curve does not reach so far.
        """
        pd = pandas_for("to_frame")
        frame = pd.DataFrame(self._records())
        return frame.astype({"worth": "Int64"})

    def plot(self, ax: Any = None, *, name: str | None = None) -> Any:
        """Plot the losses over the rows of the source.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        name : str, default=None
            The title of the plot. If None, it names the source.

        Returns
        -------
        display : LearningCurveBySourceDisplay
            Object that stores what was drawn.
        """
        from sktandem.inspection._learning_curve import LearningCurveBySourceDisplay

        return LearningCurveBySourceDisplay.from_curve(self, ax=ax, name=name)

    def _findings(self) -> list[str]:
        return [self._sentence(strategy) for strategy in self.strategies]

    def _method(self) -> list[str]:
        single = level_text(self.level)
        return [
            "In 95 % of such curves all intervals in brackets are right, each by "
            f"itself in {single}. From {counted(self.n_repeats, 'repeat')} at each "
            f"size, beside the same {self.n_other:,} rows of other sources. Rows of "
            "worth are read off the curve of its own model and have no interval."
        ]

    def _table(self, *, narrow: bool = False) -> Table:
        headers = ["source", "rows", "strategy", self.loss, "gain [interval]"]
        headers += ["worth in rows", self.metric]
        cells = []
        for record in self._records():
            own = record["strategy"] == self.reference
            ends = record["gain"], record["low"], record["high"]
            far = "beyond" if record["worth"] is None else f"{record['worth']:,}"
            row = [str(self.source), f"{record['n_rows']:,}", record["strategy"]]
            row += [fixed(record["loss"], self._decimals()), ""]
            row += ["", fixed(record[self.metric], 3)]
            if not own:
                row[4], row[5] = with_interval(*ends), far
            cells.append(row)
        return Table(headers, cells, (1, 3, 5, 6))

    def _caption(self) -> str:
        return f"{self.loss} over the rows of {self.source}, by strategy"

    def _decimals(self) -> int:
        return decimals_for(float(np.max(np.abs(self.reference_losses))))

    def _records(self) -> list[dict[str, Any]]:
        nothing = np.full(len(self.sizes), np.nan)
        worth, verdicts = self.worth_, self.verdict_
        return [
            {
                "source": self.source,
                "n_rows": size,
                "strategy": name,
                "loss": float(self.losses.get(name, self.reference_losses)[place]),
                "gain": float(self.gains.get(name, nothing)[place]),
                "low": float(self.lows.get(name, nothing)[place]),
                "high": float(self.highs.get(name, nothing)[place]),
                "worth": worth[name][place] if name in worth else None,
                "verdict": verdicts[name][place] if name in verdicts else "reference",
                self.metric: float(self.scores[name][place]),
            }
            for place, size in enumerate(self.sizes)
            for name in (self.reference, *self.strategies)
        ]

    def _sentence(self, strategy: str) -> str:
        """Tell of one strategy at the fewest and at the most rows."""
        places = dict.fromkeys((0, len(self.sizes) - 1))
        told = [f"with {self._at(strategy, place)}" for place in places]
        helped = [
            f"{size:,}"
            for size, verdict in zip(self.sizes, self.verdict_[strategy])
            if verdict == "helps"
        ]
        shown = f"{', '.join(helped) if helped else 'none of these'} rows"
        if self.too_few:
            return (
                f"On {named(self.source)}, there are too few rows to tell yet whether "
                f"{strategy} helps: {'; '.join(told)}."
            )
        return (
            f"On {named(self.source)}, {strategy} is shown to help at {shown}: "
            f"{'; '.join(told)}."
        )

    def _at(self, strategy: str, place: int) -> str:
        ends = -self.highs[strategy][place], -self.lows[strategy][place]
        change, before = -self.gains[strategy][place], self.reference_losses[place]
        after, worth = self.losses[strategy][place], self.worth_[strategy][place]
        size = f"{self.sizes[place]:,} rows of its own,"
        text = f"{size} {moved(self.loss, before, after, change, *ends)}"
        if worth is None:
            return f"{text}, which its own model reaches with none of these sizes"
        if worth <= 0:
            return text
        about = f"{float(f'{worth:.2g}'):,.0f}"  # as exact as such a reading is
        return f"{text}, as about {about} more rows of its own would do"


def _more_rows(loss: float, size: int, curve: Floats, rows: Floats) -> int | None:
    """Return how many rows more than `size` the own model needs for this loss."""
    reached = np.flatnonzero(curve <= loss)
    if not len(reached) or curve[0] < loss:
        return None
    place = int(reached[0])  # the fewest rows that do
    if place == 0:
        return round(float(np.exp(rows[0]))) - size
    above, below = curve[place - 1], curve[place]
    step = (above - loss) / (above - below)
    needed = float(np.exp(rows[place - 1] + step * (rows[place] - rows[place - 1])))
    return round(needed) - size
