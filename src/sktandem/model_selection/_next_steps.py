"""What to do after a comparison: lines of code that fit what was found best."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Hashable
from typing import Any

from sklearn.base import is_regressor

from sktandem.members import __all__ as MEMBERS
from sktandem.members._fill import changed, hole_of, is_net

__all__ = ["next_steps"]

CLONE = "from sklearn.base import clone"
FIT = "model.fit(X, y, sample_source=sample_source)"


def next_steps(best: dict[Hashable, str], design: Any) -> list[str]:
    """Return what to do, in a sentence, and three lines of Python.

    Parameters
    ----------
    best : dict of {source: str}
        The strategy that is best for each source; the reference where none is
        shown to help.

    design : Design
        How the comparison was made.

    Returns
    -------
    lines : list of str
        The sentence first. The code speaks of `estimator`, `X`, `y` and
        `sample_source` as they were given to the comparison.
    """
    chosen = set(best.values())
    if len(chosen) > 1:
        todo = "fit a blend of the ways, which uses for each source what helps it"
        made = _lines("sktandem", "Tandem", ["estimator"], _scaler(design))
    else:
        (name,) = chosen
        todo = f'fit "{name}" on the rows of all sources'
        if name == design.reference:
            todo = "keep a model of its own for each source"
        made = _made(name, design)
    return [f"What to do now: {todo}.", *made, FIT]


def _made(name: str, design: Any) -> list[str]:
    """Return the lines that make a strategy again, filled as it was compared."""
    strategy, kind = design.strategies[name], type(design.strategies[name]).__name__
    again, hole = f"clone(comparison.design.strategies[{name!r}])", hole_of(strategy)
    if hole is None:
        return [CLONE, f"model = {again}"]
    own = {key: repr(value) for key, value in changed(strategy).items()}
    scaler = _scaler(design) if hasattr(strategy, "scaler") else {}
    filled = {hole: "estimator"}
    if hole == "net" and not is_net(design.estimator):  # a default net takes its place
        regresses = is_regressor(design.estimator)
        filled = {"task": repr("regression" if regresses else "classification")}
    ours = kind in (*MEMBERS, "Merged", "SharedNet")
    if not ours or is_net(design.estimator) or not all(map(_literal, own.values())):
        told = _listed(filled | {k: v for k, v in scaler.items() if k not in own})
        return [CLONE, f"model = {again}.set_params({told})"]
    room = "sktandem.members" if kind in MEMBERS else "sktandem"
    first = ["estimator"] if hole in filled else []
    rest = filled | scaler | own
    rest.pop(hole, None)
    return _lines(room, kind, first, rest)


def _lines(room: str, kind: str, first: list[str], given: dict[str, str]) -> list[str]:
    told = ", ".join([*first, _listed(given)] if given else first)
    return [f"from {room} import {kind}", f"model = {kind}({told})"]


def _listed(given: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in given.items())


def _scaler(design: Any) -> dict[str, str]:
    """Return the scaler of a comparison, where it is not the usual one."""
    told = repr(design.scaler)
    if told == repr("standard"):
        return {}
    return {"scaler": told if _literal(told) else "comparison.design.scaler"}


def _literal(text: str) -> bool:
    """Tell whether a value can be pasted without an import."""
    try:
        literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True
