"""Look at what a model of several sources has done."""

from sktandem.inspection._blend import BlendDisplay
from sktandem.inspection._forest import StrategyComparisonDisplay
from sktandem.inspection._history import HistoryDisplay
from sktandem.inspection._learning_curve import LearningCurveBySourceDisplay
from sktandem.inspection._scores import SourceScoresDisplay
from sktandem.shift._displays import ShiftDisplay, ShiftImportanceDisplay

__all__ = [
    "BlendDisplay",
    "HistoryDisplay",
    "LearningCurveBySourceDisplay",
    "ShiftDisplay",
    "ShiftImportanceDisplay",
    "SourceScoresDisplay",
    "StrategyComparisonDisplay",
]
