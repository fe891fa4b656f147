"""From rows to what a net trains on: features, targets and rows held out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sktandem._telling import counted
from sktandem.data._rows import Rows
from sktandem.data._sources import Sources
from sktandem.data._tables import take_rows
from sktandem.exceptions import SourceError
from sktandem.nn._aim import Aim, Tasks
from sktandem.nn._checkpoint import digest_of, in_words
from sktandem.nn._validation import held_out
from sktandem.scaling._affine import AffineMaps

__all__ = ["FeatureMap", "Part", "Preparation", "Prepared", "refuse_missing"]

Places = NDArray[np.signedinteger[Any]]


class FeatureMap(Protocol):
    """How X becomes numbers, as learned from training rows."""

    @property
    def by_source(self) -> bool:
        """Whether it depends on each row's source."""

    @property
    def maps(self) -> AffineMaps | None:
        """The scaling that is left to each batch."""

    @property
    def dtype(self) -> torch.dtype | None:
        """The type of batches; None leaves them as the numbers are."""

    def numbers(self, X: Any, codes: NDArray[Any] | None) -> Any:
        """Return X as an array of numbers, or as ragged tokens."""


@dataclass(frozen=True, eq=False)
class Part:
    """Rows as numbers: what a net trains on, or what it is validated on.

    Attributes
    ----------
    numbers : ndarray or Ragged
        X as numbers, the scaling by batch still to be done.

    rows : Rows
        The rows that they were made of.

    targets : ndarray
        y as codes of classes or as columns of numbers.

    used : ndarray of int or None
        Which of the rows belong to this part; None for all.

    weights : ndarray or None
        What the loss of each row counts.

    places : ndarray of int or None
        Where the rows stood among those given to fit; None for all of them.
    """

    numbers: Any
    rows: Rows
    targets: NDArray[Any]
    used: Places | None = None
    weights: NDArray[np.float64] | None = None
    places: Places | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def by_source(self) -> list[Places]:
        """Return the rows used of each source."""
        if self.used is None:
            return [_narrow(own) for own in self.rows.sources.rows]
        own = _sources_of(self.rows, self.used).rows
        return [self.used[places] for places in own]


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that training needs to know of the data.

    Attributes
    ----------
    training, validation : Part
        The rows to train on, and those held out, if any.

    tasks : SharedTask or SourceTasks
        What is learned from them.

    features : FeatureMap
        How X became numbers.

    seed : int
        The seed of the fit.

    n_rows : int
        Rows given to fit, of which some may be held out.

    columns : list of list of int or None
        The columns that each source's stem sees, if there are stems.

    settings : dict
        What else decides the numbers, by the names of parameters.
    """

    training: Part
    validation: Part | None
    tasks: Tasks
    features: FeatureMap
    seed: int
    n_rows: int
    columns: list[list[int]] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[Hashable, ...]:
        """The names of all sources, of which some may have no rows here."""
        return self.training.rows.names

    @property
    def n_samples(self) -> list[int]:
        """The training rows of each source."""
        return [len(own) for own in self.training.by_source()]

    def identity(self) -> dict[str, Any]:
        """Return what a fit that goes on must have in common with this one."""
        return {
            "sources": [str(name) for name in self.names],
            "classes": self.tasks.identity(),
            "n_features": list(self.training.numbers.shape[1:]),
            "n_rows": {str(name): n for name, n in zip(self.names, self.n_samples)},
            "settings": {key: in_words(value) for key, value in self.settings.items()},
            "seed": self.seed,
            **self._values(),
        }

    def _values(self) -> dict[str, str]:
        """Return fingerprints of the rows to train on and of those held out."""
        parts = [part for part in (self.training, self.validation) if part is not None]
        if len(parts) == 2 and parts[0].rows is parts[1].rows:
            parts = parts[:1]
        return {
            "X": digest_of(*(part.rows.X for part in parts)),
            "y": digest_of(*(part.targets for part in parts)),
            "sample_source": digest_of(*(part.rows.sources.codes for part in parts)),
        }


LearnFeatures = Callable[..., tuple[FeatureMap, Any]]


@dataclass(frozen=True)
class Preparation:
    """Turns rows into what a net trains on.

    Attributes
    ----------
    aim : Aim
        What is to be learned.

    features : callable
        Learns how X becomes numbers: called as ``features(rows, used, weights,
        seed)``, it returns the FeatureMap and the numbers, of all rows or of the
        used ones only.

    validation_fraction : float, dict or None
        The part of each source that is held out.

    by_source : bool
        Whether anything is learned for each source by itself.

    stems : bool
        Whether each source enters by columns of its own.

    settings : dict
        What decides the numbers, by the names of parameters: a checkpoint of other
        settings is refused.
    """

    aim: Aim
    features: LearnFeatures
    validation_fraction: Any = 0.2
    by_source: bool = False
    stems: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def first(
        self, rows: Rows, seed: int, *, held: Rows | None = None, classes: Any = None
    ) -> Prepared:
        """Prepare the first rows, and learn from them how others are prepared.

        `held` are rows of the user's own to validate on, `classes` all that will
        come.
        """
        # The order matters: labels before the split, which spares the last row of each
        # class; the split before any scale, which held-out rows must not move; weights
        # before the scaling of X, which is fitted with them.
        rows = replace(rows, y=self.aim.checked(rows.y))
        tasks = self.aim.tasks_of(rows, classes)
        targets = tasks.encode(rows.y, rows.sources)
        apart = None if held is None else self._encoded(held, tasks)
        used, rest = self._split(rows, targets, seed, whole=held is not None)
        tasks = tasks.scaled(targets, rows.sources, used, self.aim.scale_by)
        weights = self._weights(tasks, targets, rows, used)
        features, numbers = self.features(rows, used, weights, seed)
        if len(numbers) < len(rows):
            # A transformer makes its numbers of training rows only: for some,
            # such as an imputer that is a model, transform gives others.
            whole = Part(None, rows, targets)
            assert used is not None
            assert rest is not None
            weights = None if weights is None else weights[used]
            training = _some_of(whole, used)
            training = replace(training, numbers=numbers, weights=weights)
            apart, rest = _some_of(whole, rest), None
        else:
            training = Part(numbers, rows, targets, used, weights)
        validation = None
        if apart is not None:
            made = features.numbers(apart.rows.X, apart.rows.sources.codes)
            validation = replace(apart, numbers=made)
        elif rest is not None:
            validation = Part(numbers, rows, targets, rest)
        data = Prepared(training, validation, tasks, features, seed, len(rows))
        data = replace(data, settings=self.settings)
        if not self.stems:
            return data
        columns = _columns_by_source(training)
        return self._stemmed(replace(data, columns=columns))

    def more(self, rows: Rows, known: Any) -> Prepared:
        """Prepare further rows, as the fitted state `known` has learned."""
        rows = replace(rows, y=self.aim.checked(rows.y))
        tasks, seed = known.tasks.with_more(rows), known.seed
        targets = tasks.encode(rows.y, rows.sources)
        used, rest = self._split(rows, targets, seed)
        weights = self._weights(tasks, targets, rows, used)
        numbers = known.features.numbers(rows.X, rows.sources.codes)
        training = Part(numbers, rows, targets, used, weights)
        validation = None if rest is None else Part(numbers, rows, targets, rest)
        columns, n = known.columns, len(rows)
        data = Prepared(training, validation, tasks, known.features, seed, n, columns)
        data = replace(data, settings=self.settings)
        return self._stemmed(data) if self.stems else data

    def _encoded(self, held: Rows, tasks: Tasks) -> Part:
        held = replace(held, y=self.aim.checked(held.y))
        return Part(None, held, tasks.encode(held.y, held.sources))

    def _split(
        self, rows: Rows, targets: NDArray[Any], seed: int, *, whole: bool = False
    ) -> tuple[Places | None, Places | None]:
        """Return the rows to train on, None for all, and those held out, if any."""
        if whole:
            return None, None
        # A function of the seed and of each row's place: the same rows in a later call
        # of partial_fit are split in the same way, and none is trained on that was
        # validated on before.
        fraction, classes = self.validation_fraction, self.aim.classifies
        held = held_out(fraction, rows.sources, targets, seed, classes=classes)
        if not held.any():
            return None, None
        return _narrow(np.flatnonzero(~held)), _narrow(np.flatnonzero(held))

    def _weights(
        self, tasks: Tasks, targets: NDArray[Any], rows: Rows, used: Places | None
    ) -> NDArray[np.float64] | None:
        if self.aim.balance is None:
            return None
        codes = tasks.class_codes(targets)
        return self.aim.row_weights(codes, rows.sources, used)

    def _stemmed(self, data: Prepared) -> Prepared:
        """Refuse values that are missing where a stem reads them."""
        for part in (data.training, data.validation):
            if part is not None and data.columns is not None:
                parts = zip(part.by_source(), data.columns, data.names)
                for own, columns, name in parts:
                    refuse_missing(part.numbers[own], columns, name)
        return data


def _narrow(places: NDArray[np.intp]) -> Places:
    """Return places as int32 where they fit: they live as long as the fit."""
    fit = places.max(initial=0) <= np.iinfo(np.int32).max
    return places.astype(np.int32) if fit else places


def _sources_of(rows: Rows, places: Places) -> Sources:
    """Return the sources of some rows; unlike `Sources.take` it keeps all names."""
    return Sources(rows.names, rows.sources.codes[places])


def _some_of(part: Part, places: Places) -> Part:
    """Return some rows of a part, whose numbers are still to be made."""
    rows = part.rows
    X, y = take_rows(rows.X, places), rows.y[places]
    rows = Rows(X, y, _sources_of(rows, places))
    return Part(None, rows, part.targets[places], places=places)


def _columns_by_source(part: Part) -> list[list[int]]:
    """Return the columns in which each source has values."""
    if part.numbers.ndim != 2:
        raise SourceError(
            f"stems='source' needs columns, but X has shape {part.numbers.shape}."
        )
    columns = []
    for rows, name in zip(part.by_source(), part.rows.names):
        # A column that is missing in all rows is one that the source does not have.
        own = np.flatnonzero(~np.isnan(part.numbers[rows]).all(axis=0))
        if len(rows) == 0 or len(own) == 0:
            raise SourceError(
                f"stems='source' found no column with values for {name!r}. Each source "
                "needs rows, with values, in the first fit."
            )
        columns.append(own.tolist())
    return columns


def refuse_missing(
    numbers: NDArray[Any], columns: Sequence[int], name: Hashable
) -> None:
    """Refuse values that are missing in the columns that a source has."""
    missing = np.isnan(numbers[:, columns])
    if missing.any():
        column = columns[int(np.flatnonzero(missing.any(axis=0))[0])]
        n_rows = int(missing.any(axis=1).sum())
        raise SourceError(
            f"Column {column} of {name!r} is NaN in {counted(n_rows, 'row')}. A "
            "stem takes columns that its source has in every row: impute them before, "
            "or in scaler."
        )
