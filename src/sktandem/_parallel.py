"""Fits that run at once, and what to say where a process dies."""

from __future__ import annotations

import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel, delayed

from sktandem._settings import is_integer
from sktandem.exceptions import SourceError, SourceWarning

__all__ = [
    "TOGETHER",
    "Gathering",
    "each_done",
    "each_gathered",
    "gathered",
    "gathering_now",
]

MOST_TOLD = 8  # fits in a message
AT_ONCE = 32  # tasks whose nets are trained as one
TOGETHER = "together"

Task = TypeVar("Task")
Fitted = TypeVar("Fitted")
Result = TypeVar("Result")


def each_done(
    run: Callable[[Task], Result],
    tasks: Sequence[Task],
    n_jobs: int | None,
    told: Callable[[Task], str],
) -> Iterator[tuple[Task, Result]]:
    """Yield each task with its result, in order, from as many processes as asked for.

    `told` names a task in the error that says that a process died.
    """
    if n_jobs is not None and (not is_integer(n_jobs) or n_jobs == 0):
        raise SourceError(
            f"n_jobs must be None or an integer other than 0, got {n_jobs!r}. -1 takes "
            "all processors."
        )
    # Ray and multiprocessing give all results at the end.
    one_by_one = get_active_backend()[0].supports_return_generator
    how = "generator" if one_by_one else "list"
    done = 0
    try:
        parallel = Parallel(n_jobs=n_jobs, return_as=how)
        for task, result in zip(tasks, parallel(delayed(run)(task) for task in tasks)):
            done += 1
            yield task, result
    except BrokenProcessPool as error:
        # Which of its processes died a pool does not tell, but not more fits than these
        # were under way: joblib hands out twice as many as there are processes.
        under_way = tasks[done : done + 2 * effective_n_jobs(n_jobs)]
        names = "; ".join(map(told, under_way[:MOST_TOLD]))
        more = len(under_way) - MOST_TOLD
        names += f" and {more} more" if more > 0 else ""
        raise SourceError(
            f"A process of n_jobs={n_jobs} died, most often because memory ran out. It "
            f"was at one of these fits: {names}. Lower n_jobs, or find out with "
            "n_jobs=1 what kills it."
        ) from error


# Fits that wait for each other ----------------------------------------------------


class Gathering:
    """Fits of nets that wait, to be done as one.

    Attributes
    ----------
    waiting : list
        What waits: each has ``do_all(waiting)``, which returns those that failed.

    task : int
        The task whose fits come now.

    failed : set of int
        The tasks with a fit that failed.

    told : Counter of str
        How many nets were trained together, and by themselves, by the reason.
    """

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.task = 0
        self.failed: set[int] = set()
        self.told: Counter[str] = Counter()

    def do(self) -> None:
        """Do the fits that wait."""
        waiting, self.waiting = self.waiting, []
        if waiting:
            self.failed |= {failed.task for failed in waiting[0].do_all(waiting)}


_gathering: ContextVar[Gathering | None] = ContextVar("gathering", default=None)


@contextmanager
def gathered() -> Iterator[Gathering]:
    """Let fits of nets wait in the block, and do them when it ends.

    What was learned is there before if somebody asks for it.
    """
    gathering = Gathering()
    token = _gathering.set(gathering)
    try:
        yield gathering
        gathering.do()
    finally:
        _gathering.reset(token)


def gathering_now() -> Gathering | None:
    """Return what fits may wait in; None if they are to be done at once."""
    return _gathering.get()


def each_gathered(
    fit: Callable[[Task], Fitted],
    ask: Callable[[Task, Fitted], Result],
    tasks: Sequence[Task],
    n_jobs: int | None,
    told: Callable[[Task], str],
    counts: Counter[str],
    *,
    quiet: Sequence[str] = (),
) -> Iterator[tuple[Task, Result]]:
    """Yield each task with its result, in order; nets are trained a few tasks at once.

    `counts` are added how many were, and how many were not, by the reason. Of
    training itself no warning is shown that begins with one of `quiet`.
    """
    # So many at a time whatever n_jobs is: beside other nets one rounds otherwise.
    parts = [tasks[at : at + AT_ONCE] for at in range(0, len(tasks), AT_ONCE)]
    run = partial(_fit_and_ask, fit, ask, quiet)
    for part, (results, own) in each_done(
        run, parts, n_jobs, lambda part: "; ".join(map(told, part))
    ):
        counts.update(own)
        yield from zip(part, results)


def _fit_and_ask(
    fit: Callable[[Task], Fitted],
    ask: Callable[[Task, Fitted], Result],
    quiet: Sequence[str],
    tasks: Sequence[Task],
) -> tuple[list[Result], Counter[str]]:
    with warnings.catch_warnings(), gathered() as gathering:
        for known in quiet:
            warnings.filterwarnings("ignore", known, SourceWarning)
        fitted: deque[Fitted] = deque()  # which are let go one by one
        for gathering.task, task in enumerate(tasks):
            fitted.append(fit(task))
    results = []
    for place, task in enumerate(tasks):
        own = fitted.popleft()
        # What failed is done again by itself, and its error comes where it belongs.
        if place in gathering.failed:
            own = fit(task)
        results.append(ask(task, own))
    return results, gathering.told
