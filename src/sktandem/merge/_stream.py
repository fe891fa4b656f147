"""What a merge remembers of rows that come a part at a time."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from sktandem._settings import check_shares
from sktandem.data._cells import known_codes, refuse_fields
from sktandem.data._rows import Rows
from sktandem.data._sources import Codes, Sources
from sktandem.exceptions import SourceError
from sktandem.merge._plan import MergePlan, check_weights, plan_merge
from sktandem.scaling._affine import AffineMaps
from sktandem.scaling._running import RunningScaler

__all__ = ["Stream", "as_columns"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stream:
    """What the calls of `partial_fit` so far have brought.

    Attributes
    ----------
    names : tuple
        All sources that may come.

    classes : ndarray or None
        All classes that may come; None of numbers, or several targets.

    totals : ndarray of shape (n_sources, n_classes or 1)
        The weight of the rows of each source and class so far, before balancing.

    seen : ndarray of bool, of the same shape
        The classes that each source has had.

    n_rows : ndarray of shape (n_sources,)
        The rows of each source that were fitted so far.

    counts : ndarray of shape (n_sources,) or None
        The rows that there are in all, where the user knows.

    scaler : RunningScaler or None
        The scaling of X by all rows so far.

    of_target : RunningScaler or None
        The scaling of y by all rows so far.

    settings : tuple of (str, str)
        What was set in the first call and cannot change: names, and how they print.
    """

    names: tuple[Hashable, ...]
    classes: NDArray[Any] | None
    totals: Floats
    seen: NDArray[np.bool_]
    n_rows: NDArray[np.intp]
    counts: Floats | None = None
    scaler: RunningScaler | None = None
    of_target: RunningScaler | None = None
    settings: tuple[tuple[str, str], ...] = ()

    @classmethod
    def begin(
        cls,
        names: tuple[Hashable, ...],
        classes: NDArray[Any] | None,
        counts: Any = None,
        **scalers: Any,
    ) -> Stream:
        """Return the stream before its first row."""
        shape = len(names), 1 if classes is None else len(classes)
        none, no_rows = np.zeros(shape), np.zeros(len(names), np.intp)
        known = _in_order(counts, names)
        return cls(names, classes, none, none > 0, no_rows, known, **scalers)

    def going_on(
        self, n_samples: Mapping[Hashable, int], own_classes: Mapping[Hashable, Any]
    ) -> Stream:
        """Return the stream with what a fit before it has seen."""
        n_rows = np.array([n_samples[name] for name in self.names], np.intp)
        seen = self.seen.copy()
        if self.classes is not None:
            for own, name in zip(seen, self.names):
                own[known_codes(own_classes[name], self.classes)] = True
        return replace(self, n_rows=n_rows, seen=seen)

    def plan(
        self, rows: Rows, codes: Codes | None, balance: Any
    ) -> tuple[Stream, MergePlan]:
        """Return the stream with these rows, and what each of them counts.

        `codes` are those of the rows' classes. A row counts what it would in a fit on
        all rows so far; where `counts` are known, on all that there are.
        """
        of_source = rows.sources.codes.astype(np.intp)
        of_class = np.zeros(len(rows), np.intp) if codes is None else codes
        base = np.ones(len(rows)) if rows.weights is None else rows.weights
        check_weights(base)
        if not (self.counts is None or rows.weights is None or balance is None):
            raise SourceError(
                f"sources gives the rows of each source, and with sample_weight "
                f"balance={balance!r} goes by the sum of their weights. Name the "
                "sources in a list: then weights are summed as they come."
            )
        self._refuse_more_than_counted(
            np.bincount(of_source, minlength=len(self.names))
        )
        totals = self.totals.copy()
        # Not `totals[...] += base`, which counts a cell once however many rows it has.
        np.add.at(totals, (of_source, of_class), base)
        factors = self._factors(totals, balance, by_class=codes is not None)
        weights = base * factors[of_source, of_class]
        part = np.flatnonzero(weights > 0)
        # None and not ones where nobody asked for weights: not every partial_fit takes
        # them.
        plain = balance is None and rows.weights is None
        plan = MergePlan(
            Sources(rows.names, rows.sources.codes[part]),
            None if len(part) == len(rows) else part,
            None if plain else weights[part],
        )
        n_rows, seen = self.n_rows + plan.sources.sizes, self.seen | (totals > 0)
        return replace(self, totals=totals, seen=seen, n_rows=n_rows), plan

    def refuse_other_counts(self, given: Any) -> None:
        """Refuse numbers of rows that are not those of the first call."""
        counts = _in_order(given, self.names)
        if counts is None:
            return
        told = "none"
        if self.counts is not None:
            if np.array_equal(counts, self.counts):
                return
            told = str(dict(zip(self.names, map(int, self.counts))))
        raise SourceError(
            f"sources={dict(given)} gives other numbers of rows than the first call, "
            f"which gave {told}, and by which rows are weighted already. Leave it out, "
            "or start again with a clone."
        )

    def _refuse_more_than_counted(self, n_rows: NDArray[np.intp]) -> None:
        """Refuse a call with more rows of a source than there are said to be in all."""
        if self.counts is None:
            return
        for name, n, count in zip(self.names, n_rows, self.counts):
            if n > count:
                raise SourceError(
                    f"sources gives {name!r} {count:,.0f} rows in all, and {n:,} came "
                    "in one call. Give the number of all its rows, or name the sources "
                    "in a list."
                )

    def scale(
        self, X: Any, y: NDArray[Any], plan: MergePlan
    ) -> tuple[Stream, Any, AffineMaps | None]:
        """Return the stream, and what scales X and y, with these rows seen."""
        scaler, of_target, fitted, maps = self.scaler, self.of_target, None, None
        by = plan.sources, plan.weights
        if scaler is not None:
            scaler, fitted = scaler.after(X, y, *by)
        if of_target is not None:
            of_target, maps = of_target.after(as_columns(y), None, *by)
        return replace(self, scaler=scaler, of_target=of_target), fitted, maps

    def _factors(self, totals: Floats, balance: Any, *, by_class: bool) -> Floats:
        """Return what balancing multiplies the weight of each cell's rows by."""
        table = totals if self.counts is None else self.counts[:, None]
        # The cells with their totals, as if each were a row: rows of one cell have one
        # factor, and it depends on the totals only.
        of_source, of_class = cells = np.nonzero(table)
        sources = Sources(self.names, of_source).take(np.arange(len(of_source)))
        if isinstance(balance, Mapping):  # of those that have come
            shares = dict(zip(self.names, check_shares("balance", balance, self.names)))
            balance = {name: shares[name] for name in sources.names}
            if balance and not any(balance.values()):
                raise SourceError(
                    f"balance gives {list(balance)}, the only rows so far, a share of "
                    "0: nothing is left to fit. Begin with rows of another source."
                )
        plan = plan_merge(
            sources,
            of_class if by_class else None,
            balance=balance,
            sample_weight=table[cells],
        )
        factors, part = np.zeros(table.shape), plan.rows
        # A cell whose share is 0 is left out of the plan, and keeps a factor of 0.
        taking_part = cells if part is None else (of_source[part], of_class[part])
        assert plan.weights is not None  # some were given
        factors[taking_part] = plan.weights / table[taking_part]
        return np.broadcast_to(factors, totals.shape)

    def own_classes(self) -> dict[Hashable, NDArray[Any]]:
        """Return the classes that each source has had."""
        if self.classes is None:
            return {}
        return {name: self.classes[own] for name, own in zip(self.names, self.seen)}

    @property
    def n_samples(self) -> dict[Hashable, int]:
        """The rows of each source that has had any."""
        counted = zip(self.names, self.n_rows.tolist())
        return {name: n for name, n in counted if n > 0}


def _in_order(counts: Any, names: tuple[Hashable, ...]) -> Floats | None:
    """Return the rows of each source, if a dict gives them."""
    if not isinstance(counts, Mapping):
        return None
    return np.array([counts[name] for name in names], dtype=np.float64)


def as_columns(y: NDArray[Any]) -> NDArray[Any]:
    """Return the columns of numbers of y that can be scaled."""
    refuse_fields(y, "scale_target_by scales")
    columns = np.reshape(y, (len(y), -1))
    checked: NDArray[Any] = check_array(columns, dtype=float, input_name="y")
    return checked
