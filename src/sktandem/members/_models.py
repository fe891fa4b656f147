"""A fitted model for each source, behind one estimator."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import Tags, check_random_state, get_tags
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sktandem._nested import refuse_nested
from sktandem._routing import RequestsSource
from sktandem._telling import did_you_mean
from sktandem._transaction import all_or_nothing
from sktandem._typing import RandomState, UnknownSource
from sktandem.data._cells import as_target
from sktandem.data._sources import UNKNOWN, resolve_sources, split_source
from sktandem.data._tables import n_rows, read_table, refuse_datasets, take_rows
from sktandem.data._unknown import check_unknown_rule, settle_unknown
from sktandem.exceptions import SourceError
from sktandem.members._strategy import Training
from sktandem.members._units import make_unit

__all__ = ["BaseSourceModels", "Maker", "models_have"]

BECAUSE = "Each source has a model of its own"


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

    def __init__(
        self, estimator: Any, scaler: Any, seeded: bool, rng: np.random.RandomState
    ) -> None:
        self.estimator = estimator
        self.scaler = scaler
        self.seeded = seeded
        self.rng = rng

    def seed(self) -> int | None:
        """Return a new seed, None if nothing is to be seeded."""
        return int(self.rng.randint(np.iinfo(np.int32).max)) if self.seeded else None

    def __call__(self, **settings: Any) -> Any:
        """Return a unit; `settings` are those of a merge."""
        settings = {"scaler": self.scaler, "random_state": self.seed(), **settings}
        if hasattr(settings["scaler"], "fit"):
            settings["scaler"] = clone(settings["scaler"])
        return make_unit(self.estimator, **settings)


def models_have(method: str) -> Callable[[Any], bool]:
    """Let a method appear where the models have it."""

    def check(self: Any) -> bool:
        fitted = getattr(self, "models_", None)
        for model in fitted.values() if fitted else [make_unit(self.estimator)]:
            getattr(model, method)
        return True

    return check


class BaseSourceModels(RequestsSource, MetaEstimatorMixin, BaseEstimator):
    """What the classifier and the regressor share: who answers for which rows."""

    def __init__(
        self,
        estimator: Any,
        strategy: Any,
        *,
        for_sources: Sequence[Hashable] | None = None,
        source: str | int | None = None,
        scaler: Any = "standard",
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.strategy = strategy
        self.for_sources = for_sources
        self.source = source
        self.scaler = scaler
        self.primary_source = primary_source
        self.unknown_source = unknown_source
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, sample_source: Any = None) -> Self:
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
        self.__dict__.update(learned)
        return self

    def _read(self, X: Any, y: Any, sample_source: Any) -> Training:
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

    def _names(self, names: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
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

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator; see scikit-learn."""
        for key in params:
            owner, nested, _ = key.partition("__")
            if nested and owner == "scaler":
                value = params.get(owner, self.scaler)
                refuse_nested(key, owner, value, "StandardScaler()")
        super().set_params(**params)
        return self

    @property
    def _blind(self) -> Any:
        """The one model of all sources, None if there are several."""
        first, *others = self.models_.values()
        if self.for_sources is not None and len(self.models_) < len(self.sources_):
            return None  # nobody answers for the rest
        return first if all(other is first for other in others) else None

    def _parts(
        self, X: Any, sample_source: Any
    ) -> Iterator[tuple[NDArray[np.intp], Any, Any]]:
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
                    f"for_sources is {list(self.for_sources or ())}."
                )
            part = features if len(rows) == len(codes) else take_rows(features, rows)
            yield rows, part, self.models_.get(name)

    def _assembled(
        self,
        X: Any,
        sample_source: Any,
        of_model: Callable[[Any, Any], Any],
        of_all: Callable[[Any], Any],
    ) -> NDArray[Any]:
        """Return what the models give for their rows, in the order of X."""
        rows, parts = [], []
        for own, part, model in self._parts(X, sample_source):
            rows.append(own)
            parts.append(of_all(part) if model is None else of_model(model, part))
        together = np.concatenate(parts)
        return together[np.argsort(np.concatenate(rows), kind="stable")]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "models_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        unit = get_tags(make_unit(self.estimator, scaler=self.scaler))
        tags.input_tags = unit.input_tags
        tags.input_tags.pairwise = False
        tags.target_tags = unit.target_tags
        tags.classifier_tags = unit.classifier_tags or tags.classifier_tags
        tags.regressor_tags = unit.regressor_tags or tags.regressor_tags
        return tags
