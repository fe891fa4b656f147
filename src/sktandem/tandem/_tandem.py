"""What the chooser does, for classes and for numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, is_classifier
from sklearn.utils import Tags, check_random_state, get_tags
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sktandem._nested import refuse_nested
from sktandem._routing import (
    SOURCE_AND_GROUPS,
    RequestsSource,
    accepts_source,
    fit_with_source,
    source_method,
)
from sktandem._transaction import all_or_nothing
from sktandem._typing import RandomState, UnknownSource
from sktandem.data._cells import as_target
from sktandem.data._sources import resolve_sources, split_source
from sktandem.data._tables import read_table, refuse_datasets
from sktandem.data._unknown import check_unknown_rule
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.members import (
    OwnModels,
    PerSource,
    Strategy,
    Training,
    resolve_strategies,
)
from sktandem.members._units import by_keyword, make_unit
from sktandem.model_selection._compare import (
    check_settings,
    judges_for,
    with_flat_classes,
)
from sktandem.model_selection._comparison import StrategyComparison
from sktandem.model_selection._folds import Fold, Measured, Workshop, deal, try_folds
from sktandem.model_selection._judges import metric_of
from sktandem.model_selection._split import number_groups
from sktandem.model_selection._verdicts import compared
from sktandem.model_selection._view import Scoring
from sktandem.tandem._choice import Choice, Ranking, check_choice, on_source

__all__ = ["BaseTandem", "chosen_has"]

MARGIN = 0.01
FIRST_FOLDS = 2  # after which a strategy that is far behind leaves


def chosen_has(method: str) -> Callable[[Any], bool]:
    """Let a method appear where the chosen model has it."""

    def check(self: Any) -> bool:
        fitted = getattr(self, "model_", None)
        unit = make_unit(self._inner()) if fitted is None else fitted
        getattr(unit, method)
        return True

    return check


class BaseTandem(RequestsSource, MetaEstimatorMixin, BaseEstimator):
    """What the classifier and the regressor share: choosing, and handing on."""

    # Persons are for the inner folds, as they are for the splitters.
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
        """Choose a strategy by cross-validation and fit it; see the subclasses."""
        with all_or_nothing(self):
            data, people = self._read(X, y, sample_source, groups)
            rng = check_random_state(self.random_state)
            strategy, comparison, ranking = OwnModels(), None, None
            if len(data.sources.names) == 1:
                warnings.warn(
                    f"Only one source, {data.sources.names[0]!r}: there is nothing to "
                    "choose, and its own model is fitted. Pass sample_source, or name "
                    "its column by source.",
                    SourceWarning,
                    stacklevel=3,
                )
            else:
                strategy, comparison, ranking = self._choose(data, people, rng)
            model = self._final(strategy, rng)
            fit_with_source(model, data.X, data.y, data.labels)
            learned = self._learned(model, data)
        self.model_, self.strategy_ = model, strategy
        self.comparison_, self.ranking_ = comparison, ranking
        self.sources_ = data.sources.names
        self.__dict__.update(learned)
        return self

    def _read(
        self, X: Any, y: Any, sample_source: Any, groups: Any
    ) -> tuple[Training, NDArray[np.intp] | None]:
        """Check settings and input."""
        self._check_kind()
        refuse_datasets(X)
        validate_data(self, X, y, skip_check_array=True)
        features, sources = resolve_sources(X, sample_source, source=self.source)
        y = as_target(y)
        check_consistent_length(features, y, groups)
        if len(y) == 0:
            raise SourceError("X has no rows to fit.")
        check_unknown_rule(self.unknown_source, self.primary_source, sources.names)
        objective = "macro" if self.per_source else self.objective
        check_choice(objective, self.tolerance, self.primary_source)
        check_settings(MARGIN, self.cv, 1)
        people = None if groups is None else number_groups(groups)
        data = with_flat_classes(Training(features, y, sources), self._inner())
        return data, people

    def _choose(
        self,
        data: Training,
        people: NDArray[np.intp] | None,
        rng: np.random.RandomState,
    ) -> tuple[Any, StrategyComparison, Ranking | dict[Hashable, Ranking]]:
        """Return the strategy, what was compared, and why it was chosen."""
        only = self.objective == "primary" and not self.per_source
        tested = (self.primary_source,) if only else data.sources.names
        metric = metric_of(self.scoring, self._inner())
        classifies = is_classifier(self)
        workshop = Workshop(
            data=data,
            strategies=resolve_strategies(
                self.strategies,
                self._inner(),
                columns=len(getattr(data.X, "shape", ())) == 2,
                scaler=self.scaler,
            ),
            estimator=self._inner(),
            scaler=self.scaler,
            judges=judges_for(data, tested, classifies, metric),
        )
        for name in workshop.strategies:
            workshop.model(name, None)
        folds = deal(
            data, self.cv, 1, people, self.primary_source if only else None, rng
        )
        measured, left = self._race(workshop, folds, people)
        names = [name for name in workshop.strategies if name not in left]
        measured = measured.only(names)
        choice = self._choice(measured, people)
        comparison = compared(
            workshop,
            measured,
            metric,
            MARGIN,
            people,
            tuple(_notes(left)),
        )
        if not self.per_source:
            ranking = choice.rank(names)
            self._tell(f"chose {ranking.chosen!r}\n{ranking}")
            return workshop.strategies[ranking.chosen], comparison, ranking
        rankings: dict[Hashable, Ranking] = {}
        for source in data.sources.names:
            rankings[source] = own = on_source(choice, source).rank(names)
            self._tell(f"chose {own.chosen!r} for {source!r}\n{own}")
        chosen = {
            source: workshop.strategies[own.chosen] for source, own in rankings.items()
        }
        return PerSource(chosen), comparison, rankings

    def _choice(self, measured: Measured, people: NDArray[np.intp] | None) -> Choice:
        by_metric = self.scoring is not None
        objective = "macro" if self.objective == "primary" else self.objective
        return Choice(
            measured, measured.judges, objective, self.tolerance, by_metric, people
        )

    def _race(
        self, workshop: Workshop, folds: Sequence[Fold], people: NDArray[np.intp] | None
    ) -> tuple[Measured, dict[str, str]]:
        """Fit all on the first folds; who is far behind then leaves."""
        names = list(workshop.strategies)
        measured = Measured(workshop.judges, names, 1, self.cv)
        first, rest = folds[:FIRST_FOLDS], folds[FIRST_FOLDS:]
        left = self._run(workshop, first, names, measured)
        names = [name for name in names if name not in left]
        if rest and (self.scoring is None or all(j.by_row for j in workshop.judges)):
            for name in self._hopeless(measured.only(names), names, people):
                left[name] = f"far behind after {len(first)} of {self.cv} folds"
        names = [name for name in names if name not in left]
        left |= self._run(workshop, rest, names, measured)
        for name, why in left.items():
            self._tell(f"{name!r} left: {why}")
        return measured, left

    def _run(
        self,
        workshop: Workshop,
        folds: Sequence[Fold],
        names: Sequence[str],
        measured: Measured,
    ) -> dict[str, str]:
        """Enter what every strategy costs; return who failed, and why."""
        failed: dict[str, str] = {}
        for fold, name, result in try_folds(workshop, folds, names, self.n_jobs):
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

    def _hopeless(
        self, measured: Measured, names: Sequence[str], people: NDArray[np.intp] | None
    ) -> list[str]:
        """Return who is far behind; of strategies by source, on every source."""
        choice = self._choice(measured, people)
        if not self.per_source:
            return choice.hopeless(names)
        by_source = [
            set(on_source(choice, j.name).hopeless(names)) for j in choice.judges
        ]
        return [name for name in names if all(name in some for some in by_source)]

    def _final(self, strategy: Any, rng: np.random.RandomState) -> Any:
        """Return the chosen strategy's model, unfitted, for labels by keyword."""
        seeded = self.random_state is not None
        if not isinstance(strategy, Strategy):
            return by_keyword(strategy, rng if seeded else None)
        return strategy.build(
            self._inner(),
            scaler=self.scaler,
            primary_source=self.primary_source,
            unknown_source=self.unknown_source,
            random_state=int(rng.randint(np.iinfo(np.int32).max)) if seeded else None,
        )

    def _tell(self, line: str) -> None:
        if self.verbose:
            print(f"[{type(self).__name__}] {line}")

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Parameters by name, those of the inner estimator as
            ``estimator__name``.

        Returns
        -------
        self : estimator instance
            This estimator.
        """
        for key in params:
            owner, nested, _ = key.partition("__")
            if nested and owner in ("estimator", "scaler"):
                instead = "StandardScaler()"
                if owner == "estimator":
                    instead = repr(self._inner())
                value = params.get(owner, getattr(self, owner))
                refuse_nested(key, owner, value, instead)
        super().set_params(**params)
        return self

    def _ask(
        self, method: str, X: Any, sample_source: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Hand a question on to the chosen model, with the sources it takes."""
        check_is_fitted(self)
        read_table(self, X)
        features, labels = split_source(X, sample_source, self.source)
        if labels is not None and accepts_source(self.model_, method):
            kwargs["sample_source"] = labels
        return source_method(self.model_, method)(features, *args, **kwargs)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        unit = get_tags(make_unit(self._inner(), scaler=self.scaler))
        tags.input_tags = unit.input_tags
        tags.input_tags.pairwise = False
        tags.target_tags = unit.target_tags
        tags.classifier_tags = unit.classifier_tags or tags.classifier_tags
        tags.regressor_tags = unit.regressor_tags or tags.regressor_tags
        return tags


def _notes(left: Mapping[str, str]) -> Iterator[str]:
    """Say who left early, and why."""
    for name, why in left.items():
        yield f"Left out: {name}, {why}{'' if why.endswith('.') else '.'}"
