"""The walk of the data that the merged classifier and regressor share."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    MetaEstimatorMixin,
)
from sklearn.utils import Tags, check_random_state, get_tags
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sktandem._cells import as_target
from sktandem._nested import refuse_nested
from sktandem._routing import RequestsSource
from sktandem._scaling import (
    FittedScaler,
    ScaledByTransformers,
    check_scaler,
    fit_named,
    fit_transformers,
)
from sktandem._sources import (
    ONLY_SOURCE,
    Codes,
    Sources,
    resolve_sources,
    split_source,
)
from sktandem._tables import n_rows, read_table, refuse_datasets, take_rows
from sktandem._transaction import all_or_nothing
from sktandem._unknown import check_unknown_rule, settle_unknown
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.merge._inner import remedy, seeded_clone
from sktandem.merge._plan import MergePlan, plan_merge
from sktandem.merge._representation import (
    check_representation,
    represent,
    represented_names,
)

__all__ = ["BaseMerged", "inner_has"]

SOURCE_BLIND = ("pooled", "shared", None)


def inner_has(method: str) -> Callable[[Any], bool]:
    """Let a method appear where the inner estimator has it."""

    def check(self: Any) -> bool:
        fitted = getattr(self, "estimator_", None)
        getattr(self._inner() if fitted is None else fitted, method)
        return True

    return check


class BaseMerged(RequestsSource, MetaEstimatorMixin, BaseEstimator):
    """What the merged classifier and regressor share: the walk of the data."""

    def fit(
        self, X: Any, y: Any, sample_source: Any = None, sample_weight: Any = None
    ) -> Self:
        """Fit a clone of `estimator` on all samples; see the subclasses."""
        with all_or_nothing(self):
            features, y, plan, rng = self._read(X, y, sample_source, sample_weight)
            inner = seeded_clone(self._inner(), rng)
            try:
                scaler, features = self._fit_scaler(features, y, plan, inner)
                learned = self._fit_inner(inner, features, y, plan)
            except ValueError as error:
                with_cure = remedy(error, features, inner)
                if with_cure is None:
                    raise
                raise with_cure from error
        # Last, so that a failed fit leaves nothing half-fitted.
        self.estimator_, self.scaler_, self.plan_ = inner, scaler, plan
        self.sources_ = plan.sources.names
        self.n_samples_by_source_ = plan.n_samples
        self.__dict__.update(learned)
        return self

    def _read(
        self, X: Any, y: Any, sample_source: Any, sample_weight: Any
    ) -> tuple[Any, NDArray[Any], MergePlan, np.random.RandomState | None]:
        """Check settings and input; return the rows that take part, and the plan."""
        self._check_settings()
        check_scaler(self.scaler, self.scale_by)
        check_representation(self.representation)
        refuse_datasets(X)
        validate_data(self, X, y, skip_check_array=True)
        features, sources = resolve_sources(X, sample_source, source=self.source)
        y = as_target(y)
        check_consistent_length(features, y)
        if len(y) == 0:
            raise SourceError("X has no rows to fit.")
        self._warn_of_forgotten_source(sources)
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
        return take_rows(features, plan.rows), take_rows(y, plan.rows), plan, rng

    def _warn_of_forgotten_source(self, sources: Sources) -> None:
        """Say so if a setting tells sources apart and no row has a source."""
        settings = self._settings_by_source().items()
        idle = {key: value for key, value in settings if value not in SOURCE_BLIND}
        if idle and sources.names == (ONLY_SOURCE,):
            told = ", ".join(f"{key}={value!r}" for key, value in idle.items())
            warnings.warn(
                f"Only one source, {ONLY_SOURCE!r}: {told} has nothing to tell apart. "
                "Pass sample_source, or name its column by source.",
                SourceWarning,
                stacklevel=5,
            )

    def _settings_by_source(self) -> dict[str, str | None]:
        """Return the settings that tell sources apart, by name."""
        return {"scale_by": self.scale_by, "representation": self.representation}

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Parameters by name, those of the inner estimator as
            ``estimator__name``.

        Returns
        -------
        self : estimator instance
            This estimator.
        """
        for key in params:
            owner, nested, _ = key.partition("__")
            if nested and owner in ("estimator", "scaler"):
                of_estimator = owner == "estimator"
                instead = repr(self._inner()) if of_estimator else "StandardScaler()"
                value = params.get(owner, getattr(self, owner))
                refuse_nested(key, owner, value, instead)
        super().set_params(**params)
        return self

    def _fit_scaler(
        self, X: Any, y: Any, plan: MergePlan, inner: Any
    ) -> tuple[FittedScaler | None, Any]:
        """Return the fitted scaling and the features as the estimator wants them."""
        options = {"scale_by": self.scale_by, "weights": plan.weights}
        if self.scaler is None:
            return None, self._represent(X, plan.sources, None, inner)
        if isinstance(self.scaler, str):
            by_name = fit_named(self.scaler, X, plan.sources, **options)
            return by_name, self._represent(X, plan.sources, by_name, inner)
        scaler, scaled = fit_transformers(self.scaler, X, y, plan.sources, **options)
        return scaler, self._represent(scaled, plan.sources, None, inner)

    def _inner(self) -> Any:
        """Return the estimator to clone."""
        raise NotImplementedError

    def _check_settings(self) -> None:
        """Refuse an estimator of the wrong kind, and settings that make no sense."""
        raise NotImplementedError

    def _classes_to_balance(self, y: Any) -> NDArray[Any] | None:
        """Return the classes of y, or None where there are none."""
        raise NotImplementedError

    def _fit_inner(self, inner: Any, X: Any, y: Any, plan: MergePlan) -> dict[str, Any]:
        """Fit `inner` in place; return what else was learned, by name."""
        raise NotImplementedError

    def _by_weight(self) -> bool:
        return self.balance is not None and self.balance_by == "weight"

    def _needs_source(self) -> str | None:
        """Say why predictions depend on the source, or return None."""
        if self.sources_ == (ONLY_SOURCE,):
            return None
        if self.scaler_ is not None and self.scaler_.by_source:
            return "X was scaled by source"
        if self.representation != "shared":
            return f"representation is {self.representation!r}"
        return None

    def _represent(self, X: Any, sources: Sources, scaler: Any, estimator: Any) -> Any:
        return represent(
            X,
            sources.codes,
            sources.names,
            self.representation,
            allow_sparse=get_tags(estimator).input_tags.sparse,
            scaler=scaler,
        )

    def _prepare(self, X: Any, sample_source: Any) -> tuple[Any, Codes]:
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
        return self._represent(features, sources, self.scaler_, self.estimator_), codes

    def _codes(self, X: Any, sample_source: Any, because: str) -> tuple[Any, Codes]:
        features, sources = resolve_sources(
            X, sample_source, source=self.source, names=self.sources_
        )
        codes = settle_unknown(
            sources,
            lambda: split_source(X, sample_source, self.source)[1],
            self.unknown_source,
            self.primary_source,
            because=because,
        )
        return features, codes

    def _predict_with(self, method: str, X: Any, sample_source: Any) -> Any:
        features, _ = self._prepare(X, sample_source)
        return getattr(self.estimator_, method)(features)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
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
            place = names.tolist().index(self.source) if by_name else self.source
            names = np.delete(names, place)
        if isinstance(self.scaler_, ScaledByTransformers):
            names = self.scaler_.pooled.get_feature_names_out(names)
        names = represented_names(names, self.sources_, self.representation)
        return np.asarray(names, dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # Names of scalers have no tags: they take sparse X and missing values.
        parts = [self._inner(), self.scaler]
        parts = [get_tags(p) for p in parts if hasattr(p, "__sklearn_tags__")]
        tags.input_tags.sparse = all(part.input_tags.sparse for part in parts)
        tags.input_tags.allow_nan = all(part.input_tags.allow_nan for part in parts)
        alone = self.scaler is None and self.source is None
        tags.input_tags.pairwise = alone and all(p.input_tags.pairwise for p in parts)
        if parts:
            tags.target_tags = parts[0].target_tags
            tags.classifier_tags = parts[0].classifier_tags or tags.classifier_tags
            tags.regressor_tags = parts[0].regressor_tags or tags.regressor_tags
        return tags
