"""A fitted merge as a plain pipeline of scikit-learn, with nothing of ours in it."""

from __future__ import annotations

import copy
import pickle
import pickletools
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)

from sktandem.data._tables import pandas_for
from sktandem.exceptions import SourceError
from sktandem.scaling._scalers import CategoryEncoder, ScaledByName

__all__ = ["plain_pipeline"]

OWN = "sktandem"


def plain_pipeline(model: Any) -> Pipeline:
    """Return what a fitted Merged does as scikit-learn's own steps."""
    _refuse_sources(model)
    names = getattr(model, "feature_names_in_", None)
    steps: list[Any] = []
    columns = list(range(model.n_features_in_)) if names is None else names.tolist()
    # What saw the names of columns in fit wants to see them again.
    framed = names is not None and hasattr(model.estimator_, "feature_names_in_")
    if model.source is not None:
        taken = model.source
        if not isinstance(taken, str):
            taken = columns[taken]
        kept = [column for column in columns if column != taken]
        named = names is not None
        steps.append(_selection(columns, kept, named))
        columns = kept if named else list(range(len(kept)))
    scaling = model.scaler_
    if isinstance(scaling, ScaledByName):
        steps += _scaling(scaling, columns, framed)
    elif scaling is not None:
        chosen = scaling.own[0] if scaling.own else scaling.pooled
        steps.append(_without_ours(chosen))
    pipeline = make_pipeline(*steps, _without_ours(model.estimator_))
    _refuse_ours(pipeline)
    return pipeline


def _refuse_sources(model: Any) -> None:
    because = model._depends_on_source()
    if because is None and model.representation != "shared":
        because = f"representation is {model.representation!r}"
    if because is None and model.target_scaler_ is not None:
        because = "y was scaled by source"
    if because is not None:
        raise SourceError(
            "A plain pipeline takes no sources, but predictions depend on them: "
            f"{because}. Fit with scale_by='pooled', representation='shared' and "
            "scale_target_by=None, or save the model itself."
        )
    ours = getattr(model, "classes_", None)
    if isinstance(ours, np.ndarray) and model.estimator_.classes_.dtype != ours.dtype:
        raise SourceError(
            f"The classes are numbers and strings, {ours.tolist()[:5]}, which an "
            "estimator of scikit-learn cannot hold. Spell them alike: labels='str' of "
            "stack_sources."
        )


def _selection(columns: list[Any], kept: list[Any], named: bool) -> ColumnTransformer:
    """Return a fitted transformer that keeps some columns, in their order."""
    selection = ColumnTransformer(
        [("kept", "passthrough", kept)], verbose_feature_names_out=False
    )
    return selection.fit(_example(columns, named, selection))


def _example(columns: list[Any], named: bool, transformer: Any) -> Any:
    """Return a row with these columns, to fit what asks for no more than them."""
    row = np.zeros((1, len(columns)))
    if not named:
        return row
    transformer.set_output(transform="pandas")
    return pandas_for("to_pipeline").DataFrame(row, columns=columns)


def _scaling(scaling: ScaledByName, columns: list[Any], framed: bool) -> list[Any]:
    scaler = _unfitted_scaler(scaling)
    places = scaling.columns
    named = bool(columns) and isinstance(columns[0], str)
    if places is None or len(places) == len(columns):
        scaler.fit(_example(columns, framed, scaler))
        return [_with_maps(scaler, scaling)]
    chosen = [columns[place] for place in places]
    parts = ColumnTransformer(
        [("scaled", scaler, chosen)],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    parts.fit(_example(columns, named, parts))
    _with_maps(parts.named_transformers_["scaled"], scaling)
    # The scaled columns come first now, and go back to where they were.
    rest = [column for column in columns if column not in chosen]
    order = [*chosen, *rest]
    if not named:
        back = [order.index(column) for column in columns]
        return [parts, _selection(list(range(len(order))), back, named)]
    return [parts, _selection(order, columns, named)]


def _unfitted_scaler(scaling: ScaledByName) -> Any:
    """Return the scaler of a name; it moves nothing where nothing was moved in fit."""
    moves = bool(scaling.maps.center[-1].any())
    if scaling.scaler == "standard":
        return StandardScaler(with_mean=moves)
    if scaling.scaler == "robust":
        return RobustScaler(with_centering=moves)
    return MinMaxScaler() if moves else MaxAbsScaler()  # the former takes no sparse X


def _with_maps(scaler: Any, scaling: ScaledByName) -> Any:
    """Set what fit would have learned."""
    center, scale = scaling.maps.center[-1], scaling.maps.scale[-1]
    if isinstance(scaler, StandardScaler):
        scaler.mean_, scaler.scale_, scaler.var_ = center, scale, scale**2
    elif isinstance(scaler, RobustScaler):
        scaler.center_, scaler.scale_ = center, scale
    elif isinstance(scaler, MaxAbsScaler):
        scaler.max_abs_, scaler.scale_ = scale, scale
    else:
        scaler.data_min_, scaler.data_max_ = center, center + scale
        scaler.data_range_, scaler.scale_ = scale, 1 / scale
        scaler.min_ = -center / scale
    return scaler


# Transformers


def _without_ours(fitted: Any) -> Any:
    """Return a copy with scikit-learn's own parts for those of `table_preprocessor`.

    They do the same for numbers, strings and NaN.
    """
    if isinstance(fitted, Pipeline):
        steps = [(name, _without_ours(step)) for name, step in fitted.steps]
        return copy.copy(fitted).set_params(steps=steps)
    transformer = copy.deepcopy(fitted)
    if not isinstance(transformer, ColumnTransformer):
        return transformer
    parts = [
        (name, "drop" if len(columns) == 0 else _plain_part(part), columns)
        for name, part, columns in transformer.transformers_
    ]
    given = [name for name, _, _ in transformer.transformers]
    transformer.transformers_ = parts
    # Columns that were found by a function, which would be looked for by its name.
    transformer.transformers = [part for part in parts if part[0] in given]
    return transformer


def _plain_part(part: Any) -> Any:
    if type(part) is CategoryEncoder:
        encoder = OneHotEncoder()
        vars(encoder).update(vars(part))
        vars(encoder).pop("feature_names_in_", None)  # the array before has no names
        return make_pipeline(_missing_as_nan(part), encoder)
    if isinstance(part, Pipeline):
        part.steps = [step for step in part.steps if not _makes_dense(step[1])]
    return part


def _missing_as_nan(encoder: CategoryEncoder) -> SimpleImputer:
    """Return what makes objects of all cells, and NaN of those that are missing.

    So our encoder reads them, of whatever dtype they come.
    """
    imputer = SimpleImputer(
        missing_values=pandas_for("to_pipeline").NA,
        strategy="constant",
        fill_value=np.nan,
        keep_empty_features=True,
    )
    example = np.array([[c[0] for c in encoder.categories_]], dtype=object)
    names = getattr(encoder, "feature_names_in_", None)
    if names is not None:
        example = pandas_for("to_pipeline").DataFrame(example, columns=names)
    return imputer.set_output(transform="default").fit(example.astype(object))


def _makes_dense(step: Any) -> bool:
    """Tell the step that takes a data frame's sparse columns, and no others."""
    module = str(getattr(getattr(step, "func", None), "__module__", ""))
    return isinstance(step, FunctionTransformer) and module.split(".")[0] == OWN


def _refuse_ours(pipeline: Pipeline) -> None:
    """Refuse what only this package could open."""
    strings = [
        str(value)
        for code, value, _ in pickletools.genops(pickle.dumps(pipeline, protocol=2))
        if code.name in ("GLOBAL", "STACK_GLOBAL") and value is not None
    ]
    ours = sorted({s.replace(" ", ".") for s in strings if s.split(".")[0] == OWN})
    if ours:
        dates = any(name.endswith("DateEncoder") for name in ours)
        remedy = (
            "Turn dates into numbers before fit, such as days since a fixed day."
            if dates
            else "Save the model itself."
        )
        raise SourceError(
            f"The pipeline would hold {', '.join(ours)}, which only this package can "
            f"open. {remedy}"
        )
