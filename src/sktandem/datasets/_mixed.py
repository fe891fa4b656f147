"""Tables of numbers beside words, which only a data frame keeps as they are."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_mixed_frame", "with_names"]


def as_mixed_frame(columns: dict[str, NDArray[Any]], pd: ModuleType) -> Any:
    """Return strings as a data frame: integers as such, words as categories.

    The categories are those of all sources together, so a column means the
    same in each of them and stays categorical when they are stacked.
    """
    return pd.DataFrame({name: _read(v, pd) for name, v in columns.items()})


def _read(values: NDArray[Any], pd: ModuleType) -> Any:
    if np.char.isdigit(values).all():
        return values.astype(int)
    return pd.Categorical(values)


def with_names(values: NDArray[Any], names: Mapping[Any, str], pd: ModuleType) -> Any:
    """Return codes as a categorical of their names; a code without one is missing."""
    spelt = np.array([names.get(value) for value in values.tolist()], dtype=object)
    return pd.Categorical(spelt, categories=list(names.values()))
