"""The per-source scaler as a transformer."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Self

from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags, get_tags

from sktandem._docs import documented
from sktandem.data._estimator import SourceEstimator, all_or_nothing
from sktandem.data._rows import Rows, read_rows
from sktandem.data._sources import ONLY_SOURCE, find_column
from sktandem.data._tables import (
    as_table,
    column_names,
    frame_like,
    insert_column,
    is_frame,
    take_column,
)
from sktandem.exceptions import SourceError
from sktandem.scaling._scalers import (
    FittedScaler,
    check_scaler,
    fit_named,
    fit_transformers,
)

__all__ = ["SourceScaler"]


@documented
class SourceScaler(OneToOneFeatureMixin, TransformerMixin, SourceEstimator):
    """Scale each source separately.

    Two instruments seldom share their zero and unit. Scaled together, that difference
    stays in the features, and a model learns it; scaled separately, it is gone. The
    price: a difference that matters is gone as well.

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

    {primary_source}

    unknown_source : {"error", "primary", "pooled"}, default="error"
        What to do with a row whose source was not there in `fit`, or is not
        given: raise, scale it as the primary source, or as all rows together.

    Attributes
    ----------
    scaler_ : object
        The fitted scalers.

    {sources_}

    {n_features_in_}

    {feature_names_in_}

    See Also
    --------
    Merged : Scales inside, with ``scale_by="source"``.

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
        unknown_source: str = "error",
    ) -> None:
        self.scaler = scaler
        self.source = source
        self.primary_source = primary_source
        self.unknown_source = unknown_source

    def fit(self, X: Any, y: Any = None, *, sample_source: Any = None) -> Self:
        """Learn the measure of each source.

        Parameters
        ----------
        {X}

        y : array-like of shape (n_samples,), default=None
            Given to a transformer that wants it.

        {sample_source}

        Returns
        -------
        self : SourceScaler
            The fitted instance.
        """
        self.fit_transform(X, y, sample_source=sample_source)
        return self

    def fit_transform(self, X: Any, y: Any = None, *, sample_source: Any = None) -> Any:
        """Learn the measure of each source and scale X by it.

        Parameters
        ----------
        {X}

        y : array-like of shape (n_samples,), default=None
            Given to a transformer that wants it.

        {sample_source}

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
            rows = read_rows(self, X, y, sample_source=sample_source)
            scaled = self._fit_scaler(rows)
        return self._with_column(scaled, X)

    def _fit_scaler(self, rows: Rows) -> Any:
        """Fit the scaler; return the features scaled."""
        scaler: FittedScaler
        if isinstance(self.scaler, str):
            scaler = fit_named(self.scaler, rows.X, rows.sources, scale_by="source")
            scaled = scaler.transform(rows.X, rows.sources.codes)
        else:
            scaler, scaled = fit_transformers(
                self.scaler, rows.X, rows.y, rows.sources, scale_by="source"
            )
        # The source's own column goes back to its place, which is one among these.
        if scaled.shape[1] != rows.X.shape[1]:
            raise SourceError(
                "SourceScaler needs a scaler that keeps the columns, but "
                f"{self.scaler!r} made {scaled.shape[1]} of {rows.X.shape[1]}. Merged "
                "takes it as scaler= with scale_by='source'."
            )
        self.scaler_, self.sources_ = scaler, rows.names
        return scaled

    def transform(self, X: Any, *, sample_source: Any = None) -> Any:
        """Scale each row by its source's measure.

        Parameters
        ----------
        {X}

        {sample_source}

        Returns
        -------
        X_scaled : {ndarray, sparse matrix, data frame}
            The scaled samples.
        """
        X = as_table(X)
        rows = self._read(X, sample_source=sample_source)
        return self._with_column(self.scaler_.transform(rows.X, rows.sources.codes), X)

    def inverse_transform(self, X: Any, *, sample_source: Any = None) -> Any:
        """Give scaled samples back in their own units.

        Parameters
        ----------
        {X}

        {sample_source}

        Returns
        -------
        X_original : {ndarray, sparse matrix, data frame}
            The samples as they were.
        """
        X = as_table(X)
        rows = self._read(X, sample_source=sample_source)
        original = self.scaler_.inverse_transform(rows.X, rows.sources.codes)
        return self._with_column(original, X)

    def _depends_on_source(self) -> str | None:
        return None if self.sources_ == (ONLY_SOURCE,) else "X is scaled by source"

    def _with_column(self, scaled: Any, X: Any) -> Any:
        """Put the source column back where it was."""
        if self.source is None:
            return scaled
        position = find_column(X, self.source)
        names: list[Any] = column_names(X) or [None] * X.shape[1]
        name = names.pop(position)
        if is_frame(X) and not is_frame(scaled):
            scaled = frame_like(X, scaled, names)
        return insert_column(scaled, position, take_column(X, position), name)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        if hasattr(self.scaler, "__sklearn_tags__"):
            inner = get_tags(self.scaler)
            tags.input_tags.sparse = inner.input_tags.sparse
            tags.input_tags.allow_nan = inner.input_tags.allow_nan
            tags.transformer_tags = inner.transformer_tags
        return tags
