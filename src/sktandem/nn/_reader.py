"""From the user's arguments to rows: those of a fit, and those to validate on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from sktandem._telling import counted, did_you_mean, warn
from sktandem.data._lazy import as_items, as_lazy
from sktandem.data._rows import Rows, check_columns, read_rows
from sktandem.data._sources import ONLY_SOURCE, Sources, warn_of_source_among_features
from sktandem.data._tables import n_rows, refuse_datasets
from sktandem.exceptions import SourceError

__all__ = ["Reader"]


@dataclass(frozen=True)
class Reader:
    """Reads rows for an estimator with a net.

    Attributes
    ----------
    estimator : estimator instance
        Whose columns and rule for unknown sources hold.
    """

    estimator: Any

    # What a subclass fills whose X is not a table ---------------------------------

    def read(self, X: Any, y: Any = None, **how: Any) -> Rows:
        """Read one set of arguments, as `read_rows` does."""
        return read_rows(self.estimator, _items_of(X, self.estimator), y, **how)

    def check_columns(self, X: Any) -> None:
        """Refuse columns other than those of `fit`."""
        check_columns(self.estimator, _items_of(X, self.estimator))

    # ------------------------------------------------------------------------------

    def rows(
        self,
        X: Any,
        y: Any,
        sample_source: Any,
        *,
        among: Sequence[Hashable] | None = None,
        reset: bool = True,
    ) -> Rows:
        """Return the rows to train on, `among` naming all sources that may come."""
        rows = self.read(X, y, sample_source=sample_source, among=among, reset=reset)
        warn_of_source_among_features(rows.X, sample_source)
        absent = [n for n, size in zip(rows.names, rows.sources.sizes) if size == 0]
        if absent:
            present = [name for name in rows.names if name not in absent]
            warn(
                f"partial_fit got no rows of {absent}, so only {present} are trained "
                "in this call."
            )
        return rows

    def to_predict(
        self, X: Any, y: Any = None, *, because: str | None, **given: Any
    ) -> Rows:
        """Return rows by the sources known from `fit`."""
        check_is_fitted(self.estimator)
        names = self.estimator.sources_
        return self.read(X, y, names=names, needed_because=because, **given)

    def held(self, validation_data: Any, rows: Rows, *, by_source: bool) -> Rows:
        """Return the rows that the user gave to validate on.

        `by_source` tells whether anything is learned for each source by itself:
        then no others can be validated on.
        """
        X, y, labels = _three(validation_data)
        names, model = rows.names, self.estimator
        labelled = labels is not None or model.source is not None
        if not labelled and names != (ONLY_SOURCE,):
            raise SourceError(
                "validation_data needs each row's source, by which its losses are "
                "recorded: (X, y, sample_source), or the column that source names."
            )
        # A pipeline transforms X, but not what is handed to its last step: the columns
        # then differ, and the remedy is worth more than the counts.
        try:
            self.check_columns(X)
        except ValueError as error:
            raise SourceError(
                "The columns of validation_data are not those of X: "
                f"{error}\nPreprocessing in front of {type(model).__name__} is not "
                "applied to it: put it into scaler, or set validation_fraction instead."
            ) from None
        held = self.read(X, y, sample_source=labels, reset=False)
        if not labelled:
            return replace(held, sources=Sources(names, held.sources.codes))
        other = [name for name in held.names if name not in names]
        if other and by_source:
            raise SourceError(
                f"validation_data has rows of {other}, which have no training rows. "
                f"The sources are {list(names)}. Such rows can be validated on where "
                "nothing is learned by source: one output, and pooled scaling."
            )
        if other:
            warn(
                f"validation_data has rows of {other}, which have no training rows: "
                f"their losses are recorded beside those of {list(names)}."
                f"{did_you_mean(other[0], names)}"
            )
        return replace(held, sources=_behind(names, held.sources, other))


def _three(validation_data: Any) -> tuple[Any, Any, Any]:
    """Return X, y and the sources, None where they are not given."""
    several = isinstance(validation_data, tuple | list)
    if not several or len(validation_data) not in (2, 3):
        n = counted(len(validation_data), "part") if several else None
        raise SourceError(
            "validation_data must be (X, y) or (X, y, sample_source), got "
            f"{n or type(validation_data).__name__}."
        )
    X, y, labels = (*validation_data, None)[:3]
    return X, y, labels


def _behind(
    names: Sequence[Hashable], held: Sources, other: Sequence[Hashable]
) -> Sources:
    """Return held-out rows by the codes of the sources that train, others behind."""
    # Sources that do not train come behind those that do, whose codes must be those of
    # the training rows.
    every = (*names, *other)
    place = {name: code for code, name in enumerate(every)}
    codes = np.asarray([place[name] for name in held.names], dtype=np.intp)
    return Sources(every, codes[held.codes])


def _items_of(X: Any, estimator: Any) -> Any:
    """Return items as rows that are read later; a dict of arrays is one of inputs."""
    if getattr(estimator, "collate", None) is not None and _holds_sequences(X):
        return as_items(X)
    # Of the formats of sparse matrices one is a dict.
    inputs = isinstance(X, dict) and not issparse(X) and _holds_inputs(X)
    if inputs and getattr(estimator, "scaler", None) is None:
        return as_lazy(X)
    try:
        refuse_datasets(X)
    except SourceError as error:
        if not inputs:
            raise
        also = "As inputs of one module by name it needs scaler=None."
        raise SourceError(f"{error} {also}") from None
    return as_lazy(X)


def _holds_sequences(X: Any) -> bool:
    """Tell a list of arrays, which may be few or all of one length."""
    return isinstance(X, list) and len(X) > 0 and all(np.ndim(row) > 0 for row in X)


def _holds_inputs(X: dict[Any, Any]) -> bool:
    """Tell inputs of the same rows from datasets, which have rows of their own."""
    inputs = [values for values in X.values() if not isinstance(values, tuple)]
    same = len({n_rows(values) for values in inputs if hasattr(values, "__len__")}) == 1
    return bool(X) and len(inputs) == len(X) and same
