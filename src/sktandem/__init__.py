"""One scikit-learn model from two datasets."""

from importlib import import_module
from typing import Any

from sktandem.data._stack import stack_sources
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.merge import Merged
from sktandem.scaling._scalers import table_preprocessor
from sktandem.scaling._source_scaler import SourceScaler
from sktandem.tandem import Tandem

__version__ = "0.1.0.dev0"

# It needs torch, which takes a second to import: on first use.
_LAZY = {"SharedNet": "sktandem.nn._shared_net"}

__all__ = [
    "Merged",
    "SharedNet",
    "SourceError",
    "SourceScaler",
    "SourceWarning",
    "Tandem",
    "stack_sources",
    "table_preprocessor",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'sktandem' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
