"""Scaling by all rows so far, where rows come a part at a time."""

from __future__ import annotations

import copy
import inspect
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler
from sklearn.utils.sparsefuncs import min_max_axis

from sktandem.data._sources import Sources
from sktandem.data._tables import column_names, is_frame, take_rows
from sktandem.exceptions import SourceError
from sktandem.scaling._affine import AffineMaps, Statistics, assembled, row_parts
from sktandem.scaling._scalers import (
    ScaledByName,
    ScaledByTransformers,
    numbers_of,
    typed_numbers,
)

__all__ = ["KeptScaler", "RunningScaler", "RunningTarget", "takes_weights"]

Weights = NDArray[np.float64] | None
FROZEN = "fitted on some of them: scaler=FrozenEstimator({}.fit(X_some))"


def takes_weights(partial_fit: Any) -> bool:
    """Tell whether a method `partial_fit` takes weights."""
    return "sample_weight" in inspect.signature(partial_fit).parameters


class RunningScaler:
    """Base: a scaler by all rows so far, of X or of the columns of y."""

    @staticmethod
    def of(scaler: Any, X: Any, n_own: int) -> RunningScaler | None:
        """Begin with a scaler of the user's, for all rows or for `n_own` sources."""
        if scaler is None:
            return None
        if scaler == "robust":
            raise SourceError(
                "scaler='robust' needs the medians of all rows, and partial_fit gets a "
                "part at a time. Use 'standard' or 'minmax', or a scaler that was "
                f"{FROZEN.format('RobustScaler()')}, of sklearn.frozen."
            )
        if isinstance(scaler, str):
            return RunningNames(scaler, X, n_own)
        fitted = isinstance(scaler, FrozenEstimator)
        if not fitted and not hasattr(scaler, "partial_fit"):
            name = f"{type(scaler).__name__}(...)"
            raise SourceError(
                f"The scaler {type(scaler).__name__} has no partial_fit, so it cannot "
                "learn from rows that come a part at a time. Use 'standard' or "
                f"'minmax', or one that was {FROZEN.format(name)}, of sklearn.frozen."
            )
        return RunningTransformers(scaler, n_own)

    def after(
        self, X: Any, y: Any, sources: Sources, weights: Weights
    ) -> tuple[Self, Any]:
        """Return the scaler with more rows seen, and what scales by it."""
        # A copy, so that a call that fails later leaves the statistics as they were.
        new = copy.deepcopy(self)
        return new, new._see(X, y, sources, weights)

    def _see(self, X: Any, y: Any, sources: Sources, weights: Weights) -> Any:
        raise NotImplementedError


class KeptScaler(RunningScaler):
    """What a fit has learned, which more rows do not change."""

    def __init__(self, fitted: Any) -> None:
        self.fitted = fitted

    def after(
        self, X: Any, y: Any, sources: Sources, weights: Weights
    ) -> tuple[Self, Any]:
        """Return itself, and what it keeps."""
        return self, self.fitted


class RunningTarget(RunningScaler):
    """Each source's measure of y."""

    def __init__(self, n_own: int) -> None:
        self.maps = RunningMaps("standard", n_own)

    def _see(self, X: Any, y: Any, sources: Sources, weights: Weights) -> AffineMaps:
        return self.maps.see(X, sources, weights, None, of="y")


class RunningNames(RunningScaler):
    """A named scaler of the numeric columns."""

    def __init__(self, scaler: str, X: Any, n_own: int) -> None:
        self.scaler, self.maps = scaler, RunningMaps(scaler, n_own)
        self.columns = typed_numbers(X) if is_frame(X) else None

    def _see(self, X: Any, y: Any, sources: Sources, weights: Weights) -> ScaledByName:
        numbers, names = numbers_of(X, self.columns, self.scaler), column_names(X)
        if names is not None and self.columns is not None:
            names = [names[place] for place in self.columns]
        maps = self.maps.see(numbers, sources, weights, names)
        return ScaledByName(self.scaler, maps, self.columns)


class RunningTransformers(RunningScaler):
    """Clones of a transformer that learns in parts, or has learned already."""

    def __init__(self, scaler: Any, n_own: int) -> None:
        self.frozen = isinstance(scaler, FrozenEstimator)
        self.pooled = clone(scaler)
        self.own: list[Any] = [None] * n_own  # until a source has rows

    def __deepcopy__(self, memo: Any) -> RunningTransformers:
        if self.frozen:  # of any size, and never changed
            return self
        new = copy.copy(self)
        new.pooled = copy.deepcopy(self.pooled, memo)
        new.own = copy.deepcopy(self.own, memo)
        return new

    def _see(
        self, X: Any, y: Any, sources: Sources, weights: Weights
    ) -> ScaledByTransformers:
        if not self.frozen:
            _learn(self.pooled, X, y, weights)
            for code, rows in enumerate(sources.rows if self.own else ()):
                if len(rows):
                    self.own[code] = self.own[code] or clone(self.pooled)
                    weight = None if weights is None else weights[rows]
                    part = take_rows(X, rows), None if y is None else y[rows]
                    _learn(self.own[code], *part, weight)
        # A source that has had no rows is scaled as all are, until it has some.
        own = tuple(self.pooled if each is None else each for each in self.own)
        return ScaledByTransformers(sources.names, own, self.pooled)


def _learn(transformer: Any, X: Any, y: Any, weights: Weights) -> None:
    if weights is not None and takes_weights(transformer.partial_fit):
        transformer.partial_fit(X, y, sample_weight=weights)
    else:
        transformer.partial_fit(X, y)


class RunningMaps:
    """The maps of a named scaler.

    Parameters
    ----------
    kind : {"standard", "minmax"}
        The scaler.

    n_own : int
        The number of sources that have maps of their own, 0 for none.
    """

    def __init__(self, kind: str, n_own: int) -> None:
        make: Any = {"standard": RunningMoments, "minmax": RunningRange}[kind]
        self.kind, self.pooled = kind, make()
        self.own = [make() for _ in range(n_own)]

    def see(
        self, X: Any, sources: Sources, weights: Weights, names: Any, of: str = "X"
    ) -> AffineMaps:
        """Take in more rows; return the maps of all so far."""
        self.pooled.see(X, None, weights)
        for own, rows in zip(self.own, sources.rows):
            if len(rows):
                own.see(X, rows, weights)
        told = {"X": X, "kind": self.kind, "names": names, "of": of}
        width = X.shape[1]
        own = [each.read(width) for each in self.own]
        return assembled(self.pooled.read(width), own, **told)


class RunningMoments:
    """Mean and standard deviation of each column."""

    def __init__(self) -> None:
        self.scaler: Any = None

    def see(self, X: Any, rows: Any, weights: Weights) -> None:
        """Take in some rows."""
        if self.scaler is None:
            self.scaler = StandardScaler(with_mean=not sparse.issparse(X))
        for part, weight in row_parts(X, rows, weights):
            with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                self.scaler.partial_fit(part, sample_weight=weight)
            # The mean of a column without a value is NaN to scikit-learn, and stays
            # it whatever comes later, as nothing times NaN is NaN.
            for moment in (self.scaler.mean_, self.scaler.var_):
                if moment is not None:
                    moment[~self._filled(X.shape[1])] = 0.0

    def _filled(self, width: int) -> NDArray[np.bool_]:
        return np.broadcast_to(np.asarray(self.scaler.n_samples_seen_) > 0, (width,))

    def read(self, width: int) -> Statistics:
        """Return center and scale of each column, and whether it has a value."""
        if self.scaler is None:
            return np.zeros((2, width)), np.zeros(width, bool)
        center = self.scaler.mean_ if self.scaler.with_mean else np.zeros(width)
        # An infinite variance passes for that of a constant there.
        scale = np.where(np.isfinite(self.scaler.var_), self.scaler.scale_, np.nan)
        return np.stack([center, scale]), self._filled(width)


class RunningRange:
    """The lowest and the highest value of each column."""

    def __init__(self) -> None:
        self.low = self.high = np.array(np.nan)
        self.centred = True

    def see(self, X: Any, rows: Any, weights: Weights) -> None:
        """Take in some rows."""
        self.centred = not sparse.issparse(X)
        for part, _ in row_parts(X, rows, None):
            if sparse.issparse(part):
                low, high = min_max_axis(part, axis=0, ignore_nan=True)
            else:
                # fmin passes over NaN, where min would keep it for good.
                low, high = np.fmin.reduce(part), np.fmax.reduce(part)
            self.low = np.fmin(self.low, low, dtype=np.float64)
            self.high = np.fmax(self.high, high, dtype=np.float64)

    def read(self, width: int) -> Statistics:
        """Return center and scale of each column, and whether it has a value."""
        low = np.broadcast_to(self.low, (width,))
        range_ = np.broadcast_to(self.high - self.low, (width,))
        center = low if self.centred else np.zeros(width)
        return np.stack([center, np.where(range_ == 0, 1.0, range_)]), ~np.isnan(low)
