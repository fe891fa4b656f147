"""The target of a merge: y as the estimator inside gets it, and its answers back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from sktandem.data._cells import class_codes, classes_by_source, mixes_kinds
from sktandem.data._sources import Sources
from sktandem.merge._plan import MergePlan
from sktandem.merge._stream import as_columns
from sktandem.scaling._affine import fit_affine

__all__ = ["as_given", "fit_targets"]


def fit_targets(
    model: Any, y: NDArray[Any], plan: MergePlan
) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return y as the estimator gets it, and what was learned of it by name."""
    learned: dict[str, Any] = {"target_scaler_": None}
    if is_classifier(model.estimator):
        single = y.ndim == 1 or y.shape[1] == 1
        own = classes_by_source(plan.sources, y) if single else {}
        learned["classes_by_source_"] = own
        # scikit-learn cannot hold numbers and strings in one y: such classes
        # go in as codes, and come back by their own names.
        if y.dtype == object and mixes_kinds(y.ravel()):
            learned["classes_"], y = class_codes(y)
    elif model.scale_target_by == "source":
        columns = as_columns(y)
        maps = fit_affine("standard", columns, plan.sources, plan.weights, of="y")
        y = maps.forward(columns, plan.sources.codes).reshape(y.shape)
        learned["target_scaler_"] = maps
    return y, learned


def as_given(model: Any, answer: NDArray[Any], sources: Sources) -> NDArray[Any]:
    """Return predictions as y was given: by the names of classes, in its units."""
    if _knows_codes(model):
        return np.asarray(model.classes_[answer])
    if model.target_scaler_ is None:
        return answer
    columns = np.reshape(answer, (len(answer), -1))
    codes = sources.among(model._all_sources()).codes
    columns = model.target_scaler_.inverse(columns, codes)
    return np.asarray(columns.reshape(answer.shape))


def _knows_codes(model: Any) -> bool:
    """Tell whether the inner estimator knows the classes by codes only."""
    classes = getattr(model, "classes_", None)
    if not isinstance(classes, np.ndarray):  # of numbers, or several outputs
        return False
    inner: NDArray[Any] = model.estimator_.classes_
    return classes.dtype == object and inner.dtype != object
