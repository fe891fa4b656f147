"""The ways of using several datasets, as parameter objects."""

from sktandem.members._alternating import Alternating
from sktandem.members._merged import Merged
from sktandem.members._models_classifier import SourceModelsClassifier
from sktandem.members._models_regressor import SourceModelsRegressor
from sktandem.members._multihead import MultiHead
from sktandem.members._names import default_strategies, resolve_strategies
from sktandem.members._only import OnlySource
from sktandem.members._own import OwnModels
from sktandem.members._per_source import PerSource
from sktandem.members._similarity import SimilarityWeighted
from sktandem.members._source_strategy import SourceStrategy
from sktandem.members._stacked import StackedPrediction
from sktandem.members._strategy import Strategy, Training
from sktandem.members._weighted import WeightedMerge

__all__ = [
    "Alternating",
    "Merged",
    "MultiHead",
    "OnlySource",
    "OwnModels",
    "PerSource",
    "SimilarityWeighted",
    "SourceModelsClassifier",
    "SourceModelsRegressor",
    "SourceStrategy",
    "StackedPrediction",
    "Strategy",
    "Training",
    "WeightedMerge",
    "default_strategies",
    "resolve_strategies",
]
