"""One source's model for all rows."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from sktandem._telling import did_you_mean
from sktandem.exceptions import SourceError
from sktandem.members._models import Maker
from sktandem.members._source_strategy import SourceStrategy
from sktandem.members._strategy import Training

__all__ = ["OnlySource"]


class OnlySource(SourceStrategy):
    """Train on one source alone, and let its model answer for all rows.

    What happens where the others are left unused: on its own rows it is the
    source's own model, on theirs it shows how far its rules carry.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    source : hashable
        The source to train on.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> from sktandem.members import OnlySource
    >>> model = OnlySource("lab").build(DummyRegressor())
    >>> model = model.fit([[0.0], [0.0]], [1.0, 3.0], sample_source=["clinic", "lab"])
    >>> model.predict([[0.0]], sample_source=["clinic"])
    array([3.])
    """

    def __init__(self, source: Hashable) -> None:
        self.source = source

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"only {self.source}"

    def fit_models(
        self, names: Any, data: Training, make: Maker, rng: Any
    ) -> dict[Hashable, Any]:
        """Fit one model and let it stand for every source."""
        known = data.sources.names
        if self.source not in known:
            raise SourceError(
                f"OnlySource names {self.source!r}, which is not a source. The sources "
                f"are {list(known)}.{did_you_mean(self.source, known)}"
            )
        for name in names:  # until the seed is that of the source's own model
            model = make()
            if name == self.source:
                break
        model.fit(*data.take(data.rows_of(self.source)))
        return dict.fromkeys(names, model)
