"""scikit-learn's own checks on the estimators with a net, in both routing modes.

A net prints its address, so the tests are told apart by names of their own.
"""

import pytest
import torch
from sklearn import config_context
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator
from skorch import NeuralNetClassifier, NeuralNetRegressor

from sktandem import (
    AlternatingClassifier,
    AlternatingRegressor,
    MultiHeadClassifier,
    MultiHeadRegressor,
)
from sktandem.nn import MLP, default_net
from sktandem.schedules import SampledAlternation

pytestmark = pytest.mark.contract


class OwnNet(NeuralNetClassifier):
    """A net whose step is the user's own, so that skorch's own loop runs."""

    def train_step_single(self, batch, **fit_params):
        return super().train_step_single(batch, **fit_params)


PLAIN = {"module": MLP, "optimizer": torch.optim.Adam, "max_epochs": 40, "verbose": 0}
CLASSES = PLAIN | {"criterion": torch.nn.CrossEntropyLoss, "lr": 0.01}

ESTIMATORS = {
    "classifier": AlternatingClassifier(),
    "classifier of an instance": AlternatingClassifier(
        NeuralNetClassifier(**CLASSES), schedule="joint"
    ),
    "classifier of a subclass": AlternatingClassifier(
        OwnNet(**CLASSES), scale_by="source", balance="both"
    ),
    "averaged classifier": AlternatingClassifier(
        default_net(), scaler=None, average="ema", validation_fraction=None
    ),
    "regressor": AlternatingRegressor(),
    "regressor of an instance": AlternatingRegressor(
        NeuralNetRegressor(**PLAIN, lr=0.01),
        schedule=SampledAlternation(temperature=2.0),
        scale_target_by="source",
        scaler=StandardScaler(),
    ),
    "multi-head classifier": MultiHeadClassifier(),
    "multi-head classifier with stems": MultiHeadClassifier(
        NeuralNetClassifier(**CLASSES | {"module__n_outputs": 16}),
        stems="source",
        loss_weights="uncertainty",
        head=(8,),
    ),
    "multi-head regressor": MultiHeadRegressor(loss_weights="dwa", schedule="batches"),
}


def checks():
    for name, estimator in ESTIMATORS.items():
        for own, check in estimator_checks_generator(estimator):
            of_check = getattr(check, "func", check).__name__
            yield pytest.param(own, check, id=f"{name}-{of_check}")


@pytest.mark.filterwarnings("ignore:Only one source:sktandem.SourceWarning")
@pytest.mark.parametrize("routing", [False, True], ids=["routing_off", "routing_on"])
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_every_check_of_scikit_learn_passes(estimator, check, routing):
    with config_context(enable_metadata_routing=routing):
        check(estimator)
