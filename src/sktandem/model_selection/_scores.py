"""What a fitted estimator scores on each source."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, overload

import numpy as np
from sklearn.metrics import check_scoring

from sktandem.data._tables import pandas_for
from sktandem.exceptions import SourceWarning
from sktandem.model_selection._view import (
    Rows,
    Scoring,
    best_of,
    metric_name,
    read_rows,
)

__all__ = ["SourceScoreTable", "SourceScores", "score_by_source"]

# Not any iterable of str, which a str is as well.
Several = list[str] | tuple[str, ...] | set[str] | Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class SourceScores:
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
        """Return the scores as a data frame, one row per source and summary."""
        pd = pandas_for("to_frame")
        rows = self._rows()
        index = pd.Index([name for name, _, _ in rows], name="source")
        columns = {
            "n_samples": pd.array([n for _, n, _ in rows], dtype="Int64"),
            self.metric: [score for _, _, score in rows],
        }
        return pd.DataFrame(columns, index=index)

    def _rows(self) -> list[tuple[str, int | None, float]]:
        own = [(str(s), self.n_samples[s], v) for s, v in self.by_source.items()]
        every = ("overall", sum(self.n_samples.values()), self.overall)
        return [*own, every, ("macro", None, self.macro), ("worst", None, self.worst)]

    def __repr__(self) -> str:
        rows = self._rows()
        width = max(len("source"), *(len(name) for name, _, _ in rows))
        last = max(len(self.metric), 6)
        lines = [f"{'source':<{width}}  {'rows':>7}  {self.metric:>{last}}"]
        for name, n, score in rows:
            count = "" if n is None else f"{n:,}"
            lines.append(f"{name:<{width}}  {count:>7}  {score:>{last}.3f}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        body = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td>{'' if n is None else f'{n:,}'}</td><td>{score:.3f}</td></tr>"
            for name, n, score in self._rows()
        )
        head = f"<tr><th>source</th><th>rows</th><th>{escape(self.metric)}</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


class SourceScoreTable(dict[str, SourceScores]):
    """The `SourceScores` of several metrics, by the name of the metric."""

    def to_frame(self) -> Any:
        """Return a data frame, one row per source and summary, a column per metric."""
        frames = [scores.to_frame() for scores in self.values()]
        first = frames[0]
        return first.assign(**{f.columns[-1]: f.iloc[:, -1] for f in frames[1:]})

    def __repr__(self) -> str:
        blocks = [repr(scores).splitlines() for scores in self.values()]
        widths = [max(len(scores.metric), 6) + 2 for scores in self.values()]
        rows = zip(*blocks)
        return "\n".join(
            row[0] + "".join(r[-w:] for r, w in zip(row[1:], widths[1:]))
            for row in rows
        )

    def _repr_html_(self) -> str:
        return "".join(scores._repr_html_() for scores in self.values())


@overload
def score_by_source(
    estimator: Any,
    X: Any,
    y: Any,
    sample_source: Any = None,
    scoring: Scoring = None,
    *,
    sample_weight: Any = None,
) -> SourceScores: ...
@overload
def score_by_source(
    estimator: Any,
    X: Any,
    y: Any,
    sample_source: Any = None,
    scoring: Several = ...,
    *,
    sample_weight: Any = None,
) -> SourceScoreTable: ...
def score_by_source(
    estimator: Any,
    X: Any,
    y: Any,
    sample_source: Any = None,
    scoring: Scoring | Several = None,
    *,
    sample_weight: Any = None,
) -> SourceScores | SourceScoreTable:
    """Score a fitted estimator on each source.

    One score over all rows hides the source that pays for the others. Each
    source is scored on its own rows and its own classes: a class that a source
    never had takes no part in its F1, balanced accuracy, log loss or AUC.

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
        With `overall`, `by_source`, `macro`, `worst`, `gap` and `to_frame()`. Of
        several metrics, a dict of these by metric, with a `to_frame()` of all.

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
    fitted = best_of(estimator)
    rows = read_rows(fitted, X, y, sample_source, sample_weight, "score_by_source")
    if scoring is None or isinstance(scoring, str) or callable(scoring):
        return _scores(fitted, rows, metric_name(scoring), scoring)
    several = scoring if isinstance(scoring, Mapping) else {s: s for s in scoring}
    return SourceScoreTable(
        {name: _scores(fitted, rows, name, one) for name, one in several.items()}
    )


def _scores(fitted: Any, rows: Rows, metric: str, scoring: Scoring) -> SourceScores:
    scorer = check_scoring(fitted, scoring)
    # By source first: what is wrong with the data is wrong there, too.
    by_source = {n: rows.of(n).score(fitted, scorer) for n in rows.names}
    return SourceScores(
        metric=metric,
        overall=_overall(fitted, rows, metric, scorer),
        by_source=by_source,
        n_samples=dict(zip(rows.names, rows.sources.sizes.tolist())),
    )


def _overall(fitted: Any, rows: Rows, metric: str, scorer: Any) -> float:
    """Return the score over all rows; nan where two classes each make four."""
    try:
        return rows.score(fitted, scorer)
    except ValueError as error:
        if len(rows.names) == 1:
            raise
        warnings.warn(
            f"{metric} has a value for each source and none over all rows: {error}",
            SourceWarning,
            stacklevel=4,
        )
        return np.nan
