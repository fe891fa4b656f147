"""Reading a bundled table and handing it out as scikit-learn's loaders do."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Hashable, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sktandem._settings import check_switch
from sktandem.data._stack import stack_sources
from sktandem.data._tables import pandas_for
from sktandem.exceptions import SourceError

__all__ = ["as_bunch", "check_task", "read_columns", "read_distinct"]


def read_columns(file_name: str) -> dict[str, NDArray[Any]]:
    """Return the columns of a bundled file by name, as strings."""
    path = files("sktandem.datasets") / "data" / file_name
    with path.open("rb") as raw, gzip.open(raw, "rt", encoding="utf-8") as text:
        header, *rows = csv.reader(text)
    return dict(zip(header, np.array(rows).T))


def read_distinct(
    file_name: str, drop_duplicates: bool
) -> tuple[dict[str, NDArray[Any]], int]:
    """Return the columns of a bundled file, and how many rows were dropped.

    Of rows that are equal throughout the first stays.
    """
    columns = read_columns(file_name)
    if not drop_duplicates:
        return columns, 0
    rows = list(zip(*columns.values()))
    first: dict[tuple[str, ...], int] = {}
    for number, row in enumerate(rows):
        first.setdefault(row, number)
    kept = np.fromiter(first.values(), np.intp, len(first))
    return {name: own[kept] for name, own in columns.items()}, len(rows) - len(kept)


def as_bunch(
    X: Any,
    y: Any,
    sample_source: NDArray[Any],
    *,
    feature_names: Sequence[str],
    column: str | None,
    as_frame: bool,
    return_X_y: bool,
    **described: Any,
) -> Any:
    """Stack the sources in the form that the caller of a loader asked for."""
    check_switch("as_frame", as_frame)
    check_switch("return_X_y", return_X_y)
    if as_frame:
        X, y = _framed(X, y, feature_names, described["target_name"])
    datasets: dict[Hashable, tuple[Any, Any]] = {}
    for name in np.unique(sample_source).tolist():
        rows = np.flatnonzero(sample_source == name)
        taken = (X.iloc[rows], y.iloc[rows]) if as_frame else (X[rows], y[rows])
        datasets[name] = taken
    stacked = stack_sources(datasets, column=column)
    if return_X_y:
        return stacked
    names = [*feature_names] + ([] if column is None else [column])
    return Bunch(
        data=stacked.X,
        target=stacked.y,
        sample_source=stacked.sample_source,
        feature_names=names,
        **described,
    )


def _framed(X: Any, y: Any, feature_names: Sequence[str], target_name: str) -> Any:
    pd = pandas_for("as_frame=True")
    return pd.DataFrame(X, columns=list(feature_names)), pd.Series(y, name=target_name)


def check_task(task: str) -> None:
    """Refuse a task that the loaders do not know."""
    if task not in ("regression", "classification"):
        raise SourceError(
            f"task must be 'regression' or 'classification', got {task!r}."
        )
