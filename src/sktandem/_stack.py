"""Several datasets stacked into one X, one y and one label per row."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sktandem._cells import as_target
from sktandem._sources import Sources, resolve_sources
from sktandem._tables import is_frame, is_tensor, n_rows
from sktandem.exceptions import SourceError

__all__ = ["Stacked", "stack_sources"]


class Stacked(NamedTuple):
    """X, y and sample_source of several datasets, row by row together."""

    X: Any
    y: Any
    sample_source: Any


def stack_sources(
    datasets: Mapping[Hashable, tuple[Any, Any]],
    *,
    column: str | None = None,
    join: str = "exact",
    labels: str | None = None,
) -> Stacked:
    """Stack several datasets and label each row with the one it came from.

    This is how two tables become the ``X, y, sample_source`` that every
    estimator of the package takes. It checks what goes wrong by hand: columns
    in another order, lengths that differ, labels that silently turn to text.

    Read more in the :ref:`User Guide <sources>`.

    Parameters
    ----------
    datasets : dict of {name: (X, y)}
        The datasets by name, stacked in this order. X may be an array, a data
        frame, a sparse matrix, a torch CPU tensor or a list of texts, the same
        kind in all; y of shape (n,), (n, 1) or (n, k), or None in all.

    column : str, default=None
        Also put the source into X: for data frames a column of this name with
        the names themselves, for arrays the last column with the position of
        the name among the sorted names. Pass ``source=column``, for arrays
        ``source=-1``, to the estimator.

    join : {"exact"}, default="exact"
        "exact" wants the same columns in all datasets; data frames may have
        them in any order, the first one's is taken.

    labels : {"str"}, default=None
        "str" turns every label into text, for datasets of which one has
        numbers and another texts. By default these are refused, because
        NumPy would do the same without a word.

    Returns
    -------
    stacked : Stacked
        A named tuple ``X, y, sample_source``.

    Raises
    ------
    SourceError
        If the datasets do not fit together.

    See Also
    --------
    MergedClassifier : Fit one classifier on all sources.
    MergedRegressor : Fit one regressor on all sources.

    Examples
    --------
    >>> from sktandem import stack_sources
    >>> X, y, sample_source = stack_sources({
    ...     "clinic": ([[1.0], [2.0]], ["ill", "well"]),
    ...     "lab": ([[3.0]], ["well"]),
    ... })
    >>> sample_source
    array(['clinic', 'clinic', 'lab'], dtype='<U6')
    >>> X.shape
    (3, 1)
    """
    if join != "exact":
        raise SourceError(f"join must be 'exact', got {join!r}.")
    if labels not in (None, "str"):
        raise SourceError(f"labels must be None or 'str', got {labels!r}.")
    if not isinstance(datasets, Mapping) or len(datasets) == 0:
        raise SourceError(
            "stack_sources expects a dict {name: (X, y), ...}, got "
            f"{type(datasets).__name__}."
        )
    tables, targets = {}, {}
    for name, pair in datasets.items():
        tables[name], targets[name] = _checked_pair(name, pair)
    sample_source = _labels(tables)
    # Names that cannot live beside each other are refused here, not in fit.
    _, sources = resolve_sources(sample_source, sample_source)
    X = _stack_tables(tables)
    if column is not None:
        X = _with_column(X, sources, column)
    return Stacked(X, _stack_targets(targets, as_text=labels == "str"), sample_source)


def _checked_pair(name: Hashable, pair: Any) -> tuple[Any, Any]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise SourceError(
            f"{name!r} must be a pair (X, y), got {type(pair).__name__}"
            f"{f' of {len(pair)}' if isinstance(pair, tuple | list) else ''}."
        )
    X, y = pair
    is_texts = isinstance(X, list) and all(isinstance(text, str) for text in X)
    if not (is_frame(X) or sparse.issparse(X) or is_tensor(X) or is_texts):
        X = np.asarray(X)
    if n_rows(X) == 0:
        raise SourceError(f"{name!r} has no rows. Leave it out.")
    if y is not None:
        y = y if hasattr(y, "iloc") or is_tensor(y) else as_target(y)
        if n_rows(X) != n_rows(y):
            raise SourceError(
                f"{name!r} has {n_rows(X)} rows of X and {n_rows(y)} of y."
            )
    return X, y


def _labels(tables: dict[Hashable, Any]) -> np.ndarray:
    names = np.empty(len(tables), dtype=object)
    names[:] = list(tables)
    if len({type(name) for name in tables}) == 1 and isinstance(names[0], str | int):
        names = np.array(names.tolist())
    return np.repeat(names, [n_rows(X) for X in tables.values()])


def _kind(X: Any) -> str:
    if is_frame(X):
        return "data frame"
    if sparse.issparse(X):
        return "sparse matrix"
    if is_tensor(X):
        return "tensor"
    return "list of texts" if isinstance(X, list) else "array"


def _stack_tables(tables: dict[Hashable, Any]) -> Any:
    kinds = {name: _kind(X) for name, X in tables.items()}
    if len(set(kinds.values())) > 1:
        raise SourceError(f"The datasets must be of one kind, got {kinds}.")
    parts = list(tables.values())
    kind = _kind(parts[0])
    if kind == "list of texts":
        return [text for part in parts for text in part]
    if kind == "data frame":
        return _stack_frames(tables)
    shapes = {name: X.shape[1:] for name, X in tables.items()}
    if len(set(shapes.values())) > 1:
        widths = {n: s[0] if len(s) == 1 else tuple(s) for n, s in shapes.items()}
        raise SourceError(
            f"The datasets must share their columns, got {widths}. "
            "Align the columns before stacking."
        )
    if kind == "sparse matrix":
        return sparse.vstack(parts, format="csr")
    if kind == "tensor":
        return sys.modules["torch"].cat(parts)
    _refuse_mixed_kinds("X", tables)
    return np.concatenate(parts)


def _stack_frames(tables: dict[Hashable, Any]) -> Any:
    import pandas as pd

    every = list(dict.fromkeys(c for X in tables.values() for c in X.columns))
    lacking = {
        name: [c for c in every if c not in X.columns] for name, X in tables.items()
    }
    if any(lacking.values()):
        told = "; ".join(f"{n!r} lacks {cols}" for n, cols in lacking.items() if cols)
        raise SourceError(
            f"The datasets must share their columns: {told}. "
            "Align the columns before stacking."
        )
    for name, X in tables.items():
        if not X.columns.is_unique:
            twice = X.columns[X.columns.duplicated()].unique().tolist()
            raise SourceError(f"{name!r} has the columns {twice} more than once.")
    return pd.concat([X[every] for X in tables.values()], ignore_index=True)


def _with_column(X: Any, sources: Sources, column: str) -> Any:
    if is_frame(X):
        if column in X.columns:
            raise SourceError(
                f"column={column!r} is a column of X already. Choose another name, or "
                f"pass source={column!r} to the estimator to use it as it is."
            )
        names = np.array(sources.names, dtype=object)
        return X.assign(**{column: names[sources.codes]})
    codes = sources.codes[:, None]
    if sparse.issparse(X):
        return sparse.hstack([X, codes.astype(X.dtype)], format="csr")
    if is_tensor(X):
        torch = sys.modules["torch"]
        return torch.cat([X, torch.from_numpy(codes).to(X.dtype)], dim=1)
    if isinstance(X, list) or X.ndim != 2:
        raise SourceError(
            f"column={column!r} needs a table, but X has no columns. "
            "Use the returned sample_source."
        )
    return np.hstack([X, codes.astype(X.dtype)])


def _stack_targets(targets: dict[Hashable, Any], *, as_text: bool) -> Any:
    given = {name: y for name, y in targets.items() if y is not None}
    if not given:
        return None
    if len(given) < len(targets):
        without = [name for name in targets if name not in given]
        raise SourceError(f"{without} have no y, but {list(given)} have.")
    if len({tuple(y.shape[1:]) for y in targets.values()}) > 1:
        shapes = {name: tuple(y.shape) for name, y in targets.items()}
        raise SourceError(f"The targets must have the same outputs, got {shapes}.")
    parts = list(targets.values())
    if as_text:
        texts = [[str(v) for v in np.asarray(y).ravel().tolist()] for y in parts]
        shape = (-1, *parts[0].shape[1:])
        return np.concatenate([np.array(part) for part in texts]).reshape(shape)
    if all(is_tensor(y) for y in parts):
        return sys.modules["torch"].cat(parts)
    _refuse_mixed_kinds("y", targets)
    if all(hasattr(y, "iloc") for y in parts):
        import pandas as pd

        return pd.concat(parts, ignore_index=True)
    return np.concatenate([as_target(y) for y in parts])


def _refuse_mixed_kinds(what: str, parts: dict[Hashable, Any]) -> None:
    kinds = {name: _value_kind(part) for name, part in parts.items()}
    if len(set(kinds.values()) - {"objects"}) > 1:
        cure = (
            "labels='str' turns every label into text."
            if what == "y"
            else "Use data frames, whose columns may differ in kind."
        )
        raise SourceError(
            f"{what} has {kinds}: NumPy would turn the numbers into texts without a "
            f"word. {cure}"
        )


def _value_kind(values: Any) -> str:
    array = np.asarray(values)
    if array.dtype.kind != "O":
        return "texts" if array.dtype.kind in "US" else "numbers"
    kinds = {isinstance(value, str) for value in array.ravel()}
    return "texts" if kinds == {True} else "numbers" if kinds == {False} else "objects"
