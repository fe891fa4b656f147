"""What a blend is once it is fitted: members, and their weights by source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem._telling import counted, warn
from sktandem._typing import Floats
from sktandem.data._rows import Rows
from sktandem.data._scores import refuse_nan
from sktandem.data._sources import UNKNOWN
from sktandem.exceptions import SourceError
from sktandem.tandem._blend import Mixtures
from sktandem.tandem._judge import Judge, Limits
from sktandem.tandem._out_of_fold import FittedMember, answers_of

__all__ = ["FittedBlend"]


@dataclass(frozen=True, eq=False)
class FittedBlend:
    """Members that were fitted on all rows, and the weights that mix them.

    Attributes
    ----------
    members : dict of {str: FittedMember}
        The members.

    mixtures : Mixtures
        One for each source, and the last for unknown ones.

    judge : Judge
        Reads what they answer.

    limits : Limits
        Between what their answers are kept.

    flat : bool
        Whether y has one dimension.
    """

    members: Mapping[str, FittedMember]
    mixtures: Mixtures
    judge: Judge
    limits: Limits
    flat: bool

    def mixed(self, rows: Rows) -> Floats:
        """Return the weighted mean of what the members answer."""
        codes = rows.sources.codes
        unknown = int((codes == UNKNOWN).sum())
        if unknown and not self.mixtures.weights[-1].any():
            raise SourceError(
                "unknown_source='pooled' was set after fit, which has learned no "
                "weights for unknown sources. Fit again."
            )
        if unknown:
            warn(
                f"{counted(unknown, 'row')} of {len(codes):,} have no source that was "
                "there in fit: they are predicted by the weights for unknown sources, "
                "as unknown_source='pooled' says."
            )
        weights = self.mixtures.weights[codes]
        mixed = np.zeros((len(rows), self.judge.n_values))
        for place, name in enumerate(self.members):
            asked = np.flatnonzero(weights[:, place] > 0)
            if len(asked):
                answers = self.answers(name, rows, asked)
                mixed[asked] += weights[asked, place, None] * answers
        return self.judge.evened(mixed, self.mixtures.even[codes, None])

    def answers(self, name: str, rows: Rows, asked: NDArray[np.intp]) -> Floats:
        """Return what one member answers for the rows asked."""
        raw = answers_of(self.members[name], rows, asked, self.judge)
        if len(self.members) == 1:  # nothing is mixed, so it is as it is
            return raw
        return self.judge.within(raw, rows.sources.codes[asked], self.limits)

    def predicted(self, mixed: Floats) -> NDArray[Any]:
        """Return the classes, or the numbers, that mixed answers stand for."""
        if self.judge.classes is not None:
            refuse_nan("blend", mixed)
            return np.asarray(self.judge.classes[mixed.argmax(axis=1)])
        return mixed.ravel() if self.flat else mixed
