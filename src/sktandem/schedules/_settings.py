"""Settings of schedules, checked in the user's own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any

from sktandem._telling import did_you_mean
from sktandem.exceptions import SourceError
from sktandem.schedules._schedule import Sizes

__all__ = ["by_source", "check_choice", "check_number", "check_whole"]


def check_choice(setting: str, given: Any, known: Sequence[str]) -> None:
    """Refuse what is none of the known words."""
    if not isinstance(given, str) or given not in known:
        raise SourceError(
            f"{setting} must be one of {list(known)}, got {given!r}."
            f"{did_you_mean(given, known)}"
        )


def check_whole(setting: str, given: Any, *, least: int = 1) -> None:
    """Refuse what is no whole number, or too small."""
    whole = isinstance(given, Integral) and not isinstance(given, bool)
    if not whole or given < least:
        raise SourceError(
            f"{setting} must be a whole number of at least {least}, got {given!r}."
        )


def check_number(
    setting: str, given: Any, wanted: str, lawful: Callable[[Any], bool]
) -> None:
    """Refuse what is no number, or not the number wanted."""
    number = isinstance(given, Real) and not isinstance(given, bool)
    if not number or not lawful(given):
        raise SourceError(f"{setting} must be a number {wanted}, got {given!r}.")


def by_source(
    setting: str, given: Mapping[Any, float], sizes: Sizes
) -> tuple[float, ...]:
    """Return the numbers of a dict in the order of the sources."""
    if not isinstance(given, Mapping):
        raise SourceError(
            f"{setting} must be None or a dict with a number for each source, got "
            f"{given!r}. The sources are {list(sizes.names)}."
        )
    for name, value in given.items():
        sizes.position(name, setting)
        if not isinstance(value, Real) or not isfinite(value) or value < 0:
            raise SourceError(
                f"{setting} gives {name!r} the value {value!r}. A value is a finite "
                "number of at least 0."
            )
    without = [name for name in sizes.names if name not in given]
    if without:
        raise SourceError(
            f"{setting} gives nothing to {without}. Name every source; 0 leaves one "
            "out."
        )
    if not any(given.values()):
        raise SourceError(
            f"{setting} is 0 for every source: none would train. Give at least one "
            "of them more."
        )
    return tuple(float(given[name]) for name in sizes.names)
