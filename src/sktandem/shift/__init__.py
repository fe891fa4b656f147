"""How different the datasets are, and which rows they share."""

from sktandem.shift._findings import Finding
from sktandem.shift._report import ShiftReport
from sktandem.shift._shared_rows import SharedRows, find_shared_rows
from sktandem.shift._shift import shift_report

__all__ = ["Finding", "SharedRows", "ShiftReport", "find_shared_rows", "shift_report"]
