"""One scikit-learn model from two datasets."""

from sktandem._scaling import table_preprocessor
from sktandem._shared_rows import SharedRows, find_shared_rows
from sktandem._source_scaler import SourceScaler
from sktandem._stack import stack_sources
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.merge import MergedClassifier, MergedRegressor

__version__ = "0.1.0.dev0"

__all__ = [
    "MergedClassifier",
    "MergedRegressor",
    "SharedRows",
    "SourceError",
    "SourceScaler",
    "SourceWarning",
    "find_shared_rows",
    "stack_sources",
    "table_preprocessor",
]
