"""Reading y: classes of any kind, numbers, or both among objects."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

from sktandem.data._cells import as_target, mixes_kinds, refuse_fields
from sktandem.exceptions import SourceError

__all__ = [
    "checked_classes",
    "checked_either",
    "checked_numbers",
    "numbers_of_objects",
]


def checked_classes(y: Any, *, by_head: bool = False) -> NDArray[Any]:
    """Return labels as a flat array of their kind, or of objects.

    Whether numbers are classes is left to each head where there are heads.
    """
    y = as_target(y)
    refuse_fields(y, "a net learns")
    if y.ndim == 2:
        y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    # scikit-learn's check cannot sort strings beside numbers; floats beside the labels
    # of other sources are for each head to judge.
    mixed = y.dtype == object and mixes_kinds(y.ravel())
    if not mixed and not (by_head and type_of_target(y) == "continuous"):
        check_classification_targets(y)
    return y


def checked_numbers(y: Any, *, missing: bool = False) -> NDArray[np.float64]:
    """Return targets as floats; `missing` ones only where there are columns."""
    y = as_target(y)
    refuse_fields(y, "a net learns")
    _refuse_strings(y)
    allowed = "allow-nan" if missing and y.ndim == 2 else True
    return np.asarray(
        check_array(
            y,
            dtype=np.float64,
            ensure_2d=False,
            input_name="y",
            ensure_all_finite=allowed,
        )
    )


def _refuse_strings(y: NDArray[Any]) -> None:
    if y.dtype.kind not in "OUS":
        return
    try:
        y.astype(np.float64)
    except (TypeError, ValueError):
        strings = [value for value in y.ravel().tolist() if isinstance(value, str)]
        if strings:
            raise SourceError(
                "A regressor predicts numbers, but y holds strings such as "
                f"{strings[0]!r}. Set task='classification', or a dict by source if "
                "only some sources have classes."
            ) from None


def numbers_of_objects(name: Hashable, y: NDArray[Any]) -> NDArray[np.float64]:
    """Return the targets of one source, which stand among labels of others."""
    try:
        numbers = y.astype(np.float64)
    except (TypeError, ValueError):
        odd = next(value for value in y.tolist() if isinstance(value, str))
        raise SourceError(
            f"The head of {name!r} learns numbers, but its rows hold {odd!r}. Give it "
            f"task={{{name!r}: 'classification'}}, or take the rows out."
        ) from None
    return checked_numbers(numbers) if len(numbers) else numbers


def checked_either(y: Any) -> NDArray[Any]:
    """Return the labels of some sources and the numbers of others, one a row."""
    y = as_target(y)
    refuse_fields(y, "a net learns")
    y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1:
        raise SourceError(
            "A task that is a dict by source takes one target for each row, got shape "
            f"{y.shape}. task='regression' with heads='source' takes several."
        )
    assert_all_finite(y, input_name="y")
    return y
