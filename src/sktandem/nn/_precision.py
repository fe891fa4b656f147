"""Predictions that hardly depend on which rows are predicted together."""

from __future__ import annotations

import copy
from typing import Any

import torch
from skorch import NeuralNet
from torch import nn

from sktandem.nn._seeding import unmoved

__all__ = ["double_twin", "dtype_of", "precision_of"]

LARGE = 10_000_000  # weights; copying more takes longer than what one asks of them


def dtype_of(net: NeuralNet) -> torch.dtype:
    """Return the type of a module's weights, single precision where it has none."""
    weights = (w.dtype for w in net.module_.parameters() if w.is_floating_point())
    return next(weights, torch.float32)


def double_twin(net: NeuralNet) -> NeuralNet:
    """Return a net that answers in double precision; the net itself stays.

    In single precision the rounding of a row depends on the shape of the batch
    it comes in, so that one row alone and among others differ in the seventh
    digit. In double precision they agree to the fifteenth.
    """
    twin = object.__new__(type(net))
    vars(twin).update(vars(net))
    for name in net._modules:
        module = getattr(net, f"{name}_")
        if isinstance(module, nn.Module):
            vars(twin)[f"{name}_"] = copy.deepcopy(module).double()
    return twin


def precision_of(net: NeuralNet, x: Any, dtype: torch.dtype | None) -> str:
    """Return the precision in which a net is to predict.

    It is double on the CPU, where the module is not large, can be cast to it
    and takes some rows `x` in it. A GPU is slow in double precision, and
    integers, such as tokens, have none.
    """
    own = str(dtype or torch.float32).removeprefix("torch.")
    on_cpu = torch.device(net.device).type == "cpu"
    n_weights = sum(weight.numel() for weight in net.module_.parameters())
    if dtype != torch.float32 or not on_cpu or net.compile or n_weights > LARGE:
        return own
    try:
        with torch.no_grad(), unmoved(net.device):
            y = double_twin(net).infer(x)
    except Exception:  # whatever a user's module says of numbers it did not expect
        return own
    y = y[0] if isinstance(y, tuple) else y
    return "float64" if y.dtype == torch.float64 else own
