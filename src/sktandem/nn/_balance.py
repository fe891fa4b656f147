"""What the loss of each row counts where classes are to be balanced."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem.data._sources import Sources
from sktandem.exceptions import SourceError
from sktandem.merge._plan import plan_merge

__all__ = ["check_balance", "row_weights"]

BALANCES = (None, "classes", "both")


def check_balance(balance: Any) -> None:
    """Refuse what is no way to balance classes."""
    if balance is not None and balance not in ("classes", "both"):
        raise SourceError(
            f"balance must be one of {list(BALANCES)}, got {balance!r}. What part each "
            "source has is for the schedule to say."
        )


def row_weights(
    balance: Any,
    codes: NDArray[Any],
    sources: Sources,
    used: NDArray[np.intp] | None,
) -> NDArray[np.float64] | None:
    """Return the weight of each row's loss, 0 for rows that are not used."""
    if balance is None:
        return None
    weights = np.zeros(len(codes))
    places = np.arange(len(codes)) if used is None else used
    plan = plan_merge(sources.take(places), codes[places], balance=balance)
    weights[places] = plan.weights
    return weights
