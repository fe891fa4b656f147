"""The same thing twice: rows that repeat, within a source and across sources."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from numbers import Real
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sktandem._telling import did_you_mean
from sktandem.data._sources import Sources, resolve_sources
from sktandem.data._tables import column_names, is_missing, n_rows, take_column
from sktandem.exceptions import SourceError
from sktandem.shift._near_rows import cross_codes, join_near

__all__ = ["SharedRows", "find_shared_rows"]

MOST_PAIRS_TOLD = 10
NUMBERS = "biufc"


@dataclass(frozen=True, eq=False, repr=False)
class SharedRows:
    """Which rows are the same thing, and how that crosses the sources.

    What :func:`find_shared_rows` returns. Printed, it shows the counts.

    Attributes
    ----------
    groups : ndarray of shape (n_samples,)
        A number for each row, from 0 in order of first appearance. Rows that
        are the same thing share it. Pass it as ``groups=`` to a splitter.

    sizes : dict of {source: int}
        The number of rows of each source.

    within : dict of {source: int}
        How many rows of each source repeat an earlier row of it: its rows less
        its different things.

    across : dict of {(source, source): int}
        How many different things have rows in both sources.

    n_rows_across : int
        How many rows are in another source as well: a split by rows can put
        them on both sides of training and test.
    """

    groups: NDArray[np.intp]
    sizes: dict[Hashable, int]
    within: dict[Hashable, int]
    across: dict[tuple[Hashable, Hashable], int]
    n_rows_across: int

    @property
    def n_groups(self) -> int:
        """The number of different things."""
        return int(self.groups.max()) + 1

    def __repr__(self) -> str:
        """Tell the counts, a line for each source and each pair that shares."""
        told = [f"SharedRows: {len(self.groups):,} rows, {self.n_groups:,} different"]
        for name, n in self.within.items():
            told.append(f"  {name}: {n:,} of {self.sizes[name]:,} rows repeat another")
        sharing = {pair: n for pair, n in self.across.items() if n}
        for (one, other), n in list(sharing.items())[:MOST_PAIRS_TOLD]:
            told.append(f"  {one}, {other}: {n:,} in both")
        if len(sharing) > MOST_PAIRS_TOLD:
            told.append(f"  and {len(sharing) - MOST_PAIRS_TOLD:,} more pairs")
        if self.across and not sharing:
            told.append("  nothing is in two sources")
        return "\n".join(told)


def find_shared_rows(
    X: Any,
    *,
    sample_source: Any = None,
    source: str | int | None = None,
    subset: Sequence[Hashable] | Hashable | None = None,
    tolerance: float = 0.0,
) -> SharedRows:
    """Find the rows that are the same thing, within sources and across them.

    Two datasets about the same world often overlap: a patient of both hospitals, a wine
    entered twice. A training row whose copy is in the test set gives the answer away,
    and the merge looks better than it is. The groups found here keep such rows
    together.

    Parameters
    ----------
    X : table of shape (n_samples, n_features)
        Array, data frame, sparse matrix, or a list of strings; rows of all
        sources.

    sample_source : array-like of shape (n_samples,), default=None
        The source of each row. If None, all rows are one source.

    source : str or int, default=None
        Instead, the name or position of the column of X that holds the
        source. It is not compared.

    subset : list of column names or positions, or one of them, default=None
        Compare these columns only, such as those that identify a person. A row
        in which all of them are missing stays alone. Names for data frames,
        positions for arrays. None means all columns.

    tolerance : float, default=0.0
        How far apart two rows may be and still be near copies, as a part of
        each numeric column's spread. 0 means exact copies only.

    Returns
    -------
    shared : SharedRows
        The record: `groups` for the splitters, and counts to read.

    Raises
    ------
    SourceError
        If a column of `subset` is not there, if `tolerance` is negative or has
        no numeric column to work on, or if values cannot be compared.

    See Also
    --------
    sktandem.datasets.load_student_performance : Two tables of the same pupils.

    Notes
    -----
    Exact means equal in every column compared: missing equals missing, 0 equals
    -0, and the number 1 is not the string "1".

    Near means: in every numeric column the two values differ by at most
    `tolerance` times the spread of the column over all rows (the interquartile
    range of its finite values; where that is 0, their standard deviation), and
    in every other column they are equal; missing and infinite values equal only
    themselves. The columns of numeric dtype are the numeric ones;
    booleans are not among them. Being the same thing is then passed on: if A
    is near B and B near C, all three share a number, however far A is from C.

    Near pairs are found with a k-d tree [1]_ and joined a bounded number at a
    time, so memory grows with the rows. Time grows with the number of near
    pairs: a tolerance that makes most rows near each other is slow, and means
    little.

    References
    ----------
    .. [1] S. Maneewongvatana, D. Mount (1999), "Analysis of approximate nearest
       neighbor searching with clustered point sets", arXiv:cs/9901013.

    Examples
    --------
    >>> from sktandem.shift import find_shared_rows
    >>> from sktandem.datasets import load_wine_quality
    >>> X, y, sample_source = load_wine_quality(drop_duplicates=False, return_X_y=True)
    >>> find_shared_rows(X, sample_source=sample_source)
    SharedRows: 6,497 rows, 5,318 different
      red: 240 of 1,599 rows repeat another
      white: 937 of 4,898 rows repeat another
      red, white: 2 in both

    A fifth of the wines are copies, and two are in both tables, red in one and
    white in the other.
    """
    features, sources = resolve_sources(X, sample_source, source=source)
    if n_rows(features) == 0:
        raise SourceError("X has no rows to compare.")
    columns = _columns(features, subset)
    if sample_source is not None and 1 < len(sources.names) < len(sources.codes):
        _refuse_source_column(columns, sources)
    _check_tolerance(tolerance, columns)
    groups = cross_codes([_codes(column) for column in columns])
    if tolerance:
        numbers = [_as_floats(column) for column in columns if _is_measured(column)]
        words = [_codes(column) for column in columns if not _is_measured(column)]
        groups = join_near(groups, numbers, words, float(tolerance))
    if subset is not None:
        groups = _leave_alone(np.all([_missing(c) for c in columns], axis=0), groups)
    return _count(_by_first_row(groups), sources)


def _refuse_source_column(columns: list[Any], sources: Sources) -> None:
    """Refuse to compare the source itself: nothing would be in two of them."""
    for column in columns:
        values = _codes(column)
        if values.max() + 1 == len(sources.names) and np.array_equal(
            _by_first_row(values), _by_first_row(sources.codes)
        ):
            raise SourceError(
                "X holds the source itself as a column, so that no row could be in two "
                "sources. Pass its name as source=, or leave it out by subset=."
            )


# The columns to compare


def _columns(X: Any, subset: Any) -> list[Any]:
    """Return the columns to compare; a sparse matrix as one of whole rows."""
    if subset is not None:
        return [_plain(take_column(X, j)) for j in _positions(X, subset)]
    if sparse.issparse(X):
        return [_row_keys(X)]
    if getattr(X, "ndim", 2) != 2:
        X = X.reshape(len(X), -1)
    if X.shape[1] == 0:
        raise SourceError("X has no columns to compare.")
    return [_plain(take_column(X, j)) for j in range(X.shape[1])]


def _plain(column: Any) -> Any:
    """Return a column as it is, but plain numbers of a data frame as an array."""
    if isinstance(column, nw.Series):  # where missing numbers must not round others
        whole = column.null_count() and column.dtype.is_integer()
        if whole or column.dtype.is_nested():
            return np.fromiter(column.to_list(), dtype=object)
        return column.to_numpy()
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in NUMBERS:
        return np.asarray(column)
    return column


def _positions(X: Any, subset: Any) -> list[int]:
    one = isinstance(subset, str) or not isinstance(subset, Iterable)
    wanted = [subset] if one else list(subset)
    if len(wanted) == 0:
        raise SourceError("subset names no column. None compares all of them.")
    names = column_names(X)
    if names is None:
        width = X.shape[1] if getattr(X, "ndim", 1) == 2 else 0
        names = list(range(width))
    odd = [name for name in wanted if name not in names]
    if odd:
        hint = did_you_mean(odd[0], names)
        kind = "column" if column_names(X) is not None else "position"
        raise SourceError(
            f"subset holds {odd[0]!r}, which is no {kind} of X. X has {len(names)} "
            f"columns, {_ends(names)}.{hint}"
        )
    return [names.index(name) for name in wanted]


def _ends(names: list[Any]) -> str:
    if len(names) <= 6:
        return repr(names)
    return f"{names[0]!r} to {names[-1]!r}"


def _row_keys(X: Any) -> NDArray[Any]:
    """Return each row of a sparse matrix as one comparable value."""
    X = X.tocsr(copy=True)
    X.sum_duplicates()  # sorts the positions within each row as well
    X.eliminate_zeros()
    keys = np.empty(X.shape[0], dtype=object)
    for row, (start, stop) in enumerate(zip(X.indptr, X.indptr[1:])):
        keys[row] = (X.indices[start:stop].tobytes(), X.data[start:stop].tobytes())
    return keys


def _check_tolerance(tolerance: Any, columns: list[Any]) -> None:
    if not isinstance(tolerance, Real) or not 0 <= float(tolerance) < np.inf:
        raise SourceError(
            f"tolerance must be a number from 0 on, got {tolerance!r}. "
            "It is a part of each column's spread; 0.01 is one percent."
        )
    if tolerance and not any(map(_is_measured, columns)):
        raise SourceError(
            f"tolerance={tolerance} needs a numeric column among those compared, and "
            "there is none. Convert columns of numbers to a numeric dtype, make a "
            "sparse X dense, or leave tolerance at 0."
        )


# Exact copies


def _codes(column: Any) -> NDArray[np.intp]:
    """Number the different values of a column; missing is one of them."""
    if isinstance(column, np.ndarray) and column.dtype.kind in NUMBERS:
        return np.unique(column, return_inverse=True)[1]
    missing = _missing(column)
    position: dict[Hashable, int] = {}
    codes = np.zeros(len(missing), dtype=np.intp)
    # Hashing, unlike np.unique, takes numbers beside texts.
    for row, (lacks, value) in enumerate(zip(missing, column.tolist())):
        try:
            codes[row] = position.setdefault(None if lacks else value, len(position))
        except TypeError:
            raise SourceError(
                f"Row {row} holds a {type(value).__name__}, which cannot be compared. "
                "Leave that column out with subset, or turn it into strings."
            ) from None
    return codes


def _missing(column: Any) -> NDArray[np.bool_]:
    if hasattr(column, "isna"):
        return np.asarray(column.isna(), dtype=bool)
    if column.dtype.kind in "fc":
        return np.asarray(np.isnan(column))
    if column.dtype.kind in "mM":
        return np.asarray(np.isnat(column))
    if column.dtype.kind != "O":
        return np.zeros(len(column), dtype=bool)
    return np.array([is_missing(value) for value in column.tolist()], dtype=bool)


def _is_measured(column: Any) -> bool:
    return bool(column.dtype.kind in "iuf")


def _as_floats(column: Any) -> NDArray[np.float64]:
    if isinstance(column, np.ndarray):
        return column.astype(float)
    return np.asarray(column.to_numpy(dtype=float, na_value=np.nan))


# The record


def _leave_alone(
    lonely: NDArray[np.bool_], groups: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Give a number of its own to each row that says nothing of what it is."""
    return np.where(lonely, groups.max() + 1 + np.arange(len(groups)), groups)


def _by_first_row(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    _, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[codes]


def _count(groups: NDArray[np.intp], sources: Sources) -> SharedRows:
    cells = np.unique(np.column_stack([sources.codes, groups]), axis=0)
    ones = np.ones(len(cells), dtype=np.intp)
    present = sparse.csr_matrix((ones, (cells[:, 0], cells[:, 1])))
    both = (present @ present.T).toarray()
    in_several = np.bincount(cells[:, 1]) > 1
    names, sizes = sources.names, sources.sizes.tolist()
    return SharedRows(
        groups=groups,
        sizes=dict(zip(names, sizes)),
        within={
            name: n - int(both[s, s]) for s, (name, n) in enumerate(zip(names, sizes))
        },
        across={
            (names[s], names[t]): int(both[s, t])
            for s, t in combinations(range(len(names)), 2)
        },
        n_rows_across=int(in_several[groups].sum()),
    )
