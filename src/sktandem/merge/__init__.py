"""Merging: any scikit-learn estimator on all sources."""

from sktandem.merge._merged import MergedClassifier, MergedRegressor
from sktandem.merge._plan import MergePlan

__all__ = ["MergePlan", "MergedClassifier", "MergedRegressor"]
