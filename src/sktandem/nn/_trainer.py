"""The training of a net: who trains when, in skorch's own loop."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from skorch import NeuralNet

from sktandem._settings import check_known
from sktandem._telling import warn
from sktandem.nn._batches import SourceRows
from sktandem.nn._checkpoint import in_words, learns_by, sealed
from sktandem.nn._difficulty import Difficulty
from sktandem.nn._items import unlike_told
from sktandem.nn._loop import run_epochs, taking_turns
from sktandem.nn._losses import refuse_other_means
from sktandem.nn._preparation import Prepared
from sktandem.nn._ranks import Ranks, refuse_apart
from sktandem.nn._recorder import Recorder
from sktandem.nn._resume import recall_best
from sktandem.nn._seeding import derive_seed, seeded
from sktandem.nn._sizes import sizes_of
from sktandem.nn._tasks import ClassTask
from sktandem.nn._tensors import laid_out
from sktandem.nn._turns import TurnBatches
from sktandem.nn._weighing import Weighing
from sktandem.schedules import Schedule, Sizes

__all__ = ["Trainer", "as_before_if_it_fails"]

REMEDY = (
    "Lower net__lr, scale the features and the target, or clip gradients with "
    "skorch's GradientNormClipping."
)


@dataclass(frozen=True)
class Trainer:
    """Trains an initialized net.

    Attributes
    ----------
    schedule : Schedule
        Who trains when.

    batch_size : int, dict or None
        Rows in a batch; None keeps the net's.

    keep : {"best", "last"}
        Which weights stay when `fit` ends.

    primary_source : hashable
        Whose validation loss decides which weights are the best.

    history_detail : {"batch", "epoch"}
        Whether the history keeps the batches of old epochs.

    loss_weights : str, dict or None
        What the loss of each source counts, where there are heads.

    remedy : str
        What to do if the loss is not finite any more.

    augment : callable, dict or None
        What is done to items that train.
    """

    schedule: Schedule
    batch_size: Any = None
    keep: str = "best"
    primary_source: Any = None
    history_detail: str = "batch"
    loss_weights: Any = None
    remedy: str = REMEDY
    augment: Any = None

    def train(self, net: NeuralNet, data: Prepared, *, epochs: int, keep: str) -> None:
        """Train the net for some epochs, on data that were prepared for it."""
        parts = [p.numbers for p in (data.training, data.validation) if p is not None]
        # Seeded as a whole, and by the turns anew in each epoch: what a callback draws
        # in between does not move the next epoch, and torch's own state comes back.
        with (
            unlike_told(*parts),
            Ranks.of_fit(net.device) as ranks,
            self.ready(net, data, keep, ranks) as turns,
            seeded(derive_seed(data.seed, "train"), net.device),
        ):
            if turns.ranks is not None:
                self._agree(net, data, turns, epochs)
            if epochs > 0:
                run_epochs(net, turns, epochs)

    @contextmanager
    def ready(
        self, net: NeuralNet, data: Prepared, keep: str, ranks: Ranks | None = None
    ) -> Iterator[TurnBatches]:
        """Let the net train in the block, on the batches that it is given."""
        training, valid = laid_out(net, data, self._augment(data), ranks)
        try:
            turns, recorder = self._turns(net, data, training, valid, keep)
            heads = data.tasks.heads
            weighing = self._weighing(net, data, training, turns.sizes)
            with (
                sealed(net, partial(self.identity, data)),
                taking_turns(net, turns, recorder, heads, weighing),
            ):
                yield turns
        finally:
            for part in (training, valid):
                if part is not None:
                    part.table.close()
        net._set_training(False)

    def _agree(
        self, net: NeuralNet, data: Prepared, turns: TurnBatches, epochs: int
    ) -> None:
        """See to it that all ranks train the same net on the same rows."""
        ranks, told = turns.ranks, self.identity(data)
        assert ranks is not None
        # Flat, one entry for each setting: the message of a rank that differs names it.
        told |= told.pop("settings") | learns_by(net)
        told |= {"batch_size": turns.sizes.batch_sizes}
        told |= {"epochs": (len(net.history), epochs)}
        told |= {name: repr(getattr(net, f"{name}_")) for name in net._modules}
        for name in net._optimizers:
            groups = getattr(net, f"{name}_").param_groups
            for key in groups[0].keys() - {"params"}:
                told[f"{name}__{key}"] = [in_words(group.get(key)) for group in groups]
        ranks.refuse_others(told)
        refuse_apart(net, ranks)
        ranks.adopt(net)
        refuse_other_means(net, turns.rows)

    def _turns(
        self,
        net: NeuralNet,
        data: Prepared,
        training: SourceRows,
        valid: SourceRows | None,
        keep: str,
    ) -> tuple[TurnBatches, Recorder]:
        sizes = self._sizes(net, data, training, valid)
        self.schedule.check(sizes)
        recorder = Recorder(
            self.history_detail,
            self._monitor(sizes, keep),
            keep,
            self.remedy,
        )
        turns = TurnBatches(
            training,
            valid,
            self.schedule,
            sizes,
            seed=data.seed,
            net=net,
            difficulty=Difficulty(net, training, data, data.tasks.heads),
            apart=self.loss_weights is not None,
            after=partial(recorder.after_training, net),
        )
        return turns, recorder

    def identity(self, data: Prepared) -> dict[str, Any]:
        """Return what a checkpoint holds of the fit that wrote it."""
        how = {"schedule": self.schedule, "batch_size": self.batch_size}
        return data.identity() | {key: in_words(value) for key, value in how.items()}

    def _augment(self, data: Prepared) -> Any:
        if isinstance(self.augment, Mapping):
            for name in self.augment:
                check_known("augment", name, data.names)
        return self.augment

    def _sizes(
        self,
        net: NeuralNet,
        data: Prepared,
        training: SourceRows,
        valid: SourceRows | None,
    ) -> Sizes:
        given = net.batch_size if self.batch_size is None else self.batch_size
        return sizes_of(training, valid, given, net.max_epochs, data.names)

    def _monitor(self, sizes: Sizes, keep: str) -> str:
        """Return the loss that decides which epoch is the best."""
        validated = [n for n, held in zip(sizes.names, sizes.validated) if held]
        if self.primary_source in validated:
            own = validated[validated.index(self.primary_source)]  # where 1.0 is 1
            return f"valid_loss[{own}]"
        if self.primary_source is not None and validated and keep == "best":
            warn(
                f"primary_source={self.primary_source!r} has no validation row, so "
                "keep='best' goes by the mean loss over the other sources."
            )
        return "valid_loss_macro"

    def _weighing(
        self, net: NeuralNet, data: Prepared, training: SourceRows, sizes: Sizes
    ) -> Weighing | None:
        if self.loss_weights is None or data.tasks.heads is None:
            return None
        heads = [data.tasks.heads[code] for code in training.codes]
        return Weighing(
            self.loss_weights,
            sizes,
            net,
            [isinstance(task, ClassTask) for task in heads],
            training.codes,
            data.names,
        )


@contextmanager
def as_before_if_it_fails(net: NeuralNet) -> Iterator[None]:
    """Give a net its weights and its history back if the block raises."""
    # The optimizer, too: with the moments of steps that are undone Adam would go on
    # in a direction that no loss has asked for.
    names = [*net._modules, *net._criteria, *net._optimizers]
    parts = [getattr(net, f"{name}_") for name in names]
    parts = [part for part in parts if hasattr(part, "state_dict")]
    states = [copy.deepcopy(part.state_dict()) for part in parts]
    n_epochs = len(net.history)
    try:
        yield
    except BaseException:
        for part, state in zip(parts, states):
            part.load_state_dict(state)
        del net.history[n_epochs:]
        recall_best(net)
        raise
