"""Splits and scores that know the sources."""

from sktandem.model_selection._scorers import (
    SourceScores,
    score_by_source,
    source_scorer,
    source_scorers,
)
from sktandem.model_selection._split import LeaveOneSourceOut, SourceKFold

__all__ = [
    "LeaveOneSourceOut",
    "SourceKFold",
    "SourceScores",
    "score_by_source",
    "source_scorer",
    "source_scorers",
]
