"""Rows by source and target: the cells that splits and weights are made of."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import type_of_target

from sktandem._telling import counted, did_you_mean
from sktandem.data._sources import Codes, Sources, distinct
from sktandem.data._tables import from_tensor, is_missing, is_tensor, refuse_hidden
from sktandem.exceptions import SourceError

__all__ = [
    "as_target",
    "class_codes",
    "classes_by_source",
    "cross_cells",
    "deal_folds",
    "known_codes",
    "mixes_kinds",
    "refuse_fields",
    "refuse_no_target",
    "refuse_words",
    "target_strata",
]

N_QUANTILES = 10
CONTAINERS = (list, tuple, set, dict, np.ndarray)


def as_target(y: Any) -> NDArray[Any]:
    """Return y as an array that keeps numbers beside texts as they are.

    Of objects none may be missing: hashed, a missing label would be a class.
    """
    refuse_hidden("y", y)
    array = _as_array(y)
    if array.dtype.kind == "c":
        raise SourceError("Complex data not supported: y holds complex numbers.")
    if array.ndim == 0:
        kind = type(y).__name__
        raise SourceError(
            f"y must hold a target for each row, got {kind}. Pass an array, a series "
            "or a list."
        )
    if array.dtype == object:
        _refuse_containers(array)
        missing = [row for row, v in enumerate(array.ravel().tolist()) if is_missing(v)]
        if missing:
            raise SourceError(
                f"y leaves {counted(len(missing), 'sample')} without a label, the "
                f"first at row {missing[0]}. Drop them first."
            )
        return _unboxed(array)
    return array


def _refuse_containers(array: NDArray[Any]) -> None:
    """Refuse sequences, of which no estimator takes one for each row."""
    flat = array.ravel().tolist()
    odd = (row for row, value in enumerate(flat) if isinstance(value, CONTAINERS))
    for first in odd:
        raise SourceError(
            f"y must hold one target for each row, got {flat[first]!r} at row "
            f"{first}. Targets of one length make an array of several columns."
        )


def _unboxed(array: NDArray[Any]) -> NDArray[Any]:
    """Return yes and no, or numbers, that came as objects, by their own dtype."""
    kinds = {type(value) for value in array.ravel().tolist()}
    if kinds == {bool} or (kinds and kinds <= {int, float}):
        values = np.array(array.tolist())
        return values if values.dtype.kind in "biuf" else array
    return array


def refuse_no_target(y: Any) -> None:
    """Refuse to score without a target; fit is scikit-learn's to refuse."""
    if y is None:
        raise SourceError("y is None. A score needs the true y of each row.")


def refuse_words(y: NDArray[Any]) -> None:
    """Refuse strings, dates and durations where numbers are to be learned.

    Some regressors of scikit-learn take them in fit, and fail or make nonsense of them
    in predict.
    """
    if y.dtype.kind in "mM":
        raise SourceError(
            f"y holds dates or durations, of dtype {y.dtype}, and a regressor learns "
            "numbers. Convert it first: y / np.timedelta64(1, 'D') gives days."
        )
    if y.dtype.kind not in "OUS":
        return
    text = next((v for v in y.ravel().tolist() if isinstance(v, str | bytes)), None)
    if text is not None:
        raise SourceError(
            f"y holds strings such as {text!r}, and a regressor learns numbers. "
            "Convert it first, as y.astype(float) does, or use a classifier."
        )


def refuse_fields(y: NDArray[Any], who: str) -> None:
    """Refuse a structured array, as of survival times, where one target is needed."""
    if y.dtype.names is not None:
        raise SourceError(
            f"y has the fields {list(y.dtype.names)}, and {who} one target for each "
            f"row. Pass one of them, such as y[{y.dtype.names[0]!r}]."
        )


def _as_array(y: Any) -> NDArray[Any]:
    if is_tensor(y):
        return from_tensor("y", y)
    try:
        array = np.asarray(y)
    except ValueError:  # of sequences of several lengths
        array = np.empty(len(y), dtype=object)
        array[:] = y
    if array.dtype.kind in "US" and isinstance(y, list | tuple):
        objects = np.array(y, dtype=object)
        return objects if mixes_kinds(objects.ravel()) else array
    return array


def mixes_kinds(values: Any) -> bool:
    """Tell whether there are texts beside anything else."""
    return len({isinstance(value, str) for value in values}) > 1


def class_codes(y: NDArray[Any]) -> tuple[NDArray[Any], Codes]:
    """Return the classes of y, of any kinds together, and each row's position."""
    refuse_fields(y, "classes are")
    names, codes = distinct(y.ravel())
    if mixes_kinds(names):
        classes = np.empty(len(names), dtype=object)
        classes[:] = names
        return classes, codes
    classes = np.array(names, dtype=object if y.dtype == object else y.dtype)
    return classes, codes


def known_codes(
    y: NDArray[Any], classes: NDArray[Any], whose: str = "y"
) -> NDArray[np.int64]:
    """Return the place of each label among known classes; refuse any other."""
    # By a dict over the distinct labels, and not by searching sorted arrays: labels
    # of other kinds, such as strings beside integers, do not sort.
    found, codes = class_codes(y)
    place = {label: code for code, label in enumerate(classes.tolist())}
    unseen = [label for label in found.tolist() if label not in place]
    if unseen:
        raise SourceError(
            f"{whose} holds {unseen[:5]}, which fit did not see. The classes are "
            f"{list(place)[:10]}.{did_you_mean(unseen[0], place)} partial_fit "
            "takes all that will come by classes= in its first call."
        )
    order = np.array([place[label] for label in found.tolist()], dtype=np.int64)
    return order[codes]


def classes_by_source(
    sources: Sources, y: NDArray[Any]
) -> dict[Hashable, NDArray[Any]]:
    """Return the classes that each source really has, in the order of all."""
    classes, codes = class_codes(y)
    table = np.zeros((len(sources.names), len(classes)), dtype=bool)
    table[sources.codes, codes] = True
    return {name: classes[own] for name, own in zip(sources.names, table)}


def cross_cells(sources: Sources, strata: Codes) -> NDArray[np.intp]:
    """Number the cell of each row, source crossed with stratum, without gaps.

    Cells are ordered by source, then by stratum.
    """
    n_strata = int(strata.max(initial=0)) + 1
    crossed: NDArray[np.intp] = sources.codes.astype(np.intp) * n_strata + strata
    if len(sources.names) * n_strata > len(crossed):
        return np.unique(crossed, return_inverse=True)[1].astype(np.intp)
    # Without sorting the rows, which takes longer and three times the memory.
    return np.asarray((np.cumsum(np.bincount(crossed) > 0) - 1)[crossed])


def target_strata(sources: Sources, y: NDArray[Any] | None) -> Codes:
    """Return the class of each row, or the quantile of y within its source.

    Several outputs at once, or no y, make a single stratum.
    """
    strata = np.zeros(len(sources.codes), dtype=np.intp)
    if y is None or y.dtype.names or (y.ndim == 2 and y.shape[1] > 1):
        return strata
    flat = y.ravel()
    if flat.dtype == object and mixes_kinds(flat):
        for rows in sources.rows:  # texts of one source may stand beside numbers
            strata[rows] = _strata_of(flat[rows])
        return strata
    if type_of_target(flat) != "continuous":
        return class_codes(y)[1]
    for rows in sources.rows:
        strata[rows] = _quantiles(flat[rows])
    return strata


def _strata_of(y: NDArray[Any]) -> Codes:
    """Return the class of each row of one source, or the quantile of its target."""
    if any(isinstance(value, str) for value in y.tolist()):
        return class_codes(y)[1]
    numbers = y.astype(np.float64)
    continuous = len(y) > 0 and type_of_target(numbers) == "continuous"
    return _quantiles(numbers) if continuous else class_codes(y)[1]


def _quantiles(y: NDArray[Any]) -> NDArray[np.intp]:
    rank = np.argsort(np.argsort(y, kind="stable"), kind="stable")
    return rank * N_QUANTILES // max(1, len(y))


def deal_folds(
    cells: NDArray[np.intp],
    n_splits: int,
    rng: np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Deal the rows of each cell out to folds, as even as whole rows allow.

    No two folds differ by more than one row, neither in a cell nor in all.
    Rows stay in order, as blocks, unless `rng` shuffles them.
    """
    n_cells = cells.max(initial=-1) + 1
    # Dealt like a sorted pack of cards, small cells take turns at being short.
    pack = np.sort(cells)
    hands = [np.bincount(pack[k::n_splits], minlength=n_cells) for k in range(n_splits)]
    folds_in_order = np.repeat(
        np.tile(np.arange(n_splits), n_cells), np.stack(hands, axis=1).ravel()
    )
    rows = np.arange(len(cells)) if rng is None else rng.permutation(len(cells))
    order = rows[np.argsort(cells[rows], kind="stable")]
    folds = np.empty(len(cells), dtype=np.intp)
    folds[order] = folds_in_order
    return folds
