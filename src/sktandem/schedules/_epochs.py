"""Alternation by epochs: one pass over one source, then the next."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from sktandem._settings import check_integer
from sktandem.exceptions import SourceError
from sktandem.schedules._schedule import EpochLength, Schedule, Sizes, Step, finished
from sktandem.schedules._turns import own_pass

__all__ = ["EpochAlternation"]


class EpochAlternation(Schedule):
    r"""Train on one source for an epoch, then on the next.

    The simplest alternation, and the one most loops written by hand have: an
    epoch is one pass over a single source. The model leans to the source that
    came last; `last` says which that is, and
    :class:`BatchAlternation` avoids it.

    Read more in the :ref:`User Guide <schedules>`.

    Parameters
    ----------
    order : list, default=None
        The names of the sources in the order of their turns. None takes all in
        their own order. A source left out does not train; one may come twice.

    epochs_per_turn : int, default=1
        The epochs that a source trains before the next has its turn.

    last : hashable, default=None
        The source whose turn is to be the last of the fit. Turns are then
        counted back from `max_epochs`, so it is the first turn that may be
        short. None begins with the first source, wherever that ends.

    epoch_length : {"all", "largest", "smallest"} or int, default="all"
        The batches in an epoch: "all" those of the source in turn, "largest" and
        "smallest" as many as the largest or smallest source has, an integer
        that many.

    See Also
    --------
    BatchAlternation : Turns of a few batches; no source comes last.
    PlateauAlternation : The next source's turn comes when this one stalls.

    Notes
    -----
    Epoch :math:`e` belongs to source :math:`\lfloor e / k \rfloor \bmod S`, for
    turns of :math:`k` epochs. With `last` it is
    :math:`\lfloor (e - E) / k \rfloor \bmod S` in an order turned so that `last`
    ends it, where :math:`E` is `max_epochs`. Training beyond :math:`E` goes on in
    the same order.

    Examples
    --------
    >>> from sktandem.schedules import EpochAlternation, Sizes
    >>> sizes = Sizes(("red", "white"), (60, 90), (30, 30), max_epochs=3)
    >>> schedule, history = EpochAlternation(last="red"), []
    >>> for epoch in range(3):
    ...     history.append({"batches": []})
    ...     steps = list(schedule.plan(sizes, history, None))
    ...     history[-1]["source"] = sizes.names[steps[0].sources[0]]
    ...     print(history[-1]["source"], len(steps))
    red 2
    white 3
    red 2

    The last word is red's.
    """

    def __init__(
        self,
        order: Sequence[Hashable] | None = None,
        *,
        epochs_per_turn: int = 1,
        last: Hashable = None,
        epoch_length: EpochLength = "all",
    ) -> None:
        self.order = order
        self.epochs_per_turn = epochs_per_turn
        self.last = last
        self.epoch_length = epoch_length

    def check(self, sizes: Sizes) -> None:
        """Refuse settings that do not fit these sources."""
        super().check(sizes)
        check_integer("epochs_per_turn", self.epochs_per_turn)
        listed = isinstance(self.order, Iterable) and not isinstance(self.order, str)
        if self.order is not None and not (listed and list(self.order)):
            raise SourceError(
                f"order must be None or a list of sources, got {self.order!r}. The "
                f"sources are {list(sizes.names)}."
            )
        for name in self._order(sizes):
            sizes.position(name, "order")
        if self.last is not None:
            sizes.position(self.last, "last")
            if self.last not in self._order(sizes):
                raise SourceError(
                    f"last is {self.last!r}, which has no turn in order="
                    f"{self.order!r}. Add it there, or name a source that has one."
                )

    def plan(
        self, sizes: Sizes, history: Sequence[dict[str, Any]], rng: np.random.Generator
    ) -> Iterator[Step]:
        """Yield the steps of one epoch."""
        order, epoch = self._order(sizes), len(finished(history))
        if self.last is not None:
            # Epochs are counted from the end of the fit: the last one is -1, which //
            # and %, as they round down in Python, make the last place of the turned
            # order.
            end = len(order) - order[::-1].index(self.last)
            order = order[end:] + order[:end]
            epoch -= sizes.max_epochs
        name = order[epoch // self.epochs_per_turn % len(order)]
        source = sizes.names.index(name)
        for _ in range(own_pass(sizes, source, self.epoch_length)):
            yield Step((source,))

    def _order(self, sizes: Sizes) -> list[Hashable]:
        return list(sizes.names if self.order is None else self.order)
