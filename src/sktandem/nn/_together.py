"""Fits of nets that wait for each other, to be trained as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sktandem._parallel import TOGETHER, Gathering, gathered
from sktandem.data._estimator import fit_rows
from sktandem.data._rows import Rows
from sktandem.data._sources import Sources
from sktandem.nn._batched import Training, train_together
from sktandem.nn._builder import Built
from sktandem.nn._engine import Engine
from sktandem.nn._fitted import Fitted
from sktandem.nn._preparation import Part
from sktandem.nn._shared_task import few_of
from sktandem.nn._stackable import likeness, why_alone

__all__ = ["fit_together", "wait_in"]

MOST = 64  # nets of a stack: more are not faster
ONLY_ONE = "no other net of its form"


@dataclass(eq=False)
class Waiting:
    """A fit that is ready to train.

    Attributes
    ----------
    estimator : estimator instance
        Whose fit it is.

    gathering : Gathering
        What it waits in.

    task : int
        The task that it belongs to.

    training : Training
        What is to be done.

    width : int or None
        The width of the module's embedding.

    few : Rows
        A few rows of the fit.
    """

    estimator: Any
    gathering: Gathering
    task: int
    training: Training
    width: int | None
    few: Rows

    def do(self) -> None:
        """Do it now, together with all that waits."""
        self.gathering.do()
        if self.training.error is not None:
            raise self.training.error

    @staticmethod
    def do_all(waiting: Sequence[Waiting]) -> list[Waiting]:
        """Do all fits, and return those that failed."""
        try:
            Waiting._train_all(waiting)
        except BaseException:  # such as Ctrl-C: nobody is to wait for it any more
            for one in waiting:
                vars(one.estimator).pop("_waiting", None)
            raise
        for one in waiting:
            one.training.tried(one.settle)
        return [one for one in waiting if one.training.error is not None]

    @staticmethod
    def _train_all(waiting: Sequence[Waiting]) -> None:
        told, by_form = waiting[0].gathering.told, defaultdict(list)
        for one in waiting:
            # A stack has room for the largest step of its nets, so that those with
            # steps of about one size go together.
            form = likeness(one.training.net, one.training.data)
            by_form[form, one.training.nominal_size].append(one)
        for alike in by_form.values():
            for at in range(0, len(alike), MOST):
                some = [one.training for one in alike[at : at + MOST]]
                if len(some) == 1:
                    told[ONLY_ONE] += 1
                    some[0].tried(some[0].alone)
                else:
                    told[TOGETHER] += len(some)
                    train_together(some)

    def settle(self) -> None:
        """Let the estimator take over what was learned."""
        # First: from here on nobody who asks the estimator is to wait for this fit.
        vars(self.estimator).pop("_waiting", None)
        training = self.training
        if training.error is None:
            fitted = Fitted.of(training.net, training.data, self.width)
            self.estimator._settle(fitted, self.few)


def wait_in(
    gathering: Gathering, estimator: Any, engine: Engine, rows: Rows, seed: int
) -> None:
    """Let a fit wait, if its net can be one of many; do it at once otherwise."""
    built = engine.built(rows, seed)
    reason = why_alone(engine.trainer, built.net, built.data)
    if reason is not None:
        gathering.told[reason] += 1
        Training(engine.trainer, built.net, built.data).alone()
        estimator._settle(Fitted.of(built.net, built.data, built.width), rows)
        return
    built = in_whole(built, rows)
    training = Training(engine.trainer, built.net, built.data)
    waiting = Waiting(
        estimator, gathering, gathering.task, training, built.width, few_of(rows)
    )
    estimator._waiting = waiting
    gathering.waiting.append(waiting)


def in_whole(built: Built, rows: Rows) -> Built:
    """Return the same data as places in the table that its rows were taken from.

    So the folds of one table need it once, and not once each.
    """
    # Only of numbers that are X as it came. Those that were made of it, as by a
    # transformer, are of the fold alone.
    data, taken = built.data, rows.taken
    numbers = data.training.numbers
    if (
        taken is None
        or taken.X is not rows.X
        or numbers is not rows.X
        or not isinstance(taken.whole, np.ndarray)
    ):
        return built
    whole, places = taken.whole, taken.places

    def placed(part: Part) -> Part:
        sources = part.rows.sources
        codes = _spread(sources.codes, places, len(whole))
        return replace(
            part,
            numbers=whole,
            rows=Rows(whole, None, Sources(sources.names, codes)),
            targets=_spread(part.targets, places, len(whole)),
            used=places if part.used is None else places[part.used],
            weights=_spread(part.weights, places, len(whole)),
        )

    held = data.validation
    if held is not None and held.numbers is numbers:
        held = placed(held)
    data = replace(data, training=placed(data.training), validation=held)
    return replace(built, data=data)


def _spread(values: Any, places: Any, n_rows: int) -> Any:
    """Return the values of some rows among those of all, which are 0 elsewhere."""
    # The zeros are never read: `used` names the rows of the fold.
    if values is None:
        return None
    spread = np.zeros((n_rows, *values.shape[1:]), dtype=values.dtype)
    spread[places] = values
    return spread


def fit_together(jobs: Iterable[tuple[Any, Rows]]) -> dict[str, int]:
    """Fit nets on rows, those of one form as one; return how many were.

    Parameters
    ----------
    jobs : iterable of (SharedNet, Rows)
        Each unfitted, and the rows that it is to be fitted on.

    Returns
    -------
    told : dict of {str: int}
        The nets that were trained "together", and those that were trained by
        themselves by the reason.

    Raises
    ------
    Exception
        The first error of a fit, when all others are done.
    """
    with gathered() as gathering:
        for model, rows in jobs:
            fit_rows(model, rows)
        waiting = gathering.waiting[:]
    errors = [one.training.error for one in waiting if one.training.error is not None]
    if errors:
        raise errors[0]
    return dict(gathering.told)
