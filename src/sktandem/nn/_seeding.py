"""Random numbers: seeds for each purpose, and torch's own state given back."""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

__all__ = ["cuda_of", "derive_seed", "mixed_seed", "seeded", "unmoved"]

MASK = (1 << 64) - 1
# torch has one stream of random numbers for all threads: who seeds it has it alone.
_turn = threading.RLock()


def _renew() -> None:
    """Forget who had the turn: in a forked process that thread is not there."""
    global _turn
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def derive_seed(*parts: int | str) -> int:
    """Mix a seed with what it is for, such as a source and a pass."""
    # crc32 and not hash(): Python salts the hashes of strings anew in every process.
    numbers = [p if isinstance(p, int) else zlib.crc32(p.encode()) for p in parts]
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1


def mixed_seed(seed: int, number: int) -> int:
    """Mix a seed with a number, at a tenth of the time of `derive_seed`."""
    # The last steps of splitmix64, which leave no bit where it was.
    mixed = (seed + (number + 1) * 0x9E3779B97F4A7C15) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return (mixed ^ (mixed >> 31)) >> 1


def cuda_of(device: Any) -> list[torch.device]:
    """Return the devices whose random state is to be kept, besides the CPU's."""
    device = torch.device(device)
    return [device] if device.type == "cuda" else []


@contextmanager
def seeded(seed: int, device: Any) -> Iterator[None]:
    """Seed torch in the block, and give its random state back afterwards.

    Blocks of other threads wait, so that equal seeds give equal numbers there, too.
    """
    with _turn, torch.random.fork_rng(devices=cuda_of(device)):
        torch.manual_seed(seed)
        yield


@contextmanager
def unmoved(device: Any) -> Iterator[None]:
    """Give torch's random state back after a block that may draw from it."""
    # Not while another thread trains: a prediction must not wait for hours, and giving
    # an older state back would repeat numbers in that fit.
    turn = _turn
    alone = turn.acquire(blocking=False)
    try:
        with torch.random.fork_rng(devices=cuda_of(device), enabled=alone):
            yield
    finally:
        if alone:
            turn.release()
