"""Look at what a model of several sources has done."""

from sktandem.inspection._displays import HistoryDisplay
from sktandem.inspection._findings import Finding
from sktandem.inspection._forest import StrategyComparisonDisplay
from sktandem.inspection._learning_curve import LearningCurveBySourceDisplay
from sktandem.inspection._shift import shift_report
from sktandem.inspection._shift_displays import ShiftDisplay, ShiftImportanceDisplay
from sktandem.inspection._shift_report import ShiftReport

__all__ = [
    "Finding",
    "HistoryDisplay",
    "LearningCurveBySourceDisplay",
    "ShiftDisplay",
    "ShiftImportanceDisplay",
    "ShiftReport",
    "StrategyComparisonDisplay",
    "shift_report",
]
