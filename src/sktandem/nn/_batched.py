"""The trainer of many nets at once: their steps as one, all else net by net."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor

from sktandem._settings import is_integer
from sktandem.nn._loop import of_early_stopping
from sktandem.nn._planned import Epoch
from sktandem.nn._preparation import Prepared
from sktandem.nn._recorder import Stopped, diverged
from sktandem.nn._ring import Ring, Steps
from sktandem.nn._seeding import derive_seed, seeded
from sktandem.nn._stacked import Stack
from sktandem.nn._trainer import Trainer
from sktandem.nn._turns import TrainingRows, TurnBatches
from sktandem.schedules import Joint

__all__ = ["Training", "train_together"]


@dataclass(eq=False)
class Training:
    """The training of one net among others.

    Attributes
    ----------
    trainer : Trainer
        Its trainer.

    net : NeuralNet
        It, initialized.

    data : Prepared
        Its data.

    error : Exception or None
        What ended it early, if anything did.
    """

    trainer: Trainer
    net: NeuralNet
    data: Prepared
    error: Exception | None = None
    _turns: TurnBatches = field(init=False)
    _epoch: Epoch = field(init=False)
    _rows: list[dict[str, Any]] = field(init=False, default_factory=list)
    _left: int = field(init=False)

    @property
    def nominal_size(self) -> int:
        """About how many rows a step has: nets whose steps are alike share a stack."""
        trainer, net = self.trainer, self.net
        given = net.batch_size if trainer.batch_size is None else trainer.batch_size
        sizes = []
        for name, n_rows in zip(self.data.names, self.data.n_samples):
            own = given.get(name) if isinstance(given, Mapping) else given
            # One that makes no sense is refused when the training begins.
            sizes.append(min(own, n_rows) if is_integer(own) and own > 0 else n_rows)
        # Rounded up to a power of two: steps that differ a little share a stack, and
        # none is filled up to twice its rows.
        joined = isinstance(trainer.schedule, Joint)
        return 1 << ((sum(sizes) if joined else max(sizes)) - 1).bit_length()

    def alone(self) -> None:
        """Train the net by itself."""
        trainer, net = self.trainer, self.net
        epochs = net.max_epochs - len(net.history)
        trainer.train(net, self.data, epochs=epochs, keep=trainer.keep)

    def begin(self, within: ExitStack) -> None:
        """Get ready to train, until the block ends that is given."""
        trainer, net = self.trainer, self.net
        ready = trainer.ready(net, self.data, trainer.keep)
        self._turns = within.enter_context(ready)
        self._left = net.max_epochs
        net.notify("on_train_begin", X=TrainingRows(self._turns), y=None)
        self._begin_epoch()

    def _notify(self, event: str) -> None:
        turns = self._turns
        given = {"dataset_train": TrainingRows(turns), "dataset_valid": turns.valid}
        self.net.notify(event, **given)

    def _begin_epoch(self) -> None:
        self._notify("on_epoch_begin")
        self._epoch, self._rows = self._turns.planned(), []

    def next_steps(self, n_steps: int) -> Steps:
        """Return the rows of the next steps, so many or what is left of the epoch."""
        epoch, first = self._epoch, len(self._rows)
        ends = epoch.ends[first : first + n_steps]
        start = int(epoch.ends[first - 1]) if first else 0
        own = slice(start, int(ends[-1]))
        table = self._turns.rows.table
        assert table.y is not None
        rows = epoch.rows[own].to(table.y.device)
        counts = epoch.counts[own]
        if table.weights is not None:
            counts = counts * table.weights.index_select(0, rows).cpu().numpy()
        x = table.features(rows, None)
        assert isinstance(x, Tensor)
        return Steps(
            np.diff(ends, prepend=start),
            counts,
            x,
            table.y.index_select(0, rows),
            None if table.heads is None else table.heads.index_select(0, rows),
        )

    def record(self, losses: NDArray[Any], sizes: NDArray[np.intp]) -> None:
        """Write steps down that were taken, by what the loss of each row came to."""
        first, ends = len(self._rows), np.cumsum(sizes)
        # The losses count already, each by its weight over the rows of its batch, so
        # that a sum over a step is its mean. Of a part of a joint step the weight is
        # taken out again: the history tells the loss of a source as it is.
        totals = np.add.reduceat(losses, ends - sizes).tolist()
        for step, (loss, size) in enumerate(zip(totals, sizes.tolist())):
            label = self._epoch.labels[first + step]
            row = {"source": label, "train_loss": loss, "train_batch_size": size}
            start = ends[step] - size
            for name, rows, weight in self._epoch.parts[first + step] or ():
                own = losses[start + rows.start : start + rows.stop]
                row[f"train_loss[{name}]"] = float(own.sum() / weight)
                row[f"train_batch_size[{name}]"] = len(own)
            self._rows.append(row)
            if not math.isfinite(loss):
                raise diverged(self.net, "training", loss, label, self.trainer.remedy)

    def end_epoch(self) -> bool:
        """Validate, let the callbacks look, and tell whether another epoch follows."""
        net, turns = self.net, self._turns
        # As skorch's own loop would have written it, for `Recorder` and for callbacks.
        net.history[-1]["batches"] += self._rows
        net.history.record("train_batch_count", len(self._rows))
        turns.finish()
        if turns.valid is not None:
            batches = net.get_iterator(turns.valid, training=False)
            step = net.validation_step
            net.run_single_epoch(batches, training=False, prefix="valid", step_fn=step)
        self._left -= 1
        try:
            self._notify("on_epoch_end")
        except Stopped:
            return False
        except KeyboardInterrupt as error:
            if not of_early_stopping(error):
                raise
            return False
        if not self._left:
            return False
        self._begin_epoch()
        return True

    def went_on(
        self, losses: NDArray[Any], sizes: NDArray[np.intp], stack: Stack, lane: int
    ) -> bool:
        """Take in the steps that were taken, and tell whether others follow."""
        return self.tried(self._went_on, losses, sizes, stack, lane)

    def _went_on(
        self, losses: NDArray[Any], sizes: NDArray[np.intp], stack: Stack, lane: int
    ) -> bool:
        self.record(losses, sizes)
        if len(self._rows) < len(self._epoch):
            return True
        # Before anybody looks: validation asks the net itself, and so may a callback.
        stack.give(self.net, lane)
        if self.end_epoch():
            return True
        stack.give_moments(self.net, lane)
        self.net.notify("on_train_end", X=TrainingRows(self._turns), y=None)
        return False

    def tried(self, do: Callable[..., Any], *given: Any) -> bool:
        """Do something, and keep an error for later: the other nets go on."""
        try:
            return do(*given) is not False
        except Exception as error:
            self.error = error
            return False


def train_together(trainings: Sequence[Training]) -> None:
    """Train nets of one form, each as it would be trained by itself.

    An error of one stays with it, and the others go on.
    """
    # One seed for all, as no layer of a stack draws a number; the random state of the
    # user comes back after it.
    first = trainings[0]
    with (
        seeded(derive_seed(first.data.seed, "train"), first.net.device),
        ExitStack() as within,
    ):
        alive = [own for own in trainings if own.tried(own.begin, within)]
        try:
            if alive:
                _run(Stack([own.net for own in alive], first.data.tasks.heads), alive)
        except Exception as error:  # of which net, a step of all cannot tell
            for own in trainings:
                own.error = own.error or error


def _run(stack: Stack, alive: list[Training]) -> None:
    """Take steps until every net has ended."""
    given = [own.next_steps(1) for own in alive]
    widest = max(given, key=lambda one: int(one.sizes[0]))
    ring = Ring(len(alive), int(widest.sizes[0]), widest, stack.weights[0].dtype)
    at, left = 0, np.zeros(len(alive), dtype=np.intp)
    starts = np.zeros(len(alive), dtype=np.intp)
    while alive:
        # A lane is filled as far as its epoch goes, or to the end of the ring, where
        # all begin again: so a step is the same slice of memory for all nets.
        for lane in np.flatnonzero(left == 0).tolist():
            given[lane] = alive[lane].next_steps(ring.length - at)
            ring.put(at, lane, given[lane])
            starts[lane], left[lane] = at, len(given[lane].sizes)
        n_steps = int(left.min())
        for step in range(at, at + n_steps):
            ring.step(step, stack)
        at = (at + n_steps) % ring.length
        left -= n_steps
        stay = []
        for lane, own in enumerate(alive):
            sizes = given[lane].sizes
            goes_on = left[lane] > 0 or own.went_on(
                ring.losses(int(starts[lane]), lane, sizes), sizes, stack, lane
            )
            if goes_on:
                stay.append(lane)
        if len(stay) < len(alive):
            alive = [alive[lane] for lane in stay]
            given = [given[lane] for lane in stay]
            left, starts = left[stay], starts[stay]
            if alive:
                stack.leave(stay)
                ring.leave(stay)
