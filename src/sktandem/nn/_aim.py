"""What a net is to learn: settled by the parameters, before y is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem.data._rows import Rows
from sktandem.data._sources import Sources
from sktandem.exceptions import SourceError
from sktandem.merge._plan import plan_merge
from sktandem.nn._shared_task import SharedTask
from sktandem.nn._source_tasks import SourceTasks
from sktandem.nn._targets import checked_classes, checked_either, checked_numbers

__all__ = ["KINDS", "Aim", "Tasks"]

KINDS = ("classification", "regression")
Tasks = SharedTask | SourceTasks


@dataclass(frozen=True)
class Aim:
    """What a net is to learn.

    Attributes
    ----------
    kind : {"classification", "regression"} or dict of them by source
        What y holds.

    heads : bool
        Whether each source has an output of its own.

    scale_by : {"pooled", "source"} or None
        By which rows the numbers of one output are standardised.

    balance : {"classes", "both"} or None
        How the loss of rows is weighted.

    one_number : str
        The name of the net, if it tells two classes apart by one number.
    """

    kind: Any
    heads: bool = False
    scale_by: str | None = None
    balance: str | None = None
    one_number: str = ""

    @property
    def classifies(self) -> bool:
        """Whether all that is learned are classes."""
        return bool(self.kind == "classification")

    def checked(self, y: Any) -> NDArray[Any]:
        """Return y as an array of classes, of numbers, or of both among objects."""
        if isinstance(self.kind, Mapping):
            return checked_either(y)
        if self.classifies:
            return checked_classes(y, by_head=self.heads)
        return checked_numbers(y, missing=self.heads)

    def tasks_of(self, rows: Rows, classes: Any = None) -> Tasks:
        """Return the tasks that the rows set, or all the classes that will come."""
        if classes is not None:
            self._check_classes(classes, rows)
        if isinstance(self.kind, Mapping):
            without = [name for name in rows.names if name not in self.kind]
            if without:
                raise SourceError(
                    f"task has no entry for {without}. The sources are "
                    f"{list(rows.names)}, and task names {list(self.kind)}."
                )
        # Heads are tasks in the plural; past this point nobody asks for the kind again.
        if self.heads:
            return SourceTasks.learn(rows, self.kind, classes)
        if self.classifies:
            return SharedTask.of_classes(rows, classes, self.one_number)
        return SharedTask.of_numbers(rows)

    def _check_classes(self, classes: Any, rows: Rows) -> None:
        """Refuse classes of what learns numbers, and those that nobody can place."""
        by_source = isinstance(classes, Mapping)
        if self.kind == "regression":
            raise SourceError(
                "classes is for classification, but the net is a regressor."
            )
        if isinstance(self.kind, Mapping) and not by_source:
            raise SourceError(
                "classes must be a dict of labels by source, got "
                f"{type(classes).__name__}."
            )
        if by_source and not self.heads:
            raise SourceError(
                "classes by source need heads='source'. One output for all sources "
                "takes one sequence of all labels."
            )
        for name in classes if isinstance(self.kind, Mapping) else ():
            if name in rows.names and self.kind[name] == "regression":
                raise SourceError(
                    f"classes gives labels for {name!r}, but task makes it a "
                    "regression."
                )

    def row_weights(
        self, codes: NDArray[Any], sources: Sources, used: NDArray[np.intp] | None
    ) -> NDArray[np.float64] | None:
        """Return the weight of each row's loss, 0 for rows that are not used."""
        if self.balance is None:
            return None
        # The plan sees the used rows only: those held out must not decide what the
        # classes of the others weigh. They keep a 0, which nothing multiplies.
        weights = np.zeros(len(codes))
        places = np.arange(len(codes)) if used is None else used
        plan = plan_merge(sources.take(places), codes[places], balance=self.balance)
        assert plan.weights is not None  # as there is a balance
        weights[places] = plan.weights
        return weights
