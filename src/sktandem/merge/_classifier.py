"""Any classifier, fitted on several datasets at once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    ClassifierMixin,
    is_classifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if

from sktandem._cells import as_target, class_codes, classes_by_source, mixes_kinds
from sktandem._typing import RandomState, ScaleBy, UnknownSource
from sktandem.exceptions import SourceError
from sktandem.merge._inner import fit_inner
from sktandem.merge._merged import BaseMerged, inner_has
from sktandem.merge._plan import MergePlan

__all__ = ["MergedClassifier"]


class MergedClassifier(ClassifierMixin, BaseMerged):
    """Fit one classifier on several datasets, each with a chosen influence.

    Stacking a large dataset on a small one lets the large one decide the
    model, and two instruments rarely share their zero. This meta-estimator
    scales the features (pooled, or each source by its own measure), weighs the
    samples so that every source or class has the share you ask for, then fits
    a single clone of `estimator` on all of them.

    Read more in the :ref:`User Guide <merging>`.

    Parameters
    ----------
    estimator : estimator instance, default=None
        The classifier to fit. None means
        ``LogisticRegression(max_iter=1000)``.

    source : str or int, default=None
        Name or position of the column of X that holds each row's source. None
        means that the label comes by the keyword `sample_source`. The column
        is taken out of the features.

    scaler : str, transformer or None, default="standard"
        "standard", "minmax" or "robust" scales the numeric columns and lets the
        others pass; sparse X is not centred. A transformer, such as
        :func:`~sktandem.table_preprocessor`, gets every column but the source.
        It is fitted inside `fit`, with the final weights where it takes any.

    scale_by : {"pooled", "source"}, default="pooled"
        Whether one scaler serves all rows, or each source has its own.

    representation : {"shared", "indicator", "augmented"}, default="shared"
        How the source shows in the features that `estimator` gets.

        - "shared": not at all.
        - "indicator": as one 0/1 column per source.
        - "augmented": as a copy of all features for each source, zero in the
          rows of the others, beside the shared ones [1]_. A linear model then
          has a rule for all and what is particular to each source. Sparse where
          that is smaller and `estimator` takes it.

    balance : {"sources", "classes", "both"} or dict, default=None
        The influence of each source.

        - None: every sample counts the same, as in plain stacking.
        - "sources": every source counts the same, whatever its size.
        - "classes": the classes count the same within each source, which keeps
          its total.
        - "both": every class of every source counts the same.
        - dict: a share per source. Only ratios matter, so
          ``{"clinic": 3, "lab": 1}`` gives the clinic three quarters; a share
          of 0 leaves a source out.

    balance_by : {"weight", "oversample", "undersample"}, default="weight"
        How the influence is given: by sample weights; by drawing rows of what
        has too few again; or by leaving rows out of what has too many. The
        latter two are for estimators without `sample_weight`: cells of rows are
        balanced by their count, and rows keep the weights they came with.

    primary_source : hashable, default=None
        The source you care about most.

    unknown_source : {"error", "primary", "pooled"}, default="error"
        What to do with a row whose source was not there in `fit`, or is not
        given, where the prediction depends on the source: raise, treat it as
        the primary source's, or scale it by the measure of all rows.

    random_state : int, RandomState instance or None, default=None
        Seeds the resampling, and every `random_state` that `estimator` leaves
        at None.

    Attributes
    ----------
    estimator_ : estimator instance
        The fitted clone of `estimator`.

    classes_ : ndarray of shape (n_classes,)
        The classes of all sources.

    classes_by_source_ : dict of {source: ndarray}
        The classes that each source had in `fit`; empty for several outputs.

    plan_ : MergePlan
        The rows, shares and weights used.

    scaler_ : object or None
        The fitted scaling.

    sources_ : tuple
        The names of the sources, in order.

    n_samples_by_source_ : dict of {source: int}
        The number of rows of each source that were fitted, after resampling.

    n_features_in_ : int
        Number of features seen in `fit`, the source column included.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where X has names that are all texts.

    See Also
    --------
    MergedRegressor : The same for a number as target.
    stack_sources : Build X, y and sample_source from several datasets.
    sktandem.model_selection.score_by_source : Score each source.

    Notes
    -----
    A sample of base weight :math:`b` in source :math:`s` weighs
    :math:`p_s b B / B_s` for share :math:`p_s`, where :math:`B_s` and
    :math:`B` sum the base weights of the source and of all. The base weight is
    the user's `sample_weight`, or 1. The total is kept, so penalties such as
    ``C`` keep their meaning. Without `balance`, weights pass untouched. Rows of
    weight 0 are dropped before anything is fitted. Resampling keeps every row
    of the cells that set its size: oversampling takes the smallest number of
    rows in which no cell loses one, undersampling the largest in which no cell
    gains one.

    References
    ----------
    .. [1] H. Daumé III (2007), "Frustratingly Easy Domain Adaptation", ACL.

    Examples
    --------
    >>> from sktandem import MergedClassifier, stack_sources
    >>> X, y, sample_source = stack_sources({
    ...     "clinic": ([[0.0], [0.0], [0.0]], ["ill", "ill", "well"]),
    ...     "lab": ([[0.0]], ["well"]),
    ... })
    >>> model = MergedClassifier(balance="sources")
    >>> model.fit(X, y, sample_source=sample_source).predict_proba([[0.0]]).round(2)
    array([[0.33, 0.67]])

    A third: the clinic's two in three, at half the weight.
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        source: str | int | None = None,
        scaler: Any = "standard",
        scale_by: ScaleBy = "pooled",
        representation: Literal["shared", "indicator", "augmented"] = "shared",
        balance: str | Mapping[Any, float] | None = None,
        balance_by: Literal["weight", "oversample", "undersample"] = "weight",
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.source = source
        self.scaler = scaler
        self.scale_by = scale_by
        self.representation = representation
        self.balance = balance
        self.balance_by = balance_by
        self.primary_source = primary_source
        self.unknown_source = unknown_source
        self.random_state = random_state

    def fit(
        self, X: Any, y: Any, sample_source: Any = None, sample_weight: Any = None
    ) -> Self:
        """Fit a clone of `estimator` on all samples, weighed by source.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples of all sources.

        y : array-like of shape (n_samples,)
            Classes: numbers or texts, or both as an array of objects.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample; it wins over the column `source`. With
            neither, all samples are one source.

        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts, before balancing.

        Returns
        -------
        self : MergedClassifier
            The fitted instance.

        Raises
        ------
        SourceError
            If labels, shares or settings do not fit the data, or `estimator`
            takes no weights where some are needed.
        """
        return super().fit(X, y, sample_source, sample_weight)

    def _inner(self) -> Any:
        if self.estimator is None:
            return LogisticRegression(max_iter=1000)
        return self.estimator

    def _check_settings(self) -> None:
        if not is_classifier(self._inner()):
            raise SourceError(
                f"MergedClassifier needs a classifier, got {self.estimator!r}. "
                "MergedRegressor takes regressors."
            )

    def _classes_to_balance(self, y: NDArray[Any]) -> NDArray[Any] | None:
        return y

    def _fit_inner(self, inner: Any, X: Any, y: Any, plan: MergePlan) -> dict[str, Any]:
        # scikit-learn cannot hold numbers and texts in one y: such classes go
        # in as codes, and come back by their own names.
        classes, balanced = None, self._by_weight()
        if y.dtype == object and mixes_kinds(y.ravel()):
            classes, codes = class_codes(y)
            fit_inner(inner, X, codes, plan.weights, balanced=balanced)
        else:
            fit_inner(inner, X, y, plan.weights, balanced=balanced)
        learned = {"classes_": inner.classes_ if classes is None else classes}
        single = y.ndim == 1 or y.shape[1] == 1
        own = classes_by_source(plan.sources, y) if single else {}
        return learned | {"classes_by_source_": own}

    @property
    def _coded(self) -> bool:
        """Whether the inner estimator knows the classes by codes only."""
        if not isinstance(self.classes_, np.ndarray):  # several outputs
            return False
        inner: NDArray[Any] = self.estimator_.classes_
        return self.classes_.dtype == object and inner.dtype != object

    def predict(self, X: Any, sample_source: Any = None) -> NDArray[Any]:
        """Predict the class of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, needed where `scale_by` is "source".

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted classes.
        """
        predicted: NDArray[Any] = self._predict_with("predict", X, sample_source)
        if self._coded:
            predicted = self.classes_[predicted]
        return predicted

    @available_if(inner_has("predict_proba"))
    def predict_proba(self, X: Any, sample_source: Any = None) -> Any:
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, needed where `scale_by` is "source".

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            One column per class, in the order of `classes_`.
        """
        return self._predict_with("predict_proba", X, sample_source)

    @available_if(inner_has("predict_log_proba"))
    def predict_log_proba(self, X: Any, sample_source: Any = None) -> Any:
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, needed where `scale_by` is "source".

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            One column per class, in the order of `classes_`.
        """
        return self._predict_with("predict_log_proba", X, sample_source)

    @available_if(inner_has("decision_function"))
    def decision_function(self, X: Any, sample_source: Any = None) -> Any:
        """Return the decision function of `estimator_`.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, needed where `scale_by` is "source".

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            What `estimator_` returns.
        """
        return self._predict_with("decision_function", X, sample_source)

    def score(
        self, X: Any, y: Any, sample_source: Any = None, sample_weight: Any = None
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
        y, predicted = as_target(y), self.predict(X, sample_source)
        if self._coded:
            right = np.array([a == b for a, b in zip(y.ravel(), predicted)])
            return float(np.average(right, weights=sample_weight))
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))
