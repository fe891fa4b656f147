"""Plain mixing: the rows of all sources shuffled together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sktandem.schedules._schedule import EpochLength, Schedule, Sizes, Step

__all__ = ["Shuffled"]


class Shuffled(Schedule):
    r"""Mix the rows of all sources, as if they were one dataset.

    The control for all other schedules: what training on the stacked rows
    would give, with everything else the same.

    Read more in the :ref:`User Guide <schedules>`.

    Parameters
    ----------
    epoch_length : {"all", "largest", "smallest"} or int, default="all"
        The batches in an epoch: "all" those of one pass over all rows, "largest"
        and "smallest" as many for each source as the largest or smallest has,
        an integer that many.

    See Also
    --------
    SampledAlternation : The same shares, in batches of a single source.
    Joint : A batch of every source in each step.

    Notes
    -----
    A pass over :math:`n` rows of all sources takes :math:`\lceil n / b \rceil`
    batches, where :math:`b` is the largest batch size of a source.

    Examples
    --------
    >>> from sktandem.schedules import Shuffled, Sizes
    >>> sizes = Sizes(("red", "white"), n_rows=(40, 50), batch_sizes=(30, 30))
    >>> list(Shuffled().plan(sizes, [{}], None))
    [Step(sources=(0, 1), weights=None, mixed=True),
     Step(sources=(0, 1), weights=None, mixed=True),
     Step(sources=(0, 1), weights=None, mixed=True)]

    Ninety rows make three batches; source by source they would make four.
    """

    def __init__(self, *, epoch_length: EpochLength = "all") -> None:
        self.epoch_length = epoch_length

    def plan(
        self, sizes: Sizes, history: Sequence[dict[str, Any]], rng: np.random.Generator
    ) -> Iterator[Step]:
        """Yield the steps of one epoch."""
        n_steps = -(-sum(sizes.n_rows) // max(sizes.batch_sizes))
        if self.epoch_length != "all":
            n_steps = sizes.steps(self.epoch_length)
        for _ in range(n_steps):
            yield Step(tuple(range(len(sizes.names))), mixed=True)
