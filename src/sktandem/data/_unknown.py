"""The one rule for rows whose source is unseen in fit or missing at predict."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from sktandem._telling import did_you_mean
from sktandem.data._sources import UNKNOWN, Codes, Labels, Sources, plain_label
from sktandem.exceptions import SourceError

__all__ = ["check_unknown_rule", "settle_unknown"]

RULES = ("error", "primary", "pooled")


def check_unknown_rule(
    unknown_source: str, primary_source: Hashable, names: Sequence[Hashable]
) -> None:
    """Refuse a rule that cannot be kept with these sources."""
    if unknown_source not in RULES:
        raise SourceError(
            f"unknown_source must be one of {list(RULES)}, got {unknown_source!r}."
        )
    if primary_source is None:
        if unknown_source == "primary":
            raise SourceError(
                f"unknown_source='primary' needs primary_source, one of {list(names)}."
            )
    elif primary_source not in names:
        raise SourceError(
            f"primary_source={primary_source!r} is not a source. The sources are "
            f"{list(names)}.{did_you_mean(primary_source, names)}"
        )


def settle_unknown(
    sources: Sources,
    labels: Callable[[], Labels | None],
    unknown_source: str,
    primary_source: Hashable,
    *,
    because: str,
) -> Codes:
    """Return a code for every row; ``UNKNOWN`` where the pooled rule applies.

    `because` says why the output depends on the source, and `labels` gives the
    labels as they came, both for the message.
    """
    unknown = sources.codes == UNKNOWN
    if unknown_source == "pooled" or not unknown.any():
        return sources.codes
    if unknown_source == "primary":
        return np.where(unknown, sources.names.index(primary_source), sources.codes)
    cure = "unknown_source='pooled' or 'primary' says what to do with such rows."
    given = labels()
    if given is None:
        raise SourceError(
            f"{because}, so each row's source is needed: pass sample_source, or name "
            "its column by source. Most tools of scikit-learn do not hand "
            f"sample_source on to predict; with them take the column. {cure}"
        )
    first = int(np.flatnonzero(unknown)[0])
    label = plain_label(given[first])
    raise SourceError(
        f"{because}, but not all rows have a source that was there in fit: "
        f"{int(unknown.sum())} of {len(unknown)} have none, the first {label!r} at row "
        f"{first}. The sources are "
        f"{list(sources.names)}.{did_you_mean(label, sources.names)} {cure}"
    )
