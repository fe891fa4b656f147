"""What every estimator of several sources predicts, and its score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from sktandem._callbacks import Callbacks
from sktandem._docs import documented
from sktandem.data._cells import refuse_fields, refuse_no_target
from sktandem.data._estimator import SourceEstimator
from sktandem.data._rows import Rows
from sktandem.data._scores import label_accuracy, macro_r2

__all__ = ["SourcePredictor", "if_offered"]


def if_offered(method: str) -> Callable[[Any], Any]:
    """Let a method appear where the estimator can answer it."""
    decorator: Callable[[Any], Any] = available_if(lambda self: self._offers(method))
    return decorator


@documented
class SourcePredictor(Callbacks, SourceEstimator):
    """Base: the public methods that predict, which read rows and hand them on.

    A subclass fills `_answer`, `_depends_on_source`, and `_inner` or `_offers`.
    """

    def predict(self, X: Any, *, sample_source: Any = None) -> NDArray[Any]:
        """Predict the target of each sample, in the units of its source.

        Parameters
        ----------
        {X_seen}

        {sample_source_seen}

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted classes, or numbers in the units of y.
        """
        # Public methods read and inner ones answer: a comparison that has read the rows
        # once asks `_answer`.
        rows = self._read(X, sample_source=sample_source)
        return np.asarray(self._answer("predict", rows))

    @if_offered("predict_proba")
    def predict_proba(self, X: Any, *, sample_source: Any = None) -> NDArray[Any]:
        """Predict the probability of each class.

        Parameters
        ----------
        {X_seen}

        {sample_source_seen}

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            One column per class, in the order of `classes_`. Where each source
            has a model or a head of its own it is 0 for classes that the
            sample's source does not have.
        """
        rows = self._read(X, sample_source=sample_source)
        answer: NDArray[Any] = self._answer("predict_proba", rows)
        return answer

    @if_offered("decision_function")
    def decision_function(self, X: Any, *, sample_source: Any = None) -> NDArray[Any]:
        """Return the decision function of the estimator inside.

        Parameters
        ----------
        {X_seen}

        {sample_source_seen}

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            What the estimator inside returns.
        """
        rows = self._read(X, sample_source=sample_source)
        answer: NDArray[Any] = self._answer("decision_function", rows)
        return answer

    def score(
        self, X: Any, y: Any, *, sample_weight: Any = None, sample_source: Any = None
    ) -> float:
        """Return the accuracy, or R2, or the mean of R2 over the sources.

        Where the sources have models, heads or target scales of their own it is
        the mean: over all samples, R2 is near 1 for a model that knows nothing
        but each source's mean. Where some sources have classes and others
        numbers it is the mean of accuracies and R2. Rows of unknown sources count
        as one source.

        Parameters
        ----------
        {X_seen}

        {y}

        {sample_weight}

        {sample_source_seen}

        Returns
        -------
        score : float
            Accuracy, R2, or a macro mean.
        """
        refuse_no_target(y)
        given = {"sample_source": sample_source, "sample_weight": sample_weight}
        return self._score(self._read_to_score(X, y, **given))

    def _read_to_score(self, X: Any, y: Any, **given: Any) -> Rows:
        """Return the user's rows with the sources by which they are scored."""
        return self._read(X, y, **given)

    def _to_score(self, rows: Rows) -> Rows:
        """Return rows that were read with the sources by which they are scored."""
        return rows.known_to(self, self._depends_on_source())

    def _score(self, rows: Rows) -> float:
        """Return the score of rows with sources known from fit, and with y."""
        refuse_fields(rows.y, "scores are of")
        predicted = self._answer("predict", rows)
        if is_classifier(self):
            return label_accuracy(rows.y, predicted, rows.weights)
        if self._is_scored_by_source():
            return macro_r2(rows.y, predicted, rows.sources.codes, rows.weights)
        return float(r2_score(rows.y, predicted, sample_weight=rows.weights))

    def _is_scored_by_source(self) -> bool:
        """Tell whether R2 is the mean over the sources."""
        return self._depends_on_source() is not None

    def _offers(self, method: str) -> bool:
        """Tell whether the estimators inside have a method."""
        return all(hasattr(inner, method) for inner in self._inner())

    def _inner(self) -> list[Any]:
        """Return the estimators inside that answer: fitted ones where there are."""
        raise NotImplementedError
