"""What a fitted net gives for rows: each head for its own, every head, or the trunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import nn

from sktandem.data._rows import Rows
from sktandem.data._sources import UNKNOWN
from sktandem.exceptions import SourceError
from sktandem.nn._batches import rows_in_order
from sktandem.nn._fitted import Fitted
from sktandem.nn._heads import has_own_heads
from sktandem.nn._preparation import refuse_missing
from sktandem.nn._table import Table

__all__ = ["HeadOutputs", "embedded", "refuse_without_embedding"]


class HeadOutputs:
    """What a net with a head for each source gives for rows, not yet decoded.

    Parameters
    ----------
    fitted : Fitted
        The fitted state.

    widths : sequence of int
        The outputs of each head.
    """

    def __init__(self, fitted: Fitted, widths: Sequence[int]) -> None:
        self.fitted, self.widths = fitted, widths

    @cached_property
    def _net(self) -> NeuralNet:
        # One for all heads of a call: a copy for each grows with their square.
        return self.fitted.answering()

    @property
    def enter_apart(self) -> bool:
        """Whether the rows of each source enter the net by a way of their own."""
        module = self.fitted.net.module
        return self.fitted.columns is not None or has_own_heads(module)

    def by_own_head(
        self, rows: Rows
    ) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.bool_], NDArray[Any]]]:
        """Yield each head, its rows, which of them are its own, and its outputs.

        Rows of unknown sources go to every head.
        """
        codes = rows.sources.codes
        numbers = self.fitted.features.numbers(rows.X, codes)
        for head in range(len(self.widths)):
            places = np.flatnonzero((codes == head) | (codes == UNKNOWN))
            if len(places):
                known = codes[places] == head
                made = self._asked("predict_proba", head, numbers, codes, places)
                yield head, places, known, made

    def of_every_head(self, rows: Rows) -> Iterator[NDArray[Any]]:
        """Return an iterator over the outputs of each head for all rows."""
        # The trunk is most of the work. Where all rows reach it by the same way it
        # works once, and the heads only take what it made.
        if self.enter_apart or self.fitted.features.by_source:
            return self._by_ways_of_their_own(rows)
        return self._by_one_way(rows)

    def of_trunk(self, rows: Rows) -> NDArray[Any]:
        """Return the embedding of each row."""
        codes = rows.sources.codes
        numbers = self.fitted.features.numbers(rows.X, codes)
        # With one way in all rows take it in one go, whatever their head.
        heads = codes if self.enter_apart else np.zeros_like(codes)
        embedding = None
        for head in np.unique(heads):
            places = np.flatnonzero(heads == head)
            own = self._asked(embedded, int(head), numbers, codes, places)
            if embedding is None:
                embedding = np.empty((len(rows), own.shape[1]), dtype=own.dtype)
            embedding[places] = own
        return np.asarray(embedding)

    def _asked(
        self,
        method: Any,
        head: int,
        numbers: Any,
        codes: NDArray[Any],
        places: NDArray[np.intp],
    ) -> NDArray[Any]:
        """Return what a method of the net gives for some rows and one head."""
        # One head at a time: asked for rows of several sources a module answers with
        # a list, which no method of skorch's net could put together.
        columns = self.fitted.columns
        if columns is not None:
            refuse_missing(numbers[places], columns[head], self.fitted.sources[head])
        heads = np.full(len(codes), head)
        return self.fitted.ask(method, numbers, codes, heads, places, self._net)

    def _by_one_way(self, rows: Rows) -> Iterator[NDArray[Any]]:
        """Yield the outputs of all heads, for which the trunk works once."""
        codes = rows.sources.codes
        numbers = self.fitted.features.numbers(rows.X, codes)
        zeros = np.zeros_like(codes)
        outputs = self.fitted.ask(_said_by_all, numbers, zeros, zeros)
        ends = np.cumsum(self.widths)
        yield from np.split(outputs, ends[:-1], axis=1)

    def _by_ways_of_their_own(self, rows: Rows) -> Iterator[NDArray[Any]]:
        """Yield the outputs of each head, to which rows come by a way of its own."""
        places = np.arange(len(rows))
        for head in range(len(self.widths)):
            # Without its source a row is scaled as one of the head's own.
            codes = rows.sources.codes
            codes = np.where(codes == UNKNOWN, head, codes)
            numbers = self.fitted.features.numbers(rows.X, codes)
            yield self._asked("predict_proba", head, numbers, codes, places)


def embedded(net: NeuralNet, table: Table) -> NDArray[Any]:
    """Return the embedding of the rows of a table."""
    if not hasattr(net.module_, "embed"):
        refuse_without_embedding(net.module_)
    net._set_training(False)
    with torch.no_grad():
        parts = [
            net.module_.embed(**(x if isinstance(x, dict) else {"X": x})).cpu().numpy()
            for x, _ in rows_in_order(table, net.batch_size)
        ]
    return np.concatenate(parts)


def _said_by_all(net: NeuralNet, table: Table) -> NDArray[Any]:
    """Return what every head says of the rows of a table, side by side."""
    nonlinearity = net._get_predict_nonlinearity()
    net._set_training(False)
    with torch.no_grad():
        parts = []
        for x, _ in rows_in_order(table, net.batch_size):
            hidden = net.module_.embed(**x)
            said = [nonlinearity(head(hidden)) for head in net.module_.heads]
            parts.append(torch.cat(said, dim=1).cpu().numpy())
    return np.concatenate(parts)


def refuse_without_embedding(module: nn.Module) -> NoReturn:
    """Say that a module brought no embedding."""
    raise SourceError(
        f"{type(module).__name__} has no method embed(X, source), which transform "
        "needs. Add one to the module."
    )
