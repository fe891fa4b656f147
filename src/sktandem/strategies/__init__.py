"""The ways of using several datasets, as parameter objects."""

from sktandem.strategies._alternating import Alternating
from sktandem.strategies._merged import Merged
from sktandem.strategies._models_classifier import SourceModelsClassifier
from sktandem.strategies._models_regressor import SourceModelsRegressor
from sktandem.strategies._multihead import MultiHead
from sktandem.strategies._names import default_strategies, resolve_strategies
from sktandem.strategies._only import OnlySource
from sktandem.strategies._own import OwnModels
from sktandem.strategies._per_source import PerSource
from sktandem.strategies._similarity import SimilarityWeighted
from sktandem.strategies._source_strategy import SourceStrategy
from sktandem.strategies._stacked import StackedPrediction
from sktandem.strategies._strategy import Strategy, Training
from sktandem.strategies._weighted import WeightedMerge

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
