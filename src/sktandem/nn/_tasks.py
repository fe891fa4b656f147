"""What one output has to learn: classes, or numbers, of all sources or of one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.utils.multiclass import type_of_target
from torch import Tensor, nn

from sktandem._telling import counted
from sktandem.data._cells import class_codes, known_codes, mixes_kinds
from sktandem.data._scores import label_accuracy, refuse_nan
from sktandem.exceptions import SourceError
from sktandem.nn._targets import numbers_of_objects
from sktandem.scaling._affine import AffineMaps

__all__ = ["ClassTask", "NumberTask", "Task", "TaskCriterion"]


@dataclass(frozen=True, eq=False)
class ClassTask:
    """An output that tells classes apart.

    Attributes
    ----------
    classes : ndarray
        The classes, in order.

    source : hashable, default=None
        The source whose head it is. None is an output for all sources.
    """

    classes: NDArray[Any]
    source: Hashable = None

    width = 1  # columns of a matrix of targets

    @property
    def n_outputs(self) -> int:
        """One for each class, and never less than two."""
        return max(2, len(self.classes))

    @property
    def wants(self) -> str:
        """Why it needs so many outputs, for a message."""
        shown = ", ".join(repr(label) for label in self.classes[:5].tolist())
        more = ", ..." if len(self.classes) > 5 else ""
        whose = "y" if self.source is None else repr(self.source)
        return f"{whose} has {counted(len(self.classes), 'class')} ({shown}{more})"

    @classmethod
    def of(cls, source: Hashable, y: NDArray[Any], classes: Any = None) -> ClassTask:
        """Return the task that the labels of a source set, or all that will come."""
        numbers = y.astype(float) if y.dtype == object and _all_numbers(y) else y
        if y.dtype == object and mixes_kinds(y):
            raise SourceError(
                f"The labels of {source!r} are numbers and strings: "
                f"{class_codes(y)[0].tolist()[:5]}. Labels of one source are of one "
                "kind. Pass sample_source, or name its column by source, if the rows "
                "are of several."
            )
        if len(y) and type_of_target(numbers) == "continuous":
            raise SourceError(
                f"Unknown label type: the head of {source!r} is a classifier, but its "
                f"rows hold numbers such as {y.tolist()[0]!r}. Set task='regression', "
                "or a dict by source."
            )
        if len(y) == 0 and classes is None:
            raise SourceError(
                f"{source!r} has no rows, so its classes are not known. Name them by "
                f"classes={{{source!r}: [...]}} in the first partial_fit."
            )
        return cls(class_codes(y if classes is None else classes)[0], source)

    def encode(self, y: NDArray[Any]) -> NDArray[np.int64]:
        """Return the place of each label among the classes."""
        whose = "y" if self.source is None else f"y of {self.source!r}"
        return known_codes(y, self.classes, whose)

    def columns_of(self, y: NDArray[Any]) -> NDArray[np.float64]:
        """Return the labels as a head's columns of a matrix of targets."""
        return self.encode(y).astype(np.float64).reshape(-1, 1)

    def learned(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the columns as the head learns them."""
        return columns

    def target(self, y: Tensor) -> Tensor:
        """Return the columns of the target as the criterion takes them."""
        return y[:, 0].long() if y.ndim == 2 else y

    def decode(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the class of each row that scores best."""
        refuse_nan("net", scores)
        return np.asarray(self.classes[scores[:, : len(self.classes)].argmax(axis=1)])

    def score(
        self, y: NDArray[Any], predicted: NDArray[Any], weight: NDArray[Any] | None
    ) -> float:
        """Return the accuracy."""
        return label_accuracy(np.asarray(y).ravel(), predicted.ravel(), weight)


@dataclass(frozen=True, eq=False)
class NumberTask:
    """An output that answers with numbers.

    Attributes
    ----------
    columns : sequence of int
        The columns of y that it learns.

    source : hashable, default=None
        The source whose head it is. None is an output for all sources.

    maps : AffineMaps or None, default=None
        How the columns are standardised.

    by_source : bool, default=False
        Whether each source has a map of its own, in an output for all sources.
    """

    columns: list[int]
    source: Hashable = None
    maps: AffineMaps | None = None
    by_source: bool = False

    @property
    def n_outputs(self) -> int:
        """One for each column."""
        return len(self.columns)

    @property
    def width(self) -> int:
        """How many columns of a matrix of targets it has."""
        return len(self.columns)

    @property
    def wants(self) -> str:
        """Why it needs so many outputs, for a message."""
        if self.source is None:
            return f"y has {counted(self.n_outputs, 'column')}"
        return f"{self.source!r} has {counted(self.n_outputs, 'target')}"

    @cached_property
    def center(self) -> NDArray[np.float64]:
        """What is taken off each column, of all rows."""
        zeros = np.zeros(self.n_outputs)
        return zeros if self.maps is None else self.maps.center[-1]

    @cached_property
    def scale(self) -> NDArray[np.float64]:
        """What each column is divided by, of all rows."""
        ones = np.ones(self.n_outputs)
        return ones if self.maps is None else self.maps.scale[-1]

    @classmethod
    def of(cls, source: Hashable, y: NDArray[Any]) -> NumberTask:
        """Return the task of a source's targets: NaN stands where it has none."""
        # Among the labels of another source numbers are objects, or strings by mistake,
        # which is then said of this source and not of y.
        if y.dtype.kind in "OUS":
            y = numbers_of_objects(source, y)
        if len(y) == 0:
            raise SourceError(
                f"{source!r} has no rows, so the scale of its targets is not known. "
                "The first partial_fit needs rows of each source."
            )
        columns = y.reshape(len(y), -1)
        own = np.flatnonzero(~np.isnan(columns).all(axis=0)).tolist()
        if not own:
            raise SourceError(f"The targets of {source!r} are missing in all its rows.")
        return cls(own, source)

    def scaled(self, own: NDArray[np.float64]) -> NumberTask:
        """Return the task with the mean and standard deviation of training rows."""
        # A constant target, such as that of a source with one row, is only shifted.
        with np.errstate(over="ignore"):
            scale = own.std(axis=0)
        if not np.isfinite(scale).all():
            largest = own.flat[int(np.argmax(np.abs(own)))]
            raise SourceError(
                f"The targets of {self.source!r} hold {largest:.3g}, too large to be "
                "scaled. Correct the value, or drop the row."
            )
        scale = np.where(scale == 0, 1.0, scale)
        return replace(self, maps=AffineMaps(own.mean(axis=0)[None], scale[None]))

    def columns_of(self, y: NDArray[Any]) -> NDArray[np.float64]:
        """Return the source's own columns, checked."""
        own = np.asarray(y, dtype=np.float64).reshape(len(y), -1)[:, self.columns]
        if not np.isfinite(own).all():
            row = int(np.flatnonzero(~np.isfinite(own).all(axis=1))[0])
            raise SourceError(
                f"The targets of {self.source!r} have values that are missing or "
                f"infinite, first in its row {row}. Drop such rows; a target that a "
                "source does not have at all is NaN in all of its rows."
            )
        return own

    def learned(
        self, columns: NDArray[np.float64], codes: NDArray[Any] | None = None
    ) -> NDArray[np.float64]:
        """Return the columns as the output learns them."""
        if self.maps is None:
            return columns
        codes = codes if self.by_source else None
        return np.asarray(self.maps.forward(columns, codes))

    def target(self, y: Tensor) -> Tensor:
        """Return the columns of the target as the criterion takes them."""
        return y[:, : self.n_outputs]

    def decode(
        self, values: NDArray[Any], codes: NDArray[Any] | None = None
    ) -> NDArray[np.float64]:
        """Return values in the units of y."""
        values = values.reshape(len(values), -1).astype(np.float64)
        if self.maps is None:
            return values
        codes = codes if self.by_source else None
        return np.asarray(self.maps.inverse(values, codes))

    def score(
        self, y: NDArray[Any], predicted: NDArray[Any], weight: NDArray[Any] | None
    ) -> float:
        """Return R2, its mean over the source's targets."""
        y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)[:, self.columns]
        own = np.asarray(predicted, dtype=np.float64).reshape(len(y), -1)
        # Predictions of several heads have the columns of all targets, NaN where one is
        # not the head's.
        own = own[:, self.columns] if own.shape[1] > self.n_outputs else own
        return float(r2_score(y, own, sample_weight=weight))


Task = ClassTask | NumberTask


class TaskCriterion(nn.Module):
    """Cross-entropy for classes, squared error for numbers."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """Return the loss of a batch of one source."""
        # Which head it is shows in the type: `target` gives integers for classes only.
        if y_true.is_floating_point():
            return nn.functional.mse_loss(y_pred, y_true, reduction=self.reduction)
        return nn.functional.cross_entropy(y_pred, y_true, reduction=self.reduction)


def _all_numbers(y: NDArray[Any]) -> bool:
    return all(isinstance(value, Real) for value in y.ravel().tolist())
