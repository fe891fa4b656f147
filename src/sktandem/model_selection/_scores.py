"""What a fitted estimator scores on each source."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from sklearn.metrics import check_scoring

from sktandem._telling import counted, told_once, warn
from sktandem.data._tables import pandas_for
from sktandem.exceptions import SourceError
from sktandem.model_selection._view import Scored, Scoring, metric_name, read_scored
from sktandem.report._result import Result, Table
from sktandem.report._wording import named

__all__ = ["SourceScoreTable", "SourceScores", "score_by_source"]

# Not any iterable of str, which a str is as well.
Several = list[str] | tuple[str, ...] | set[str] | Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class SourceScores(Result):
    """What a fitted estimator scores on each source.

    Attributes
    ----------
    metric : str
        The name of the metric; greater is better.

    overall : float
        The score over all rows.

    by_source : dict of {source: float}
        The score on each source's rows.

    n_samples : dict of {source: int}
        The number of rows of each source.
    """

    metric: str
    overall: float
    by_source: dict[Hashable, float]
    n_samples: dict[Hashable, int]

    @property
    def macro(self) -> float:
        """The mean over sources, each counting the same."""
        return float(np.mean(list(self.by_source.values())))

    @property
    def worst(self) -> float:
        """The score of the source that fares worst."""
        return float(np.min(list(self.by_source.values())))

    @property
    def gap(self) -> float:
        """How far the best source is above the worst."""
        return float(np.max(list(self.by_source.values()))) - self.worst

    def to_frame(self) -> Any:
        """Return the scores as a data frame, one row per source and summary.

        Returns
        -------
        frame : pandas.DataFrame
            The rows of each source and its score.
        """
        return _frame([self])

    def plot(self, ax: Any = None, *, name: str | None = None) -> Any:
        """Plot the score of each source as a dot.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        name : str, default=None
            The title of the plot. None means no title.

        Returns
        -------
        display : SourceScoresDisplay
            Object that stores what was drawn.
        """
        return _display(self, ax, name)

    def _findings(self) -> list[str]:
        known = {s: v for s, v in self.by_source.items() if np.isfinite(v)}
        n = sum(self.n_samples.values())
        first = f"{self.metric} is {self.overall:.3f} over all {n:,} rows"
        if not known:
            return [f"{self.metric} has no value on any source."]
        if len(self.by_source) == 1:
            return [f"{first}, which are all of {named(*self.by_source)}."]
        best, worst = max(known, key=known.__getitem__), min(known, key=known.get)  # type: ignore[arg-type]
        ends = f"highest on {self._of(best)} and lowest on {self._of(worst)}"
        return [f"{first}: {ends}. The mean of the sources is {self.macro:.3f}."]

    def _of(self, source: Hashable) -> str:
        n, score = self.n_samples[source], self.by_source[source]
        return f"{named(source)} ({score:.3f}, {counted(n, 'row')})"

    def _rows(self) -> list[tuple[str, int | None, float]]:
        own = [(str(s), self.n_samples[s], v) for s, v in self.by_source.items()]
        every = ("overall", sum(self.n_samples.values()), self.overall)
        return [*own, every, ("macro", None, self.macro), ("worst", None, self.worst)]

    def _table(self, *, narrow: bool = False) -> Table:
        return _table([self])

    def _figure(self) -> dict[str, Any]:
        return _figure([self])

    def _caption(self) -> str:
        return f"{self.metric} by source"


class SourceScoreTable(Result, dict[str, SourceScores]):
    """The `SourceScores` of several metrics, by the name of the metric."""

    def to_frame(self) -> Any:
        """Return the scores as a data frame, one row per source and summary.

        Returns
        -------
        frame : pandas.DataFrame
            The rows of each source and a column for each metric.
        """
        return _frame(list(self.values()))

    def plot(self, ax: Any = None, *, name: str | None = None) -> Any:
        """Plot the scores of each source as dots, a panel for each metric.

        Parameters
        ----------
        ax : array of matplotlib axes, default=None
            Axes to plot on, one for each metric. If None, a new figure and axes
            are created.

        name : str, default=None
            The title of the plot. None means no title.

        Returns
        -------
        display : SourceScoresDisplay
            Object that stores what was drawn.
        """
        return _display(self, ax, name)

    def _findings(self) -> list[str]:
        return [line for scores in self.values() for line in scores._findings()]

    def _table(self, *, narrow: bool = False) -> Table:
        return _table(list(self.values()))

    def _figure(self) -> dict[str, Any]:
        return _figure(list(self.values()))

    def _axes(self, figure: Any) -> Any:
        return figure.subplots(1, len(self))

    def _caption(self) -> str:
        return f"{', '.join(self)} by source"


def _table(several: list[SourceScores]) -> Table:
    headers = ["source", "rows", *(scores.metric for scores in several)]
    rows = [
        [name, "" if n is None else f"{n:,}", *(f"{row[2]:.3f}" for row in same)]
        for same in zip(*(scores._rows() for scores in several))
        for name, n, _ in same[:1]
    ]
    return Table(headers, rows, range(1, len(headers)))


def _frame(several: list[SourceScores]) -> Any:
    pd = pandas_for("to_frame")
    rows = several[0]._rows()
    index = pd.Index([name for name, _, _ in rows], name="source")
    columns = {"n_samples": pd.array([n for _, n, _ in rows], dtype="Int64")}
    for scores in several:
        columns[scores.metric] = [score for _, _, score in scores._rows()]
    return pd.DataFrame(columns, index=index)


def _display(scores: Any, ax: Any, name: str | None) -> Any:
    from sktandem.inspection._scores import SourceScoresDisplay

    return SourceScoresDisplay.from_scores(scores, ax=ax, name=name)


def _figure(several: list[SourceScores]) -> dict[str, Any]:
    from sktandem.inspection._scores import SourceScoresDisplay

    return {"figsize": (3.2 * (len(several) + 1), SourceScoresDisplay(several).height)}


@overload
def score_by_source(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_source: Any = None,
    scoring: Scoring = None,
    sample_weight: Any = None,
) -> SourceScores: ...
@overload
def score_by_source(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_source: Any = None,
    scoring: Several,
    sample_weight: Any = None,
) -> SourceScoreTable: ...
@told_once()
def score_by_source(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_source: Any = None,
    scoring: Scoring | Several = None,
    sample_weight: Any = None,
) -> SourceScores | SourceScoreTable:
    """Score a fitted estimator on each source.

    One score over all rows can hide that one source got worse. Each source is scored on
    its own rows and its own classes: a class that a source never had takes no part in
    its F1, balanced accuracy, log loss or AUC.

    Read more in the :ref:`User Guide <scores>`.

    Parameters
    ----------
    estimator : fitted estimator
        Any scikit-learn estimator, of this package or not; of a fitted search
        the best one. It is given the sources if its `predict` takes them.

    X : array-like of shape (n_samples, n_features)
        Samples.

    y : array-like of shape (n_samples,)
        True targets.

    sample_source : array-like of shape (n_samples,), default=None
        The source of each sample. None reads the column that the estimator's
        own `source` names.

    scoring : str, callable, list of str or dict of callables, default=None
        A scorer as in :func:`~sklearn.metrics.check_scoring`, or several. None
        means the estimator's ``score``.

    sample_weight : array-like of shape (n_samples,), default=None
        What each sample counts.

    Returns
    -------
    scores : SourceScores or SourceScoreTable
        With `overall`, `by_source`, `macro`, `worst` and `gap`, and `to_frame()`,
        `summary()`, `plot()`, `to_html()` and `to_markdown()`. Of several
        metrics, a dict of these by metric, which answers to the same five.

    Raises
    ------
    SourceError
        If the rows have no source.

    See Also
    --------
    source_scorer : The score of one source, for cross-validation.
    classification_report_by_source : Precision and recall of every class.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import train_test_split
    >>> from sktandem import Merged
    >>> from sktandem.datasets import load_wine_quality
    >>> from sktandem.model_selection import score_by_source
    >>> wine = load_wine_quality("classification", return_X_y=True)
    >>> X, X_test, y, y_test, source, source_test = train_test_split(
    ...     *wine, random_state=0
    ... )
    >>> model = Merged(LogisticRegression()).fit(X, y, sample_source=source)
    >>> score_by_source(model, X_test, y_test, sample_source=source_test)
    source      rows   score
    red          338   0.618
    white        992   0.575
    overall    1,330   0.586
    macro              0.596
    worst              0.575
    """
    scored = read_scored(
        estimator,
        X,
        y,
        sample_source=sample_source,
        sample_weight=sample_weight,
        otherwise="score_by_source needs each row's source: pass sample_source, or an "
        "estimator whose source= names a column.",
    )
    if scoring is None or isinstance(scoring, str) or callable(scoring):
        return _scores(scored, metric_name(scoring), scoring)
    given: Any = scoring
    if not isinstance(given, list | tuple | set | Mapping) or not given:
        raise SourceError(
            "scoring must be the name of a metric, a function, or a list or dict of "
            f"them, got {given!r}."
        )
    several = scoring if isinstance(scoring, Mapping) else {s: s for s in scoring}
    return SourceScoreTable(
        {name: _scores(scored, name, one) for name, one in several.items()}
    )


def _scores(scored: Scored, metric: str, scoring: Scoring) -> SourceScores:
    rows, scorer = scored.rows, check_scoring(scored.fitted, scoring)
    weights = rows.weights
    for name in rows.names:
        if weights is not None and not weights[rows.of(name)].any():
            raise SourceError(
                f"sample_weight is 0 for all rows of {name!r}, so that there is "
                "nothing to score. Leave these rows out."
            )
    # By source first: what is wrong with the data is wrong there, too.
    by_source = {name: scored.of(name).score(scorer) for name in rows.names}
    return SourceScores(
        metric=metric,
        overall=_overall(scored, metric, scorer),
        by_source=by_source,
        n_samples=dict(zip(rows.names, rows.sources.sizes.tolist())),
    )


def _overall(scored: Scored, metric: str, scorer: Any) -> float:
    """Return the score over all rows; nan where two classes each make four."""
    try:
        return scored.score(scorer)
    except ValueError as error:
        if len(scored.rows.names) == 1:
            raise
        warn(f"{metric} has a value for each source and none over all rows: {error}")
        return np.nan
