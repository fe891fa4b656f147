"""Random numbers: seeds for each purpose, and torch's own state given back."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

__all__ = ["cuda_of", "derive_seed", "seeded"]


def derive_seed(*parts: int | str) -> int:
    """Mix a seed with what it is for, such as a source and a pass."""
    # crc32 and not hash(): Python salts the hashes of strings anew in every process.
    numbers = [p if isinstance(p, int) else zlib.crc32(p.encode()) for p in parts]
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1


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
