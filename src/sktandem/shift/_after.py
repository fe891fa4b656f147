"""The features as they leave a scaling, a transformer or a merge."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sktandem._routing import accepts_source
from sktandem._settings import is_among
from sktandem.data._sources import split_source
from sktandem.data._tables import (
    as_table,
    column_names,
    is_frame,
)
from sktandem.exceptions import SourceError
from sktandem.merge._merged import Merged

__all__ = ["names_after", "through"]


def through(
    after: Any, X: Any, y: Any, labels: list[Hashable], source: str | int | None
) -> tuple[Any, Any]:
    """Return the features as they leave an estimator, and its last fitted step."""
    last = None
    steps = list(after) if isinstance(after, Pipeline) else [after]
    by_column = any(getattr(step, "source", None) is not None for step in steps)
    if source is not None and not by_column:
        X, _ = split_source(X, None, source)
    for step in steps:
        if is_among(step, (None, "passthrough")):
            continue
        merged = isinstance(step, Merged)
        if not merged and not hasattr(step, "transform"):
            if step is steps[-1] and len(steps) > 1:
                break  # the model at the end of a pipeline gets X as it now is
            raise SourceError(
                f"after={step!r} has no transform. Pass a transformer, a pipeline, or "
                "a merged estimator, whose scaling is then shown."
            )
        X, last = _through_one(step, X, y, labels)
        if merged:
            return as_table(X), last
    if by_column and source is not None:
        X, _ = split_source(X, None, source)
    return as_table(X), last


def _through_one(step: Any, X: Any, y: Any, labels: list[Hashable]) -> tuple[Any, Any]:
    """Return X as it leaves one step, and the step, fitted first if need be."""
    by_column = getattr(step, "source", None) is not None
    given = {} if by_column else {"sample_source": labels}
    merged = isinstance(step, Merged)
    try:
        check_is_fitted(step)
    except NotFittedError:
        if merged and y is None:
            raise SourceError(
                f"after={step!r} is not fitted, and fitting it needs y. Pass y, or "
                "fit it first."
            ) from None
        step = clone(step)
        step.fit(X, y, **(given if accepts_source(step, "fit") else {}))
    if merged:
        return step._features(step._read(X, **given)), step
    takes = given if accepts_source(step, "transform") else {}
    return step.transform(X, **takes), step


def names_after(step: Any, through: Any, features: Any) -> Sequence[Hashable] | None:
    """Return the names of the columns as the last step made them."""
    if is_frame(through):
        return None
    came = column_names(features)
    try:
        names = list(step.get_feature_names_out())
    except (AttributeError, ValueError, NotFittedError):
        names = []
    width = through.shape[1]
    if len(names) == width and names != [f"x{place}" for place in range(width)]:
        return names
    return came if came is not None and len(came) == width else None
