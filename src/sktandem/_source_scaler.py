"""The per-source scaler as a transformer."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from sktandem._routing import RequestsSource
from sktandem._scaling import FittedScaler, check_scaler, fit_named, fit_transformers
from sktandem._sources import (
    ONLY_SOURCE,
    Codes,
    find_column,
    resolve_sources,
    split_source,
)
from sktandem._tables import (
    as_table,
    column_names,
    frame_like,
    insert_column,
    is_frame,
    read_table,
    take_column,
)
from sktandem._transaction import all_or_nothing
from sktandem._typing import UnknownSource
from sktandem._unknown import check_unknown_rule, settle_unknown
from sktandem.exceptions import SourceError

__all__ = ["SourceScaler"]


class SourceScaler(
    RequestsSource, OneToOneFeatureMixin, TransformerMixin, BaseEstimator
):
    """Scale each source by its own measure.

    Two instruments seldom share their zero and their unit. Scaled by the
    measure of all rows, that difference stays in the features, and a model
    learns it; scaled each by its own, it is gone. The price: a difference that
    matters is gone as well.

    The column `source`, if used, is kept as it is and where it was, so that a
    later estimator can read it.

    Read more in the :ref:`User Guide <merging>`.

    Parameters
    ----------
    scaler : {"standard", "minmax", "robust"} or transformer, default="standard"
        A name scales the numeric columns and lets the others pass; sparse X is
        not centred. Of a transformer each source gets a clone.

    source : str or int, default=None
        Name or position of the column of X that holds each row's source.

    primary_source : hashable, default=None
        The source you care about most.

    unknown_source : {"error", "primary", "pooled"}, default="error"
        What to do with a row whose source was not there in `fit`, or is not
        given: raise, scale it as the primary source, or as all rows together.

    Attributes
    ----------
    scaler_ : object
        The fitted scalers.

    sources_ : tuple
        The names of the sources, in order.

    n_features_in_ : int
        Number of features seen in `fit`, the source column included.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where X has names that are all texts.

    See Also
    --------
    MergedRegressor : Scales inside, with ``scale_by="source"``.

    Notes
    -----
    A pipeline hands `sample_source` to ``fit_transform`` but drops it on the
    way to ``transform`` unless metadata routing is on; use the column there.

    Examples
    --------
    Two thermometers, one in Celsius and one in Fahrenheit, of the same days:

    >>> from sktandem import SourceScaler
    >>> X = [[10.0], [30.0], [50.0], [86.0]]
    >>> SourceScaler().fit_transform(X, sample_source=["C", "C", "F", "F"])
    array([[-1.],
           [ 1.],
           [-1.],
           [ 1.]])
    """

    def __init__(
        self,
        scaler: Any = "standard",
        *,
        source: str | int | None = None,
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
    ) -> None:
        self.scaler = scaler
        self.source = source
        self.primary_source = primary_source
        self.unknown_source = unknown_source

    def fit(self, X: Any, y: Any = None, sample_source: Any = None) -> Self:
        """Learn the measure of each source.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples of all sources.

        y : array-like of shape (n_samples,), default=None
            Handed to a transformer that wants it.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        Returns
        -------
        self : SourceScaler
            The fitted instance.
        """
        self.fit_transform(X, y, sample_source=sample_source)
        return self

    def fit_transform(self, X: Any, y: Any = None, sample_source: Any = None) -> Any:
        """Learn the measure of each source and scale X by it.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples of all sources.

        y : array-like of shape (n_samples,), default=None
            Handed to a transformer that wants it.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        Returns
        -------
        X_scaled : {ndarray, sparse matrix, data frame}
            The scaled samples.
        """
        with all_or_nothing(self):
            if self.scaler is None:
                raise SourceError("SourceScaler needs a scaler, got None.")
            check_scaler(self.scaler, "source")
            X = as_table(X)
            validate_data(self, X, skip_check_array=True)
            features, sources = resolve_sources(X, sample_source, source=self.source)
            check_unknown_rule(self.unknown_source, self.primary_source, sources.names)
            y = None if y is None else np.asarray(y)
            scaler: FittedScaler
            if isinstance(self.scaler, str):
                scaler = fit_named(self.scaler, features, sources, scale_by="source")
                scaled = scaler.transform(features, sources.codes)
            else:
                scaler, scaled = fit_transformers(
                    self.scaler, features, y, sources, scale_by="source"
                )
            if scaled.shape[1] != features.shape[1]:
                raise SourceError(
                    "SourceScaler needs a scaler that keeps the columns, but "
                    f"{self.scaler!r} made {scaled.shape[1]} of {features.shape[1]}. "
                    "MergedClassifier and MergedRegressor take it as scaler= with "
                    "scale_by='source'."
                )
        self.scaler_, self.sources_ = scaler, sources.names
        return self._with_column(scaled, X)

    def transform(self, X: Any, sample_source: Any = None) -> Any:
        """Scale each row by its source's measure.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        Returns
        -------
        X_scaled : {ndarray, sparse matrix, data frame}
            The scaled samples.
        """
        X, features, codes = self._read(X, sample_source)
        return self._with_column(self.scaler_.transform(features, codes), X)

    def inverse_transform(self, X: Any, sample_source: Any = None) -> Any:
        """Give scaled samples back in their own units.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Scaled samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        Returns
        -------
        X_original : {ndarray, sparse matrix, data frame}
            The samples as they were.
        """
        X, features, codes = self._read(X, sample_source)
        return self._with_column(self.scaler_.inverse_transform(features, codes), X)

    def _read(self, X: Any, sample_source: Any) -> tuple[Any, Any, Codes | None]:
        """Return X as a table, its features, and each row's code."""
        check_is_fitted(self)
        X = read_table(self, X)
        features, sources = resolve_sources(
            X, sample_source, source=self.source, names=self.sources_
        )
        if self.sources_ == (ONLY_SOURCE,):
            return X, features, None
        codes = settle_unknown(
            sources,
            lambda: split_source(X, sample_source, self.source)[1],
            self.unknown_source,
            self.primary_source,
            because="X is scaled by source",
        )
        return X, features, codes

    def _with_column(self, scaled: Any, X: Any) -> Any:
        """Put the source column back where it was."""
        if self.source is None:
            return scaled
        position = find_column(X, self.source)
        names = column_names(X) or [None] * X.shape[1]
        name = names.pop(position)
        if is_frame(X) and not is_frame(scaled):
            scaled = frame_like(X, scaled, names)
        return insert_column(scaled, position, take_column(X, position), name)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        if hasattr(self.scaler, "__sklearn_tags__"):
            inner = get_tags(self.scaler)
            tags.input_tags.sparse = inner.input_tags.sparse
            tags.input_tags.allow_nan = inner.input_tags.allow_nan
            tags.transformer_tags = inner.transformer_tags
        return tags
