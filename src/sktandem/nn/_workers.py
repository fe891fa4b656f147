"""Processes that read batches ahead of the training, as the workers of a DataLoader."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Callable
from multiprocessing import parent_process
from queue import Empty
from typing import Any

import torch
import torch.multiprocessing as mp

from sktandem.exceptions import SourceError

__all__ = ["Workers"]

EVERY = 1.0  # seconds between looks at whether the other side is still there
Wanted = tuple[int, tuple[int, ...]]  # a pass, and rows


class Workers:
    """Processes that make batches, which may be asked for long before they are taken.

    A DataLoader reads in one order that is known from the start. Here a schedule
    decides step by step which source is next, so each batch is asked for by its rows,
    and whoever is free makes it. What a batch holds depends on its rows and their
    pass only, hence not on the number of workers.

    Parameters
    ----------
    make : callable
        Makes a batch of a list of rows and their pass.

    n_workers : int
        The number of processes.

    ahead : int
        Batches to ask for in advance, over all sources.

    context : str, context or None
        How processes are started, as of :mod:`multiprocessing`.
    """

    def __init__(
        self,
        make: Callable[[list[int], int], Any],
        n_workers: int,
        ahead: int,
        context: Any = None,
    ) -> None:
        context = mp.get_context(context) if not hasattr(context, "Queue") else context
        self.ahead = ahead
        self._tasks, self._done = context.Queue(), context.Queue()
        self._asked: set[Wanted] = set()
        self._made: dict[Wanted, Any] = {}
        self._processes = [
            context.Process(target=_work, args=(make, self._tasks, self._done))
            for _ in range(n_workers)
        ]
        try:
            for process in self._processes:
                process.daemon = True
                process.start()
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            self.close()
            raise SourceError(
                f"num_workers={n_workers} hands X, augment and collate to other "
                f"processes, and one of them cannot be pickled: {error}. Use functions "
                "with a name in a module, no lambda, or num_workers=0."
            ) from error

    def ask(self, rows: list[int], nth_pass: int) -> None:
        """Have a batch made, unless it is in the making."""
        wanted = nth_pass, tuple(rows)
        if wanted not in self._asked and wanted not in self._made:
            self._asked.add(wanted)
            self._tasks.put(wanted)

    def take(self, rows: list[int], nth_pass: int) -> Any:
        """Return a batch, waiting for it if it must."""
        wanted = nth_pass, tuple(rows)
        self.ask(rows, nth_pass)
        while wanted not in self._made:
            try:
                made, batch = self._done.get(timeout=EVERY)
            except Empty:
                self._refuse_dead()
                continue
            except (EOFError, OSError):
                # A batch of a worker that died while it handed it over.
                for process in self._processes:
                    process.join(timeout=EVERY)
                self._refuse_dead()
                raise
            self._asked.discard(made)
            self._made[made] = batch
            # An epoch leaves batches that were asked for in advance to the next one,
            # which may have other plans: the oldest are given up, and the one waited
            # for is the youngest.
            if len(self._made) > 4 * self.ahead + 16:
                del self._made[next(iter(self._made))]
        batch = self._made.pop(wanted)
        if isinstance(batch, Exception):
            raise batch
        return batch

    def _refuse_dead(self) -> None:
        codes = [process.exitcode for process in self._processes]
        dead = [code for code in codes if code is not None]
        if dead:
            raise SourceError(
                f"A worker that reads batches ended by itself (exit code {dead[0]}), "
                "perhaps because memory ran out. Lower num_workers or the batch size; "
                "with num_workers=0 an error shows where it is raised."
            )

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            if process.pid is not None:
                process.terminate()
                process.join()
        for queue in (self._tasks, self._done):
            queue.cancel_join_thread()
            queue.close()


def _work(make: Callable[[list[int], int], Any], tasks: Any, done: Any) -> None:
    """Make batches until the process that wants them is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that trains
    torch.set_num_threads(1)
    done.cancel_join_thread()  # nobody may be there to take what is left
    parent = parent_process()
    while parent is not None and parent.is_alive():
        try:
            nth_pass, rows = tasks.get(timeout=EVERY)
        except Empty:
            continue
        try:
            batch = make(list(rows), nth_pass)
        except Exception as error:
            batch = _portable(error)
        done.put(((nth_pass, rows), batch))


def _portable(error: Exception) -> Exception:
    """Return an error that reaches the other process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
