"""Each source its own model."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from sktandem.members._models import Maker
from sktandem.members._source_strategy import SourceStrategy
from sktandem.members._strategy import Training

__all__ = ["OwnModels"]


class OwnModels(SourceStrategy):
    """Train a model on each source alone, and let it answer for its own rows.

    What everyone has without any merging, and so the reference of every
    comparison.

    Read more in the :ref:`User Guide <comparing>`.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> from sktandem.members import OwnModels
    >>> model = OwnModels().build(DummyRegressor())
    >>> model = model.fit([[0.0], [0.0]], [1.0, 3.0], sample_source=["clinic", "lab"])
    >>> model.predict([[0.0], [0.0]], sample_source=["lab", "clinic"])
    array([3., 1.])
    """

    name = "own models"

    def fit_for(self, name: Hashable, data: Training, make: Maker, rng: Any) -> Any:
        """Return a model of the source's own rows."""
        return make().fit(*data.take(data.rows_of(name)))
