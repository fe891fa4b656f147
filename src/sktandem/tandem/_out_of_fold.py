"""What every member predicts for rows that it was not trained on."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import check_cv

from sktandem._callbacks import parts_of_fit, without_parts
from sktandem._kept import Arrays, Kept, name_of
from sktandem._parallel import TOGETHER, each_done, each_gathered
from sktandem._settings import is_integer
from sktandem._telling import counted, warn
from sktandem._typing import Floats
from sktandem.data._estimator import fit_rows
from sktandem.data._fingerprint import (
    circumstances,
    fingerprint,
    fingerprint_of_rows,
)
from sktandem.data._rows import Rows
from sktandem.data._sources import UNKNOWN, Sources
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.members import OtherSources, StackedOwnModels
from sktandem.members._fill import holds_net
from sktandem.members._models import SourceModels
from sktandem.members._others import blocks_of
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


Result = tuple["FittedMember", Floats | None]


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

    is_donor: ClassVar[bool] = False

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

    def is_whole(self) -> bool:
        """Tell whether it is fitted on all rows."""
        return self.fold is None

    @property
    def where(self) -> str:
        """What it is fitted on, as messages say it."""
        return "all rows" if self.fold is None else f"fold {self.fold.number + 1}"

    def codes(self, rows: Rows) -> NDArray[np.intp]:
        """Return the sources that the held-out rows are asked as."""
        codes = rows.sources.codes
        return np.full_like(codes, UNKNOWN) if self.unknown else codes


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


Shared = tuple[Rows, Judge]


def run(shared: Shared, task: Task) -> Result:
    """Return the fitted member, and what it answers for the held out."""
    return asked(shared, task, fitted(shared, task))


def fitted(shared: Shared, task: Task) -> FittedMember:
    """Return a member fitted on the rows of its task."""
    rows, _ = shared
    train = np.arange(len(rows)) if task.fold is None else task.fold.train
    with without_parts():  # which is told of by its task, in whatever process
        return fit_member(task.model, rows.take(train))


def asked(shared: Shared, task: Task, fitted: FittedMember) -> Result:
    """Return a fitted member, and what it answers for the held out."""
    rows, judge = shared
    sees_own = not isinstance(task.model, OtherSources)
    if fitted.model is None or (task.fold is None and sees_own):
        return fitted, None
    test = np.arange(len(rows)) if task.fold is None else task.fold.test
    if task.unknown:
        rows = replace(rows, sources=Sources(rows.names, task.codes(rows)))
    found, failures = _answered(fitted, rows, test, judge)
    # A model of a fold has done its work.
    model = fitted.model if task.fold is None else None
    return FittedMember(model, fitted.failures | failures), found


def each_run(
    rows: Rows,
    judge: Judge,
    tasks: Sequence[Task],
    n_jobs: int | None,
    counts: Counter[str],
    kept: Kept[Task, Result] | None,
) -> Iterator[tuple[Task, Result]]:
    """Yield each task with what `run` returns; nets are trained together.

    `counts` are added how many nets were, and how many were not, by the reason.
    """
    told = "{0.name!r} on {0.where}".format
    shared = rows, judge
    if not any(holds_net(task.model) for task in tasks):
        return each_done(run, shared, tasks, n_jobs, told, kept)
    how = n_jobs, told, counts, kept
    return each_gathered(fitted, asked, shared, tasks, *how, apart=Task.is_whole)


def kept_answers(
    rows: Rows, judge: Judge, folder: Path | None, tell: Callable[[str], None]
) -> Kept[Task, Result] | None:
    """Return where answers out of fold are kept; None without a folder.

    Models are not: they would be pickles, which run what somebody put into them.
    """
    if folder is None:
        return None
    common = circumstances(), fingerprint_of_rows(rows), fingerprint("loss", judge)

    def name(task: Task) -> str | None:
        if task.fold is None:
            return None
        fold = task.fold.train, task.fold.test, task.unknown
        return name_of(
            *common, fingerprint(task.name, task.model), fingerprint("cv", fold)
        )

    def pack(result: Result) -> dict[str, NDArray[Any]] | None:
        member, answers = result
        if answers is None or member.failures:  # which are tried again
            return None
        return {"answers": answers}

    def unpack(task: Task, arrays: Arrays) -> Result:
        assert task.fold is not None
        answers = arrays["answers"]
        if answers.shape != (len(task.fold.test), judge.n_values):
            raise ValueError(f"it has answers of shape {answers.shape}")
        return FittedMember(None, {}), answers

    return Kept(folder, name, pack, unpack, tell)


def _answered(
    fitted: FittedMember, rows: Rows, asked: NDArray[np.intp], judge: Judge
) -> tuple[Floats, dict[Hashable, Exception]]:
    """Return the answers for the rows asked, source by source, and what failed."""
    answers = np.full((len(asked), judge.n_values), np.nan)
    codes = rows.sources.codes[asked]
    failures: dict[Hashable, Exception] = {}
    by_source = isinstance(fitted.model, SourceModels)
    for code in np.unique(codes):
        own, name = codes == code, rows.names[code]
        known = fitted.model.sources_ if by_source and code != UNKNOWN else (name,)
        if name not in known:  # of one source alone, it would answer for any
            failures[name] = SourceError(f"there is no row of {name!r} to train on.")
            continue
        try:
            answers[own] = answers_of(fitted, rows, asked[own], judge)
        except MemoryError:
            raise
        except Exception as error:  # such as of neighbours that are too few
            failures[name] = error
            continue
        empty = int(np.isnan(answers[own]).any(axis=1).sum())
        if empty and name not in fitted.failures:
            failures[name] = SourceError(f"it gives nan for {counted(empty, 'row')}.")
    return answers, failures


def answers_of(
    fitted: FittedMember, rows: Rows, asked: NDArray[np.intp], judge: Judge
) -> Floats:
    """Return what a fitted member answers for the rows asked.

    It is nan for the sources that the member cannot answer for.
    """
    codes = rows.sources.codes[asked]
    # The last place is that of unknown sources, whose code is -1.
    able = np.array(
        [name not in fitted.failures for name in rows.names]
        + [fitted.model is not None]
    )
    can = able[codes]
    answers = np.full((len(asked), judge.n_values), np.nan)
    if can.any():
        answers[can] = fitted.read(judge, rows, asked[can], codes[can])
    return answers


def _reported(fits: Iterator[Any], n_fits: int) -> Iterator[Any]:
    """Yield the fits, and tell callbacks of each."""
    with parts_of_fit("fit-members", n_fits) as tell:
        for task, result in fits:
            tell(f"{task.name} on {task.where}")
            yield task, result


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

    own : ndarray of shape (n_rows, n_values)
        What the first member, the own models, predicts as it is: what gains are over.

    fold : ndarray of shape (n_rows,)
        The fold in which each row was held out.

    clipped : dict of {str: int}
        How many numbers of each member were clipped.

    nets : dict of {str: int}
        How many nets were trained together, and alone, by the reason.
    """

    names: tuple[str, ...]
    answers: Floats
    models: dict[str, FittedMember]
    own: Floats
    fold: NDArray[np.intp]
    clipped: dict[str, int]
    nets: dict[str, int] = field(default_factory=dict)

    @property
    def is_donor(self) -> NDArray[np.bool_]:
        """Whether each member is a donor."""
        return np.array([self.models[name].is_donor for name in self.names])

    @cached_property
    def finite(self) -> NDArray[np.bool_]:
        """Whether each member answers for each row."""
        return np.asarray(np.isfinite(self.answers).all(axis=2))

    def able(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the members that answer for all of some rows."""
        return np.flatnonzero(self.finite[:, rows].all(axis=1))


def out_of_fold(
    members: Mapping[str, Any],
    rows: Rows,
    folds: Sequence[Fold],
    judge: Judge,
    n_jobs: int | None,
    tell: Any,
    folder: Path | None = None,
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
    tell(told_cost(tasks, rows))
    answers = np.full((len(names), *target.shape), np.nan)
    own = np.full(target.shape, np.nan)
    held = np.zeros(len(rows), dtype=np.intp)
    models: dict[str, FittedMember] = {}
    failures: dict[str, dict[Hashable, Exception]] = {name: {} for name in names}
    clipped = dict.fromkeys(names, 0)
    everything = np.arange(len(rows))
    counts: Counter[str] = Counter()
    kept = kept_answers(rows, judge, folder, tell)
    fits = each_run(rows, judge, tasks, n_jobs, counts, kept)
    for task, (fitted, raw) in _reported(fits, len(tasks)):
        fold = task.fold
        train = everything if fold is None else fold.train
        test = everything if fold is None else fold.test
        if raw is not None:
            limits = Limits.of(judge, target, rows, train)
            inside = judge.within(raw, task.codes(rows)[test], limits)
            answers[names.index(task.name), test] = inside
            clipped[task.name] += judge.n_clipped(raw, inside)
            if task.name == names[0]:
                own[test] = raw
        if task.fold is None:
            models[task.name] = fitted
            tell(f"fitted {task.name!r} on all {len(rows):,} rows")
        else:
            held[task.fold.test] = task.fold.number
            tell(f"fold {task.fold.number + 1} of {len(folds)}: {task.name!r}")
        for source, error in fitted.failures.items():
            explained = SourceError(
                f"The member {task.name!r} failed on {task.where}: {error}"
            )
            explained.__cause__ = error
            failures[task.name].setdefault(source, explained)
    for place, name in enumerate(names):
        for source in failures[name]:
            # What cannot be fitted in one fold has no weight that could be learned.
            answers[place, rows.of(source)] = np.nan
        whole = models[name].model if name in models else None
        models[name] = FittedMember(whole, failures[name])
    if counts:
        tell(told_together(counts))
    return OutOfFold(names, answers, models, own, held, clipped, dict(counts))


def told_together(counts: Mapping[str, int]) -> str:
    """Return how many nets were trained together, and why others were not."""
    alone = [f"{n} alone: {why}" for why, n in counts.items() if why != TOGETHER]
    return "; ".join([f"{counts.get(TOGETHER, 0)} nets trained together", *alone])


def told_cost(tasks: Sequence[Task], rows: Rows) -> str:
    """Return how many rows the members are fitted on, for those who wait."""
    outer = inner = 0
    for task in tasks:
        part = slice(None) if task.fold is None else task.fold.train
        sizes = np.bincount(rows.sources.codes[part], minlength=len(rows.names))
        n = int(sizes.sum())
        if isinstance(task.model, OtherSources):
            outer += int((n - np.bincount(blocks_of(rows.names), sizes)).sum())
        else:
            outer += n
        if isinstance(task.model, StackedOwnModels):
            inner += n * min(task.model.cv, int(sizes.min()))
    times = outer / len(rows)
    told = f"{len(tasks)} fits on {outer:,} rows in all, {times:.1f} times those given"
    return f"{told}, and on {inner:,} of own models as a feature" if inner else told


def alone(members: Mapping[str, Any], rows: Rows, target: Floats) -> OutOfFold:
    """Fit the one member that is left where there is a single source."""
    ((name, model),) = members.items()
    fitted = FittedMember(fit_rows(clone(model), rows), {})
    answers = np.full((1, *target.shape), np.nan)
    held = np.zeros(len(rows), dtype=np.intp)
    return OutOfFold((name,), answers, {name: fitted}, answers[0], held, {name: 0})


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


def folds_of(
    cv: Any, rows: Rows, judge: Judge, rng: np.random.RandomState
) -> list[Fold]:
    """Return the inner folds: so many, or those that the user gives."""
    if is_integer(cv):
        units = rows.sources.sizes
        if rows.groups is not None:
            parts = (rows.groups[own] for own in rows.sources.rows)
            units = np.array([len(np.unique(part)) for part in parts])
        # Not by quantile of y: training rows with the very mean of the held-out ones
        # flatter the own models of few rows, and hide what the others give.
        flat = rows if judge.classes is not None else replace(rows, y=None)
        return deal(flat, max(2, min(cv, int(units.max()))), 1, None, rng)
    try:
        splitter, how = check_cv(cv), {}
        if "sample_source" in signature(splitter.split).parameters:
            how["sample_source"] = rows.labels
        splits = list(splitter.split(rows.X, rows.y, rows.groups, **how))
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
