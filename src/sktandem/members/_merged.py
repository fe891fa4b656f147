"""All sources in one model."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from sklearn.base import is_regressor

from sktandem._typing import RandomState, ScaleBy, UnknownSource
from sktandem.exceptions import SourceError
from sktandem.members._strategy import Strategy
from sktandem.members._units import make_unit

__all__ = ["Merged"]


class Merged(Strategy):
    """Train one model on all sources together.

    It builds a :class:`~sktandem.Merged`; of a net, one that shuffles all rows.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    balance : {"sources", "classes", "both"} or dict, default=None
        The influence of each source, as in :class:`~sktandem.Merged`.

    scale_by : {"pooled", "source"}, default="pooled"
        Whether one scaler serves all rows, or each source has its own.

    representation : {"shared", "indicator", "augmented"}, default="shared"
        How the source shows in the features.

    scale_target_by : {"source"}, default=None
        Whether each source's target is standardised by itself; for regressors.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sktandem.members import Merged
    >>> Merged(balance="sources").build(LogisticRegression())
    Merged(balance='sources', estimator=LogisticRegression())
    >>> Merged(scale_by="source", representation="indicator").name
    'merged, scaled by source, with indicator'
    """

    def __init__(
        self,
        *,
        balance: str | Mapping[Any, float] | None = None,
        scale_by: ScaleBy = "pooled",
        representation: str = "shared",
        scale_target_by: str | None = None,
    ) -> None:
        self.balance = balance
        self.scale_by = scale_by
        self.representation = representation
        self.scale_target_by = scale_target_by

    @property
    def name(self) -> str:
        """What tables call it."""
        parts = ["merged"]
        if self.scale_by == "source":
            parts.append("scaled by source")
        if isinstance(self.balance, str):
            parts.append(f"{self.balance} balanced")
        elif self.balance is not None:
            shares = ", ".join(f"{name} {n:g}" for name, n in self.balance.items())
            parts.append(f"balanced ({shares})")
        if self.representation != "shared":
            kinds = {"indicator": "with indicator", "augmented": "augmented"}
            parts.append(kinds.get(self.representation, self.representation))
        if self.scale_target_by is not None:
            parts.append(f"target scaled by {self.scale_target_by}")
        return ", ".join(parts)

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
        """Return the merged estimator; see :class:`Strategy`."""
        settings = self.get_params(deep=False)
        if not is_regressor(estimator):
            if self.scale_target_by is not None:
                raise SourceError(
                    f"scale_target_by={self.scale_target_by!r} is for regressors, got "
                    f"{estimator!r}."
                )
            del settings["scale_target_by"]
        return make_unit(
            estimator,
            scaler=scaler,
            source=source,
            primary_source=primary_source,
            unknown_source=unknown_source,
            random_state=random_state,
            **settings,
        )
