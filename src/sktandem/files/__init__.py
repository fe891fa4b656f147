"""The user's own files: read, cleaned, aligned, and the models fitted on them."""

from sktandem.files._gather import SourceTables
from sktandem.files._layout import NewRows, TableLayout
from sktandem.files._model import TableModel, load_model
from sktandem.files._report import CleaningDisplay, CleaningReport
from sktandem.files._sources import cleaning_report, read_sources
from sktandem.files._trusted import TRUSTED_TYPES
from sktandem.files._twins import Difference

__all__ = [
    "TRUSTED_TYPES",
    "CleaningDisplay",
    "CleaningReport",
    "Difference",
    "NewRows",
    "SourceTables",
    "TableLayout",
    "TableModel",
    "cleaning_report",
    "load_model",
    "read_sources",
]
