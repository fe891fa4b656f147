"""Strategies by name: the user's own, or a list that suits the estimator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.base import clone, is_regressor

from sktandem.exceptions import SourceError
from sktandem.members._alternating import Alternating
from sktandem.members._merged import Merged
from sktandem.members._multihead import MultiHead
from sktandem.members._own import OwnModels
from sktandem.members._similarity import SimilarityWeighted
from sktandem.members._stacked import StackedPrediction
from sktandem.members._strategy import Strategy
from sktandem.members._units import is_net, takes_weights
from sktandem.members._weighted import WeightedMerge

__all__ = ["REFERENCE", "default_strategies", "resolve_strategies"]

REFERENCE = OwnModels.name
LISTS = ("default", "all")


def default_strategies(
    estimator: Any,
    *,
    every: bool = False,
    columns: bool = True,
    scaler: Any = "standard",
) -> list[Strategy]:
    """Return the strategies that suit an estimator, the simplest first.

    Parameters
    ----------
    estimator : estimator instance
        A classifier, a regressor, or a skorch net.

    every : bool, default=False
        Whether to return all that can be built on it.

    columns : bool, default=True
        Whether X has columns. A list of texts has none to scale or to add to.

    scaler : str, transformer or None, default="standard"
        How features reach the estimator. Only a named scaler ("standard", ...)
        is sure to make the same columns of every source.

    Returns
    -------
    strategies : list of Strategy
        Own models first. Of nets: shuffled, in turns and a head for each. Of
        others: merged in several ways, weighted and stacked.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sktandem.members import default_strategies
    >>> [strategy.name for strategy in default_strategies(Ridge())][:2]
    ['own models', 'merged']
    """
    own, merged = OwnModels(), Merged()
    if is_net(estimator):
        more = [StackedPrediction(), Merged(scale_by="source")] if every else []
        return [own, merged, Alternating(), MultiHead(), *more]
    weighs = takes_weights(estimator)
    by_source = columns and isinstance(scaler, str)
    strategies: list[Strategy] = [own, merged]
    strategies += [Merged(scale_by="source")] if by_source else []
    strategies += [Merged(balance="sources")] if weighs else []
    strategies += [Merged(representation="indicator")] if columns else []
    if every:
        strategies += [Merged(representation="augmented")] if columns else []
        if is_regressor(estimator):
            strategies.append(Merged(scale_target_by="source"))
        strategies += [SimilarityWeighted()] if weighs and columns else []
    strategies += [WeightedMerge()] if weighs else []
    return [*strategies, *([StackedPrediction()] if columns else [])]


def resolve_strategies(
    strategies: Any,
    estimator: Any,
    *,
    columns: bool = True,
    scaler: Any = "standard",
) -> dict[str, Any]:
    """Return strategies and estimators by name, own models first.

    Parameters
    ----------
    strategies : {"default", "all"}, sequence of Strategy or dict
        A list that suits the estimator, strategies, or strategies and
        estimators by name.

    estimator : estimator instance
        What they will be built on.

    columns : bool, default=True
        Whether X has columns, for the lists that suit.

    scaler : str, transformer or None, default="standard"
        How features reach the estimator, for the lists that suit.

    Returns
    -------
    strategies : dict of {str: Strategy or estimator}
        The reference first, the rest in order.

    Raises
    ------
    SourceError
        If it is none of these, or two have one name.
    """
    if isinstance(strategies, str):
        if strategies not in LISTS:
            raise SourceError(
                f"strategies must be one of {list(LISTS)}, a list of strategies such "
                f"as [Merged()], or a dict of them by name, got {strategies!r}."
            )
        every = strategies == "all"
        listed = default_strategies(
            estimator, every=every, columns=columns, scaler=scaler
        )
        return {strategy.name: strategy for strategy in listed}
    if isinstance(strategies, Strategy):
        strategies = [strategies]
    if isinstance(strategies, Mapping):
        named = {str(name): _checked(value) for name, value in strategies.items()}
    else:
        named = _by_name(strategies)
    apart = {key: value for key, value in named.items() if not _is_own(value)}
    own = {key: value for key, value in named.items() if _is_own(value)}
    if REFERENCE in apart:
        raise SourceError(
            f"{REFERENCE!r} is the reference, each source's own model. Give the "
            "strategy of that name another one."
        )
    return {**(own or {REFERENCE: OwnModels()}), **apart}


def _is_own(strategy: Any) -> bool:
    return isinstance(strategy, OwnModels)


def _by_name(strategies: Any) -> dict[str, Any]:
    named: dict[str, Any] = {}
    if not isinstance(strategies, Iterable) or hasattr(strategies, "fit"):
        raise SourceError(
            "strategies must be a list of strategies such as [Merged()], a dict of "
            f"them by name, or one of {list(LISTS)}, got {strategies!r}."
        )
    for strategy in strategies:
        strategy = _checked(strategy)
        if not isinstance(strategy, Strategy):
            raise SourceError(
                f"A list holds strategies, got {strategy!r}. An estimator goes under a "
                "name of its own: strategies={'mine': estimator}."
            )
        if strategy.name in named:
            raise SourceError(
                f"Two strategies are called {strategy.name!r}. Pass a dict with a name "
                "for each."
            )
        named[strategy.name] = strategy
    return named


def _checked(value: Any) -> Any:
    if isinstance(value, type):
        raise SourceError(
            f"A strategy must be an instance, got the class {value.__name__}. Pass "
            f"{value.__name__}()."
        )
    if isinstance(value, Strategy):
        return value
    if not hasattr(value, "fit") or not hasattr(value, "get_params"):
        raise SourceError(
            f"A strategy is an object of sktandem.members or an estimator, got "
            f"{value!r}."
        )
    return clone(value)
