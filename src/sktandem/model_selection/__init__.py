"""Splits and scores that know the sources."""

from sktandem.model_selection._report import classification_report_by_source
from sktandem.model_selection._scorers import source_scorer, source_scorers
from sktandem.model_selection._scores import (
    SourceScores,
    SourceScoreTable,
    score_by_source,
)
from sktandem.model_selection._split import LeaveOneSourceOut, SourceKFold

__all__ = [
    "LeaveOneSourceOut",
    "SourceKFold",
    "SourceScoreTable",
    "SourceScores",
    "classification_report_by_source",
    "score_by_source",
    "source_scorer",
    "source_scorers",
]
