"""Fitting every strategy on the same folds, and what each row then cost."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from sktandem._routing import fit_with_source
from sktandem._typing import Floats
from sktandem.data._tables import take_rows
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.members import Strategy, Training
from sktandem.members._units import by_keyword
from sktandem.model_selection._judges import ZERO, Answers, SourceJudge
from sktandem.model_selection._split import SourceKFold

__all__ = ["Fold", "Measured", "Workshop", "deal", "run_folds", "try_folds"]

Result = dict[Hashable, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Fold:
    """One training and test, and the seed that all strategies share in it."""

    repeat: int
    number: int
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    seed: int


@dataclass(frozen=True, eq=False)
class Workshop:
    """All that it takes to fit a strategy on a fold and to judge it.

    Attributes
    ----------
    data : Training
        The rows of all sources.

    strategies : dict of {str: Strategy or estimator}
        What is compared, by name.

    estimator : estimator instance
        What strategies are built on.

    scaler : str, transformer or None
        How features reach it.

    judges : tuple of SourceJudge
        The sources to test on.
    """

    data: Training
    strategies: dict[str, Any]
    estimator: Any
    scaler: Any
    judges: tuple[SourceJudge, ...]

    def model(self, name: str, seed: int | None) -> Any:
        """Return a strategy's model, unfitted and seeded."""
        strategy = self.strategies[name]
        if not isinstance(strategy, Strategy):
            rng = None if seed is None else np.random.RandomState(seed)
            return by_keyword(strategy, rng)
        model = strategy.build(self.estimator, scaler=self.scaler, random_state=seed)
        if "for_sources" in model.get_params(deep=False):
            model.set_params(for_sources=[judge.name for judge in self.judges])
        return model

    def measure(self, name: str, fold: Fold) -> Result:
        """Fit a strategy on a fold and return what it costs on each source."""
        model = self.model(name, fold.seed)
        X, y = self.data.take(fold.train)
        labels = self.data.labels[fold.train]
        try:
            with warnings.catch_warnings():
                if isinstance(self.strategies[name], Strategy):
                    # A fold of one source alone is what own models are.
                    warnings.filterwarnings("ignore", "Only one source", SourceWarning)
                fitted = fit_with_source(model, X, y, labels)
                answers = Answers(
                    fitted,
                    take_rows(self.data.X, fold.test),
                    self.data.sources.take(fold.test),
                )
                measured = {j.name: j.measure(answers, fold.test) for j in self.judges}
                for source, losses in measured.items():
                    for key, value in losses.items():
                        if key not in ("metric", ZERO) and np.isnan(value).any():
                            raise SourceError(f"its {key} on {source!r} is nan.")
                return measured
        except Exception as error:
            raise SourceError(
                f"The strategy {name!r} failed on fold {fold.number + 1} of repeat "
                f"{fold.repeat + 1} ({len(fold.train):,} training rows): {error}"
            ) from error


def deal(
    data: Training,
    n_splits: int,
    n_repeats: int,
    groups: NDArray[np.intp] | None,
    test_source: Hashable,
    rng: np.random.RandomState,
) -> list[Fold]:
    """Return the folds of all repeats, stratified by source and class."""
    largest = np.iinfo(np.int32).max
    folds = []
    for repeat in range(n_repeats):
        splitter = SourceKFold(
            n_splits,
            test_source=test_source,
            shuffle=True,
            random_state=int(rng.randint(largest)),
        )
        place = np.zeros((len(data.y), 1))
        split = splitter.split(place, data.y, groups, sample_source=data.labels)
        folds += [
            Fold(repeat, number, train, test, int(rng.randint(largest)))
            for number, (train, test) in enumerate(split)
        ]
    return folds


def run_folds(
    workshop: Workshop,
    folds: Sequence[Fold],
    names: Sequence[str],
    n_jobs: int | None,
) -> Iterator[tuple[Fold, str, Result]]:
    """Yield what every strategy costs in every fold, in order."""
    for fold, name, result in try_folds(workshop, folds, names, n_jobs):
        if isinstance(result, SourceError):
            raise result
        yield fold, name, result


def try_folds(
    workshop: Workshop,
    folds: Sequence[Fold],
    names: Sequence[str],
    n_jobs: int | None,
) -> Iterator[tuple[Fold, str, Result | SourceError]]:
    """Yield the same, and the error where a strategy failed."""
    tasks = [(fold, name) for fold in folds for name in names]
    parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    results = parallel(delayed(_tried)(workshop, name, fold) for fold, name in tasks)
    for (fold, name), result in zip(tasks, results):
        yield fold, name, result


def _tried(workshop: Workshop, name: str, fold: Fold) -> Result | SourceError:
    try:
        return workshop.measure(name, fold)
    except SourceError as error:
        return error


class Measured:
    """What each held-out row of each source cost, strategy by strategy.

    Parameters
    ----------
    judges : sequence of SourceJudge
        The sources.

    names : sequence of str
        The strategies.

    n_repeats, n_splits : int
        The repeats, and the folds of each.
    """

    def __init__(
        self,
        judges: Sequence[SourceJudge],
        names: Sequence[str],
        n_repeats: int,
        n_splits: int,
    ) -> None:
        self.judges = judges
        self.names = names
        self.shape = n_repeats, n_splits
        self.values: dict[tuple[str, Hashable, str], Floats] = {}
        self.zeros: set[str] = set()  # who gave a true class no chance

    def add(self, fold: Fold, name: str, result: Result) -> None:
        """Enter what a strategy costs in one fold."""
        for judge in self.judges:
            tested = fold.test[np.isin(fold.test, judge.rows)]
            own = np.searchsorted(judge.rows, tested)
            for key, value in result[judge.name].items():
                if key == ZERO:
                    self.zeros |= {name} if value else set()
                    continue
                by_row = np.ndim(value) == 1
                width = len(judge.rows) if by_row else self.shape[1]
                table = self.values.setdefault(
                    (name, judge.name, key), np.full((self.shape[0], width), np.nan)
                )
                table[fold.repeat, own if by_row else fold.number] = value

    def only(self, names: Sequence[str]) -> Measured:
        """Return the same record of some strategies."""
        kept = Measured(self.judges, names, *self.shape)
        kept.values = {key: v for key, v in self.values.items() if key[0] in names}
        kept.zeros = self.zeros & set(names)
        return kept

    def of(self, name: str, source: Hashable, key: str) -> Floats:
        """Return a measure of a strategy: a row per repeat."""
        return self.values[name, source, key]

    def loss(self, wanted: Iterable[str] = ()) -> str:
        """Return the loss that all strategies have: the properest of them."""
        shared = set.intersection(
            *({key for n, _, key in self.values if n == name} for name in self.names)
        )
        order = [*wanted, "squared error", "log loss", "Brier score", "zero-one loss"]
        if self.zeros and "log loss" not in wanted:
            order.remove("log loss")  # which is infinite
        return next(key for key in order if key in shared)
