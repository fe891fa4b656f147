"""A model for each dataset that is rarely worse than its own, and usually better."""

from sktandem.tandem._gains import BlendGains, Gain
from sktandem.tandem._tandem import Tandem

__all__ = ["BlendGains", "Gain", "Tandem"]
