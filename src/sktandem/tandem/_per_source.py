"""A member for each source."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from sktandem._typing import RandomState, UnknownSource
from sktandem.data._estimator import fit_rows
from sktandem.data._rows import Rows
from sktandem.members._fill import filled, hole_of
from sktandem.members._models import SourceModels, Units

__all__ = ["PerSource"]


class PerSource(SourceModels):
    """Serve each source by a member of its own.

    A merge may help the small source and hurt the large one. Nothing forces
    both to live with it: each member is fitted on all rows, once, and answers
    for the sources that it was chosen for.
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        members: Mapping[Hashable, Any],
        scaler: Any = "standard",
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        random_state: RandomState = None,
    ) -> None:
        super().__init__(
            estimator,
            scaler=scaler,
            primary_source=primary_source,
            unknown_source=unknown_source,
            random_state=random_state,
        )
        self.members = members

    def _fit_models(
        self, names: Sequence[Hashable], rows: Rows, units: Units
    ) -> dict[Hashable, Any]:
        fitted: dict[int, Any] = {}
        for name in names:
            member = self.members[name]
            if id(member) not in fitted:
                fitted[id(member)] = fit_rows(self._model(member, units), rows)
        return {name: fitted[id(self.members[name])] for name in names}

    def _model(self, member: Any, units: Units) -> Any:
        seed = units.seed() if hole_of(member) in ("estimator", "net") else None
        rng = units.rng if units.seeded else None
        given = {"scaler": self.scaler, "random_state": seed}
        return filled(member, self.estimator, rng=rng, **given)

    def _ask(self, name: Hashable, method: str, rows: Rows) -> Any:
        # A model of several sources takes every row for one of this source.
        return super()._ask(name, method, rows.as_one(name))
