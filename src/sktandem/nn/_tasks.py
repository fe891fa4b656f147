"""What one head has to learn: the classes, or the numbers, of one source."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.utils.multiclass import type_of_target
from torch import Tensor, nn

from sktandem._telling import counted, did_you_mean
from sktandem.data._cells import class_codes, mixes_kinds
from sktandem.exceptions import SourceError

__all__ = ["ClassTask", "NumberTask", "Task", "TaskCriterion"]


class ClassTask:
    """A head that tells the classes of one source apart.

    Parameters
    ----------
    source : hashable
        The name of the source.

    classes : ndarray
        Its classes, in order.
    """

    is_classification = True
    width = 1  # columns of the target

    def __init__(self, source: Hashable, classes: NDArray[Any]) -> None:
        self.source, self.classes = source, classes
        self.n_outputs = max(2, len(classes))
        shown = ", ".join(repr(label) for label in classes[:5].tolist())
        more = ", ..." if len(classes) > 5 else ""
        self.wants = f"{source!r} has {counted(len(classes), 'class')} ({shown}{more})"

    @classmethod
    def of(cls, source: Hashable, y: NDArray[Any], classes: Any = None) -> ClassTask:
        """Return the task that these labels set, or all that will come."""
        numbers = y.astype(float) if y.dtype == object and _all_numbers(y) else y
        if y.dtype == object and mixes_kinds(y):
            raise SourceError(
                f"The labels of {source!r} are numbers and texts: "
                f"{class_codes(y)[0].tolist()[:5]}. Labels of one source are of one "
                "kind. Pass sample_source, or name its column by source, if the rows "
                "are of several."
            )
        if len(y) and type_of_target(numbers) == "continuous":
            raise SourceError(
                f"Unknown label type: the head of {source!r} tells classes apart, but "
                f"its rows hold numbers such as {y.tolist()[0]!r}. MultiHeadRegressor "
                "learns them, and MultiHeadEstimator takes both."
            )
        if len(y) == 0 and classes is None:
            raise SourceError(
                f"There are no rows of {source!r} to tell its classes. Name them by "
                f"classes={{{source!r}: [...]}} in the first partial_fit."
            )
        return cls(source, class_codes(y if classes is None else classes)[0])

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return the place of each label among the classes."""
        found, codes = class_codes(y)
        place = {label: code for code, label in enumerate(self.classes.tolist())}
        unseen = [label for label in found.tolist() if label not in place]
        if unseen:
            raise SourceError(
                f"The rows of {self.source!r} hold the classes {unseen[:5]}, which it "
                f"did not have in fit: {list(place)[:10]}."
                f"{did_you_mean(unseen[0], place)} partial_fit takes all that will "
                "come by classes= in its first call."
            )
        order = [place[label] for label in found.tolist()]
        return np.asarray(order, dtype=np.float64)[codes].reshape(-1, 1)

    def target(self, y: Tensor) -> Tensor:
        """Return the columns of the target as the criterion takes them."""
        return y[:, 0].long() if y.ndim == 2 else y

    def decode(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the class of each row that scores best."""
        return self.classes[scores[:, : len(self.classes)].argmax(axis=1)]

    def score(
        self, y: NDArray[Any], predicted: NDArray[Any], weight: NDArray[Any] | None
    ) -> float:
        """Return the accuracy."""
        right = np.asarray(y).ravel() == np.asarray(predicted).ravel()
        return float(np.average(right, weights=weight))


class NumberTask:
    """A head that answers with the numbers of one source.

    Parameters
    ----------
    source : hashable
        The name of the source.

    columns : sequence of int
        The columns of y that the source has.
    """

    is_classification = False

    def __init__(self, source: Hashable, columns: list[int]) -> None:
        self.source, self.columns = source, columns
        self.n_outputs = self.width = len(columns)
        self.center, self.scale = np.zeros(self.width), np.ones(self.width)
        self.wants = f"{source!r} has {counted(self.width, 'target')}"

    @classmethod
    def of(cls, source: Hashable, y: NDArray[Any]) -> NumberTask:
        """Return the task that these targets set: NaN stands where there is none."""
        if len(y) == 0:
            raise SourceError(
                f"There are no rows of {source!r} to learn the scale of its targets "
                "from. The first partial_fit needs rows of each source."
            )
        columns = y.reshape(len(y), -1)
        own = np.flatnonzero(~np.isnan(columns).all(axis=0)).tolist()
        if not own:
            raise SourceError(f"The targets of {source!r} are missing in all its rows.")
        return cls(source, own)

    def learn_scale(self, own: NDArray[np.float64]) -> None:
        """Take the mean and the standard deviation of the training rows."""
        scale = own.std(axis=0)
        self.center, self.scale = own.mean(axis=0), np.where(scale == 0, 1.0, scale)

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
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

    def standardised(self, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the targets as the head learns them."""
        return (own - self.center) / self.scale

    def target(self, y: Tensor) -> Tensor:
        """Return the columns of the target as the criterion takes them."""
        return y[:, : self.width]

    def decode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values in the source's own units."""
        values = values.reshape(len(values), -1).astype(np.float64)
        return values * self.scale + self.center

    def score(
        self, y: NDArray[Any], predicted: NDArray[Any], weight: NDArray[Any] | None
    ) -> float:
        """Return R2, its mean over the source's targets."""
        y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)[:, self.columns]
        predicted = np.asarray(predicted, dtype=np.float64).reshape(len(y), -1)
        own = (
            predicted[:, self.columns] if predicted.shape[1] > self.width else predicted
        )
        return float(r2_score(y, own, sample_weight=weight))


Task = ClassTask | NumberTask


class TaskCriterion(nn.Module):
    """Cross-entropy for classes, squared error for numbers."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """Return the loss of a batch of one source."""
        if y_true.is_floating_point():
            return nn.functional.mse_loss(y_pred, y_true, reduction=self.reduction)
        return nn.functional.cross_entropy(y_pred, y_true, reduction=self.reduction)


def _all_numbers(y: NDArray[Any]) -> bool:
    return all(isinstance(value, Real) for value in y.ravel().tolist())
