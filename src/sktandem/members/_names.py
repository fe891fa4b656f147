"""Members by name: the user's own, or a list that suits the estimator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.base import clone, is_regressor

from sktandem._routing import fits_by_source
from sktandem.exceptions import SourceError
from sktandem.members._fill import changed, hole_of, is_net, takes_weights
from sktandem.members._own import OnlySource, OwnModels
from sktandem.members._similarity import SimilarityWeighted
from sktandem.members._stacked import StackedPrediction
from sktandem.members._weighted import WeightedMerge
from sktandem.merge import Merged

__all__ = ["REFERENCE", "default_members", "member_name", "resolve_members"]

REFERENCE = "own models"
LISTS = ("default", "all")
NAMES = {
    "OwnModels": REFERENCE,
    "OnlySource": "only",
    "WeightedMerge": "weighted",
    "SimilarityWeighted": "similarity weighted",
    "StackedPrediction": "stacked",
    "StackedOwnModels": "own as a feature",
    "OtherSources": "other sources",
}
# Settings that no name speaks of; a dict of names tells apart what differs in them.
UNSPOKEN = (
    *("source", "random_state", "verbose", "n_jobs", "cache", "steps"),
    *("weights", "classifier", "clip", "cv"),
)


def member_name(member: Any) -> str:
    """Return what tables call a member: a few words, others for other settings."""
    own = {k: v for k, v in changed(member).items() if k not in UNSPOKEN}
    kind = type(member).__name__
    if isinstance(member, Merged):
        words = _merge_words("merged", own)
    elif kind == "SharedNet":
        words = _net_words(own)
    elif isinstance(member, OnlySource):
        words = [f"only {own.pop('name', None)}"]
    else:
        words = [NAMES.get(kind, kind)]
    return ", ".join([*words, *(_setting(key, value) for key, value in own.items())])


def _merge_words(first: str, own: dict[str, Any]) -> list[str]:
    """Return the words of a merge, and take what they say out of its settings."""
    words = [first]
    if own.pop("scale_by", None) == "source":
        words.append("scaled by source")
    balance = own.pop("balance", None)
    if isinstance(balance, str):
        words.append(f"{balance} balanced")
    elif balance is not None:
        shares = ", ".join(f"{name} {share:g}" for name, share in balance.items())
        words.append(f"balanced ({shares})")
    representation = own.pop("representation", None)
    if representation is not None:
        kinds = {"indicator": "with indicator"}
        words.append(kinds.get(representation, representation))
    scaled = own.pop("scale_target_by", None)
    if scaled is not None:
        words.append(f"target scaled by {scaled}")
    return words


def _net_words(own: dict[str, Any]) -> list[str]:
    schedule = own.pop("schedule", "auto")
    named = schedule if isinstance(schedule, str) else type(schedule).__name__
    own.pop("task", None)
    if own.get("heads") == "source":
        del own["heads"]
        usual = named in ("auto", "joint")
        return ["a head for each"] if usual else ["a head for each", f"by {named}"]
    if named == "shuffled":
        return _merge_words("merged", own)
    return [f"in turns by {'batches' if named == 'auto' else named}"]


def _setting(key: str, value: Any) -> str:
    if hasattr(value, "get_params"):
        return f"{'of' if key in ('estimator', 'net') else key} {type(value).__name__}"
    return f"{key}={value!r}"


def default_members(
    estimator: Any,
    *,
    every: bool = False,
    columns: bool = True,
    scaler: Any = "standard",
) -> list[Any]:
    """Return the members that suit an estimator, the simplest first.

    Parameters
    ----------
    estimator : estimator instance
        A classifier, a regressor, or a skorch net.

    every : bool, default=False
        Whether to return all that can be built on it.

    columns : bool, default=True
        Whether X has columns. A list of strings has none to scale or to add to.

    scaler : str, transformer or None, default="standard"
        How features reach the estimator. Only a named scaler ("standard", ...)
        is sure to make the same columns of every source.

    Returns
    -------
    members : list of estimator
        Own models first. Of nets: shuffled, in turns and a head for each. Of
        others: merged in several ways, weighted and stacked.
    """
    if is_net(estimator):
        return _for_nets(every)
    weighted = takes_weights(estimator)
    by_source = columns and isinstance(scaler, str)
    members: list[Any] = [OwnModels(), Merged()]
    members += [Merged(scale_by="source")] if by_source else []
    members += [Merged(balance="sources")] if weighted else []
    members += [Merged(representation="indicator")] if columns else []
    if every:
        members += [Merged(representation="augmented")] if columns else []
        if is_regressor(estimator):
            members.append(Merged(scale_target_by="source"))
        members += [SimilarityWeighted()] if weighted and columns else []
    members += [WeightedMerge()] if weighted else []
    return [*members, *([StackedPrediction()] if columns else [])]


def _for_nets(every: bool) -> list[Any]:
    from sktandem.nn._shared_net import SharedNet  # loads torch

    members = [OwnModels(), SharedNet(schedule="shuffled"), SharedNet()]
    members.append(SharedNet(heads="source"))
    scaled = SharedNet(schedule="shuffled", scale_by="source")
    return [*members, StackedPrediction(), scaled] if every else members


def resolve_members(
    strategies: Any,
    estimator: Any,
    *,
    columns: bool = True,
    scaler: Any = "standard",
    argument: str = "strategies",
) -> dict[str, Any]:
    """Return clones of members and other estimators by name, own models first.

    Parameters
    ----------
    strategies : {"default", "all"}, list of estimator or dict
        A list that suits the estimator, members, or any estimators by name.

    estimator : estimator instance
        What they will be filled with.

    columns : bool, default=True
        Whether X has columns, for the lists that suit.

    scaler : str, transformer or None, default="standard"
        How features reach the estimator, for the lists that suit.

    argument : str, default="strategies"
        What the user calls them.

    Returns
    -------
    members : dict of {str: estimator}
        The reference first, the rest in order.

    Raises
    ------
    SourceError
        If it is none of these, or two have one name.
    """
    if isinstance(strategies, str):
        if strategies not in LISTS:
            raise SourceError(
                f"strategies must be one of {list(LISTS)}, a list of members such "
                f"as [Merged()], or a dict of them by name, got {strategies!r}."
            )
        suit = {"every": strategies == "all", "columns": columns, "scaler": scaler}
        listed = default_members(estimator, **suit)
        return {member_name(member): member for member in listed}
    if isinstance(strategies, Mapping):
        named = {str(name): _checked(value) for name, value in strategies.items()}
    else:
        named = _by_name(strategies, argument)
    apart = {key: value for key, value in named.items() if not _is_own(value)}
    own = {key: value for key, value in named.items() if _is_own(value)}
    if REFERENCE in apart:
        raise SourceError(
            f"{REFERENCE!r} is the reference, each source's own model. Give the "
            "strategy of that name another one."
        )
    return {**(own or {REFERENCE: OwnModels()}), **apart}


def _is_own(member: Any) -> bool:
    return isinstance(member, OwnModels) and member.estimator is None


def _by_name(strategies: Any, argument: str) -> dict[str, Any]:
    if hasattr(strategies, "fit") and fits_by_source(strategies):
        strategies = [strategies]
    if not isinstance(strategies, Iterable) or hasattr(strategies, "fit"):
        raise SourceError(
            f"{argument} must be a list of members such as [Merged()], a dict of "
            f"them by name, or one of {list(LISTS)}, got {strategies!r}."
        )
    named: dict[str, Any] = {}
    for member in strategies:
        member = _checked(member)
        if not fits_by_source(member):
            raise SourceError(
                f"A list holds members, which take sample_source, got {member!r}. "
                "Another estimator goes under a name of its own: "
                f"{argument}={{'mine': estimator}}."
            )
        name = member_name(member)
        if name in named:
            raise SourceError(
                f"Two strategies are called {name!r}. Pass a dict with a name for each."
            )
        named[name] = member
    return named


def _checked(value: Any) -> Any:
    if isinstance(value, type):
        raise SourceError(
            f"A strategy must be an instance, got the class {value.__name__}. Pass "
            f"{value.__name__}()."
        )
    if not hasattr(value, "fit") or not hasattr(value, "get_params"):
        raise SourceError(
            f"A strategy is a member such as Merged(), or another estimator, got "
            f"{value!r}."
        )
    hole_of(value)  # which refuses a hole where nothing could be put in
    return clone(value)
