"""The unit that all strategies fit: an estimator with its scaling, or a net."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from sklearn.base import clone, is_classifier, is_regressor
from sklearn.pipeline import Pipeline

from sktandem._routing import weight_key
from sktandem.exceptions import SourceError
from sktandem.merge import Merged
from sktandem.merge._inner import seeded_clone

__all__ = [
    "alternating",
    "by_keyword",
    "check_folds",
    "is_net",
    "make_unit",
    "multi_head",
    "takes_weights",
]

# What a net of several heads takes from one that trains in turns.
SHARED = (
    "net",
    "batch_size",
    "validation_fraction",
    "keep",
    "average",
    "scaler",
    "scale_by",
    "verbose",
)


def is_net(estimator: Any) -> bool:
    """Tell a skorch net, or one of our own nets, without importing torch."""
    return _is_skorch(estimator) or _is_alternating(estimator)


def _is_skorch(estimator: Any) -> bool:
    modules = [kind.__module__.split(".")[0] for kind in type(estimator).__mro__]
    return "skorch" in modules


def _is_alternating(estimator: Any) -> bool:
    kinds = [f"{kind.__module__}.{kind.__name__}" for kind in type(estimator).__mro__]
    return "sktandem.nn._alternating.BaseAlternating" in kinds


def takes_weights(estimator: Any) -> bool:
    """Tell whether the rows of this estimator can be weighed."""
    return not is_net(estimator) and weight_key(estimator) is not None


def check_folds(strategy: Any) -> None:
    """Refuse a number of inner folds that leaves nothing to train on."""
    whole = isinstance(strategy.cv, Integral) and not isinstance(strategy.cv, bool)
    if not whole or strategy.cv < 2:
        raise SourceError(
            f"{type(strategy).__name__} needs cv, a whole number of at least 2, got "
            f"{strategy.cv!r}."
        )


def by_keyword(estimator: Any, rng: Any) -> Any:
    """Clone a user's estimator, seeded, for sources that come by keyword.

    A column that it may name is taken out of X before it gets there.
    """
    model = seeded_clone(estimator, rng)
    if getattr(model, "source", None) is not None:
        model.set_params(source=None)
    return model


def make_unit(estimator: Any, **settings: Any) -> Any:
    """Return the estimator as a merge; a net as one that shuffles its sources."""
    if is_net(estimator):
        return alternating(estimator, "shuffled", **settings)
    if is_classifier(estimator) or is_regressor(estimator):
        return Merged(clone(estimator), **settings)
    raise SourceError(
        "A strategy is built on a classifier, a regressor or a skorch net, got "
        f"{_named(estimator)}."
    )


def alternating(estimator: Any, schedule: Any, **settings: Any) -> Any:
    """Return a net that trains by `schedule`, built on a net or for an estimator."""
    from sktandem.nn import AlternatingClassifier, AlternatingRegressor

    if schedule is not None:
        settings = {**settings, "schedule": schedule}
    if _is_alternating(estimator):
        settings.pop("scaler", None)  # it has one of its own
        return clone(estimator).set_params(**_that_apply(estimator, settings))
    net = clone(estimator) if _is_skorch(estimator) else None
    if not is_regressor(estimator):
        return AlternatingClassifier(
            net, **_that_apply(AlternatingClassifier(), settings)
        )
    settings["scale_target_by"] = settings.get("scale_target_by") or "pooled"
    return AlternatingRegressor(net, **_that_apply(AlternatingRegressor(), settings))


def multi_head(estimator: Any, **settings: Any) -> Any:
    """Return a net with a head for each source, on a net or for an estimator."""
    from sktandem.nn import MultiHeadClassifier, MultiHeadRegressor

    kind = MultiHeadRegressor if is_regressor(estimator) else MultiHeadClassifier
    if _is_alternating(estimator):
        _refuse_net_of_its_own(estimator)
        kept = {key: getattr(estimator, key) for key in SHARED}
        return clone(kind(**{**settings, **kept}))
    return kind(clone(estimator) if _is_skorch(estimator) else None, **settings)


def _refuse_net_of_its_own(estimator: Any) -> None:
    """Refuse an estimator that builds its net itself, as those for texts do."""
    if "net" not in estimator.get_params(deep=False):
        name = type(estimator).__name__
        raise SourceError(
            f"{name} builds its own net, on which no other heads can be put. Name it "
            f"as a strategy: strategies={{'as it is': {name}(...)}}."
        )


def _that_apply(net: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that a net has; refuse those of merges that it lacks."""
    known = net.get_params(deep=False)
    idle = {
        "balance": None,
        "representation": "shared",
        "scale_by": "pooled",
        "scale_target_by": None,
    }
    lacking = {
        key: value
        for key, value in settings.items()
        if key not in known and value != idle.get(key)
    }
    if lacking:
        told = ", ".join(f"{key}={value!r}" for key, value in lacking.items())
        raise SourceError(
            f"Merged({told}) is not for nets: {type(net).__name__} takes no "
            f"{next(iter(lacking))}. Use Alternating with a schedule such as "
            "SampledAlternation, or MultiHead."
        )
    return {key: value for key, value in settings.items() if key in known}


def _named(estimator: Any) -> str:
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    return f"{estimator!r}" if last is estimator else f"a pipeline that ends in {last}"
