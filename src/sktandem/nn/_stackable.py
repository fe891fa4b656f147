"""Which nets can be trained as one, and why others cannot."""

from __future__ import annotations

import inspect
from collections.abc import Hashable
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import (
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    PassthroughScoring,
    PrintLog,
)
from torch import Tensor, nn

from sktandem.nn._average import Averaged
from sktandem.nn._heads import MultiHead
from sktandem.nn._modules import Accuracy
from sktandem.nn._net import NETS
from sktandem.nn._planned import is_known_ahead
from sktandem.nn._preparation import Prepared
from sktandem.nn._ranks import Ranks
from sktandem.nn._tasks import TaskCriterion
from sktandem.nn._trainer import Trainer
from sktandem.schedules import Joint

__all__ = ["layers_of", "likeness", "why_alone"]

# They look at the history when an epoch begins or ends, and into no step.
CALLBACKS = (EarlyStopping, EpochTimer, PassthroughScoring, PrintLog)
SCORES = (EpochScoring, Accuracy)
# Their step of a value goes by the gradients of this value alone: in a stack each net
# gets the one that it would get by itself.
OPTIMIZERS = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)
# The loss of a row goes by this row alone, and that of a batch is their mean.
CRITERIA = (
    *(nn.CrossEntropyLoss, nn.NLLLoss, nn.BCELoss, nn.BCEWithLogitsLoss),
    *(nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss, TaskCriterion),
)
# What acts on each value by itself, and so on those of many nets at once.
ELEMENTWISE = (
    *(nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.Mish, nn.ELU, nn.SELU),
    *(nn.CELU, nn.LeakyReLU, nn.ReLU6, nn.Softplus, nn.Softsign, nn.Hardtanh),
    *(nn.Hardswish, nn.Hardsigmoid, nn.LogSigmoid, nn.Tanhshrink, nn.Identity),
)
OVER_CLASSES = (nn.Softmax, nn.LogSoftmax)
LARGE = 1_000_000  # weights: a net of so many keeps a core busy by itself


def layers_of(module: nn.Module) -> list[nn.Module]:
    """Return the layers of a chain, those of chains in it among them."""
    # By its forward and not by its type: a class that only says which layers there are,
    # such as our MLP, is a chain, and one that does more with them is not.
    if type(module).forward is not nn.Sequential.forward:
        return [module]
    assert isinstance(module, nn.Sequential)
    return [layer for part in module for layer in layers_of(part)]


def odd_layer(module: nn.Module) -> nn.Module | None:
    """Return the first layer that cannot be stacked, if any."""
    if type(module) is MultiHead and module.stems is None:
        parts = [module.trunk, *module.heads]
        return next(filter(None, map(odd_layer, parts)), None)
    return next((layer for layer in layers_of(module) if not _stacks(layer)), None)


def _stacks(layer: nn.Module) -> bool:
    if type(layer).forward is nn.Linear.forward:
        # Not one whose weight is computed, as by a parametrization.
        return set(layer._parameters) == {"weight", "bias"}
    if type(layer) in OVER_CLASSES:
        return layer.dim in (1, -1)
    return type(layer) in ELEMENTWISE


def why_alone(trainer: Trainer, net: NeuralNet, data: Prepared) -> str | None:
    """Say why an initialized net is trained by itself; None if it need not be."""
    return (
        _of_net(net)
        or _of_module(net.module_)
        or _of_optimizer(net)
        or _of_data(trainer, data)
        or _of_schedule(trainer, data)
    )


def _of_net(net: NeuralNet) -> str | None:
    if type(net) not in NETS.values():
        return f"{type(net).__name__} may have a loop of its own"
    if net.max_epochs < 1:
        return "it has no epoch"
    if net.compile:
        return "it is compiled"
    if Ranks.now(net.device) is not None:
        return "several processes train it"
    if net.verbose:
        return "its lines would mix with those of others"
    for name, callback in net.callbacks_:
        is_accuracy = type(callback) in SCORES and name == "valid_acc"
        if not is_accuracy and type(callback) not in CALLBACKS:
            return f"the callback {type(callback).__name__} may look into a step"
    criterion = net.criterion_
    # The reduction of a criterion with class weights is not the mean over rows.
    weighted = [getattr(criterion, key, None) for key in ("weight", "pos_weight")]
    plain = type(criterion) in CRITERIA and criterion.reduction == "mean"
    # Nor is it where rows are left out.
    plain = plain and getattr(criterion, "ignore_index", -100) == -100
    if not plain or any(weight is not None for weight in weighted):
        return f"the criterion {criterion!r} is not among those for many nets at once"
    return None


def _of_module(module: nn.Module) -> str | None:
    odd = odd_layer(module)
    if odd is not None:
        return f"the layer {type(odd).__name__} is not among those that are stacked"
    # What a stack would pass over in silence is looked for here: weights that are
    # frozen, replaced or beside the layers, and whatever else a call would do.
    parameters = list(module.parameters())
    if not parameters or not all(weight.requires_grad for weight in parameters):
        return "some of its weights are frozen"
    if any(map(_has_hooks, [*module.modules(), *parameters])):
        return "its module has hooks"
    if any("forward" in vars(part) for part in module.modules()):
        return "a forward of its own is set on one of its layers"
    if not all(any(w is own for own in _used(module)) for w in parameters):
        return "some of its weights are not those of its layers"
    if len({weight.dtype for weight in parameters}) > 1:
        return "its weights are of several types"
    if sum(weight.numel() for weight in parameters) > LARGE:
        return "its module is large"
    return None


def _used(module: nn.Module) -> list[Tensor]:
    """Return the weights that a stack knows how to use."""
    linear = [m for m in module.modules() if isinstance(m, nn.Linear)]
    return [w for m in linear for w in m._parameters.values() if w is not None]


def _has_hooks(part: Any) -> bool:
    """Tell whether something is called in a step besides the layers."""
    kinds = ("_forward", "_forward_pre", "_backward", "_backward_pre")
    return any(getattr(part, f"{kind}_hooks", None) for kind in kinds)


def _of_optimizer(net: NeuralNet) -> str | None:
    optimizer = net.optimizer_
    if type(optimizer) not in OPTIMIZERS:
        return f"{type(optimizer).__name__} is not SGD, Adam or AdamW"
    if len(optimizer.param_groups) > 1:
        return "its optimizer has several groups of weights"
    if any(isinstance(v, Tensor) for v in optimizer.param_groups[0].values()):
        return "a setting of its optimizer is a tensor"
    return None


def _of_data(trainer: Trainer, data: Prepared) -> str | None:
    numbers = data.training.numbers
    if not hasattr(numbers, "dtype") or numbers.ndim != 2:
        return "X is not a table of numbers"
    if data.features.dtype is None:
        return "X holds tokens"
    return None if trainer.augment is None else "its items are augmented"


def _of_schedule(trainer: Trainer, data: Prepared) -> str | None:
    schedule, name = trainer.schedule, type(trainer.schedule).__name__
    if not is_known_ahead(schedule):
        return f"{name} may choose a step by the losses before it"
    if data.tasks.heads is None:
        return None
    if trainer.loss_weights is not None:
        return "the losses of its heads are weighted"
    # A head that has no part in a step keeps its moments, which one optimizer for
    # many nets could not do for some of them.
    weights = getattr(schedule, "weights", None) or {}
    every = type(schedule) is Joint and schedule.epoch_length != "all"
    if not every or not all(weight > 0 for weight in weights.values()):
        return f"not every head has a part in each step of {name}"
    return None


def likeness(net: NeuralNet, data: Prepared) -> Hashable:
    """Return what nets that are trained as one have in common."""
    average = Averaged.of(net)
    optimizer = net.optimizer_
    heads = data.tasks.heads or ()
    return (
        type(net),
        str(net.device),
        _form(net.module_),
        type(net.criterion_),
        _plain(vars(net.criterion_)),
        type(optimizer),
        _plain(optimizer.param_groups[0]),
        None if average is None else (average.swa, average.decay),
        data.features.dtype,
        tuple((type(task), task.n_outputs) for task in heads),
    )


def _plain(settings: Any) -> Hashable:
    kinds = (bool, int, float, str, tuple, type(None))
    return tuple(sorted((k, v) for k, v in settings.items() if isinstance(v, kinds)))


def _form(module: nn.Module) -> Hashable:
    """Return the layers of a module, the shapes of its weights, and where each is."""
    shapes = [(tuple(w.shape), w.dtype) for w in module.parameters()]
    places = {id(weight): at for at, weight in enumerate(module.parameters())}
    every = module.named_parameters(remove_duplicate=False)
    used = [(name, places[id(weight)]) for name, weight in every]
    # The places tell tied weights: layers that share one are another form.
    return repr(module), tuple(shapes), tuple(used)


def taken_by(kind: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Return those settings that a class takes in its `__init__`."""
    known = inspect.signature(kind).parameters
    return {key: value for key, value in settings.items() if key in known}


def weights_of(net: NeuralNet) -> list[Tensor]:
    """Return the weights that a net trains, in order."""
    return list(net.module_.parameters())
