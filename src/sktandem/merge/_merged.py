"""Any scikit-learn estimator, fitted on several datasets at once."""

from __future__ import annotations

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    is_classifier,
    is_regressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sktandem._affine import fit_affine
from sktandem._cells import as_target, class_codes, classes_by_source
from sktandem._routing import RequestsSource
from sktandem._scaling import (
    check_scaler,
    fit_named,
    fit_transformers,
)
from sktandem._sources import (
    ONLY_SOURCE,
    Sources,
    find_column,
    resolve_sources,
    split_source,
)
from sktandem._tables import n_rows, read_table, refuse_datasets, take_rows
from sktandem._transaction import all_or_nothing
from sktandem._unknown import check_unknown_rule, settle_unknown
from sktandem.exceptions import SourceError
from sktandem.merge._inner import fit_inner, remedy, seeded_clone
from sktandem.merge._plan import plan_merge
from sktandem.merge._representation import (
    check_representation,
    represent,
    represented_names,
)

__all__ = ["MergedClassifier", "MergedRegressor"]


def _inner_has(method):
    """Let a method appear where the inner estimator has it."""

    def check(self):
        getattr(getattr(self, "estimator_", None) or self._inner(), method)
        return True

    return check


class _Merged(RequestsSource, MetaEstimatorMixin, BaseEstimator):
    """What the merged classifier and regressor share: the walk of the data."""

    def _fit(self, X, y, sample_source, sample_weight):
        """Check, plan, scale, fit; return the estimator's new attributes."""
        self._check_inner()
        check_scaler(self.scaler, self.scale_by)
        check_representation(self.representation)
        refuse_datasets(X)
        validate_data(self, X, y, skip_check_array=True)
        features, sources = resolve_sources(X, sample_source, source=self.source)
        y = as_target(y)
        check_consistent_length(features, y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, features)
        seeded = self.random_state is not None
        rng = check_random_state(self.random_state) if seeded else None
        plan = plan_merge(
            sources,
            self._classes_to_balance(y),
            balance=self.balance,
            balance_by=self.balance_by,
            sample_weight=sample_weight,
            random_state=rng,
        )
        check_unknown_rule(self.unknown_source, self.primary_source, plan.sources.names)
        features, y = take_rows(features, plan.rows), take_rows(y, plan.rows)

        inner = seeded_clone(self._inner(), rng)
        scaling = {"scale_by": self.scale_by, "weights": plan.weights}
        try:
            scaler = pending = None
            if isinstance(self.scaler, str):
                scaler = fit_named(self.scaler, features, plan.sources, **scaling)
                pending = scaler
            elif self.scaler is not None:
                scaler, features = fit_transformers(
                    self.scaler, features, y, plan.sources, **scaling
                )
            features = self._represent(features, plan.sources, pending)
            learned = self._fit_inner(inner, features, y, plan)
        except ValueError as error:
            raise remedy(error, features, inner) from error
        return learned | {
            "estimator_": inner,
            "scaler_": scaler,
            "plan_": plan,
            "sources_": plan.sources.names,
            "n_samples_by_source_": plan.n_samples,
        }

    def _inner(self):
        """Return the estimator to clone."""
        raise NotImplementedError

    def _check_inner(self):
        """Refuse an estimator of the wrong kind."""
        raise NotImplementedError

    def _classes_to_balance(self, y):
        """Return the classes of y, or None where there are none."""
        raise NotImplementedError

    def _fit_inner(self, inner, X, y, plan):
        """Fit `inner` in place; return what else was learned, by name."""
        raise NotImplementedError

    def _needs_source(self):
        """Say why predictions depend on the source, or return None."""
        if self.sources_ == (ONLY_SOURCE,):
            return None
        if self.scaler_ is not None and self.scaler_.by_source:
            return "X was scaled by source"
        if self.representation != "shared":
            return f"representation is {self.representation!r}"
        return None

    def _represent(self, X, sources, scaler):
        return represent(
            X,
            sources.codes,
            sources.names,
            self.representation,
            allow_sparse=get_tags(self._inner()).input_tags.sparse,
            scaler=scaler,
        )

    def _prepare(self, X, sample_source):
        """Return X as the inner estimator wants it, and each row's code if needed."""
        check_is_fitted(self)
        read_table(self, X)
        because = self._needs_source()
        if because is None:
            features, _ = split_source(X, sample_source, self.source)
            codes = np.zeros(n_rows(features), dtype=np.int8)
        else:
            features, codes = self._codes(X, sample_source, because)
        sources = Sources(self.sources_, codes)
        return self._represent(features, sources, self.scaler_), codes

    def _codes(self, X, sample_source, because):
        _, labels = split_source(X, sample_source, self.source)
        features, sources = resolve_sources(
            X, sample_source, source=self.source, names=self.sources_
        )
        codes = settle_unknown(
            sources, labels, self.unknown_source, self.primary_source, because=because
        )
        return features, codes

    def _predict_with(self, method, X, sample_source):
        features, _ = self._prepare(X, sample_source)
        return getattr(self.estimator_, method)(features)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the features that `estimator_` was fitted on.

        They are the columns of its ``coef_`` or ``feature_importances_``: the
        features after scaling, then ``source[red]`` for an indicator and
        ``alcohol[red]`` for a source's own copy.

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
            table = np.empty((0, len(names)))
            by_name = isinstance(self.source, str)
            place = list(names).index(self.source) if by_name else None
            place = find_column(table, self.source) if place is None else place
            names = np.delete(names, place)
        if hasattr(self.scaler_, "pooled"):
            names = self.scaler_.pooled.get_feature_names_out(names)
        names = represented_names(names, self.sources_, self.representation)
        return np.asarray(names, dtype=object)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Names of scalers have no tags: they take sparse X and missing values.
        parts = [self._inner(), self.scaler]
        parts = [get_tags(p) for p in parts if hasattr(p, "__sklearn_tags__")]
        tags.input_tags.sparse = all(part.input_tags.sparse for part in parts)
        tags.input_tags.allow_nan = all(part.input_tags.allow_nan for part in parts)
        if parts:
            tags.target_tags = parts[0].target_tags
            tags.classifier_tags = parts[0].classifier_tags or tags.classifier_tags
            tags.regressor_tags = parts[0].regressor_tags or tags.regressor_tags
        return tags


class MergedClassifier(ClassifierMixin, _Merged):
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
        The classes that each source had in `fit`.

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
        estimator=None,
        *,
        source=None,
        scaler="standard",
        scale_by="pooled",
        representation="shared",
        balance=None,
        balance_by="weight",
        primary_source=None,
        unknown_source="error",
        random_state=None,
    ):
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

    def fit(self, X, y, sample_source=None, sample_weight=None):
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
        with all_or_nothing(self):
            learned = self._fit(X, y, sample_source, sample_weight)
        vars(self).update(learned)
        return self

    def _inner(self):
        if self.estimator is None:
            return LogisticRegression(max_iter=1000)
        return self.estimator

    def _check_inner(self):
        if not is_classifier(self._inner()):
            raise SourceError(
                f"MergedClassifier needs a classifier, got {self.estimator!r}. "
                "MergedRegressor takes regressors."
            )

    def _classes_to_balance(self, y):
        return y

    def _fit_inner(self, inner, X, y, plan):
        # scikit-learn cannot hold numbers and texts in one y: such classes go
        # in as codes, and come back by their own names.
        classes = None
        if y.dtype == object and len({isinstance(v, str) for v in y.ravel()}) > 1:
            classes, codes = class_codes(y)
            fit_inner(inner, X, codes, plan.weights)
        else:
            fit_inner(inner, X, y, plan.weights)
        learned = {"classes_": inner.classes_ if classes is None else classes}
        if y.ndim == 1 or y.shape[1] == 1:
            learned["classes_by_source_"] = classes_by_source(plan.sources, y)
        return learned

    @property
    def _coded(self):
        """Whether the inner estimator knows the classes by codes only."""
        own, inner = np.asarray(self.classes_), np.asarray(self.estimator_.classes_)
        return own.dtype.kind == "O" and inner.dtype.kind != "O"

    def predict(self, X, sample_source=None):
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
        predicted = self._predict_with("predict", X, sample_source)
        return self.classes_[predicted] if self._coded else predicted

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X, sample_source=None):
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

    @available_if(_inner_has("predict_log_proba"))
    def predict_log_proba(self, X, sample_source=None):
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

    @available_if(_inner_has("decision_function"))
    def decision_function(self, X, sample_source=None):
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

    def score(self, X, y, sample_source=None, sample_weight=None):
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
        return accuracy_score(y, predicted, sample_weight=sample_weight)


class MergedRegressor(RegressorMixin, _Merged):
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
        estimator=None,
        *,
        source=None,
        scaler="standard",
        scale_by="pooled",
        scale_target_by=None,
        representation="shared",
        balance=None,
        balance_by="weight",
        primary_source=None,
        unknown_source="error",
        random_state=None,
    ):
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

    def fit(self, X, y, sample_source=None, sample_weight=None):
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
        with all_or_nothing(self):
            learned = self._fit(X, y, sample_source, sample_weight)
        vars(self).update(learned)
        return self

    def _inner(self):
        return Ridge() if self.estimator is None else self.estimator

    def _check_inner(self):
        if not is_regressor(self._inner()):
            raise SourceError(
                f"MergedRegressor needs a regressor, got {self.estimator!r}. "
                "MergedClassifier takes classifiers."
            )

    def _classes_to_balance(self, y):
        return None

    def _fit_inner(self, inner, X, y, plan):
        if self.scale_target_by not in (None, "source"):
            raise SourceError(
                "scale_target_by must be None or 'source', got "
                f"{self.scale_target_by!r}."
            )
        maps = None
        if self.scale_target_by == "source":
            columns = np.asarray(y, dtype=float).reshape(len(y), -1)
            maps = fit_affine("standard", columns, plan.sources, plan.weights)
            y = maps.forward(columns, plan.sources.codes).reshape(y.shape)
        fit_inner(inner, X, y, plan.weights)
        return {"target_scaler_": maps}

    def _needs_source(self):
        if self.sources_ != (ONLY_SOURCE,) and self.target_scaler_ is not None:
            return "y was scaled by source"
        return super()._needs_source()

    def predict(self, X, sample_source=None):
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
        features, codes = self._prepare(X, sample_source)
        predicted = self.estimator_.predict(features)
        if self.target_scaler_ is None:
            return predicted
        columns = np.reshape(predicted, (len(predicted), -1))
        return self.target_scaler_.inverse(columns, codes).reshape(predicted.shape)

    def score(self, X, y, sample_source=None, sample_weight=None):
        """Return R2 over all samples, or its mean over the sources.

        Where `scale_target_by` is "source" the score is the mean of the
        sources' R2: over all samples, R2 is near 1 for a model that knows
        nothing but each source's mean.

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
        y, predicted = as_target(y), self.predict(X, sample_source)
        if self.target_scaler_ is None or len(self.sources_) == 1:
            return r2_score(y, predicted, sample_weight=sample_weight)
        _, sources = resolve_sources(X, sample_source, source=self.source)
        weight = None if sample_weight is None else np.asarray(sample_weight)
        scores = [
            r2_score(
                y[rows],
                predicted[rows],
                sample_weight=None if weight is None else weight[rows],
            )
            for rows in sources.rows
        ]
        return float(np.mean(scores))
