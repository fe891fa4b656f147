"""Phases: one schedule after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sktandem._settings import check_integer
from sktandem._telling import warn
from sktandem.exceptions import SourceError
from sktandem.schedules._names import PHASES, resolve_schedule
from sktandem.schedules._schedule import Check, Schedule, Sizes, Step, Stop, finished

__all__ = ["Phases"]


class Phase(NamedTuple):
    """A phase, and the epoch of the fit at which it begins."""

    schedule: Schedule
    epochs: int
    start: int
    is_last: bool


class Phases(Schedule):
    """Train by one schedule for some epochs, then by the next.

    For whatever changes on the way: the large source first and both later, which
    beats any fixed mixture where one source is much smaller [1]_; or alternate
    first, and end on the source you care about.

    Read more in the :ref:`User Guide <schedules>`.

    Parameters
    ----------
    phases : list of (Schedule or str, int)
        The schedule and the number of epochs of each phase. When all are over,
        the last schedule goes on.

    See Also
    --------
    EpochAlternation : The schedule for a single source: ``order=["red"]``.
    SampledAlternation : A mixture that changes gradually, with `anneal_to`.

    Notes
    -----
    A phase is like a fit of its own: its schedule sees the epochs of this phase
    only, as many in all as the phase has. What it remembers is not handed on. A
    schedule that asks to stop the training is heard in the last phase only; in
    the others the phase goes on to its end.

    References
    ----------
    .. [1] D. Choi et al. (2023), "Order Matters in the Presence of Dataset
       Imbalance for Multilingual Learning", NeurIPS.

    Examples
    --------
    >>> from sktandem.schedules import EpochAlternation, Phases, Sizes
    >>> sizes = Sizes(("red", "white"), n_rows=(60, 90), batch_sizes=(30, 30))
    >>> schedule = Phases([(EpochAlternation(["white"]), 2), ("batches", 1)])
    >>> history = []
    >>> for epoch in range(3):
    ...     history.append({"batches": []})
    ...     print([step.sources[0] for step in schedule.plan(sizes, history, None)])
    ...     history[-1]["source"] = "..."
    [1, 1, 1]
    [1, 1, 1]
    [0, 1, 0, 1, 0, 1]
    """

    def __init__(self, phases: Sequence[tuple[Schedule | str, int]]) -> None:
        self.phases = phases

    @property
    def needs_validation(self) -> bool:
        """Whether the plan of some phase reads validation losses."""
        return any(phase.schedule.needs_validation for phase in self._all())

    def check(self, sizes: Sizes) -> None:
        """Refuse settings that do not fit these sources."""
        self._check_parts(sizes)
        orders = self._orders()
        # Other schedules let every source in, or cannot tell beforehand.
        if None not in orders:
            trained = {name for order in orders for name in order or ()}
            never = [name for name in sizes.names if name not in trained]
            if never:
                warn(
                    f"No phase trains {never}. Name it in the order of one, or leave "
                    "its rows out."
                )

    def _check_parts(self, sizes: Sizes) -> None:
        phases = self._all()
        super().check(sizes)
        for phase in phases:
            own = replace(sizes, max_epochs=phase.epochs)
            if isinstance(phase.schedule, Phases):
                phase.schedule._check_parts(own)
            else:
                phase.schedule.check(own)

    def _orders(self) -> list[Any]:
        """Return the order of every phase, of phases within phases too."""
        orders: list[Any] = []
        for phase in self._all():
            if isinstance(phase.schedule, Phases):
                orders += phase.schedule._orders()
            else:
                orders.append(getattr(phase.schedule, "order", None))
        return orders

    def plan(
        self, sizes: Sizes, history: Sequence[dict[str, Any]], rng: np.random.Generator
    ) -> Iterator[Step | Check | Stop]:
        """Yield the steps of one epoch."""
        past = finished(history)
        phase = self._phase(len(past))
        own = [*_counted_from(past, phase.start, sizes), history[-1]]
        of_phase = replace(sizes, max_epochs=phase.epochs)
        for step in phase.schedule.plan(of_phase, own, rng):
            # STOP means that a schedule has nothing more to gain. Of an early phase it
            # must not end the fit, whose other phases are still to come.
            if phase.is_last or not isinstance(step, Stop):
                yield step

    def difficulty_in(self, epoch: int) -> str | Callable[..., Any] | Any | None:
        """Return the measure of the phase that an epoch belongs to."""
        phase = self._phase(epoch)
        return phase.schedule.difficulty_in(epoch - phase.start)

    def eligible_rows(
        self, source: int, difficulty: NDArray[np.float64], epoch: int
    ) -> NDArray[np.intp] | None:
        """Return which rows take part, as the phase of an epoch has it."""
        phase = self._phase(epoch)
        return phase.schedule.eligible_rows(source, difficulty, epoch - phase.start)

    def _phase(self, epoch: int) -> Phase:
        return next(
            phase
            for phase in self._all()
            if phase.is_last or epoch < phase.start + phase.epochs
        )

    def _all(self) -> list[Phase]:
        if isinstance(self.phases, str | Schedule) or not len(self.phases):
            raise SourceError(
                "phases must be a list of schedules with their epochs, got "
                f"{self.phases!r}. Pass at least one, such as {PHASES}."
            )
        phases: list[Phase] = []
        start = 0
        for position, pair in enumerate(self.phases):
            if not _is_pair(pair):
                raise SourceError(
                    f"phases[{position}] must be a schedule with its epochs, got "
                    f"{pair!r}. Pass pairs, such as {PHASES}."
                )
            schedule, epochs = pair
            check_integer(f"the epochs of phases[{position}]", epochs)
            is_last = position == len(self.phases) - 1
            phases.append(Phase(resolve_schedule(schedule), epochs, start, is_last))
            start += epochs
        return phases


def _counted_from(
    past: list[dict[str, Any]], start: int, sizes: Sizes
) -> list[dict[str, Any]]:
    """Return the rows of a phase, with the rows seen counted from its start."""
    if start == 0:
        return past
    # A schedule that counts its passes must not find those of the phases before.
    before, keys = past[start - 1], [f"rows_seen[{name}]" for name in sizes.names]
    return [
        row | {key: row[key] - before.get(key, 0) for key in keys if key in row}
        for row in past[start:]
    ]


def _is_pair(given: object) -> bool:
    return isinstance(given, tuple | list) and len(given) == 2
