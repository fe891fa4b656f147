"""Where a warning is to point: at the line of the user."""

from __future__ import annotations

import sys
from types import FrameType

__all__ = ["outside"]

PASSED_OVER = ("sktandem", "sklearn", "skorch")


def outside() -> int:
    """Return the stack level of the nearest caller that is the user's code.

    The same warning is reached by several ways of different length, some of them
    through a pipeline or the training loop, so that a number written down would
    be right for one of them.
    """
    level = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_library(frame):
        frame, level = frame.f_back, level + 1
    return level


def _is_library(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).split(".")[0] in PASSED_OVER
