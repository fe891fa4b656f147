"""A model of the other sources only."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem._docs import documented
from sktandem._telling import warn
from sktandem.data._rows import Rows
from sktandem.members._models import SourceModels, Units

__all__ = ["OtherSources", "blocks_of"]

MOST = 6  # models; with more sources blocks of them are left out together


@documented
class OtherSources(SourceModels):
    """Predict each source by a model that never saw its rows.

    For a source with few rows, or rows that are all alike, a model of the others may be
    the best there is. It saw none of the source's rows, so its predictions for them are
    out of sample.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    {member_estimator}

    {source}

    {member_scaler}

    {primary_source}

    {member_unknown_source}

    {random_state}

    Attributes
    ----------
    {models_}

    {classes_}

    {classes_by_source_}

    {sources_}

    {n_features_in_}

    {feature_names_in_}

    See Also
    --------
    OwnModels : The opposite: a model of the source's own rows only.

    Notes
    -----
    Beyond six sources they are dealt into six blocks, and the model of a source is
    fitted on the other blocks: six fits, whatever the number of sources.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from sktandem.members import OtherSources
    >>> x = np.arange(6.0)[:, None]
    >>> X, y = np.vstack([x, x]), np.vstack([x, -x]).ravel()
    >>> source = ["up"] * 6 + ["down"] * 6
    >>> model = OtherSources(LinearRegression(), scaler=None)
    >>> model = model.fit(X, y, sample_source=source)
    >>> model.predict([[2.0], [2.0]], sample_source=["up", "down"]).round(2)
    array([-2.,  2.])
    """

    def _fit_models(
        self, names: Sequence[Hashable], rows: Rows, units: Units
    ) -> dict[Hashable, Any]:
        if len(rows.names) == 1:
            warn(
                f"Only one source, {rows.names[0]!r}: there are no others, and its own "
                "model is fitted. Pass sample_source, or name its column by source."
            )
            return super()._fit_models(names, rows, units)
        blocks = dict(zip(rows.names, blocks_of(rows.names).tolist()))
        of_block: dict[int, Any] = {}
        for name in names:
            if blocks[name] not in of_block:
                of_block[blocks[name]] = self._named_fit(name, rows, units)
        return {name: of_block[blocks[name]] for name in names}

    def _told(self, name: Hashable, n_rows: int) -> str:
        return f"for {name!r}, of the rows of others,"

    def _model_for(self, name: Hashable, rows: Rows, units: Units) -> Any:
        if len(rows.names) == 1:
            return units.fit(rows)
        blocks = blocks_of(rows.names)
        seen = blocks != blocks[rows.names.index(name)]
        return units.fit(rows.take(np.flatnonzero(seen[rows.sources.codes])))


def blocks_of(names: Sequence[Hashable]) -> NDArray[np.intp]:
    """Return the block of each source: those of a block are left out together."""
    return np.arange(len(names)) % MOST
