"""The record of a comparison: intervals, and the words that follow from them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sktandem._extras import is_installed
from sktandem.data._tables import pandas_for
from sktandem.model_selection._next_steps import next_steps
from sktandem.report._drawing import as_svg, draw_alone
from sktandem.report._result import Result, Table
from sktandem.report._wording import (
    decimals_for,
    detail_sentence,
    fixed,
    method_sentences,
    verdict_sentence,
    verdict_words,
    with_interval,
)
from sktandem.stats._inference import Difference, Verdict

__all__ = ["Contrast", "Design", "StrategyComparison"]

ENDS = ("gain", "low", "high")
NUMBERS = (2, 3, 4, 6, 7)  # the columns of the table that hold them


@dataclass(frozen=True)
class Contrast:
    """One strategy against a source's own model, on the rows of that source.

    Attributes
    ----------
    source : hashable
        The source whose rows were tested.

    strategy : str
        The name of the strategy.

    n_rows : int
        The rows of the source.

    n_units : int
        What the interval rests on: rows, or groups where there are any.

    reference_loss, loss : float
        The mean held-out loss of the source's own model and of the strategy.

    difference : Difference
        The gain in loss, reference minus strategy: positive helps.

    low, high : float
        The interval of the gain, simultaneous over all contrasts.

    margin : float
        The smallest gain that matters, in units of the loss.

    verdict : str or None
        "helps", "does no harm", "harms" or "cannot tell yet"; None where the
        source has too few rows for any interval to be trusted, which is also
        shown as "cannot tell yet".

    n_needed : int or None
        About how many rows it would take to tell of a gain as large as the
        margin, where they are too few.

    reference_score, score : float
        The metric of the user on either; greater is better.

    score_gain, score_low, score_high : float
        The difference of the metric and its interval. The verdict goes by the
        loss.

    n_rarer : int or None
        The rows of the rarer class of the source, where there are classes.
    """

    source: Hashable
    strategy: str
    n_rows: int
    n_units: int
    reference_loss: float
    loss: float
    difference: Difference
    low: float
    high: float
    margin: float
    verdict: Verdict | None
    n_needed: int | None
    reference_score: float
    score: float
    score_gain: float
    score_low: float
    score_high: float
    n_rarer: int | None = None

    @property
    def gain(self) -> float:
        """The gain in loss, reference minus strategy: positive helps."""
        return self.difference.estimate

    @property
    def words(self) -> str:
        """The verdict in full, such as "cannot tell yet: about 900 rows needed"."""
        return verdict_words(self)

    @property
    def loss_texts(self) -> tuple[str, str]:
        """The loss of the reference and of the strategy, alike in decimals."""
        decimals = decimals_for(self.reference_loss)
        return fixed(self.reference_loss, decimals), fixed(self.loss, decimals)

    @property
    def score_texts(self) -> tuple[str, str]:
        """The metric of the reference and of the strategy, alike in decimals."""
        decimals = decimals_for(max(abs(self.reference_score), abs(self.score)))
        return fixed(self.reference_score, decimals), fixed(self.score, decimals)

    @property
    def gain_text(self) -> str:
        """The gain in loss with its interval, such as "0.019 [0.007, 0.031]"."""
        return with_interval(self.gain, self.low, self.high)

    @property
    def score_gain_text(self) -> str:
        """The gain in the metric with its interval."""
        return with_interval(self.score_gain, self.score_low, self.score_high)


@dataclass(frozen=True)
class Design:
    """How a comparison was made: all that its numbers depend on.

    Attributes
    ----------
    loss : str
        What the verdicts go by, such as "log loss", "squared error" or "pinball
        loss at 0.9".

    metric : str
        The metric of the user, as scikit-learn names it.

    reference : str
        What every strategy is compared with.

    strategies : dict of {str: object}
        The members and other estimators, by name, reference first.

    estimator : object
        What they were filled with.

    sources : tuple of hashable
        All sources, in the order of their colours.

    n_splits, n_repeats : int
        The folds of each repeat, and the repeats.

    margin : float
        The smallest gain that matters, as a part of the reference's loss; of
        zero-one loss, as it stands.

    alpha : float
        How often one interval or more misses.

    level : float
        How often a single interval misses, for that.

    grouped : bool
        Whether rows were taken together by groups.

    notes : tuple of str
        What a reader ought to know besides, a sentence each.

    scaler : str, transformer or None
        What the comparison gave to strategies without a scaler of their own.
    """

    loss: str
    metric: str
    reference: str
    strategies: dict[str, Any]
    estimator: Any
    sources: tuple[Hashable, ...]
    n_splits: int
    n_repeats: int
    margin: float
    alpha: float
    level: float
    grouped: bool
    notes: tuple[str, ...] = ()
    scaler: Any = "standard"


@dataclass(frozen=True, repr=False)
class StrategyComparison(Result):
    """Whether other sources help each source, strategy by strategy.

    What :func:`compare_strategies` returns. It prints as a table, is shown with a
    picture in a notebook, and sums up the result in words.

    Read more in the :ref:`User Guide <comparing>`.

    Attributes
    ----------
    contrasts : tuple of Contrast
        A record for each source and each strategy but the reference, in the
        order of sources and then of strategies.

    design : Design
        How the comparison was made.

    nets : dict of {str: int}
        How many nets were trained as one, under "together", and how many alone,
        under the reason for it; empty without nets.

    verdict_ : dict of {(source, str): str}
        The verdict on each source and strategy in full words.

    best_ : dict of {source: str}
        The strategy with the largest gain among those that help, by source.

    See Also
    --------
    sktandem.inspection.StrategyComparisonDisplay : The picture alone.

    Notes
    -----
    A verdict follows from the interval of the gain and the margin alone. Above
    zero the strategy helps, below zero it harms. Around zero it does no harm if
    the interval stays above minus the margin: a harm that matters is ruled out.
    Everything else cannot be told yet.

    Examples
    --------
    >>> from sktandem.stats._inference import Difference
    >>> from sktandem import Merged
    >>> from sktandem.members import OwnModels
    >>> from sktandem.model_selection import (
    ...     Contrast, Design, StrategyComparison
    ... )
    >>> contrast = Contrast(
    ...     "clinic", "merged", n_rows=812, n_units=812, reference_loss=0.412,
    ...     loss=0.393, difference=Difference(0.019, 0.0061, 811, 812),
    ...     low=0.007, high=0.031, margin=0.00824, verdict="helps", n_needed=None,
    ...     reference_score=0.812, score=0.831, score_gain=0.019,
    ...     score_low=0.004, score_high=0.034,
    ... )
    >>> design = Design(
    ...     loss="log loss", metric="roc_auc", reference="own",
    ...     strategies={"own": OwnModels(), "merged": Merged()}, estimator=None,
    ...     sources=("clinic", "lab"), n_splits=10, n_repeats=5, margin=0.02,
    ...     alpha=0.05, level=0.05, grouped=False,
    ... )
    >>> comparison = StrategyComparison((contrast,), design)
    >>> comparison
    source  strategy  rows  log loss       gain [interval]  verdict    roc_auc
    clinic  own        812     0.412                        reference    0.812
    clinic  merged     812     0.393  0.019 [0.007, 0.031]  helps        0.831
    >>> for line in comparison.summary().splitlines()[:5]:
    ...     print(line)
    For clinic, data from lab help: ROC AUC rises from 0.812 to 0.831 (95 % interval
    of the rise 0.004 to 0.034).
    What to do now: fit "merged" on the rows of all sources.
        from sktandem import Merged
        model = Merged(estimator)
        model.fit(X, y, sample_source=sample_source)
    >>> comparison.best_, comparison.contrasts[0].gain
    ({'clinic': 'merged'}, 0.019)
    """

    contrasts: tuple[Contrast, ...]
    design: Design = field(repr=False)
    nets: Mapping[str, int] = field(default_factory=dict, repr=False)

    @property
    def verdict_(self) -> dict[tuple[Hashable, str], str]:
        """The verdict on each source and strategy in full words."""
        return {(c.source, c.strategy): c.words for c in self.contrasts}

    @property
    def best_(self) -> dict[Hashable, str]:
        """The strategy with the largest gain among those that help, by source.

        The reference where none does. The winner of many owes part of its gain
        to luck, so expect a little less of it on new rows.
        """
        best = {}
        for source, contrasts in self._by_source().items():
            helping = [c for c in contrasts if c.verdict == "helps"]
            winner = max(helping, key=lambda c: c.gain, default=None)
            best[source] = winner.strategy if winner else self.design.reference
        return best

    def to_frame(self) -> Any:
        """Return all numbers as a data frame.

        Returns
        -------
        frame : pandas.DataFrame
            A row for each source and strategy, the reference first. "loss" to
            "margin" are in units of the loss, positive gains help; the last
            four columns have the name of the metric.
        """
        pd = pandas_for("to_frame")
        rows = []
        for contrasts in self._by_source().values():
            rows.append(self._reference_record(contrasts[0]))
            rows += [self._record(contrast) for contrast in contrasts]
        frame = pd.DataFrame(rows)
        return frame.astype({"n_needed": "Int64"})

    def plot(self, ax: Any = None, *, name: str | None = None) -> Any:
        """Plot the gains as a forest.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        name : str, default=None
            The title of the plot. None means no title.

        Returns
        -------
        display : StrategyComparisonDisplay
            Object that stores what was drawn.
        """
        from sktandem.inspection._forest import StrategyComparisonDisplay

        return StrategyComparisonDisplay.from_comparison(self, ax=ax, name=name)

    def _by_source(self) -> dict[Hashable, list[Contrast]]:
        blocks: dict[Hashable, list[Contrast]] = {}
        for contrast in self.contrasts:
            blocks.setdefault(contrast.source, []).append(contrast)
        return blocks

    def _findings(self) -> list[str]:
        blocks = self._by_source().values()
        return [verdict_sentence(contrasts, self.design) for contrasts in blocks]

    def _advice(self) -> list[str]:
        return next_steps(self.best_, self.design) if self.contrasts else []

    def _details(self) -> list[str]:
        blocks = self._by_source().values()
        return [detail_sentence(contrasts, self.design) for contrasts in blocks]

    def _method(self) -> list[str]:
        judged = [c for c in self.contrasts if c.verdict is not None]
        return method_sentences(len(judged), self.design)

    def _pictures(self) -> list[str]:
        """Return the forest twice, of which a style shows the one that fits."""
        if not is_installed("matplotlib"):
            return []
        from sktandem.inspection._forest import StrategyComparisonDisplay

        drawn = []
        for kind in ("broad", "slim"):
            display = StrategyComparisonDisplay(
                self.contrasts, self.design, columns=kind == "broad"
            )
            figure = draw_alone(figsize=display.figsize)
            display.plot(figure.subplots())
            drawn.append(as_svg(figure, self._caption(), kind))
        return drawn

    def _caption(self) -> str:
        return f"Gain in {self.design.loss} by source and strategy"

    def _record(self, contrast: Contrast) -> dict[str, Any]:
        metric = self.design.metric
        return {
            "source": contrast.source,
            "strategy": contrast.strategy,
            "n_rows": contrast.n_rows,
            "loss": contrast.loss,
            "gain": contrast.gain,
            "low": contrast.low,
            "high": contrast.high,
            "margin": contrast.margin,
            "verdict": contrast.words,
            "n_needed": contrast.n_needed,
            metric: contrast.score,
            f"{metric}_gain": contrast.score_gain,
            f"{metric}_low": contrast.score_low,
            f"{metric}_high": contrast.score_high,
        }

    def _reference_record(self, contrast: Contrast) -> dict[str, Any]:
        metric = self.design.metric
        known = {
            "strategy": self.design.reference,
            "loss": contrast.reference_loss,
            "margin": contrast.margin,
            "verdict": "reference",
            metric: contrast.reference_score,
        }
        unknown = ("gain", "low", "high", *(f"{metric}_{e}" for e in ENDS))
        record = {**self._record(contrast), **dict.fromkeys(unknown, np.nan)}
        return {**record, "n_needed": None, **known}

    def _table(self, *, narrow: bool = False) -> Table:
        """Return the table; a narrow one has no gain in the metric."""
        loss, metric = self.design.loss, self.design.metric
        headers = ["source", "strategy", "rows", loss, "gain [interval]", "verdict"]
        headers += [metric, f"{metric} gain [interval]"]
        cells = []
        for source, contrasts in self._by_source().items():
            first = contrasts[0]
            head = [str(source), self.design.reference, f"{first.n_rows:,}"]
            own, score = first.loss_texts[0], first.score_texts[0]
            cells.append([*head, own, "", "reference", score, ""])
            for c in contrasts:
                row = [str(source), c.strategy, f"{c.n_rows:,}", c.loss_texts[1]]
                row += [c.gain_text, c.words, c.score_texts[1], c.score_gain_text]
                cells.append(row)
        if narrow:
            headers, cells = headers[:-1], [row[:-1] for row in cells]
        return Table(headers, cells, NUMBERS)
