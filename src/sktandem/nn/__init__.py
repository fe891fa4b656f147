"""Nets on several sources: the estimators, and the parts they are made of."""

from sktandem._extras import require

require("sktandem.nn", "torch", "skorch")

from sktandem.nn._classifier import AlternatingClassifier
from sktandem.nn._heads import MultiHead
from sktandem.nn._modules import MLP, default_net
from sktandem.nn._multihead_classifier import MultiHeadClassifier
from sktandem.nn._multihead_estimator import MultiHeadEstimator
from sktandem.nn._multihead_regressor import MultiHeadRegressor
from sktandem.nn._regressor import AlternatingRegressor

__all__ = [
    "MLP",
    "AlternatingClassifier",
    "AlternatingRegressor",
    "MultiHead",
    "MultiHeadClassifier",
    "MultiHeadEstimator",
    "MultiHeadRegressor",
    "default_net",
]
