"""From a trained net to predictions: what all estimators with a net share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet
from torch import Tensor

from sktandem._typing import UnknownSource
from sktandem.data._sources import (
    ONLY_SOURCE,
    Codes,
    Labels,
    Sources,
    resolve_sources,
    split_source,
)
from sktandem.data._tables import n_rows, read_table
from sktandem.data._unknown import settle_unknown
from sktandem.exceptions import SourceError
from sktandem.nn._batches import GivenRows, Table, rows_in_order
from sktandem.nn._features import as_tensor
from sktandem.nn._precision import double_twin
from sktandem.nn._seeding import cuda_of

__all__ = ["PredictsByNet", "embedded", "refuse_without_embedding", "said_by_all"]


class PredictsByNet:
    """Mixin of an estimator that has a trained net."""

    source: str | int | None
    primary_source: Hashable
    unknown_source: UnknownSource
    sources_: tuple[Hashable, ...]
    features_: Any  # Features, or what reads texts
    net_: NeuralNet
    precision_: str

    def _outputs(
        self, method: str | Callable[..., Any], X: Any, sample_source: Any
    ) -> tuple[NDArray[Any], Codes]:
        """Return what a method of the net gives for X, and each row's code."""
        features, codes = self._read_to_predict(X, sample_source)
        numbers = self.features_.numbers(features, codes)
        return self._answers(method, numbers, codes), codes

    def _read_to_predict(
        self, X: Any, sample_source: Any, *, because: str | None = None
    ) -> tuple[Any, Codes]:
        """Return the features, and each row's code where it is needed."""
        check_is_fitted(self)
        self._check_columns(X)
        because = because or self._needs_source()
        if because is None:
            features = self._without_source(X, sample_source)
            return features, np.zeros(n_rows(features), dtype=np.int32)
        features, sources = self._split(X, sample_source, names=self.sources_)
        codes = settle_unknown(
            sources,
            lambda: self._labels_in(X, sample_source),
            self.unknown_source,
            self.primary_source,
            because=because,
        )
        return features, codes

    def _check_columns(self, X: Any) -> None:
        """Refuse columns other than those of `fit`."""
        read_table(self, X)

    def _split(
        self, X: Any, sample_source: Any, *, names: Sequence[Hashable] | None = None
    ) -> tuple[Any, Sources]:
        """Return the features, and the record of each row's source."""
        return resolve_sources(X, sample_source, source=self.source, names=names)

    def _labels_in(self, X: Any, sample_source: Any) -> Labels | None:
        """Return the label of each row as it came."""
        return split_source(X, sample_source, self.source)[1]

    def _without_source(self, X: Any, sample_source: Any) -> Any:
        """Return the features, where it does not matter whose rows they are."""
        return split_source(X, sample_source, self.source)[0]

    def _answers(
        self,
        method: str | Callable[..., Any],
        numbers: Any,
        codes: Codes,
        heads: Tensor | None = None,
    ) -> NDArray[Any]:
        """Return what a method of the net gives for rows that are numbers."""
        device = torch.device(self.net_.device)
        dtype = getattr(torch, self.precision_)
        cast = self.features_.dtype is not None
        double = cast and dtype != self.features_.dtype
        table = Table(
            as_tensor(numbers, device),
            None,
            torch.as_tensor(codes.astype(np.int32), device=device),
            self.features_.maps,
            dtype=dtype if cast else None,
            heads=heads,
        )
        net = double_twin(self.net_) if double else self.net_
        with torch.random.fork_rng(devices=cuda_of(device)):
            if callable(method):
                return method(net, GivenRows(table))
            return getattr(net, method)(GivenRows(table))

    def _needs_source(self) -> str | None:
        """Say why predictions depend on the source, or return None."""
        if self.sources_ == (ONLY_SOURCE,):
            return None
        return "X was scaled by source" if self.features_.by_source else None

    @property
    def module_(self) -> Any:
        """The trained torch module."""
        return self.net_.module_

    @property
    def history_(self) -> Any:
        """The history of the training: a row for each epoch."""
        return self.net_.history

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")


def embedded(net: NeuralNet, dataset: Any) -> NDArray[Any]:
    """Return the embedding of the rows of a dataset."""
    if not hasattr(net.module_, "embed"):
        refuse_without_embedding(net.module_)
    net._set_training(False)
    with torch.no_grad():
        parts = [
            net.module_.embed(**(x if isinstance(x, dict) else {"X": x})).cpu().numpy()
            for x, _ in rows_in_order(dataset, net.batch_size)
        ]
    return np.concatenate(parts)


def said_by_all(net: NeuralNet, dataset: Any) -> NDArray[Any]:
    """Return what every head says of the rows of a dataset, side by side."""
    nonlinearity = net._get_predict_nonlinearity()
    net._set_training(False)
    with torch.no_grad():
        parts = []
        for x, _ in rows_in_order(dataset, net.batch_size):
            hidden = net.module_.embed(**x)
            said = [nonlinearity(head(hidden)) for head in net.module_.heads]
            parts.append(torch.cat(said, dim=1).cpu().numpy())
    return np.concatenate(parts)


def refuse_without_embedding(module: Any) -> NoReturn:
    raise SourceError(
        f"{type(module).__name__} has no embed(X, source), which transform asks for. A "
        "module with heads of its own may offer it."
    )
