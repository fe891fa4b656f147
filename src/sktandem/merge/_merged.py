"""Any estimator, fitted on several datasets at once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MetaEstimatorMixin, is_classifier, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, check_random_state, get_tags
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sktandem._callbacks import part_of_fit
from sktandem._docs import documented
from sktandem._settings import check_choice, is_estimator, refuse_others
from sktandem.data._cells import refuse_words
from sktandem.data._estimator import all_or_nothing, tags_like
from sktandem.data._lazy import refuse_items
from sktandem.data._predictor import SourcePredictor, if_offered
from sktandem.data._rows import Rows, check_unknown_rule, read_rows
from sktandem.data._sources import ONLY_SOURCE
from sktandem.data._tables import take_rows
from sktandem.exceptions import SourceError
from sktandem.merge._features import features_of, fit_features
from sktandem.merge._inner import explained, fit_inner, seeded_clone, warn_of_idle
from sktandem.merge._partial import check_partial, go_on
from sktandem.merge._pipeline import plain_pipeline
from sktandem.merge._plan import plan_merge, warn_of_one_source
from sktandem.merge._representation import check_representation, represented_names
from sktandem.merge._target import as_given, fit_targets
from sktandem.scaling._scalers import ScaledByTransformers, check_scaler

__all__ = ["Merged"]


@documented
class Merged(MetaEstimatorMixin, SourcePredictor):
    """Fit one estimator on several datasets, each with a chosen influence.

    In a plain stack the larger dataset decides the model, and two instruments rarely
    share their zero. This meta-estimator scales the features (pooled or by source),
    weights the samples so that every source or class has the share you ask for, then
    fits a single clone of `estimator` on all of them.

    Read more in the :ref:`User Guide <merging>`.

    Parameters
    ----------
    estimator : estimator instance, default=None
        The classifier or regressor to fit; Merged is of its kind. None is a
        hole that a comparison fills with the estimator that it compares.

    {source}

    {scaler}

    {scale_by}

    scale_target_by : {"source"}, default=None
        Whether the target of each source is standardised by itself; of
        regressors only. Predictions are in the units of their source.

    representation : {"shared", "indicator", "augmented"}, default="shared"
        How the source shows in the features that `estimator` gets.

        - "shared": not at all.
        - "indicator": as one 0/1 column per source.
        - "augmented": as a copy of all features and of the constant for each
          source, zero in the rows of the others, beside the shared ones [1]_. A
          linear model then has a rule for all and what is particular to each
          source. Sparse where that is smaller and `estimator` takes it.

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

    {primary_source}

    {unknown_source}

    {random_state}

    Attributes
    ----------
    estimator_ : estimator instance
        The fitted clone of `estimator`.

    {classes_}

    {classes_by_source_}

    plan_ : MergePlan
        The rows, shares and weights used.

    scaler_ : object or None
        The fitted scaling of X.

    target_scaler_ : object or None
        The fitted scaling of y by source.

    {sources_}

    n_samples_by_source_ : dict of {source: int}
        The number of rows of each source that were fitted, after resampling.

    {n_features_in_}

    {feature_names_in_}

    See Also
    --------
    SharedNet : A net that trains on the sources in turns.
    stack_sources : Build X, y and sample_source from several datasets.
    sktandem.model_selection.score_by_source : Score each source.

    Notes
    -----
    A sample of base weight :math:`b` in source :math:`s` has the weight
    :math:`p_s b B / B_s` for share :math:`p_s`, where :math:`B_s` and
    :math:`B` sum the base weights of the source and of all. The base weight is
    the user's `sample_weight`, or 1. The total is kept, so penalties such as
    ``C`` and ``alpha`` keep their meaning. Without `balance`, weights pass
    untouched. Rows of weight 0 are dropped before anything is fitted.
    Resampling keeps every row of the cells that set its size: oversampling
    takes the smallest number of rows in which no cell loses one, undersampling
    the largest in which no cell gains one.

    References
    ----------
    .. [1] H. Daumé III (2007), "Frustratingly Easy Domain Adaptation", ACL.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sktandem import Merged, stack_sources
    >>> X, y, sample_source = stack_sources({
    ...     "clinic": ([[0.0], [0.0], [0.0]], [1.0, 1.0, 1.0]),
    ...     "lab": ([[0.0]], [3.0]),
    ... })
    >>> model = Merged(LinearRegression(), balance="sources")
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
        scale_by: str = "pooled",
        scale_target_by: str | None = None,
        representation: str = "shared",
        balance: str | Mapping[Hashable, float] | None = None,
        balance_by: str = "weight",
        primary_source: Hashable = None,
        unknown_source: str = "error",
        random_state: Any = None,
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
        self, X: Any, y: Any, *, sample_weight: Any = None, sample_source: Any = None
    ) -> Self:
        """Fit a clone of `estimator` on all samples, weighted by source.

        Parameters
        ----------
        {X}

        {y}

        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts, before balancing.

        {sample_source}

        Returns
        -------
        self : Merged
            The fitted instance.

        Raises
        ------
        SourceError
            If labels, shares or settings do not fit the data, or `estimator`
            takes no weights where some are needed.
        """
        self._check_settings()
        given = {"sample_weight": sample_weight, "sample_source": sample_source}
        return self._fit(X, y, **given)

    @if_offered("partial_fit")
    def partial_fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        sample_source: Any = None,
        classes: Any = None,
        sources: Sequence[Hashable] | Mapping[Hashable, int] | None = None,
    ) -> Self:
        """Go on fitting with more rows, as of a table larger than memory.

        Every row is scaled, and weighted, by all rows so far. After `fit` its scaling
        stays, and rows are counted from then on.

        Parameters
        ----------
        {X}

        {y}

        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts, before balancing.

        {sample_source}

        classes : array-like, default=None
            In the first call of a classifier: all classes that will ever come.

        sources : sequence or dict of {source: int}, default=None
            In the first call: all sources that will ever come, by default those of
            its rows. A dict says how many rows each has in all: then rows weigh from
            the first call on what they would in a fit on all. With `balance` it
            excludes `sample_weight`, whose sums would have to be known.

        Returns
        -------
        self : Merged
            This instance.

        Raises
        ------
        SourceError
            If classes, sources or settings do not fit the rows, or the scaler or
            `estimator` cannot learn in parts.

        See Also
        --------
        fit : Fit on all rows at once, with any estimator.

        Notes
        -----
        The weights are those of `fit` with the sums of base weights so far, this
        call's included, in the place of :math:`B_s` and :math:`B`. So what a call
        teaches is not weighted anew when later ones change the sums.
        """
        first = not hasattr(self, "sources_")
        with all_or_nothing(self):
            self._check_settings()
            check_partial(self, sources)
            every = sources if first else self._all_sources()
            rows = read_rows(
                self,
                X,
                y,
                sample_weight=sample_weight,
                sample_source=sample_source,
                among=every if every is None else tuple(every),
                reset=first,
            )
            if not first:
                refuse_others("sources", sources, rows.names)
            learned = go_on(self, rows, classes, sources)
            self.__dict__.update(learned)
        return self

    def _all_sources(self) -> tuple[Hashable, ...]:
        """Return the sources by which features are made, those still to come too."""
        return self._stream.names if hasattr(self, "_stream") else self.sources_

    def _check_settings(self) -> None:
        """Refuse settings that make no sense whatever the data."""
        fits = is_estimator(self.estimator)
        classifies = fits and is_classifier(self.estimator)
        if not fits or not (classifies or is_regressor(self.estimator)):
            raise SourceError(
                "Merged needs a classifier or a regressor as its estimator, got "
                f"{self.estimator!r}. Pass one, such as Merged(LogisticRegression())."
            )
        if classifies and self.scale_target_by is not None:
            raise SourceError(
                f"scale_target_by={self.scale_target_by!r} is for regressors, and "
                f"{type(self.estimator).__name__} classifies. Leave it at None."
            )
        check_choice("scale_target_by", self.scale_target_by, (None, "source"))
        check_scaler(self.scaler, self.scale_by)
        check_representation(self.representation)

    def _fit_rows(self, rows: Rows) -> None:
        refuse_items(f"Merged({type(self.estimator).__name__}())", rows.X)
        self._check_settings()
        if is_regressor(self.estimator):
            refuse_words(rows.y)
        if rows.names == (ONLY_SOURCE,):
            warn_of_idle(self)
        warn_of_one_source(rows.names, self.balance)
        # What `partial_fit` has counted so far is not of this fit.
        self.__dict__.pop("_stream", None)
        seeded = self.random_state is not None
        rng = check_random_state(self.random_state) if seeded else None
        plan = plan_merge(
            rows.sources,
            rows.y if is_classifier(self.estimator) else None,
            balance=self.balance,
            balance_by=self.balance_by,
            sample_weight=rows.weights,
            random_state=rng,
        )
        # Once more: a share of 0 leaves a source out, and with it the primary one.
        names = plan.sources.names
        check_unknown_rule(self.unknown_source, self.primary_source, names)
        X, y = take_rows(rows.X, plan.rows), take_rows(rows.y, plan.rows)
        inner = seeded_clone(self.estimator, rng)
        try:
            scaler, features = fit_features(self, X, y, plan, inner)
            targets, of_targets = fit_targets(self, y, plan)
            weighted = self.balance is not None and self.balance_by == "weight"
            with part_of_fit("fit-estimator", inner, features, targets):
                fit_inner(inner, features, targets, plan.weights, balanced=weighted)
        except (TypeError, ValueError) as error:
            told = explained(self, error, X, y, inner)
            if told is error:
                raise
            raise told from error
        if is_classifier(inner) and "classes_" not in of_targets:
            of_targets["classes_"] = inner.classes_
        # Last, so that a failed fit leaves nothing half-fitted.
        self.estimator_, self.scaler_, self.plan_ = inner, scaler, plan
        self.sources_ = names
        self.n_samples_by_source_ = plan.n_samples
        self.__dict__.update(of_targets)

    def _depends_on_source(self) -> str | None:
        if self.sources_ == (ONLY_SOURCE,):
            return None
        if self.target_scaler_ is not None:
            return "y was scaled by source"
        if self.scaler_ is not None and self.scaler_.by_source:
            return "X was scaled by source"
        if self.representation != "shared":
            return f"representation is {self.representation!r}"
        return None

    def _features(self, rows: Rows) -> Any:
        """Return the features as the fitted estimator wants them."""
        sources = rows.sources.among(self._all_sources())
        return features_of(self, rows.X, sources, self.scaler_, self.estimator_)

    def _answer(self, method: str, rows: Rows) -> NDArray[Any]:
        answer: NDArray[Any] = getattr(self.estimator_, method)(self._features(rows))
        if method != "predict":
            return answer
        return as_given(self, answer, rows.sources)

    @if_offered("predict_log_proba")
    def predict_log_proba(self, X: Any, *, sample_source: Any = None) -> NDArray[Any]:
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        {X_seen}

        {sample_source_seen}

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            One column per class, in the order of `classes_`.
        """
        rows = self._read(X, sample_source=sample_source)
        return self._answer("predict_log_proba", rows)

    def _is_scored_by_source(self) -> bool:
        return self.target_scaler_ is not None and len(self.sources_) > 1

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the features that `estimator_` was fitted on.

        They are the columns of its ``coef_`` or ``feature_importances_``: the
        features after scaling, then ``source__red`` for an indicator and
        ``alcohol__red`` for a source's own copy.

        Parameters
        ----------
        input_features : array-like of str, default=None
            The names of the features of X; by default those seen in `fit`.

        Returns
        -------
        names : ndarray of str
            The names.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        if self.source is not None:
            by_name = isinstance(self.source, str)
            place: Any = names.tolist().index(self.source) if by_name else self.source
            names = np.delete(names, place)
        if isinstance(self.scaler_, ScaledByTransformers):
            names = self.scaler_.pooled.get_feature_names_out(names)
        names = represented_names(names, self._all_sources(), self.representation)
        return np.asarray(names, dtype=object)

    def to_pipeline(self) -> Pipeline:
        """Return the fitted model as a plain pipeline of scikit-learn.

        It predicts the same and needs this package no more, as for ONNX, PMML or
        MLflow. Only of a model whose predictions do not depend on the source.

        Returns
        -------
        pipeline : sklearn.pipeline.Pipeline
            The fitted scaler and the fitted estimator. A column that names the source
            is taken as before, and dropped.

        Raises
        ------
        SourceError
            If predictions depend on the source, or a step is of this package and
            scikit-learn has none for it.

        Examples
        --------
        >>> from sklearn.linear_model import Ridge
        >>> from sktandem import Merged
        >>> from sktandem.datasets import make_two_sources
        >>> X, y, sample_source = make_two_sources(return_X_y=True, random_state=0)
        >>> model = Merged(Ridge()).fit(X, y, sample_source=sample_source)
        >>> pipeline = model.to_pipeline()
        >>> pipeline
        Pipeline(steps=[('standardscaler', StandardScaler()), ('ridge', Ridge())])
        >>> bool(abs(pipeline.predict(X) - model.predict(X)).max() < 1e-12)
        True
        """
        check_is_fitted(self)
        return plain_pipeline(self)

    def _inner(self) -> list[Any]:
        return [getattr(self, "estimator_", self.estimator)]

    def __sklearn_tags__(self) -> Tags:
        tags = tags_like(super().__sklearn_tags__(), self.estimator, self.scaler)
        # A matrix of kernels has no columns: none to scale, and none that is the
        # source.
        if self.scaler is None and self.source is None and is_estimator(self.estimator):
            tags.input_tags.pairwise = get_tags(self.estimator).input_tags.pairwise
        return tags
