"""Choose how to use several datasets."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MetaEstimatorMixin, is_classifier
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from sktandem._docs import documented
from sktandem._routing import SOURCE_AND_GROUPS
from sktandem._telling import warn
from sktandem._typing import RandomState, UnknownSource
from sktandem.data._cells import classes_by_source
from sktandem.data._estimator import (
    answer_rows,
    depends_on_source,
    fit_rows,
    tags_like,
)
from sktandem.data._predictor import SourcePredictor
from sktandem.data._rows import Rows, read_rows
from sktandem.exceptions import SourceError
from sktandem.members import OwnModels
from sktandem.members._fill import as_model, check_estimator, filled, hole_of
from sktandem.members._names import resolve_members
from sktandem.model_selection._compare import (
    check_comparison,
    has_columns,
    judges_for,
    with_flat_classes,
)
from sktandem.model_selection._comparison import StrategyComparison
from sktandem.model_selection._folds import (
    Experiment,
    Fold,
    Measured,
    deal,
    try_folds,
)
from sktandem.model_selection._judges import metric_of
from sktandem.model_selection._verdicts import compared
from sktandem.model_selection._view import Scoring
from sktandem.tandem._choice import Choice, Ranking, check_objective, on_source
from sktandem.tandem._per_source import PerSource

__all__ = ["Tandem"]

MARGIN = 0.01
FIRST_FOLDS = 2  # after which a strategy that is far behind leaves


@documented
class Tandem(MetaEstimatorMixin, SourcePredictor):
    """Use the other dataset only in the way, and if at all, that helps.

    No way of using a second dataset wins everywhere: equal weights repair a
    small source with one model and ruin another. This estimator tries several
    by cross-validation inside `fit`, takes the simplest that is not clearly
    beaten, the sources' own models first, and fits it on all rows.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    estimator : estimator instance, default=None
        A classifier, a regressor or a skorch net; Tandem is of its kind. None
        is a hole that a comparison fills with the estimator that it compares.

    strategies : {"default", "all"}, list of estimator or dict, default="default"
        What to choose from, the simplest first: a list that suits the
        estimator; members, as of :mod:`sktandem.members`; or these and any
        other estimators by name. A member whose `estimator` (or `net`) is None
        is filled with `estimator`. Own models are always among them, and first.

    {source}

    {primary_source}

    objective : {"macro", "worst", "primary"}, default="macro"
        What to make small: the mean of the sources' losses, each as a part of
        its own model's; that of the source that fares worst; or that of the
        primary source alone.

    per_source : bool, default=False
        Whether to choose a strategy for each source. `objective` is ignored
        then, and every row to predict needs its source.

    scoring : str or callable, default=None
        Choose by this metric, its mean or worst over sources, rather than by
        log loss or squared error.

    cv : int, default=5
        Inner folds, stratified by source and by class, or quantile of the
        target.

    tolerance : "one-se" or float, default="one-se"
        How much worse than the best a simpler strategy may be: one standard
        error of their difference [1]_, or a part of the own model's loss (with
        `scoring`, a difference of scores).

    scaler : str, transformer or None, default="standard"
        How features reach `estimator`, as in :class:`~sktandem.Merged`, in
        members that leave their own `scaler` at its default.

    unknown_source : {"error", "primary", "pooled"}, default="error"
        What to do with a row whose source was not there in `fit`, or is not
        given, where the prediction depends on it.

    n_jobs : int, default=None
        How many fits to run at once in the choice.

    random_state : int, RandomState instance or None, default=None
        Seeds the folds and every model.

    verbose : int, default=None
        Whether to print what is tried and what is chosen.

    Attributes
    ----------
    strategy_ : estimator or dict of {source: estimator}
        What was chosen, unfitted; with `per_source` for each source.

    model_ : estimator instance
        The same around `estimator`, fitted on all rows.

    ranking_ : Ranking, dict of {source: Ranking} or None
        Why it was chosen: what each strategy costs, how far it is behind the
        best, and how far it may be. None where there was one source.

    comparison_ : StrategyComparison or None
        What the inner folds tell of each strategy and source, as in
        :func:`~sktandem.model_selection.compare_strategies`. Its words ask for
        more than the choice does, which has to be made even where rows are too
        few to tell. The chosen strategy flatters itself a little there.

    {classes_}

    {classes_by_source_}

    {sources_}

    {n_features_in_}

    {feature_names_in_}

    See Also
    --------
    sktandem.model_selection.compare_strategies : Verdicts with intervals.

    Notes
    -----
    After two folds a strategy more than three standard errors behind the
    leader is given up. There is no `sample_weight`: a choice by folds cannot
    treat a row of weight 2 as two rows. The cost is at most ``cv`` fits of each
    strategy, and one of the chosen.

    References
    ----------
    .. [1] L. Breiman et al. (1984), "Classification and Regression Trees", 3.4.3.

    Examples
    --------
    A lab of 48 rows beside one of 952, with the opposite rule and with the
    same one, scored on as many rows again:

    >>> from sklearn.linear_model import Ridge
    >>> from sktandem import Tandem
    >>> from sktandem.datasets import make_two_sources
    >>> from sktandem.model_selection import score_by_source
    >>> for angle in 180, 0:
    ...     X, y, source = make_two_sources(
    ...         2000, n_features=20, size_ratio=0.05,
    ...         concept_angle=angle, return_X_y=True, random_state=0,
    ...     )
    ...     model = Tandem(
    ...         Ridge(), primary_source="first", objective="primary", random_state=0
    ...     )
    ...     model = model.fit(X[::2], y[::2], sample_source=source[::2])
    ...     scores = score_by_source(
    ...         model, X[1::2], y[1::2], sample_source=source[1::2]
    ...     )
    ...     print(angle, model.ranking_.chosen, round(scores.by_source["first"], 2))
    180 own models 0.67
    0 merged 0.75
    """

    # Groups are for the inner folds, as they are for the splitters.
    __metadata_request__fit = SOURCE_AND_GROUPS

    def __init__(
        self,
        estimator: Any = None,
        *,
        strategies: str | Sequence[Any] | Mapping[str, Any] = "default",
        source: str | int | None = None,
        primary_source: Hashable = None,
        objective: Literal["macro", "worst", "primary"] = "macro",
        per_source: bool = False,
        scoring: Scoring = None,
        cv: int = 5,
        tolerance: float | Literal["one-se"] = "one-se",
        scaler: Any = "standard",
        unknown_source: UnknownSource = "error",
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.strategies = strategies
        self.source = source
        self.primary_source = primary_source
        self.objective = objective
        self.per_source = per_source
        self.scoring = scoring
        self.cv = cv
        self.tolerance = tolerance
        self.scaler = scaler
        self.unknown_source = unknown_source
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, *, sample_source: Any = None, groups: Any = None
    ) -> Self:
        """Choose a strategy by cross-validation and fit it on all rows.

        Parameters
        ----------
        {X}

        {y}

        {sample_source}

        groups : array-like of shape (n_samples,), default=None
            Rows that stay together in the inner folds, as those of one patient.

        Returns
        -------
        self : Tandem
            The fitted instance.

        Raises
        ------
        SourceError
            If labels or settings do not fit the data, or own models fail.
        """
        self._check_settings()
        return self._fit(X, y, sample_source=sample_source, groups=groups)

    def _check_settings(self) -> None:
        check_estimator(self)
        objective = "macro" if self.per_source else self.objective
        check_objective(objective, self.tolerance, self.primary_source)
        check_comparison(MARGIN, self.cv, 1)

    @property
    def _classifies(self) -> bool:
        return bool(is_classifier(as_model(self.estimator)))

    def _fit_rows(self, rows: Rows) -> None:
        self._check_settings()
        rows = with_flat_classes(rows, as_model(self.estimator))
        rng = check_random_state(self.random_state)
        strategy: Any = OwnModels()
        comparison: StrategyComparison | None = None
        ranking: Ranking | dict[Hashable, Ranking] | None = None
        if len(rows.names) == 1:
            warn(
                f"Only one source, {rows.names[0]!r}: there is nothing to choose, and "
                "its own model is fitted. Pass sample_source, or name its column by "
                "source."
            )
        else:
            strategy, comparison, ranking = self._choose(rows, rng)
        model = fit_rows(self._final(strategy, rng), rows)
        for name in ("classes_", "classes_by_source_"):  # of an earlier fit
            self.__dict__.pop(name, None)
        if self._classifies:
            self.classes_ = model.classes_
            self.classes_by_source_ = classes_by_source(rows.sources, rows.y)
        self.model_, self.strategy_ = model, strategy
        self.comparison_, self.ranking_ = comparison, ranking
        self.sources_ = rows.names

    def _choose(
        self, rows: Rows, rng: np.random.RandomState
    ) -> tuple[Any, StrategyComparison, Ranking | dict[Hashable, Ranking]]:
        """Return the strategy, what was compared, and why it was chosen."""
        only = self.objective == "primary" and not self.per_source
        tested = (self.primary_source,) if only else rows.names
        metric = metric_of(self.scoring, as_model(self.estimator))
        experiment = Experiment(
            rows=rows,
            strategies=resolve_members(
                self.strategies,
                self.estimator,
                columns=has_columns(rows),
                scaler=self.scaler,
            ),
            estimator=self.estimator,
            scaler=self.scaler,
            judges=judges_for(rows, tested, self._classifies, metric),
        )
        experiment.check()
        folds = deal(rows, self.cv, 1, self.primary_source if only else None, rng)
        measured, left = self._race(experiment, folds)
        names = [name for name in experiment.strategies if name not in left]
        measured = measured.only(names)
        choice = self._choice(measured, rows)
        comparison = compared(experiment, measured, metric, MARGIN, tuple(_notes(left)))
        if not self.per_source:
            ranking = choice.rank(names)
            self._tell(f"chose {ranking.chosen!r}\n{ranking}")
            return experiment.strategies[ranking.chosen], comparison, ranking
        rankings: dict[Hashable, Ranking] = {}
        for source in rows.names:
            rankings[source] = own = on_source(choice, source).rank(names)
            self._tell(f"chose {own.chosen!r} for {source!r}\n{own}")
        chosen = {
            source: experiment.strategies[own.chosen]
            for source, own in rankings.items()
        }
        return chosen, comparison, rankings

    def _choice(self, measured: Measured, rows: Rows) -> Choice:
        by_metric = self.scoring is not None
        objective = "macro" if self.objective == "primary" else self.objective
        settings = objective, self.tolerance, by_metric, rows.groups
        return Choice(measured, measured.judges, *settings)

    def _race(
        self, experiment: Experiment, folds: Sequence[Fold]
    ) -> tuple[Measured, dict[str, str]]:
        """Fit all on the first folds; what is far behind then leaves."""
        names, judges = list(experiment.strategies), experiment.judges
        measured = Measured(judges, names, 1, self.cv)
        first, rest = folds[:FIRST_FOLDS], folds[FIRST_FOLDS:]
        left = self._run(experiment, first, names, measured)
        names = [name for name in names if name not in left]
        if rest and (self.scoring is None or all(judge.by_row for judge in judges)):
            choice = self._choice(measured.only(names), experiment.rows)
            for name in self._hopeless(choice, names):
                left[name] = f"far behind after {len(first)} of {self.cv} folds"
        names = [name for name in names if name not in left]
        left |= self._run(experiment, rest, names, measured)
        for name, why in left.items():
            self._tell(f"{name!r} left: {why}")
        return measured, left

    def _run(
        self,
        experiment: Experiment,
        folds: Sequence[Fold],
        names: Sequence[str],
        measured: Measured,
    ) -> dict[str, str]:
        """Enter what every strategy costs; return which failed, and why."""
        failed: dict[str, str] = {}
        for fold, name, result in try_folds(experiment, folds, names, self.n_jobs):
            if not isinstance(result, SourceError):
                measured.add(fold, name, result)
            elif name == names[0]:  # the reference, without which nothing counts
                raise result
            else:
                failed.setdefault(name, str(result).splitlines()[0])
            if name == names[-1]:
                tried = f"{len(names)} strategies" if len(names) > 1 else names[0]
                self._tell(f"fold {fold.number + 1} of {self.cv}, {tried}")
        return failed

    def _hopeless(self, choice: Choice, names: Sequence[str]) -> list[str]:
        """Return what is far behind; of strategies by source, on every source."""
        if not self.per_source:
            return choice.hopeless(names)
        by_source = [
            set(on_source(choice, judge.name).hopeless(names))
            for judge in choice.judges
        ]
        return [name for name in names if all(name in some for some in by_source)]

    def _final(self, strategy: Any, rng: np.random.RandomState) -> Any:
        """Return the chosen strategy's model, unfitted, for labels by keyword."""
        seeded = self.random_state is not None
        given = {
            "scaler": self.scaler,
            "primary_source": self.primary_source,
            "unknown_source": self.unknown_source,
        }
        by_source = isinstance(strategy, dict)
        if seeded and (by_source or hole_of(strategy) in ("estimator", "net")):
            given["random_state"] = int(rng.randint(np.iinfo(np.int32).max))
        if by_source:
            return PerSource(self.estimator, members=strategy, **given)
        of_others = rng if seeded else None
        return filled(strategy, self.estimator, rng=of_others, **given)

    def _tell(self, line: str) -> None:
        if self.verbose:
            print(f"[{type(self).__name__}] {line}")

    # Answers ----------------------------------------------------------------------

    def _depends_on_source(self) -> str | None:
        return depends_on_source(self.model_)

    def _answer(self, method: str, rows: Rows) -> NDArray[Any]:
        return np.asarray(answer_rows(self.model_, method, rows))

    def _read_to_score(self, X: Any, y: Any, **given: Any) -> Rows:
        check_is_fitted(self)
        because = self._depends_on_source()
        # A model that needs no sources is scored by source all the same.
        return read_rows(
            self,
            X,
            y,
            **given,
            names=self.sources_,
            needed_because=because or "",
            settled=because is not None,
        )

    def _to_score(self, rows: Rows) -> Rows:
        because = self._depends_on_source()
        if because is not None:
            return rows.known_to(self, because)
        return replace(rows, sources=rows.sources.among(self.sources_))

    def _is_scored_by_source(self) -> bool:
        # Whichever strategy was chosen, so that the score means the same.
        return True

    def _inner(self) -> list[Any]:
        return [getattr(self, "model_", as_model(self.estimator))]

    def __sklearn_tags__(self) -> Tags:
        model = as_model(self.estimator)
        tags = tags_like(super().__sklearn_tags__(), model, self.scaler)
        if tags.estimator_type == "classifier":
            tags.target_tags.multi_output = False
        return tags


def _notes(left: Mapping[str, str]) -> Iterator[str]:
    """Say what left early, and why."""
    for name, why in left.items():
        yield f"Left out: {name}, {why}{'' if why.endswith('.') else '.'}"
