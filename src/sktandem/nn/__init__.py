"""The net that is used when the user brings none, and what heads are made of."""

from sktandem._extras import require

require("sktandem.nn", "torch", "skorch")

from sktandem.nn._heads import MultiHead
from sktandem.nn._items import pad_sequences
from sktandem.nn._modules import MLP, default_net

__all__ = ["MLP", "MultiHead", "default_net", "pad_sequences"]
