"""What every member predicts for rows that it was not trained on."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils.parallel import Parallel, delayed

from sktandem._settings import is_integer
from sktandem._telling import counted, warn
from sktandem._typing import Floats
from sktandem.data._estimator import fit_rows
from sktandem.data._rows import Rows
from sktandem.data._sources import UNKNOWN, Sources
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.members import OtherSources
from sktandem.members._models import SourceModels
from sktandem.model_selection._folds import Fold, deal
from sktandem.tandem._judge import Judge, Limits

__all__ = [
    "FittedMember",
    "OutOfFold",
    "alone",
    "answers_of",
    "folds_of",
    "kept",
    "out_of_fold",
]


@dataclass(frozen=True, eq=False)
class FittedMember:
    """A member that was fitted, for the sources for which that worked.

    Attributes
    ----------
    model : estimator instance or None
        The fitted estimator; None if it failed for all.

    failures : dict of {source: Exception}
        Why it cannot answer for a source.
    """

    model: Any
    failures: dict[Hashable, Exception]

    def read(
        self, judge: Judge, rows: Rows, asked: NDArray[np.intp], codes: NDArray[Any]
    ) -> Floats:
        """Return what it answers for the rows asked, as a judge reads it."""
        return judge.read(self.model, rows.take(asked))


@dataclass(frozen=True, eq=False)
class Task:
    """One fit: of a member, on the training rows of a fold, or on all rows.

    Attributes
    ----------
    name : str
        The member.

    model : estimator instance
        It, unfitted.

    fold : Fold or None
        The fold; None for all rows.

    unknown : bool
        Whether the held-out rows are asked as those of unknown sources.
    """

    name: str
    model: Any
    fold: Fold | None
    unknown: bool = False


def fit_member(model: Any, rows: Rows) -> FittedMember:
    """Fit a clone of a member; of models by source as many as can be fitted."""
    names = rows.names
    by_source = isinstance(model, SourceModels)
    how: dict[str, Any] = {"for_sources": names} if by_source else {}
    with warnings.catch_warnings():
        # A fold of one source alone is what own models are.
        warnings.filterwarnings("ignore", "Only one source", SourceWarning)
        try:
            return FittedMember(fit_rows(clone(model), rows, **how), {})
        except Exception as error:
            if isinstance(error, MemoryError):
                raise
            if not by_source or len(names) == 1:
                return FittedMember(None, dict.fromkeys(rows.names, error))
        failures = {}
        for name in names:
            try:
                fit_rows(clone(model), rows, for_sources=[name])
            except MemoryError:
                raise
            except Exception as error:
                failures[name] = error
        able = [name for name in names if name not in failures]
        fitted = fit_rows(clone(model), rows, for_sources=able) if able else None
        return FittedMember(fitted, failures)


def run(
    tasks: Sequence[Task], rows: Rows, judge: Judge, target: Floats, n_jobs: int | None
) -> Iterator[tuple[Task, FittedMember, Floats | None, int]]:
    """Yield each task with its fitted member and what it answers for the held out.

    The last is how many numbers were clipped.
    """
    parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    done = parallel(delayed(_done)(task, rows, judge, target) for task in tasks)
    for task, (fitted, answers, clipped) in zip(tasks, done):
        yield task, fitted, answers, clipped


def _done(
    task: Task, rows: Rows, judge: Judge, target: Floats
) -> tuple[FittedMember, Floats | None, int]:
    every = np.arange(len(rows))
    train = every if task.fold is None else task.fold.train
    fitted = fit_member(task.model, rows.take(train))
    sees_own = not isinstance(task.model, OtherSources)
    if fitted.model is None or (task.fold is None and sees_own):
        return fitted, None, 0
    test = every if task.fold is None else task.fold.test
    codes = rows.sources.codes
    limits = Limits.of(judge, target, rows, train)
    if task.unknown:
        rows = replace(rows, sources=Sources(rows.names, np.full_like(codes, UNKNOWN)))
    found, n_clipped, failures = _answered(fitted, rows, test, judge, limits)
    # A model of a fold has done its work.
    model = fitted.model if task.fold is None else None
    return FittedMember(model, fitted.failures | failures), found, n_clipped


def _answered(
    fitted: FittedMember,
    rows: Rows,
    asked: NDArray[np.intp],
    judge: Judge,
    limits: Limits,
) -> tuple[Floats, int, dict[Hashable, Exception]]:
    """Return the answers for the rows asked, source by source, and what failed."""
    answers = np.full((len(asked), limits.width), np.nan)
    codes, clipped, failures = rows.sources.codes[asked], 0, {}
    for code in np.unique(codes):
        own = codes == code
        try:
            answers[own], n = answers_of(fitted, rows, asked[own], judge, limits)
        except MemoryError:
            raise
        except Exception as error:  # such as of neighbours that are too few
            failures[rows.names[code]] = error
            continue
        clipped += n
    return answers, clipped, failures


def answers_of(
    fitted: FittedMember,
    rows: Rows,
    asked: NDArray[np.intp],
    judge: Judge,
    limits: Limits,
) -> tuple[Floats, int]:
    """Return what a fitted member answers for the rows asked, and the clipped.

    It is nan for the sources that the member cannot answer for.
    """
    codes = rows.sources.codes[asked]
    # The last place is that of unknown sources, whose code is -1.
    able = np.array(
        [name not in fitted.failures for name in rows.names]
        + [fitted.model is not None]
    )
    can = able[codes]
    answers = np.full((len(asked), limits.width), np.nan)
    if not can.any():
        return answers, 0
    raw = fitted.read(judge, rows, asked[can], codes[can])
    answers[can] = judge.within(raw, codes[can], limits)
    n_clipped = 0 if judge.classes is not None else int((answers[can] != raw).sum())
    return answers, n_clipped


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What members predict for all rows, each by a model that did not see it.

    Attributes
    ----------
    names : tuple of str
        The members.

    answers : ndarray of shape (n_members, n_rows, n_values)
        What they predict; nan where a member cannot answer for a source.

    models : dict of {str: FittedMember}
        The members fitted on all rows.

    fold : ndarray of shape (n_rows,)
        The fold in which each row was held out.

    clipped : dict of {str: int}
        How many numbers of each member were clipped.
    """

    names: tuple[str, ...]
    answers: Floats
    models: dict[str, FittedMember]
    fold: NDArray[np.intp]
    clipped: dict[str, int]

    def able(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the members that answer for all of some rows."""
        finite = np.isfinite(self.answers[:, rows]).all(axis=(1, 2))
        return np.flatnonzero(finite)


def out_of_fold(
    members: Mapping[str, Any],
    rows: Rows,
    folds: Sequence[Fold],
    judge: Judge,
    n_jobs: int | None,
    tell: Any,
    *,
    unknown: bool = False,
) -> OutOfFold:
    """Fit every member on every fold, and on all rows.

    With `unknown` the folds leave out whole sources, their rows are asked as those
    of unknown ones, and nothing is fitted on all rows.
    """
    target = judge.target(rows.y)
    names = tuple(members)
    # A model that never sees its source's rows needs no folds.
    tasks = [
        Task(name, model, fold, unknown)
        for fold in ([*folds] if unknown else [*folds, None])
        for name, model in members.items()
        if fold is None or unknown or not isinstance(model, OtherSources)
    ]
    answers = np.full((len(names), *target.shape), np.nan)
    held = np.zeros(len(rows), dtype=np.intp)
    models: dict[str, FittedMember] = {}
    failures: dict[str, dict[Hashable, Exception]] = {name: {} for name in names}
    clipped = dict.fromkeys(names, 0)
    for task, fitted, found, n_clipped in run(tasks, rows, judge, target, n_jobs):
        test = slice(None) if task.fold is None else task.fold.test
        if found is not None:
            answers[names.index(task.name), test] = found
        if task.fold is None:
            models[task.name] = fitted
            tell(f"fitted {task.name!r} on all {len(rows):,} rows")
        else:
            held[task.fold.test] = task.fold.number
            tell(f"fold {task.fold.number + 1} of {len(folds)}: {task.name!r}")
        clipped[task.name] += n_clipped
        for source, error in fitted.failures.items():
            where = "all rows" if task.fold is None else f"fold {task.fold.number + 1}"
            explained = SourceError(
                f"The member {task.name!r} failed on {where}: {error}"
            )
            explained.__cause__ = error
            failures[task.name].setdefault(source, explained)
    for place, name in enumerate(names):
        for source in failures[name]:
            # What cannot be fitted in one fold has no weight that could be learned.
            answers[place, rows.of(source)] = np.nan
        whole = models[name].model if name in models else None
        models[name] = FittedMember(whole, failures[name])
    return OutOfFold(names, answers, models, held, clipped)


def alone(members: Mapping[str, Any], rows: Rows, target: Floats) -> OutOfFold:
    """Fit the one member that is left where there is a single source."""
    ((name, model),) = members.items()
    fitted = FittedMember(fit_rows(clone(model), rows), {})
    answers = np.full((1, *target.shape), np.nan)
    held = np.zeros(len(rows), dtype=np.intp)
    return OutOfFold((name,), answers, {name: fitted}, held, {name: 0})


def kept(found: OutOfFold, *, named: bool) -> OutOfFold:
    """Leave out members of ours that failed; refuse those the user named.

    Own models, the first, stay: without an answer, they are what nothing is gained
    over.
    """
    lives = np.asarray(np.isfinite(found.answers).any(axis=(1, 2)))
    dead = [name for name, alive in zip(found.names, lives) if not alive]
    errors = [next(iter(found.models[name].failures.values())) for name in dead]
    if errors and (named or not lives.any()):
        raise errors[0]
    if dead:
        told = "; ".join(str(error).splitlines()[0] for error in errors)
        warn(f"{counted(len(dead), 'member')} left out: {told}")
    for name in found.names:
        failures = found.models[name].failures
        if failures and name not in dead:
            why = str(next(iter(failures.values()))).splitlines()[0]
            warn(f"{name!r} cannot answer for {list(failures)}. {why}")
    lives[0] = True
    names = tuple(name for name, alive in zip(found.names, lives) if alive)
    clipped = {name: found.clipped[name] for name in names}
    return replace(found, names=names, answers=found.answers[lives], clipped=clipped)


def folds_of(cv: Any, rows: Rows, rng: np.random.RandomState) -> list[Fold]:
    """Return the inner folds: so many, or those that the user gives."""
    if is_integer(cv):
        units = rows.sources.sizes
        if rows.groups is not None:
            parts = (rows.groups[own] for own in rows.sources.rows)
            units = np.array([len(np.unique(part)) for part in parts])
        return deal(rows, max(2, min(cv, int(units.max()))), 1, None, rng)
    try:
        splits = list(check_cv(cv).split(rows.X, rows.y, rows.groups))
        held = np.concatenate([test for _, test in splits])
    except (TypeError, ValueError) as error:
        if hasattr(cv, "split"):  # a splitter says itself what is wrong
            raise
        raise SourceError(
            "cv must be an integer, a splitter or pairs of training and test rows, got "
            f"{cv!r}: {error}"
        ) from error
    folds = [
        Fold(0, number, train, test, int(rng.randint(np.iinfo(np.int32).max)))
        for number, (train, test) in enumerate(splits)
    ]
    if not np.array_equal(np.sort(held), np.arange(len(rows))):
        raise SourceError(
            f"cv must hold out every row once, got {len(held):,} held-out rows of "
            f"{len(rows):,}. Repeated and shuffled splits do not."
        )
    return folds
