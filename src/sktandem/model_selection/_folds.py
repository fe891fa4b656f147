"""Fitting every strategy on the same folds, and what each row then cost."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import (
    Callable,
    Container,
    Hashable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem._kept import Arrays, Kept, name_of
from sktandem._parallel import each_done, each_gathered
from sktandem._typing import Floats
from sktandem.data._cells import refuse_fields
from sktandem.data._estimator import SourceEstimator, fit_rows
from sktandem.data._fingerprint import (
    circumstances,
    fingerprint,
    fingerprint_of_rows,
)
from sktandem.data._rows import Rows
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.members._fill import filled, hole_of, is_net
from sktandem.members._models import SourceModels
from sktandem.model_selection._judges import ZERO, Answers, SourceJudge
from sktandem.model_selection._split import SourceKFold

__all__ = [
    "Experiment",
    "Fold",
    "Measured",
    "deal",
    "kept_folds",
    "run_folds",
    "try_folds",
]

KNOWN = ("Only one source", "One output for all sources")  # begin warnings

Result = dict[Hashable, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Fold:
    """One training and test, and the seed that all strategies share in it."""

    repeat: int
    number: int
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    seed: int

    def __str__(self) -> str:
        return f"fold {self.number + 1} of repeat {self.repeat + 1}"


Pairing = tuple[Fold, str]  # and the name of a strategy


@dataclass(frozen=True, eq=False)
class Experiment:
    """All that it takes to fit a strategy on a fold and to judge it.

    Attributes
    ----------
    rows : Rows
        The rows of all sources.

    strategies : dict of {str: estimator}
        What is compared, by name: members and other estimators.

    estimator : estimator instance
        What members with a hole are filled with.

    scaler : str, transformer or None
        How features reach it.

    judges : tuple of SourceJudge
        The sources to test on.
    """

    rows: Rows
    strategies: dict[str, Any]
    estimator: Any
    scaler: Any
    judges: tuple[SourceJudge, ...]

    def check(self) -> None:
        """Refuse what cannot be fitted or judged, before the work."""
        refuse_fields(self.rows.y, "models are judged by")
        for name in self.strategies:
            model = self.model(name, None)
            if isinstance(model, SourceEstimator):
                model._check_settings()

    def model(self, name: str, seed: int | None) -> Any:
        """Return a strategy's model, unfitted and seeded."""
        rng = None if seed is None else np.random.RandomState(seed)
        return filled(
            self.strategies[name],
            self.estimator,
            rng=rng,
            scaler=self.scaler,
            random_state=seed,
        )

    def fitted(self, name: str, fold: Fold) -> Any:
        """Return a strategy's model, fitted on a fold."""
        model = self.model(name, fold.seed)
        # Sources that are not tested need no models.
        needed = {"for_sources": [judge.name for judge in self.judges]}
        how = needed if isinstance(model, SourceModels) else {}
        return fit_rows(model, self.rows.take(fold.train), **how)

    def measure(self, name: str, fold: Fold) -> Result:
        """Fit a strategy on a fold and return what it costs on each source."""
        with self._trying(name, fold):
            result = self._judged(fold, self.fitted(name, fold))
        return result

    def tried(self, task: Pairing) -> Any:
        """Return a strategy's model, fitted on a fold, or the error of the fit."""
        fold, name = task
        try:
            with self._trying(name, fold):
                return self.fitted(name, fold)
        except SourceError as error:
            return error

    def judged(self, task: Pairing, fitted: Any) -> Result | SourceError:
        """Return what a fitted strategy costs on each source, or the error."""
        fold, name = task
        result: Result | SourceError
        if isinstance(fitted, SourceError):
            return fitted
        try:
            with self._trying(name, fold):
                result = self._judged(fold, fitted)
        except SourceError as error:
            result = error
        return result

    @contextmanager
    def _trying(self, name: str, fold: Fold) -> Iterator[None]:
        """Say of an error which strategy it came from, and on which fold."""
        try:
            with warnings.catch_warnings():
                if hole_of(self.strategies[name]) is not None:
                    # A fold of one source alone is what own models are, and what a
                    # member does worse its score shows.
                    for known in KNOWN:
                        warnings.filterwarnings("ignore", known, SourceWarning)
                yield
        except Exception as error:
            raise SourceError(
                f"The strategy {name!r} failed on {fold} "
                f"({len(fold.train):,} training rows): {error}"
            ) from error

    def _judged(self, fold: Fold, fitted: Any) -> Result:
        judged = np.concatenate([judge.rows for judge in self.judges])
        test = fold.test[np.isin(fold.test, judged)]
        answers = Answers(fitted, self.rows.take(test))
        # A source with fewer rows than folds has none in some of them.
        there = [j for j in self.judges if np.isin(test, j.rows).any()]
        measured: Result = {judge.name: {} for judge in self.judges}
        measured |= {j.name: j.measure(answers, test) for j in there}
        for source, losses in measured.items():
            for key, value in losses.items():
                if key in ("metric", ZERO):
                    continue
                value = np.atleast_1d(value)
                # Log loss may be infinite: then the Brier score decides.
                bad = np.isnan(value) if key == "log loss" else ~np.isfinite(value)
                if bad.any():
                    raise SourceError(f"its {key} on {source!r} is {value[bad][0]}.")
        return measured


def deal(
    rows: Rows,
    n_splits: int,
    n_repeats: int,
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
        folds += [
            Fold(repeat, number, train, test, int(rng.randint(largest)))
            for number, (train, test) in enumerate(splitter._split_rows(rows))
        ]
    return folds


def run_folds(
    experiment: Experiment,
    folds: Sequence[Fold],
    names: Sequence[str],
    n_jobs: int | None,
    *,
    optional: Container[str] = (),
    failed: dict[str, SourceError] | None = None,
    nets: Counter[str] | None = None,
    kept: Kept[Pairing, Any] | None = None,
) -> Iterator[tuple[Fold, str, Result | None]]:
    """Yield what every strategy costs in every fold, in order.

    That of an `optional` strategy is None where it could not be fitted, and its
    first error enters `failed`. `nets` is added how many nets were trained together,
    and how many alone, by the reason. What is `kept` is not done again.
    """
    for fold, name, result in try_folds(experiment, folds, names, n_jobs, nets, kept):
        if not isinstance(result, SourceError):
            yield fold, name, result
        elif failed is None or name not in optional:
            raise result
        else:
            failed.setdefault(name, result)
            yield fold, name, None


def try_folds(
    experiment: Experiment,
    folds: Sequence[Fold],
    names: Sequence[str],
    n_jobs: int | None,
    nets: Counter[str] | None = None,
    kept: Kept[Pairing, Any] | None = None,
) -> Iterator[tuple[Fold, str, Result | SourceError]]:
    """Yield the same, and the error where a strategy failed."""
    tasks = [(fold, name) for fold in folds for name in names]
    # Nets that fill holes are trained together: what they warn of is known, and never
    # shown. Others warn as they do when the user fits them.
    held = {n for n in names if hole_of(experiment.strategies[n]) is not None}
    if not is_net(experiment.estimator) or held != set(names):
        done = each_done(_tried, experiment, tasks, n_jobs, _told, kept)
    else:
        fit, ask = Experiment.tried, Experiment.judged
        counts: Counter[str] = Counter() if nets is None else nets
        how = n_jobs, _told, counts, kept
        done = each_gathered(fit, ask, experiment, tasks, *how, quiet=KNOWN)
    for (fold, name), result in done:
        yield fold, name, result


def _told(task: Pairing) -> str:
    return f"{task[1]!r} on {task[0]}"


def _tried(experiment: Experiment, task: Pairing) -> Result | SourceError:
    fold, name = task
    try:
        return experiment.measure(name, fold)
    except SourceError as error:
        return error


def kept_folds(
    experiment: Experiment, folder: Path | None, tell: Callable[[str], None]
) -> Kept[Pairing, Any] | None:
    """Return where the results of a comparison are kept; None without a folder.

    A file is found again by all that decides its numbers, and by nothing else: neither
    other strategies nor more repeats are in its name.
    """
    if folder is None:
        return None
    judges = experiment.judges
    filled = experiment.estimator, experiment.scaler
    common = (
        circumstances(),
        fingerprint_of_rows(experiment.rows),
        fingerprint("estimator", filled),
        fingerprint("scoring", judges),
    )
    of_name = {
        name: fingerprint(f"strategies[{name!r}]", strategy)
        for name, strategy in experiment.strategies.items()
    }

    def name(task: Pairing) -> str:
        fold = task[0].train, task[0].test, task[0].seed
        return name_of(*common, of_name[task[1]], fingerprint("folds", fold))

    def pack(result: Result | SourceError) -> dict[str, NDArray[Any]] | None:
        if isinstance(result, SourceError):  # which may have to do with the day
            return None
        return {
            f"{place} {key}": np.asarray(value)
            for place, judge in enumerate(judges)
            for key, value in result[judge.name].items()
        }

    def unpack(task: Pairing, arrays: Arrays) -> Result:
        tested = [(), *((np.isin(task[0].test, judge.rows).sum(),) for judge in judges)]
        result: Result = {judge.name: {} for judge in judges}
        for of, array in arrays.items():
            place, _, key = of.partition(" ")
            if array.shape not in (tested[0], tested[int(place) + 1]):
                raise ValueError(f"{key!r} has the shape {array.shape}")
            value = array if array.ndim else array.item()
            result[judges[int(place)].name][key] = value
        return result

    return Kept(folder, name, pack, unpack, tell)


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

    def add(self, fold: Fold, name: str, result: Result | None) -> None:
        """Enter what a strategy costs in one fold; None where it failed."""
        if result is None:
            return
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
        """Return the loss that all strategies have: the most proper of them."""
        shared = set.intersection(
            *({key for n, _, key in self.values if n == name} for name in self.names)
        )
        proper = ["log loss", "Brier score", "zero-one loss", "squared error"]
        if self.zeros:
            proper.remove("log loss")  # which is infinite
        order = [*wanted, *proper]
        return next(key for key in order if key in shared)
