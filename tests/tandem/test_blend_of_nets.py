"""A blend of nets: they are trained together, and it is the same blend."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import Ridge
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sktandem import SharedNet, SourceError, Tandem
from sktandem.datasets import make_two_sources
from sktandem.members import StackedPrediction
from sktandem.tandem import _out_of_fold


def double(n_features, n_outputs):
    layers = nn.Linear(n_features, 5), nn.Tanh(), nn.Linear(5, n_outputs)
    return nn.Sequential(*layers).double()


def net_of(module=double, **params):
    settings = {"criterion": nn.CrossEntropyLoss, "optimizer": torch.optim.Adam}
    settings |= {"lr": 0.02, "max_epochs": 3, "batch_size": 16, "verbose": 0}
    return NeuralNetClassifier(module, **settings | params)


def table(**params):
    settings = {"task": "classification", "size_ratio": 0.4, "noise": 0.5}
    return make_two_sources(
        260, n_features=4, return_X_y=True, random_state=0, **settings | params
    )


MEMBERS = [SharedNet(schedule="shuffled"), SharedNet(), StackedPrediction()]


def blended(members=MEMBERS, net=None, **params):
    X, y, source = table()
    model = Tandem(net or net_of(), members=members, cv=3, random_state=0, **params)
    return model.fit(X, y, sample_source=source)


def test_a_blend_of_nets_trained_together_is_that_of_nets_trained_alone(
    monkeypatch, capsys
):
    together = blended(verbose=1)
    told = capsys.readouterr().out
    monkeypatch.setattr(_out_of_fold, "holds_net", lambda member: False)
    alone = blended()

    # Own models of two sources, two shared nets, and of stacked ones a donor and a
    # model for each source, in three folds and on all rows. A donor is asked before
    # its model is fitted, so that some of these wait for no others.
    assert sum(together.nets_.values()) == 4 * (2 + 2 + 4)
    assert together.nets_["together"] >= 4 * (2 + 2)
    assert f"{together.nets_['together']} nets trained together" in told
    assert alone.nets_ == {}
    for name, weights in alone.weights_.items():
        assert together.weights_[name] == pytest.approx(weights, abs=1e-6)
    X, _, source = table()
    np.testing.assert_allclose(
        together.predict_proba(X, sample_source=source),
        alone.predict_proba(X, sample_source=source),
        atol=1e-6,
    )


def test_a_blend_says_which_nets_were_trained_alone_and_why(capsys):
    def dropping(n_features, n_outputs):
        return nn.Sequential(nn.Dropout(0.1), nn.Linear(n_features, n_outputs))

    model = blended([SharedNet()], net_of(module=dropping), verbose=1)

    reason = "the layer Dropout is not among those that are stacked"
    assert model.nets_ == {reason: 4 * 3}
    told = f"0 nets trained together; 12 alone: {reason}"
    assert told in capsys.readouterr().out


def test_members_without_a_net_are_not_counted():
    X, y, source = table(task="regression")
    model = Tandem(Ridge(), cv=2, random_state=0).fit(X, y, sample_source=source)

    assert model.nets_ == {}


def test_a_net_that_fails_is_named_as_by_itself():
    X, y, source = table(task="regression")
    net = NeuralNetRegressor(double, max_epochs=2, verbose=0, lr=0.01)
    members = {"wild": SharedNet(clone(net).set_params(lr=1e200), random_state=0)}

    model = Tandem(net, members=members, cv=2, random_state=0)

    with pytest.raises(SourceError, match="'wild' failed on fold 1: The training loss"):
        model.fit(X, y, sample_source=source)


@pytest.mark.slow
def test_a_blend_of_nets_does_not_depend_on_n_jobs():
    one, two = blended(), blended(n_jobs=2)

    assert one.weights_ == two.weights_
    assert one.nets_ == two.nets_
