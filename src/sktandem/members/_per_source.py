"""A strategy for each source."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from sktandem._routing import accepts_source, fit_with_source
from sktandem._telling import did_you_mean
from sktandem.data._tables import n_rows
from sktandem.exceptions import SourceError
from sktandem.members._models import Maker
from sktandem.members._source_strategy import SourceStrategy
from sktandem.members._strategy import Strategy, Training
from sktandem.members._units import by_keyword

__all__ = ["PerSource"]

RESPONSES = ("predict", "predict_proba", "decision_function")


class PerSource(SourceStrategy):
    """Serve each source by a strategy of its own.

    A merge may help the small source and hurt the large one. Nothing forces
    both to live with it: each strategy is fitted on all rows, and answers for
    the sources it was chosen for.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    strategies : dict of {source: Strategy or estimator}
        The strategy of each source.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> from sktandem.members import Merged, OwnModels, PerSource
    >>> both = PerSource({"clinic": Merged(), "lab": OwnModels()})
    >>> model = both.build(DummyRegressor())
    >>> model = model.fit([[0.0], [0.0]], [1.0, 3.0], sample_source=["clinic", "lab"])
    >>> model.predict([[0.0], [0.0]], sample_source=["clinic", "lab"])
    array([2., 3.])
    """

    def __init__(self, strategies: Mapping[Hashable, Any]) -> None:
        self.strategies = strategies

    @property
    def name(self) -> str:
        """What tables call it."""
        parts = [f"{source}: {_named(s)}" for source, s in self.strategies.items()]
        return "; ".join(parts)

    def fit_models(
        self, names: Sequence[Hashable], data: Training, make: Maker, rng: Any
    ) -> dict[Hashable, Any]:
        """Fit every strategy that is needed, once, for the sources it serves."""
        if not isinstance(self.strategies, Mapping):
            raise SourceError(
                "PerSource takes a dict of {source: strategy}, got "
                f"{self.strategies!r}."
            )
        without = [name for name in names if name not in self.strategies]
        if without:
            known = list(self.strategies)
            raise SourceError(
                f"PerSource gives no strategy to {without}. Its strategies are for "
                f"{known}.{did_you_mean(without[0], known)}"
            )
        fitted: dict[int, Any] = {}
        for name in names:
            strategy = self.strategies[name]
            if id(strategy) not in fitted:
                model = _build(strategy, make)
                fit_with_source(model, data.X, data.y, data.labels)
                fitted[id(strategy)] = model
        return {n: AnswersAs(fitted[id(self.strategies[n])], n) for n in names}


def _named(strategy: Any) -> str:
    return strategy.name if isinstance(strategy, Strategy) else repr(strategy)


def _build(strategy: Any, make: Maker) -> Any:
    if isinstance(strategy, Strategy):
        return strategy.build(
            make.estimator, scaler=make.scaler, random_state=make.seed()
        )
    return by_keyword(strategy, make.rng if make.seeded else None)


class AnswersAs:
    """A fitted model of several sources that takes every row for one source's."""

    def __init__(self, model: Any, name: Hashable) -> None:
        self.model = model
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or attribute in ("model", "name"):
            raise AttributeError(attribute)
        value = getattr(self.model, attribute)
        if attribute not in RESPONSES or not accepts_source(self.model, attribute):
            return value

        def respond(X: Any) -> Any:
            labels = np.empty(n_rows(X), dtype=object)
            labels[:] = [self.name] * len(labels)
            return value(X, sample_source=labels)

        return respond
