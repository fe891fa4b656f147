"""Holes: where a member is filled with the estimator that is compared."""

from __future__ import annotations

import inspect
from typing import Any

from sklearn.base import clone, is_classifier, is_regressor
from sklearn.pipeline import Pipeline

from sktandem._routing import fits_by_source, unweighted
from sktandem._settings import is_estimator
from sktandem._typing import RandomState
from sktandem.exceptions import SourceError
from sktandem.merge import Merged
from sktandem.merge._inner import seeded_clone

__all__ = [
    "as_model",
    "changed",
    "check_estimator",
    "check_weighted",
    "filled",
    "holds_net",
    "hole_of",
    "is_net",
    "made_unit",
    "takes_weights",
]

OUR_NETS = "sktandem.nn._estimator.FitsNet"


# Nets are known by the names of their classes: to import those would load torch.


def is_net(estimator: Any) -> bool:
    """Tell a skorch net, or one of our own nets, without importing torch."""
    return _is_skorch(estimator) or _is_a(estimator, OUR_NETS)


def _is_skorch(estimator: Any) -> bool:
    modules = [kind.__module__.split(".")[0] for kind in type(estimator).__mro__]
    return "skorch" in modules


def _is_a(estimator: Any, name: str) -> bool:
    kinds = [f"{kind.__module__}.{kind.__name__}" for kind in type(estimator).__mro__]
    return name in kinds


def holds_net(estimator: Any) -> bool:
    """Tell whether an estimator is a net, or one stands in it, at whatever depth."""
    return is_net(estimator) or any(map(is_net, estimator.get_params().values()))


def takes_weights(estimator: Any) -> bool:
    """Tell whether the rows of this estimator can be weighted."""
    return not is_net(estimator) and unweighted(estimator) is None


def as_model(estimator: Any) -> Any:
    """Return what says of which kind an estimator is: a net as a net on sources."""
    return _shared_net(net=estimator) if _is_skorch(estimator) else estimator


def check_estimator(owner: Any) -> None:
    """Refuse a hole, and what is neither a classifier, a regressor nor a net."""
    estimator, name = owner.estimator, type(owner).__name__
    if estimator is None:
        raise SourceError(
            f"{name} has no estimator to fit. Pass a classifier, a regressor or a net, "
            f"such as {name}(LogisticRegression()). None is for compare_strategies and "
            "Tandem, which put theirs in."
        )
    model = as_model(estimator)
    if not is_estimator(model) or not (is_classifier(model) or is_regressor(model)):
        last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        of = "" if last is estimator else "a pipeline that ends in "
        raise SourceError(
            f"{name} needs a classifier, a regressor or a skorch net as its estimator, "
            f"got {of}{last!r}."
        )


def check_weighted(owner: Any) -> None:
    """Refuse an estimator whose rows cannot be weighted."""
    if not takes_weights(owner.estimator):
        reason = f"{type(owner.estimator).__name__}.fit takes no sample_weight"
        if not is_net(owner.estimator):
            reason = unweighted(owner.estimator) or reason
        raise SourceError(
            f"{type(owner).__name__} weights rows, and {reason}. Use an estimator that "
            "does, or another member: Merged(balance_by='oversample') needs no weights."
        )


def made_unit(estimator: Any, *, scaler: Any, random_state: RandomState) -> Any:
    """Return what is fitted on rows of one kind: an estimator with its scaling.

    It is a merge, which clones what it fits, and of a net one that shuffles its rows.
    """
    given = {"scaler": scaler, "random_state": random_state}
    if is_net(estimator):
        return _on_net(_shared_net(schedule="shuffled"), estimator, given)
    return Merged(estimator, **given)


def _shared_net(**given: Any) -> Any:
    from sktandem.nn._shared_net import SharedNet  # loads torch

    return SharedNet(**given)


# Filling --------------------------------------------------------------------------


def hole_of(member: Any) -> str | None:
    """Return the parameter to fill, such as "estimator" or "merged__estimator".

    A hole is the parameter `estimator` or `net` at None, of an estimator that takes
    `sample_source`: others, as those for bagging, mean a default of their own by it.
    It may be in the last step of a pipeline, or in what a search fits.
    """
    if isinstance(member, Pipeline):
        for name, step in member.steps[:-1]:
            if hasattr(step, "get_params") and hole_of(step) is not None:
                raise SourceError(
                    f"The step {name!r} of the pipeline has a hole, and only the last "
                    "step is filled with the estimator that is compared. Give "
                    f"{type(step).__name__} an estimator."
                )
        name, last = member.steps[-1]
        return _within(name, last)
    params = member.get_params(deep=False)
    for key in ("estimator", "net"):
        if key not in params:
            continue
        if params[key] is not None:
            return _within(key, params[key])
        # A task without a net means the default net, and is no hole.
        if params.get("task") is None and fits_by_source(member):
            return key
    return None


def _within(key: str, inner: Any) -> str | None:
    hole = hole_of(inner) if hasattr(inner, "get_params") else None
    return None if hole is None else f"{key}__{hole}"


def filled(member: Any, estimator: Any, *, rng: Any = None, **settled: Any) -> Any:
    """Return a clone of a member, its hole filled, for sources by keyword.

    Parameters
    ----------
    member : estimator instance
        With or without a hole.

    estimator : estimator instance
        What is put into the hole.

    rng : RandomState, default=None
        Where the seeds come from of a member without a hole of its own.

    **settled : dict
        What the comparison settles, such as `scaler`. It goes to a member with a
        hole of its own, where the member has left the setting at its default.
    """
    hole = hole_of(member)
    if hole is None or "__" in hole:
        model = clone(member)
        if hole is not None:
            model.set_params(**{hole: clone(estimator)})
        return _without_column(seeded_clone(model, rng))
    if is_net(estimator) and type(member) is Merged:
        raise SourceError(
            "Merged merges the rows of scikit-learn's estimators. Of a net the merge "
            "is SharedNet(schedule='shuffled'), which has scale_by and balance as well."
        )
    if is_net(estimator) and hole == "net":
        return _on_net(member, estimator, settled)
    given = _left_to(member, settled)
    if hole == "net":  # and no net is compared: the default one for its task
        given["task"] = "regression" if is_regressor(estimator) else "classification"
    else:
        given[hole] = clone(estimator)
    return _without_column(clone(member).set_params(**given))


def _without_column(model: Any) -> Any:
    """Let the sources come by keyword: their column is no longer in X."""
    if getattr(model, "source", None) is not None:
        model.set_params(source=None)
    return model


def _left_to(member: Any, settled: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a comparison that a member has, and left alone."""
    params, own = member.get_params(deep=False), changed(member)
    given = {k: v for k, v in settled.items() if k in params and k not in own}
    return {k: clone(v) if is_estimator(v) else v for k, v in given.items()}


def changed(member: Any) -> dict[str, Any]:
    """Return the settings of an estimator that are not the defaults of its class."""
    known = inspect.signature(type(member).__init__).parameters
    params = member.get_params(deep=False)
    return {
        key: value
        for key, value in params.items()
        if key not in known or not _same(value, known[key].default)
    }


def _same(value: Any, default: Any) -> bool:
    # By type as well, or 0 would be False, and an array would compare by element.
    return value is default or (type(value) is type(default) and value == default)


def _on_net(member: Any, estimator: Any, settled: dict[str, Any]) -> Any:
    """Return the net that is compared, with the settings of a member.

    One of our own nets keeps its settings. The member says how the sources share
    it, and what else the member has changed.
    """
    given = _left_to(member, settled)
    if _is_skorch(estimator):
        given["net"] = clone(estimator)
        return _without_column(clone(member).set_params(**given))
    given.pop("scaler", None)  # it has one of its own
    own = {key: value for key, value in changed(member).items() if key != "source"}
    how = {"schedule": member.schedule, "source": None}
    known, name = estimator.get_params(deep=False), type(estimator).__name__
    if member.heads == "source" and "scale_target_by" in known:
        how |= {"scale_target_by": "auto"}  # heads know no other way
    given = {**how, **own, **given}
    for key in given:
        if key not in known:
            raise SourceError(
                f"{name} has no {key}, which {type(member).__name__} is to set. Name "
                f"it as a strategy as it is: strategies={{'mine': {name}(...)}}."
            )
    return clone(estimator).set_params(**given)
