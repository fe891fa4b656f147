"""What a schedule is: a plan of steps, made from sizes and history alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from sktandem._settings import check_choice, check_known, check_shares, is_integer
from sktandem.exceptions import SourceError

__all__ = [
    "CHECK",
    "STOP",
    "Check",
    "EpochLength",
    "Schedule",
    "Sizes",
    "Step",
    "finished",
    "rehearsed",
]

EPOCH_LENGTHS = ("largest", "smallest", "all")
EpochLength = Literal["all", "largest", "smallest"] | int
OR_BATCHES = " or a number of batches"
MOST_PASSES = 100
FAR = 1e9  # by which a loss falls that nobody is to call a plateau


class Step(NamedTuple):
    """One optimizer step.

    Attributes
    ----------
    sources : tuple of int
        Positions of the sources that take part.

    weights : tuple of float or None
        What the loss of each source counts; None means 1 each. For a step of
        several sources only.

    mixed : bool
        False takes a batch of each source and sums their losses. True takes a
        single batch from the shuffled rows of all these sources.
    """

    sources: tuple[int, ...]
    weights: tuple[float, ...] | None = None
    mixed: bool = False


@dataclass(frozen=True)
class Check:
    """Measure the validation losses now.

    The losses are found in ``history[-1]["checks"][-1]`` when the plan goes
    on, under the same keys that an epoch has.

    Attributes
    ----------
    as_trained : bool
        False takes the mean over rows, with the module in evaluation mode. True
        takes the mean of the means of batches and leaves the module in
        training mode, as loops written by hand often do.

    sources : tuple of int or None
        Positions of the sources to measure; None for all that have validation
        rows.
    """

    as_trained: bool = False
    sources: tuple[int, ...] | None = None


class Stop:
    """End the training when this epoch is over."""

    def __repr__(self) -> str:
        return "STOP"


CHECK = Check()
STOP = Stop()


@dataclass(frozen=True)
class Sizes:
    """All that a plan knows of the data.

    Attributes
    ----------
    names : tuple
        The names of the sources; a step tells them by their position here.

    n_rows : tuple of int
        Training rows of each source.

    batch_sizes : tuple of int
        Rows in a batch of each source.

    max_epochs : int
        The number of epochs that a whole fit has.

    validated : tuple of bool
        Whether each source has validation rows.

    absent : tuple
        The names of sources that have no rows in this call of `partial_fit`.
    """

    names: tuple[Hashable, ...]
    n_rows: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    max_epochs: int = 10
    validated: tuple[bool, ...] = ()
    absent: tuple[Hashable, ...] = ()

    @cached_property
    def n_batches(self) -> tuple[int, ...]:
        """The batches in one pass over each source, the last one often short.

        A single row that is left over joins the batch before: batch
        normalisation cannot train on one.
        """
        return tuple(
            -(-n // size) - (n > size > 1 and n % size == 1)
            for n, size in zip(self.n_rows, self.batch_sizes)
        )

    def next_batch(self, source: int, seen: int) -> int:
        """Return the rows in the next batch of a source, of which some were seen."""
        size, left = self.batch_sizes[source], self.n_rows[source]
        left -= seen % left
        return left if left == size + 1 > 2 else min(size, left)

    def position(self, name: Hashable, owner: str) -> int:
        """Return the position of a source that `owner` names."""
        if name in self.absent:
            raise SourceError(
                f"{owner} names {name!r}, of which this call has no rows. Give "
                "partial_fit rows of every source that the schedule names."
            )
        check_known(owner, name, self.names)
        return self.names.index(name)

    def numbers(self, setting: str, given: Any, what: str) -> tuple[float, ...]:
        """Return the numbers of a dict by source, in the order of the sources."""
        if not isinstance(given, Mapping):
            raise SourceError(
                f"{setting} must be None or a dict with a {what} for each source, got "
                f"{given!r}. The sources are {list(self.names)}."
            )
        for name in given:
            self.position(name, setting)  # of absent ones there is more to say
        return check_shares(setting, given, self.names, what)

    def steps(self, epoch_length: EpochLength) -> int:
        """Return the number of single-source batches in an epoch."""
        if not isinstance(epoch_length, str):
            return int(epoch_length)
        check_choice("epoch_length", epoch_length, EPOCH_LENGTHS, OR_BATCHES)
        if epoch_length == "all":
            return sum(self.n_batches)
        most = max(self.n_batches) if epoch_length == "largest" else min(self.n_batches)
        return most * len(self.names)


def finished(history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of finished epochs, oldest first.

    The last row is the epoch about to run; one without a `source` was not
    finished, and is passed over.
    """
    return [row for row in list(history)[:-1] if "source" in row]


def rehearsed(
    schedule: Schedule,
    sizes: Sizes,
    history: Sequence[dict[str, Any]],
    rng: np.random.Generator,
) -> int:
    """Return the steps that the epoch about to run will have.

    The plan is pulled to its end on a row of its own, with losses that fall all
    the way, so that one which changes turns by its losses has long turns. One
    that does not end is left after a hundred passes over the data.
    """
    known = history[-1].items()
    row: dict[str, Any] = {k: v for k, v in known if k.startswith("difficulty[")}
    row["batches"], row["checks"] = [], []
    names = [f"valid_loss[{name}]" for name in sizes.names]
    n_steps = 0
    for step in schedule.plan(sizes, [*list(history)[:-1], row], rng):
        if isinstance(step, Step):
            n_steps += 1
            loss = 1 / n_steps
            own = {f"train_loss[{sizes.names[s]}]": loss for s in step.sources}
            row["batches"].append({"train_loss": loss, **own})
            if n_steps == MOST_PASSES * sizes.steps("all"):
                break
        elif isinstance(step, Check):
            low = -FAR * len(row["checks"])
            losses = dict.fromkeys([*names, "valid_loss_macro", "valid_loss"], low)
            row["checks"].append({"n_batches": n_steps, **losses})
    return n_steps


class Schedule(BaseEstimator):
    """Who trains when: the base of all schedules.

    A schedule is a parameter object and keeps no state. `plan` is called once
    an epoch and pulled one step at a time; all that it knows of the past is
    `history`, and what it must remember it writes there, so that a fit that was
    interrupted, pickled or continued goes on as if nothing had happened.

    Read more in the :ref:`User Guide <schedules>`.

    Examples
    --------
    A schedule of one's own: the first source trains twice as often.

    >>> from sktandem.schedules import Schedule, Sizes, Step
    >>> class FirstTwice(Schedule):
    ...     def plan(self, sizes, history, rng):
    ...         for step in range(sizes.steps("all")):
    ...             yield Step((1,) if step % 3 == 2 else (0,))
    >>> sizes = Sizes(("red", "white"), n_rows=(60, 60), batch_sizes=(20, 20))
    >>> [step.sources[0] for step in FirstTwice().plan(sizes, [{}], None)]
    [0, 0, 1, 0, 0, 1]
    """

    @property
    def needs_validation(self) -> bool:
        """Whether the plan reads validation losses."""
        return False

    def plan(
        self, sizes: Sizes, history: Sequence[dict[str, Any]], rng: np.random.Generator
    ) -> Iterator[Step | Check | Stop]:
        """Yield the steps of one epoch.

        Parameters
        ----------
        sizes : Sizes
            The names of the sources, their rows and batches.

        history : sequence of dict
            A row for each epoch, the last one for the epoch about to run. Its
            "batches" grow as the steps are taken: when the next step is asked
            for, ``history[-1]["batches"][-1]`` tells the `source` and the
            `train_loss` of the one before. Values written to
            ``history[-1]["plan"]`` must be fit for JSON.

        rng : numpy.random.Generator
            Random numbers for this epoch.

        Yields
        ------
        step : Step, CHECK or STOP
            What to do next.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no plan. Define plan(self, sizes, history, "
            "rng), which yields steps."
        )

    def check(self, sizes: Sizes) -> None:
        """Refuse settings that do not fit these sources.

        Parameters
        ----------
        sizes : Sizes
            The sources.

        Raises
        ------
        SourceError
            If a parameter names an unknown source or makes no sense.
        """
        length = getattr(self, "epoch_length", "all")
        if not is_integer(length) or length < 1:
            check_choice("epoch_length", length, EPOCH_LENGTHS, OR_BATCHES)
        if self.needs_validation and not any(sizes.validated):
            raise SourceError(
                f"{type(self).__name__} watches validation losses, but no rows are "
                "held out. Set validation_fraction, or give fit validation_data."
            )

    def difficulty_in(self, epoch: int) -> str | Callable[..., Any] | Any | None:
        """Return how rows are told easy from hard in an epoch; None for not at all.

        Parameters
        ----------
        epoch : int
            The number of epochs before it.

        Returns
        -------
        difficulty : "loss", callable, array or None
            The measure, as :class:`Curriculum` takes it.
        """
        return None

    def eligible_rows(
        self, source: int, difficulty: NDArray[np.float64], epoch: int
    ) -> NDArray[np.intp] | None:
        """Return which rows of a source take part in an epoch.

        Parameters
        ----------
        source : int
            The position of the source.

        difficulty : ndarray of shape (n_rows,)
            The difficulty of each training row of the source.

        epoch : int
            The number of epochs before it.

        Returns
        -------
        rows : ndarray of int or None
            Positions among the rows of the source; None for all.
        """
        return None
