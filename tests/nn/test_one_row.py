"""A net is copied once for its predictions, and anew when it has changed."""

import copy
import pickle

import numpy as np
import pytest
import torch
from small_nets import classifier, quick
from torch import nn

from sktandem import SharedNet
from sktandem.nn import _precision, default_net

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
SOURCE = np.repeat(["a", "b"], 30)


class Scaled(nn.Module):
    """A module with settings of its own."""

    def __init__(self, n_features, n_outputs, more=()):
        super().__init__()
        self.linear = nn.Linear(n_features, n_outputs)
        self.factor, self.more = 1.0, more

    def forward(self, X):
        return self.linear(X) * self.factor + sum(own() for own in self.more)


def scaled(more=()):
    params = {"max_epochs": 2, "batch_size": 8, "module__more": more}
    return default_net(module=Scaled, **params)


def fitted(net=None):
    return classifier(net).fit(X, Y, sample_source=SOURCE)


@pytest.fixture
def copies(monkeypatch):
    """Counts how often a net is copied."""
    made, doubles = [], _precision.doubles
    monkeypatch.setattr(
        _precision, "doubles", lambda net: made.append(1) or doubles(net)
    )
    return made


def more_epochs(model):
    model.partial_fit(X, Y, sample_source=SOURCE, epochs=1)


def other_values(model):
    next(model.module_.parameters()).data.mul_(2)  # which no version tells of


def by_numpy(model):
    next(model.module_.parameters()).detach().numpy()[:] += 1


def other_state(model):
    state = {k: v + 1 for k, v in model.module_.state_dict().items()}
    model.module_.load_state_dict(state)


def other_setting(model):
    model.module_.factor = 3.0


def other_layer(model):
    model.module_.linear = nn.Linear(3, 2)


def other_type(model):
    model.module_.linear.bias = None


CHANGES = [
    *(more_epochs, other_values, by_numpy, other_state),
    *(other_setting, other_layer, other_type),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_kept_copy_answers_as_a_new_one_would(change, copies):
    model = fitted(scaled())
    before = model.predict_proba(X)
    copies.clear()
    for row in range(3):
        np.testing.assert_array_equal(model.predict_proba(X), before)
        model.predict(X[row : row + 1])
    assert not copies

    change(model)

    after = model.predict_proba(X)
    assert (after != before).any()
    np.testing.assert_array_equal(copy.deepcopy(model).predict_proba(X), after)


@pytest.mark.parametrize("hook", [True, False])
def test_what_may_change_unseen_is_copied_in_every_call(copies, hook):
    """A function of the user's, in a module or as a hook."""
    own = [lambda: 0.0]
    model = fitted(scaled(() if hook else own))
    if hook:
        model.module_.register_forward_hook(lambda module, given, made: made * own[0]())
    model.predict(X)
    copies.clear()

    model.predict(X)
    assert len(copies) == 1
    before = model.predict_proba(X)
    (own if hook else model.module_.more)[:] = [lambda: torch.tensor([5.0, 0.0])]
    assert (model.predict_proba(X) != before).any()


class Counts(nn.Module):
    """A module that changes as it answers."""

    def __init__(self, n_features, n_outputs, by_buffer=False):
        super().__init__()
        self.linear, self.calls = nn.Linear(n_features, n_outputs), 0
        self.register_buffer("seen", torch.zeros(1))
        self.by_buffer = by_buffer

    def forward(self, X):
        if self.by_buffer:
            self.seen += 1
        else:
            self.calls += 1
        return self.linear(X) * (1 + self.calls + self.seen)


@pytest.mark.parametrize("by_buffer", [False, True])
def test_a_module_that_changes_as_it_answers_begins_anew(by_buffer):
    net = default_net(module=Counts, max_epochs=1, module__by_buffer=by_buffer)
    model = fitted(net)

    first = model.predict_proba(X)

    for _ in range(3):
        np.testing.assert_array_equal(model.predict_proba(X), first)


def test_a_pickle_does_not_hold_the_copy():
    model = fitted()
    size = len(pickle.dumps(model))

    answers = model.predict_proba(X)

    assert len(pickle.dumps(model)) == size
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), answers)


def test_one_row_gets_the_answer_that_it_gets_among_others():
    for model in (
        fitted(),
        SharedNet(
            quick(module__n_outputs=4, module__activate_output=True),
            heads="source",
            random_state=0,
        ).fit(X, Y, sample_source=SOURCE),
    ):
        every = model.predict_proba(X, sample_source=SOURCE)
        for row in (0, 17, 59):
            one = slice(row, row + 1)
            alone = model.predict_proba(X[one], sample_source=SOURCE[one])
            np.testing.assert_allclose(alone, every[one], rtol=1e-12)
