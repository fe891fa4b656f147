"""Alternation on a plateau: the next source's turn when this one stalls."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from sktandem._settings import check_choice, check_integer, check_number
from sktandem._telling import did_you_mean
from sktandem.exceptions import SourceError
from sktandem.schedules._schedule import (
    STOP,
    Check,
    EpochLength,
    Schedule,
    Sizes,
    Step,
    Stop,
    finished,
)
from sktandem.schedules._turns import last_plan, own_pass, write_down

__all__ = ["PlateauAlternation"]

POOLED: dict[Hashable, str] = {"pooled": "valid_loss", "macro": "valid_loss_macro"}


@dataclass
class Turn:
    """What a turn must remember from one validation to the next."""

    best: list[float | None]
    source: int = 0
    length: int = 0
    values: list[float] = field(default_factory=list)
    n_values: int = 0
    lowest: float | None = None
    n_idle: int = 0


class PlateauAlternation(Schedule):
    r"""Train on one source until its validation loss stalls, then on the next.

    Each source trains for as long as that helps it. The source in turn is
    judged by its own validation loss: the loss over all sources may rise for as
    long as one of them trains, and a rule that waits for it to settle may wait
    forever.

    Read more in the :ref:`User Guide <schedules>`.

    Parameters
    ----------
    window : int, default=5
        The number of the latest validation losses that the rule looks at.

    threshold : float, default=0.01
        The fall of the loss that still counts as progress.

    monitor : {"active", "pooled", "macro"} or hashable, default="active"
        Which validation loss is watched: that of the source in turn, of all
        rows, the mean over the sources, or that of the source named here.

    rule : {"signed", "absolute"}, default="signed"
        When the loss has stalled.

        - "signed": none of the window's losses lies `threshold` below the first.
          A rising loss has stalled too.
        - "absolute": the window's first and last loss differ by `threshold` or
          less. A rising loss goes on.

    check_every : {"epoch", "batch"}, default="epoch"
        How often the validation loss is measured. With "epoch", an epoch is a
        pass over the source in turn, and turns change between epochs. With
        "batch" they change anywhere, and a turn may last over several epochs;
        it costs a pass over the validation rows for each batch.

    check_in : {"eval", "train"}, default="eval"
        The mode of the module when `check_every` is "batch". "train" measures as
        loops written by hand often do: dropout active, the mean over batches.

    reset_on_switch : bool, default=True
        Whether a turn begins with an empty window. If False, the losses of the
        turns before are looked at too.

    min_history : int, default=None
        The number of losses that the rule waits for; None means `window`.

    min_turn, max_turn : int, default=None
        The shortest and the longest turn, in epochs or batches, as `check_every`
        counts. None sets no bound.

    epoch_length : {"all", "largest", "smallest"} or int, default="all"
        The batches in an epoch. With `check_every` "epoch": "all" those of the
        source in turn, "largest" and "smallest" as many as the largest or
        smallest source has. With "batch": "all" as many as the sources have
        together, "largest" and "smallest" that many for each source.

    See Also
    --------
    EpochAlternation : Turns of a fixed number of epochs.
    Bandit : Let the training loss choose, batch by batch.

    Notes
    -----
    With the window's losses :math:`v_1, \ldots, v_w`, a turn ends when
    :math:`v_1 - \min(v_2, \ldots, v_w) < \tau` ("signed") or
    :math:`|v_1 - v_w| \le \tau` ("absolute"), for the threshold :math:`\tau`.

    The training stops when as many turns in a row as there are sources have
    ended by the rule without lowering the best loss of their own source by
    `threshold`. A first turn has nothing to lower and never counts. With
    `check_every` "epoch" this is found out at the start of an epoch, which is
    then the last. With `reset_on_switch=False` the training never stops early.

    The rule found in tutorials, ``abs(losses[-5] - losses[-1]) <= 0.01`` once
    ``len(losses) > 5``, on the validation loss of the first source, "red", is
    ``PlateauAlternation(5, threshold=0.01, rule="absolute", monitor="red",
    check_every="batch", check_in="train", reset_on_switch=False,
    min_history=6)``. It never asks whether the other source has stalled.

    Examples
    --------
    Red's loss lies still for three epochs, so the sixth is white's.

    >>> from sktandem.schedules import PlateauAlternation, Sizes
    >>> sizes = Sizes(("red", "white"), (60, 60), (30, 30), validated=(True, True))
    >>> schedule, history = PlateauAlternation(window=3), []
    >>> for loss in [0.9, 0.5, 0.4, 0.4, 0.4, 0.8]:
    ...     history.append({"batches": []})
    ...     source = sizes.names[next(schedule.plan(sizes, history, None)).sources[0]]
    ...     history[-1] |= {"source": source, f"valid_loss[{source}]": loss}
    >>> [row["source"] for row in history]
    ['red', 'red', 'red', 'red', 'red', 'white']
    """

    needs_validation = True

    def __init__(
        self,
        window: int = 5,
        *,
        threshold: float = 0.01,
        monitor: Hashable = "active",
        rule: Literal["signed", "absolute"] = "signed",
        check_every: Literal["epoch", "batch"] = "epoch",
        check_in: Literal["eval", "train"] = "eval",
        reset_on_switch: bool = True,
        min_history: int | None = None,
        min_turn: int | None = None,
        max_turn: int | None = None,
        epoch_length: EpochLength = "all",
    ) -> None:
        self.window = window
        self.threshold = threshold
        self.monitor = monitor
        self.rule = rule
        self.check_every = check_every
        self.check_in = check_in
        self.reset_on_switch = reset_on_switch
        self.min_history = min_history
        self.min_turn = min_turn
        self.max_turn = max_turn
        self.epoch_length = epoch_length

    def check(self, sizes: Sizes) -> None:
        """Refuse settings that do not fit these sources."""
        super().check(sizes)
        check_integer("window", self.window, least=2)
        check_number("threshold", self.threshold, "of at least 0", lambda t: t >= 0)
        check_choice("rule", self.rule, ("signed", "absolute"))
        check_choice("check_every", self.check_every, ("epoch", "batch"))
        check_choice("check_in", self.check_in, ("eval", "train"))
        if self.min_history is not None:
            check_integer("min_history", self.min_history, least=self.window)
        if self.min_turn is not None:
            check_integer("min_turn", self.min_turn)
        if self.max_turn is not None:
            check_integer("max_turn", self.max_turn, least=self.min_turn or 1)
        self._check_monitor(sizes)

    def _check_monitor(self, sizes: Sizes) -> None:
        if self.monitor in ("active", *POOLED) and self.monitor in sizes.names:
            raise SourceError(
                f"monitor={self.monitor!r} is both a setting and the name of a source. "
                "Rename the source."
            )
        if self.monitor in POOLED:
            return
        if self.monitor != "active" and self.monitor not in sizes.names:
            known = ["active", *POOLED, *sizes.names]
            raise SourceError(
                "monitor must be 'active', 'pooled', 'macro' or a source, got "
                f"{self.monitor!r}. The sources are {list(sizes.names)}."
                f"{did_you_mean(self.monitor, known)}"
            )
        watched = sizes.names if self.monitor == "active" else (self.monitor,)
        without = [
            name
            for name, valid in zip(sizes.names, sizes.validated)
            if name in watched and not valid
        ]
        if without:
            raise SourceError(
                f"monitor={self.monitor!r} watches the validation loss of "
                f"{list(watched)}, and {without} has no validation row. Give it some, "
                "or use monitor='pooled'."
            )

    def plan(
        self, sizes: Sizes, history: Sequence[dict[str, Any]], rng: np.random.Generator
    ) -> Iterator[Step | Check | Stop]:
        """Yield the steps of one epoch."""
        before = last_plan(history, sizes)
        turn = Turn(best=[None] * len(sizes.names))
        # A copy, since a turn is written to, and the row of an epoch that is over is
        # not.
        if "n_idle" in before:  # another schedule may have planned that epoch
            turn = Turn(**deepcopy(before))
        if self.check_every == "batch":
            yield from self._by_batch(turn, sizes, history)
            return
        stop = "n_idle" in before and self._ends(turn, finished(history)[-1], sizes)
        write_down(asdict(turn), history, sizes)
        for _ in range(own_pass(sizes, turn.source, self.epoch_length)):
            yield Step((turn.source,))
        if stop:
            yield STOP

    def _by_batch(
        self, turn: Turn, sizes: Sizes, history: Sequence[dict[str, Any]]
    ) -> Iterator[Step | Check | Stop]:
        watched = None
        if self.monitor in sizes.names and not self.reset_on_switch:
            watched = (sizes.names.index(self.monitor),)  # nobody asks for others
        check = Check(self.check_in == "train", watched)
        for _ in range(sizes.steps(self.epoch_length)):
            yield Step((turn.source,))
            yield check
            stop = self._ends(turn, history[-1]["checks"][-1], sizes)
            write_down(asdict(turn), history, sizes)
            if stop:
                yield STOP
                return

    def _ends(self, turn: Turn, row: dict[str, Any], sizes: Sizes) -> bool:
        """Take in the losses of a row; return whether the training is to stop."""
        own = f"valid_loss[{sizes.names[turn.source]}]"
        named = POOLED.get(self.monitor, f"valid_loss[{self.monitor}]")
        loss = row[own if self.monitor == "active" else named]
        turn.length += 1
        turn.values = [*turn.values, loss][-self.window :]
        turn.n_values += 1
        # Whatever is watched, a source is done for good only by its own loss.
        own_loss = row.get(own, loss)
        turn.lowest = own_loss if turn.lowest is None else min(own_loss, turn.lowest)
        stalled = self._stalled(turn)
        if stalled or (self.max_turn is not None and turn.length >= self.max_turn):
            return self._switched(turn, stalled)
        return False

    def _stalled(self, turn: Turn) -> bool:
        if turn.n_values < (self.min_history or self.window):
            return False
        if turn.length < (self.min_turn or 1):
            return False
        first, *rest = turn.values
        if self.rule == "absolute":
            return abs(first - rest[-1]) <= self.threshold
        return first - min(rest) < self.threshold

    def _switched(self, turn: Turn, stalled: bool) -> bool:
        """Give the turn to the next source; return whether all have stalled."""
        best, lowest = turn.best[turn.source], turn.lowest
        assert lowest is not None  # a turn ends on a loss
        idle = stalled and best is not None and best - lowest < self.threshold
        turn.n_idle = turn.n_idle + 1 if idle else 0
        turn.best[turn.source] = lowest if best is None else min(best, lowest)
        turn.source = (turn.source + 1) % len(turn.best)
        turn.length, turn.lowest = 0, None
        if not self.reset_on_switch:
            return False
        turn.values, turn.n_values = [], 0
        if turn.n_idle < len(turn.best):
            return False
        turn.n_idle = 0  # whoever trains on all the same gives each a new chance
        return True
