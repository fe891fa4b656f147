"""Alternation by lot: the source of each batch is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np

from sktandem._settings import check_number
from sktandem._typing import Floats
from sktandem.exceptions import SourceError
from sktandem.schedules._schedule import (
    STOP,
    EpochLength,
    Schedule,
    Sizes,
    Step,
    Stop,
    finished,
)

__all__ = ["SampledAlternation", "draw"]


class SampledAlternation(Schedule):
    r"""Draw the source of each batch, by its size or by shares of your own.

    One number, the temperature, interpolates between sampling by size, where a small
    source is rarely drawn, and equal sampling, where it is repeated often. It may
    change during the fit, and the repetition can be capped.

    Read more in the :ref:`User Guide <schedules>`.

    Parameters
    ----------
    probabilities : dict, default=None
        How often each source is drawn. Only ratios matter; every source must be
        named, and 0 leaves one out. None takes them from the sizes.

    temperature : float, default=1.0
        1 draws sources in proportion to their rows, ``float("inf")`` all alike;
        between them a small source gains.

    anneal_to : float, default=None
        The temperature of the last epoch. Its inverse changes by the same step
        every epoch. None keeps `temperature`.

    max_repeats : float, default=None
        The passes over any source in the whole fit. A source that has had them
        is drawn no more; when all have, the training stops. None sets no cap.

    epoch_length : {"all", "largest", "smallest"} or int, default="all"
        The batches in an epoch: "all" as many as the sources have together,
        "largest" and "smallest" as many for each source as the largest or
        smallest has, an integer that many.

    See Also
    --------
    BatchAlternation : The same shares without chance.
    Bandit : Learn the probabilities from the losses.

    Notes
    -----
    A source of :math:`n` rows is drawn with :math:`p \propto n^{1/T}` [1]_. With
    `max_repeats` :math:`N` the probabilities are those of UniMax [2]_, for any
    temperature: each source is given :math:`\min(N b, \lambda p)` of all the
    batches of the fit, where it has :math:`b` batches in a pass and
    :math:`\lambda` uses up the fit. In an interrupted or continued fit the
    passes are counted from its beginning.

    References
    ----------
    .. [1] N. Arivazhagan et al. (2019), "Massively Multilingual Neural Machine
       Translation in the Wild", arXiv:1907.05019.
    .. [2] H. W. Chung et al. (2023), "UniMax: Fairer and More Effective Language
       Sampling for Large-Scale Multilingual Pretraining", ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from sktandem.schedules import SampledAlternation, Sizes
    >>> sizes = Sizes(("red", "white"), n_rows=(100, 1600), batch_sizes=(1, 1))
    >>> def share_of_red(schedule):
    ...     plan = schedule.plan(sizes, [{}], np.random.default_rng(0))
    ...     return round(sum(step.sources == (0,) for step in plan) / 100_000, 2)
    >>> share_of_red(SampledAlternation(epoch_length=100_000))
    0.06
    >>> share_of_red(SampledAlternation(temperature=2, epoch_length=100_000))
    0.2
    >>> equal = SampledAlternation(temperature=float("inf"), epoch_length=100_000)
    >>> share_of_red(equal)
    0.5

    Red has one row in 17, and is drawn every 17th time, every fifth, or every
    second.
    """

    def __init__(
        self,
        probabilities: Mapping[Any, float] | None = None,
        *,
        temperature: float = 1.0,
        anneal_to: float | None = None,
        max_repeats: float | None = None,
        epoch_length: EpochLength = "all",
    ) -> None:
        self.probabilities = probabilities
        self.temperature = temperature
        self.anneal_to = anneal_to
        self.max_repeats = max_repeats
        self.epoch_length = epoch_length

    def check(self, sizes: Sizes) -> None:
        """Refuse settings that do not fit these sources."""
        super().check(sizes)
        check_number("temperature", self.temperature, "above 0", lambda t: t > 0)
        if self.anneal_to is not None:
            check_number("anneal_to", self.anneal_to, "above 0", lambda t: t > 0)
        if self.max_repeats is not None:
            check_number("max_repeats", self.max_repeats, "above 0", lambda n: n > 0)
        if self.probabilities is None:
            return
        self._given(sizes)
        if self.temperature != 1 or self.anneal_to is not None:
            raise SourceError(
                "probabilities already sets how often each source is drawn, and so do "
                f"temperature={self.temperature!r} and anneal_to={self.anneal_to!r}. "
                "Give one or the other."
            )

    def plan(
        self, sizes: Sizes, history: Sequence[dict[str, Any]], rng: np.random.Generator
    ) -> Iterator[Step | Stop]:
        """Yield the steps of one epoch."""
        past, n_steps = finished(history), sizes.steps(self.epoch_length)
        shares = self._shares(sizes, len(past), n_steps)
        seen = _rows_seen(sizes, past)
        cap = inf if self.max_repeats is None else self.max_repeats
        open_ = np.array([cap * n > rows for n, rows in zip(sizes.n_rows, seen)])
        if not (shares * open_).any():  # an epoch cannot be empty
            yield Step((int(np.argmax(shares)),))
            yield STOP
            return
        uniforms = rng.random(n_steps)
        while len(uniforms):
            for source in draw(shares * open_, uniforms):
                uniforms = uniforms[1:]
                seen[source] += sizes.next_batch(source, seen[source])
                yield Step((source,))
                # It has had its passes: the numbers that are left fall to the others
                # anew.
                if seen[source] >= cap * sizes.n_rows[source]:
                    open_[source] = False
                    break
            if not (shares * open_).any():
                yield STOP
                return

    def _shares(self, sizes: Sizes, epoch: int, n_steps: int) -> Floats:
        if self.probabilities is None:
            # Relative to the largest, so that no power overflows.
            rows = np.array(sizes.n_rows) / max(sizes.n_rows)
            shares = rows ** self._exponent(epoch, sizes.max_epochs)
        else:
            shares = np.array(self._given(sizes))
        shares = np.asarray(shares / shares.sum())
        if self.max_repeats is None:
            return shares
        caps = self.max_repeats * np.array(sizes.n_batches)
        return _within(caps, shares, n_steps * sizes.max_epochs)

    def _given(self, sizes: Sizes) -> tuple[float, ...]:
        return sizes.numbers("probabilities", self.probabilities, "probability")

    def _exponent(self, epoch: int, max_epochs: int) -> float:
        start = 1 / self.temperature
        if self.anneal_to is None:
            return start
        progress = min(1.0, epoch / max(1, max_epochs - 1))
        return start + progress * (1 / self.anneal_to - start)


def draw(shares: Floats, uniforms: Floats) -> Iterator[int]:
    """Yield the source that each uniform number falls to."""
    # To the right of an edge: a source whose share is 0 has no width between its edge
    # and the one before, and is never drawn, not even by a 0.0.
    edges = np.cumsum(shares)
    return iter(np.searchsorted(edges / edges[-1], uniforms, side="right").tolist())


def _within(caps: Floats, shares: Floats, budget: int) -> Floats:
    """Return shares of a budget by which no source exceeds its cap."""
    # Water filling: all rise to one level, those that reach their cap keep it, and what
    # they leave raises the level of the others.
    free = shares > 0
    given = np.where(free, caps, 0.0)
    while free.any():
        level = (budget - given[~free].sum()) / shares[free].sum()
        over = free & (level * shares > caps)
        if not over.any():
            given[free] = level * shares[free]
            break
        free &= ~over
    return np.asarray(given / given.sum())


def _rows_seen(sizes: Sizes, past: Sequence[dict[str, Any]]) -> list[int]:
    totals = past[-1] if past else {}
    return [totals.get(f"rows_seen[{name}]", 0) for name in sizes.names]
