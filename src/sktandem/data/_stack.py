"""Several datasets stacked into one X, one y and one label per row."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Literal, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sktandem._settings import check_choice, is_among
from sktandem._telling import counted, did_you_mean
from sktandem.data._cells import as_target
from sktandem.data._join import JOINS, join_frames
from sktandem.data._lazy import (
    LazyTable,
    as_items,
    as_lazy,
    dataset_of,
    files_of,
    input_names,
    targets_of,
)
from sktandem.data._sources import plain_label, resolve_sources
from sktandem.data._spelling import as_answers
from sktandem.data._tables import (
    as_table,
    column_names,
    drop_column,
    insert_column,
    is_frame,
    is_missing,
    is_pandas,
    is_tensor,
    n_rows,
    refuse_datasets,
    refuse_hidden,
    take_column,
)
from sktandem.exceptions import SourceError

__all__ = ["Stacked", "stack_sources"]


class Stacked(NamedTuple):
    """X, y and sample_source of several datasets, row by row together."""

    X: Any
    y: Any
    sample_source: Any


def stack_sources(
    datasets: Mapping[Any, Any],
    *,
    target: Hashable = None,
    column: str | None = None,
    join: Literal["exact", "inner", "outer"] = "exact",
    labels: Literal["str"] | None = None,
    reader: Callable[[Any], Any] | None = None,
) -> Stacked:
    """Stack several datasets and label each row with the one it came from.

    This is how two tables become the ``X, y, sample_source`` that every
    estimator of the package takes. It checks what goes wrong by hand: columns
    in another order, lengths that differ, labels that silently turn to text.

    Read more in the :ref:`User Guide <sources>`.

    Parameters
    ----------
    datasets : dict of {name: (X, y)} or, with `target`, of {name: data frame}
        The datasets by name, stacked in this order. X may be an array, a data
        frame (pandas, polars, pyarrow), a sparse matrix, a torch CPU tensor or a list
        of texts, the same kind in all; y of shape (n,), (n, 1) or (n, k), or
        None in all. For nets X may also be a map-style ``Dataset`` of torch, or a
        list of arrays of several lengths, or a dict of them for a module of several
        inputs. A ``Dataset`` that gives pairs (x, y) may
        stand alone; its y is what it keeps as `targets`, `labels` or ``tensors[1]``,
        else it is read by one pass over all items.

    target : str, default=None
        The column of every data frame that is y; the others are X.

    column : str, default=None
        Also put the source into X: for data frames a column of this name with
        the names themselves, for arrays the last column with the position of
        the name among the sorted names. Pass ``source=column``, for arrays
        ``source=-1``, to the estimator.

    join : {"exact", "inner", "outer"}, default="exact"
        Which columns of data frames to keep. They are matched by name, in the
        order of their first appearance.

        - "exact": the same columns in all datasets, or an error.
        - "inner": those that all datasets have.
        - "outer": every column, missing where a source has none.

    labels : {"str"}, default=None
        "str" turns every label into text, for datasets of which one has
        numbers and another texts. By default these are refused, because
        NumPy would do the same without a word.

    reader : callable, default=None
        Called with a file's name, it returns what the file holds. Then each X is a
        list of names.

    Returns
    -------
    stacked : Stacked
        A named tuple ``X, y, sample_source``. Of datasets, files and arrays of
        several lengths X is a table whose rows are read when they are needed:
        ``X[3]`` reads an item, ``X[3:9]`` and ``X[mask]`` read nothing.

    Raises
    ------
    SourceError
        If the datasets do not fit together.

    See Also
    --------
    read_sources : Read files, and list what they write differently.
    Merged : Fit one estimator on all sources.

    Notes
    -----
    Columns keep their dtype, with these exceptions. Where the sources have
    several dtypes of one kind, the common one is taken; categories become the
    union of all. A column that a source does not have, or in which it has no value, is
    missing there: then integers of NumPy become floats, and booleans of
    NumPy become pandas' nullable "boolean". Columns that hold another kind of
    thing in each source (numbers and texts, dates with and without a time
    zone, categories and plain strings) are refused, as are integers too
    large to become floats.

    Examples
    --------
    >>> from sktandem import stack_sources
    >>> X, y, sample_source = stack_sources({
    ...     "clinic": ([[1.0], [2.0]], ["ill", "well"]),
    ...     "lab": ([[3.0]], ["well"]),
    ... })
    >>> sample_source
    array(['clinic', 'clinic', 'lab'], dtype=object)
    >>> X.shape
    (3, 1)

    The lab does not measure the pulse, the clinic no iron:

    >>> import pandas as pd
    >>> clinic = pd.DataFrame({"age": [40, 50], "pulse": [60.0, 70.0]})
    >>> lab = pd.DataFrame({"iron": [1.5], "age": [60]})
    >>> datasets = {"clinic": (clinic, ["ill", "well"]), "lab": (lab, ["well"])}
    >>> stack_sources(datasets, join="outer").X
       age  pulse  iron
    0   40   60.0   NaN
    1   50   70.0   NaN
    2   60    NaN   1.5
    >>> list(stack_sources(datasets, join="inner").X)
    ['age']

    The target as a column of each:

    >>> clinic, lab = clinic.assign(ill=[1, 0]), lab.assign(ill=1)
    >>> frames = {"clinic": clinic, "lab": lab}
    >>> stack_sources(frames, target="ill", join="inner").y.tolist()
    [1, 0, 1]
    """
    check_choice("join", join, JOINS)
    if not is_among(labels, (None, "str")):
        raise SourceError(f"labels must be None or 'str', got {labels!r}.")
    if column is not None and not isinstance(column, str):
        raise SourceError(f"column must be the name of a new column, got {column!r}.")
    if not _is_filled_mapping(datasets):
        got = "an empty one" if isinstance(datasets, dict) else type(datasets).__name__
        raise SourceError(
            f"stack_sources expects a dict {{name: (X, y), ...}}, got {got}."
        )
    tables, targets = {}, {}
    for name, pair in datasets.items():
        pair = pair if target is None else _parted(name, pair, target)
        tables[name], targets[name] = _checked_pair(name, pair, reader)
    names = _names(tables)
    # Names that cannot live beside each other are refused here, not in fit.
    _, sources = resolve_sources(names, names)
    sizes = [n_rows(X) for X in tables.values()]
    sample_source = np.repeat(names, sizes)
    X = _stack_tables(tables, join, room=column is not None)
    if column is not None:
        X = _with_column(X, column, sample_source, np.repeat(sources.codes, sizes))
    return Stacked(X, _stack_targets(targets, as_text=labels == "str"), sample_source)


def _is_filled_mapping(datasets: object) -> bool:
    return isinstance(datasets, Mapping) and len(datasets) > 0


def _parted(name: Hashable, frame: Any, target: Hashable) -> tuple[Any, Any]:
    """Return the columns of a data frame but one, and that one."""
    refuse_datasets(frame)  # a query that was not run is a data frame by its name
    columns = column_names(frame)
    if columns is None:
        raise SourceError(
            f"target={target!r} names a column, so {name!r} must be a data frame, got "
            f"{type(frame).__name__}."
        )
    if target not in columns:
        raise SourceError(
            f"{name!r} has no column {target!r}. The columns are {columns}."
            f"{did_you_mean(target, columns)}"
        )
    place = columns.index(target)
    y = take_column(frame, place)
    return drop_column(frame, place), y if is_pandas(frame) else y.to_numpy()


def _checked_pair(name: Hashable, pair: Any, reader: Any) -> tuple[Any, Any]:
    items = dataset_of(pair, name)
    if items is not None:
        pair = LazyTable.of(items), targets_of(items)
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise SourceError(
            f"{name!r} must be a pair (X, y), got {type(pair).__name__}"
            f"{f' of {len(pair)}' if isinstance(pair, tuple | list) else ''}."
            f"{' If y is a column of it, pass target=.' * is_frame(pair)}"
        )
    X, y = pair
    X = as_lazy(X, name) if reader is None else files_of(X, reader)
    is_texts = isinstance(X, list) and all(isinstance(text, str) for text in X)
    if not (is_tensor(X) or is_texts or isinstance(X, LazyTable)):
        try:
            X = as_table(X)
        except SourceError as error:
            raise SourceError(f"{name!r}: {error}") from None
    if n_rows(X) == 0:
        raise SourceError(f"{name!r} has no rows. Leave it out.")
    if y is not None:
        try:
            refuse_hidden("y", y)
            y = y if hasattr(y, "iloc") or is_tensor(y) else as_target(y)
        except SourceError as error:
            raise SourceError(f"{name!r}: {error}") from None
        if y.ndim == 0:
            raise SourceError(
                f"{name!r}: y must hold a target for each sample, got "
                f"{type(pair[1]).__name__}."
            )
        if n_rows(X) != n_rows(y):
            raise SourceError(
                f"{name!r} has {n_rows(X)} rows of X and {n_rows(y)} of y."
            )
    return X, y


def _names(tables: Mapping[Hashable, Any]) -> NDArray[Any]:
    """Return the names as an array of integers, or of objects.

    Of texts too: an array of fixed-width texts holds each name again in every
    row, one of objects only a pointer to it.
    """
    if set(map(type, tables)) == {int}:
        return np.array(list(tables))
    return np.fromiter(tables, dtype=object, count=len(tables))


# X


def _kind(X: Any) -> str:
    if is_frame(X):
        return f"{nw.get_native_namespace(X).__name__} data frame"
    if sparse.issparse(X):
        return "sparse matrix"
    if is_tensor(X):
        return "tensor"
    if isinstance(X, LazyTable):
        return "dataset"
    return "list of texts" if isinstance(X, list) else "array"


def _stack_tables(tables: dict[Hashable, Any], join: str, *, room: bool) -> Any:
    """Stack the tables; `room` leaves a last column of a 2-D array to be set.

    Put there later, it would copy all of X.
    """
    kinds = {name: _kind(X) for name, X in tables.items()}
    if set(kinds.values()) == {"dataset", "array"}:  # of one length, by chance
        kinds = dict.fromkeys(kinds, "dataset")
        tables = {name: as_items(X) for name, X in tables.items()}
    if len(set(kinds.values())) > 1:
        raise SourceError(f"The datasets must be of one kind, got {kinds}.")
    parts = list(tables.values())
    kind = _kind(parts[0])
    if is_frame(parts[0]):
        return join_frames(tables, join)
    if join != "exact":
        raise SourceError(
            f"join={join!r} goes by the names of columns, and X is "
            f"{'an' if kind == 'array' else 'a'} {kind} without names. Pass data "
            "frames, or leave join at 'exact'."
        )
    if kind == "dataset":
        stacked = LazyTable.joined(parts)
        names = {tuple(sorted(own or ("",))) for own in input_names(stacked)}
        if len(names) > 1:
            first = {name: input_names(X)[0] for name, X in tables.items()}
            inputs = {n: tuple(filter(None, own or ())) for n, own in first.items()}
            raise SourceError(
                f"The datasets must have the same inputs, got {inputs}. Give each a "
                "dict with the same names."
            )
        return stacked
    if kind == "list of texts":
        return [text for part in parts for text in part]
    _refuse_other_shapes(tables)
    if kind == "sparse matrix":
        return _exact("X", tables, sparse.vstack(parts, format="csr"))
    if kind == "tensor":
        return _exact("X", tables, sys.modules["torch"].cat(parts))
    _refuse_mixed_kinds("X", tables)
    if not room or parts[0].ndim != 2:
        return _exact("X", tables, np.concatenate(parts))
    width = parts[0].shape[1]
    shape = sum(map(len, parts)), width + 1
    X = np.empty(shape, dtype=np.result_type(*parts))
    np.concatenate(parts, out=X[:, :width])
    return _exact("X", tables, X)


def _exact(what: str, parts: Mapping[Hashable, Any], stacked: Any) -> Any:
    """Return what was stacked; refuse it if integers became floats and were rounded."""
    if is_tensor(stacked):
        limits = sys.modules["torch"].finfo if stacked.is_floating_point() else None
        became = stacked.dtype
    else:  # pandas' nullable dtypes hold numbers of a plain one
        became = getattr(stacked.dtype, "numpy_dtype", stacked.dtype)
        limits = np.finfo if became.kind == "f" else None
    if limits is None:
        return stacked
    largest = int(2 / limits(became).eps)  # all integers up to here are floats
    for name, part in parts.items():
        if is_tensor(part) and part.is_floating_point():
            continue  # some of which NumPy does not have
        values = np.asarray(part.data if sparse.issparse(part) else part)
        integers = values.dtype.kind in "iu" and values.size > 0
        if integers and max(int(values.max()), -int(values.min())) > largest:
            raise SourceError(
                f"{what} of {name!r} has integers beyond {largest:,}, which stacking "
                f"would turn into {became} and round. Give all datasets one dtype "
                "before stacking."
            )
    return stacked


def _refuse_other_shapes(tables: dict[Hashable, Any]) -> None:
    shapes = {name: X.shape[1:] for name, X in tables.items()}
    if len(set(shapes.values())) > 1:
        widths = {n: s[0] if len(s) == 1 else tuple(s) for n, s in shapes.items()}
        raise SourceError(
            f"The datasets must share their columns, got {widths}. Align the columns "
            "before stacking; data frames can be joined by their names, with "
            "join='inner' or join='outer'."
        )


def _with_column(X: Any, column: str, labels: NDArray[Any], codes: NDArray[Any]) -> Any:
    """Put the source into X: by its label in data frames, else by its code."""
    if is_frame(X):
        if column in X.columns:
            raise SourceError(
                f"column={column!r} is a column of X already. Choose another name, or "
                f"pass source={column!r} to the estimator to use it as it is."
            )
        return insert_column(X, X.shape[1], labels, column)
    if isinstance(X, list) or X.ndim != 2:
        raise SourceError(
            f"column={column!r} needs a table, but X has no columns. Use the returned "
            "sample_source. Of texts, give each dataset as a table of one column, "
            "pd.DataFrame({'text': texts})."
        )
    if is_tensor(X):
        # Not imported: who has a tensor has loaded it, and all others do without.
        torch = sys.modules["torch"]
        cast = torch.from_numpy(codes).to(X.dtype)[:, None]
        kept = np.asarray(cast[:, 0].to(torch.int64))
    else:
        cast = codes[:, None].astype(X.dtype)
        kept = cast[:, 0].astype(codes.dtype)
    if not np.array_equal(kept, codes):
        raise SourceError(
            f"column={column!r} needs numbers up to {codes.max()}, which X of "
            f"{X.dtype} cannot hold. Convert X, or use the returned sample_source."
        )
    if is_tensor(X):
        return torch.cat([X, cast], dim=1)
    if sparse.issparse(X):
        return sparse.hstack([X, cast], format="csr")
    X[:, [-1]] = cast  # the room that was left
    return X


# y


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
        texts = [_as_texts(name, y) for name, y in targets.items()]
        return np.concatenate(texts).reshape(-1, *parts[0].shape[1:])
    if all(is_tensor(y) for y in parts):
        return _exact("y", targets, sys.modules["torch"].cat(parts))
    _refuse_mixed_kinds("y", targets)
    if all(is_frame(y) for y in parts):
        _refuse_other_outputs(targets)
        return join_frames(targets, "exact")
    if all(hasattr(y, "iloc") for y in parts):
        import pandas as pd

        stacked = pd.concat(parts, ignore_index=True)
        return _exact("y", targets, stacked)
    return _exact("y", targets, np.concatenate([as_target(y) for y in parts]))


def _refuse_other_outputs(targets: dict[Hashable, Any]) -> None:
    outputs = {name: list(y.columns) for name, y in targets.items()}
    if len(set(map(frozenset, outputs.values()))) > 1:
        raise SourceError(
            f"The targets must have the same outputs, got {outputs}. Name the columns "
            "of y alike."
        )


def _as_texts(name: Hashable, y: Any) -> NDArray[Any]:
    values = [plain_label(value) for value in as_target(y).ravel().tolist()]
    missing = [row for row, value in enumerate(values) if is_missing(value)]
    if missing:
        raise SourceError(
            f"labels='str' needs every label, but y of {name!r} is missing in "
            f"{counted(len(missing), 'row')}, the first at row {missing[0]}. Drop "
            "them first."
        )
    return np.array([str(value) for value in values])


def _refuse_mixed_kinds(what: str, parts: dict[Hashable, Any]) -> None:
    kinds = {name: _value_kind(part) for name, part in parts.items()}
    if len(set(kinds.values()) - {"objects"}) > 1:
        remedy = "Use data frames, whose columns may differ in kind."
        if what == "y":
            remedy = _remedy_of_labels(parts)
        raise SourceError(
            f"{what} has {kinds}: NumPy would turn the numbers into texts without a "
            f"word. {remedy}"
        )


def _remedy_of_labels(parts: dict[Hashable, Any]) -> str:
    """Return what to do about labels of two kinds, or of one in two spellings."""
    words = [set(np.asarray(part).ravel().tolist()) for part in parts.values()]
    strings = {v for own in words for v in own if isinstance(v, str)}
    answers = as_answers(strings)
    if answers and set.union(*words) - strings <= {0, 1}:
        return (
            f"They look like the same two classes. Write them alike: y.map({answers}), "
            "or map= of read_sources."
        )
    return "labels='str' turns every label into text."


def _value_kind(values: Any) -> str:
    array = np.asarray(values)
    if array.dtype.kind != "O":
        return "texts" if array.dtype.kind in "US" else "numbers"
    kinds = {isinstance(value, str) for value in array.ravel()}
    return "texts" if kinds == {True} else "numbers" if kinds == {False} else "objects"
