"""Fits that run at once, and what to say where a process dies."""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from typing import Any, TypeVar

import numpy as np
from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from sktandem._kept import Arrays, Kept, name_of
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

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Fitted = TypeVar("Fitted")
Result = TypeVar("Result")


def each_done(
    run: Callable[[Shared, Task], Result],
    shared: Shared,
    tasks: Sequence[Task],
    n_jobs: int | None,
    told: Callable[[Task], str],
    kept: Kept[Task, Result] | None = None,
) -> Iterator[tuple[Task, Result]]:
    """Yield each task with its result, in order, from as many processes as asked for.

    `shared` is what all tasks need; it goes to each worker once. `told` names a task in
    the error that says that a process died. What is `kept` is not done again.
    """
    if n_jobs is not None and (not is_integer(n_jobs) or n_jobs == 0):
        raise SourceError(
            f"n_jobs must be None or an integer other than 0, got {n_jobs!r}. -1 takes "
            "all processors."
        )
    known = {} if kept is None else kept.known(tasks)
    left = [place for place in range(len(tasks)) if place not in known]
    waiting: dict[int, Result] = {}
    at = 0
    try:
        come = _as_they_come(run, shared, tasks, left, n_jobs, kept)
        for place, result in chain(known.items(), come):
            waiting[place] = result
            while at in waiting:
                yield tasks[at], waiting.pop(at)
                at += 1
    except _deaths() as error:
        # Which of its processes died a pool does not tell, but not more fits than these
        # were under way: joblib hands out twice as many as there are processes.
        under_way = [tasks[p] for p in left if p >= at and p not in waiting]
        under_way = under_way[: 2 * effective_n_jobs(n_jobs)]
        names = "; ".join(map(told, under_way[:MOST_TOLD]))
        more = len(under_way) - MOST_TOLD
        names += f" and {more} more" if more > 0 else ""
        raise SourceError(
            f"A process of n_jobs={n_jobs} died, most often because memory ran out. It "
            f"was at one of these fits: {names}. Lower n_jobs, or find out with "
            "n_jobs=1 what kills it."
        ) from error


def _as_they_come(
    run: Callable[[Shared, Task], Result],
    shared: Shared,
    tasks: Sequence[Task],
    left: Sequence[int],
    n_jobs: int | None,
    kept: Kept[Task, Result] | None,
) -> Iterator[tuple[int, Result]]:
    """Do the tasks that are left; yield place and result of each when it is done."""
    if not left:
        return
    handed = _handed(shared, n_jobs)
    # Ray and multiprocessing give all results at the end: to keep some before it, a
    # part is done at a time.
    one_by_one = get_active_backend()[0].supports_return_generator
    how = "generator_unordered" if one_by_one else "list"
    size = len(left)
    if kept is not None and not one_by_one:
        size = 4 * effective_n_jobs(n_jobs)
    parts = [left[at : at + size] for at in range(0, len(left), size)]
    with Parallel(n_jobs=n_jobs, return_as=how) as parallel:
        for part in parts:
            calls = (delayed(_placed)(run, handed, p, tasks[p]) for p in part)
            for place, result in parallel(calls):
                if kept is not None:
                    kept.keep(tasks[place], result)
                yield place, result


def _placed(
    run: Callable[[Shared, Task], Result], handed: Any, place: int, task: Task
) -> tuple[int, Result]:
    # In ray it is fetched here. Of dask's workers it is there, but where a single one
    # is left joblib does the tasks itself.
    shared = handed.result() if hasattr(handed, "result") else handed
    return place, run(shared, task)


@dataclass(frozen=True, eq=False)
class InRay:
    """Where ray keeps an object that all tasks need."""

    ref: Any

    def result(self) -> Any:
        """Return the object, whose arrays are not copied."""
        import ray

        return ray.get(self.ref)


def _handed(shared: Any, n_jobs: int | None) -> Any:
    """Return the argument by which an object goes once to each worker of a cluster."""
    backend = get_active_backend()[0]
    cluster = type(backend).__name__
    if cluster == "DaskDistributedBackend" and backend.effective_n_jobs(n_jobs) > 1:
        # joblib itself would send it with every task, as it looks small from outside,
        # or to one worker, and were that killed, nobody had it.
        return backend.client.scatter([shared], broadcast=True, hash=False)[0]
    if cluster == "RayBackend":
        import ray

        return InRay(ray.put(shared))
    return shared


def _deaths() -> tuple[type[BaseException], ...]:
    """Return the errors that say that a process died."""
    found: list[type[BaseException]] = [BrokenProcessPool]
    # Of dask, which tries elsewhere: a task that killed several, or all that had X.
    if "distributed" in sys.modules:
        found += [sys.modules["distributed"].KilledWorker, CancelledError]
    if "ray" in sys.modules:
        found.append(sys.modules["ray"].exceptions.RayActorError)
    return tuple(found)


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
    fit: Callable[[Shared, Task], Fitted],
    ask: Callable[[Shared, Task, Fitted], Result],
    shared: Shared,
    tasks: Sequence[Task],
    n_jobs: int | None,
    told: Callable[[Task], str],
    counts: Counter[str],
    kept: Kept[Task, Result] | None = None,
    *,
    quiet: Sequence[str] = (),
    apart: Callable[[Task], Hashable] = lambda task: None,
) -> Iterator[tuple[Task, Result]]:
    """Yield each task with its result, in order; nets are trained a few tasks at once.

    `counts` are added how many were, and how many were not, by the reason. Of
    training itself no warning is shown that begins with one of `quiet`. Tasks are not
    trained together where `apart` differs, as it does between such as are `kept` and
    others.
    """
    # So many at a time whatever n_jobs is: beside other nets one rounds otherwise.
    parts = [
        part[at : at + AT_ONCE]
        for part in (list(group) for _, group in groupby(tasks, apart))
        for at in range(0, len(part), AT_ONCE)
    ]
    run = partial(_fit_and_ask, fit, ask, quiet)
    for part, (results, own) in each_done(
        run,
        shared,
        parts,
        n_jobs,
        lambda part: "; ".join(map(told, part)),
        None if kept is None else _by_part(kept),
    ):
        counts.update(own)
        yield from zip(part, results)


def _fit_and_ask(
    fit: Callable[[Shared, Task], Fitted],
    ask: Callable[[Shared, Task, Fitted], Result],
    quiet: Sequence[str],
    shared: Shared,
    tasks: Sequence[Task],
) -> tuple[list[Result], Counter[str]]:
    with warnings.catch_warnings(), gathered() as gathering:
        for known in quiet:
            warnings.filterwarnings("ignore", known, SourceWarning)
        fitted: deque[Fitted] = deque()  # which are let go one by one
        for gathering.task, task in enumerate(tasks):
            fitted.append(fit(shared, task))
    results = []
    for place, task in enumerate(tasks):
        own = fitted.popleft()
        # What failed is done again by itself, and its error comes where it belongs.
        if place in gathering.failed:
            own = fit(shared, task)
        results.append(ask(shared, task, own))
    return results, gathering.told


def _by_part(kept: Kept[Task, Result]) -> Kept[Any, Any]:
    """Return the same folder with a file for each part, as nets round together."""

    def name(part: Sequence[Task]) -> str | None:
        names = [kept.name(task) for task in part]
        return None if None in names else name_of("together", *map(str, names))

    def pack(done: tuple[list[Result], Counter[str]]) -> dict[str, Any] | None:
        results, counts = done
        packed = [kept.pack(result) for result in results]
        if any(arrays is None for arrays in packed):
            return None
        every = {
            f"{place} {key}": array
            for place, arrays in enumerate(packed)
            for key, array in (arrays or {}).items()
        }
        return {**every, "counts": np.array(json.dumps(counts))}

    def unpack(
        part: Sequence[Task], arrays: Arrays
    ) -> tuple[list[Result], Counter[str]]:
        own: list[dict[str, NDArray[Any]]] = [{} for _ in part]
        for key, array in arrays.items():
            if key != "counts":
                place, _, name = key.partition(" ")
                own[int(place)][name] = array
        results = [kept.unpack(task, each) for task, each in zip(part, own)]
        return results, Counter(json.loads(str(arrays["counts"])))

    return Kept(kept.folder, name, pack, unpack, kept.tell, len)
