"""The batches of training, as a schedule plans them: skorch's `iterator_train`."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import Tensor
from torch.utils.data import DataLoader

from sktandem.exceptions import SourceError
from sktandem.nn._average import Averaged
from sktandem.nn._batches import (
    Feed,
    Joiner,
    Order,
    RowBatch,
    SourceRows,
    derive_seed,
)
from sktandem.nn._losses import row_losses
from sktandem.schedules import (
    Check,
    Schedule,
    Sizes,
    Step,
    Stop,
    finished,
)
from sktandem.schedules._schedule import rehearsed

__all__ = ["TrainingRows", "TurnBatches", "turns_of"]


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
        Returns the difficulty of each source's rows, where the user gave it.

    apart : bool
        Whether the loss of each source is needed by itself in every step.
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
        difficulty: Any = None,
        apart: bool = False,
    ) -> None:
        self.rows, self.valid, self.schedule, self.sizes = rows, valid, schedule, sizes
        self.seed, self.net, self.difficulty = seed, net, difficulty
        self.apart = apart
        self.names = rows.names
        self._join = Joiner(rows)
        self.stopped = False
        self.current: RowBatch | None = None
        self._used: Counter[str] = Counter()
        self._cursors: dict[str, Any] = {}
        self._begun: dict[str, Any] = {}
        self._mixed_orders: dict[str, Order] = {}
        self._mixed_taken: Counter[str] = Counter()
        self._feeds: list[Feed] = []

    def __iter__(self) -> Iterator[RowBatch]:
        history = self.net.history
        past = finished(history)
        self._begin(past)
        # Dropout in an epoch does not depend on how many were run before it.
        torch.manual_seed(derive_seed(self.seed, "epoch", len(past)))
        self._feeds = self._fed(len(past))
        rng = np.random.default_rng([self.seed, 2, len(past)])
        n_steps, accepted = 0, set()
        for step in self.schedule.plan(self.sizes, history, rng):
            if isinstance(step, Step):
                if step not in accepted:
                    self._refuse_others(step)
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
        self.current = None
        if n_steps == 0 and not self.stopped:
            raise SourceError(
                f"{type(self.schedule).__name__} planned no step in epoch "
                f"{len(history)}. Yield STOP to end the training early."
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
        self._cursors = dict(last.get("cursor", {}))
        self._mixed_orders, self._mixed_taken = {}, Counter()
        n_codes = max(self.rows.codes) + 1
        self._mixed_in = torch.zeros(n_codes, dtype=torch.int64)
        self.stopped = False

    def _cursor(self, key: str, rows: Tensor) -> tuple[int, int]:
        """Return the pass and the place where an order of these rows goes on.

        Other rows than before, as the next chunk of many brings them, begin a
        pass of their own.
        """
        if key not in self._cursors:
            return 0, 0
        old_pass, start, fingerprint = self._cursors[key]
        if fingerprint == self._fingerprint(rows):
            return old_pass, start
        return old_pass + 1, 0

    def _fingerprint(self, rows: Tensor) -> str:
        """Return a few words that tell these rows from others."""
        places = rows[[0, len(rows) // 2, len(rows) - 1]]
        few = self.rows.table.X.index_select(0, places).cpu().contiguous().numpy()
        return f"{len(rows)}-{zlib.crc32(few.tobytes()):x}"

    def _fed(self, epoch: int) -> list[Feed]:
        """Return each source's feed, of the rows that take part in this epoch."""
        orders, sizes = self._ordered(epoch), self.sizes.batch_sizes
        return [
            Feed(self.rows, source, order, size)
            for source, (order, size) in enumerate(zip(orders, sizes))
        ]

    def _ordered(self, epoch: int) -> list[Order]:
        difficulty = self._measured(epoch)
        self._begun, orders = {}, []
        by_source = zip(self.names, self.rows.rows, self.sizes.batch_sizes)
        for source, (name, rows, size) in enumerate(by_source):
            chosen = None
            if difficulty is not None:
                hard = difficulty[source]
                self.net.history.record(f"difficulty[{name}]", float(hard.mean()))
                chosen = self.schedule.eligible_rows(source, hard, epoch)
            if chosen is None:
                cursor = self._cursor(name, rows)
                self._begun[name] = cursor, rows
                orders.append(self._order(self.seed, rows, name, cursor, size))
                continue
            picked = rows[torch.as_tensor(chosen, device=rows.device)]
            # Another set of rows each epoch: its passes are its own.
            seed = derive_seed(self.seed, epoch)
            orders.append(self._order(seed, picked, name, (0, 0), size))
        return orders

    def _order(
        self, seed: int, rows: Tensor, name: str, cursor: tuple[int, int], size: int
    ) -> Order:
        lengths = getattr(self.rows.table.X, "lengths", None)  # of ragged rows
        return Order(seed, rows, name, cursor, lengths=lengths, size=size)

    def _measured(self, epoch: int) -> list[Any] | None:
        """Return the difficulty of the rows of each source, if any is wanted."""
        wanted = self.schedule.difficulty_in(epoch)
        if wanted is None:
            return None
        if isinstance(wanted, str):
            return [self._row_losses(source) for source in range(len(self.names))]
        return self.difficulty(wanted)

    def _row_losses(self, source: int) -> Any:
        net, table = self.net, self.rows.table
        net._set_training(False)
        losses, tasks = [], net.get_loss.tasks  # of the StepLoss in its place
        with torch.no_grad():
            for rows in table.scored(self.rows.rows[source], 1):
                x, y = self.rows.batch(source, rows)
                if tasks is not None:  # a head learns columns of its own
                    y = tasks[self.rows.codes[source]].target(y)
                y_pred = net.infer(x)
                losses.append(row_losses(net, y_pred, y, x, training=False))
        return torch.cat(losses).double().cpu().numpy()

    def _batch(self, step: Step) -> RowBatch:
        if step.mixed:
            return self._mixed_batch(step.sources)
        feeds = self._feeds
        if len(step.sources) == 1 and step.weights is None and not self.apart:
            return feeds[step.sources[0]].next()
        weights = step.weights or (1.0,) * len(step.sources)
        parts = [feeds[source].part() for source in step.sources]
        return self._join(step.sources, parts, weights)

    def _refuse_others(self, step: Any) -> None:
        known = range(len(self.names))
        if not isinstance(step.sources, tuple) or not step.sources:
            raise SourceError(
                f"{type(self.schedule).__name__}.plan yielded {step!r}. A step takes a "
                "tuple of positions: Step((0,)) trains the first source."
            )
        for source in step.sources:
            if source not in known:
                raise SourceError(
                    f"{type(self.schedule).__name__}.plan named source {source!r}, but "
                    f"there are {len(self.names)}, told by position: 0 is "
                    f"{self.names[0]!r}, and so on through {list(self.names)}."
                )

    def _mixed_batch(self, sources: tuple[int, ...]) -> RowBatch:
        label = ", ".join(self.names[source] for source in sources)
        size = max(self.sizes.batch_sizes[source] for source in sources)
        if label not in self._mixed_orders:
            rows = torch.cat([self.rows.rows[source] for source in sources])
            cursor = self._cursor(f"mixed: {label}", rows)
            self._begun[f"mixed: {label}"] = cursor, rows
            self._mixed_orders[label] = self._order(
                self.seed, rows, label, cursor, size
            )
        rows = self._mixed_orders[label].take(size)
        self._mixed_taken[label] += len(rows)
        codes = self.rows.table.codes.index_select(0, rows).long()
        self._mixed_in += torch.bincount(codes, minlength=len(self._mixed_in)).cpu()
        return self.rows.mixed(sources, rows)

    def _check(self, check: Check) -> None:
        """Record the validation losses of this moment."""
        losses = self._valid_losses(check)
        row = self.net.history[-1]
        at = {"n_batches": len(row["batches"])}
        row.setdefault("checks", []).append(at | losses)

    def _valid_losses(self, check: Check) -> dict[str, float]:
        if self.valid is None:
            raise SourceError(
                f"{type(self.schedule).__name__} asks for validation losses, and there "
                "is no validation row. Set validation_fraction, or give fit "
                "validation_data."
            )
        average = Averaged.of(self.net)
        if average is not None:
            average.show(self.net, True)
        as_trained = check.as_trained
        means, n_rows = {}, {}
        every = self.valid.names
        asked = every if check.sources is None else self._named(check.sources)
        for source, rows in enumerate(self.valid.rows):
            name = self.valid.names[source]
            if name not in asked:
                continue
            size = self._valid_size(name)
            scored = self.valid.table.scored(rows, size)
            losses, lengths = [], []
            for part in rows.split(size) if as_trained else scored:
                batch = self.valid.batch(source, part)
                losses.append(self._valid_loss(batch, as_trained))
                lengths.append(1 if as_trained else len(part))
            means[name] = float(np.average(losses, weights=lengths))
            n_rows[name] = len(rows)
        if average is not None:
            average.show(self.net, False)
        pooled = np.average(list(means.values()), weights=list(n_rows.values()))
        return {
            **{f"valid_loss[{name}]": loss for name, loss in means.items()},
            "valid_loss_macro": float(np.mean(list(means.values()))),
            "valid_loss": float(pooled),
        }

    def _named(self, sources: tuple[int, ...]) -> list[str]:
        return [self.names[source] for source in sources]

    def _valid_size(self, name: str) -> int:
        """Return the batch size of a source, which may not train in this call."""
        sizes = dict(zip(self.names, self.sizes.batch_sizes))
        return sizes.get(name, max(sizes.values()))

    def _valid_loss(self, batch: RowBatch, as_trained: bool) -> float:
        if not as_trained:
            return self.net.validation_step(batch)["loss"].item()
        x, y = batch
        with torch.no_grad():
            y_pred = self.net.infer(x)
            return self.net.get_loss(y_pred, y, X=x, training=False).item()

    def _trained(self) -> list[int]:
        """Return the rows of each source that this epoch has used."""
        mixed = self._mixed_in[self.rows.codes].tolist()
        return [feed.taken + n for feed, n in zip(self._feeds, mixed)]

    def seen(self) -> dict[str, Any]:
        """Return what the history is to remember of the rows used."""
        seen = dict(self._used)
        for name, n in zip(self.names, self._trained()):
            seen[f"rows_seen[{name}]"] = self._used[f"rows_seen[{name}]"] + n
        taken = {name: feed.taken for name, feed in zip(self.names, self._feeds)}
        taken |= {f"mixed: {name}": n for name, n in self._mixed_taken.items()}
        for key, ((old_pass, start), rows) in self._begun.items():
            passes, place = divmod(start + taken[key], len(rows))
            where = [old_pass + passes, place, self._fingerprint(rows)]
            self._cursors[key] = where
        return {**seen, "cursor": self._cursors}

    def label(self) -> str:
        """Return the sources that trained in this epoch."""
        return ", ".join(n for n, used in zip(self.names, self._trained()) if used)


class TrainingRows(SourceRows):
    """The training rows, and the turns in which they come."""

    turns: TurnBatches


def turns_of(dataset: Any, batch_size: int = 1, **kwargs: Any) -> Any:
    """Open a dataset for training: skorch's `iterator_train`."""
    if isinstance(dataset, TrainingRows):
        return dataset.turns
    return DataLoader(dataset, batch_size=batch_size, **kwargs)
