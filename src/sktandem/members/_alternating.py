"""A net that trains on the sources in turns."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from sktandem._typing import RandomState, UnknownSource
from sktandem.exceptions import SourceError
from sktandem.members._strategy import Strategy
from sktandem.members._units import alternating, is_net
from sktandem.schedules import Schedule

__all__ = ["Alternating"]


class Alternating(Strategy):
    """Train one net on all sources in turns.

    It builds an :class:`~sktandem.AlternatingClassifier` or
    :class:`~sktandem.AlternatingRegressor` on the net that is compared. Where
    that is no net, it takes the default one, and what is seen is the
    difference of two kinds of models as well.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    schedule : str or Schedule, default="batches"
        Who trains when, as in :class:`~sktandem.AlternatingClassifier`.

    net : skorch net, default=None
        The net. None means the estimator that is compared, if it is a net, or
        else :func:`~sktandem.nn.default_net`.

    Examples
    --------
    >>> from sktandem.nn import default_net
    >>> from sktandem.members import Alternating
    >>> model = Alternating("epochs").build(default_net(max_epochs=5))
    >>> model.schedule, model.net.max_epochs
    ('epochs', 5)
    """

    def __init__(
        self, schedule: str | Schedule = "batches", *, net: Any = None
    ) -> None:
        self.schedule = schedule
        self.net = net

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"in turns by {named(self.schedule)}"

    def build(
        self,
        estimator: Any,
        *,
        scaler: Any = "standard",
        source: str | int | None = None,
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        random_state: RandomState = None,
    ) -> Any:
        """Return the net in turns; see :class:`Strategy`."""
        return alternating(
            net_of(self, estimator),
            self.schedule,
            scaler=scaler,
            source=source,
            primary_source=primary_source,
            unknown_source=unknown_source,
            random_state=random_state,
        )


def named(schedule: str | Schedule) -> str:
    """Return what a schedule is called in a table."""
    return schedule if isinstance(schedule, str) else type(schedule).__name__


def net_of(strategy: Any, estimator: Any) -> Any:
    """Return the net that a strategy brings, or what is compared."""
    if strategy.net is None:
        return estimator
    if not is_net(strategy.net):
        raise SourceError(
            f"{type(strategy).__name__} needs a skorch net, got net={strategy.net!r}. "
            "default_net() makes one."
        )
    return strategy.net
