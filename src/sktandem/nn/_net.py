"""Making the user's skorch net ready: whose settings are whose, and its sizes."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from sklearn.base import clone
from skorch import (
    NeuralNet,
    NeuralNetBinaryClassifier,
    NeuralNetClassifier,
    NeuralNetRegressor,
)
from skorch.dataset import Dataset, ValidSplit
from skorch.hf import AccelerateMixin
from torch import nn
from torch.utils.data import DataLoader

from sktandem._telling import counted, warn
from sktandem.exceptions import SourceError
from sktandem.nn._items import described, named

__all__ = ["check_net", "is_binary", "parameters_of", "probe", "sized_net"]

# Those of skorch, whose loop and settings are known; a subclass may have its own.
NETS = {
    kind.__name__: kind
    for kind in (
        *(NeuralNet, NeuralNetClassifier),
        *(NeuralNetBinaryClassifier, NeuralNetRegressor),
    )
}
# What the estimator decides, and the parameter of its own that does so.
OWNED = {
    "train_split": "validation_fraction",
    "dataset": "scaler",
    "iterator_train": "schedule and batch_size",
    "iterator_valid": "validation_fraction and batch_size",
    "warm_start": "partial_fit",
}
# What is the net's own to say of how rows are read, as of a DataLoader.
READING = {
    f"{iterator}__{setting}"
    for iterator in ("iterator_train", "iterator_valid")
    for setting in (
        "num_workers",
        "prefetch_factor",
        "multiprocessing_context",
        "persistent_workers",
        "pin_memory",
    )
}
BINARY = (nn.BCELoss, nn.BCEWithLogitsLoss)


def check_net(net: Any, owner: str) -> None:
    """Refuse what is not a skorch net, or decides what is not its to decide."""
    if not isinstance(net, NeuralNet):
        hint = "an instance" if inspect.isclass(net) else "a skorch net around it"
        if inspect.isfunction(net):
            hint = f"what it returns, {net.__name__}()"
        raise SourceError(
            f"net must be a skorch net such as NeuralNetClassifier(module), got "
            f"{net!r}. Pass {hint}, or None for sktandem.nn.default_net()."
        )
    if isinstance(net, AccelerateMixin):
        raise SourceError(
            f"{type(net).__name__} leaves its batches and its module to accelerate, "
            f"and {owner} has batches of its own. Take a net without AccelerateMixin: "
            "after torch.distributed.init_process_group() all processes train it."
        )
    if net.device is None:
        raise SourceError(
            f"device=None of the net leaves its device to accelerate, which {owner} "
            "does not support. Pass device='cpu' or 'cuda'."
        )
    # Two owners of one setting would contradict each other in silence: what decides
    # over rows and batches is the estimator's, the rest stays the net's.
    for key, value in vars(net).items():
        prefix = key.split("__")[0]
        if key in READING:
            continue
        if prefix in OWNED and ("__" in key or not _is_default(key, value)):
            raise SourceError(
                f"{key}={value!r} of the net is set by {owner}. Leave it out of "
                f"{type(net).__name__}, and use {OWNED[prefix]} of {owner}."
            )


def _is_default(key: str, value: Any) -> bool:
    if getattr(value, "__module__", "").startswith("sktandem."):
        return True  # what a fit before has set
    if key == "train_split":
        return isinstance(value, ValidSplit) and (value.cv, value.random_state) == (
            5,
            None,
        )
    defaults = {
        "dataset": Dataset,
        "iterator_train": DataLoader,
        "iterator_valid": DataLoader,
        "warm_start": False,
    }
    return bool(value == defaults[key])


def is_binary(net: NeuralNet) -> bool:
    """Tell whether the net answers with one number for two classes."""
    criterion = net.criterion if inspect.isclass(net.criterion) else type(net.criterion)
    return isinstance(net, NeuralNetBinaryClassifier) or issubclass(criterion, BINARY)


def sized_net(
    net: NeuralNet, *, sizes: dict[str, Any], settings: dict[str, Any]
) -> NeuralNet:
    """Return a clone of the user's net, with the sizes that its module asks for."""
    # Only what the module's __init__ names, and the user has not set: a module with
    # other names for its sizes is left alone, and the probe says if they are wrong.
    net = clone(net)
    taken = parameters_of(net.module)
    asked = {
        f"module__{size}": value
        for size, value in sizes.items()
        if size in taken and f"module__{size}" not in vars(net)
    }
    return net.set_params(**settings, **asked)


def parameters_of(module: Any) -> set[str]:
    """Return the parameters that a module class or factory names."""
    if isinstance(module, nn.Module):
        return set()  # an instance has its sizes
    target = module.__init__ if inspect.isclass(module) else module
    return set(inspect.signature(target).parameters)


def probe(net: NeuralNet, x: Any, n_outputs: int, wants: str) -> torch.Tensor:
    """Return the module's answer to a few rows, or say why it does not fit.

    `wants` tells what needs `n_outputs` of them.
    """
    # Before the first epoch, with two rows: torch's own error would come from somewhere
    # inside the loop and name matrices, not columns and targets.
    module = net.module_
    net._set_training(False)
    try:
        with torch.no_grad():
            y = net.infer(x)
    except Exception as error:
        raise SourceError(
            f"{type(module).__name__} did not take a batch of {described(x)}"
            f"{_expected(module)}: {error}\n{_remedy(module, named(x))}"
        ) from error
    y = y[0] if isinstance(y, tuple) else y
    if not isinstance(y, torch.Tensor):
        raise SourceError(
            f"{type(module).__name__} must give a tensor, or a tuple that begins with "
            f"one, got {type(y).__name__}."
        )
    width = y.shape[1] if y.ndim > 1 else 1
    if width != n_outputs:
        raise SourceError(
            f"{type(module).__name__} gives {counted(width, 'output')}, but {wants}. A "
            "module with a parameter n_outputs gets the right number by itself."
        )
    _refuse_other_outputs(net, y)
    return y


def _refuse_other_outputs(net: NeuralNet, y: torch.Tensor) -> None:
    """Refuse logits where skorch takes a logarithm; warn of the reverse."""
    name, criterion = type(net.module_).__name__, net.criterion_
    by_skorch = getattr(type(net), "get_loss", None) is NeuralNetClassifier.get_loss
    takes_log = by_skorch and isinstance(criterion, nn.NLLLoss)
    if takes_log and bool((y < 0).any()):
        raise SourceError(
            f"{name} gives {y.min().item():.3g}, which is not a probability, and the "
            f"criterion of {type(net).__name__}, NLLLoss, takes its logarithm. Use "
            "criterion=torch.nn.CrossEntropyLoss, or end the module with a softmax."
        )
    if not isinstance(criterion, nn.CrossEntropyLoss) or y.ndim != 2 or len(y) < 2:
        return
    sums = y.sum(dim=1)
    if bool((y >= 0).all()) and torch.allclose(sums, torch.ones_like(sums)):
        warn(
            f"{name} seems to give probabilities, and CrossEntropyLoss takes logits: "
            "training is then slow, and the predictions are less sure than they should "
            "be. Leave the softmax out of the module."
        )


def _remedy(module: nn.Module, given: dict[str, torch.Tensor]) -> str:
    x = given.get("X")
    if x is None:
        names = [name for name in given if name != "source"]
        return f"X is a dict of inputs: the module's forward must take {names} by name."
    embeds = any(isinstance(layer, nn.Embedding) for layer in module.modules())
    if embeds and x.is_floating_point():
        return (
            "X of integers with scaler=None stays as it is, as nn.Embedding needs it."
        )
    if embeds:
        return "An nn.Embedding must have more rows than the largest token."
    if x.ndim > 2:
        return "The module must take all of X after its first dimension."
    return "A module whose __init__ names n_features gets the number of columns itself."


def _expected(module: nn.Module) -> str:
    """Tell the width that the first layer with one expects."""
    first = next((m for m in module.modules() if not list(m.children())), None)
    width = getattr(first, "in_features", None)
    if width:
        return f" (its first layer takes {counted(int(width), 'feature')})"
    return ""
