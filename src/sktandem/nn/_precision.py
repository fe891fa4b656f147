"""Predictions that hardly depend on which rows are predicted together."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch
from skorch import NeuralNet
from torch import Tensor, nn

from sktandem.nn._seeding import unmoved

__all__ = ["Twin", "double_twin", "dtype_of", "precision_of"]

LARGE = 10_000_000  # weights; copying more takes longer than what one asks of them
# What torch keeps of every module; what else one has are settings of its own.
STANDARD = frozenset(vars(nn.Module()))
PARTS = ("training", "_parameters", "_buffers", "_modules", "_is_full_backward_hook")
PLAIN = (bool, int, float, str, bytes, type(None))


def dtype_of(net: NeuralNet) -> torch.dtype:
    """Return the type of a module's weights, single precision where it has none."""
    weights = (w.dtype for w in net.module_.parameters() if w.is_floating_point())
    return next(weights, torch.float32)


def double_twin(
    net: NeuralNet, modules: dict[str, nn.Module] | None = None
) -> NeuralNet:
    """Return a net that answers in double precision; the net itself stays.

    In single precision the rounding of a row depends on the shape of the batch
    it comes in, so that one row alone and among others differ in the seventh
    digit. In double precision they agree to the fifteenth.

    `modules` are doubles of its own, by name, that were made before.
    """
    # Neither a clone, which is not fitted, nor a deep copy, which takes the optimizer
    # and the history along.
    twin = object.__new__(type(net))
    vars(twin).update(vars(net))
    made = doubles(net) if modules is None else modules
    vars(twin).update({f"{name}_": module for name, module in made.items()})
    return twin


def doubles(net: NeuralNet) -> dict[str, nn.Module]:
    """Return copies of the modules of a net in double precision."""
    modules = {name: getattr(net, f"{name}_") for name in net._modules}
    return {
        name: copy.deepcopy(module).double()
        for name, module in modules.items()
        if isinstance(module, nn.Module)
    }


class Twin:
    """Keeps a net in double precision for as long as the net stays as it is.

    To copy a small net takes longer than to ask it. Whether it has changed is told
    by its values, which are cheaper to compare than to copy: what writes to
    ``weight.data``, or to an array that shares its memory, leaves no other trace.
    """

    def __init__(self) -> None:
        self._kept: tuple[Any, list[Tensor], dict[str, nn.Module]] | None = None
        self._state: Any = None  # of the twin, when it was made

    def __reduce__(self) -> Any:
        return Twin, ()  # of a copy, or in another process, it is made anew

    def of(self, net: NeuralNet) -> NeuralNet:
        """Return the net in double precision."""
        form, values = _read(net)
        kept = self._kept if self._holds(form, values) else None
        if kept is None:
            kept = form, [value.clone() for value in values], doubles(net)
            self._state = _state(kept[2])
            self._kept = None if form is None else kept
        twin = double_twin(net, kept[2])
        if type(net)._set_training is NeuralNet._set_training:
            vars(twin)["_set_training"] = partial(_set_training, twin)
        return twin

    def _holds(self, form: Any, values: list[Tensor]) -> bool:
        """Tell whether what is kept is of this form, and of these values."""
        if self._kept is None or form is None or self._kept[0] != form:
            return False
        # Nor may the twin have moved, as one that counts what it is asked does.
        settings, buffers = _state(self._kept[2])
        return (
            all(map(torch.equal, self._kept[1], values))
            and settings == self._state[0]
            and all(map(torch.equal, self._state[1], buffers))
        )


def _set_training(twin: NeuralNet, training: bool = True) -> None:
    """Do what skorch does, which walks through all layers, where there is need."""
    modules = [getattr(twin, f"{name}_") for name in twin._modules]
    if training or any(getattr(module, "training", True) for module in modules):
        NeuralNet._set_training(twin, training)


def _read(net: NeuralNet) -> tuple[Any, list[Tensor]]:
    """Return what the modules of a net answer by: their form, and all values.

    The form is None if it cannot be told.
    """
    form: list[Any] | None = []
    values: list[Tensor] = []
    for name in net._modules:
        module = getattr(net, f"{name}_")
        for part in module.modules() if isinstance(module, nn.Module) else ():
            own = _settings(part)
            form = None if own is None or form is None else [*form, part, *own]
            held = (*part._parameters.values(), *part._buffers.values())
            values += [value.detach() for value in held if value is not None]
    if form is not None:
        form += [(value.dtype, value.device) for value in values]
    return form, values


def _state(modules: dict[str, nn.Module]) -> tuple[list[Any], list[Tensor]]:
    """Return what a module may change by itself when it is asked."""
    parts = [part for module in modules.values() for part in module.modules()]
    held = [own for part in parts for own in part._buffers.values()]
    buffers = [own.clone() for own in held if own is not None]
    return [_settings(part) for part in parts], buffers


def _settings(part: nn.Module) -> list[Any] | None:
    """Return the settings of a module; None if one is of a kind that may change."""
    settings: list[Any] = []
    for key, value in vars(part).items():
        if key in STANDARD:
            # A hook is the user's, and may do anything.
            if value and key not in PARTS:
                return None
        elif isinstance(value, PLAIN):
            settings.append(value)
        elif isinstance(value, tuple | list) and all(
            isinstance(own, PLAIN) for own in value
        ):
            settings.append((key, *value))
        else:
            return None
    return settings


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
