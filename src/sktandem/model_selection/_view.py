"""A fitted estimator as one source's rows and classes see it."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sktandem._routing import accepts_source, scores_weighted, source_method
from sktandem._telling import warn
from sktandem.data._cells import mixes_kinds, refuse_no_target
from sktandem.data._estimator import answer_rows, is_ours, score_rows
from sktandem.data._rows import Rows, read_rows
from sktandem.data._sources import distinct
from sktandem.data._tables import as_table
from sktandem.exceptions import SourceError

__all__ = [
    "Scored",
    "Scoring",
    "SourceView",
    "best_of",
    "metric_name",
    "own_classes",
    "read_scored",
]

Scoring = str | Callable[..., float] | None
RESPONSES = ("predict", "predict_proba", "predict_log_proba", "decision_function")


@dataclass(frozen=True, eq=False)
class Scored:
    """Rows to score by a fitted estimator.

    Attributes
    ----------
    fitted : estimator instance
        What predicts; of a fitted search the best one.

    rows : Rows
        The rows, with y and their sources.

    whole : bool
        Whether X still holds a column of sources that the estimator reads itself,
        so that it is handed none.
    """

    fitted: Any
    rows: Rows
    whole: bool = False

    def of(self, name: Hashable) -> Scored:
        """Return the rows of one source."""
        return replace(self, rows=self.rows.take(self.rows.of(name)))

    def score(self, scorer: Any) -> float:
        """Score the fitted estimator within the classes of these sources."""
        rows = self.rows
        classes, y = own_classes(self.fitted, rows.names, rows.y), rows.y
        view = SourceView(self, classes)
        if classes is not None and hasattr(scorer, "_score_func"):
            mixed = classes.dtype == object and mixes_kinds([*view.all_classes, *y])
            if mixed or classes.dtype.kind in "mM":  # no metric takes all dates
                y = view.code(y)
            scorer = _within(scorer, view, rows.X, y)
            if scorer is None:
                warn(
                    f"{list(rows.names)} have a single class, {classes.tolist()}: "
                    "a score of probabilities or rankings is nan."
                )
                return np.nan
        weights = {} if rows.weights is None else {"sample_weight": rows.weights}
        if weights:
            self._refuse_unweighted(scorer)
        self._refuse_unanswered(scorer)
        with warnings.catch_warnings():
            # Balanced accuracy is right here, and says so to no purpose.
            warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
            return float(scorer(view, rows.X, y, **weights))

    def _refuse_unanswered(self, scorer: Any) -> None:
        asked = getattr(scorer, "_response_method", ())
        asked = (asked,) if isinstance(asked, str) else asked
        if asked and not any(hasattr(self.fitted, method) for method in asked):
            raise SourceError(
                f"{metric_name(scorer)} needs {' or '.join(asked)}, which "
                f"{type(self.fitted).__name__} does not have here. Use a metric of "
                "what it predicts."
            )

    def _refuse_unweighted(self, scorer: Any) -> None:
        # What stands for scoring=None is the estimator's own score.
        own = getattr(scorer, "_estimator", None)
        if not scores_weighted(scorer if own is None else own.score):
            name = metric_name(scorer) if own is None else f"{scorer!r}"
            raise SourceError(
                f"{name} takes no sample_weight. Leave the weights out, or use a "
                "metric that takes them."
            )


class SourceView:
    """A fitted estimator as the rows of one source see it.

    The sources of the rows reach every method that takes them.
    `classes_` and the columns of scores are those of the source alone, and its
    probabilities add up to 1.
    """

    def __init__(self, scored: Scored, classes: NDArray[Any] | None = None) -> None:
        self._scored = scored
        self._estimator = scored.fitted
        self._code: dict[Any, int] | None = None
        self._last: tuple[str, Any, Any] = ("", None, None)
        if classes is not None:
            self.classes_ = classes

    def code(self, y: NDArray[Any]) -> NDArray[Any]:
        """Go over to codes, because metrics cannot hold numbers beside strings."""
        every = distinct([*self.all_classes.tolist(), *y.tolist()])[0]
        self._code = {label: code for code, label in enumerate(every)}
        self.classes_ = self._coded(self.classes_)
        return self._coded(y)

    def _coded(self, labels: NDArray[Any]) -> NDArray[Any]:
        if self._code is None:
            return labels
        return np.array([self._code[label] for label in labels.tolist()], dtype=np.intp)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copying and pickling ask before __init__
            raise AttributeError(name)
        if name not in (*RESPONSES, "score"):
            return getattr(self._estimator, name)
        value = source_method(self._estimator, name)

        @wraps(value)
        def respond(X: Any, *args: Any, **kwargs: Any) -> Any:
            # Asked twice for the same rows, an estimator predicts once.
            if args or kwargs or self._last[0] != name or self._last[1] is not X:
                self._last = name, X, self._asked(name, X, args, kwargs)
            return self._own_columns(name, self._last[2])

        return respond

    def _asked(self, name: str, X: Any, args: Any, kwargs: Any) -> Any:
        """Return what the estimator answers, handing its rows on as they were read."""
        fitted, rows, whole = self._estimator, self._scored.rows, self._scored.whole
        same = X is rows.X and not whole
        if same and is_ours(fitted, name):
            if name == "score" and args and args[0] is rows.y:
                return score_rows(fitted, rows)
            if not args and not kwargs:
                return answer_rows(fitted, name, rows)
        takes = not whole and accepts_source(fitted, name)
        handed = {"sample_source": rows.labels} if takes else {}
        return source_method(fitted, name)(X, *args, **kwargs, **handed)

    def __sklearn_tags__(self) -> Any:
        return get_tags(self._estimator)

    @property
    def all_classes(self) -> Any:
        """The classes of all sources."""
        return self._coded(self._estimator.classes_)

    def _own_columns(self, method: str, response: Any) -> Any:
        """Return the columns of the source's own classes."""
        if method == "predict":
            return self._coded(response)
        if method == "score" or "classes_" not in vars(self):
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


def own_classes(
    fitted: Any, names: Iterable[Hashable], y: NDArray[Any]
) -> NDArray[Any] | None:
    """Return the classes that sources had in fit or have here; None if none."""
    classes = getattr(fitted, "classes_", None)
    if not isinstance(classes, np.ndarray) or y.ndim != 1:
        return None
    record = getattr(_last(fitted), "classes_by_source_", None) or {}
    own = set(y.tolist())
    for name in names:
        own |= set(np.asarray(record.get(name, [])).tolist())
    return _only(classes, own)


def _only(classes: NDArray[Any], kept: set[Any]) -> NDArray[Any]:
    return classes[[label in kept for label in classes.tolist()]]


def _within(scorer: Any, view: SourceView, X: Any, y: NDArray[Any]) -> Any:
    """Keep a metric within the classes that the view has.

    None if it has no value there, because there is a single class.
    """
    function = scorer._score_func
    own, seen = view.classes_, set(y.tolist())
    takes_labels = "labels" in inspect.signature(function).parameters
    if scorer._response_method == "predict":
        # Averaged over rows, a wrong class counts whether the source has it or not.
        takes_labels &= scorer._kwargs.get("average") in ("macro", "weighted")
        # Predictions are of all classes, whichever of them are averaged over.
        view.classes_ = view.all_classes
        kept = _only(own, seen | set(view.predict(X).tolist())).tolist()
        # A class that fit never saw is of the source if the source has it.
        own = np.array([*kept, *(seen - set(own.tolist()))], dtype=object)
    elif not takes_labels or function is roc_auc_score:
        # A ranking has no value for a class without a row: the view has none of it.
        view.classes_ = _only(own, seen)
        return scorer if len(view.classes_) > 1 else None
    elif len(own) < 2:
        return None
    if not takes_labels or "labels" in scorer._kwargs:
        return scorer
    bounded = copy.copy(scorer)
    bounded._kwargs = {**scorer._kwargs, "labels": own.tolist()}
    return bounded


def read_scored(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_source: Any,
    sample_weight: Any = None,
    column: str | int | None = None,
    otherwise: str,
) -> Scored:
    """Return the rows to score, their sources by keyword or from a column.

    `column` is that of a scorer; without one it is the column that the estimator
    reads. `otherwise` is said where there is neither.
    """
    fitted = best_of(estimator)
    if isinstance(fitted, type) or not hasattr(fitted, "predict"):
        raise SourceError(
            f"Scores need a fitted estimator with a predict method, got {fitted!r}."
        )
    refuse_no_target(y)
    own = _source_column(fitted)
    column = own if column is None else column
    # A subclass of the user's may answer in a way of its own, and reads X for it.
    asked = [name for name in (*RESPONSES, "score") if hasattr(fitted, name)]
    ours = all(is_ours(fitted, name) for name in asked)
    by_keyword = sample_source is not None
    if not by_keyword and column is None:
        raise SourceError(otherwise)
    handed_on = ours and (by_keyword or column == own)
    if handed_on:
        check_is_fitted(fitted)
    rows = read_rows(
        fitted if handed_on else None,
        X,
        y,
        sample_source=sample_source,
        sample_weight=sample_weight,
        source=None if by_keyword else column,
        reset=False,
    )
    if handed_on or by_keyword:
        return Scored(fitted, rows)
    # The estimator meets X as it came, and finds the sources by itself.
    return Scored(fitted, replace(rows, X=as_table(X), source_column=None), whole=True)


def best_of(estimator: Any) -> Any:
    """Return what a fitted search predicts with; anything else as it is."""
    return getattr(estimator, "best_estimator_", estimator)


def _last(estimator: Any) -> Any:
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def _source_column(fitted: Any) -> str | int | None:
    """Return the column that an estimator of this package reads."""
    column = getattr(fitted, "source", None)
    return column if isinstance(column, str | int) else None


def metric_name(scoring: Scoring) -> str:
    if isinstance(scoring, type):
        raise SourceError(
            "scoring must be the name of a metric or a function, got the class "
            f"{scoring.__name__}."
        )
    if scoring is None:
        return "score"
    if isinstance(scoring, str):
        return scoring
    function = getattr(scoring, "_score_func", scoring)
    return getattr(function, "__name__", type(function).__name__)
