"""The perceptron, the default net, and how a user's module gets its sizes."""

import inspect
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skorch import (
    NeuralNet,
    NeuralNetBinaryClassifier,
    NeuralNetClassifier,
    NeuralNetRegressor,
)
from torch import nn

from sktandem import SharedNet
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.nn import MLP, default_net

QUICK = {"max_epochs": 2, "batch_size": 16, "verbose": 0}
SOURCE = np.repeat(["a", "b"], 20)
SIZES = st.lists(st.integers(1, 9), max_size=3)


def rows_of(n_classes=3):
    X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    return X, np.arange(40) % n_classes


def fitted(net, n_classes=3, **params):
    X, y = rows_of(n_classes)
    model = SharedNet(net, random_state=0, **params)
    return model.fit(X, y, sample_source=SOURCE)


class Named(nn.Module):
    """A module that names both sizes."""

    def __init__(self, n_features=7, n_outputs=7, width=5):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, width), nn.Tanh(), nn.Linear(width, n_outputs)
        )

    def forward(self, X):
        return self.layers(X)


class Softmaxed(Named):
    """A module with probabilities, as skorch's classifier has it by default."""

    def forward(self, X):
        return super().forward(X).softmax(dim=-1)


class OnlyOutputs(nn.Module):
    """A lazy module: its input width comes with the first batch."""

    def __init__(self, n_outputs):
        super().__init__()
        self.layer = nn.LazyLinear(n_outputs)

    def forward(self, X):
        return self.layer(X)


class Own(nn.Module):
    """A module with sizes of its own, which no name tells."""

    def __init__(self, **settings):
        super().__init__()
        self.layer = nn.Linear(settings.get("wide", 4), settings.get("classes", 3))

    def forward(self, X):
        return self.layer(X)


class Flat(Named):
    """A module with a flat output."""

    def forward(self, X):
        return super().forward(X)[:, 0]


def factory(n_features, n_outputs, width=6):
    return nn.Sequential(nn.Linear(n_features, width), nn.Linear(width, n_outputs))


def widths(module):
    linear = [part for part in module.modules() if isinstance(part, nn.Linear)]
    return [linear[0].in_features, *(part.out_features for part in linear)]


@given(n_features=st.integers(1, 9), n_outputs=st.integers(1, 9), hidden=SIZES)
def test_a_perceptron_has_a_weight_for_each_pair_of_neighbours(
    n_features, n_outputs, hidden
):
    chain = [n_features, *hidden, n_outputs]

    module = MLP(n_features, n_outputs, hidden_sizes=hidden)

    n_weights = sum(parameter.numel() for parameter in module.parameters())
    assert n_weights == sum((a + 1) * b for a, b in pairwise(chain))
    assert module(torch.zeros(3, n_features)).shape == (3, n_outputs)


def test_dropout_and_activation_stand_behind_each_hidden_layer():
    module = MLP(4, 2, hidden_sizes=(5, 6), activation=nn.Tanh, dropout=0.5)

    kinds = [type(part).__name__ for part in module]
    assert kinds == ["Linear", "Tanh", "Dropout"] * 2 + ["Linear"]


def test_default_net_takes_any_setting_of_the_net():
    net = default_net(lr=0.5, module__hidden_sizes=(3,), optimizer=torch.optim.SGD)

    assert isinstance(net, NeuralNetClassifier)
    assert (net.lr, net.module__hidden_sizes) == (0.5, (3,))
    assert isinstance(default_net("regression"), NeuralNetRegressor)


def test_another_optimizer_is_fitted_without_settings_of_adam():
    net = default_net(optimizer=torch.optim.SGD, lr=0.1, max_epochs=1)

    assert isinstance(fitted(net).net_.optimizer_, torch.optim.SGD)


def test_default_net_knows_two_tasks():
    message = r"task must be one of \['classification', 'regression'\], got 'regress'"
    with pytest.raises(SourceError, match=message + r"\. Did you mean 'regression'\?"):
        default_net("regress")


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("module", [MLP, Named, factory])
def test_a_module_gets_the_sizes_that_it_names(module, n_classes):
    net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss, **QUICK)

    found = widths(fitted(net, n_classes).module_)

    assert (found[0], found[-1]) == (4, n_classes)


def test_a_size_that_the_user_set_stays():
    net = NeuralNetClassifier(
        Named, criterion=nn.CrossEntropyLoss, module__n_outputs=9, **QUICK
    )

    message = r"Named gives 9 outputs, but y has 3 class.* \(0, 1, 2\)\. A module with"
    with pytest.raises(SourceError, match=message):
        fitted(net)


def test_a_module_with_free_settings_keeps_its_own_sizes():
    net = NeuralNetClassifier(Own, criterion=nn.CrossEntropyLoss, **QUICK)
    assert widths(fitted(net).module_) == [4, 3]

    wrong = net.set_params(module__wide=6)
    message = (
        r"Own did not take a batch of shape \(2, 4\) and type float32 \(its first "
    )
    with pytest.raises(SourceError, match=message + r"layer takes 6 features\)"):
        fitted(wrong)


def test_a_lazy_module_finds_its_width_by_itself():
    net = NeuralNetClassifier(OnlyOutputs, criterion=nn.CrossEntropyLoss, **QUICK)

    assert widths(fitted(net).module_) == [4, 3]


def test_a_lazy_module_is_as_reproducible_as_any():
    net = NeuralNetClassifier(OnlyOutputs, criterion=nn.CrossEntropyLoss, **QUICK)
    X, _ = rows_of()
    torch.manual_seed(1)
    state = torch.get_rng_state()

    once = fitted(net).predict_proba(X)
    unmoved = torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again = fitted(net).predict_proba(X)

    np.testing.assert_array_equal(once, again)
    assert unmoved


def test_a_lazy_module_may_be_averaged():
    net = NeuralNetClassifier(OnlyOutputs, criterion=nn.CrossEntropyLoss, **QUICK)
    X, _ = rows_of()

    assert fitted(net, average="ema").predict_proba(X).shape == (40, 3)


def test_a_module_that_draws_when_it_predicts_leaves_torchs_state_alone():
    class Guessing(Named):
        def forward(self, X):
            return super().forward(nn.functional.dropout(X, training=True))

    net = NeuralNetClassifier(Guessing, criterion=nn.CrossEntropyLoss, **QUICK)
    torch.manual_seed(1)
    state = torch.get_rng_state()

    fitted(net).predict(rows_of()[0])

    assert torch.equal(torch.get_rng_state(), state)


def test_a_module_in_double_precision_gets_its_batches_so():
    net = NeuralNetClassifier(
        Named(4, 3).double(), criterion=nn.CrossEntropyLoss, **QUICK
    )
    X, _ = rows_of()
    model = fitted(net)

    x = model.features_.maps.forward(X.astype(float))
    expected = model.module_(torch.from_numpy(x)).softmax(dim=1).detach()

    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-5)


def test_an_instance_is_never_trained_in_place():
    module = Named(4, 3)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss, lr=0.5, **QUICK)

    model = fitted(net)

    assert model.module_ is not module
    for key, value in module.state_dict().items():
        assert torch.equal(value, before[key])
        assert not torch.equal(value, model.module_.state_dict()[key])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "n_classes", "width"),
    [
        (NeuralNet(Named, criterion=nn.CrossEntropyLoss), 3, 3),
        (NeuralNetClassifier(Named, criterion=nn.CrossEntropyLoss), 3, 3),
        (NeuralNetClassifier(Softmaxed), 3, 3),
        (NeuralNet(Named, criterion=nn.BCEWithLogitsLoss), 2, 1),
        (NeuralNetBinaryClassifier(Named), 2, 1),
        (NeuralNetBinaryClassifier(Flat), 2, 1),
    ],
    ids=["cross", "own_cross", "nll", "bce", "binary", "flat_binary"],
)
def test_every_kind_of_classifier_learns_what_is_easy(net, n_classes, width):
    """Classes far apart are told apart, and the probabilities say so."""
    y = np.array(["no", "perhaps", "yes"])[np.arange(60) % n_classes]
    noise = np.random.default_rng(0).normal(size=(60, 4))
    X = noise + 8 * np.eye(4)[np.arange(60) % n_classes]
    source = np.repeat(["a", "b"], 30)
    net.set_params(max_epochs=40, lr=0.1, batch_size=10, verbose=0)

    model = SharedNet(net, task="classification", random_state=0)
    model.fit(X, y, sample_source=source)

    proba = model.predict_proba(X)
    assert type(model.net_) is type(net)
    assert widths(model.module_)[-1] == width
    assert model.score(X, y) == 1
    assert proba.shape == (60, n_classes)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert list(model.classes_[proba.argmax(axis=1)]) == list(y)


def test_the_threshold_of_a_binary_net_decides():
    X, _ = rows_of(2)
    strict = NeuralNetBinaryClassifier(Named, threshold=0.9, lr=0.01, **QUICK)
    loose = NeuralNetBinaryClassifier(Named, threshold=0.1, lr=0.01, **QUICK)

    strict, loose = fitted(strict, 2), fitted(loose, 2)

    positive = strict.predict_proba(X)[:, 1]
    assert ((positive > 0.1) & (positive < 0.9)).any()
    np.testing.assert_array_equal(strict.predict(X), (positive > 0.9).astype(int))
    np.testing.assert_array_equal(loose.predict(X), (positive > 0.1).astype(int))


def test_logarithms_of_probabilities_still_point_at_the_likeliest_class():
    """skorch's plain NeuralNet hands on whatever the module gives."""

    class Logs(Named):
        def forward(self, X):
            return super().forward(X).log_softmax(dim=-1)

    X, _ = rows_of(3)
    net = NeuralNet(Logs, criterion=nn.NLLLoss, **QUICK)
    model = fitted(net, task="classification")

    logs = model.net_.forward(torch.from_numpy(model.features_.maps.forward(X)))
    np.testing.assert_array_equal(model.predict(X), logs.numpy().argmax(axis=1))
    with pytest.raises(SourceError, match="gives numbers that are not probabilities"):
        model.predict_proba(X)
    net.set_params(predict_nonlinearity=torch.exp)
    mended = fitted(net, task="classification")
    np.testing.assert_allclose(
        mended.predict_proba(X), np.exp(logs.numpy()), rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", [NeuralNet, NeuralNetRegressor])
@pytest.mark.parametrize("module", [Named, Flat])
def test_every_kind_of_regressor_learns_a_line(kind, module):
    X = np.random.default_rng(0).normal(size=(80, 2))
    y = X @ [1.0, -2.0]
    net = kind(module, criterion=nn.MSELoss, lr=0.05, max_epochs=80, verbose=0)
    source = np.repeat(["a", "b"], 40)

    settings = {"task": "regression", "scale_target_by": None, "batch_size": 10}
    model = SharedNet(net, **settings, random_state=0)
    model.fit(X, y, sample_source=source)

    assert type(model.net_) is kind
    assert model.predict(X).shape == (80,)
    assert model.score(X, y) > 0.9


class Counting(NeuralNetClassifier):
    """A net of the user's own that counts its steps."""

    steps = 0

    def train_step_single(self, batch, **fit_params):
        type(self).steps += 1
        return super().train_step_single(batch, **fit_params)


def test_a_net_of_the_users_own_trains_by_its_own_steps():
    Counting.steps = 0
    net = Counting(Named, criterion=nn.CrossEntropyLoss, **QUICK)

    model = fitted(net, validation_fraction=None)

    assert type(model.net_) is Counting
    assert sum(len(row["batches"]) for row in model.history_) == Counting.steps > 0


def test_the_module_may_be_a_function_that_makes_one():
    made = fitted(NeuralNetClassifier(factory, criterion=nn.CrossEntropyLoss, **QUICK))

    assert inspect.isfunction(made.net.module)
    assert widths(made.module_) == [4, 6, 3]


class Logits(nn.Linear):
    def __init__(self, n_features, n_outputs):
        super().__init__(n_features, n_outputs)


def test_logits_under_a_logarithm_are_refused_before_training():
    with pytest.raises(
        SourceError, match=r"which is not a probability, and the criterion of"
    ):
        fitted(NeuralNetClassifier(Logits, **QUICK))


def test_probabilities_under_cross_entropy_are_warned_of():
    class Sure(Logits):
        def forward(self, X):
            return super().forward(X).softmax(dim=1)

    with pytest.warns(SourceWarning, match="and CrossEntropyLoss takes logits"):
        fitted(NeuralNetClassifier(Sure, criterion=nn.CrossEntropyLoss, **QUICK))
