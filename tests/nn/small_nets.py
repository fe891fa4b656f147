"""Small nets that several files fit, and what two fits are compared by."""

import torch

from sktandem import SharedNet
from sktandem.nn import default_net


def quick(task="classification", **params):
    """A net that is fitted in no time."""
    settings = {"max_epochs": 3, "lr": 0.02, "module__hidden_sizes": (5,)}
    return default_net(task, **settings | {"batch_size": 8} | params)


def classifier(net=None, **params):
    return SharedNet(net or quick(), **{"random_state": 0, **params})


def regressor(net=None, **params):
    """The target as it is, where nothing else is said."""
    apart = params.get("heads") == "source"
    settings = {"scale_target_by": "auto" if apart else None, "random_state": 0}
    return SharedNet(net or quick("regression"), **settings | params)


def without_clock(history):
    """The history, but for the time it took and the mark of a checkpoint."""
    clock = ("dur", "event_cp")
    return [{k: v for k, v in row.items() if k not in clock} for row in history]


def assert_identical(model, other):
    """Two fits by the same steps end in the same weights by the same way."""
    weights, others = model.module_.state_dict(), other.module_.state_dict()
    for key in weights:
        assert torch.equal(weights[key], others[key]), key
    assert without_clock(model.history_) == without_clock(other.history_)
