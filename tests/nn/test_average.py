"""Averaged weights: what they are the mean of, and the exchange with the raw ones."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skorch import NeuralNetRegressor
from torch import nn

from sktandem import AlternatingRegressor
from sktandem.exceptions import SourceError
from sktandem.nn import default_net
from sktandem.nn._average import Averaged

WEIGHTS = st.lists(st.floats(-9, 9), min_size=1, max_size=30)


def one_weight(average, first=0.0):
    """Return a net of a single weight, and its average."""
    module = nn.Linear(1, 1, bias=False)
    net = NeuralNetRegressor(module, verbose=0).initialize()
    put(net, first)
    Averaged.attach(net, average)
    return net, Averaged.of(net)


def put(net, value):
    with torch.no_grad():
        net.module_.weight.fill_(value)


def shown_weight(net, average):
    average.show(net, True)
    value = net.module_.weight.item()
    average.show(net, False)
    return value


@given(weights=WEIGHTS, decay=st.floats(0.01, 0.99))
def test_an_exponential_average_forgets_by_its_decay(weights, decay):
    net, average = one_weight(decay, first=5.0)

    for weight in weights:
        put(net, weight)
        average.after_step(net)

    # By hand: a step's part is its own, times what all later steps leave of it.
    decays = [min(decay, (1 + k) / (10 + k)) for k in range(1, len(weights) + 1)]
    left = np.cumprod([1.0, *decays[::-1]])[::-1]  # of the first weight, then of each
    parts = (1 - np.array(decays)) * left[1:]
    assert left[0] + parts.sum() == pytest.approx(1)
    expected = 5.0 * left[0] + parts @ weights
    assert shown_weight(net, average) == pytest.approx(expected, abs=1e-4)


def test_ema_has_a_decay_of_99_hundredths():
    by_name, by_number = one_weight("ema"), one_weight(0.99)
    for step in range(2000):
        for net, average in (by_name, by_number):
            put(net, np.sin(step))
            average.after_step(net)

    assert shown_weight(*by_name) == shown_weight(*by_number)
    assert shown_weight(*by_name) != pytest.approx(shown_weight(*one_weight(0.9)))


@given(weights=WEIGHTS)
def test_swa_is_the_mean_over_the_last_quarter_of_the_epochs(weights):
    net, average = one_weight("swa")
    n_epochs = len(weights)

    for epoch, weight in enumerate(weights, start=1):
        put(net, weight)
        average.after_step(net)  # which is nothing to it
        average.after_epoch(net, epoch, n_epochs)
        if 4 * epoch <= 3 * n_epochs:
            now = shown_weight(net, average)
            assert now == pytest.approx(weight, abs=1e-5), "till then the last"

    last = weights[(3 * n_epochs) // 4 :]
    assert shown_weight(net, average) == pytest.approx(np.mean(last), abs=1e-4)


def test_an_exponential_average_has_nothing_to_do_after_an_epoch():
    net, average = one_weight("ema", first=1.0)
    put(net, 7.0)

    average.after_epoch(net, 4, 4)

    assert shown_weight(net, average) == 1.0


def test_showing_is_an_exchange_that_happens_once():
    net, average = one_weight("ema", first=1.0)
    put(net, 7.0)

    seen = []
    for shown in (True, True, False, False, True, False):
        average.show(net, shown)
        seen.append(net.module_.weight.item())

    assert seen == [1.0, 1.0, 7.0, 7.0, 1.0, 7.0]


@pytest.mark.parametrize("shown", [False, True])
@pytest.mark.parametrize("average", ["ema", "swa"])
def test_an_average_goes_on_from_its_state(average, shown):
    """Whether saved as a state, pickled or copied."""
    net, kept = one_weight(average)
    put(net, 3.0)
    kept.after_step(net)
    kept.after_epoch(net, 4, 4)
    kept.show(net, shown)

    fresh, of_state = one_weight(average)
    fresh.module_.load_state_dict(net.module_.state_dict())
    fresh.criterion_.load_state_dict(net.criterion_.state_dict())
    assert Averaged.of(fresh) is of_state
    pickled, copied = pickle.loads(pickle.dumps(net)), copy.deepcopy(net)

    after = []
    for other in (net, fresh, pickled, copied):
        own = Averaged.of(other)
        own.show(other, False)
        raw = other.module_.weight.item()
        put(other, 9.0)
        own.after_step(other)
        own.after_epoch(other, 5, 4)
        after.append((raw, int(own.count), shown_weight(other, own)))
    assert after[0][0] == 3.0
    assert after == [after[0]] * 4


def test_only_weights_are_averaged():
    """Running statistics are those of the last step."""
    module = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))
    net = NeuralNetRegressor(module, verbose=0, max_epochs=4, lr=0.1)
    X = np.random.default_rng(0).normal(size=(40, 2))
    source = np.repeat(["a", "b"], 20)
    options = {"validation_fraction": None, "random_state": 0}

    raw = AlternatingRegressor(net, **options).fit(X, X[:, 0], source).module_
    ema = AlternatingRegressor(net, average="ema", **options)
    ema = ema.fit(X, X[:, 0], source).module_

    for (name, one), other in zip(raw.state_dict().items(), ema.state_dict().values()):
        averaged = name.endswith(("weight", "bias"))
        assert torch.equal(one, other) != averaged, name


@pytest.mark.parametrize(
    ("average", "hint"),
    [
        ("emma", r" Did you mean 'ema'\?"),
        ("SWA", ""),
        (1, ""),
        (0.0, ""),
        (True, ""),
        ([0.9], ""),
    ],
)
def test_what_is_no_average_is_refused(average, hint):
    model = AlternatingRegressor(default_net("regression"), average=average)
    message = r"average must be one of \['ema', 'swa'\], the decay of an exponential av"
    with pytest.raises(SourceError, match=message + r"erage such as 0\.99.*" + hint):
        model.fit(np.zeros((4, 1)), np.arange(4.0), sample_source=list("aabb"))


def test_an_average_needs_a_criterion_that_can_carry_it():
    def squared(**params):
        return lambda y_pred, y_true: ((y_pred - y_true) ** 2).mean()

    net = default_net("regression", criterion=squared)
    with pytest.raises(SourceError, match="'ema' needs a criterion that is a torch mo"):
        AlternatingRegressor(net, average="ema").fit(
            np.zeros((8, 1)), np.arange(8.0), sample_source=list("aaaabbbb")
        )
