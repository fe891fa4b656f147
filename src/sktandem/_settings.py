"""Checks of settings, each written once, in the user's own words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any, TypeGuard

import numpy as np

from sktandem._telling import did_you_mean
from sktandem.exceptions import SourceError

__all__ = [
    "check_choice",
    "check_integer",
    "check_known",
    "check_number",
    "check_shares",
    "check_switch",
    "is_among",
    "is_estimator",
    "is_integer",
    "is_number",
    "refuse_nested",
    "refuse_others",
]


def is_integer(value: Any) -> TypeGuard[int]:
    """Tell an integer of any library; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> TypeGuard[float]:
    """Tell a real number of any library; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_among(value: Any, known: Collection[Any]) -> bool:
    """Tell a known value; an array, which would compare by its elements, is none."""
    return isinstance(value, Hashable) and value in known


def is_estimator(value: Any) -> bool:
    """Tell an instance that can be fitted; a class, a name or a module is none."""
    fits = hasattr(value, "fit") and hasattr(value, "get_params")
    return fits and not isinstance(value, type)


def check_choice(
    setting: str, given: Any, known: Collection[Any], otherwise: str = ""
) -> None:
    """Refuse what is none of the known values.

    `otherwise` names what else is taken, and is checked by the caller.
    """
    if any(given is value or _same_word(given, value) for value in known):
        return
    raise SourceError(
        f"{setting} must be one of {list(known)}{otherwise}, got {given!r}."
        f"{did_you_mean(given, [value for value in known if value is not None])}"
    )


def _same_word(given: Any, value: Any) -> bool:
    # An array given by mistake would compare by its elements.
    return isinstance(given, str) and isinstance(value, str) and given == value


def check_integer(setting: str, given: Any, *, least: int = 1, note: str = "") -> None:
    """Refuse what is not an integer, or too small."""
    if not is_integer(given) or given < least:
        raise SourceError(
            f"{setting} must be an integer of at least {least}, got {given!r}.{note}"
        )


def check_number(
    setting: str, given: Any, wanted: str, lawful: Callable[[Any], bool]
) -> None:
    """Refuse what is not a number, or not the number wanted."""
    if not is_number(given) or not lawful(given):
        raise SourceError(f"{setting} must be a number {wanted}, got {given!r}.")


def check_switch(setting: str, given: Any) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(given, bool | np.bool_):
        raise SourceError(f"{setting} must be True or False, got {given!r}.")


def check_known(setting: str, name: Hashable, names: Sequence[Hashable]) -> None:
    """Refuse a name that is not a source."""
    if not is_among(name, names):
        raise SourceError(
            f"{setting} names {name!r}, which is not a source. The sources are "
            f"{list(names)}.{did_you_mean(name, names)}"
        )


def check_shares(
    setting: str,
    given: Mapping[Hashable, Any],
    names: Sequence[Hashable],
    what: str = "share",
) -> tuple[float, ...]:
    """Return the numbers of a dict by source, in the order of the sources.

    Each source has one, a finite number of at least 0, and not all are 0.
    """
    for name, value in given.items():
        check_known(setting, name, names)
        if not is_number(value) or not isfinite(value) or value < 0:
            raise SourceError(
                f"{setting} gives {name!r} the {what} {value!r}. A {what} is a finite "
                "number of at least 0."
            )
    without = [name for name in names if name not in given]
    if without:
        raise SourceError(
            f"{setting} gives no {what} to {without}. Name every source; a {what} of 0 "
            "leaves one out."
        )
    if not any(given.values()):
        raise SourceError(
            f"{setting} gives every source the {what} 0, so no rows are left. Give at "
            "least one of them more."
        )
    return tuple(float(given[name]) for name in names)


def refuse_others(setting: str, given: Any, known: Sequence[Any]) -> None:
    """Refuse classes, or sources, that are not those of the first partial_fit."""
    if given is None or set(given) == set(known):
        return
    raise SourceError(
        f"{setting}={list(given)} are not those of the first partial_fit, "
        f"{list(known)}. Name all that will come in the first call."
    )


# What a nested parameter needs: an object to set it on. A name or None is not one.
EXAMPLES = {
    "estimator": "LogisticRegression()",
    "scaler": "StandardScaler()",
    "net": "default_net()",
    "schedule": "BatchAlternation()",
    "training": "FineTuning()",
}


def refuse_nested(params: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Refuse a parameter of a parameter whose value is a name or None.

    Parameters
    ----------
    params : mapping of {str: object}
        What is to be set, as in ``set_params(**params)``.

    current : mapping of {str: object}
        The parameters as they are.
    """
    for key in params:
        owner, nested, _ = key.partition("__")
        value = params.get(owner, current.get(owner))
        known = nested and owner in EXAMPLES and owner in current
        if known and (value is None or isinstance(value, str)):
            raise SourceError(
                f"{key!r} cannot be set, because {owner} is {value!r}. Pass the object "
                f"that has it, such as {owner}={EXAMPLES[owner]}."
            )
