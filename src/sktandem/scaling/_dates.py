"""Dates as numbers: how long since, the season, the day of the week and the hour."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sktandem.data._tables import column_names, moments_of, take_column
from sktandem.exceptions import SourceError

__all__ = ["DateEncoder"]

YEAR = 365.2425  # days
EPOCH = np.datetime64("2000-01-01", "D")
CIRCLES = {"season": YEAR, "week": 7.0, "day": 1.0}  # and how many days each takes


class DateEncoder(TransformerMixin, BaseEstimator):
    """Turn dates, times and durations into a few numbers each.

    A date becomes the years since 2000, and its place in the year and in the week
    as points on a circle, so that December is near January; with times of day also
    its place in the day. A duration becomes its days. A missing one is NaN. What of
    it matters is for the model to find: drop what does not hold for the future, such
    as the years, where it would be extrapolated.

    Attributes
    ----------
    parts_ : list of tuple of str
        The parts of each column.

    feature_names_in_ : ndarray of str
        The names of the columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktandem.scaling._dates import DateEncoder
    >>> table = pd.DataFrame({"seen": pd.to_datetime(["2024-01-01", "2024-07-01"])})
    >>> encoder = DateEncoder().fit(table)
    >>> list(encoder.get_feature_names_out())[:3]
    ['seen_years', 'seen_season_sin', 'seen_season_cos']
    >>> encoder.transform(table)[:, 0].round(1)
    array([24. , 24.5])
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn which columns have times of day.

        Parameters
        ----------
        X : data frame of shape (n_samples, n_features)
            Dates, times, durations or periods.

        y : object, default=None
            Ignored.

        Returns
        -------
        self : DateEncoder
            The fitted instance.
        """
        names = column_names(X)
        if names is None:
            raise SourceError("DateEncoder takes columns of a data frame.")
        self.feature_names_in_ = np.array(names, dtype=object)
        self.parts_ = [_parts_of(moments) for moments in self._read(X)]
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the parts of each column as numbers.

        Parameters
        ----------
        X : data frame of shape (n_samples, n_features)
            The columns seen in `fit`.

        Returns
        -------
        parts : ndarray of shape (n_samples, n_parts)
            The numbers.
        """
        check_is_fitted(self)
        columns = [
            _part(moments, part)
            for moments, parts in zip(self._read(X), self.parts_)
            for part in parts
        ]
        return np.column_stack(columns)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the parts.

        Parameters
        ----------
        input_features : object, default=None
            Ignored.

        Returns
        -------
        names : ndarray of str
            Such as "admitted_years".
        """
        check_is_fitted(self)
        names = [
            f"{name}_{part}"
            for name, parts in zip(self.feature_names_in_, self.parts_)
            for part in parts
        ]
        return np.array(names, dtype=object)

    def _read(self, X: Any) -> list[NDArray[Any]]:
        return [moments_of(take_column(X, place)) for place in range(X.shape[1])]


def _parts_of(moments: NDArray[Any]) -> tuple[str, ...]:
    if moments.dtype.kind == "m":
        return ("days",)
    present = moments[~np.isnat(moments)]
    timed = (present != present.astype("datetime64[D]")).any()
    circles = [name for name in CIRCLES if name != "day" or timed]
    return ("years", *(f"{c}_{way}" for c in circles for way in ("sin", "cos")))


def _part(moments: NDArray[Any], part: str) -> NDArray[np.float64]:
    """Return one part; a column that came empty is missing, whatever it was."""
    if (moments.dtype.kind == "m") != (part == "days"):
        moments = np.full(
            len(moments), "NaT", dtype="m8" if part == "days" else "M8[us]"
        )
    since = moments if part == "days" else moments - EPOCH
    days = np.where(np.isnat(since), np.nan, since / np.timedelta64(1, "D"))
    if part == "days":
        return days
    if part == "years":
        return days / YEAR
    circle, _, way = part.partition("_")
    turn = 2 * np.pi * days / CIRCLES[circle]
    return np.sin(turn) if way == "sin" else np.cos(turn)
