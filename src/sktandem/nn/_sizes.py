"""What a plan may know of the rows: sizes by source, checked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from sktandem._settings import check_known, is_integer
from sktandem.exceptions import SourceError
from sktandem.nn._batches import SourceRows
from sktandem.schedules import Sizes

__all__ = ["sizes_of"]


def sizes_of(
    training: SourceRows,
    valid: SourceRows | None,
    batch_size: Any,
    max_epochs: int,
    all_sources: Sequence[Hashable],
) -> Sizes:
    """Return the sizes of the sources that have rows to train on."""
    # Only sources with training rows: a plan must never choose one that has none.
    names = training.sources
    n_rows = tuple(len(own) for own in training.rows)
    validated = set() if valid is None else set(valid.sources)
    by_source = _by_source(batch_size, names, all_sources)
    return Sizes(
        names,
        n_rows,
        tuple(_rows_in(by_source[name], n) for name, n in zip(names, n_rows)),
        max_epochs,
        tuple(name in validated for name in names),
        tuple(name for name in all_sources if name not in names),
    )


def _by_source(
    given: Any, names: Sequence[Hashable], all_sources: Sequence[Hashable]
) -> Mapping[Hashable, Any]:
    if not isinstance(given, Mapping):
        return dict.fromkeys(names, given)
    for name in given:
        check_known("batch_size", name, all_sources)
    missing = [name for name in names if name not in given]
    if missing:
        raise SourceError(
            f"batch_size gives no size to {missing}. Name every source, or give one "
            "number for all."
        )
    return given


def _rows_in(size: Any, n_rows: int) -> int:
    """Return the rows of a batch; -1 stands for all of the source."""
    if not is_integer(size) or (size < 1 and size != -1):
        raise SourceError(
            "batch_size must be a number of rows, -1 for all rows of a source, or a "
            f"dict by source, got {size!r}."
        )
    return n_rows if size == -1 else int(size)
