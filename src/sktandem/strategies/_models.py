"""A fitted model for each source, behind one estimator."""

from __future__ import annotations

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    clone,
    is_classifier,
    is_regressor,
)
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sktandem._cells import as_target, class_codes, classes_by_source, mixes_kinds
from sktandem._macro import macro_r2
from sktandem._nested import refuse_nested
from sktandem._routing import RequestsSource
from sktandem._row_losses import aligned
from sktandem._sources import (
    UNKNOWN,
    did_you_mean,
    resolve_sources,
    split_source,
)
from sktandem._tables import n_rows, read_table, refuse_datasets, take_rows
from sktandem._transaction import all_or_nothing
from sktandem._unknown import check_unknown_rule, settle_unknown
from sktandem.exceptions import SourceError
from sktandem.strategies._strategy import Training
from sktandem.strategies._units import make_unit

__all__ = ["Maker", "SourceModelsClassifier", "SourceModelsRegressor", "models_of"]

BECAUSE = "Each source has a model of its own"


def models_of(estimator, **params):
    """Return a model for each source, of the kind of `estimator`."""
    kind = SourceModelsRegressor if is_regressor(estimator) else SourceModelsClassifier
    model = kind(estimator, **params)
    make_unit(estimator)  # which refuses what is neither
    return model


class Maker:
    """Makes fresh, unfitted units: the estimator with its scaling, and a seed.

    Parameters
    ----------
    estimator : estimator instance
        What a unit is made around.

    scaler : str, transformer or None
        Its scaling.

    seeded : bool
        Whether the units get seeds.

    rng : numpy.random.RandomState
        Where seeds come from.
    """

    def __init__(self, estimator, scaler, seeded, rng):
        self.estimator = estimator
        self.scaler = scaler
        self.seeded = seeded
        self.rng = rng

    def seed(self):
        """Return a new seed, None if nothing is to be seeded."""
        return int(self.rng.randint(np.iinfo(np.int32).max)) if self.seeded else None

    def __call__(self, **settings):
        """Return a unit; `settings` are those of a merge."""
        settings = {"scaler": self.scaler, "random_state": self.seed(), **settings}
        if hasattr(settings["scaler"], "fit"):
            settings["scaler"] = clone(settings["scaler"])
        return make_unit(self.estimator, **settings)


def models_have(method):
    """Let a method appear where the models have it."""

    def check(self):
        fitted = getattr(self, "models_", None)
        for model in fitted.values() if fitted else [make_unit(self.estimator)]:
            getattr(model, method)
        return True

    return check


class BaseSourceModels(RequestsSource, MetaEstimatorMixin, BaseEstimator):
    """What the classifier and the regressor share: who answers for which rows."""

    def __init__(
        self,
        estimator,
        strategy,
        *,
        for_sources=None,
        source=None,
        scaler="standard",
        primary_source=None,
        unknown_source="error",
        random_state=None,
    ):
        self.estimator = estimator
        self.strategy = strategy
        self.for_sources = for_sources
        self.source = source
        self.scaler = scaler
        self.primary_source = primary_source
        self.unknown_source = unknown_source
        self.random_state = random_state

    def fit(self, X, y, sample_source=None):
        """Fit a model for each source.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples of all sources.

        y : array-like of shape (n_samples,)
            Targets.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample; it wins over the column `source`. With
            neither, all samples are one source.

        Returns
        -------
        self : estimator instance
            The fitted instance.

        Raises
        ------
        SourceError
            If labels or settings do not fit the data.
        """
        with all_or_nothing(self):
            data = self._read(X, y, sample_source)
            names = self._names(data.sources.names)
            rng = check_random_state(self.random_state)
            make = Maker(
                self.estimator, self.scaler, self.random_state is not None, rng
            )
            if not hasattr(self.strategy, "fit_models"):
                raise SourceError(
                    f"{type(self).__name__} needs a strategy that fits models by "
                    f"source, such as OwnModels(), got {self.strategy!r}. Its build "
                    "makes the estimator."
                )
            models = self.strategy.fit_models(names, data, make, rng)
            learned = self._learned(data)
        self.models_, self.sources_ = models, data.sources.names
        vars(self).update(learned)
        return self

    def _read(self, X, y, sample_source):
        self._check_kind()
        refuse_datasets(X)
        validate_data(self, X, y, skip_check_array=True)
        features, sources = resolve_sources(X, sample_source, source=self.source)
        y = as_target(y)
        check_consistent_length(features, y)
        if len(y) == 0:
            raise SourceError("X has no rows to fit.")
        check_unknown_rule(self.unknown_source, self.primary_source, sources.names)
        return Training(features, y, sources)

    def _names(self, names):
        """Return the sources that get a model."""
        if self.for_sources is None:
            return names
        for name in self.for_sources:
            if name not in names:
                raise SourceError(
                    f"for_sources names {name!r}, which is not a source. The sources "
                    f"are {list(names)}.{did_you_mean(name, names)}"
                )
        if len(self.for_sources) == 0:
            raise SourceError("for_sources is empty. None means all sources.")
        return tuple(self.for_sources)

    def set_params(self, **params):
        """Set the parameters of this estimator; see scikit-learn."""
        for key in params:
            owner, nested, _ = key.partition("__")
            if nested and owner == "scaler":
                value = params.get(owner, self.scaler)
                refuse_nested(key, owner, value, "StandardScaler()")
        return super().set_params(**params)

    @property
    def _blind(self):
        """The one model of all sources, None if there are several."""
        first, *others = self.models_.values()
        if self.for_sources is not None and len(self.models_) < len(self.sources_):
            return None  # nobody answers for the rest
        return first if all(other is first for other in others) else None

    def _parts(self, X, sample_source):
        """Yield row numbers, their part of X and the model; None for unknown rows."""
        check_is_fitted(self)
        read_table(self, X)
        if self._blind is not None:
            features, _ = split_source(X, sample_source, self.source)
            yield np.arange(n_rows(features)), features, self._blind
            return
        features, sources = resolve_sources(
            X, sample_source, source=self.source, names=self.sources_
        )
        codes = settle_unknown(
            sources,
            lambda: split_source(X, sample_source, self.source)[1],
            self.unknown_source,
            self.primary_source,
            because=BECAUSE,
        )
        for code in np.unique(codes):
            rows = np.flatnonzero(codes == code)
            name = None if code == UNKNOWN else self.sources_[code]
            if name is not None and name not in self.models_:
                raise SourceError(
                    f"{len(rows)} rows are of {name!r}, which has no model: "
                    f"for_sources is {list(self.for_sources)}."
                )
            part = features if len(rows) == len(codes) else take_rows(features, rows)
            yield rows, part, self.models_.get(name)

    def _assembled(self, X, sample_source, of_model, of_all):
        """Return what the models give for their rows, in the order of X."""
        rows, parts = [], []
        for own, part, model in self._parts(X, sample_source):
            rows.append(own)
            parts.append(of_all(part) if model is None else of_model(model, part))
        together = np.concatenate(parts)
        return together[np.argsort(np.concatenate(rows), kind="stable")]

    def __sklearn_is_fitted__(self):
        return hasattr(self, "models_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        unit = get_tags(make_unit(self.estimator, scaler=self.scaler))
        tags.input_tags = unit.input_tags
        tags.input_tags.pairwise = False
        tags.target_tags = unit.target_tags
        tags.classifier_tags = unit.classifier_tags or tags.classifier_tags
        tags.regressor_tags = unit.regressor_tags or tags.regressor_tags
        return tags


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
        :class:`~sktandem.MergedClassifier`.

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
    sktandem.strategies.OwnModels : Each source its own rows.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sktandem.strategies import OwnModels
    >>> model = OwnModels().build(LogisticRegression())
    >>> X, y = [[0.0], [1.0], [0.0], [1.0]], [0, 1, 1, 0]
    >>> model.fit(X, y, sample_source=["clinic", "clinic", "lab", "lab"])
    SourceModelsClassifier(estimator=LogisticRegression(), strategy=OwnModels())
    >>> model.predict([[1.0], [1.0]], sample_source=["clinic", "lab"])
    array([1, 0])
    """

    def _check_kind(self):
        if not is_classifier(self.estimator):
            raise SourceError(
                f"SourceModelsClassifier needs a classifier, got {self.estimator!r}. "
                "SourceModelsRegressor takes regressors."
            )

    def _learned(self, data):
        classes, _ = class_codes(data.y)
        return {
            "classes_": classes,
            "classes_by_source_": classes_by_source(data.sources, data.y),
        }

    def predict(self, X, sample_source=None):
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

        def by_all(part):
            return self.classes_[np.argmax(self._mean_probabilities(part), axis=1)]

        def by(model, part):
            # Of one dtype, or texts beside numbers would all become texts.
            return np.asarray(model.predict(part)).astype(self.classes_.dtype)

        return self._assembled(X, sample_source, by, by_all)

    @available_if(models_have("predict_proba"))
    def predict_proba(self, X, sample_source=None):
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
    def decision_function(self, X, sample_source=None):
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

        def by(model, part):
            if not np.array_equal(model.classes_, self.classes_):
                raise SourceError(
                    "The models know different classes, so their decision functions "
                    "cannot stand in one array: "
                    f"{ {n: m.classes_.tolist() for n, m in self.models_.items()} }."
                )
            return model.decision_function(part)

        def by_all(part):
            return np.mean([by(m, part) for m in self.models_.values()], axis=0)

        return self._assembled(X, sample_source, by, by_all)

    def _probabilities(self, model, part):
        return aligned(model.predict_proba(part), model.classes_, self.classes_)[0]

    def _mean_probabilities(self, part):
        if not hasattr(self, "predict_proba"):
            raise SourceError(
                "unknown_source='pooled' takes the mean of probabilities, and "
                f"{self.estimator!r} gives none. Use unknown_source='primary'."
            )
        every = [self._probabilities(m, part) for m in self.models_.values()]
        return np.mean(every, axis=0)

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
        y, predicted = as_target(y).ravel(), self.predict(X, sample_source)
        if mixes_kinds(y) or mixes_kinds(predicted):
            return float(np.average(y == predicted, weights=sample_weight))
        return accuracy_score(y, predicted, sample_weight=sample_weight)


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
        :class:`~sktandem.MergedRegressor`.

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
    sktandem.strategies.OwnModels : Each source its own rows.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sktandem.strategies import OwnModels
    >>> model = OwnModels().build(LinearRegression())
    >>> X, y = [[0.0], [1.0], [0.0], [1.0]], [0.0, 1.0, 5.0, 4.0]
    >>> model = model.fit(X, y, sample_source=["clinic", "clinic", "lab", "lab"])
    >>> model.predict([[2.0], [2.0]], sample_source=["clinic", "lab"])
    array([2., 3.])
    """

    def _check_kind(self):
        if not is_regressor(self.estimator):
            raise SourceError(
                f"SourceModelsRegressor needs a regressor, got {self.estimator!r}. "
                "SourceModelsClassifier takes classifiers."
            )

    def _learned(self, data):
        return {}

    def predict(self, X, sample_source=None):
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

        def by_all(part):
            every = [model.predict(part) for model in self.models_.values()]
            return np.mean(every, axis=0)

        def by(model, part):
            return model.predict(part)

        return self._assembled(X, sample_source, by, by_all)

    def score(self, X, y, sample_source=None, sample_weight=None):
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
        y, predicted = as_target(y), self.predict(X, sample_source)
        if self._blind is not None:
            return r2_score(y, predicted, sample_weight=sample_weight)
        _, sources = resolve_sources(
            X, sample_source, source=self.source, names=self.sources_
        )
        weight = None if sample_weight is None else np.asarray(sample_weight)
        return macro_r2(y, predicted, sources.codes, weight)
