"""All that was measured, and the level that its questions share."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sktandem.shift._backwards import Backwards
from sktandem.shift._features import FeatureShift, adjusted
from sktandem.shift._joint import ENOUGH_FOR_CONCEPT, Concept, Joint, Target
from sktandem.shift._remedies import Trial
from sktandem.shift._shared_rows import SharedRows

__all__ = ["Checks", "can_tell", "concept_of", "share_level"]


@dataclass(frozen=True, eq=False)
class Checks:
    """All that was measured of some sources, before it is put into words."""

    names: tuple[Hashable, ...]
    sizes: tuple[int, ...]
    features: tuple[FeatureShift, ...]
    target: Target | None
    labels: FeatureShift | None
    joint: Joint | None
    concept: Concept | None
    shared: SharedRows | None
    transformed: bool = False
    other_labels: bool = False
    within: bool = False  # whether rows of the same class were compared
    backwards: Backwards | None = None
    trials: Mapping[str, Trial] = field(default_factory=dict)


def share_level(checks: Checks) -> Checks:
    """Adjust every p-value, so that 95 % of identical sources raise no alarm.

    Columns by Benjamini and Hochberg; then the questions by Holm, each with the
    smallest p-value it came up with.
    """
    by_size = adjusted([f.p_value for f in checks.features])
    by_gap = adjusted([f.missing_p_value for f in checks.features])
    asked = {
        "features": _smallest(by_size),
        "missing": _smallest(by_gap),
        "labels": np.nan if checks.labels is None else checks.labels.p_value,
        "joint": np.nan if checks.joint is None else checks.joint.p_value,
        "concept": np.nan if not can_tell(checks) else concept_of(checks).p_value,
    }
    asked = {check: p for check, p in asked.items() if np.isfinite(p)}
    # Holm: the smallest of m p-values counts m times, the next m - 1 times, and none
    # comes out below the one before it. A question that could not be asked is not among
    # the m.
    order = sorted(asked, key=lambda check: asked[check])
    times = {check: len(order) - place for place, check in enumerate(order)}
    floor, least = {}, 0.0
    for check in order:
        floor[check] = least
        least = max(least, min(1.0, times[check] * asked[check]))

    # Every column of a question pays for that question's place among them.
    def settle(check: str, p: float) -> float:
        if check not in times or not np.isfinite(p):
            return np.nan
        return float(min(1.0, max(floor[check], times[check] * p)))

    features = tuple(
        replace(
            feature,
            p_adjusted=settle("features", p),
            missing_p_adjusted=settle("missing", gap),
        )
        for feature, p, gap in zip(checks.features, by_size, by_gap)
    )
    labels, joint, concept = checks.labels, checks.joint, checks.concept
    if labels is not None:
        labels = replace(labels, p_adjusted=settle("labels", labels.p_value))
    if joint is not None:
        joint = replace(joint, p_adjusted=settle("joint", joint.p_value))
    if concept is not None:
        concept = replace(concept, p_adjusted=settle("concept", concept.p_value))
    return replace(
        checks, features=features, labels=labels, joint=joint, concept=concept
    )


def _smallest(p_values: NDArray[np.float64]) -> float:
    known = p_values[np.isfinite(p_values)]
    return float(known.min()) if len(known) else np.nan


def concept_of(checks: Checks) -> Concept:
    assert checks.concept is not None
    return checks.concept


def can_tell(checks: Checks) -> bool:
    return checks.concept is not None and checks.concept.n_rows >= ENOUGH_FOR_CONCEPT
