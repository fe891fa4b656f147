"""Errors and warnings that name the user's own data."""

__all__ = ["SourceError", "SourceWarning"]


class SourceError(ValueError):
    """Data or settings from which no model of several sources can be made.

    The message says what was expected, what came, and what to do next. It is a
    :class:`ValueError`, so code written for scikit-learn catches it.
    """


class SourceWarning(UserWarning):
    """Valid but surprising input, such as a balance between a single source."""
