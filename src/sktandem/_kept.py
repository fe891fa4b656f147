"""Results of fits in a folder, from which a run that was cut short goes on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sktandem._telling import warn
from sktandem.exceptions import SourceError

__all__ = ["Arrays", "Kept", "folder_of", "name_of"]

NAME = "name of the fit"

Arrays = Mapping[str, NDArray[Any]]
Task = TypeVar("Task")
Result = TypeVar("Result")


def folder_of(cache: Any, random_state: Any) -> Path | None:
    """Return the folder that a user names, which is made if it is not there."""
    if cache is None:
        return None
    if not isinstance(cache, str | os.PathLike):
        raise SourceError(f"cache must be the path of a folder, got {cache!r}.")
    if random_state is None:
        raise SourceError(
            "cache needs a random_state, such as random_state=0: without one every run "
            "deals the rows out anew, and no fit of an earlier run can be used."
        )
    folder = Path(cache)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(
            f"cache={str(folder)!r} cannot be used as a folder: "
            f"{error.strerror or error}. Name another."
        ) from None
    return folder


def name_of(*parts: str) -> str:
    """Return one name for several, by which a file is found again."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]


# joblib.Memory is not used, as it runs what it finds: its files are pickles. And it
# tells a function in an argument by its name, so that a changed one finds old results.
@dataclass(frozen=True, eq=False)
class Kept(Generic[Task, Result]):
    """A folder with a file for each task that was done.

    Attributes
    ----------
    folder : Path
        The folder.

    name : callable
        Returns the name of a task, made of all that decides its result; None if it is
        not kept.

    pack : callable
        Returns the arrays that a result is made of; None if it is not kept.

    unpack : callable
        Returns the result of a task from such arrays, or raises if they are not its.

    tell : callable
        Told how many fits were in the folder.

    n_fits : callable
        Returns how many fits a task is.
    """

    folder: Path
    name: Callable[[Task], str | None]
    pack: Callable[[Result], dict[str, NDArray[Any]] | None]
    unpack: Callable[[Task, Arrays], Result]
    tell: Callable[[str], None]
    n_fits: Callable[[Task], int] = lambda task: 1

    def known(self, tasks: Sequence[Task]) -> dict[int, Result]:
        """Return the results in the folder, by the places of their tasks."""
        found = {}
        for place, task in enumerate(tasks):
            name = self.name(task)
            path = None if name is None else self._path(name)
            if path is None or not path.exists():
                continue
            try:
                # Opened here, as np.load leaves a torn file open.
                with open(path, "rb") as opened:
                    arrays = dict(np.load(opened, allow_pickle=False))
                if str(arrays.pop(NAME)) != name:
                    raise ValueError("it is the file of another fit")
                found[place] = self.unpack(task, arrays)
            except Exception as error:  # of zipfile, zlib, NumPy, or of the contents
                warn(
                    f"{path.name} in cache={str(self.folder)!r} is damaged "
                    f"({type(error).__name__}: {error}), and its fit is done again."
                )
        n_found = sum(self.n_fits(tasks[place]) for place in found)
        n_all = sum(map(self.n_fits, tasks))
        self.tell(f"{n_found:,} of {n_all:,} fits were in the folder {self.folder}")
        return found

    def keep(self, task: Task, result: Result) -> None:
        """Write a result, aside first, so that no file is there in part."""
        name, arrays = self.name(task), self.pack(result)
        if name is None or arrays is None:
            return
        path = self._path(name)
        aside = path.with_name(f".{os.getpid()}-{path.name}")
        try:
            with open(aside, "wb") as file:
                np.savez(file, allow_pickle=False, **{NAME: np.array(name), **arrays})
            os.replace(aside, path)
        except OSError as error:
            warn(
                f"cache={str(self.folder)!r} cannot be written: "
                f"{error.strerror or error}. The work goes on, and what is not "
                "written would have to be done again."
            )
            with suppress(OSError):
                aside.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"
