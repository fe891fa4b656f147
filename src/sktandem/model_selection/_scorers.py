"""Scorers of one source, or several, for cross-validation and search."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Self

import numpy as np
from sklearn.metrics import check_scoring, get_scorer

from sktandem._routing import score_request, scores_weighted
from sktandem._settings import check_choice
from sktandem._telling import did_you_mean, warn
from sktandem.exceptions import SourceError
from sktandem.model_selection._view import Scored, Scoring, metric_name, read_scored

__all__ = ["SourceScorer", "source_scorer", "source_scorers"]

SUMMARIES: dict[str, Callable[[list[float]], Any]] = {
    "only": np.mean,
    "macro": np.mean,
    "worst": np.min,
}


def source_scorer(
    scoring: Scoring, name: Hashable, source: str | int | None = None
) -> SourceScorer:
    """Make a scorer for the rows of one source.

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
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sktandem import Merged
    >>> from sktandem.datasets import load_wine_quality
    >>> from sktandem.model_selection import SourceKFold, source_scorer
    >>> wine = load_wine_quality("classification", column="wine")
    >>> scores = cross_val_score(
    ...     Merged(LogisticRegression(max_iter=1000), source=-1),
    ...     wine.data,
    ...     wine.target,
    ...     cv=SourceKFold(3, source=-1),
    ...     scoring=source_scorer("accuracy", 0, source=-1),
    ... )
    >>> print(round(scores.mean(), 2))
    0.6
    """
    if isinstance(scoring, str):
        get_scorer(scoring)  # a misspelt metric fails here, not in every fold
    elif scoring is not None and not callable(scoring):
        raise SourceError(
            f"scoring must be the name of a metric or a function, got {scoring!r}. "
            "source_scorers takes a list of names."
        )
    metric_name(scoring)  # refuses a class
    if not isinstance(name, Hashable):
        raise SourceError(f"name must be that of a source, got {name!r}.")
    return SourceScorer(scoring, (name,), "only", source)


def source_scorers(
    scoring: Scoring | list[str],
    names: Iterable[Hashable],
    source: str | int | None = None,
) -> dict[str, SourceScorer]:
    """Make scorers for every source, for a search.

    Parameters
    ----------
    scoring : str, callable or list of str
        The metric or metrics, as in :func:`~sklearn.metrics.check_scoring`.
        None means the estimator's ``score``.

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
    given: Any = names
    several = isinstance(given, Iterable) and not isinstance(given, str)
    if not several or not (every := tuple(given)):
        raise SourceError(
            f"names must be a list of at least one source, got {names!r}."
        )
    if isinstance(scoring, list | tuple):
        if not scoring:
            raise SourceError(
                f"scoring must name at least one metric, got {scoring!r}."
            )
        each = [source_scorers(one, every, source) for one in scoring]
        return {key: scorer for scorers in each for key, scorer in scorers.items()}
    metric = metric_name(scoring)
    scorers = {
        f"{metric}[{name}]": source_scorer(scoring, name, source) for name in every
    }
    for summary in ("macro", "worst"):
        scorers[f"{metric}.{summary}"] = SourceScorer(scoring, every, summary, source)
    return scorers


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
        self._asked: dict[str, Any] = {}

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sample_source: Any = None,
        sample_weight: Any = None,
    ) -> float:
        """Score `estimator` on the rows of the sources."""
        scored = read_scored(
            estimator,
            X,
            y,
            sample_source=sample_source,
            sample_weight=sample_weight,
            column=self.source,
            otherwise=f"{self!r} needs each row's source: name its column by source=, "
            "or enable metadata routing and pass params={'sample_source': ...}.",
        )
        scorer = check_scoring(scored.fitted, self.scoring)
        scores = [self._score_one(scored, name, scorer) for name in self.names]
        return float(SUMMARIES[self.summary](scores))

    def _score_one(self, scored: Scored, name: Hashable, scorer: Any) -> float:
        rows = scored.rows
        if name in rows.names:
            return scored.of(name).score(scorer)
        known = getattr(scored.fitted, "sources_", None)
        if isinstance(known, tuple) and name not in known:
            every = [*known, *(n for n in rows.names if n not in known)]
            raise SourceError(
                f"{self!r} names {name!r}, which is not a source here. The sources are "
                f"{every}.{did_you_mean(name, every)}"
            )
        warn(
            f"No row of source {name!r} among the {len(rows):,} to score: the score is "
            f"nan. The sources here are {list(rows.names)}. SourceKFold gives every "
            "fold rows of each source."
        )
        return np.nan

    def set_score_request(self, **requests: bool | str | None) -> Self:
        """Request metadata, as of a scorer of scikit-learn.

        Parameters
        ----------
        **requests : dict of {str: bool, str or None}
            What to do with `sample_weight` or `sample_source`: True takes it,
            False leaves it, None refuses it, a string takes what is passed by
            that name. By default `sample_source` is taken and `sample_weight`
            refused.

        Returns
        -------
        self : SourceScorer
            This scorer.
        """
        for param in requests:
            check_choice("set_score_request", param, ("sample_source", "sample_weight"))
        self._asked |= requests
        return self

    def get_metadata_routing(self) -> Any:
        """Request `sample_source`, and what else was asked for, from the caller."""
        return score_request(self, self._asked)

    def _accept_sample_weight(self) -> bool:
        """Tell a search whether to hand its weights on, with routing off."""
        if self.scoring is None:
            return True
        known = get_scorer(self.scoring) if isinstance(self.scoring, str) else None
        return scores_weighted(known or self.scoring)

    def __repr__(self) -> str:
        column = "" if self.source is None else f", source={self.source!r}"
        if self.summary == "only":
            return f"source_scorer({self.scoring!r}, {self.names[0]!r}{column})"
        made = f"source_scorers({self.scoring!r}, {list(self.names)}{column})"
        return f"{made}['{metric_name(self.scoring)}.{self.summary}']"
