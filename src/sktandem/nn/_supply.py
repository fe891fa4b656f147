"""Where batches of items come from: made when they are wanted, or ahead by workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sktandem.nn._workers import Workers

__all__ = ["Read", "Supply"]

Read = Tensor | dict[str, Tensor]  # what a module takes: X, or several things by name
PREFETCH = 2  # batches that each worker has in advance, as in a DataLoader


class Supply:
    """Hands out batches of rows, each on the device where it is wanted.

    Parameters
    ----------
    make : callable
        Makes a batch of a list of rows and their pass. Workers get a copy of it.

    device : torch.device
        Where batches go.
    """

    def __init__(
        self, make: Callable[[list[int], int], Read], device: torch.device
    ) -> None:
        self.make, self.device = make, device
        self.workers: Workers | None = None
        self.pinned = False  # whether batches go to a GPU from pinned memory

    def read(self, rows: Tensor, nth_pass: int) -> Read:
        """Return some rows as a batch."""
        make = self.make if self.workers is None else self.workers.take
        made = make(rows.tolist(), nth_pass)
        if isinstance(made, Tensor):
            return self._moved(made)
        return {key: self._moved(value) for key, value in made.items()}

    def _moved(self, value: Tensor) -> Tensor:
        value = value.pin_memory() if self.pinned else value
        return value.to(self.device, non_blocking=self.pinned)

    def ask(self, rows: Tensor, nth_pass: int) -> None:
        """Have rows read in advance, if there are workers."""
        if self.workers is not None:
            self.workers.ask(rows.tolist(), nth_pass)

    @property
    def ahead(self) -> int:
        """How many batches to ask for in advance."""
        return 0 if self.workers is None else self.workers.ahead

    def open(
        self,
        num_workers: int = 0,
        prefetch_factor: int | None = None,
        multiprocessing_context: Any = None,
        persistent_workers: bool = True,
        pin_memory: bool = False,
    ) -> None:
        """Start workers, by the settings of a DataLoader; they stay until `close`."""
        self.pinned = pin_memory and self.device.type == "cuda"
        if num_workers > 0 and self.workers is None:
            ahead = num_workers * (prefetch_factor or PREFETCH)
            context = multiprocessing_context
            self.workers = Workers(self.make, num_workers, ahead, context)

    def close(self) -> None:
        """End the workers."""
        if self.workers is not None:
            self.workers.close()
            self.workers = None
