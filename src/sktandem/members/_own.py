"""Each source its own model, or one source's model for all rows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from sktandem._docs import documented
from sktandem._settings import check_known
from sktandem._typing import RandomState, UnknownSource
from sktandem.data._rows import Rows
from sktandem.exceptions import SourceError
from sktandem.members._models import SourceModels, Units

__all__ = ["OnlySource", "OwnModels"]


@documented
class OwnModels(SourceModels):
    """Train a model on each source alone, and use it for that source's rows.

    This is what you have without any merging: the reference of every comparison.

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
    OnlySource : One source's model for all rows.
    sktandem.model_selection.compare_strategies : What it is the reference of.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sktandem.members import OwnModels
    >>> X, y = [[0.0], [1.0], [0.0], [1.0]], [0.0, 1.0, 5.0, 4.0]
    >>> model = OwnModels(LinearRegression())
    >>> model = model.fit(X, y, sample_source=["clinic", "clinic", "lab", "lab"])
    >>> model.predict([[2.0], [2.0]], sample_source=["clinic", "lab"])
    array([2., 3.])
    """

    def _model_for(self, name: Hashable, rows: Rows, units: Units) -> Any:
        return units.fit(rows.take(rows.of(name)))


@documented
class OnlySource(SourceModels):
    """Train on one source alone, and use its model for all rows.

    On its own rows it is the source's own model; on the others' rows it shows how well
    its rules transfer.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    {member_estimator}

    name : hashable
        The source to train on.

    {source}

    {member_scaler}

    {primary_source}

    unknown_source : {"error", "primary", "pooled"}, default="error"
        Here for the interface: the one model answers for rows of any source.

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
    OwnModels : Each source its own model.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> from sktandem.members import OnlySource
    >>> model = OnlySource(DummyRegressor(), name="lab")
    >>> model = model.fit([[0.0], [0.0]], [1.0, 3.0], sample_source=["clinic", "lab"])
    >>> model.predict([[0.0]], sample_source=["clinic"])
    array([3.])
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        name: Hashable = None,
        source: str | int | None = None,
        scaler: Any = "standard",
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        random_state: RandomState = None,
    ) -> None:
        super().__init__(
            estimator,
            source=source,
            scaler=scaler,
            primary_source=primary_source,
            unknown_source=unknown_source,
            random_state=random_state,
        )
        self.name = name

    def _check_settings(self) -> None:
        super()._check_settings()
        if self.name is None:
            raise SourceError(
                "OnlySource needs name, the source to train on, such as name='red'."
            )

    def _fit_models(
        self, names: Sequence[Hashable], rows: Rows, units: Units
    ) -> dict[Hashable, Any]:
        check_known("name", self.name, rows.names)
        before = names.index(self.name) if self.name in names else len(names) - 1
        for _ in range(before):  # so that the seed is that of the source's own model
            units.seed()
        model = units.fit(rows.take(rows.of(self.name)))
        return dict.fromkeys(rows.names, model)

    def _depends_on_source(self) -> str | None:
        return None
