"""The features of a merge: X scaled, with the source shown as is asked for."""

from __future__ import annotations

from typing import Any

from sklearn.utils import get_tags

from sktandem.data._sources import Sources
from sktandem.merge._plan import MergePlan
from sktandem.merge._representation import represent
from sktandem.scaling._scalers import FittedScaler, fit_named, fit_transformers

__all__ = ["features_of", "fit_features"]


def fit_features(
    model: Any, X: Any, y: Any, plan: MergePlan, inner: Any
) -> tuple[FittedScaler | None, Any]:
    """Return the fitted scaling, if any, and the features of the rows it has seen."""
    how = {"scale_by": model.scale_by, "weights": plan.weights}
    sources = plan.sources
    if model.scaler is None:
        return None, features_of(model, X, sources, None, inner)
    if isinstance(model.scaler, str):
        named = fit_named(model.scaler, X, sources, **how)
        # Not scaled before: it is while the rows are copied to where they are wanted.
        return named, features_of(model, X, sources, named, inner)
    scaler, scaled = fit_transformers(model.scaler, X, y, sources, **how)
    # Scaled already: of some transformers, such as target encoders, what training
    # rows become is not what `transform` would make of them.
    return scaler, features_of(model, scaled, sources, None, inner)


def features_of(
    model: Any, X: Any, sources: Sources, scaler: FittedScaler | None, inner: Any
) -> Any:
    """Return the features that an estimator gets of rows; None scales nothing."""
    return represent(
        X,
        sources.codes,
        sources.names,
        model.representation,
        allow_sparse=get_tags(inner).input_tags.sparse,
        scaler=scaler,
    )
