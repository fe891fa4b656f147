"""A merge that is fitted a part of the rows at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import check_random_state

from sktandem._settings import check_integer, refuse_others
from sktandem.data._cells import (
    as_target,
    class_codes,
    known_codes,
    mixes_kinds,
    refuse_words,
)
from sktandem.data._lazy import refuse_items
from sktandem.data._rows import Rows
from sktandem.data._sources import ONLY_SOURCE
from sktandem.data._tables import take_rows
from sktandem.exceptions import SourceError
from sktandem.merge._features import features_of
from sktandem.merge._inner import explained, go_on_inner, seeded_clone, warn_of_idle
from sktandem.merge._plan import warn_of_one_source
from sktandem.merge._stream import Stream, as_columns
from sktandem.scaling._running import KeptScaler, RunningScaler, RunningTarget

__all__ = ["check_partial", "go_on"]


def check_partial(model: Any, sources: Any) -> None:
    """Refuse settings with which rows cannot come a part at a time."""
    balance, by = model.balance, model.balance_by
    if balance is not None and by != "weight":
        raise SourceError(
            f"balance_by={by!r} draws from all rows at once, and partial_fit gets a "
            "part at a time. Use balance_by='weight'."
        )
    if not isinstance(sources, Mapping):
        return
    for name, n in sources.items():
        check_integer(f"sources[{name!r}], its number of rows,", n)
    if balance in ("classes", "both"):
        raise SourceError(
            f"sources gives the rows of each source, and balance={balance!r} needs "
            "those of its classes, too. Name the sources in a list: then rows are "
            "counted as they come."
        )


def go_on(model: Any, rows: Rows, classes: Any, counts: Any) -> dict[str, Any]:
    """Fit on more rows; return the attributes that the model then has."""
    refuse_items(f"Merged({type(model.estimator).__name__}())", rows.X)
    first = not hasattr(model, "sources_")
    stream = _stream(model, rows, classes, counts)
    known = stream.classes
    codes = None if known is None else known_codes(rows.y, known)
    # Numbers beside strings: scikit-learn cannot hold both in one y, and learns codes.
    coded = known is not None and mixes_kinds(known)
    stream, plan = stream.plan(rows, codes, model.balance)
    if len(plan.sources.codes) == 0:  # all of a source whose share is 0
        return {"_stream": stream}
    X, y = take_rows(rows.X, plan.rows), take_rows(rows.y, plan.rows)
    inner, every = model._inner()[0], None
    if is_regressor(inner):
        refuse_words(y)
    if first:
        seeded = model.random_state is not None
        rng = check_random_state(model.random_state) if seeded else None
        inner = seeded_clone(inner, rng)
        if is_classifier(inner):
            every = np.asarray(classes) if known is None else known
            every = np.arange(len(every)) if coded else every
    try:
        stream, scaler, maps = stream.scale(X, y, plan)
        features = features_of(model, X, plan.sources, scaler, inner)
        targets = take_rows(codes, plan.rows) if coded else y
        if maps is not None:
            targets = maps.forward(as_columns(y), plan.sources.codes).reshape(y.shape)
        balanced = model.balance is not None
        go_on_inner(inner, features, targets, plan.weights, every, balanced=balanced)
    except (TypeError, ValueError) as error:
        told = explained(model, error, X, y, inner)
        if told is error:
            raise
        raise told from error
    learned = {
        "estimator_": inner,
        "scaler_": scaler,
        "plan_": plan,
        "sources_": tuple(stream.n_samples),
        "n_samples_by_source_": stream.n_samples,
        "target_scaler_": maps,
        "_stream": stream,
    }
    if is_classifier(inner):
        learned["classes_"] = known if coded else inner.classes_
        learned["classes_by_source_"] = stream.own_classes()
    return learned


def _stream(model: Any, rows: Rows, classes: Any, counts: Any) -> Stream:
    """Return what earlier calls have brought, or begin."""
    classifies = is_classifier(model._inner()[0])
    if classes is not None and not classifies:
        raise SourceError(
            f"classes are for a classifier, and {type(model.estimator).__name__} is "
            "none. Leave them out."
        )
    single = rows.y.ndim == 1 or rows.y.shape[1] == 1
    if not hasattr(model, "sources_"):
        if rows.names == (ONLY_SOURCE,):
            warn_of_idle(model)
        warn_of_one_source(rows.names, model.balance)
        known = _all_classes(classes) if classifies else None
        n = len(rows.names)
        scalers = {
            "scaler": RunningScaler.of(
                model.scaler, rows.X, n if model.scale_by == "source" else 0
            ),
            "of_target": RunningTarget(n) if model.scale_target_by else None,
        }
        known = known if single else None
        begun = Stream.begin(rows.names, known, counts, **scalers)
        return replace(begun, settings=_settled(model))
    if hasattr(model, "_stream"):
        stream: Stream = model._stream
        _refuse_other_settings(stream, model)
    else:
        stream = _after_fit(model, rows, single)
    stream.refuse_other_counts(counts)
    known = stream.classes
    refuse_others("classes", classes, [] if known is None else known.tolist())
    return stream


def _after_fit(model: Any, rows: Rows, single: bool) -> Stream:
    """Return a stream that goes on from a fit, whose scaling stays."""
    scalers = {
        "scaler": None if model.scaler_ is None else KeptScaler(model.scaler_),
        "of_target": model.target_scaler_ and KeptScaler(model.target_scaler_),
    }
    classes = model.classes_ if is_classifier(model.estimator_) and single else None
    begun = Stream.begin(rows.names, classes, **scalers).going_on(
        model.n_samples_by_source_, getattr(model, "classes_by_source_", {})
    )
    return replace(begun, settings=_settled(model))


def _settled(model: Any) -> tuple[tuple[str, str], ...]:
    """Return what shapes the features and the estimator, as it prints."""
    names = (
        *("estimator", "scaler", "scale_by", "scale_target_by"),
        *("representation", "source"),
    )
    # Without addresses, which are others in another process.
    return tuple(
        (name, re.sub(r" at 0x\w+", "", repr(getattr(model, name)))) for name in names
    )


def _refuse_other_settings(stream: Stream, model: Any) -> None:
    """Refuse a setting that another call had otherwise, and that would not be heard."""
    for (name, before), (_, now) in zip(stream.settings, _settled(model)):
        if before != now:
            raise SourceError(
                f"{name} was {before} in the first partial_fit and is {now} now, which "
                "does not suit what was learned before. Set it back, or start again "
                "with a clone."
            )


def _all_classes(given: Any) -> NDArray[Any]:
    """Return the classes that the first call names."""
    if given is None:
        raise SourceError(
            "The first partial_fit of a classifier needs classes: all that will ever "
            "come, such as classes=np.unique(y)."
        )
    return class_codes(as_target(given))[0]
