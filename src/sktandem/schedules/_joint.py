"""Joint steps: a batch of every source, one step on the sum of their losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sktandem.schedules._schedule import EpochLength, Schedule, Sizes, Step
from sktandem.schedules._turns import own_pass

__all__ = ["Joint"]


class Joint(Schedule):
    r"""Take each step on a batch of every source at once.

    No source comes last, and no step pulls the model to one of them alone. The losses
    are summed with fixed weights; studies found no cleverer combination that beats
    well-chosen weights [1]_ [2]_, and these can be searched like any other parameter.

    Read more in the :ref:`User Guide <schedules>`.

    Parameters
    ----------
    weights : dict, default=None
        What the loss of each source counts. Every source must be named, and 0
        leaves one out. None means 1 each.

    epoch_length : {"largest", "smallest", "all"} or int, default="largest"
        The steps in an epoch.

        - "largest": as many as the largest source has batches; small ones begin
          anew.
        - "smallest": as many as the smallest has; large ones go on in the next
          epoch where they left off.
        - "all": every batch of every source once. A source whose pass is over
          sits out the rest.
        - an integer: that many.

    See Also
    --------
    BatchAlternation : The same batches, a step for each.
    Shuffled : Batches of mixed rows.

    Notes
    -----
    The loss of a step is :math:`\sum_s w_s L_s`, where :math:`L_s` is the mean
    loss of the batch of source :math:`s`. A step that only one source is left to
    take goes by its plain loss.

    References
    ----------
    .. [1] D. Xin et al. (2022), "Do Current Multi-Task Optimization Methods in
       Deep Learning Even Help?", NeurIPS.
    .. [2] V. Kurin et al. (2022), "In Defense of the Unitary Scalarization for
       Deep Multi-Task Learning", NeurIPS.

    Examples
    --------
    >>> from sktandem.schedules import Joint, Sizes
    >>> sizes = Sizes(("red", "white"), n_rows=(30, 90), batch_sizes=(30, 30))
    >>> schedule = Joint({"red": 2, "white": 1}, epoch_length="all")
    >>> for step in schedule.plan(sizes, [{}], None):
    ...     print(step.sources, step.weights)
    (0, 1) (2.0, 1.0)
    (1,) (1.0,)
    (1,) (1.0,)

    Red has a single batch, white three.
    """

    def __init__(
        self,
        weights: Mapping[Any, float] | None = None,
        *,
        epoch_length: EpochLength = "largest",
    ) -> None:
        self.weights = weights
        self.epoch_length = epoch_length

    def check(self, sizes: Sizes) -> None:
        """Refuse settings that do not fit these sources."""
        super().check(sizes)
        if self.weights is not None:
            sizes.numbers("weights", self.weights, "weight")

    def plan(
        self, sizes: Sizes, history: Sequence[dict[str, Any]], rng: np.random.Generator
    ) -> Iterator[Step]:
        """Yield the steps of one epoch."""
        weights = None
        if self.weights is not None:
            weights = sizes.numbers("weights", self.weights, "weight")
        taking_part = [
            source
            for source in range(len(sizes.names))
            if weights is None or weights[source] > 0
        ]
        lengths = {s: own_pass(sizes, s, self.epoch_length) for s in taking_part}
        for step in range(max(lengths.values())):
            # With "all" a source leaves when its pass is over, and the others go on.
            sources = tuple(s for s in taking_part if step < lengths[s])
            own = None if weights is None else tuple(weights[s] for s in sources)
            yield Step(sources, own)
