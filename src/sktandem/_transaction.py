"""A fit that succeeds whole or leaves the estimator as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["all_or_nothing"]


@contextmanager
def all_or_nothing(estimator: object) -> Iterator[None]:
    """Give `estimator` its old attributes back if the block raises.

    scikit-learn's own checks set `n_features_in_` before the first number is
    computed; without this a failed fit would look fitted, and a failed refit
    would leave a model of one table with the column names of another.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
