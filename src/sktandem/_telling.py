"""Where a warning is to point: at the line of whoever called the package."""

from __future__ import annotations

import sys
from types import FrameType

__all__ = ["outside"]


def outside() -> int:
    """Return the stack level of the nearest caller outside the package.

    The same warning is reached by several ways of different length, so that a
    number written down would be right for one of them.
    """
    level = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_ours(frame):
        frame, level = frame.f_back, level + 1
    return level


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).split(".")[0] == "sktandem"
