"""The ways of using several datasets: estimators with a hole that may be filled."""

from sktandem.members._others import OtherSources
from sktandem.members._own import OnlySource, OwnModels
from sktandem.members._own_feature import StackedOwnModels
from sktandem.members._similarity import SimilarityWeighted
from sktandem.members._stacked import StackedPrediction
from sktandem.members._weighted import WeightedMerge

__all__ = [
    "OnlySource",
    "OtherSources",
    "OwnModels",
    "SimilarityWeighted",
    "StackedOwnModels",
    "StackedPrediction",
    "WeightedMerge",
]
