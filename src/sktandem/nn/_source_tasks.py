"""What depends on y where each source has a head of its own: tasks in the plural."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor

from sktandem._settings import check_known, refuse_others
from sktandem._telling import warn
from sktandem.data._cells import as_target, class_codes
from sktandem.data._rows import Rows
from sktandem.data._sources import Sources
from sktandem.exceptions import SourceError
from sktandem.nn._tasks import ClassTask, NumberTask, Task

__all__ = ["SourceTasks"]


@dataclass(frozen=True, eq=False)
class SourceTasks:
    """The tasks of the heads, in the order of the sources.

    Attributes
    ----------
    heads : tuple of ClassTask or NumberTask
        What each head learns.

    n_targets : int
        Columns of y.

    classifies : bool
        Whether an estimator with these heads is a classifier.
    """

    heads: tuple[Task, ...]
    n_targets: int
    classifies: bool

    @classmethod
    def learn(cls, rows: Rows, kind: Any, classes: Any) -> SourceTasks:
        """Return the tasks that y sets, `classes` naming all that will come.

        `kind` is that of all heads, or a mapping by source.
        """
        names = rows.names
        by_name = isinstance(classes, Mapping)
        given = classes if by_name else dict.fromkeys(names, classes)
        for name in given:
            check_known("classes", name, names)
        heads: list[Task] = []
        for name, own in zip(names, rows.sources.rows):
            if (kind[name] if isinstance(kind, Mapping) else kind) == "regression":
                heads.append(NumberTask.of(name, rows.y[own]))
                continue
            known = given.get(name)
            known = None if known is None else as_target(known)
            heads.append(ClassTask.of(name, rows.y[own], known))
        for task in heads if len(names) > 1 else ():
            if isinstance(task, ClassTask) and len(task.classes) < 2:
                warn(
                    f"The source {task.source!r} has a single class, "
                    f"{task.classes.tolist()[0]!r}: its head has nothing to learn."
                )
        n_targets = 1 if rows.y.ndim == 1 else rows.y.shape[1]
        return cls(tuple(heads), n_targets, kind == "classification")

    @property
    def of_classes(self) -> tuple[ClassTask, ...]:
        """The heads that learn classes."""
        return tuple(task for task in self.heads if isinstance(task, ClassTask))

    def with_more(self, rows: Rows) -> SourceTasks:
        """Return the tasks, which more rows do not change."""
        return self

    def refuse_other_classes(self, classes: Any) -> None:
        """Refuse classes other than those of the first `partial_fit`."""
        if not isinstance(classes, Mapping):
            if classes is not None:
                refuse_others("classes", classes, self._every_class().tolist())
            return
        names = [task.source for task in self.heads]
        known = {task.source: task.classes.tolist() for task in self.of_classes}
        for name, given in classes.items():
            check_known("classes", name, names)
            if set(given) != set(known.get(name, ())):
                raise SourceError(
                    f"classes={{{name!r}: {list(given)}}} are not those of the first "
                    f"partial_fit, {known.get(name, [])}. A head cannot get new "
                    "classes later: name them all in the first call."
                )

    def encode(self, y: NDArray[Any], sources: Sources) -> NDArray[np.float64]:
        """Return a matrix in which each row has the columns of its own head."""
        # One matrix for heads of all widths, as rows of several sources share a tensor:
        # a row fills the columns of its own head, and a head reads no further.
        targets = np.zeros((len(y), max(task.width for task in self.heads)))
        for task, rows in zip(self.heads, sources.rows):
            if len(rows):
                targets[rows, : task.width] = task.columns_of(y[rows])
        return targets

    def scaled(
        self,
        targets: NDArray[np.float64],
        sources: Sources,
        used: NDArray[np.intp] | None,
        by: str | None,
    ) -> SourceTasks:
        """Return the tasks with the scales of their numbers, of the rows used."""
        # Always by source: a head knows no rows but its own, so that another source's
        # units cannot drown it.
        used = np.arange(len(targets)) if used is None else used
        own = Sources(sources.names, sources.codes[used])
        heads = []
        for task, places in zip(self.heads, own.rows):
            if isinstance(task, NumberTask) and len(places):
                task = task.scaled(targets[used[places]][:, : task.width])
            heads.append(task)
        return replace(self, heads=tuple(heads))

    def class_codes(self, targets: NDArray[Any]) -> NDArray[Any]:
        """Return the class of each row, for weights by class."""
        return targets[:, 0].astype(int)

    def tensor(
        self,
        targets: NDArray[np.float64],
        sources: Sources,
        net: NeuralNet,
        n_dims: int,
        dtype: torch.dtype | None,
    ) -> Tensor:
        """Return targets as a tensor, of which each head takes its columns."""
        if len(self.of_classes) == len(self.heads):
            return torch.from_numpy(targets[:, 0].astype(np.int64))
        # The user's own units stay in the part, whose fingerprint a checkpoint holds.
        targets = targets.copy()
        for task, own in zip(self.heads, sources.rows):
            targets[own, : task.width] = task.learned(targets[own, : task.width])
        return torch.as_tensor(targets, dtype=dtype)

    def questions(self) -> list[tuple[int, str]]:
        """Return how many outputs each head must give, and why."""
        return [(task.n_outputs, task.wants) for task in self.heads]

    def attributes(self) -> dict[str, Any]:
        """Return what an estimator shows of them, by name."""
        shown = {"tasks_": self.heads, "n_outputs_": self.n_targets}
        if self.of_classes:
            own = {task.source: task.classes for task in self.of_classes}
            shown["classes_by_source_"] = own
        if self.classifies:
            shown["classes_"] = self._every_class()
        return shown

    def identity(self) -> Any:
        """Return what a checkpoint must have in common with them."""
        if self.classifies:
            return _as_words(self._every_class())
        own = {str(t.source): _as_words(t.classes) for t in self.of_classes}
        return own or None

    def _every_class(self) -> NDArray[Any]:
        """Return the classes of all heads together, in order."""
        own = [task.classes for task in self.of_classes]
        # As objects first: numpy would turn the numbers of one source into strings for
        # the sake of another's.
        every = np.array([label for c in own for label in c.tolist()], object)
        union, _ = class_codes(every)
        kinds = {classes.dtype.kind for classes in own}
        if len(kinds) == 1 and "O" not in kinds:
            union = np.array(union.tolist())
        return union


def _as_words(labels: Iterable[Any]) -> list[str]:
    return [str(label) for label in labels]
