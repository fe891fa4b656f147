"""Scores per source: after fitting, and inside cross-validation."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_consistent_length

from sktandem._cells import as_target
from sktandem._routing import accepts_source, score_request
from sktandem._sources import Sources, did_you_mean, resolve_sources
from sktandem._tables import take_rows
from sktandem.exceptions import SourceError, SourceWarning

__all__ = ["SourceScores", "score_by_source", "source_scorer", "source_scorers"]

Scoring = str | Callable[..., float] | None
RESPONSES = ("predict", "predict_proba", "predict_log_proba", "decision_function")


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
        return min(self.by_source.values())

    @property
    def gap(self) -> float:
        """How far the best source is above the worst."""
        return max(self.by_source.values()) - self.worst

    def to_frame(self) -> Any:
        """Return the scores as a data frame, one row per source and summary."""
        try:
            import pandas as pd
        except ImportError:
            raise ImportError(
                "to_frame needs pandas. "
                'Install it with: pip install "sktandem[notebook]"'
            ) from None
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
        from html import escape

        body = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td>{'' if n is None else f'{n:,}'}</td><td>{score:.3f}</td></tr>"
            for name, n, score in self._rows()
        )
        head = f"<tr><th>source</th><th>rows</th><th>{escape(self.metric)}</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def score_by_source(
    estimator: Any,
    X: Any,
    y: Any,
    sample_source: Any = None,
    scoring: Scoring = None,
    *,
    sample_weight: Any = None,
) -> SourceScores:
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

    scoring : str or callable, default=None
        A scorer as in :func:`~sklearn.metrics.check_scoring`. None means the
        estimator's ``score``.

    sample_weight : array-like of shape (n_samples,), default=None
        What each sample counts.

    Returns
    -------
    scores : SourceScores
        With `overall`, `by_source`, `macro`, `worst`, `gap` and `to_frame()`.

    Raises
    ------
    SourceError
        If the rows have no source.

    See Also
    --------
    source_scorer : The score of one source, for cross-validation.

    Examples
    --------
    >>> from sklearn.model_selection import train_test_split
    >>> from sktandem import MergedClassifier
    >>> from sktandem.datasets import load_wine_quality
    >>> from sktandem.model_selection import score_by_source
    >>> wine = load_wine_quality("classification", return_X_y=True)
    >>> X, X_test, y, y_test, source, source_test = train_test_split(
    ...     *wine, random_state=0
    ... )
    >>> model = MergedClassifier().fit(X, y, sample_source=source)
    >>> score_by_source(model, X_test, y_test, source_test)
    source      rows   score
    red          338   0.618
    white        992   0.575
    overall    1,330   0.586
    macro              0.596
    worst              0.575
    """
    fitted = _best(estimator)
    column = None if sample_source is not None else _source_column(fitted)
    if sample_source is None and column is None:
        raise SourceError(
            "score_by_source needs each row's source: pass sample_source, or an "
            "estimator whose source= names a column."
        )
    rows = _Rows.read(X, y, sample_source, column, sample_weight)
    scorer = check_scoring(fitted, scoring)
    by_source = {name: rows.of(name).score(fitted, scorer) for name in rows.names}
    return SourceScores(
        metric=_name(scoring),
        overall=rows.score(fitted, scorer),
        by_source=by_source,
        n_samples=dict(zip(rows.names, rows.sources.sizes.tolist())),
    )


def source_scorer(
    scoring: Scoring, name: Hashable, source: str | int | None = None
) -> SourceScorer:
    """Make a scorer that looks at the rows of one source.

    Parameters
    ----------
    scoring : str or callable
        The metric, as in :func:`~sklearn.metrics.check_scoring`. None means the
        estimator's ``score``.

    name : hashable
        The source to score.

    source : str or int, default=None
        Name or position of the column of X that holds each row's source. None
        means that `sample_source` is passed, with metadata routing on.

    Returns
    -------
    scorer : callable
        Called as ``scorer(estimator, X, y, sample_source=None)``; nan, with a
        warning, where no row is of this source.

    See Also
    --------
    source_scorers : All sources, their mean and the worst, for a search.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from sktandem import MergedClassifier
    >>> from sktandem.datasets import load_wine_quality
    >>> from sktandem.model_selection import SourceKFold, source_scorer
    >>> wine = load_wine_quality("classification", column="wine")
    >>> scores = cross_val_score(
    ...     MergedClassifier(source=-1),
    ...     wine.data,
    ...     wine.target,
    ...     cv=SourceKFold(3, source=-1),
    ...     scoring=source_scorer("accuracy", 0, source=-1),
    ... )
    >>> print(round(scores.mean(), 2))
    0.6
    """
    return SourceScorer(scoring, (name,), "only", source)


def source_scorers(
    scoring: Scoring, names: Iterable[Hashable], source: str | int | None = None
) -> dict[str, SourceScorer]:
    """Make the scorers of a search that looks at every source.

    Parameters
    ----------
    scoring : str or callable
        The metric, as in :func:`~sklearn.metrics.check_scoring`. None means the
        estimator's ``score``.

    names : iterable of hashable
        The sources to score.

    source : str or int, default=None
        Name or position of the column of X that holds each row's source. None
        means that `sample_source` is passed, with metadata routing on.

    Returns
    -------
    scorers : dict of {str: callable}
        A scorer for each source, ``"f1_macro[red]"``, for their mean,
        ``"f1_macro.macro"``, and for the worst, ``"f1_macro.worst"``. Choose
        one of these keys as `refit`.

    See Also
    --------
    score_by_source : The same for one fitted estimator.

    Examples
    --------
    >>> from sktandem.model_selection import source_scorers
    >>> list(source_scorers("r2", ["red", "white"]))
    ['r2[red]', 'r2[white]', 'r2.macro', 'r2.worst']
    """
    every, metric = tuple(names), _name(scoring)
    scorers = {
        f"{metric}[{name}]": SourceScorer(scoring, (name,), "only", source)
        for name in every
    }
    for summary in ("macro", "worst"):
        scorers[f"{metric}.{summary}"] = SourceScorer(scoring, every, summary, source)
    return scorers


SUMMARIES: dict[str, Callable[[list[float]], Any]] = {
    "only": np.mean,
    "macro": np.mean,
    "worst": np.min,
}


class SourceScorer:
    """A scorer over some sources; made by `source_scorer` and `source_scorers`."""

    def __init__(
        self,
        scoring: Scoring,
        names: tuple[Hashable, ...],
        summary: str,
        source: str | int | None,
    ) -> None:
        self.scoring = scoring
        self.names = names
        self.summary = summary
        self.source = source

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_source: Any = None,
        sample_weight: Any = None,
    ) -> float:
        """Score `estimator` on the rows of the sources."""
        if sample_source is None and self.source is None:
            raise SourceError(
                f"{self!r} needs each row's source: name its column by source=, or "
                "enable metadata routing and pass params={'sample_source': ...}."
            )
        rows = _Rows.read(X, y, sample_source, self.source, sample_weight)
        fitted = _best(estimator)
        scorer = check_scoring(fitted, self.scoring)
        scores = [self._score_one(rows, name, fitted, scorer) for name in self.names]
        return float(SUMMARIES[self.summary](scores))

    def _score_one(
        self, rows: _Rows, name: Hashable, fitted: Any, scorer: Any
    ) -> float:
        if name in rows.names:
            return rows.of(name).score(fitted, scorer)
        warnings.warn(
            f"No row of source {name!r} among the {len(rows.sources.codes)} to score: "
            f"the score is nan. The sources here are {list(rows.names)}."
            f"{did_you_mean(name, rows.names)} SourceKFold gives every fold rows of "
            "each source.",
            SourceWarning,
            stacklevel=3,
        )
        return np.nan

    def get_metadata_routing(self) -> Any:
        """Request `sample_source` from whoever calls this scorer."""
        return score_request(self)

    def __repr__(self) -> str:
        column = "" if self.source is None else f", source={self.source!r}"
        if self.summary == "only":
            return f"source_scorer({self.scoring!r}, {self.names[0]!r}{column})"
        made = f"source_scorers({self.scoring!r}, {list(self.names)}{column})"
        return f"{made}['{_name(self.scoring)}.{self.summary}']"


@dataclass(frozen=True)
class _Rows:
    """The rows to score, with their sources as the estimator wants them."""

    X: Any
    y: NDArray[Any]
    sources: Sources
    keyword: bool  # whether the sources came by keyword, and go on by it
    weight: NDArray[np.float64] | None

    @classmethod
    def read(
        cls, X: Any, y: Any, sample_source: Any, column: str | int | None, weight: Any
    ) -> _Rows:
        _, sources = resolve_sources(X, sample_source, source=column)
        y = as_target(y)
        check_consistent_length(sources.codes, y, weight)
        weight = None if weight is None else np.asarray(weight, dtype=float)
        return cls(X, y, sources, sample_source is not None, weight)

    @property
    def names(self) -> tuple[Hashable, ...]:
        return self.sources.names

    def of(self, name: Hashable) -> _Rows:
        """Return the rows of one source."""
        rows = self.sources.rows[self.names.index(name)]
        return _Rows(
            take_rows(self.X, rows),
            self.y[rows],
            self.sources.take(rows),
            self.keyword,
            None if self.weight is None else self.weight[rows],
        )

    def score(self, fitted: Any, scorer: Any) -> float:
        """Score the fitted estimator within the classes of these sources."""
        labels = None
        if self.keyword:
            names = np.empty(len(self.names), dtype=object)
            names[:] = self.names
            labels = names[self.sources.codes]
        classes = _own_classes(fitted, self.names, self.y)
        view = SourceView(fitted, labels, classes)
        if classes is not None:
            scorer = _within(scorer, view, self.X, self.y)
        weights = {} if self.weight is None else {"sample_weight": self.weight}
        with warnings.catch_warnings():
            # Balanced accuracy is right here, and says so to no purpose.
            warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
            return float(scorer(view, self.X, self.y, **weights))


class SourceView:
    """A fitted estimator as the rows of one source see it.

    The sources of the rows are handed to every method that takes them.
    `classes_` and the columns of scores are those of the source alone, and its
    probabilities add up to 1.
    """

    def __init__(
        self,
        estimator: Any,
        labels: NDArray[Any] | None = None,
        classes: NDArray[Any] | None = None,
    ) -> None:
        self._estimator = estimator
        self._labels = labels
        if classes is not None:
            self.classes_ = classes

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copying and pickling ask before __init__
            raise AttributeError(name)
        value = getattr(self._estimator, name)
        if name not in (*RESPONSES, "score"):
            return value
        takes = self._labels is not None and accepts_source(self._estimator, name)
        handed = {"sample_source": self._labels} if takes else {}

        @wraps(value)
        def respond(*args: Any, **kwargs: Any) -> Any:
            return self._own_columns(name, value(*args, **kwargs, **handed))

        return respond

    def __sklearn_tags__(self) -> Any:
        return get_tags(self._estimator)

    @property
    def all_classes(self) -> Any:
        """The classes of all sources."""
        return self._estimator.classes_

    def _own_columns(self, method: str, response: Any) -> Any:
        """Return the columns of the source's own classes."""
        if method in ("predict", "score") or "classes_" not in vars(self):
            return response
        every, own = self.all_classes.tolist(), self.classes_.tolist()
        if own == every:
            return response
        if response.ndim == 1:  # two classes, of which the source has one
            return response
        if response.shape[1] != len(every):
            raise SourceError(
                f"{method} gives {response.shape[1]} columns for {len(every)} classes, "
                "so they cannot be told apart by source."
            )
        columns = response[:, [every.index(label) for label in own]]
        if method == "predict_proba":
            return _normalised(columns)
        if method == "predict_log_proba":
            return np.log(_normalised(np.exp(columns)))
        return columns[:, 1] - columns[:, 0] if len(own) == 2 else columns


def _normalised(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Let rows add up to 1; a row that gave all its mass away is even."""
    total = columns.sum(axis=1, keepdims=True)
    parts = np.full_like(columns, 1 / columns.shape[1])
    np.divide(columns, total, out=parts, where=total > 0)
    return parts


def _own_classes(
    fitted: Any, names: Iterable[Hashable], y: NDArray[Any]
) -> NDArray[Any] | None:
    """Return the classes that sources had in fit or have here; None if none."""
    classes = getattr(fitted, "classes_", None)
    if not isinstance(classes, np.ndarray) or y.ndim != 1:
        return None
    record = getattr(_last(fitted), "classes_by_source_", {})
    own = set(y.tolist())
    for name in names:
        own |= set(np.asarray(record.get(name, [])).tolist())
    return _only(classes, own)


def _only(classes: NDArray[Any], kept: set[Any]) -> NDArray[Any]:
    return classes[[label in kept for label in classes.tolist()]]


def _within(scorer: Any, view: SourceView, X: Any, y: NDArray[Any]) -> Any:
    """Keep a metric within the classes that the view has."""
    function = getattr(scorer, "_score_func", None)
    if function is None:
        return scorer
    own, seen = view.classes_, set(y.tolist())
    takes_labels = "labels" in inspect.signature(function).parameters
    if scorer._response_method == "predict":
        # Predictions are of all classes, whichever of them are averaged over.
        view.classes_ = view.all_classes
        own = _only(own, seen | set(view.predict(X).tolist()))
    elif not takes_labels or function is roc_auc_score:
        # A ranking has no value for a class without a row: the view lacks it.
        view.classes_ = _only(own, seen)
        return scorer
    if not takes_labels or "labels" in scorer._kwargs:
        return scorer
    bounded = copy.copy(scorer)
    bounded._kwargs = {**scorer._kwargs, "labels": own.tolist()}
    return bounded


def _best(estimator: Any) -> Any:
    """Return what a fitted search predicts with; anything else as it is."""
    return getattr(estimator, "best_estimator_", estimator)


def _last(estimator: Any) -> Any:
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def _source_column(fitted: Any) -> str | int | None:
    """Return the column that an estimator of this package reads."""
    column = getattr(fitted, "source", None)
    return column if isinstance(column, str | int) else None


def _name(scoring: Scoring) -> str:
    if scoring is None:
        return "score"
    if isinstance(scoring, str):
        return scoring
    function = getattr(scoring, "_score_func", scoring)
    return getattr(function, "__name__", type(function).__name__)
