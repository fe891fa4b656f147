"""The inputs of a module as fit had them, and what others differ by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sktandem._telling import did_you_mean
from sktandem.data._lazy import LazyTable, input_columns, input_names
from sktandem.exceptions import SourceError

__all__ = ["Inputs"]

LOOKED_AT = 2  # rows of what has to be read


@dataclass(frozen=True)
class Inputs:
    """The names and the shapes of what a row consists of.

    Attributes
    ----------
    shapes : dict of {str: tuple of int}
        The shape of each input in the first row of fit; "" is that of a row which is
        a single input.

    ragged : bool
        Whether rows may have another length, as of sequences that a collate pads.

    columns : dict of {str: tuple}
        The columns of the inputs that are data frames.
    """

    shapes: Mapping[str, tuple[int, ...]]
    ragged: bool
    columns: Mapping[str, tuple[Any, ...]]

    @classmethod
    def of(cls, X: LazyTable, *, ragged: bool) -> Inputs:
        """Return what the first row of fit is like."""
        known = cls(_shapes_of(X[0]), ragged, input_columns(X)[0])
        known.check_columns(X)
        return known

    def check_columns(self, X: LazyTable) -> None:
        """Refuse data frames with other columns, or with the same in another order."""
        for columns in input_columns(X):
            for name, own in columns.items():
                known = self.columns.get(name, own)
                if own != known:
                    raise SourceError(
                        f"{name!r} of X has the columns {list(own)}, and in fit, or in "
                        f"the first dataset, they are {list(known)}. Give them in this "
                        "order."
                    )

    def check_names(self, X: Any) -> None:
        """Refuse inputs of other names, as far as they are known without reading."""
        # Widths are left to the module: an image of another size, or a text of another
        # length, may be as good to it.
        known = list(self.shapes)
        if not isinstance(X, LazyTable):
            if known != [""]:
                raise SourceError(
                    f"X must be a dict of the inputs {known}, as in fit, got an array "
                    f"of shape {np.shape(X)}."
                )
            return
        self.check_columns(X)
        for names in input_names(X):
            if names is None or set(names) == set(known):
                continue
            if known == [""]:
                raise SourceError(
                    f"X is a dict of the inputs {list(names)}, and fit had one input "
                    "without a name."
                )
            other = [name for name in names if name not in known]
            gone = [name for name in known if name not in names]
            told = f"X has no input {gone}. " if gone else ""
            if other and names != ("",):
                told += f"X has the input {other}, which fit did not see. "
            raise SourceError(
                f"{told}The inputs of fit are {known}."
                f"{did_you_mean(other[0], gone) if other else ''}"
            )

    def refuse_unlike(self, X: Any, error: Exception) -> None:
        """Refuse the first row whose shape is not that of fit, if there is one.

        For when a module has failed. Of rows that have to be read the first ones
        alone are looked at.
        """
        in_memory = None not in input_names(X)
        for row in range(len(X) if in_memory else min(LOOKED_AT, len(X))):
            for name, shape in _shapes_of(X[row]).items():
                known = self.shapes.get(name, shape)
                start = int(self.ragged)
                if shape[start:] == known[start:] and len(shape) == len(known):
                    continue
                of = f"{name!r} of X" if name else "X"
                raise SourceError(
                    f"{of} has shape {_told(shape, start)} in row {row}, and had "
                    f"{_told(known, start)} in the first row of fit. The module does "
                    f"not take it: {error}"
                ) from error


def _told(shape: tuple[int, ...], n_free: int) -> str:
    """Return a shape in words, in which the first dimensions may be any."""
    return f"({', '.join([*['any'] * n_free, *map(str, shape[n_free:])])})"


def _shapes_of(item: Any) -> dict[str, tuple[int, ...]]:
    named = item if isinstance(item, Mapping) else {"": item}
    return {name: tuple(np.shape(value)) for name, value in named.items()}
