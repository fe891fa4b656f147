"""A model for each dataset that is not worse than its own."""

from sktandem.tandem._choice import Ranking
from sktandem.tandem._classifier import TandemClassifier
from sktandem.tandem._regressor import TandemRegressor

__all__ = ["Ranking", "TandemClassifier", "TandemRegressor"]
