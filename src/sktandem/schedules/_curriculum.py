"""A curriculum: easy rows or sources first, the rest little by little."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sktandem._settings import check_choice, check_integer, check_number
from sktandem._telling import did_you_mean
from sktandem.exceptions import SourceError
from sktandem.schedules._batches import BatchAlternation
from sktandem.schedules._schedule import EpochLength, Schedule, Sizes, Step, finished

__all__ = ["Curriculum"]


class Curriculum(Schedule):
    r"""Begin with what is easy and add the rest gradually.

    Wrong labels and outliers are the hardest rows of all: leaving them for
    later helps where there are many of them, or where the training is short. On
    clean data with time to spare expect little [1]_.

    Read more in the :ref:`User Guide <schedules>`.

    Parameters
    ----------
    difficulty : "loss", callable or array-like, default="loss"
        How hard a row is.

        - "loss": its loss under the present model, measured anew each epoch. The
          first epoch takes all rows: an untrained model cannot tell.
        - callable: called with X and y, returns a number per row.
        - array-like of shape (n_samples,): a number per row given to `fit`.

    start : float, default=0.3
        The share of the rows, or sources, that the first epoch takes.

    epochs : int, default=10
        The number of epochs until all take part.

    by : {"rows", "sources", "both"}, default="rows"
        "rows" takes the easiest rows of each source, at least one. "sources"
        takes the sources of the least mean difficulty, with all their rows.

    epoch_length : {"all", "largest", "smallest"} or int, default="all"
        The batches in an epoch. Rows and sources that do not take part do not
        count.

        - "all": every batch of every source once, spread evenly.
        - "largest", "smallest": as many for every source as the largest or
          smallest has.
        - an integer: that many in all, in turns of one batch.

    See Also
    --------
    Bandit : Prefer the sources that are hard, not those that are easy.
    Phases : Let sources in by name rather than by difficulty.

    Notes
    -----
    Epoch :math:`e` takes the share :math:`\min(1, s + (1 - s) e / E)`, for `start`
    :math:`s` and `epochs` :math:`E`, rounded up to whole rows or sources. Of rows
    equally hard, the earlier are taken first.

    In a large study [1]_, curricula gained almost nothing on clean benchmarks
    over plain or random order, and clearly so with noisy labels or a short
    budget of steps.

    References
    ----------
    .. [1] X. Wu, E. Dyer & B. Neyshabur (2021), "When Do Curricula Work?", ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from sktandem.schedules import Curriculum
    >>> schedule = Curriculum(lambda X, y: np.abs(y), start=0.5, epochs=2)
    >>> difficulty = np.array([4.0, 1.0, 3.0, 2.0])
    >>> schedule.eligible_rows(0, difficulty, epoch=0)
    array([1, 3])
    >>> schedule.eligible_rows(0, difficulty, epoch=1)
    array([1, 2, 3])
    >>> schedule.eligible_rows(0, difficulty, epoch=2) is None
    True

    Half of the rows, then three quarters, then all.
    """

    def __init__(
        self,
        difficulty: str | Callable[..., Any] | Any = "loss",
        *,
        start: float = 0.3,
        epochs: int = 10,
        by: Literal["rows", "sources", "both"] = "rows",
        epoch_length: EpochLength = "all",
    ) -> None:
        self.difficulty = difficulty
        self.start = start
        self.epochs = epochs
        self.by = by
        self.epoch_length = epoch_length

    def check(self, sizes: Sizes) -> None:
        """Refuse settings that do not fit these sources."""
        super().check(sizes)
        check_number("start", self.start, "above 0 and at most 1", lambda s: 0 < s <= 1)
        check_integer("epochs", self.epochs)
        check_choice("by", self.by, ("rows", "sources", "both"))
        if callable(self.difficulty):
            return
        if isinstance(self.difficulty, str) or np.ndim(self.difficulty) != 1:
            if isinstance(self.difficulty, str) and self.difficulty == "loss":
                return
            raise SourceError(
                "difficulty must be 'loss', a function of X and y, or one number per "
                f"row, got {self.difficulty!r}."
                f"{did_you_mean(self.difficulty, ['loss'])}"
            )
        if len(self.difficulty) < sum(sizes.n_rows):
            raise SourceError(
                "difficulty must hold a number for each row given to fit: it has "
                f"{len(self.difficulty)}, and {sum(sizes.n_rows)} rows train."
            )

    def plan(
        self, sizes: Sizes, history: Sequence[dict[str, Any]], rng: np.random.Generator
    ) -> Iterator[Step]:
        """Yield the steps of one epoch."""
        epoch = len(finished(history))
        admitted = self._admitted(sizes, history[-1], epoch)
        n_rows = [sizes.n_rows[source] for source in admitted]
        if self.by != "sources" and self.difficulty_in(epoch) is not None:
            n_rows = [self._part(n, epoch) for n in n_rows]
        part = replace(
            sizes,
            names=tuple(sizes.names[source] for source in admitted),
            n_rows=tuple(n_rows),
            batch_sizes=tuple(sizes.batch_sizes[source] for source in admitted),
        )
        turns = BatchAlternation(epoch_length=self.epoch_length)
        for step in turns.plan(part, history, rng):
            yield Step((admitted[step.sources[0]],))

    def difficulty_in(self, epoch: int) -> str | Callable[..., Any] | Any | None:
        """Return the measure while some are left out; None for not at all."""
        if self._share(epoch) >= 1:
            return None
        by_loss = isinstance(self.difficulty, str)
        # Before the first step the losses are those of random weights, and tell
        # nothing.
        return None if by_loss and epoch == 0 else self.difficulty

    def eligible_rows(
        self, source: int, difficulty: NDArray[np.float64], epoch: int
    ) -> NDArray[np.intp] | None:
        """Return which rows of a source take part in an epoch."""
        if self.by == "sources" or self._share(epoch) >= 1:
            return None
        easiest = np.argsort(difficulty, kind="stable")
        return np.sort(easiest[: self._part(len(difficulty), epoch)])

    def _share(self, epoch: int) -> float:
        if epoch >= self.epochs:
            return 1.0
        return self.start + (1 - self.start) * epoch / self.epochs

    def _part(self, n: int, epoch: int) -> int:
        # Rounded first: 0.7 * 10 may come out a hair above 7.
        return max(1, int(np.ceil(round(self._share(epoch) * n, 9))))

    def _admitted(self, sizes: Sizes, row: dict[str, Any], epoch: int) -> list[int]:
        """Return the sources that take part, in order."""
        every = list(range(len(sizes.names)))
        if self.by == "rows" or self.difficulty_in(epoch) is None:
            return every
        means = [row[f"difficulty[{name}]"] for name in sizes.names]
        easiest = np.argsort(means, kind="stable")
        return sorted(easiest[: self._part(len(every), epoch)].tolist())
