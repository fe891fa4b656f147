"""The rows of the steps to come, of all nets that are trained together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sktandem.nn._stacked import Stack
from sktandem.nn._table import BLOCK

__all__ = ["Ring", "Steps"]

MOST_STEPS = 128  # whose rows are gathered in one go


@dataclass(eq=False)
class Steps:
    """The rows of a few steps of one net.

    Attributes
    ----------
    sizes : ndarray of shape (n_steps,)
        The rows of each step.

    counts : ndarray of shape (n_rows,)
        What the loss of each row counts.

    x, y : Tensor of shape (n_rows, ...)
        Features and targets.

    heads : Tensor of shape (n_rows,) or None
        The head of each row.
    """

    sizes: NDArray[np.intp]
    counts: NDArray[np.float64]
    x: Tensor
    y: Tensor
    heads: Tensor | None


class Ring:
    """Room for the rows of the steps to come, of all nets of a stack.

    A net fills its own lane as far as its epoch goes, so that none waits for another
    whose epoch ends elsewhere.

    Parameters
    ----------
    n_nets : int
        The nets.

    width : int
        The most rows of a step.

    like : Steps
        Rows to take types and shapes from.

    dtype : torch.dtype
        The type of the weights.
    """

    def __init__(
        self, n_nets: int, width: int, like: Steps, dtype: torch.dtype
    ) -> None:
        per_step = width * max(1, like.x[:1].numel())
        self.length = max(1, min(MOST_STEPS, BLOCK // per_step))
        shape = self.length, n_nets, width
        # Zeros where a net has fewer rows than others: what stands there must be
        # finite, and counts nothing.
        counts = torch.zeros(shape, dtype=dtype, device=like.x.device)
        self._rooms: dict[str, Tensor] = {
            "x": like.x.new_zeros((*shape, *like.x.shape[1:])),
            "y": like.y.new_zeros((*shape, *like.y.shape[1:])),
            "counts": counts,
            "losses": torch.zeros_like(counts),
        }
        if like.heads is not None:
            self._rooms["heads"] = like.heads.new_zeros(shape)
        self._sizes = np.zeros((self.length, n_nets), dtype=np.intp)

    def put(self, at: int, lane: int, given: Steps) -> None:
        """Put the rows of the next steps of a net into its lane."""
        sizes = given.sizes
        self._widen(int(sizes.max()))
        steps, columns = _spread(sizes)
        self._sizes[at : at + len(sizes), lane] = sizes
        rooms = self._rooms
        # The steps that stood here before may have been wider: their rows must not
        # count.
        rooms["counts"][at : at + len(sizes), lane] = 0
        parts = {"x": given.x, "y": given.y, "heads": given.heads}
        parts["counts"] = torch.from_numpy(given.counts)
        for name, values in parts.items():
            if values is None:
                continue
            room = rooms[name]
            values = values.to(device=room.device, dtype=room.dtype)
            size = int(sizes[0])
            if (sizes == size).all():
                room[at : at + len(sizes), lane, :size] = values.unflatten(
                    0, (len(sizes), size)
                )
            else:
                room[steps + at, lane, columns] = values

    def _widen(self, width: int) -> None:
        more = width - self._rooms["x"].shape[2]
        if more <= 0:
            return
        for name, room in self._rooms.items():
            empty = room.new_zeros((*room.shape[:2], more, *room.shape[3:]))
            self._rooms[name] = torch.cat([room, empty], dim=2)

    def step(self, at: int, stack: Stack) -> None:
        """Let the stack take a step, and keep the losses of its rows."""
        # As wide as the widest of these steps, and not as the room: the last batches of
        # a pass are short.
        width = int(self._sizes[at].max())
        own = {name: room[at, :, :width] for name, room in self._rooms.items()}
        losses = own.pop("losses")
        losses.copy_(stack.step(**own))

    def losses(self, at: int, lane: int, sizes: NDArray[np.intp]) -> NDArray[Any]:
        """Return what the loss of each row came to, of the last steps of a net."""
        own = slice(at, at + len(sizes))
        rooms = self._rooms
        made = (rooms["losses"][own, lane] * rooms["counts"][own, lane]).cpu().numpy()
        return np.asarray(made[_spread(sizes)])

    def leave(self, lanes: Sequence[int]) -> None:
        """Keep some lanes only."""
        kept = torch.as_tensor(lanes, device=self._rooms["x"].device)
        for name, room in self._rooms.items():
            self._rooms[name] = room.index_select(1, kept)
        self._sizes = self._sizes[:, lanes]


def _spread(sizes: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the step of each row, and its place in it."""
    ends = np.cumsum(sizes)
    steps = np.repeat(np.arange(len(sizes)), sizes)
    return steps, np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
