"""A fitted regressor for each source."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin, is_regressor
from sklearn.metrics import r2_score

from sktandem.data._cells import as_target
from sktandem.data._sources import resolve_sources
from sktandem.exceptions import SourceError
from sktandem.members._models import BaseSourceModels
from sktandem.members._strategy import Training
from sktandem.stats._scores import macro_r2

__all__ = ["SourceModelsRegressor"]


class SourceModelsRegressor(RegressorMixin, BaseSourceModels):
    """A regressor for each source, made as a strategy says.

    What the strategies that keep sources apart build. The label of a row
    decides which model answers.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    estimator : estimator instance
        A regressor or a skorch net.

    strategy : SourceStrategy
        How each model uses the rows of the other sources.

    for_sources : sequence of hashable, default=None
        The sources that get a model. None means all.

    source : str or int, default=None
        Name or position of the column of X that holds each row's source.

    scaler : str, transformer or None, default="standard"
        How features reach `estimator`, as in
        :class:`~sktandem.Merged`.

    primary_source : hashable, default=None
        The source you care about most.

    unknown_source : {"error", "primary", "pooled"}, default="error"
        What to do with a row of a source that was not there in `fit`: raise,
        ask the primary source's model, or take the mean of all.

    random_state : int, RandomState instance or None, default=None
        Seeds all that is left to chance.

    Attributes
    ----------
    models_ : dict of {source: estimator}
        The fitted model of each source.

    sources_ : tuple
        The names of the sources.

    n_features_in_ : int
        The number of columns of X, the source's included.

    See Also
    --------
    sktandem.members.OwnModels : Each source its own rows.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sktandem.members import OwnModels
    >>> model = OwnModels().build(LinearRegression())
    >>> X, y = [[0.0], [1.0], [0.0], [1.0]], [0.0, 1.0, 5.0, 4.0]
    >>> model = model.fit(X, y, sample_source=["clinic", "clinic", "lab", "lab"])
    >>> model.predict([[2.0], [2.0]], sample_source=["clinic", "lab"])
    array([2., 3.])
    """

    def _check_kind(self) -> None:
        if not is_regressor(self.estimator):
            raise SourceError(
                f"SourceModelsRegressor needs a regressor, got {self.estimator!r}. "
                "SourceModelsClassifier takes classifiers."
            )

    def _learned(self, data: Training) -> dict[str, Any]:
        return {}

    def predict(self, X: Any, *, sample_source: Any = None) -> NDArray[Any]:
        """Predict the target of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """

        def by_all(part: Any) -> NDArray[Any]:
            every = [model.predict(part) for model in self.models_.values()]
            return np.asarray(np.mean(every, axis=0))

        def by(model: Any, part: Any) -> NDArray[Any]:
            return np.asarray(model.predict(part))

        return self._assembled(X, sample_source, by, by_all)

    def score(
        self, X: Any, y: Any, *, sample_weight: Any = None, sample_source: Any = None
    ) -> float:
        """Return R2, of several models its mean over the sources.

        Over all samples, R2 is near 1 for models that know nothing but each
        source's mean. Rows of unknown sources count as one.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts.

        Returns
        -------
        score : float
            R2, or the macro mean of R2.
        """
        y, predicted = as_target(y), self.predict(X, sample_source=sample_source)
        if self._blind is not None:
            return float(r2_score(y, predicted, sample_weight=sample_weight))
        _, sources = resolve_sources(
            X, sample_source, source=self.source, names=self.sources_
        )
        weight = None if sample_weight is None else np.asarray(sample_weight)
        return macro_r2(y, predicted, sources.codes, weight)
