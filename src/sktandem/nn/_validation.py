"""Which rows are held out inside fit: by source and class, by seed and row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem._settings import check_known, is_number
from sktandem._telling import counted, warn
from sktandem.data._cells import cross_cells, target_strata
from sktandem.data._sources import Codes, Sources
from sktandem.exceptions import SourceError

__all__ = ["check_fraction", "held_out"]


def check_fraction(fraction: Any) -> None:
    """Refuse what is not a part of the rows."""
    parts = fraction.values() if isinstance(fraction, Mapping) else [fraction]
    for part in parts:
        if part is not None and not (is_number(part) and 0 <= part < 1):
            raise SourceError(
                "validation_fraction must be a part of the rows such as 0.2, a dict of "
                f"parts by source, or None, got {fraction!r}."
            )


def held_out(
    fraction: Any,
    sources: Sources,
    y: NDArray[Any] | None,
    seed: int,
    *,
    classes: bool = True,
) -> NDArray[np.bool_]:
    """Tell which rows are held out for validation.

    The same part of each source and class, or quantile of the target, to within
    a row. Whether a row is among them depends on the seed and its place only,
    so that training that is continued on the same rows holds out the same ones.
    No source is held out whole, nor any of its `classes`.
    """
    parts = np.array(_parts(fraction, sources))
    held = np.zeros(len(sources.codes), dtype=bool)
    if not parts.any():
        return held
    # A lot for each row, drawn in the order of the rows: more rows behind these leave
    # the lots of these as they were.
    lot = np.random.default_rng([seed, 1]).random(len(held), dtype=np.float32)
    cells = cross_cells(sources, target_strata(sources, y))
    if cells.max() < np.iinfo(np.int16).max:  # which numpy sorts by its digits
        cells = cells.astype(np.int16)
    order = np.argsort(lot).astype(np.min_scalar_type(-len(lot)))
    order = order[np.argsort(cells[order], kind="stable")]
    # Along the rows of a source, sorted by cell, every 1/part-th one is taken.
    for own, part in zip(np.split(order, np.cumsum(sources.sizes)[:-1]), parts):
        held[own] = np.diff(np.floor(np.arange(len(own) + 1) * part + 0.5)) > 0
    groups = cells if classes else sources.codes
    held[_spared(held, groups, order)] = False
    for code in np.flatnonzero(parts):
        rows = sources.rows[code]
        if len(rows) and not held[rows].any():
            _hold_out_one(held, rows, groups, lot, sources.names[code])
    return held


def _spared(held: NDArray[np.bool_], groups: Codes, order: Codes) -> NDArray[np.intp]:
    """Return the first row of every group that is held out whole."""
    ordered = groups[order]
    first = order[np.flatnonzero(np.diff(ordered, prepend=-1))]
    n_left = np.bincount(groups[~held], minlength=ordered[-1] + 1)
    return np.asarray(first[n_left[groups[first]] == 0])


def _parts(fraction: Any, sources: Sources) -> list[float]:
    """Return the part of each source, in order."""
    if not isinstance(fraction, Mapping):
        return [fraction or 0.0] * len(sources.names)
    for name in fraction:
        check_known("validation_fraction", name, sources.names)
    return [fraction.get(name) or 0.0 for name in sources.names]


def _hold_out_one(
    held: NDArray[np.bool_],
    rows: NDArray[np.intp],
    groups: Codes,
    lot: NDArray[np.float32],
    name: Any,
) -> None:
    """Hold out a row of the largest group of a small source, if it can spare one."""
    own, sizes = np.unique(groups[rows], return_counts=True)
    if sizes.max() == 1:
        warn(
            f"The source {name!r} has {counted(len(rows), 'row')}, too few to hold one "
            "out: it is not validated. validation_fraction may be a dict by source."
        )
        return
    largest = rows[groups[rows] == own[sizes.argmax()]]
    held[largest[lot[largest].argmin()]] = True
