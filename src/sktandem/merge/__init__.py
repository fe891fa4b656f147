"""Merging: any scikit-learn estimator on all sources."""

from sktandem.merge._classifier import MergedClassifier
from sktandem.merge._plan import MergePlan
from sktandem.merge._regressor import MergedRegressor

__all__ = ["MergePlan", "MergedClassifier", "MergedRegressor"]
