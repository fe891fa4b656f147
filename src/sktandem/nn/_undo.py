"""Training that fails and leaves the net as it was."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from skorch import NeuralNet

__all__ = ["as_before_if_it_fails"]


@contextmanager
def as_before_if_it_fails(net: NeuralNet) -> Iterator[None]:
    """Give a net its weights and its history back if the block raises."""
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
        raise
