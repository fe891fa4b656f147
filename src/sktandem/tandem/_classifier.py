"""Choose how to use several datasets, for classes."""

from __future__ import annotations

from typing import Any, Self

from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.metaestimators import available_if

from sktandem.data._cells import classes_by_source
from sktandem.exceptions import SourceError
from sktandem.members._strategy import Training
from sktandem.tandem._tandem import BaseTandem, chosen_has

__all__ = ["TandemClassifier"]


class TandemClassifier(ClassifierMixin, BaseTandem):
    """Use the other dataset only in the way, and if at all, that helps.

    No way of using a second dataset wins everywhere: equal weights repair a
    small source with one model and ruin another. This estimator tries several
    by cross-validation inside `fit`, takes the simplest that is not clearly
    beaten, the sources' own models first, and fits it on all rows.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    estimator : estimator instance, default=None
        A classifier, or a skorch net. None means
        ``LogisticRegression(max_iter=1000)``.

    strategies : {"default", "all"}, sequence of Strategy or dict, default="default"
        What to choose from, the simplest first: a list that suits the
        estimator, objects of :mod:`sktandem.members`, or these and any
        estimators by name. Own models are always among them, and first.

    source : str or int, default=None
        Name or position of the column of X that holds each row's source. None
        means that the label comes by the keyword `sample_source`.

    primary_source : hashable, default=None
        The source you care about most.

    objective : {"macro", "worst", "primary"}, default="macro"
        What to make small: the mean of the sources' losses, each as a part of
        its own model's; that of the source that fares worst; or that of the
        primary source alone.

    per_source : bool, default=False
        Whether to choose a strategy for each source. `objective` is ignored
        then, and every row to predict needs its source.

    scoring : str or callable, default=None
        Choose by this metric, its mean or worst over sources, rather than by
        log loss.

    cv : int, default=5
        Inner folds, stratified by source and class.

    tolerance : "one-se" or float, default="one-se"
        How much worse than the best a simpler strategy may be: one standard
        error of their difference [1]_, or a part of the own model's loss (with
        `scoring`, a difference of scores).

    scaler : str, transformer or None, default="standard"
        How features reach `estimator`, as in
        :class:`~sktandem.Merged`.

    unknown_source : {"error", "primary", "pooled"}, default="error"
        What to do with a row whose source was not there in `fit`, where the
        prediction depends on it.

    n_jobs : int, default=None
        How many fits to run at once in the choice.

    random_state : int, RandomState instance or None, default=None
        Seeds the folds and every model.

    verbose : int, default=None
        Whether to print what is tried and what is chosen.

    Attributes
    ----------
    strategy_ : Strategy or estimator
        What was chosen; of `per_source`, a
        :class:`~sktandem.members.PerSource`.

    model_ : estimator instance
        What the strategy built, fitted on all rows.

    ranking_ : Ranking, dict of {source: Ranking} or None
        Why it was chosen: what each strategy costs, how far it is behind the
        best, and how far it may be. None where there was one source.

    comparison_ : StrategyComparison or None
        What the inner folds tell of each strategy and source, as in
        :func:`~sktandem.model_selection.compare_strategies`. Its words ask for
        more than the choice does, which has to be made even where rows are too
        few to tell. The chosen strategy flatters itself a little there.

    classes_ : ndarray of shape (n_classes,)
        The classes of all sources.

    classes_by_source_ : dict of {source: ndarray}
        The classes that each source has.

    sources_ : tuple
        The names of the sources.

    n_features_in_ : int
        The number of columns of X, the source's included.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X is a data frame.

    See Also
    --------
    sktandem.model_selection.compare_strategies : Verdicts with intervals.

    Notes
    -----
    After two folds a strategy more than three standard errors behind the
    leader is given up. There is no `sample_weight`: a choice by folds cannot
    treat a row of weight 2 as two rows. The cost is at most ``cv`` fits of each
    strategy, and one of the chosen.

    References
    ----------
    .. [1] L. Breiman et al. (1984), "Classification and Regression Trees", 3.4.3.

    Examples
    --------
    A lab of 48 rows beside one of 952, with the opposite rule and with the
    same one, scored on as many rows again:

    >>> from sktandem import TandemClassifier
    >>> from sktandem.datasets import make_two_sources
    >>> from sktandem.model_selection import score_by_source
    >>> for angle in 180, 0:
    ...     X, y, source = make_two_sources(
    ...         2000, task="classification", n_features=20, size_ratio=0.05,
    ...         concept_angle=angle, return_X_y=True, random_state=0,
    ...     )
    ...     model = TandemClassifier(
    ...         primary_source="first", objective="primary", random_state=0
    ...     )
    ...     model = model.fit(X[::2], y[::2], sample_source=source[::2])
    ...     scores = score_by_source(
    ...         model, X[1::2], y[1::2], sample_source=source[1::2]
    ...     )
    ...     print(angle, model.strategy_.name, round(scores.by_source["first"], 2))
    180 stacked 0.72
    0 merged, sources balanced 0.74

    Of an opposite rule the other lab's model is of use as a feature, which counts
    against; of the same rule its rows are.
    """

    def fit(
        self, X: Any, y: Any, *, sample_source: Any = None, groups: Any = None
    ) -> Self:
        """Choose a strategy by cross-validation and fit it on all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples of all sources.

        y : array-like of shape (n_samples,)
            Classes: numbers or texts, or both as an array of objects.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample; it wins over the column `source`. With
            neither, all samples are one source, and its own model is fitted.

        groups : array-like of shape (n_samples,), default=None
            Persons: rows that stay together in the inner folds.

        Returns
        -------
        self : TandemClassifier
            The fitted instance.

        Raises
        ------
        SourceError
            If labels or settings do not fit the data, or a strategy fails.
        """
        return super().fit(X, y, sample_source=sample_source, groups=groups)

    def _inner(self) -> Any:
        if self.estimator is None:
            return LogisticRegression(max_iter=1000)
        return self.estimator

    def _check_kind(self) -> None:
        if not is_classifier(self._inner()):
            raise SourceError(
                f"TandemClassifier needs a classifier, got {self.estimator!r}. "
                "TandemRegressor takes regressors."
            )

    def _learned(self, model: Any, data: Training) -> dict[str, Any]:
        return {
            "classes_": model.classes_,
            "classes_by_source_": classes_by_source(data.sources, data.y),
        }

    def predict(self, X: Any, *, sample_source: Any = None) -> NDArray[Any]:
        """Predict the class of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, needed where the strategy tells sources
            apart.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted classes.
        """
        predicted: NDArray[Any] = self._ask("predict", X, sample_source)
        return predicted

    @available_if(chosen_has("predict_proba"))
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
            One column per class, in the order of `classes_`.
        """
        given: NDArray[Any] = self._ask("predict_proba", X, sample_source)
        return given

    @available_if(chosen_has("decision_function"))
    def decision_function(self, X: Any, *, sample_source: Any = None) -> NDArray[Any]:
        """Return the decision function of `model_`.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            What `model_` returns.
        """
        given: NDArray[Any] = self._ask("decision_function", X, sample_source)
        return given

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
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(self._ask("score", X, sample_source, y, **weights))
