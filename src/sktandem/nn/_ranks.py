"""One net in several processes: each rank takes its part of every batch."""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from multiprocessing import current_process
from traceback import clear_frames
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from skorch import NeuralNet
from skorch.callbacks import EpochScoring
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sktandem._telling import warn
from sktandem.exceptions import SourceError
from sktandem.nn._average import trained_parts, trained_weights

__all__ = ["Gradients", "Ranks", "Share", "refuse_apart", "warn_of_launcher"]

MOST_TOLD = 200  # characters of a setting in a message
VALUES = ("X", "y", "sample_source")  # of which only fingerprints are compared
WRAPPERS = ("torch.nn.parallel.distributed", "torch.distributed")
Value = TypeVar("Value")
_inherited = False


def _inherit() -> None:
    """Take note that a group is that of the process from which this one was forked."""
    global _inherited
    _inherited = dist.is_available() and dist.is_initialized()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_inherit)


class Share(NamedTuple):
    """What a rank has of some rows.

    Attributes
    ----------
    n_rows : int
        The rows that all ranks have together.

    part : float
        The part of them that are its own.
    """

    n_rows: int
    part: float


@dataclass(frozen=True)
class Ranks:
    """The processes that train one net together, as one of them sees them.

    All ranks hold all rows and make the same plan, and each reads and learns from its
    own part of every batch. Their losses and gradients are added up, so that each
    takes the very step that one process would take.

    Attributes
    ----------
    rank : int
        Which of the processes this is.

    size : int
        How many there are.

    device : torch.device
        Where what they exchange lies.

    groups : list
        The process group of this fit, by which they exchange it; empty is the user's.
    """

    rank: int
    size: int
    device: torch.device
    groups: list[Any] = field(default_factory=list, compare=False)

    @classmethod
    def now(cls, device: Any) -> Ranks | None:
        """Return the ranks of torch's process group; None if there are no others."""
        if _inherited or not (dist.is_available() and dist.is_initialized()):
            return None
        if dist.get_world_size() == 1:
            return None
        if threading.current_thread() is not threading.main_thread():
            raise SourceError(
                f"{dist.get_world_size()} processes train each net together, and fits "
                "of several threads would mix with each other. Fit in the main thread, "
                "with n_jobs=None."
            )
        return cls(dist.get_rank(), dist.get_world_size(), torch.device(device))

    @classmethod
    @contextmanager
    def of_fit(cls, device: Any) -> Iterator[Ranks | None]:
        """Return the ranks as `now` does; if one fails in the block, all others do."""
        ranks = cls.now(device)
        kind = "" if ranks is None else f"{ranks.device.type}:gloo"
        if ranks is None or kind not in dist.get_backend_config():
            yield ranks
            return
        # A process that lives on keeps its connections open, and the others would wait
        # for what it never sends. Those of a group of the fit's own close with the last
        # reference to it: hence no name for it, which a traceback would hold.
        world: Any = dist.group.WORLD
        options = getattr(world._get_backend(ranks.device), "options", None)
        patience = getattr(options, "_timeout", None)  # the user's
        with ranks._reaching():
            ranks.groups.append(dist.new_group(timeout=patience, backend="gloo"))
        try:
            yield ranks
            with ranks._reaching():
                dist.barrier()  # none closes before all have got what it has sent
        finally:
            dist.destroy_process_group(ranks.groups[0])
            ranks.groups.clear()

    @property
    def _group(self) -> Any:
        return self.groups[0] if self.groups else None

    def own(self, rows: Tensor) -> tuple[Tensor, Share]:
        """Return this rank's rows of a batch, at least one, and its share."""
        n = len(rows)
        start, end = self.rank * n // self.size, (self.rank + 1) * n // self.size
        # With fewer rows than ranks some have none. They read the first one and count
        # it nothing: so all ranks ask the same heads, and no module meets a batch
        # without rows.
        own = rows[start:end] if end > start else rows[:1]
        return own, Share(n, (end - start) / n)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Say what it means if the others do not answer."""
        try:
            yield
        except (RuntimeError, ValueError) as error:  # of torch, or of a group that left
            clear_frames(error.__traceback__)  # which would keep connections open
            raise SourceError(
                f"Rank {self.rank} of {self.size} no longer reaches the others: "
                f"{error}\nA process has died, failed, or is not in this fit: every "
                "rank must make the same calls. See its own error, and start all of "
                "them again; resume_from goes on from a checkpoint."
            ) from error

    def first(self, value: Value) -> Value:
        """Return what the first rank has."""
        held = [value]
        with self._reaching():
            dist.broadcast_object_list(held, 0, self._group, self.device)
        return held[0]

    def every(self, value: Value) -> list[Value]:
        """Return what each rank has."""
        held: list[Any] = [None] * self.size
        with self._reaching():
            dist.all_gather_object(held, value, self._group)
        return held

    def add_up(self, values: Tensor) -> None:
        """Add up the values of all ranks, in place."""
        with self._reaching():
            dist.all_reduce(values, group=self._group)

    def summed(self, losses: Sequence[Tensor], step: str) -> Tensor:
        """Return the sums of losses over all ranks, which must be at the same step."""
        # What each rank is at goes along as a number: were one at another batch, as
        # after a plan that draws numbers of its own, the sum would be a lie.
        told = zlib.crc32(step.encode()) % 65521
        mark = torch.tensor(told, dtype=torch.float64, device=self.device)
        sums = torch.stack([*(loss.detach().double() for loss in losses), mark])
        self.add_up(sums)
        if sums[-1].item() != told * self.size:
            raise SourceError(
                f"Rank {self.rank} of {self.size} is at a batch of {step}, and another "
                "rank is at another one. Schedules and callbacks must do the same on "
                "every rank: let a plan draw from its rng only."
            )
        return sums[:-1]

    def refuse_others(self, told: Mapping[str, Any]) -> None:
        """Refuse ranks that fit another net or other data than the first one."""
        every = self.every(dict(told))
        for rank, others in enumerate(every):
            for what, value in every[0].items():
                if others.get(what) == value:
                    continue
                own, first = (str(v)[:MOST_TOLD] for v in (others.get(what), value))
                differs = f"with {what}={own}, rank 0 with {first}"
                if what in VALUES:
                    differs = f"other values of {what} than rank 0"
                raise SourceError(
                    f"Rank {rank} of {self.size} fits {differs}. Give every rank all "
                    "rows, in the same order, and the same settings: it takes its part "
                    "of each batch by itself."
                )

    def adopt(self, net: NeuralNet, *, alike: bool = False) -> None:
        """Give a net the weights of the first rank; refuse others if `alike`."""
        state = {
            f"{name}.{key}": value
            for name, part in trained_parts(net).items()
            for key, value in part.state_dict().items()
            if isinstance(value, Tensor) and value.numel()
        }
        if not state:
            return
        # Of every type at once, as bytes.
        flat = [value.reshape(-1).view(torch.uint8) for value in state.values()]
        held = torch.cat(flat)
        with self._reaching():
            dist.broadcast(held, 0, self._group)
        odd = None
        firsts = held.split([len(own) for own in flat])
        for (name, own), first in zip(state.items(), firsts):
            theirs = first.clone().view(own.dtype).view_as(own)
            if alike and odd is None and not _alike(own, theirs):
                odd = name
            own.copy_(theirs)
        for rank, other in enumerate(self.every(odd) if alike else ()):
            if other is not None:
                raise SourceError(
                    f"{other!r} of rank {rank} is no longer that of rank 0 after epoch "
                    f"{len(net.history)}. Something changes it besides the gradient of "
                    "the loss: a layer with statistics of its own rows, a callback, or "
                    f"an optimizer or a train_step of {type(net).__name__} that does "
                    "not go by loss.backward()."
                )


def _alike(own: Tensor, theirs: Tensor) -> bool:
    """Tell whether values differ by rounding only, as on another processor."""
    if not own.is_floating_point():
        return torch.equal(own, theirs)
    return torch.allclose(own, theirs, rtol=1e-3, atol=1e-5, equal_nan=True)


class Gradients:
    """Adds up the gradients of all ranks at the end of every backward pass.

    Parameters
    ----------
    ranks : Ranks
        The processes.

    net : NeuralNet
        The net.
    """

    def __init__(self, ranks: Ranks, net: NeuralNet) -> None:
        self.ranks, self.net = ranks, net
        self._before: list[tuple[Tensor, Tensor | None]] | None = None

    def of_all(self, own: Tensor, whole: Tensor) -> Tensor:
        """Return a loss with the value `whole`, and the gradient of all ranks' own."""
        loss: Tensor = _Whole.apply(own, whole, self)  # type: ignore[no-untyped-call]
        return loss

    def begin(self) -> None:
        """Set aside what gradients there are when a backward pass begins."""
        # At the level of backward() and not of the net: called once a step, in a
        # closure of LBFGS or for several batches that share a step, it gives the
        # gradients of all ranks, and what was there before is not added up again.
        if self._before is not None:
            return  # of another loss in the same pass
        learned = [w for w in trained_weights(self.net) if w.requires_grad]
        self._before = [(weight, weight.grad) for weight in learned]
        for weight in learned:
            weight.grad = None
        torch.autograd.Variable._execution_engine.queue_callback(self._end)

    def _end(self) -> None:
        before, self._before = self._before, None
        assert before is not None
        weights = [weight for weight, _ in before]
        wide = reduce(torch.promote_types, [w.dtype for w in weights], torch.float32)
        # One buffer of all weights, also of heads that this step has not asked, so that
        # the ranks always exchange the same. Behind the gradients it tells which are
        # there: an optimizer passes over a weight without one, and 0 is not the same.
        asked = [w.new_tensor(w.grad is not None, dtype=wide) for w in weights]
        given = [
            torch.zeros_like(w) if w.grad is None else w.grad.to_dense()
            for w in weights
        ]
        parts = [own.reshape(-1).to(wide) for own in given]
        flat = torch.cat([*parts, torch.stack(asked)])
        self.ranks.add_up(flat)
        *sums, n_asked = flat.split([*(w.numel() for w in weights), len(weights)])
        for (weight, old), own, n in zip(before, sums, n_asked.tolist()):
            if n == 0:
                weight.grad = old
                continue
            new = own.view_as(weight).to(weight.dtype)
            weight.grad = new if old is None else old.add_(new)


class _Whole(torch.autograd.Function):
    """The loss of a whole batch in its value, of the rank's own part in its gradient.

    All that reads a loss gets the same number on every rank, to the last digit.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, whole: Tensor, gradients: Gradients) -> Tensor:
        ctx.gradients = gradients
        return whole.to(own.dtype, copy=True)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        ctx.gradients.begin()
        return grad, None, None


def refuse_apart(net: NeuralNet, ranks: Ranks) -> None:
    """Refuse what would learn, or tell, of the rows of one rank only."""
    layers = [
        (name, layer)
        for part in trained_parts(net).values()
        for name, layer in part.named_modules()
    ]
    for name, layer in layers:
        kind = type(layer)
        if isinstance(layer, _BatchNorm) and not isinstance(layer, nn.SyncBatchNorm):
            raise SourceError(
                f"{kind.__name__} {name!r} would go by the rows of one rank, and "
                f"{ranks.size} processes train the net. On GPUs convert the module by "
                "torch.nn.SyncBatchNorm.convert_sync_batchnorm, or use a norm of each "
                "row by itself, such as LayerNorm or GroupNorm."
            )
        if kind.__module__.startswith(WRAPPERS):
            raise SourceError(
                f"The module is wrapped in {kind.__name__}, which would average "
                "gradients that are added up already. Give the net the module itself."
            )
    for name, callback in net.callbacks_:
        cached = isinstance(callback, EpochScoring) and callback.use_caching
        if cached and callback.on_train:
            raise SourceError(
                f"The callback {name!r} scores training batches, of which each of "
                f"{ranks.size} processes has its own part. Set use_caching=False."
            )


def warn_of_launcher() -> None:
    """Warn where torchrun has started processes that do not know of each other."""
    launched = dist.is_available() and dist.is_torchelastic_launched()
    n = int(os.environ.get("WORLD_SIZE", 1)) if launched else 1
    if n > 1 and current_process().name == "MainProcess":  # and not one of n_jobs
        warn(
            f"torchrun has started {n} processes, and each fits "
            "a net by itself. Call torch.distributed.init_process_group() before fit, "
            "so that they train one together."
        )
