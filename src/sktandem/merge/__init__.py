"""Any estimator on the rows of several datasets together."""

from sktandem.merge._merged import Merged
from sktandem.merge._plan import MergePlan

__all__ = ["MergePlan", "Merged"]
