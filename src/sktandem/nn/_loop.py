"""The seam with skorch: its own fit loop, with batches and records by source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import (
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    MlflowLogger,
    NeptuneLogger,
    PrintLog,
    ProgressBar,
    SacredLogger,
    TensorBoard,
    TrainEndCheckpoint,
    WandbLogger,
)
from torch import nn

from sktandem.exceptions import SourceError
from sktandem.nn._losses import StepLoss
from sktandem.nn._recorder import Recorder, Stopped, Stopper
from sktandem.nn._tasks import Task
from sktandem.nn._turns import TrainingRows, TurnBatches
from sktandem.nn._weighing import Weighing

__all__ = ["of_early_stopping", "run_epochs", "taking_turns"]

HIDDEN = ("plan", "checks", "seed", "cursor", "valid_loss")
# What writes to files, to the screen or to a service, as one rank does for all.
WRITERS = (
    *(Checkpoint, TrainEndCheckpoint, PrintLog, ProgressBar),
    *(TensorBoard, WandbLogger, NeptuneLogger, MlflowLogger, SacredLogger),
)


def _is_silent(callback: Any, net: NeuralNet) -> bool:
    is_log = isinstance(callback, PrintLog)
    return is_log and not net.verbose and callback.sink is print


def _surrounded(
    net: NeuralNet,
    recorder: Recorder,
    stopper: Stopper,
    tasks: tuple[Task, ...] | None,
) -> list[Any]:
    """Return the callbacks of a net with ours around the user's."""
    standard = {name for name, _ in net._default_callbacks} - {"print_log"}
    if tasks is not None:
        _refuse_scores_of_heads(net, tasks)
    # An accuracy over heads with other classes each means nothing, and a log
    # that is not printed would build its tables all the same.
    idle = {"valid_acc"} if tasks is not None else set()
    ranks = recorder.turns_.ranks if recorder.turns_ is not None else None
    writes = ranks is None or ranks.rank == 0
    callbacks = [
        (name, callback)
        for name, callback in net.callbacks_
        if name not in idle
        and not _is_silent(callback, net)
        and (writes or not isinstance(callback, WRITERS))
    ]
    # Behind skorch's own, which time an epoch and take the means of its batches, and
    # before the user's.
    place = sum(name in standard for name, _ in callbacks)
    callbacks.insert(place, ("recorder", recorder))
    return [*callbacks, ("stopper", stopper)]


def _refuse_scores_of_heads(net: NeuralNet, tasks: tuple[Task, ...]) -> None:
    """Refuse a score over outputs that have no common width."""
    widths = {str(task.source): task.n_outputs for task in tasks}
    scored = [
        name
        for name, callback in net.callbacks_
        if isinstance(callback, EpochScoring) and name != "valid_acc"
    ]
    if scored and len(set(widths.values())) > 1:
        raise SourceError(
            f"The callback {scored[0]!r} scores all rows at once, but the heads have "
            f"different outputs: {widths}. score_by_source scores each after fit."
        )


def _quieten(net: NeuralNet, names: Iterable[str]) -> None:
    """Keep what a plan remembers out of the lines of the log."""
    by_source = ("rows_seen", "train_loss", "difficulty")
    hidden = {*HIDDEN, *(f"{key}[{name}]" for key in by_source for name in names)}
    for _, callback in net.callbacks_:
        if isinstance(callback, PrintLog):
            callback.keys_ignored_ = set(callback.keys_ignored_) | hidden


class ModeSwitch:
    """Puts modules in training or evaluation mode where they are in the other.

    It stands in for `_set_training` of the net. skorch asks for it in each step, and
    walks through every layer of every head to find that nothing is to be done.
    """

    def __init__(self, net: NeuralNet) -> None:
        self.net = net
        self.training: bool | None = None
        self.modules: list[nn.Module] = []

    def __call__(self, training: bool = True) -> None:
        if self.training is training and all(
            module.training is training for module in self.modules
        ):
            return
        type(self.net)._set_training(self.net, training)
        if self.training is not training:
            names = self.net._modules + self.net._criteria
            roots = [getattr(self.net, f"{name}_") for name in names]
            roots = [root for root in roots if isinstance(root, nn.Module)]
            self.modules = [module for root in roots for module in root.modules()]
            self.training = training


@contextmanager
def taking_turns(
    net: NeuralNet,
    turns: TurnBatches,
    recorder: Recorder,
    tasks: tuple[Task, ...] | None = None,
    weighing: Weighing | None = None,
) -> Iterator[None]:
    """Let an initialized net train on these batches until the block ends."""
    # The recorder comes before the user's callbacks, so that EarlyStopping and
    # Checkpoint find the losses by source; the stopper comes behind them, as what it
    # raises would keep the others from seeing the last epoch.
    stopper = Stopper()
    recorder.turns_ = stopper.turns_ = turns
    callbacks, verbose = net.callbacks_, net.verbose
    net.callbacks_ = _surrounded(net, recorder, stopper, tasks)
    if turns.ranks is not None and turns.ranks.rank > 0:
        net.verbose = 0
    _quieten(net, turns.names)
    # On the instance, as skorch itself does for its scores, and only meanwhile:
    # the net stays one of the user's own class.
    net.get_loss = StepLoss(net, turns, tasks, weighing)
    is_own = type(net)._set_training is NeuralNet._set_training
    if is_own:  # and not a user's, who may do more in each step
        net._set_training = ModeSwitch(net)
    try:
        yield
    finally:
        del net.get_loss
        if is_own:
            del net._set_training
        for _, callback in net.callbacks_:
            if hasattr(callback, "turns_"):  # all the rows are behind them
                callback.turns_ = None
        net.callbacks_, net.verbose = callbacks, verbose


def run_epochs(net: NeuralNet, turns: TurnBatches, epochs: int) -> None:
    """Train as skorch's `partial_fit` does, but let Ctrl-C through.

    There KeyboardInterrupt ends the training quietly. In a search or a comparison the
    model of three epochs would count as one of thirty, and the search would go on.
    """
    rows = TrainingRows(turns)
    net.notify("on_train_begin", X=rows, y=None)
    try:
        net.fit_loop(rows, None, epochs=epochs)
    except Stopped:
        pass
    except KeyboardInterrupt as error:
        if not of_early_stopping(error):
            raise
    net.notify("on_train_end", X=rows, y=None)
    if turns.ranks is not None:
        # The callbacks that write are on the first rank only, and one may have put
        # weights back, or a line into the history.
        turns.ranks.adopt(net)
        net.history[:] = turns.ranks.first([*net.history])


def of_early_stopping(error: KeyboardInterrupt) -> bool:
    """Tell whether skorch's EarlyStopping raised it, which has no other way to stop."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return any(isinstance(f.f_locals.get("self"), EarlyStopping) for f in frames)
