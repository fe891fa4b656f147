"""Fits that run at once, and what to say where a process dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel, delayed

from sktandem._settings import is_integer
from sktandem.exceptions import SourceError

__all__ = ["each_done"]

MOST_TOLD = 8  # fits in a message

Task = TypeVar("Task")
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
