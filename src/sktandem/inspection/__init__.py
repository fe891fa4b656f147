"""Look at what a model of several sources has done."""

from sktandem.inspection._displays import HistoryDisplay

__all__ = ["HistoryDisplay"]
