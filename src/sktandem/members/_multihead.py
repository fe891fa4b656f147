"""A net with a head for each source."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from sktandem._typing import RandomState, UnknownSource
from sktandem.members._alternating import named, net_of
from sktandem.members._strategy import Strategy
from sktandem.members._units import multi_head
from sktandem.schedules import Schedule

__all__ = ["MultiHead"]


class MultiHead(Strategy):
    """Train one net that ends in a head for each source.

    It builds a :class:`~sktandem.MultiHeadClassifier` or
    :class:`~sktandem.MultiHeadRegressor`, with the module of the net that is
    compared as the trunk. Where that is no net, it takes the default one, and
    what is seen is the difference of two kinds of models as well.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    schedule : str or Schedule, default="joint"
        Who trains when, as in :class:`~sktandem.MultiHeadClassifier`.

    net : skorch net, default=None
        The net of the trunk. None means the estimator that is compared, if it
        is a net, or else the default.

    Examples
    --------
    >>> from sktandem.nn import default_net
    >>> from sktandem.members import MultiHead
    >>> model = MultiHead().build(default_net("regression", max_epochs=5))
    >>> type(model).__name__, model.net.max_epochs
    ('MultiHeadRegressor', 5)
    """

    def __init__(self, schedule: str | Schedule = "joint", *, net: Any = None) -> None:
        self.schedule = schedule
        self.net = net

    @property
    def name(self) -> str:
        """What tables call it."""
        by = "" if self.schedule == "joint" else f", by {named(self.schedule)}"
        return f"a head for each{by}"

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
        """Return the net of several heads; see :class:`Strategy`."""
        return multi_head(
            net_of(self, estimator),
            schedule=self.schedule,
            scaler=scaler,
            source=source,
            primary_source=primary_source,
            unknown_source=unknown_source,
            random_state=random_state,
        )
