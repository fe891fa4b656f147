"""Rows that are read when they are needed: of datasets, files, arrays of any length."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from sktandem._settings import is_integer
from sktandem.exceptions import SourceError

__all__ = [
    "LazyTable",
    "as_items",
    "as_lazy",
    "dataset_of",
    "files_of",
    "input_columns",
    "input_names",
    "refuse_items",
    "targets_of",
]

TARGETS = ("targets", "labels")  # where datasets of torchvision and others keep y


class LazyTable:
    """Rows that are read one by one, when they are needed.

    An integer gives an item. A slice, a mask or an array of row numbers gives a view
    that reads nothing, so that scikit-learn's splitters deal with it as with any X.

    Parameters
    ----------
    parts : sequence of Items
        What the rows are read from.

    part : ndarray of int
        The part that each row is in.

    place : ndarray of int
        The place of each row in its part.
    """

    ndim = 1

    def __init__(
        self, parts: Sequence[Any], part: NDArray[Any], place: NDArray[Any]
    ) -> None:
        self.parts, self.part, self.place = tuple(parts), part, place

    @classmethod
    def of(cls, items: Any) -> LazyTable:
        """Return all items of one part."""
        n = len(items)
        return cls([items], np.zeros(n, np.int16), np.arange(n))

    @classmethod
    def joined(cls, tables: Sequence[LazyTable]) -> LazyTable:
        """Return the rows of several tables, one table behind the other."""
        starts = np.cumsum([0, *(len(table.parts) for table in tables)])
        return cls(
            [part for table in tables for part in table.parts],
            np.concatenate([t.part + start for t, start in zip(tables, starts)]),
            np.concatenate([table.place for table in tables]),
        )

    @property
    def shape(self) -> tuple[int]:
        """The number of rows: what an item is like is known when it is read."""
        return (len(self.place),)

    def __len__(self) -> int:
        return len(self.place)

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, tuple):  # scikit-learn asks for X[rows, ...]
            rows = rows[0]
        if is_integer(rows):
            return self.parts[self.part[rows]][int(self.place[rows])]
        rows = rows if isinstance(rows, slice) else np.asarray(rows)
        return LazyTable(self.parts, self.part[rows], self.place[rows])

    def __iter__(self) -> Iterator[Any]:
        return (self[row] for row in range(len(self)))

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise SourceError(
            f"X holds {len(self):,} items that are read when they are needed, but a "
            "table of numbers is needed here. SharedNet takes such X, and members that "
            "are made of nets; for others make features of the items first."
        )

    def __repr__(self) -> str:
        parts = ", ".join(
            "arrays" if isinstance(part, list | np.ndarray) else repr(part)
            for part in self.parts
        )
        return f"<{len(self):,} rows of {parts}>"

    def lengths(self) -> NDArray[np.intp] | None:
        """Return the length of each row, None where it is not known without reading."""
        by_part = [_lengths_of(part) for part in self.parts]
        if any(own is None for own in by_part):
            return None
        lengths = np.zeros(len(self), np.intp)
        for part, own in enumerate(by_part):
            rows = self.part == part
            lengths[rows] = own[self.place[rows]]  # type: ignore[index]
        return lengths

    def fingerprint(self) -> bytes:
        """Return what tells these rows from others, without reading one."""
        named = [getattr(part, "files", ()) for part in self.parts]
        told = zlib.crc32(repr([list(map(str, files)) for files in named]).encode())
        return told.to_bytes(4, "big") + self.part.tobytes() + self.place.tobytes()


@dataclass(frozen=True, eq=False)
class DatasetItems:
    """The x of each pair (x, y) of a map-style dataset of torch."""

    dataset: Any
    name: Any = None

    def __len__(self) -> int:
        return len(self.dataset)

    def __repr__(self) -> str:
        return type(self.dataset).__name__

    def __getitem__(self, place: int) -> Any:
        item = self.item(place)
        return item[0] if isinstance(item, tuple | list) else item

    def item(self, place: int) -> Any:
        """Return one item as the dataset gives it, or say which one failed."""
        what = type(self.dataset).__name__
        what = what if self.name is None else f"{what} of {self.name!r}"
        try:
            return self.dataset[place]
        except IndexError as error:
            raise SourceError(
                f"The {what} says that it has {len(self):,} items, and item {place} "
                f"fails: {error}. Correct its __len__, or its files."
            ) from error
        except Exception as error:
            raise SourceError(
                f"Item {place} of the {what} fails: {type(error).__name__}: {error}"
            ) from error

    def y_of(self, place: int) -> Any:
        """Return the target of one item."""
        item = self.item(place)
        if not isinstance(item, tuple | list) or len(item) != 2:
            got = type(item).__name__
            got += f" of {len(item)}" if isinstance(item, tuple | list) else ""
            raise SourceError(
                f"Item {place} of the {type(self.dataset).__name__} of {self.name!r} "
                f"must be a pair (x, y), got {got}. Give y apart, as (dataset, y)."
            )
        y = item[1]
        return y.detach().cpu().numpy() if hasattr(y, "detach") else y


@dataclass(frozen=True, eq=False)
class FileItems:
    """What a function reads from each of several files."""

    files: Sequence[Any]
    reader: Callable[[Any], Any]

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        return "files"

    def __getitem__(self, place: int) -> Any:
        file = self.files[place]
        try:
            return self.reader(file)
        except Exception as error:
            name = getattr(self.reader, "__name__", repr(self.reader))
            raise SourceError(
                f"reader={name} failed on {str(file)!r}: {type(error).__name__}: "
                f"{error}. Correct the file, or leave it out."
            ) from error


@dataclass(frozen=True, eq=False)
class NamedItems:
    """Several inputs of each row, by their names in a module's `forward`."""

    inputs: Mapping[str, Any]
    columns: Mapping[str, tuple[Any, ...]]  # of those that are data frames

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def __repr__(self) -> str:
        return f"{{{', '.join(self.inputs)}}}"

    def __getitem__(self, place: int) -> dict[str, Any]:
        return {name: values[place] for name, values in self.inputs.items()}


def _named_inputs(X: Mapping[Any, Any], name: Any) -> NamedItems:
    """Return a dict of arrays as rows of several inputs."""
    whose = "X" if name is None else f"X of {name!r}"
    for key in X:
        if not isinstance(key, str) or key == "source":
            raise SourceError(
                f"{whose} is a dict of inputs, and {key!r} cannot be one's name: it "
                "must be a parameter of the module's forward other than 'source'."
            )
    columns = {
        key: tuple(values.columns)
        for key, values in X.items()
        if hasattr(values, "columns")
    }
    inputs = {key: dataset_of(values, name) or values for key, values in X.items()}
    inputs = {key: _indexable(values) for key, values in inputs.items()}
    lengths = {key: len(values) for key, values in inputs.items()}
    if len(set(lengths.values())) != 1:
        raise SourceError(
            f"{whose} is a dict of inputs, which must have one value for each row, got "
            f"{lengths}. Datasets of several sources are stacked by stack_sources."
        )
    return NamedItems(inputs, columns)


def _indexable(values: Any) -> Any:
    """Return what gives a row for an integer, which a data frame does not."""
    if isinstance(values, DatasetItems) or hasattr(values, "detach"):
        return values
    if isinstance(values, list) and _of_unequal_arrays(values):
        return values
    return np.asarray(values)


def input_names(X: LazyTable) -> list[tuple[str, ...] | None]:
    """Return the names of the inputs of each part.

    ("",) stands for a single input, None for items that tell when they are read.
    """
    return [
        tuple(part.inputs)
        if isinstance(part, NamedItems)
        else None
        if isinstance(part, DatasetItems | FileItems)
        else ("",)
        for part in X.parts
    ]


def input_columns(X: LazyTable) -> list[Mapping[str, tuple[Any, ...]]]:
    """Return the columns of those inputs of each part that are data frames."""
    return [getattr(part, "columns", {}) for part in X.parts]


def _lengths_of(part: Any) -> NDArray[np.intp] | None:
    """Return the length of each item: of sequences, or as a dataset tells it."""
    if isinstance(part, NamedItems):
        by_input = [_lengths_of(values) for values in part.inputs.values()]
        known = [own for own in by_input if own is not None]
        return np.sum(known, axis=0, dtype=np.intp) if known else None
    told = getattr(getattr(part, "dataset", None), "lengths", None)
    boxed = isinstance(part, np.ndarray) and part.dtype == object
    if isinstance(part, list) or boxed:
        told = [np.shape(item)[0] if np.ndim(item) else 1 for item in part]
    elif isinstance(part, np.ndarray):  # all of one length
        told = np.full(len(part), part.shape[1] if part.ndim > 1 else 1)
    return None if told is None or len(told) != len(part) else np.asarray(told, np.intp)


def files_of(files: Any, reader: Callable[[Any], Any]) -> LazyTable:
    """Return a row for each file, which `reader` reads."""
    return LazyTable.of(FileItems(list(files), reader))


def dataset_of(X: Any, name: Any = None) -> DatasetItems | None:
    """Return the items of a dataset of torch, None if X is not one."""
    # Without importing torch: where it is not loaded, nothing can be one.
    data = sys.modules.get("torch.utils.data")
    if data is None or not isinstance(X, data.Dataset):
        return None
    if isinstance(X, data.IterableDataset) or not hasattr(X, "__len__"):
        of = "X" if name is None else repr(name)
        raise SourceError(
            f"{of} is {_with_article(X)}, whose items cannot be indexed, and so "
            "neither split nor shuffled by source. Pass a Dataset with __len__ and "
            "__getitem__, such as a list of its items if they fit in memory."
        )
    return DatasetItems(X, name)


def _with_article(X: Any) -> str:
    name = type(X).__name__
    kind = "an IterableDataset" if hasattr(X, "__iter__") else "a Dataset without len"
    return kind if name == "IterableDataset" else f"{kind} ({name})"


def as_lazy(X: Any, name: Any = None) -> Any:
    """Return datasets, dicts and arrays of several lengths as a LazyTable; else X."""
    items: Any = dataset_of(X, name)
    if items is None and isinstance(X, Mapping):
        items = _named_inputs(X, name)
    elif items is None and _of_unequal_arrays(X):
        items = X
    return X if items is None else LazyTable.of(items)


def as_items(X: Any) -> LazyTable:
    """Return the rows of an array as items, to stand beside others."""
    return X if isinstance(X, LazyTable) else LazyTable.of(X)


def refuse_items(owner: str, X: Any) -> None:
    """Refuse rows that are read when they are needed, where a table is."""
    if isinstance(X, LazyTable):
        raise SourceError(
            f"{owner} fits tables, and X holds {len(X):,} items that are read when "
            "they are needed. SharedNet and members that are made of nets take them: "
            "pass a net, or leave this member out."
        )


def _of_unequal_arrays(X: Any) -> bool:
    """Tell whether X is a list, or an array of objects, of arrays that do not stack."""
    boxed = isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1
    if not (boxed or isinstance(X, list)) or len(X) == 0:
        return False
    if not all(hasattr(row, "shape") and len(row.shape) >= 1 for row in X):
        return False
    return boxed or len({tuple(row.shape) for row in X}) > 1


def targets_of(items: DatasetItems) -> NDArray[Any]:
    """Return the y of a dataset: where it keeps it, or by one pass over its items."""
    if len(items) == 0:
        return np.array([])
    first, kept = items.y_of(0), _kept(items.dataset)
    # What a dataset keeps may be something else, such as the names of its classes.
    if kept is not None and len(kept) == len(items) and np.array_equal(kept[0], first):
        return np.asarray(kept)
    from tqdm.auto import tqdm  # which skorch needs, as torch is there

    # None: not where nobody looks; and not for what takes no time.
    how = {"unit": "item", "leave": False, "disable": None, "delay": 1.0}
    rest = tqdm(range(1, len(items)), desc=f"reading y of {items.name!r}", **how)
    return np.asarray([first, *map(items.y_of, rest)])


def _kept(dataset: Any) -> NDArray[Any] | None:
    """Return the targets that a dataset keeps beside its items, if it does."""
    inner, places = getattr(dataset, "dataset", None), getattr(dataset, "indices", None)
    if inner is not None and places is not None:  # torch's Subset
        whole = _kept(inner)
        return None if whole is None else whole[np.asarray(places)]
    found = [getattr(dataset, name, None) for name in TARGETS]
    found += list(getattr(dataset, "tensors", ()))[1:2]
    kept = next((values for values in found if values is not None), None)
    try:
        return None if kept is None else np.asarray(kept)
    except (TypeError, ValueError):
        return None
