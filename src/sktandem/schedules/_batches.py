"""Alternation by batches: a few of one source, then a few of the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sktandem._settings import check_integer
from sktandem.schedules._schedule import EpochLength, Schedule, Sizes, Step
from sktandem.schedules._turns import last_plan, turns, write_down

__all__ = ["BatchAlternation"]


class BatchAlternation(Schedule):
    """Train on a few batches of one source, then on a few of the next.

    Turns this short leave no source behind: the model never drifts far to one
    of them, as it does over a whole epoch. Each batch still comes from a single
    source, so sources may differ in columns, heads and losses.

    Read more in the :ref:`User Guide <schedules>`.

    Parameters
    ----------
    batches_per_turn : int, default=1
        The batches of a turn.

    epoch_length : {"largest", "smallest", "all"} or int, default="largest"
        The batches in an epoch.

        - "largest": every source has as many as the largest; small ones begin
          anew.
        - "smallest": every source has as many as the smallest; large ones go on
          in the next epoch where they left off.
        - "all": every batch of every source once. Turns are spread evenly, so a
          source twice as large has its turn twice as often.
        - an integer: that many in all, in equal turns. The next epoch goes on
          with the turn that this one broke off.

    See Also
    --------
    EpochAlternation : Turns of whole epochs.
    SampledAlternation : Draw the source of each batch.
    Joint : A batch of every source in each step.

    Notes
    -----
    Where every source has a number of batches to train, turns are spread by
    Tijdeman's rule [1]_: after any number of turns, no source is a whole turn
    ahead or behind. Its last turn is short where `batches_per_turn` does not
    divide its batches.

    References
    ----------
    .. [1] R. Tijdeman (1980), "The chairman assignment problem", Discrete
       Mathematics 32, 323-330.

    Examples
    --------
    >>> from sktandem.schedules import BatchAlternation, Sizes
    >>> sizes = Sizes(("red", "white"), n_rows=(60, 180), batch_sizes=(30, 30))
    >>> def sources(schedule):
    ...     return [step.sources[0] for step in schedule.plan(sizes, [{}], None)]
    >>> sources(BatchAlternation(2))
    [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]
    >>> sources(BatchAlternation(epoch_length="all"))
    [1, 0, 1, 1, 1, 0, 1, 1]

    Red has 2 batches and white 6; in the second plan each is seen once.
    """

    def __init__(
        self, batches_per_turn: int = 1, *, epoch_length: EpochLength = "largest"
    ) -> None:
        self.batches_per_turn = batches_per_turn
        self.epoch_length = epoch_length

    def check(self, sizes: Sizes) -> None:
        """Refuse settings that do not fit these sources."""
        super().check(sizes)
        check_integer("batches_per_turn", self.batches_per_turn)

    def plan(
        self, sizes: Sizes, history: Sequence[dict[str, Any]], rng: np.random.Generator
    ) -> Iterator[Step]:
        """Yield the steps of one epoch."""
        n_steps, n_sources = sizes.steps(self.epoch_length), len(sizes.names)
        if isinstance(self.epoch_length, str):
            each = (n_steps // n_sources,) * n_sources
            n_batches = sizes.n_batches if self.epoch_length == "all" else each
            for source in turns(n_batches, self.batches_per_turn):
                yield Step((source,))
            return
        # An epoch of so many batches may end within a turn, which the next epoch goes
        # on with.
        first = last_plan(history, sizes).get("due", 0)
        due = (first + n_steps) % (n_sources * self.batches_per_turn)
        write_down({"due": due}, history, sizes)
        for step in range(first, first + n_steps):
            yield Step((step // self.batches_per_turn % n_sources,))
