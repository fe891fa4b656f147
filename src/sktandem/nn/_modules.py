"""The net that is used when the user brings none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import EpochScoring
from torch import nn

from sktandem._settings import check_choice
from sktandem.exceptions import SourceError

__all__ = ["MLP", "default_net"]

TASKS = ("classification", "regression")


class MLP(nn.Sequential):
    """A multilayer perceptron: linear layers with an activation between them.

    Parameters
    ----------
    n_features : int
        Width of the input.

    n_outputs : int
        Width of the output: one logit per class, or one value per target.

    hidden_sizes : sequence of int, default=(64, 32)
        Widths of the hidden layers.

    activation : callable, default=torch.nn.ReLU
        Makes the module that stands behind each hidden layer.

    dropout : float, default=0.0
        Share of hidden values that are dropped in training.

    activate_output : bool, default=False
        Whether the activation stands behind the last layer, too, as it should
        where heads follow.

    See Also
    --------
    default_net : The skorch net around it.

    Examples
    --------
    >>> import torch
    >>> from sktandem.nn import MLP
    >>> module = MLP(n_features=10, n_outputs=3, hidden_sizes=(8,))
    >>> module(torch.zeros(5, 10)).shape
    torch.Size([5, 3])
    >>> sum(parameter.numel() for parameter in module.parameters())
    115

    That is 10 * 8 + 8 weights into the hidden layer and 8 * 3 + 3 out of it.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        hidden_sizes: Sequence[int] = (64, 32),
        activation: Callable[[], nn.Module] = nn.ReLU,
        dropout: float = 0.0,
        activate_output: bool = False,
    ) -> None:
        layers: list[nn.Module] = []
        width = n_features
        for size in hidden_sizes:
            layers += [nn.Linear(width, size), activation()]
            if dropout:
                layers.append(nn.Dropout(dropout))
            width = size
        layers.append(nn.Linear(width, n_outputs))
        super().__init__(*layers, *([activation()] if activate_output else []))


def default_net(task: str = "classification", **params: Any) -> NeuralNet:
    """Make the net that ``net=None`` stands for, as a start for your own.

    It is a plain skorch net with an :class:`MLP`, cross-entropy or squared
    error, and Adam in torch's fused form, which takes a quarter to a third off
    a small net's step and differs from the other only in rounding.

    Parameters
    ----------
    task : {"classification", "regression"}, default="classification"
        What the net is for.

    **params : dict
        Parameters of the net, such as ``lr`` or ``module__hidden_sizes``.

    Returns
    -------
    net : skorch.NeuralNetClassifier or skorch.NeuralNetRegressor
        An unfitted net.

    Examples
    --------
    >>> from sktandem.nn import default_net
    >>> net = default_net(lr=0.01, module__hidden_sizes=(100,))
    >>> net.lr, net.max_epochs, net.optimizer__fused
    (0.01, 50, True)
    """
    if not isinstance(task, str):
        raise SourceError(
            f"task must be one of {list(TASKS)}, got {task!r}. A module of your own "
            "goes by module=."
        )
    check_choice("task", task, TASKS)
    # Fused Adam wins more for a small net than anything in the loop around it.
    settings: dict[str, Any] = {
        "module": MLP,
        "optimizer": torch.optim.Adam,
        "optimizer__fused": True,
        "lr": 0.003,
        "max_epochs": 50,
        "batch_size": 64,
        "verbose": 0,
    }
    if task == "regression":
        return NeuralNetRegressor(**(settings | params))
    settings["criterion"] = nn.CrossEntropyLoss
    # scikit-learn's own scorer takes longer than an epoch over small data.
    settings["callbacks__valid_acc"] = Accuracy(
        accuracy, name="valid_acc", lower_is_better=False
    )
    return NeuralNetClassifier(**(settings | params))


class Accuracy(EpochScoring):
    """A score for each epoch by a function ``(net, X, y)``, which is only called.

    skorch has scikit-learn check it in each epoch, which takes as long as to score.
    """

    def _scoring(self, net: NeuralNet, X_test: Any, y_test: Any) -> Any:
        return self.scoring_(net, X_test, y_test)


def accuracy(net: NeuralNet, X: Any, y: Any) -> float:
    """Return the share of rows that the net gets right."""
    # The greatest logit is the greatest probability: no softmax is needed.
    best = [part.argmax(dim=1) for part in net.forward_iter(X)]
    return float(np.mean(torch.cat(best).cpu().numpy() == y))
