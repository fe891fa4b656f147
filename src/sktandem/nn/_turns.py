"""The batches of training, as a schedule plans them: skorch's `iterator_train`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch.utils.data import DataLoader

from sktandem.exceptions import SourceError
from sktandem.nn._batches import Feed, Joiner, RowBatch, SourceRows
from sktandem.nn._checks import ValidationLosses
from sktandem.nn._mixtures import Mixtures
from sktandem.nn._order import Bookmarks, Order
from sktandem.nn._planned import Epoch, Stream
from sktandem.nn._seeding import derive_seed
from sktandem.schedules import Check, Schedule, Sizes, Step, Stop, finished
from sktandem.schedules._schedule import rehearsed

__all__ = ["TrainingRows", "TurnBatches", "split_of", "turns_of"]


class TurnBatches:
    """The batches of an epoch, pulled from the plan one step at a time.

    Parameters
    ----------
    rows : SourceRows
        The training rows.

    valid : SourceRows or None
        The rows held out, for plans that ask how it goes.

    schedule : Schedule
        Who trains when.

    sizes : Sizes
        What the plan may know of the rows.

    seed : int
        The seed of the fit.

    net : NeuralNet
        The net, for its history.

    difficulty : callable
        Returns the difficulty of each source's rows, by the measure it is given.

    apart : bool
        Whether the loss of each source is needed by itself in every step.

    after : callable
        Called when the last step of an epoch has been taken.
    """

    def __init__(
        self,
        rows: SourceRows,
        valid: SourceRows | None,
        schedule: Schedule,
        sizes: Sizes,
        *,
        seed: int,
        net: NeuralNet,
        difficulty: Callable[[Any], list[Any]],
        apart: bool = False,
        after: Callable[[], None],
    ) -> None:
        self.rows, self.valid, self.schedule, self.sizes = rows, valid, schedule, sizes
        self.seed, self.net, self.apart = seed, net, apart
        self.names, self.ranks = rows.names, rows.ranks
        self.stopped = False
        self.current: RowBatch | None = None
        self._difficulty, self._after = difficulty, after
        self._join = Joiner(rows)
        self._checked = ValidationLosses(net, valid, sizes)
        self._used: Counter[str] = Counter()
        self._feeds: Sequence[Feed | Stream] = []

    def __iter__(self) -> Iterator[RowBatch]:
        history = self.net.history
        past = finished(history)
        self._begin(past)
        # Dropout in an epoch does not depend on how many were run before it. Each rank
        # draws its own, as it has rows of its own.
        own = () if self.ranks is None else (self.ranks.rank,)
        torch.manual_seed(derive_seed(self.seed, "epoch", len(past), *own))
        self._feeds = self._fed(len(past))
        # Pulled one step at a time: when the plan is asked for the next one, the
        # history holds the loss of the step before, which is all the feedback there is.
        # A stream of its own for each epoch, beside [seed, 1] of the rows held out:
        # what a plan draws does not hang on the epochs before, which another process
        # may have trained.
        rng = np.random.default_rng([self.seed, 2, len(past)])
        n_steps, accepted = 0, set()
        for step in self.schedule.plan(self.sizes, history, rng):
            if isinstance(step, Step):
                # Once for each: a plan yields the same few steps again and again.
                if step not in accepted:
                    _refuse_others(step, self.names, self.schedule)
                    accepted.add(step)
                self.current = self._batch(step)
                n_steps += 1
                yield self.current
            elif isinstance(step, Check):
                self._check(step)
            elif isinstance(step, Stop):
                self.stopped = True
            else:
                raise SourceError(
                    f"{type(self.schedule).__name__}.plan must yield Step, CHECK or "
                    f"STOP, got {step!r}. Step((0,)) trains the first source."
                )
        self._refuse_none(n_steps)
        # skorch asks for a batch once more when the last step is behind it, and
        # validates next: so averaged weights are shown without a hook in its loop.
        self.finish()

    def planned(self) -> Epoch:
        """Return the epoch to come as rows, of a plan that is known ahead.

        `finish` is to be called when its steps have been taken.
        """
        past = finished(self.net.history)
        self._begin(past)
        rng = np.random.default_rng([self.seed, 2, len(past)])
        by_source = zip(self._ordered(len(past)), self.rows.rows)
        sizes = self.sizes.batch_sizes
        streams = [
            Stream(order, len(rows), size)
            for (order, rows), size in zip(by_source, sizes)
        ]
        self._feeds = streams[:]
        # Mixtures come behind the sources in `streams`, and are counted by themselves.
        # A cut is a stream, where in it the cut begins, its rows and its weight.
        mixtures: dict[str, int] = {}
        cuts: list[tuple[int, int, int, float]] = []
        n_cuts, labels, parts = [], [], []
        for step in self.schedule.plan(self.sizes, self.net.history, rng):
            if not isinstance(step, Step):
                self.stopped = True  # a plan that is known ahead asks for no check
                continue
            sources, weights, described = step.sources, step.weights, None
            plain = weights is None and not step.mixed and not self.apart
            if plain and len(sources) == 1:
                at, label = sources[0], self.names[sources[0]]
                own = [(at, *streams[at].next(), 1.0)]
            else:
                label = ", ".join([self.names[source] for source in sources])
            if step.mixed:
                if label not in mixtures:
                    mixtures[label] = len(streams)
                    streams.append(self._mixtures.stream(sources, label))
                at = mixtures[label]
                own = [(at, *streams[at].next(), 1.0)]
            elif len(sources) > 1 or not plain:
                weights = weights or (1.0,) * len(sources)
                own = [(s, *streams[s].next(), w) for s, w in zip(sources, weights)]
                described = _described(own, self.names)
            cuts += own
            n_cuts.append(len(own))
            labels.append(label)
            parts.append(described)
        self._refuse_none(len(labels))
        for label, at in mixtures.items():
            self._mixtures.took(label, streams[at].rows)
        return Epoch.of(streams, cuts, n_cuts, labels, parts)

    def finish(self) -> None:
        """Do what is to be done when the steps of an epoch are behind it."""
        self.current = None
        self._after()

    def _refuse_none(self, n_steps: int) -> None:
        if n_steps == 0 and not self.stopped:
            raise SourceError(
                f"{type(self.schedule).__name__} planned no step in epoch "
                f"{len(self.net.history)}. Yield STOP to end the training early."
            )

    def n_steps(self) -> int:
        """Return the steps of the epoch to come, found by a rehearsal."""
        history = self.net.history
        rng = np.random.default_rng([self.seed, 2, len(finished(history))])
        return rehearsed(self.schedule, self.sizes, history, rng)

    def _begin(self, past: Sequence[dict[str, Any]]) -> None:
        """Take up the counts where the last finished epoch left them."""
        last = past[-1] if past else {}
        # Of sources that are absent now, too: the counts are over the whole fit.
        self._used = Counter(
            {key: n for key, n in last.items() if key.startswith("rows_seen[")}
        )
        cursors = last.get("cursor", {})
        self._bookmarks = Bookmarks(self.rows.table, self.seed, cursors)
        sizes = self.sizes.batch_sizes
        self._mixtures = Mixtures(self.rows, sizes, self._bookmarks)
        self.stopped = False

    def _fed(self, epoch: int) -> list[Feed]:
        """Return each source's feed, of the rows that take part in this epoch."""
        orders, sizes = self._ordered(epoch), self.sizes.batch_sizes
        return [
            Feed(self.rows, source, order, size)
            for source, (order, size) in enumerate(zip(orders, sizes))
        ]

    def _ordered(self, epoch: int) -> list[Order]:
        wanted = self.schedule.difficulty_in(epoch)
        difficulty = None if wanted is None else self.agreed(self._difficulty(wanted))
        orders = []
        by_source = zip(self.names, self.rows.rows, self.sizes.batch_sizes)
        for source, (name, rows, size) in enumerate(by_source):
            chosen = None
            if difficulty is not None:
                hard = difficulty[source]
                self.net.history.record(f"difficulty[{name}]", float(hard.mean()))
                chosen = self.schedule.eligible_rows(source, hard, epoch)
            if chosen is None:
                orders.append(self._bookmarks.order(name, name, rows, size))
                continue
            picked = rows[torch.as_tensor(chosen, device=rows.device)]
            # Another set of rows each epoch: its passes are its own.
            seed = derive_seed(self.seed, epoch)
            orders.append(self._bookmarks.own_order(seed, name, picked, size))
        return orders

    def _batch(self, step: Step) -> RowBatch:
        if step.mixed:
            return self._mixtures.batch(step.sources)
        feeds: Any = self._feeds
        # The common case, a batch of one source with its plain loss, needs no parts.
        if len(step.sources) == 1 and step.weights is None and not self.apart:
            return feeds[step.sources[0]].next()
        weights = step.weights or (1.0,) * len(step.sources)
        parts = [feeds[source].part() for source in step.sources]
        return self._join(step.sources, parts, weights)

    def agreed(self, value: Any) -> Any:
        """Return what the first rank has measured, by which all decide the same."""
        # Each measures on all rows, and other processors may round otherwise.
        return value if self.ranks is None else self.ranks.first(value)

    def _check(self, check: Check) -> None:
        """Record the validation losses of this moment."""
        losses = self.agreed(self._checked(check, type(self.schedule).__name__))
        row = self.net.history[-1]
        at = {"n_batches": len(row["batches"])}
        row.setdefault("checks", []).append(at | losses)

    def _trained(self) -> list[int]:
        """Return the rows of each source that this epoch has used."""
        mixed = self._mixtures.by_source
        return [feed.taken + n for feed, n in zip(self._feeds, mixed)]

    def seen(self) -> dict[str, Any]:
        """Return what the history is to remember of the rows used."""
        seen: dict[str, Any] = dict(self._used)
        for name, n in zip(self.names, self._trained()):
            seen[f"rows_seen[{name}]"] = self._used[f"rows_seen[{name}]"] + n
        taken = {name: feed.taken for name, feed in zip(self.names, self._feeds)}
        cursor = self._bookmarks.moved(taken | self._mixtures.taken)
        return {**seen, "cursor": cursor}

    def label(self) -> str:
        """Return the sources that trained in this epoch."""
        return ", ".join(n for n, used in zip(self.names, self._trained()) if used)


class TrainingRows(SourceRows):
    """The training rows as skorch gets them, with the turns in which they come.

    Parameters
    ----------
    turns : TurnBatches
        The batches.
    """

    def __init__(self, turns: TurnBatches) -> None:
        # The same rows under another name; nothing is copied.
        self.__dict__.update(turns.rows.__dict__)
        self.turns = turns


def _refuse_others(step: Any, names: Sequence[str], schedule: Schedule) -> None:
    """Refuse a step of sources that there are not."""
    known = range(len(names))
    if not isinstance(step.sources, tuple) or not step.sources:
        raise SourceError(
            f"{type(schedule).__name__}.plan yielded {step!r}. A step takes a tuple of "
            "positions: Step((0,)) trains the first source."
        )
    for source in step.sources:
        if source not in known:
            raise SourceError(
                f"{type(schedule).__name__}.plan named source {source!r}, but there "
                f"are {len(names)}, named by position: 0 is {names[0]!r}, and so on "
                f"through {list(names)}."
            )


def _described(
    cuts: Sequence[tuple[int, int, int, float]], names: Sequence[str]
) -> tuple[tuple[str, slice, float], ...]:
    """Return name, rows and weight of each source in a joint step."""
    described, end = [], 0
    for source, _, n, weight in cuts:
        described.append((names[source], slice(end, end + n), weight))
        end += n
    return tuple(described)


def turns_of(dataset: Any, batch_size: int = 1, **kwargs: Any) -> Any:
    """Open a dataset for training: skorch's `iterator_train`."""
    if isinstance(dataset, TrainingRows):
        dataset.table.open(**kwargs)
        return dataset.turns
    return DataLoader(dataset, batch_size=batch_size, **kwargs)


def split_of(dataset: TrainingRows, y: Any = None, **kwargs: Any) -> tuple[Any, Any]:
    """Split a dataset into training and validation: skorch's `train_split`."""
    return dataset, dataset.turns.valid
