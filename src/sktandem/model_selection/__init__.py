"""Splits and scores that know the sources."""

from sktandem.model_selection._compare import compare_strategies
from sktandem.model_selection._comparison import (
    Contrast,
    Design,
    StrategyComparison,
)
from sktandem.model_selection._curve import SourceLearningCurve
from sktandem.model_selection._learning_curve import learning_curve_by_source
from sktandem.model_selection._report import classification_report_by_source
from sktandem.model_selection._scorers import source_scorer, source_scorers
from sktandem.model_selection._scores import (
    SourceScores,
    SourceScoreTable,
    score_by_source,
)
from sktandem.model_selection._split import LeaveOneSourceOut, SourceKFold

__all__ = [
    "Contrast",
    "Design",
    "LeaveOneSourceOut",
    "SourceKFold",
    "SourceLearningCurve",
    "SourceScoreTable",
    "SourceScores",
    "StrategyComparison",
    "classification_report_by_source",
    "compare_strategies",
    "learning_curve_by_source",
    "score_by_source",
    "source_scorer",
    "source_scorers",
]
