"""A fitted classifier for each source."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, is_classifier
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if

from sktandem.data._cells import as_target, class_codes, classes_by_source, mixes_kinds
from sktandem.exceptions import SourceError
from sktandem.members._models import BaseSourceModels, models_have
from sktandem.members._strategy import Training
from sktandem.stats._losses import aligned

__all__ = ["SourceModelsClassifier"]


class SourceModelsClassifier(ClassifierMixin, BaseSourceModels):
    """A classifier for each source, made as a strategy says.

    What the strategies that keep sources apart build. The label of a row
    decides which model answers.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    estimator : estimator instance
        A classifier or a skorch net.

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
        ask the primary source's model, or take the mean of all probabilities.

    random_state : int, RandomState instance or None, default=None
        Seeds all that is left to chance.

    Attributes
    ----------
    models_ : dict of {source: estimator}
        The fitted model of each source.

    classes_ : ndarray of shape (n_classes,)
        The classes of all sources.

    classes_by_source_ : dict of {source: ndarray}
        The classes that each source has.

    sources_ : tuple
        The names of the sources.

    n_features_in_ : int
        The number of columns of X, the source's included.

    See Also
    --------
    sktandem.members.OwnModels : Each source its own rows.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sktandem.members import OwnModels
    >>> model = OwnModels().build(LogisticRegression())
    >>> X, y = [[0.0], [1.0], [0.0], [1.0]], [0, 1, 1, 0]
    >>> model.fit(X, y, sample_source=["clinic", "clinic", "lab", "lab"])
    SourceModelsClassifier(estimator=LogisticRegression(), strategy=OwnModels())
    >>> model.predict([[1.0], [1.0]], sample_source=["clinic", "lab"])
    array([1, 0])
    """

    def _check_kind(self) -> None:
        if not is_classifier(self.estimator):
            raise SourceError(
                f"SourceModelsClassifier needs a classifier, got {self.estimator!r}. "
                "SourceModelsRegressor takes regressors."
            )

    def _learned(self, data: Training) -> dict[str, Any]:
        classes, _ = class_codes(data.y)
        return {
            "classes_": classes,
            "classes_by_source_": classes_by_source(data.sources, data.y),
        }

    def predict(self, X: Any, *, sample_source: Any = None) -> NDArray[Any]:
        """Predict the class of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted classes.
        """

        def by_all(part: Any) -> NDArray[Any]:
            best = np.argmax(self._mean_probabilities(part), axis=1)
            return np.asarray(self.classes_[best])

        def by(model: Any, part: Any) -> NDArray[Any]:
            # Of one dtype, or texts beside numbers would all become texts.
            return np.asarray(model.predict(part)).astype(self.classes_.dtype)

        return self._assembled(X, sample_source, by, by_all)

    @available_if(models_have("predict_proba"))
    def predict_proba(self, X: Any, *, sample_source: Any = None) -> NDArray[Any]:
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            One column per class, in the order of `classes_`; 0 for the classes
            that the model of a source never met.
        """
        return self._assembled(
            X, sample_source, self._probabilities, self._mean_probabilities
        )

    @available_if(models_have("decision_function"))
    def decision_function(self, X: Any, *, sample_source: Any = None) -> NDArray[Any]:
        """Return the decision function of the model of each row's source.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            What the models return.
        """

        def by(model: Any, part: Any) -> NDArray[Any]:
            if not np.array_equal(model.classes_, self.classes_):
                raise SourceError(
                    "The models know different classes, so their decision functions "
                    "cannot stand in one array: "
                    f"{ {n: m.classes_.tolist() for n, m in self.models_.items()} }."
                )
            return np.asarray(model.decision_function(part))

        def by_all(part: Any) -> NDArray[Any]:
            every = [by(m, part) for m in self.models_.values()]
            return np.asarray(np.mean(every, axis=0))

        return self._assembled(X, sample_source, by, by_all)

    def _probabilities(self, model: Any, part: Any) -> NDArray[np.float64]:
        return aligned(model.predict_proba(part), model.classes_, self.classes_)[0]

    def _mean_probabilities(self, part: Any) -> NDArray[np.float64]:
        if not hasattr(self, "predict_proba"):
            raise SourceError(
                "unknown_source='pooled' takes the mean of probabilities, and "
                f"{self.estimator!r} gives none. Use unknown_source='primary'."
            )
        every = [self._probabilities(m, part) for m in self.models_.values()]
        return np.asarray(np.mean(every, axis=0))

    def score(
        self, X: Any, y: Any, *, sample_weight: Any = None, sample_source: Any = None
    ) -> float:
        """Return the accuracy over all samples.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        y : array-like of shape (n_samples,)
            True classes.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts.

        Returns
        -------
        score : float
            Accuracy.
        """
        y, predicted = (
            as_target(y).ravel(),
            self.predict(X, sample_source=sample_source),
        )
        if mixes_kinds(y) or mixes_kinds(predicted):
            return float(np.average(y == predicted, weights=sample_weight))
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))
