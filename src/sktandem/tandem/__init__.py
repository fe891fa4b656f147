"""A model for each dataset that is not worse than its own."""

from sktandem.tandem._choice import Ranking
from sktandem.tandem._tandem import Tandem

__all__ = ["Ranking", "Tandem"]
