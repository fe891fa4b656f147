"""How the package speaks to the user: hints, counts, and where warnings point."""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

from sktandem.exceptions import SourceWarning

__all__ = ["counted", "did_you_mean", "outside", "told_once", "warn"]

PASSED_OVER = ("sktandem", "sklearn", "skorch", "joblib", "contextlib")


def did_you_mean(name: object, names: Iterable[object]) -> str:
    """Return a hint at the name that was probably meant, or nothing."""
    written = {str(known): known for known in names}
    close = difflib.get_close_matches(str(name), written, n=1)
    return f" Did you mean {written[close[0]]!r}?" if close else ""


def counted(n: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it needs one."""
    plural = "es" if noun.endswith("s") else "s"
    return f"{n:,} {noun}{'' if n == 1 else plural}"


_told: ContextVar[set[str] | None] = ContextVar("told", default=None)


@contextmanager
def told_once() -> Iterator[None]:
    """Let each warning of ours come once in the block, as in a fit of many models.

    Of a search of scikit-learn every fit is a block of its own: nothing that the
    fits share outlasts one but the process, where a later call would miss its own.
    """
    if _told.get() is not None:  # inside another such block
        yield
        return
    token = _told.set(set())
    try:
        yield
    finally:
        _told.reset(token)


def warn(message: str) -> None:
    """Warn the user of something lawful but surprising, at the user's own line."""
    told = _told.get()
    if told is not None:
        if message in told:
            return
        told.add(message)
    warnings.warn(message, SourceWarning, stacklevel=outside())


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
