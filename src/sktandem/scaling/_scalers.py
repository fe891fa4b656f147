"""Scaling of X: pooled or by source, by a name or by a transformer of the user's."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import time
from numbers import Number
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils.validation import FLOAT_DTYPES, check_array, has_fit_parameter

from sktandem._settings import check_choice, is_estimator
from sktandem._telling import warn
from sktandem.data._sources import Codes, Sources
from sktandem.data._tables import (
    column_names,
    date_columns,
    holds_numbers,
    is_frame,
    is_missing,
    is_pandas,
    numeric_columns,
    replace_columns,
    stack_rows,
    take_column,
    take_rows,
    to_floats,
)
from sktandem.exceptions import SourceError
from sktandem.scaling._affine import NAMED_SCALERS, AffineMaps, fit_affine
from sktandem.scaling._dates import DateEncoder

INSIDE = (
    "Use scale_by='pooled'; or leave scaler='standard' to scale the numbers by source, "
    "and encode the rest inside: make_pipeline(table_preprocessor(scaler=None), "
    "estimator)."
)

__all__ = [
    "INSIDE",
    "FittedScaler",
    "check_scaler",
    "fit_named",
    "fit_transformers",
    "follows_scales",
    "numbers_of",
    "table_preprocessor",
    "typed_numbers",
]


def check_scaler(scaler: Any, scale_by: str) -> None:
    """Refuse what is no scaler."""
    check_choice("scale_by", scale_by, ("pooled", "source"))
    if scaler is None or (is_estimator(scaler) and hasattr(scaler, "transform")):
        return
    check_scaler_name(scaler)


def check_scaler_name(scaler: Any) -> None:
    """Refuse a name that no scaler has."""
    check_choice("scaler", scaler, NAMED_SCALERS, ", a transformer or None")


def fit_transformers(
    scaler: Any,
    X: Any,
    y: Any,
    sources: Sources,
    *,
    scale_by: str,
    weights: NDArray[np.float64] | None = None,
) -> tuple[ScaledByTransformers, Any]:
    """Fit clones of a transformer; return them with the transformed X.

    The training rows come from ``fit_transform``, which for some transformers,
    such as target encoders, is not ``transform`` after ``fit``.
    """
    pooled = clone(scaler)
    scaled = _fit_transform(pooled, X, y, weights)
    if scale_by == "pooled":
        return ScaledByTransformers(sources.names, (), pooled), scaled
    own, parts = [], []
    for rows in sources.rows:
        transformer = clone(scaler)
        weight = None if weights is None else weights[rows]
        part = take_rows(X, rows), None if y is None else y[rows], weight
        parts.append(_fit_transform(transformer, *part))
        own.append(transformer)
    _refuse_other_columns(own, sources.names)
    fitted = ScaledByTransformers(sources.names, tuple(own), pooled)
    return fitted, _reassembled(parts, sources.rows, sources.names)


def _refuse_other_columns(own: list[Any], names: tuple[Hashable, ...]) -> None:
    """Refuse transformers whose columns mean another thing for each source."""
    if not all(hasattr(transformer, "get_feature_names_out") for transformer in own):
        return
    made = {n: list(t.get_feature_names_out()) for n, t in zip(names, own)}
    first = made[names[0]]
    other = next((n for n in names if made[n] != first), None)
    if other is not None:
        only = [name for name in made[other] if name not in first]
        raise SourceError(
            f"scale_by='source' fits the scaler to each source, and its columns are "
            f"not the same: {other!r} has {len(made[other])}, such as {only[:3]}, "
            f"{names[0]!r} has {len(first)}. {INSIDE}"
        )


def _fit_transform(transformer: Any, X: Any, y: Any, weights: Any) -> Any:
    try:
        return _fitted_transform(transformer, X, y, weights)
    except TypeError as error:
        others = other_columns(X) if is_frame(X) else []
        if not others:
            raise
        names = column_names(X) or []
        raise SourceError(
            f"The columns {[names[i] for i in others][:5]} are not numeric, and the "
            f"scaler did not take them: {error} Let each hold values of one kind: "
            "numbers, strings, or categories."
        ) from error


def _fitted_transform(transformer: Any, X: Any, y: Any, weights: Any) -> Any:
    if isinstance(transformer, FrozenEstimator):  # fitted already
        return transformer.fit(X, y).transform(X)
    if weights is not None and has_fit_parameter(transformer, "sample_weight"):
        return transformer.fit_transform(X, y, sample_weight=weights)
    return transformer.fit_transform(X, y)


def fit_named(
    scaler: str,
    X: Any,
    sources: Sources,
    *,
    scale_by: str,
    weights: NDArray[np.float64] | None = None,
    rows: NDArray[np.intp] | None = None,
    names: Sequence[Any] | None = None,
) -> ScaledByName:
    """Fit a named scaler on the numeric columns of X, all rows or some.

    `names` are those of all columns, where X is an array that was made of a frame.
    """
    by_source = sources if scale_by == "source" else None
    columns = typed_numbers(X) if is_frame(X) else None
    numbers = numbers_of(X, columns, scaler)
    names = column_names(X) if names is None else names
    if names is not None and columns is not None:
        names = [names[place] for place in columns]
    maps = fit_affine(scaler, numbers, by_source, weights, rows, names)
    return ScaledByName(scaler, maps, columns)


@dataclass(frozen=True)
class ScaledByName:
    """A fitted named scaler: affine maps on the numeric columns."""

    scaler: str
    maps: AffineMaps
    columns: list[int] | None

    @property
    def by_source(self) -> bool:
        """Whether each source has a map of its own."""
        return len(self.maps.center) > 1

    def read(self, X: Any) -> Any:
        """Return an array or sparse matrix as the floats that `scale_into` takes."""
        if self.columns is None or is_frame(X):
            return numbers_of(X, self.columns, self.scaler)
        if len(self.columns) < X.shape[1]:
            raise SourceError(
                f"fit saw a data frame with {len(self.columns)} numeric columns among "
                f"{X.shape[1]}, and {type(X).__name__} does not tell which. "
                "Pass a data frame."
            )
        return numbers_of(X, None, self.scaler)

    def scale_into(
        self, out: NDArray[Any], numbers: NDArray[Any], codes: Codes | None
    ) -> None:
        """Write scaled rows where they are wanted, so that no other copy is made."""
        self.maps.forward(numbers, codes if self.by_source else None, out=out)

    def transform(self, X: Any, codes: Codes | None = None) -> Any:
        """Scale the rows of X, each by its source's map."""
        return self._apply(self.maps.forward, X, codes)

    def inverse_transform(self, X: Any, codes: Codes | None = None) -> Any:
        """Give the rows of X back in their own units."""
        return self._apply(self.maps.inverse, X, codes)

    def _apply(self, apply: Any, X: Any, codes: Any) -> Any:
        values = apply(self.read(X), codes if self.by_source else None)
        if self.columns is None or not is_frame(X):
            return values
        return replace_columns(X, self.columns, values)


@dataclass(frozen=True)
class ScaledByTransformers:
    """Fitted clones of a transformer: one for each source, or one for all."""

    names: tuple[Hashable, ...]
    own: tuple[Any, ...]
    pooled: Any

    @property
    def by_source(self) -> bool:
        """Whether each source has a transformer of its own."""
        return bool(self.own)

    def transform(self, X: Any, codes: Codes | None = None) -> Any:
        """Transform the rows of X, each by its source's transformer."""
        return self._apply("transform", X, codes)

    def inverse_transform(self, X: Any, codes: Codes | None = None) -> Any:
        """Undo `transform`."""
        return self._apply("inverse_transform", X, codes)

    def _apply(self, method: str, X: Any, codes: Any) -> Any:
        if not self.by_source or codes is None:
            return getattr(self.pooled, method)(X)
        transformers = [*self.own, self.pooled]  # UNKNOWN, -1, is the last
        present = np.unique(codes)
        rows = [np.flatnonzero(codes == code) for code in present]
        parts = [
            getattr(transformers[code], method)(take_rows(X, own))
            for code, own in zip(present, rows)
        ]
        return _reassembled(parts, rows, [(*self.names, "pooled")[c] for c in present])


FittedScaler = ScaledByName | ScaledByTransformers


def typed_numbers(X: Any) -> list[int]:
    """Return the numeric columns; warn of numbers that hide in columns of objects."""
    numeric = numeric_columns(X)
    if is_frame(X):
        rest = sorted(set(range(X.shape[1])) - set(numeric))
        objects = [i for i in rest if holds_numbers(take_column(X, i))]
        names = column_names(X) or []
        hidden = [names[i] for i in objects]
        if hidden:
            warn(
                f"The columns {hidden} hold numbers but are of dtype object, so they "
                "are not taken for numeric. X.infer_objects() gives them their type."
            )
    return numeric


def other_columns(X: Any) -> list[int]:
    """Return the positions of the columns that are not numeric."""
    numeric = set(numeric_columns(X))
    return [i for i in range(np.shape(X)[1]) if i not in numeric]


def moment_columns(X: Any) -> list[int]:
    """Return the columns of dates, durations and periods; refuse times of day."""
    dates = date_columns(X)
    names = column_names(X) or []
    clocks = [name for name in dates if _is_clock(take_column(X, names.index(name)))]
    if clocks:
        raise SourceError(
            f"The columns {clocks[:5]} hold times of day without a date: neither "
            "numbers nor categories. Turn them into numbers first, such as hours, or "
            "drop them."
        )
    return [names.index(name) for name in dates]


def _is_clock(column: Any) -> bool:
    first = next((v for v in column.to_list() if not is_missing(v)), None)
    return isinstance(first, time)


def category_columns(X: Any) -> list[int]:
    """Return the columns to encode: neither numbers nor dates."""
    dates = set(moment_columns(X))
    return [place for place in other_columns(X) if place not in dates]


class CategoryEncoder(OneHotEncoder):
    """A one-hot encoder to which all missing values are one, of whatever dtype.

    A column may be empty in the rows to predict for, and is then read as floats.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit, as OneHotEncoder does."""
        super().fit(_as_objects(X), y)
        return self

    def transform(self, X: Any) -> Any:
        """Transform, as OneHotEncoder does."""
        return super().transform(_as_objects(X))


def _as_objects(X: Any) -> Any:
    if is_pandas(X):
        return X.astype(object).where(X.notna(), np.nan)
    if not is_frame(X):
        return X
    columns = [take_column(X, place).to_list() for place in range(X.shape[1])]
    cells = [[np.nan if is_missing(v) else v for v in column] for column in columns]
    return np.array(cells, dtype=object).T.reshape(X.shape)


def _as_dense(X: Any) -> Any:
    """Return a data frame without sparse columns, which no scaler can centre."""
    if not is_pandas(X):
        return X
    thin = {c: d.subtype for c, d in X.dtypes.items() if hasattr(d, "fill_value")}
    return X.astype(thin) if thin else X


def _same_names(transformer: object, names: Any) -> Any:
    """Return the names as they came; before `fit`, where a page asks too, none."""
    return [] if names is None else names


def numbers_of(X: Any, columns: list[int] | None, scaler: str) -> Any:
    """Return the numeric part of X as floats, checked."""
    if is_frame(X):
        columns = list(range(X.shape[1])) if columns is None else columns
        _refuse_changed(X, columns)
        X = to_floats(X, columns)
        if not columns:
            return X
    elif np.ndim(X) == 1 and isinstance(X[0], str):
        raise SourceError(
            f"scaler={scaler!r} needs columns, but X holds texts. Set scaler=None and "
            "let the estimator be a pipeline that begins with a vectorizer."
        )
    # An array of finite floats is what check_array returns, and takes its time for.
    plain = type(X) is np.ndarray and X.dtype in (np.float64, np.float32)
    if plain and X.ndim == 2 and X.size > 0:
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(X.sum()):
                return X
    return check_array(
        X,
        accept_sparse=("csr", "csc"),
        dtype=FLOAT_DTYPES,
        ensure_all_finite="allow-nan",
        input_name="X",
    )


def _refuse_changed(X: Any, columns: list[int]) -> None:
    """Refuse a column of numbers that holds something else in later rows.

    One that comes empty may have any dtype.
    """
    for place in sorted(set(columns) - set(numeric_columns(X))):
        values = take_column(X, place).to_list()
        odd = (v for v in values if not is_missing(v) and not isinstance(v, Number))
        for value in odd:
            raise SourceError(
                f"Column {column_names(X)[place]!r} of X held numbers in fit, and now "  # type: ignore[index]
                f"holds {value!r}. Give it numbers again."
            )


def _reassembled(parts: list[Any], rows: Any, names: Any) -> Any:
    """Put the rows of several sources back into their first order."""
    widths = {name: part.shape[1] for name, part in zip(names, parts)}
    if len(set(widths.values())) > 1:
        raise SourceError(
            f"The scaler gives another number of columns for each source: {widths}. "
            f"{INSIDE}"
        )
    back = np.argsort(np.concatenate(rows), kind="stable")
    return take_rows(stack_rows(parts), back)


def table_preprocessor(
    *,
    scaler: Literal["standard", "minmax", "robust"] | None = "standard",
    min_frequency: int | float | None = None,
) -> ColumnTransformer:
    """Prepare a mixed table with missing values for an estimator of numbers.

    Numeric columns are imputed by their median and scaled. Dates become numbers:
    the years since 2000, and the season, the day of the week and the time of day as
    points on a circle; durations become days. All other columns are one-hot encoded,
    a missing value being a category and an unseen one all zeros. Put it as `scaler` of
    an estimator of this package, or in front of an estimator inside a pipeline, so that
    it is fitted on training rows only.

    Read more in the :ref:`User Guide <merging>`.

    Parameters
    ----------
    scaler : {"standard", "minmax", "robust"} or None, default="standard"
        The scaling of the numeric columns.

    min_frequency : int or float, default=None
        Categories rarer than this share one column, as in
        :class:`~sklearn.preprocessing.OneHotEncoder`.

    Returns
    -------
    preprocessor : ColumnTransformer
        A plain, unfitted :class:`~sklearn.compose.ColumnTransformer`, with the
        parts "numeric", "dates" and "categorical".

    Examples
    --------
    >>> import pandas as pd
    >>> from sktandem import table_preprocessor
    >>> table = pd.DataFrame({"age": [40.0, None, 60.0], "sex": ["f", "m", "m"]})
    >>> table_preprocessor().fit_transform(table).round(1)
    array([[-1.2,  1. ,  0. ],
           [ 0. ,  0. ,  1. ],
           [ 1.2,  0. ,  1. ]])
    """
    # A column without a single value stays, as a constant: sources may differ
    # in what they measured, and a fold must not change the width.
    dense = FunctionTransformer(_as_dense, feature_names_out=_same_names)
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    scaling = []
    if scaler is not None:
        check_scaler_name(scaler)
        classes = (StandardScaler, MinMaxScaler, RobustScaler)
        scaling.append(dict(zip(NAMED_SCALERS, classes))[scaler]())
    encoder = CategoryEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=min_frequency,
        sparse_output=False,
    )
    return ColumnTransformer(
        [
            ("numeric", make_pipeline(dense, imputer, *scaling), typed_numbers),
            ("dates", make_pipeline(DateEncoder(), imputer, *scaling), moment_columns),
            ("categorical", encoder, category_columns),
        ],
        verbose_feature_names_out=False,
    )


def follows_scales(transformer: Any) -> bool | None:
    """Tell what comes of numbers that are moved and stretched before they get here.

    True where they leave it as the first columns, moved and stretched alike; False
    where nothing of it is left; None where nobody knows. A `table_preprocessor` fills
    a column by its own median, so that with it either holds.
    """
    if type(transformer) is not ColumnTransformer or len(transformer.transformers) != 3:
        return None
    plain = (transformer.remainder, transformer.transformer_weights) == ("drop", None)
    parts, (numbers, _, rest) = zip(*[part[1:] for part in transformer.transformers])
    ours = numbers is typed_numbers and rest is category_columns
    if not plain or not ours or type(parts[0]) is not Pipeline:
        return None
    first, imputer, *scaling = (step for _, step in parts[0].steps)
    median = "SimpleImputer(keep_empty_features=True, strategy='median')"
    if getattr(first, "func", None) is not _as_dense or repr(imputer) != median:
        return None
    scalers = ("StandardScaler()", "MinMaxScaler()", "RobustScaler()")
    named = all(repr(scaler) in scalers for scaler in scaling)
    return not scaling if named else None
