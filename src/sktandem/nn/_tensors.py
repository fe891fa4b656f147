"""Parts laid out as tensors on a net's device, and what its module says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor

from sktandem.nn._batches import SourceRows
from sktandem.nn._features import as_tensor
from sktandem.nn._items import Augmentation, Items
from sktandem.nn._net import probe
from sktandem.nn._preparation import Part, Prepared
from sktandem.nn._ranks import Ranks
from sktandem.nn._seeding import unmoved
from sktandem.nn._table import Table

__all__ = ["first_rows", "laid_out", "probed"]


def laid_out(
    net: NeuralNet, data: Prepared, augment: Any = None, ranks: Ranks | None = None
) -> tuple[SourceRows, SourceRows | None]:
    """Return the training and the validation rows as datasets of tensors.

    `augment` is what is done to items that train, `ranks` the processes that share
    them.
    """
    # Regression modules answer with (n,) or (n, 1), and the targets follow them.
    n_dims = probed(net, data).ndim
    table = _table(data.training, net, data, n_dims, augment)
    training = _by_source(data.training, table, ranks)
    if data.validation is None:
        return training, None
    # Rows that were held out of X share its tensor: both parts are lists of rows of one
    # table, and nothing is copied for the split.
    if data.validation.numbers is not data.training.numbers:
        table = _table(data.validation, net, data, n_dims)
    return training, _by_source(data.validation, table)


def _by_source(part: Part, table: Table, ranks: Ranks | None = None) -> SourceRows:
    rows = [as_tensor(own, table.X.device) for own in part.by_source()]
    return SourceRows(table, part.rows.names, rows, ranks)


def _table(
    part: Part, net: NeuralNet, data: Prepared, n_dims: int, augment: Any = None
) -> Table:
    """Return a part as tensors on the net's device."""
    device, features = torch.device(net.device), data.features
    sources = part.rows.sources
    targets = data.tasks.tensor(part.targets, sources, net, n_dims, features.dtype)
    weights: Tensor | None = None
    if part.weights is not None:
        weights = torch.as_tensor(part.weights, dtype=torch.float32, device=device)
    numbers = part.numbers
    if augment is not None and not isinstance(numbers, Items):
        numbers = Items(numbers)
    if isinstance(numbers, Items):
        codes = sources.codes
        given = Augmentation(augment, part.rows.names, codes, data.seed)
        numbers = numbers.augmented(given)
    return Table(
        as_tensor(numbers, device),
        targets.to(device),
        torch.as_tensor(sources.codes.astype(np.int32), device=device),
        features.maps,
        weights,
        features.dtype,
        _heads_of(sources.codes, data, device),
    )


def _heads_of(
    codes: NDArray[Any], data: Prepared, device: torch.device
) -> Tensor | None:
    """Return the head of each row, if there are heads."""
    if data.tasks.heads is None:
        return None
    return torch.as_tensor(codes.astype(np.int64), device=device)


def first_rows(
    net: NeuralNet,
    data: Prepared,
    *,
    head: int | None = None,
    dtype: torch.dtype | None = None,
) -> Any:
    """Return the features of two rows, as the module gets them.

    Where there are heads they are rows of one, the first if none is given: a
    module answers for several with a list.
    """
    numbers, features = data.training.numbers, data.features
    few, device = np.arange(min(2, len(numbers))), torch.device(net.device)
    codes = data.training.rows.sources.codes[few]
    if data.tasks.heads is not None:
        codes = few * 0 + (head or 0)
    table = Table(
        as_tensor(numbers[few], device),
        None,
        torch.as_tensor(codes.astype(np.int32), device=device),
        features.maps,
        dtype=None if features.dtype is None else dtype or features.dtype,
        heads=_heads_of(codes, data, device),
    )
    return table.pair(torch.arange(len(few), device=device), None)[0]


def probed(net: NeuralNet, data: Prepared) -> Tensor:
    """Return the module's answer to two rows, having asked every head."""
    # A module may draw numbers even when it predicts.
    with unmoved(net.device):
        for head, (n_outputs, wants) in enumerate(data.tasks.questions()):
            x = first_rows(net, data, head=head)
            answer = probe(net, x, n_outputs, wants)
    return answer
