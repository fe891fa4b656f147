"""What depends on y where one output answers for all sources."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression
from skorch import NeuralNet
from torch import Tensor

from sktandem._settings import refuse_others
from sktandem._telling import counted, warn
from sktandem.data._cells import as_target, class_codes, classes_by_source
from sktandem.data._rows import Rows
from sktandem.data._sources import Sources
from sktandem.exceptions import SourceError
from sktandem.nn._features import as_tensor
from sktandem.nn._precision import dtype_of
from sktandem.nn._tasks import ClassTask, NumberTask
from sktandem.scaling._affine import fit_affine

ENOUGH = 200  # rows of a source that show whether its level is met

__all__ = ["SharedTask", "few_of", "warn_of_levels"]

OwnClasses = dict[Hashable, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class SharedTask:
    """The task of one output for all sources.

    Attributes
    ----------
    task : ClassTask or NumberTask
        What it learns.

    own_classes : dict of {source: ndarray} or None
        The classes that each source has, where it learns classes.

    one_number : str
        The name of the net, if it tells two classes apart by one number.
    """

    task: ClassTask | NumberTask
    own_classes: OwnClasses | None = None
    one_number: str = ""

    heads = None  # of single sources

    @classmethod
    def of_classes(cls, rows: Rows, classes: Any, one_number: str) -> SharedTask:
        """Return the task that these labels set, or all that will come."""
        found, _ = class_codes(rows.y)
        every = found if classes is None else class_codes(as_target(classes))[0]
        if one_number and len(every) > 2:
            raise SourceError(
                f"{one_number} handles two classes, but y has {len(every)}: "
                f"{every[:10].tolist()}. Use NeuralNetClassifier."
            )
        own = classes_by_source(rows.sources, rows.y)
        _warn_of_single_classes(own, len(found))
        _warn_of_other_labels(own)
        return cls(ClassTask(every), own, one_number)

    @classmethod
    def of_numbers(cls, rows: Rows) -> SharedTask:
        """Return the task that these numbers set."""
        n_columns = 1 if rows.y.ndim == 1 else rows.y.shape[1]
        return cls(NumberTask(list(range(n_columns))))

    def with_more(self, rows: Rows) -> SharedTask:
        """Return the task with the classes of more rows, as `partial_fit` gets them."""
        if self.own_classes is None or not isinstance(self.task, ClassTask):
            return self
        # The classes of all are those of the first call, as the output has its width;
        # which of them a source has may still be learned.
        now, every = classes_by_source(rows.sources, rows.y), self.task.classes
        own = {}
        for name, known in self.own_classes.items():
            labels = {*known.tolist(), *now[name].tolist()}
            own[name] = every[[label in labels for label in every.tolist()]]
        return replace(self, own_classes=own)

    def refuse_other_classes(self, classes: Any) -> None:
        """Refuse classes other than those of the first `partial_fit`."""
        if isinstance(self.task, ClassTask):
            refuse_others("classes", classes, self.task.classes.tolist())

    def encode(self, y: NDArray[Any], sources: Sources) -> NDArray[Any]:
        """Return y as codes of classes, or as columns of numbers."""
        if isinstance(self.task, ClassTask):
            return self.task.encode(y)
        return y.reshape(len(y), -1)

    def scaled(
        self,
        targets: NDArray[Any],
        sources: Sources,
        used: NDArray[np.intp] | None,
        by: str | None,
    ) -> SharedTask:
        """Return the task with the scale of its numbers, of the rows used."""
        if by is None or isinstance(self.task, ClassTask):
            return self
        own = sources if by == "source" else None
        maps = fit_affine("standard", targets, own, rows=used, of="y")
        return replace(
            self, task=replace(self.task, maps=maps, by_source=own is not None)
        )

    def class_codes(self, targets: NDArray[Any]) -> NDArray[Any]:
        """Return the class of each row, for weights by class."""
        return targets

    def tensor(
        self,
        targets: NDArray[Any],
        sources: Sources,
        net: NeuralNet,
        n_dims: int,
        dtype: torch.dtype | None,
    ) -> Tensor:
        """Return targets as the criterion takes them beside an answer of `n_dims`."""
        if isinstance(self.task, NumberTask):
            columns = self.task.learned(targets, sources.codes)
            tensor = as_tensor(columns).to(dtype_of(net))
            return tensor.reshape(-1) if n_dims == 1 else tensor
        # Losses of one number want targets of the type and the shape of the answer,
        # and modules give (n,) or (n, 1).
        tensor = torch.from_numpy(targets)
        if not self.one_number:
            return tensor
        return tensor.to(dtype_of(net)).reshape((-1,) if n_dims == 1 else (-1, 1))

    def questions(self) -> list[tuple[int, str]]:
        """Return how many outputs the module must give, and why."""
        if self.one_number:
            return [(1, f"{self.one_number} tells two classes apart by one number")]
        return [(self.task.n_outputs, self.task.wants)]

    def attributes(self) -> dict[str, Any]:
        """Return what an estimator shows of it, by name."""
        if isinstance(self.task, ClassTask):
            own = self.own_classes
            return {"classes_": self.task.classes, "classes_by_source_": own}
        n_outputs = self.task.n_outputs
        return {"n_outputs_": n_outputs, "target_scaler_": self.task.maps}

    def identity(self) -> Any:
        """Return what a checkpoint must have in common with it."""
        if isinstance(self.task, NumberTask):
            return None
        return [str(label) for label in self.task.classes]


def _warn_of_single_classes(own: OwnClasses, n_classes: int) -> None:
    single = [name for name, some in own.items() if len(some) == 1]
    if not single or n_classes == 1:
        return
    label, rest = own[single[0]].tolist()[0], len(single) - 1
    more = f" {counted(rest, 'other source')} too." if rest else ""
    warn(
        f"The source {single[0]!r} has a single class, {label!r}: its batches train "
        f"the net to predict nothing else.{more} schedule='shuffled' mixes sources "
        "within a batch."
    )


def _warn_of_other_labels(own: OwnClasses) -> None:
    present: Mapping[Hashable, list[Any]] = {
        name: some.tolist() for name, some in own.items() if len(some)
    }
    every = [label for labels in present.values() for label in labels]
    if len(present) > 1 and len(set(every)) == len(every):
        shown = {name: labels[:3] for name, labels in present.items()}
        warn(
            f"No two sources have a class in common: {shown}. One output then tells "
            "the sources apart rather than the classes; heads='source' gives each "
            "source its own."
        )


def few_of(rows: Rows) -> Rows:
    """Return enough rows of each source to show its level, spread over all."""
    # At even distances and not drawn: a warning must not move any random number.
    some = [own[:: -(-len(own) // ENOUGH)] for own in rows.sources.rows]
    return rows.take(np.sort(np.concatenate(some)))


def warn_of_levels(model: Any, rows: Rows) -> None:
    """Warn if one output for all sources misses the level or size of one's targets.

    Its error on the source's own training rows is then larger than that of their
    mean, and either the same in most rows, or of the size of another source's
    targets. A level that X explains does not count: a net that has not learned it yet
    is forgiven where a straight line has.
    """
    if len(rows.names) < 2 or model._fitted.tasks.task.by_source:
        return
    asked = few_of(rows)
    y = np.asarray(asked.y, dtype=float).reshape(len(asked), -1)
    off = [y - model._answer("predict", asked).reshape(y.shape)]
    numbers = model._fitted.features.numbers(asked.X, asked.sources.codes)
    if isinstance(numbers, np.ndarray) and numbers.ndim == 2:
        line = LinearRegression().fit(filled := np.nan_to_num(numbers), y)
        off.append(y - line.predict(filled))
    spreads = np.array([y[own].var(axis=0) for own in asked.sources.rows])
    for name, spread in zip(asked.names, spreads):
        own, missed, other = asked.of(name), spread > 0, spreads.max(axis=0)
        for residual in off:
            error = np.mean(residual[own] ** 2, axis=0)
            level = residual[own].mean(axis=0) - residual.mean(axis=0)
            apart = (level**2 > error / 2) | (other > 9 * spread)
            missed &= (error > spread) & apart
        if missed.any():
            r2 = 1 - (np.mean(off[0][own] ** 2, axis=0) / spread)[missed].max()
            warn(
                "One output for all sources misses the level or size of the targets "
                f"of {name!r}: on its training rows R2 is {r2:.1f}. "
                "scale_target_by='source' gives each source its own."
            )
            return
