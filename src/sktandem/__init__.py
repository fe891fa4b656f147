"""One scikit-learn model from two datasets."""

from sktandem._stack import stack_sources
from sktandem.exceptions import SourceError, SourceWarning

__version__ = "0.1.0.dev0"

__all__ = ["SourceError", "SourceWarning", "stack_sources"]
