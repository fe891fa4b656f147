"""What a strategy is: one way of using the datasets, as a parameter object."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from sktandem._typing import RandomState, UnknownSource
from sktandem.data._sources import Sources
from sktandem.data._tables import take_rows

__all__ = ["Strategy", "Training"]


@dataclass(frozen=True, eq=False)
class Training:
    """The rows to learn from, read and checked.

    Attributes
    ----------
    X : table
        The features, without a column of sources.

    y : ndarray
        The target.

    sources : Sources
        The source of each row.
    """

    X: Any
    y: NDArray[Any]
    sources: Sources

    def rows_of(self, name: Hashable) -> NDArray[np.intp]:
        """Return the row numbers of one source."""
        return self.sources.rows[self.sources.names.index(name)]

    def rows_of_others(self, name: Hashable) -> NDArray[np.intp]:
        """Return the row numbers of all sources but one."""
        code = self.sources.names.index(name)
        return np.flatnonzero(self.sources.codes != code)

    def take(self, rows: NDArray[np.intp]) -> tuple[Any, NDArray[Any]]:
        """Return X and y of some rows."""
        y = self.y[rows]
        if y.dtype == object and not any(isinstance(v, str) for v in y.ravel()):
            # The numbers of one source, held as objects for the texts of another.
            y = np.array(y.tolist())
        return take_rows(self.X, rows), y

    @cached_property
    def labels(self) -> NDArray[Any]:
        """The name of each row's source."""
        names = np.empty(len(self.sources.names), dtype=object)
        names[:] = self.sources.names
        return np.asarray(names[self.sources.codes])


class Strategy(BaseEstimator):
    """One way of using several datasets: the base of all strategies.

    A strategy is a parameter object and learns nothing itself. `build` turns an
    estimator into one that uses the sources in this way, to be fitted as
    ``fit(X, y, sample_source=...)``.

    Read more in the :ref:`User Guide <comparing>`.

    Examples
    --------
    A strategy of one's own: a merge that tells the model the source.

    >>> from sklearn.linear_model import Ridge
    >>> from sktandem import Merged, stack_sources
    >>> from sktandem.members import Strategy
    >>> class Told(Strategy):
    ...     name = "told the source"
    ...     def build(self, estimator, **options):
    ...         return Merged(estimator, representation="indicator", **options)
    >>> X, y, source = stack_sources({
    ...     "red": ([[0.0], [1.0]], [0.0, 0.0]), "white": ([[0.0], [1.0]], [4.0, 4.0])
    ... })
    >>> model = Told().build(Ridge(alpha=1e-6), scaler=None)
    >>> model = model.fit(X, y, sample_source=source)
    >>> model.predict([[0.0]], sample_source=["white"]).round(2)
    array([4.])
    """

    @property
    def name(self) -> str:
        """What tables call it: a few words, different for other settings."""
        return type(self).__name__

    def build(
        self,
        estimator: Any,
        *,
        scaler: Any = "standard",
        source: str | int | None = None,
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        random_state: RandomState = None,
    ) -> Any:
        """Return an unfitted estimator that uses the sources in this way.

        Parameters
        ----------
        estimator : estimator instance
            A classifier, a regressor, or a skorch net. It is cloned.

        scaler : str, transformer or None, default="standard"
            How features reach the estimator, as in
            :class:`~sktandem.Merged`.

        source : str or int, default=None
            Name or position of the column of X that holds each row's source.

        primary_source : hashable, default=None
            The source you care about most.

        unknown_source : {"error", "primary", "pooled"}, default="error"
            What to do with a row of a source that was not there in `fit`.

        random_state : int, RandomState instance or None, default=None
            Seeds all that is left to chance.

        Returns
        -------
        model : estimator instance
            Unfitted, with ``fit(X, y, sample_source)``.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not say what to build. Define build(self, "
            "estimator, **options)."
        )
