"""One scikit-learn model from two datasets."""

from importlib import import_module
from typing import Any

from sktandem._extras import is_installed, require
from sktandem.data._stack import stack_sources
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.files._sources import read_sources
from sktandem.merge import Merged
from sktandem.scaling._scalers import table_preprocessor
from sktandem.scaling._source_scaler import SourceScaler
from sktandem.tandem import Tandem

__version__ = "0.1.0.dev0"

# What these need takes a second to import, and need not be installed. So they are
# imported on first use, and a star import leaves them out.
_NETS = ("SharedNet",)

__all__ = [
    "Merged",
    "SourceError",
    "SourceScaler",
    "SourceWarning",
    "Tandem",
    "read_sources",
    "stack_sources",
    "table_preprocessor",
]


def __getattr__(name: str) -> Any:
    if name in _NETS:
        require(name, "torch", "skorch")
        return getattr(import_module("sktandem.nn._shared_net"), name)
    raise AttributeError(f"module 'sktandem' has no attribute {name!r}")


def __dir__() -> list[str]:
    nets = _NETS if is_installed("torch") and is_installed("skorch") else ()
    return sorted({*globals(), *nets})
