"""Rows, read and checked once: what every fit, prediction and comparison walks on."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    validate_data,
)

from sktandem._settings import check_choice, is_among
from sktandem._telling import counted, did_you_mean
from sktandem.data._cells import as_target
from sktandem.data._lazy import LazyTable
from sktandem.data._sources import (
    ONLY_SOURCE,
    UNKNOWN,
    Labels,
    Sources,
    as_labels,
    distinct,
    find_column,
    matched,
    plain_label,
    resolve_sources,
    split_source,
)
from sktandem.data._tables import (
    as_table,
    column_names,
    from_tensor,
    insert_column,
    is_missing,
    is_pandas,
    is_tensor,
    n_rows,
    refuse_datasets,
    refuse_hidden,
    take_rows,
)
from sktandem.exceptions import SourceError

__all__ = [
    "Rows",
    "check_columns",
    "check_unknown_rule",
    "number_groups",
    "read_rows",
]

RULES = ("error", "primary", "pooled")
REMEDY = "unknown_source='pooled' or 'primary' says what to do with such rows."


@dataclass(frozen=True, eq=False)
class Taken:
    """Where the rows of a table are from.

    Many fits on parts of one table need it only once.

    Attributes
    ----------
    X : table
        The rows that were taken.

    whole : table
        The table they were taken from.

    places : ndarray of int
        Their places there.
    """

    X: Any
    whole: Any
    places: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of several sources that were read and checked.

    Attributes
    ----------
    X : table
        The features, without a column of sources.

    y : ndarray or None
        The target; None where there is only something to predict.

    sources : Sources
        The source of each row.

    weights : ndarray of float or None
        What each row counts.

    groups : ndarray of int or None
        The number of each row's group: rows that must stay together.

    source_column : int or None
        Where the column of sources stood that was taken out of X, None if none was.

    taken : Taken or None
        Where X is from, if it is a part of another table.
    """

    X: Any
    y: Any
    sources: Sources
    weights: NDArray[np.float64] | None = None
    groups: NDArray[np.intp] | None = None
    source_column: int | None = None
    taken: Taken | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Another process gets these rows, and not the table that they are from.
        return vars(self) | {"taken": None}

    def __len__(self) -> int:
        return len(self.sources.codes)

    @property
    def names(self) -> tuple[Hashable, ...]:
        """The names of the sources."""
        return self.sources.names

    @cached_property
    def labels(self) -> NDArray[Any]:
        """The name of each row's source, for estimators that want it by keyword."""
        return self.sources.labels

    def of(self, name: Hashable) -> NDArray[np.intp]:
        """Return the row numbers of one source."""
        return self.sources.rows[self.names.index(name)]

    def of_others(self, name: Hashable) -> NDArray[np.intp]:
        """Return the row numbers of all sources but one."""
        return np.flatnonzero(self.sources.codes != self.names.index(name))

    def as_one(self, name: Hashable = ONLY_SOURCE) -> Rows:
        """Return the same rows as those of a single source."""
        zeros = np.zeros(len(self), dtype=np.int8)
        return replace(self, sources=Sources((name,), zeros))

    def known_to(self, estimator: Any, because: str | None) -> Rows:
        """Return the rows with the sources that a fitted estimator knows.

        `because` says why its answers depend on the source, None if they do not.
        """
        if because is None:
            zeros = np.zeros(len(self), dtype=np.int8)
            return replace(self, sources=Sources(estimator.sources_, zeros))
        sources = self.sources.among(estimator.sources_)
        return replace(self, sources=_settled(sources, self.labels, estimator, because))

    def take(self, rows: NDArray[np.intp] | None) -> Rows:
        """Return some of the rows, without the names that go empty; None for all."""
        if rows is None:
            return self
        y = self.y if self.y is None else self.y[rows]
        if y is not None and y.dtype == object:
            y = _unboxed(y)
        # Rows of rows are told by their places in the first table, of which the folds
        # of a fold still share one copy.
        X, whole, places = take_rows(self.X, rows), self.X, rows
        if self.taken is not None and self.taken.X is self.X:
            whole, places = self.taken.whole, self.taken.places[rows]
        return Rows(
            X,
            y,
            self.sources.take(rows),
            None if self.weights is None else self.weights[rows],
            None if self.groups is None else self.groups[rows],
            self.source_column,
            Taken(X, whole, places),
        )


def _unboxed(y: NDArray[Any]) -> NDArray[Any]:
    """Return the numbers of one source, held as objects for the strings of another."""
    boxed = any(isinstance(value, str) for value in y.ravel())
    return y if boxed or len(y) == 0 else np.array(y.tolist())


def read_rows(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    sample_source: Any = None,
    sample_weight: Any = None,
    groups: Any = None,
    source: str | int | None = None,
    names: Sequence[Hashable] | None = None,
    among: Sequence[Hashable] | None = None,
    needed_because: str | None = "",
    settled: bool = True,
    reset: bool = True,
    columns: bool = True,
) -> Rows:
    """Read the arguments of a public call: the one place where sources are found.

    The source by keyword or column, the lengths of all arguments, the columns of X and
    the rule for unknown sources are settled here, once for each call. Past this
    point there are only Rows.

    Parameters
    ----------
    estimator : estimator instance or None
        Whose call it is: its columns are learned or checked, and its parameters
        `source`, `primary_source` and `unknown_source` hold. None for a function
        that fits nothing itself.

    X, y, sample_source, sample_weight, groups : array-like
        The arguments, as they came. y is None where there is none to read.

    source : str or int, default=None
        The column of X that holds the source, where that of `estimator` does not.

    names : sequence of hashable, default=None
        The sources known from `fit`. None means that these rows make them known.

    among : sequence of hashable, default=None
        All sources that may come, of which these rows may hold a part, as in
        `partial_fit`. Another one is refused.

    needed_because : str or None, default=""
        Why the result depends on each row's source, for the message of the rule
        for unknown sources. None means that it does not: then nobody asks whose
        the rows are.

    settled : bool, default=True
        Whether the rule for unknown sources holds. Otherwise the code of a row
        whose source is unseen or missing is ``UNKNOWN``.

    reset : bool, default=True
        Whether these are the first rows, whose columns are learned and whose
        sources decide whether the rule for unknown ones can be kept; not such as
        are to be scored.

    columns : bool, default=True
        Whether X has the columns of `estimator`, its `source` among them. Texts by
        themselves do not, and the estimator sees to their columns.

    Returns
    -------
    rows : Rows
        The rows. Codes are ``UNKNOWN`` where the pooled rule applies.
    """
    refuse_datasets(X)
    if estimator is not None and columns:
        by_rows = isinstance(X, LazyTable) or not hasattr(X, "shape")
        if by_rows and hasattr(X, "__len__") and len(X) == 0:
            raise SourceError("X is empty. Pass at least one row.")
        source = estimator.source
        if names is not None and sample_source is not None:
            X = _with_source(X, source, sample_source, estimator)
        if names is None and reset:
            # Before the column of sources is taken out: `n_features_in_` and the names
            # are those of the X that the user will predict with.
            validate_data(estimator, X, y, skip_check_array=True)
        else:
            check_columns(estimator, X)
    if names is None:
        features, sources = _first_seen(
            estimator, X, sample_source, source, among, reset=reset
        )
    elif needed_because is None:
        features, _ = split_source(X, sample_source, source)
        sources = Sources(tuple(names), np.zeros(n_rows(features), dtype=np.int8))
    else:
        features, labels = split_source(X, sample_source, source)
        sources = matched(labels, n_rows(features), names)
        if settled:
            sources = _settled(sources, labels, estimator, needed_because)
    if estimator is not None:
        _refuse_dates(features)
    y = None if y is None else as_target(y)
    groups = None if groups is None else as_labels(groups, "groups")
    check_consistent_length(features, y, groups)
    fits = estimator is not None and names is None and reset
    _refuse_empty(features, "to fit" if names is None else "to predict for", fits=fits)
    if sample_weight is not None:
        sample_weight = _as_weights(sample_weight, features)
    if y is not None:
        _refuse_not_finite(y, sample_weight)
    numbers = None if groups is None else number_groups(groups)
    taken = None if source is None else find_column(X, source)
    return Rows(features, y, sources, sample_weight, numbers, taken)


def _first_seen(
    estimator: Any,
    X: Any,
    sample_source: Any,
    source: str | int | None,
    among: Sequence[Hashable] | None,
    *,
    reset: bool,
) -> tuple[Any, Sources]:
    """Return the features, and the sources that these rows make known."""
    # A few rows to score may hold more sources than one would expect of so few.
    fitting = reset or among is not None
    features, sources = resolve_sources(
        X, sample_source, source=source, fitting=fitting
    )
    if among is not None:
        labelled = sample_source is not None or source is not None
        sources = _placed(sources, among, labelled)
    if estimator is not None and fitting:
        check_unknown_rule(
            estimator.unknown_source, estimator.primary_source, sources.names
        )
    return features, sources


def _refuse_empty(X: Any, what: str, *, fits: bool) -> None:
    """Refuse features without a row, and in a fit without a column."""
    if n_rows(X) == 0:
        raise SourceError(f"X has no rows {what}, 0 samples.")
    if fits and getattr(X, "shape", ())[1:] == (0,):
        raise SourceError(
            f"X has 0 feature(s) (shape={X.shape}) while a minimum of 1 is required."
        )


def _refuse_dates(X: Any) -> None:
    """Refuse an array of dates; a splitter takes one, and so does a search of rows."""
    dtype = getattr(X, "dtype", None)
    if getattr(dtype, "kind", "") in ("m", "M"):
        raise SourceError(
            f"X holds dates, times or durations, of dtype {dtype}. Turn them into "
            "numbers first, such as days since a fixed day."
        )


def _as_weights(given: Any, X: Any) -> NDArray[np.float64]:
    """Return a weight for each row of X, as scikit-learn checks them."""
    refuse_hidden("sample_weight", given)
    if is_tensor(given):
        given = from_tensor("sample_weight", given)
    weights: NDArray[Any]
    try:
        weights = _check_sample_weight(given, X)
    except (TypeError, ValueError) as error:
        if re.search("sample.weight", str(error), re.IGNORECASE):
            raise
        raise SourceError(
            f"sample_weight must hold a number for each row: {error}"
        ) from error
    return weights if weights.dtype.kind == "f" else weights.astype(np.float64)


def _refuse_not_finite(y: NDArray[Any], weights: Any) -> None:
    """Refuse a target that is missing or infinite, before X is blamed for it.

    Of several targets one may be missing where heads have others.
    """
    if y.dtype.kind not in "fmM" or (y.ndim == 2 and y.shape[1] > 1):
        return
    broken = ~np.isfinite(y.reshape(len(y)))  # of dates NaT, too
    if weights is not None:
        broken &= weights > 0
    if broken.any():
        first = int(np.flatnonzero(broken)[0])
        n = counted(int(broken.sum()), "row")
        what, how = f"infinity or a value too large for {y.dtype}", "infinite"
        if np.isnan(y.reshape(len(y))[first]):
            what, how = "NaN", "missing"
        raise SourceError(
            f"Input y contains {what}: y is {how} in {n} of {len(y):,}, the first at "
            f"row {first}. Drop them first."
        )


def check_columns(estimator: Any, X: Any) -> None:
    """Refuse columns other than those of `fit`."""
    learned = vars(estimator)
    names = learned.get("feature_names_in_")
    plain = type(X) is np.ndarray and X.ndim == 2 and X.dtype.kind in "biuf"
    if plain and names is None and X.shape[1] == learned.get("n_features_in_"):
        return  # at once, for those who ask for one row
    if names is not None and is_pandas(X) and X.columns.tolist() == names.tolist():
        return
    table = as_table(X)
    if isinstance(table, LazyTable):  # an item has columns when it is read
        return
    if getattr(table, "ndim", 2) == 1 and hasattr(estimator, "n_features_in_"):
        check_array(table)  # which says how to reshape
    validate_data(estimator, X, reset=False, skip_check_array=True)


def _with_source(X: Any, source: Any, labels: Any, estimator: Any) -> Any:
    """Put the labels where fit had a column of sources, if a data frame has none."""
    names, known = column_names(X), list(getattr(estimator, "feature_names_in_", []))
    if names is None or source in names or source not in known:
        return X
    if n_rows(X) != n_rows(labels):
        return X  # which is said where labels are read
    return insert_column(X, known.index(source), np.asarray(labels), source)


def _placed(sources: Sources, names: Sequence[Hashable], labelled: bool) -> Sources:
    """Return sources by their place among all that there may be."""
    names = tuple(names)
    if len(set(names)) < len(names):
        raise SourceError(f"sources={list(names)} names one twice. Name each once.")
    if not labelled and names != (ONLY_SOURCE,):
        raise SourceError(
            f"There are the sources {list(names)}, so each row's source is needed: "
            "pass sample_source, or name its column by source."
        )
    for name in sources.names:
        if name not in names:
            raise SourceError(
                f"sample_source holds {name!r}, which is not among the sources of the "
                f"first partial_fit, {list(names)}.{did_you_mean(name, names)} Name "
                "all that will come by sources= there."
            )
    return sources.among(names)


def _settled(sources: Sources, labels: Any, estimator: Any, because: str) -> Sources:
    """Apply the rule for rows whose source is unseen in fit, or missing."""
    unknown = sources.codes == UNKNOWN
    if estimator.unknown_source == "pooled" or not unknown.any():
        return sources
    if estimator.unknown_source == "primary":
        if estimator.primary_source not in sources.names:
            raise SourceError(
                f"unknown_source='primary' asks for {estimator.primary_source!r}, of "
                "which partial_fit has had no rows yet. Give it some first."
            )
        primary = sources.names.index(estimator.primary_source)
        codes = np.where(unknown, primary, sources.codes)
        return Sources(sources.names, codes.astype(sources.codes.dtype))
    if labels is None:
        raise SourceError(
            f"{because}, so each row's source is needed: pass sample_source, or name "
            f"its column by source. The sources are {list(sources.names)}. Most tools "
            "of scikit-learn do not hand sample_source on to predict; with them take "
            f"the column. {REMEDY}"
        )
    first = int(np.flatnonzero(unknown)[0])
    label = plain_label(labels[first])
    raise SourceError(
        f"{because}, but {counted(int(unknown.sum()), 'row')} of {len(unknown):,} have "
        f"no source that was there in fit, the first {label!r} at row {first}. The "
        f"sources are {list(sources.names)}.{did_you_mean(label, sources.names)} "
        f"{REMEDY}"
    )


def check_unknown_rule(
    unknown_source: str, primary_source: Any, names: Sequence[Hashable]
) -> None:
    """Refuse a rule that cannot be kept with these sources."""
    check_choice("unknown_source", unknown_source, RULES)
    if primary_source is None:
        if unknown_source == "primary":
            raise SourceError(
                f"unknown_source='primary' needs primary_source, one of {list(names)}."
            )
    elif not is_among(primary_source, names):
        raise SourceError(
            f"primary_source={primary_source!r} is not a source. The sources are "
            f"{list(names)}.{did_you_mean(primary_source, names)}"
        )


def number_groups(groups: Labels) -> NDArray[np.intp]:
    """Number the groups; each row must have one."""
    names, codes = distinct(groups)
    if any(map(is_missing, names)):
        missing = [row for row, value in enumerate(groups) if is_missing(value)]
        raise SourceError(
            f"groups leaves {counted(len(missing), 'row')} without a group, the first "
            f"at row {missing[0]}. Give each a name of its own."
        )
    return codes.astype(np.intp)
