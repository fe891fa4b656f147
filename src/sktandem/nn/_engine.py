"""The engine of all nets on several sources: five collaborators, and its hooks.

::

    reader ─► Rows ─► preparation ─► Prepared ─► builder ─► Built ─► trainer ─► Fitted

Each does one thing, and hands on a frozen record:

- :class:`Reader` turns the user's arguments into Rows.
- :class:`Preparation` learns how X and y become numbers, and holds rows out.
- :class:`Builder` makes a net of the size of the data, from a seed.
- :class:`Trainer` trains it in skorch's own loop, as the schedule says.
- :class:`Fitted` is what was learned; `answers_of` it predicts.

An estimator makes the engine anew for each call, from its parameters. Another
kind of data, such as text, has collaborators of its own. What to fill, and what
to leave alone:

- ``Reader.read(X, y, **how)``, with the arguments of ``read_rows``, where X is not a
  table. All rows come through it: of fit, predict and validation data.
  ``Reader.check_columns(X)`` is asked before validation data are read.
- ``Preparation(features=...)``: a function ``(rows, used, weights, seed)`` that
  returns a `FeatureMap` and the numbers of all rows, an array or `Ragged` tokens.
- ``Builder.net_for(data)``: the net to clone, where its module depends on the
  features, such as the encoder of a tokenizer. ``Builder.settled(net, data)``
  returns the features as the initialized net takes them, and
  ``Builder.example(data, shape)`` two rows for a trunk whose width is asked.
- ``Trainer(remedy=...)``: what to do when a loss is not finite.
- Rates, patience and progress are skorch callbacks of the net:
  ``dataset_train.turns`` tells a callback the steps of an epoch.
- An optimizer that gathers several batches for a step has `waits` (whether some
  wait) and ``finish()`` (take the step now); averages follow its steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sktandem.data._rows import Rows
from sktandem.nn._builder import Builder, Built
from sktandem.nn._fitted import Fitted
from sktandem.nn._preparation import Preparation
from sktandem.nn._ranks import Ranks, warn_of_launcher
from sktandem.nn._resume import Saved
from sktandem.nn._trainer import Trainer, as_before_if_it_fails

__all__ = ["Engine"]


@dataclass(frozen=True)
class Engine:
    """Takes rows that were read to a fitted state.

    Attributes
    ----------
    preparation : Preparation
        From rows to numbers.

    builder : Builder
        From numbers to a net of their size.

    trainer : Trainer
        From a net to a trained one.
    """

    preparation: Preparation
    builder: Builder
    trainer: Trainer

    def fit(
        self,
        rows: Rows,
        seed: int,
        *,
        held: Rows | None = None,
        saved: Saved | None = None,
    ) -> Fitted:
        """Train a new net, or one that a checkpoint has begun, to its last epoch."""
        trainer, built = self.trainer, self.built(rows, seed, held=held)
        net = built.net
        if saved is not None:
            saved.refuse_others(net, trainer.identity(built.data))
            saved.load(net, keep=trainer.keep)
        # A checkpoint has brought its history along, and only what is left is trained.
        epochs = net.max_epochs - len(net.history)
        trainer.train(net, built.data, epochs=epochs, keep=trainer.keep)
        return Fitted.of(net, built.data, built.width)

    def built(self, rows: Rows, seed: int, **how: Any) -> Built:
        """Return a new net that is ready to train, and its data."""
        ranks = Ranks.now(self.builder.net.device)
        if ranks is None:
            warn_of_launcher()
        else:
            seed = ranks.first(seed)
        return self.builder.build(self.preparation.first(rows, seed, **how))

    def begin(
        self, rows: Rows, seed: int, *, classes: Any, epochs: int | None
    ) -> Fitted:
        """Train a new net for some epochs, of which others are to follow."""
        built = self.built(rows, seed, classes=classes)
        epochs = built.net.max_epochs if epochs is None else epochs
        self.trainer.train(built.net, built.data, epochs=epochs, keep="last")
        return Fitted.of(built.net, built.data, built.width)

    def go_on(self, rows: Rows, fitted: Fitted, *, epochs: int | None) -> Fitted:
        """Train a net further; if that fails it is as it was before."""
        # The net is trained in place, as another copy of it would not be the one that
        # the user holds; so a failure must give it its weights back.
        data = self.preparation.more(rows, fitted)
        epochs = fitted.net.max_epochs if epochs is None else epochs
        with as_before_if_it_fails(fitted.net):
            self.trainer.train(fitted.net, data, epochs=epochs, keep="last")
        return fitted.with_more(data)
