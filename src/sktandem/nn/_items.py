"""Rows that are read by the batch: items, put together as the module takes them."""

from __future__ import annotations

# The user's code draws from NumPy's global random state, which is set for each item.
# ruff: noqa: NPY002
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sktandem.data._lazy import LazyTable
from sktandem.exceptions import SourceError
from sktandem.nn._inputs import Inputs
from sktandem.nn._seeding import derive_seed, mixed_seed
from sktandem.nn._supply import Read, Supply

__all__ = [
    "Augmentation",
    "Items",
    "Read",
    "described",
    "joined",
    "named",
    "pad_sequences",
    "typed",
    "unlike_told",
]

PLAIN = -1  # the pass of rows that are not augmented


@dataclass(frozen=True, eq=False)
class Augmentation:
    """What is done to items that train, and the seed of each.

    Attributes
    ----------
    augment : callable, dict or None
        What is called with each item; a dict has one for a source.

    names : sequence
        The names of the sources.

    codes : ndarray
        The source of each row.

    seed : int
        The seed of the fit.
    """

    augment: Any
    names: Sequence[Any]
    codes: NDArray[Any]
    seed: int
    # The last pass of each source, and the seed of it.
    _of_pass: dict[int, tuple[int, int]] = field(default_factory=dict, init=False)

    def seed_of(self, row: int, nth_pass: int) -> int:
        """Return the seed of an item in a pass over its source."""
        code = int(self.codes[row])
        known, seed = self._of_pass.get(code, (None, 0))
        if known != nth_pass:
            name = str(self.names[code])
            seed = derive_seed(self.seed, "item", name, nth_pass)
            self._of_pass[code] = nth_pass, seed
        return mixed_seed(seed, row)

    def __call__(self, row: int, item: Any) -> Any:
        """Return an item augmented."""
        augment = self.augment
        if isinstance(augment, Mapping):
            augment = augment.get(self.names[self.codes[row]])
        return item if augment is None else augment(item)


@dataclass(frozen=True, eq=False)
class Maker:
    """Makes batches of items, in this process or in one that gets a copy.

    Attributes
    ----------
    rows : LazyTable or ndarray
        What gives an item for an integer.

    collate : callable or None
        What makes a batch of a list of items; None stacks them.

    augmentation : Augmentation or None
        What is done to items that train.
    """

    rows: Any
    collate: Callable[[list[Any]], Any] | None
    augmentation: Augmentation | None

    def __call__(self, rows: list[int], nth_pass: int) -> Read:
        """Return some rows as a batch, read by this process."""
        with random_states_kept():
            items = [self._item(row, nth_pass) for row in rows]
            if self.collate is not None:
                return _checked(self.collate(items))
        if isinstance(items[0], dict):
            return {k: _stacked([item[k] for item in items], k) for k in items[0]}
        return _stacked(items)

    def _item(self, row: int, nth_pass: int) -> Any:
        training = self.augmentation if nth_pass != PLAIN else None
        # Each item has a seed of its own: what is drawn for it depends neither on the
        # batch it comes in nor on who reads it.
        seed = (
            mixed_seed(0, row) if training is None else training.seed_of(row, nth_pass)
        )
        random.seed(seed)
        np.random.seed(seed % 2**32)
        # Not torch.manual_seed, which seeds all devices in a hundred times the time.
        torch.default_generator.manual_seed(seed)
        item = self.rows[row]
        if isinstance(item, (np.ndarray, dict)):
            item = _as_tensor(item, row)
        item = item if training is None else training(row, item)
        return _as_tensor(item, row)


class Items:
    """Rows that are read when a batch of them is wanted.

    Parameters
    ----------
    rows : LazyTable or ndarray
        What gives an item for an integer, and some of the rows for an array of them.

    collate : callable or None
        What makes a batch of a list of items; None stacks them.

    device : torch.device or str
        Where batches go.

    augmentation : Augmentation or None
        What is done to items that train.

    inputs : Inputs or None
        What rows were like in fit.
    """

    def __init__(
        self,
        rows: Any,
        collate: Callable[[list[Any]], Any] | None = None,
        device: Any = "cpu",
        augmentation: Augmentation | None = None,
        inputs: Inputs | None = None,
    ) -> None:
        self.rows, self.collate = rows, collate
        self.device, self.augmentation = torch.device(device), augmentation
        self.inputs = inputs
        self._make = Maker(rows, collate, augmentation)
        self.supply = Supply(self._make, self.device)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any) -> Items:
        """Return some rows, told by their positions."""
        return self._like(self.rows[rows], self.device, self.augmentation)

    def to(self, device: Any) -> Items:
        """Return the same rows, whose batches go to a device."""
        return self._like(self.rows, device, self.augmentation)

    def augmented(self, augmentation: Augmentation) -> Items:
        """Return the same rows, to train on."""
        return self._like(self.rows, self.device, augmentation)

    def _like(self, rows: Any, device: Any, augmentation: Any) -> Items:
        return Items(rows, self.collate, device, augmentation, self.inputs)

    @cached_property
    def example(self) -> Read:
        """The first two rows as a batch."""
        return self._make([0, 1][: len(self)], PLAIN)

    @cached_property
    def lengths(self) -> Tensor | None:
        """The length of each row where they differ, by which batches are grouped."""
        known = isinstance(self.rows, LazyTable) and self.collate is not None
        lengths = self.rows.lengths() if known else None
        if lengths is None or len(lengths) == 0 or (lengths == lengths[0]).all():
            return None
        return torch.from_numpy(lengths).to(self.device)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of rows, and the shape of each if all have one."""
        own = self.example.shape[1:] if isinstance(self.example, Tensor) else ()
        return (len(self), *own)

    @property
    def ndim(self) -> int:
        """The number of dimensions, that of the rows included."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of numbers in a batch."""
        if isinstance(self.example, dict) and "X" not in self.example:
            return np.dtype(np.float32)  # of several inputs each has a type of its own
        return named(self.example)["X"].numpy().dtype

    def index_select(self, dim: int, rows: Tensor) -> Read:
        """Return some rows as a batch: a tensor's own method, for its callers."""
        return self.read(rows)

    def read(self, rows: Tensor, nth_pass: int = PLAIN) -> Read:
        """Return some rows as a batch; as they train if they are told their pass."""
        return self.supply.read(rows, nth_pass)

    def fingerprint(self, rows: Tensor) -> bytes:
        """Return what tells some rows from others, without reading one."""
        some = self.rows[rows.tolist()]
        return some.tobytes() if isinstance(some, np.ndarray) else some.fingerprint()


@contextmanager
def unlike_told(*parts: Any) -> Iterator[None]:
    """Say which item is not like those of fit, where a module fails in the block."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        for part in parts:
            if isinstance(part, Items) and part.inputs is not None:
                part.inputs.refuse_unlike(part.rows, error)
        raise


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Give Python, NumPy and torch their random states back after the block."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def _stacked(items: list[Tensor], name: str = "") -> Tensor:
    """Return items of one shape as one tensor."""
    shapes = sorted({tuple(item.shape) for item in items})
    if len(shapes) > 1:
        of = f" in {name!r}" if name else ""
        raise SourceError(
            f"A batch needs items of one shape, got {shapes[0]} and {shapes[1]}{of}. "
            "Pass collate=sktandem.nn.pad_sequences for sequences; bring images "
            "to one size where they are read."
        )
    return torch.stack(items)


def _as_tensor(item: Any, row: int) -> Any:
    """Return an item as a tensor: an array, a number, or an image as of Pillow."""
    if isinstance(item, dict):
        return {name: _as_tensor(value, row) for name, value in item.items()}
    if isinstance(item, Tensor):
        return item
    array = np.asarray(item)
    if array.dtype.kind not in "biuf":
        raise SourceError(
            f"Item {row} must be a tensor or an array of numbers, got "
            f"{type(item).__name__}. Convert it where it is read."
        )
    # A copy: torch would warn of what cannot be written to, and stacks an image whose
    # channels were moved to the front at half the speed.
    return torch.from_numpy(array.copy())


def _checked(made: Any) -> Read:
    """Refuse what no module could be called with."""
    if isinstance(made, Tensor):
        return made
    tensors = isinstance(made, dict) and all(
        isinstance(value, Tensor) for value in made.values()
    )
    if tensors and made:
        return made
    got = list(made) if isinstance(made, dict) else type(made).__name__
    raise SourceError(
        "collate must return a tensor, or a dict of tensors by the parameters of the "
        f"module's forward, got {got}."
    )


def named(x: Read) -> dict[str, Tensor]:
    """Return what a module takes by the names of its parameters."""
    return x if isinstance(x, dict) else {"X": x}


def typed(x: Read, dtype: torch.dtype | None) -> Read:
    """Return features in the type of the net; None is for integers, which stay such.

    What a collate puts beside X stays as it is, but for floats. Of several inputs bytes
    are measurements, and other integers tokens.
    """
    if isinstance(x, Tensor):
        return x.to(_type_of_x(x, dtype))
    several = "X" not in x
    return {
        key: value.to(
            _type_of_x(value, dtype) if key == "X" else _type_of(value, dtype, several)
        )
        for key, value in x.items()
    }


def _type_of_x(x: Tensor, dtype: torch.dtype | None) -> torch.dtype:
    if dtype is not None:
        return dtype
    # What augments bytes may make floats of them; tokens of any type are long to torch.
    return torch.float32 if x.is_floating_point() else torch.long


def _type_of(value: Tensor, dtype: torch.dtype | None, several: bool) -> torch.dtype:
    """Return the type of what is not X: one of several inputs, or stands beside it."""
    if value.is_floating_point() or (several and value.dtype is torch.uint8):
        return dtype or torch.float32
    return torch.long if several and value.dtype is not torch.bool else value.dtype


def described(x: Read) -> str:
    """Return the shape and the type of a batch in words."""
    told = [
        f"{'' if key == 'X' else f'{key!r} of '}shape {tuple(value.shape)} and type "
        f"{str(value.dtype).removeprefix('torch.')}"
        for key, value in named(x).items()
        if key == "X" or "X" not in named(x)
    ]
    return ", ".join(told)


def joined(parts: Sequence[Any]) -> Any:
    """Return several batches as one, shorter ones being padded with zeros."""
    if isinstance(parts[0], dict):
        return {key: joined([part[key] for part in parts]) for key in parts[0]}
    longest = max((part.shape[1] for part in parts if part.ndim > 1), default=0)
    padded = [
        part
        if part.ndim < 2 or part.shape[1] == longest
        else torch.cat(
            [part, part.new_zeros(len(part), longest - part.shape[1], *part.shape[2:])],
            dim=1,
        )
        for part in parts
    ]
    return torch.cat(padded)


def pad_sequences(items: Sequence[Tensor]) -> dict[str, Tensor]:
    """Make a batch of sequences of unequal length: for `collate`.

    The module's ``forward`` gets the values as `X` and the lengths as `lengths`, so
    it can leave the padding out, as by ``pack_padded_sequence``.

    Read more in the :ref:`User Guide <images>`.

    Parameters
    ----------
    items : sequence of Tensor of shape (length, ...)
        The sequences.

    Returns
    -------
    batch : dict of {str: Tensor}
        "X" of shape (n, longest, ...), with zeros behind the ends, and "lengths" of
        shape (n,).

    Examples
    --------
    >>> import torch
    >>> from sktandem.nn import pad_sequences
    >>> batch = pad_sequences([torch.tensor([1, 2, 3]), torch.tensor([4])])
    >>> batch["X"].tolist(), batch["lengths"].tolist()
    ([[1, 2, 3], [4, 0, 0]], [3, 1])
    """
    lengths = torch.tensor([len(item) for item in items])
    values = torch.nn.utils.rnn.pad_sequence(list(items), batch_first=True)
    return {"X": values, "lengths": lengths}
