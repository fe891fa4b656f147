"""From prepared data to a net of its size: seeded, with heads, ready to train."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet, NeuralNetClassifier
from torch import nn

from sktandem.exceptions import SourceError
from sktandem.nn._average import Averaged
from sktandem.nn._batches import rows_in_order
from sktandem.nn._features import Features
from sktandem.nn._heads import HeadsOn, has_own_heads
from sktandem.nn._items import Items, Read, typed
from sktandem.nn._net import parameters_of, sized_net
from sktandem.nn._precision import dtype_of
from sktandem.nn._preparation import FeatureMap, Prepared
from sktandem.nn._seeding import derive_seed, seeded
from sktandem.nn._source_tasks import SourceTasks
from sktandem.nn._tasks import ClassTask, Task
from sktandem.nn._tensors import first_rows, probed
from sktandem.nn._turns import split_of, turns_of
from sktandem.nn._weighing import Uncertain

__all__ = ["WIDTH", "Builder", "Built"]

WIDTH = 32  # of a trunk that names n_outputs and is not given them


@dataclass(frozen=True, eq=False)
class Built:
    """An initialized net, and the data whose features are settled by it."""

    net: NeuralNet
    data: Prepared
    width: int | None  # of the embedding, if the module has one


@dataclass(frozen=True)
class Builder:
    """Makes a net of the size of the data.

    Attributes
    ----------
    net : NeuralNet
        The user's net, which is cloned and never trained itself.

    settings : dict
        What is set on the clone, such as `verbose`.

    average : {"ema", "swa"}, float or None
        What weights are averaged by.

    criterion : criterion class or None
        What the net gets in place of its own, where heads learn different kinds.

    head : None, sequence of int or callable
        What stands on the trunk for each source.

    loss_weights : str, dict or None
        What the loss of each source counts.

    embeds : bool
        Whether the width of the module's embedding is wanted.

    may_be_tokens : bool
        Whether integers in X come as they are, and so may be tokens.
    """

    net: NeuralNet
    settings: Mapping[str, Any] = field(default_factory=dict)
    average: Any = None
    criterion: Any = None
    head: Any = None
    loss_weights: Any = None
    embeds: bool = False
    may_be_tokens: bool = False

    def build(self, data: Prepared) -> Built:
        """Return an initialized clone of the net."""
        # All that is drawn for the weights comes from one seed of its own, so that
        # neither the split nor the order of rows moves when a layer is added.
        with seeded(derive_seed(data.seed, "init"), self.net.device):
            net = _initialized(self._sized(data), data)
            data = replace(data, features=self.settled(net, data))
            probed(net, data)  # gives a lazy module its weights
        if self.average is not None:
            Averaged.attach(net, self.average)
        return Built(net, data, self._width(net, data))

    # What a subclass may fill ---------------------------------------------------

    def net_for(self, data: Prepared) -> NeuralNet:
        """Return the net to clone, which may depend on how X became numbers."""
        return self.net

    def settled(self, net: NeuralNet, data: Prepared) -> FeatureMap:
        """Return the features with the type that the initialized net takes."""
        assert isinstance(data.features, Features)
        features = replace(data.features, dtype=dtype_of(net))
        if data.training.numbers.dtype.kind not in "iu" or not self.may_be_tokens:
            return features
        tokens = replace(features, dtype=None)
        if any(isinstance(m, nn.Embedding) for m in net.module_.modules()):
            return tokens  # it takes nothing else, and its error counts
        # Integers may be tokens or measurements, and the module knows which: it is
        # asked. Bytes are asked as measurements first, which take half the memory; any
        # other integers as tokens, which a module of measurements refuses.
        order = [tokens, features]
        if data.training.numbers.dtype == np.uint8:
            order.reverse()
        for asked in order:
            with suppress(SourceError):
                probed(net, replace(data, features=asked))
                return asked
        return features

    def example(self, data: Prepared, shape: tuple[int, ...]) -> Read:
        """Return two rows of the shape and kind that a trunk gets."""
        if isinstance(data.training.numbers, Items):
            made = data.training.numbers.example
            # A tensor of integers may be either; of several inputs each is told apart.
            of_several = isinstance(made, dict) and "X" not in made
            return typed(made, torch.float32) if of_several else made
        whole = data.training.numbers.dtype.kind in "iu" and self.may_be_tokens
        tokens = whole and data.columns is None
        return torch.zeros((2, *shape), dtype=torch.long if tokens else None)

    # ----------------------------------------------------------------------------

    def _sized(self, data: Prepared) -> NeuralNet:
        tasks, net = data.tasks, self.net_for(data)
        settings: dict[str, Any] = {
            "iterator_train": turns_of,
            "iterator_valid": rows_in_order,
            "train_split": split_of,
            **self.settings,
        }
        if isinstance(tasks, SourceTasks):
            return self._with_heads(net, data, tasks, settings)
        [(n_outputs, _)] = tasks.questions()
        sizes = {"n_outputs": n_outputs, **_n_features(data)}
        net = sized_net(net, sizes=sizes, settings=settings)
        if isinstance(net, NeuralNetClassifier) and isinstance(tasks.task, ClassTask):
            # skorch would find them in y, which it does not get here.
            net.classes_inferred_ = np.arange(len(tasks.task.classes))
        return net

    def _with_heads(
        self,
        net: NeuralNet,
        data: Prepared,
        tasks: SourceTasks,
        settings: dict[str, Any],
    ) -> NeuralNet:
        n_outputs = tuple(task.n_outputs for task in tasks.heads)
        if has_own_heads(net.module):
            sizes = {"n_outputs_by_source": n_outputs, **_n_features(data)}
            net = sized_net(net, sizes=sizes, settings=settings)
        else:
            net = self._on_trunk(net, data, tasks, settings, n_outputs)
        # After the heads, whose last layer follows the criterion that the user chose.
        if self.criterion is not None:
            net.set_params(criterion=self.criterion)
        if self.loss_weights == "uncertainty":
            net.set_params(criterion=Uncertain(net.criterion, len(tasks.heads)))
        if isinstance(net, NeuralNetClassifier):
            net.classes_inferred_ = np.arange(max(n_outputs))
        return net

    def _on_trunk(
        self,
        net: NeuralNet,
        data: Prepared,
        tasks: SourceTasks,
        settings: dict[str, Any],
        n_outputs: tuple[int, ...],
    ) -> NeuralNet:
        """Return the net with a head for each source on the user's module."""
        columns = data.columns
        width = max(map(len, columns)) if columns else 0
        shape = (width,) if columns else data.training.numbers.shape[1:]
        sizes: dict[str, Any] = {"n_features": shape[0]} if len(shape) == 1 else {}
        if _wants_width(net.module):
            sizes["n_outputs"] = WIDTH
        net = sized_net(net, sizes=sizes, settings=settings)
        example = self.example(data, shape)
        answers = [_answer_of(net, task) for task in tasks.heads]
        heads = HeadsOn(
            net.module, n_outputs, self.head, answers, example, columns, width
        )
        return net.set_params(module=heads)

    def _width(self, net: NeuralNet, data: Prepared) -> int | None:
        """Return the width of the embedding, if the module has one."""
        if not self.embeds or not hasattr(net.module_, "embed"):
            return None
        x = first_rows(net, data)
        with torch.no_grad():
            embed = net.module_.eval().embed
            return int((embed(**x) if isinstance(x, dict) else embed(x)).shape[1])


def _n_features(data: Prepared) -> dict[str, int]:
    """Return the number of columns, where X has columns."""
    numbers = data.training.numbers
    return {"n_features": numbers.shape[1]} if numbers.ndim == 2 else {}


def _answer_of(net: NeuralNet, task: Task) -> type[nn.Module] | None:
    """Return what stands behind a head, so that it follows the criterion."""
    kind = net.criterion if inspect.isclass(net.criterion) else type(net.criterion)
    if not isinstance(task, ClassTask) or not issubclass(kind, nn.NLLLoss):
        return None
    if isinstance(net, NeuralNetClassifier):
        return nn.Softmax  # it takes the logarithm by itself
    if net.predict_nonlinearity == "auto":
        net.set_params(predict_nonlinearity=torch.exp)
    return nn.LogSoftmax


def _wants_width(module: Any) -> bool:
    """Tell whether a module asks for n_outputs and has no default for it."""
    if "n_outputs" not in parameters_of(module):
        return False
    target = module.__init__ if inspect.isclass(module) else module
    parameter = inspect.signature(target).parameters["n_outputs"]
    return parameter.default is inspect.Parameter.empty


def _initialized(net: NeuralNet, data: Prepared) -> NeuralNet:
    try:
        return net.initialize()
    except TypeError as error:
        if "required positional argument" not in str(error):
            raise
        shape = tuple(data.training.numbers.shape)
        raise SourceError(
            f"The module cannot be made: {error}. Only of X with columns its "
            f"n_features is known, and X has shape {shape}. Set it, as by "
            "net__module__n_features, or pass a module for such X."
        ) from error
