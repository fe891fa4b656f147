"""What every row counts in a merge: shares and weights, without X."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sktandem._settings import check_choice, check_shares
from sktandem._telling import warn
from sktandem.data._cells import class_codes, cross_cells
from sktandem.data._sources import Sources
from sktandem.exceptions import SourceError
from sktandem.merge._resample import RESAMPLERS, resample_rows

__all__ = ["MergePlan", "check_weights", "plan_merge", "warn_of_one_source"]

Floats = NDArray[np.float64]
BALANCES = ("sources", "classes", "both")


@dataclass(frozen=True, eq=False)
class MergePlan:
    """The rows that take part in a merge, and what each of them counts.

    Attributes
    ----------
    sources : Sources
        The source of each row that takes part.

    rows : ndarray of int or None
        The rows that take part, resampled ones as often as they were drawn;
        None for all of them.

    weights : ndarray of float or None
        The weight of each such row; None where nothing was to be weighted.
    """

    sources: Sources
    rows: NDArray[np.intp] | None
    weights: Floats | None

    @property
    def n_samples(self) -> dict[Hashable, int]:
        """The number of rows of each source."""
        return dict(zip(self.sources.names, self.sources.sizes.tolist()))

    @property
    def shares(self) -> dict[Hashable, float]:
        """Each source's part of the total weight."""
        totals = _totals(self.sources.codes, _or_ones(self.weights, self.sources))
        shares = np.round(totals / totals.sum(), 12)  # sums of weights are inexact
        return dict(zip(self.sources.names, shares.tolist()))


def plan_merge(
    sources: Sources,
    y: NDArray[Any] | None = None,
    *,
    balance: str | Mapping[Hashable, float] | None = None,
    balance_by: str = "weight",
    sample_weight: Floats | None = None,
    random_state: Any = None,
) -> MergePlan:
    """Weigh, or resample, the rows of several sources.

    Within a cell that is to have the share :math:`p` of the whole, a row of
    base weight :math:`b_i` weighs :math:`b_i p B / B_{cell}`, where :math:`B`
    sums base weights. The total stays :math:`B`, so penalties keep their
    meaning. Rows that come to weigh nothing are left out.

    Resampled, a cell has its share of the rows instead, and rows keep the
    weights that they came with.
    """
    check_choice("balance_by", balance_by, ("weight", *RESAMPLERS))
    part = _taking_part(sources, balance, sample_weight)
    rows = None if part.all() else np.flatnonzero(part)
    if rows is not None:
        sources = sources.take(rows)
        y = None if y is None else y[rows]
        sample_weight = None if sample_weight is None else sample_weight[rows]
    if balance is None:
        return MergePlan(sources, rows, sample_weight)
    if balance_by != "weight":
        return _resampled(
            sources, rows, y, balance, balance_by, sample_weight, random_state
        )
    base = _or_ones(sample_weight, sources)
    cells, shares = _shares(sources, y, balance, base)
    factor = shares * base.sum() / _totals(cells, base)
    return MergePlan(sources, rows, base * factor[cells])


def _resampled(
    sources: Sources,
    rows: NDArray[np.intp] | None,
    y: NDArray[Any] | None,
    balance: Any,
    balance_by: str,
    sample_weight: Floats | None,
    random_state: Any,
) -> MergePlan:
    cells, shares = _shares(sources, y, balance, np.ones(len(sources.codes)))
    rng = check_random_state(random_state)
    drawn = resample_rows(cells, shares, balance_by, rng)
    return MergePlan(
        Sources(sources.names, sources.codes[drawn]),
        drawn if rows is None else rows[drawn],
        None if sample_weight is None else sample_weight[drawn],
    )


def check_weights(sample_weight: Floats) -> None:
    """Refuse weights that are none."""
    if not np.isfinite(sample_weight).all() or (sample_weight < 0).any():
        raise SourceError("sample_weight must hold finite numbers of at least 0.")


def warn_of_one_source(names: Sequence[Hashable], balance: Any) -> None:
    """Say so if sources are to be balanced, and there is one."""
    between = isinstance(balance, Mapping) or balance == "sources"
    if len(names) == 1 and between:
        warn(f"Only one source, {names[0]!r}: nothing to balance.")


def _taking_part(
    sources: Sources, balance: Any, sample_weight: Any
) -> NDArray[np.bool_]:
    # Left out and not merely weighted by 0: the range of "minmax" knows no weights, and
    # nothing can be drawn for a cell that is to have no share.
    names, part = sources.names, np.ones(len(sources.codes), dtype=bool)
    if sample_weight is not None:
        check_weights(sample_weight)
        part &= sample_weight > 0
    if isinstance(balance, Mapping):
        part &= np.array(check_shares("balance", balance, names))[sources.codes] > 0
    if not part.any():
        raise SourceError(
            "Every row has a weight of 0: nothing is left to fit. Give at least one "
            "source or row some weight."
        )
    return part


def _shares(
    sources: Sources, y: Any, balance: Any, base: Floats
) -> tuple[NDArray[np.intp], Floats]:
    """Return each row's cell, and each cell's share of the whole."""
    if isinstance(balance, Mapping):
        given = np.array([balance[name] for name in sources.names], dtype=float)
        return sources.codes, given / given.sum()
    check_choice("balance", balance, (None, *BALANCES), " or a dict of shares")
    if balance == "sources":
        n_sources = len(sources.names)
        return sources.codes, np.full(n_sources, 1 / n_sources)
    if y is None:
        raise SourceError(
            f"balance={balance!r} needs classes, and a regressor has none. Use "
            "'sources' or a dict of shares."
        )
    if y.ndim == 2 and y.shape[1] > 1:
        raise SourceError(
            f"balance={balance!r} needs one class per row, got y of shape {y.shape}."
        )
    cells = cross_cells(sources, class_codes(y)[1])
    n_cells = cells.max() + 1
    if balance == "both":
        return cells, np.full(n_cells, 1 / n_cells)
    # Classes are equal within a source, and the source keeps its total.
    source_of_cell = np.empty(n_cells, dtype=np.intp)
    # Written once for each row, and always the same: a cell is within one source.
    source_of_cell[cells] = sources.codes
    totals = _totals(sources.codes, base)
    n_classes = np.bincount(source_of_cell)
    return cells, (totals / n_classes / totals.sum())[source_of_cell]


def _totals(cells: NDArray[np.intp], weights: Floats) -> Floats:
    return np.bincount(cells, weights=weights).astype(np.float64, copy=False)


def _or_ones(weights: Floats | None, sources: Sources) -> Floats:
    return np.ones(len(sources.codes)) if weights is None else weights
