"""Fitting the estimator that a merge wraps: weights, seeds, remedies."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.utils import get_tags

from sktandem._routing import fit_weighted, unweighted
from sktandem._telling import warn
from sktandem.data._sources import ONLY_SOURCE
from sktandem.data._tables import date_columns, is_frame, numeric_columns, to_floats
from sktandem.exceptions import SourceError
from sktandem.scaling._running import takes_weights
from sktandem.scaling._scalers import other_columns

MISSING = "missing values"
# What errors say that are about the values of X: of scikit-learn, NumPy and pandas.
OF_VALUES = re.compile(
    "convert|string|numeric|object|dtype|nan|missing|infinity|float|sequence|'str'",
    re.I,
)

# What sees nothing of the sources, of the settings that can.
SOURCE_BLIND = ("pooled", "shared", None)

__all__ = ["explained", "fit_inner", "go_on_inner", "seeded_clone", "warn_of_idle"]


def seeded_clone(estimator: Any, rng: np.random.RandomState | None) -> Any:
    """Clone `estimator`, with seeds drawn for every `random_state` left at None."""
    estimator = clone(estimator)
    if rng is None:
        return estimator
    # As scikit-learn's ensembles do, but for the seeds that the user has set. Sorted,
    # so that a part gets the same seed in whatever order parameters come.
    params = estimator.get_params()
    unset = [
        key
        for key in sorted(params)
        if key.split("__")[-1] == "random_state" and params[key] is None
    ]
    seeds = rng.randint(np.iinfo(np.int32).max, size=len(unset)).tolist()
    return estimator.set_params(**dict(zip(unset, seeds)))


def fit_inner(
    estimator: Any,
    X: Any,
    y: Any,
    weights: NDArray[np.float64] | None,
    *,
    balanced: bool = False,
) -> None:
    """Fit `estimator`, with weights that reach every learner inside it.

    `balanced` tells whether they are of our making, for the message.
    """
    if weights is None:
        estimator.fit(X, y)
        return
    reason = unweighted(estimator)
    if reason is None:
        try:
            fit_weighted(estimator, X, y, weights)
            return
        except UnsetMetadataPassedError as error:  # of a part that nobody foresaw
            reason = f"{type(estimator).__name__} does not hand weights on: {error}"
    raise SourceError(
        f"{reason}, so its sources cannot be balanced by weight. Use "
        "balance_by='oversample', or an estimator that does."
        if balanced
        else f"{reason}. Leave it out, or use an estimator that does. To balance "
        "sources, balance_by='oversample' needs no weights."
    )


def go_on_inner(
    estimator: Any,
    X: Any,
    y: Any,
    weights: NDArray[np.float64] | None,
    classes: NDArray[Any] | None,
    *,
    balanced: bool,
) -> None:
    """Go on fitting `estimator`; `classes` are given in its first call only."""
    more: dict[str, Any] = {} if classes is None else {"classes": classes}
    if weights is not None:
        if not takes_weights(estimator.partial_fit):
            what = (
                "so its sources cannot be balanced in parts. Use"
                if balanced
                else "and sample_weight was given. Leave it out, or use"
            )
            name = type(estimator).__name__
            raise SourceError(
                f"{name}.partial_fit takes no sample_weight, {what} "
                "an estimator that does, such as SGDClassifier or SGDRegressor."
            )
        more["sample_weight"] = weights
    estimator.partial_fit(X, y, **more)


def _learner(estimator: Any) -> str:
    """Name the estimator that would have had to take the weights."""
    while True:
        if hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "estimator"):
            estimator = estimator.estimator
        else:
            return type(estimator).__name__


def explained(model: Any, error: Exception, X: Any, y: Any, inner: Any) -> Exception:
    """Return an error of a fit with what to do, where that is known."""
    return _of_scaled_target(model, error, y) or _remedy(error, X, inner) or error


def _remedy(error: Exception, X: Any, estimator: Any) -> SourceError | None:
    """Return an error with what to do, if strings or missing values caused this one."""
    held = _hard_to_take(X)
    at_ease = held == MISSING and get_tags(estimator).input_tags.allow_nan
    if held is None or at_ease or isinstance(error, SourceError):
        return None
    told = str(error)
    # Of y, of classes or of rows, whatever X holds.
    if "Input y" in told or not OF_VALUES.search(told):
        return None
    dates = date_columns(X)
    if dates:
        return SourceError(
            f"X holds dates, times or durations ({', '.join(map(str, dates[:5]))}), "
            f"which {_learner(estimator)} did not take: {error}\n"
            "Turn them into numbers first, as scaler=table_preprocessor() does with "
            "dates and durations."
        )
    if held == "texts":
        return SourceError(
            f"X holds texts, which {_learner(estimator)} did not take: {error}\n"
            "An array has one type for all columns: pass a data frame, and "
            "scaler=table_preprocessor()."
        )
    return SourceError(
        f"X holds {held}, which {_learner(estimator)} did not take: {error}\n"
        "table_preprocessor() imputes and encodes: put it in front, as in "
        f"make_pipeline(table_preprocessor(), {_learner(estimator)}()), or pass "
        "scaler=table_preprocessor()."
    )


def _hard_to_take(X: Any) -> str | None:
    if is_frame(X):
        others = [str(X.columns[position]) for position in other_columns(X)]
        if others:
            return f"columns that are not numeric ({', '.join(others[:5])})"
        floats = to_floats(X, numeric_columns(X))
        return MISSING if np.isnan(floats).any() else None
    if getattr(X, "ndim", 0) != 2 or not isinstance(X, np.ndarray):
        return None
    if X.dtype == object:
        return "texts" if any(isinstance(v, str) for v in X.ravel()) else None
    is_float = X.dtype.kind == "f"
    return MISSING if is_float and np.isnan(X).any() else None


def _of_scaled_target(model: Any, error: Exception, y: Any) -> SourceError | None:
    """Return what to do if the estimator takes y as it came, and not below 0."""
    if model.scale_target_by is None or isinstance(error, SourceError):
        return None
    counts = y.dtype.kind in "biuf" and bool((y >= 0).all())
    if not counts or not re.search(r"\by\b", str(error)):
        return None
    return SourceError(
        f"scale_target_by={model.scale_target_by!r} makes targets below 0, which "
        f"{type(model.estimator).__name__} did not take: {error} Leave it at None."
    )


def warn_of_idle(model: Any) -> None:
    """Say so if a setting separates the sources, and no row has a source."""
    idle = [
        f"{key}={value!r}"
        for key in ("scale_by", "representation", "scale_target_by")
        if (value := getattr(model, key)) not in SOURCE_BLIND
    ]
    if idle:
        warn(
            f"Only one source, {ONLY_SOURCE!r}: {', '.join(idle)} has no effect. Pass "
            "sample_source, or name its column by source."
        )
