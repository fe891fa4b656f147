"""From a trained net to predictions: what all estimators with a net share."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from sktandem._sources import ONLY_SOURCE, resolve_sources, split_source
from sktandem._tables import n_rows, read_table
from sktandem._unknown import settle_unknown
from sktandem.nn._batches import GivenRows, Table
from sktandem.nn._features import as_tensor
from sktandem.nn._precision import double_twin
from sktandem.nn._seeding import cuda_of

__all__ = ["PredictsByNet"]


class PredictsByNet:
    """Mixin of an estimator that has a trained net."""

    def _outputs(self, method, X, sample_source):
        """Return what a method of the net gives for X, and each row's code."""
        features, codes = self._read_to_predict(X, sample_source)
        numbers = self.features_.numbers(features, codes)
        return self._answers(method, numbers, codes), codes

    def _read_to_predict(self, X, sample_source, *, because=None):
        """Return the features, and each row's code where it is needed."""
        check_is_fitted(self)
        read_table(self, X)
        because = because or self._needs_source()
        if because is None:
            features, _ = split_source(X, sample_source, self.source)
            return features, np.zeros(n_rows(features), dtype=np.int32)
        features, sources = resolve_sources(
            X, sample_source, source=self.source, names=self.sources_
        )
        codes = settle_unknown(
            sources,
            lambda: split_source(X, sample_source, self.source)[1],
            self.unknown_source,
            self.primary_source,
            because=because,
        )
        return features, codes

    def _answers(self, method, numbers, codes, heads=None):
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

    def _needs_source(self):
        """Say why predictions depend on the source, or return None."""
        if self.sources_ == (ONLY_SOURCE,):
            return None
        return "X was scaled by source" if self.features_.by_source else None

    @property
    def module_(self):
        """The trained torch module."""
        return self.net_.module_

    @property
    def history_(self):
        """The history of the training: a row for each epoch."""
        return self.net_.history

    def __sklearn_is_fitted__(self):
        return hasattr(self, "net_")
