"""Parameters of parameters, where the owner is a word and not an object."""

from __future__ import annotations

from typing import Any

from sktandem.exceptions import SourceError

__all__ = ["refuse_nested"]


def refuse_nested(key: str, owner: str, value: Any, instead: str) -> None:
    """Refuse a parameter of a default that is not an object."""
    if value is not None and not isinstance(value, str):
        return
    raise SourceError(
        f"{key!r} cannot be set, because {owner} is {value!r}. Pass the object that "
        f"has it, such as {owner}={instead}."
    )
