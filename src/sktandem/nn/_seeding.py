"""Random numbers of torch, drawn in a block and given back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["cuda_of", "seeded"]


def cuda_of(device: Any) -> list[torch.device]:
    """Return the devices whose random state is to be kept, besides the CPU's."""
    device = torch.device(device)
    return [device] if device.type == "cuda" else []


@contextmanager
def seeded(seed: int, device: Any) -> Iterator[None]:
    """Seed torch in the block, and give its random state back afterwards."""
    with torch.random.fork_rng(devices=cuda_of(device)):
        torch.manual_seed(seed)
        yield
