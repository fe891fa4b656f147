"""A training set and a test set as an estimator gets them, at whatever weight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from sktandem._routing import plainly_addressed
from sktandem._settings import is_estimator
from sktandem._typing import Floats
from sktandem.data._rows import Rows
from sktandem.data._tables import is_frame, numeric_columns, to_floats
from sktandem.members._fill import is_net
from sktandem.members._logistic import Logistic
from sktandem.members._models import Units
from sktandem.merge._inner import seeded_clone
from sktandem.scaling._affine import AffineMaps, Spread, fit_affine
from sktandem.scaling._scalers import (
    fit_transformers,
    follows_scales,
    numbers_of,
    typed_numbers,
)

__all__ = ["Layout"]


@dataclass(frozen=True, eq=False)
class Layout:
    """What fits on the same rows have in common, whatever some of the rows count.

    What takes no weights is fitted once, such as encoders. A named scaler is made for
    each weight of sums over the rows, so that the fit is that of a `Merged`.

    Attributes
    ----------
    units : Units
        What is left to fit.

    train, test : Rows
        The rows, as ready as they are at every weight.

    n_own : int
        The first training rows, which count 1.

    spreads : tuple of Spread, default=()
        What "standard" scales the first columns by: the numbers of the rows that count
        1, and of the others.

    maps : AffineMaps or None, default=None
        The scaling of the first columns where weights do not change it.
    """

    units: Units
    train: Rows
    test: Rows
    n_own: int
    spreads: tuple[Spread, ...] = ()
    maps: AffineMaps | None = None

    @classmethod
    def of(cls, units: Units, train: Rows, test: Rows, n_own: int) -> Layout:
        """Prepare rows, of which the first `n_own` count 1 and the rest a weight.

        What cannot be prepared is left to the fits, and so are errors, each to the
        weights at which they come.
        """
        layout = cls(units, train, test, n_own)
        left_out = train.weights is not None and not (train.weights > 0).all()
        if left_out or is_net(units.estimator):  # which holds rows out itself
            return layout
        try:
            return layout._transformed()._encoded()._scaled()
        except (TypeError, ValueError):
            return layout

    @property
    def is_plain(self) -> bool:
        """Whether only the estimator is left to fit, on an array of numbers."""
        plain = _is_array(self.train.X) and _is_array(self.test.X)
        return plain and self.units.scaler is None

    def counts(self, weight: float) -> Floats:
        """Return what each training row counts, at a weight of the others."""
        n_others = len(self.train) - self.n_own
        return np.repeat([1.0, weight], [self.n_own, n_others])

    def _transformed(self) -> Layout:
        """Return the layout behind a scaler that takes no weights."""
        scaler, train, test = self.units.scaler, self.train, self.test
        if not is_estimator(scaler) or has_fit_parameter(scaler, "sample_weight"):
            return self
        given = train.X, train.y, train.sources
        scaler, X = fit_transformers(scaler, *given, scale_by="pooled")
        units = replace(self.units, scaler=None)
        return self._with(units, X, scaler.transform(test.X))

    def _encoded(self) -> Layout:
        """Return the layout behind the front of a pipeline, which gets no weights."""
        estimator, scaler = self.units.estimator, self.units.scaler
        if type(estimator) is not Pipeline or plainly_addressed(estimator) is None:
            return self
        front = estimator[:-1]
        if len(front) == 0:
            return self
        follows = follows_scales(front[0]) if len(front) == 1 else None
        if scaler is not None and (not isinstance(scaler, str) or follows is None):
            return self
        seed = self.units.seed()
        rng = None if seed is None else np.random.RandomState(seed)
        front = seeded_clone(front, rng)
        X, tested = front.fit_transform(self.train.X, self.train.y), self.test.X
        units = replace(self.units, estimator=estimator[-1], scaler=None)
        layout = self._with(units, X, front.transform(tested))
        if scaler is None or not follows:
            return layout
        columns = typed_numbers(self.train.X) if is_frame(self.train.X) else None
        return layout._by(scaler, numbers_of(self.train.X, columns, scaler))

    def _scaled(self) -> Layout:
        """Return the layout with its numbers scaled by name."""
        X, tested, scaler = self.train.X, self.test.X, self.units.scaler
        if scaler is not None and not isinstance(scaler, str):
            return self
        nameless = Logistic.of(self.units.estimator) is not None
        if nameless and is_frame(X) and len(numeric_columns(X)) == X.shape[1]:
            columns = list(range(X.shape[1]))
            X, tested = to_floats(X, columns), to_floats(tested, columns)
        if not _is_array(X):
            return self
        layout = self._with(replace(self.units, scaler=None), X, tested)
        if scaler is None:
            return layout
        return layout._by(scaler, numbers_of(X, None, scaler))

    def _with(self, units: Units, X: Any, tested: Any) -> Layout:
        train, test = replace(self.train, X=X), replace(self.test, X=tested)
        return replace(self, units=units, train=train, test=test)

    def _by(self, scaler: str, numbers: NDArray[Any]) -> Layout:
        """Return the layout with a named scaler of the first columns."""
        if scaler != "standard":  # the others know no weights
            return replace(self, maps=fit_affine(scaler, numbers))
        weights = self.train.weights
        with np.errstate(over="ignore", invalid="ignore"):
            spreads = [
                Spread.of(numbers[part], None if weights is None else weights[part])
                for part in (slice(self.n_own), slice(self.n_own, None))
            ]
        if not all(np.isfinite(spread.variance).all() for spread in spreads):
            raise ValueError  # which a fit tells of, by column
        return replace(self, spreads=tuple(spreads))

    def maps_at(self, weight: float) -> AffineMaps | None:
        """Return the scaling of the first columns, at a weight of the others."""
        if not self.spreads:
            return self.maps
        return self.spreads[0].plus(self.spreads[1], weight).maps()

    def at(self, weight: float) -> Layout:
        """Return the layout with its scaling settled, at a weight of the others."""
        maps = self.maps_at(weight)
        if maps is None:
            return self
        X, tested = (_mapped(rows.X, maps) for rows in (self.train, self.test))
        return self._with(self.units, X, tested)


def _is_array(X: Any) -> bool:
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "fiu"


def _mapped(X: NDArray[Any], maps: AffineMaps) -> NDArray[Any]:
    mapped = X.astype(np.result_type(X.dtype, np.float32), order="K")
    numbers = mapped[:, : maps.center.shape[1]]
    numbers -= maps.center[-1].astype(mapped.dtype)
    numbers /= maps.scale[-1].astype(mapped.dtype)
    return mapped
