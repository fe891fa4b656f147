"""Any regressor, fitted on several datasets at once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    RegressorMixin,
    is_regressor,
)
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array

from sktandem._affine import fit_affine
from sktandem._cells import as_target
from sktandem._macro import macro_r2
from sktandem._sources import (
    ONLY_SOURCE,
    Codes,
)
from sktandem._typing import RandomState, ScaleBy, UnknownSource
from sktandem.exceptions import SourceError
from sktandem.merge._inner import fit_inner
from sktandem.merge._merged import BaseMerged
from sktandem.merge._plan import MergePlan

__all__ = ["MergedRegressor"]


class MergedRegressor(RegressorMixin, BaseMerged):
    """Fit one regressor on several datasets, each with a chosen influence.

    Stacking a large dataset on a small one lets the large one decide the
    model, and two instruments rarely share their zero. This meta-estimator
    scales the features (pooled, or each source by its own measure), weighs the
    samples so that every source has the share you ask for, then fits a single
    clone of `estimator` on all of them.

    Read more in the :ref:`User Guide <merging>`.

    Parameters
    ----------
    estimator : estimator instance, default=None
        The regressor to fit. None means :class:`~sklearn.linear_model.Ridge`.

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

    scale_target_by : {"source"}, default=None
        "source" standardises each source's target by its own mean and standard
        deviation in `fit`; `predict` gives it back in its own units. For
        targets that are alike in shape but not in scale, such as the bicycles
        hired in a large and a small city.

    representation : {"shared", "indicator", "augmented"}, default="shared"
        How the source shows in the features that `estimator` gets.

        - "shared": not at all.
        - "indicator": as one 0/1 column per source.
        - "augmented": as a copy of all features for each source, zero in the
          rows of the others, beside the shared ones [1]_. A linear model then
          has a rule for all and what is particular to each source. Sparse where
          that is smaller and `estimator` takes it.

    balance : {"sources"} or dict, default=None
        The influence of each source.

        - None: every sample counts the same, as in plain stacking.
        - "sources": every source counts the same, whatever its size.
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

    plan_ : MergePlan
        The rows, shares and weights used.

    scaler_ : object or None
        The fitted scaling of X.

    target_scaler_ : AffineMaps or None
        The fitted scaling of y.

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
    MergedClassifier : The same for classes as target.
    stack_sources : Build X, y and sample_source from several datasets.
    sktandem.model_selection.score_by_source : Score each source.

    Notes
    -----
    A sample of base weight :math:`b` in source :math:`s` weighs
    :math:`p_s b B / B_s` for share :math:`p_s`, where :math:`B_s` and
    :math:`B` sum the base weights of the source and of all. The base weight is
    the user's `sample_weight`, or 1. The total is kept, so penalties such as
    ``alpha`` keep their meaning. Without `balance`, weights pass untouched.
    Rows of weight 0 are dropped before anything is fitted. Resampling keeps
    every row of the sources that set its size: oversampling takes the smallest
    number of rows in which no source loses one, undersampling the largest in
    which none gains one.

    References
    ----------
    .. [1] H. Daumé III (2007), "Frustratingly Easy Domain Adaptation", ACL.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sktandem import MergedRegressor, stack_sources
    >>> X, y, sample_source = stack_sources({
    ...     "clinic": ([[0.0], [0.0], [0.0]], [1.0, 1.0, 1.0]),
    ...     "lab": ([[0.0]], [3.0]),
    ... })
    >>> model = MergedRegressor(LinearRegression(), balance="sources")
    >>> model.fit(X, y, sample_source=sample_source).predict([[0.0]])
    array([2.])

    Halfway between the two, although the clinic has three times the samples.
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        source: str | int | None = None,
        scaler: Any = "standard",
        scale_by: ScaleBy = "pooled",
        scale_target_by: Literal["source"] | None = None,
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
        self.scale_target_by = scale_target_by
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

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample; it wins over the column `source`. With
            neither, all samples are one source.

        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts, before balancing.

        Returns
        -------
        self : MergedRegressor
            The fitted instance.

        Raises
        ------
        SourceError
            If labels, shares or settings do not fit the data, or `estimator`
            takes no weights where some are needed.
        """
        return super().fit(X, y, sample_source, sample_weight)

    def _inner(self) -> Any:
        return Ridge() if self.estimator is None else self.estimator

    def _check_settings(self) -> None:
        if not is_regressor(self._inner()):
            raise SourceError(
                f"MergedRegressor needs a regressor, got {self.estimator!r}. "
                "MergedClassifier takes classifiers."
            )
        if self.scale_target_by not in (None, "source"):
            raise SourceError(
                "scale_target_by must be None or 'source', got "
                f"{self.scale_target_by!r}."
            )

    def _classes_to_balance(self, y: Any) -> NDArray[Any] | None:
        return None

    def _fit_inner(self, inner: Any, X: Any, y: Any, plan: MergePlan) -> dict[str, Any]:
        maps = None
        if self.scale_target_by == "source":
            columns = check_array(
                np.reshape(y, (len(y), -1)), dtype=float, input_name="y"
            )
            maps = fit_affine("standard", columns, plan.sources, plan.weights)
            y = maps.forward(columns, plan.sources.codes).reshape(y.shape)
        fit_inner(inner, X, y, plan.weights, balanced=self._by_weight())
        return {"target_scaler_": maps}

    def _settings_by_source(self) -> dict[str, str | None]:
        by_source = super()._settings_by_source()
        return by_source | {"scale_target_by": self.scale_target_by}

    def _needs_source(self) -> str | None:
        if self.sources_ != (ONLY_SOURCE,) and self.target_scaler_ is not None:
            return "y was scaled by source"
        return super()._needs_source()

    def predict(self, X: Any, sample_source: Any = None) -> NDArray[Any]:
        """Predict the target of each sample, in the units of its source.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, needed where `scale_by` or
            `scale_target_by` is "source".

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        return self._predict_with_codes(X, sample_source)[0]

    def _predict_with_codes(
        self, X: Any, sample_source: Any
    ) -> tuple[NDArray[Any], Codes]:
        features, codes = self._prepare(X, sample_source)
        predicted = self.estimator_.predict(features)
        if self.target_scaler_ is None:
            return predicted, codes
        columns = np.reshape(predicted, (len(predicted), -1))
        columns = self.target_scaler_.inverse(columns, codes)
        return columns.reshape(predicted.shape), codes

    def score(
        self, X: Any, y: Any, sample_source: Any = None, sample_weight: Any = None
    ) -> float:
        """Return R2 over all samples, or its mean over the sources.

        Where `scale_target_by` is "source" the score is the mean of the
        sources' R2: over all samples, R2 is near 1 for a model that knows
        nothing but each source's mean. Rows of unknown sources count as one.

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
        y, (predicted, codes) = as_target(y), self._predict_with_codes(X, sample_source)
        if self.target_scaler_ is None or len(self.sources_) == 1:
            return float(r2_score(y, predicted, sample_weight=sample_weight))
        weight = None if sample_weight is None else np.asarray(sample_weight)
        return macro_r2(y, predicted, codes, weight)
