"""What stands on the trunk, what stands before it, and what the trunk may be."""

import numpy as np
import pandas as pd
import pytest
import torch
from skorch import NeuralNet, NeuralNetClassifier, NeuralNetRegressor
from small_nets import classifier, quick
from torch import nn

from sktandem import SharedNet, SourceError, stack_sources
from sktandem.nn import MLP, MultiHead, default_net

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
SOURCE = np.repeat(["a", "b"], [40, 20])
Y = np.where(
    SOURCE == "a",
    np.where(X[:, 0] > 0, "ill", "well"),
    np.array(["low", "mid", "top"])[np.arange(60) % 3],
)
NUMBERS = X @ [1.0, -1.0, 0.5]


def fitted(net=None, **params):
    model = classifier(net, heads="source", **params)
    return model.fit(X, Y, sample_source=SOURCE)


# The head ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "widths"),
    [(None, []), ((), []), ((7,), [7]), ([7, 6], [7, 6]), (np.array([4]), [4])],
    ids=["none", "empty", "one", "two", "array"],
)
def test_a_head_is_linear_or_has_hidden_layers(head, widths):
    heads = fitted(head=head).module_.heads

    for module, n_classes in zip(heads, (2, 3), strict=True):
        layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
        assert [layer.out_features for layer in layers] == [*widths, n_classes]
        assert layers[0].in_features == 32


def test_a_head_may_be_made_by_a_function():
    asked = []

    def normalised(width, n_outputs):
        asked.append((width, n_outputs))
        return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, n_outputs))

    model = fitted(head=normalised)

    assert asked == [(32, 2), (32, 3)]
    assert isinstance(model.module_.heads[1][0], nn.LayerNorm)


# The trunk --------------------------------------------------------------------


def test_the_trunk_is_sized_where_it_asks_to_be():
    model = fitted(quick(module__n_outputs=9))

    assert model.module_.trunk[0].in_features == 3
    assert model.width_ == 9
    assert [head.in_features for head in model.module_.heads] == [9, 9]


class Narrow(nn.Module):
    """A trunk that has a width of its own unless told otherwise."""

    def __init__(self, n_features, n_outputs=6):
        super().__init__()
        self.layer = nn.Linear(n_features, n_outputs)

    def forward(self, X):
        return self.layer(X).relu()


def test_a_trunk_with_a_width_of_its_own_keeps_it():
    assert fitted(default_net(module=Narrow, max_epochs=1)).width_ == 6


def test_a_lazy_trunk_learns_its_width_from_the_data():
    trunk = nn.Sequential(nn.LazyLinear(11), nn.ReLU())
    model = fitted(NeuralNetClassifier(trunk, criterion=nn.CrossEntropyLoss, verbose=0))

    assert model.transform(X).shape == (60, 11)


def test_a_trunk_that_is_an_instance_is_cloned_and_never_trained_in_place():
    trunk = MLP(3, 8, activate_output=True)
    before = {key: value.clone() for key, value in trunk.state_dict().items()}
    net = NeuralNetClassifier(trunk, criterion=nn.CrossEntropyLoss, lr=0.5, verbose=0)

    model = fitted(net)

    assert net.module is trunk
    assert model.module_.trunk is not trunk
    assert all(torch.equal(before[key], trunk.state_dict()[key]) for key in before)
    moved = model.module_.trunk.state_dict()
    assert not torch.equal(before["0.weight"], moved["0.weight"])


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 8)

    def forward(self, X):
        return self.embedding(X).mean(dim=1)


def test_a_trunk_may_take_tokens():
    tokens = np.abs(X * 10).astype(int)
    net = NeuralNetClassifier(Tokens, criterion=nn.CrossEntropyLoss, verbose=0)
    model = SharedNet(net, heads="source", scaler=None, random_state=0)

    assert model.fit(tokens, Y, sample_source=SOURCE).transform(tokens).shape == (60, 8)
    numbers = SharedNet(
        NeuralNetRegressor(Tokens, verbose=0), heads="source", scaler=None
    )
    assert numbers.fit(tokens, NUMBERS, sample_source=SOURCE).predict(
        tokens, sample_source=SOURCE
    ).shape == (60,)


@pytest.mark.parametrize("stems", ["shared", "source"])
def test_whole_numbers_may_be_measurements(stems):
    measured = (X * 10).astype(int)
    model = SharedNet(quick(), heads="source", scaler=None, stems=stems, random_state=0)

    model.fit(measured, Y, sample_source=SOURCE)

    as_floats = model.predict_proba(measured.astype(float), sample_source=SOURCE)
    np.testing.assert_allclose(
        model.predict_proba(measured, sample_source=SOURCE), as_floats
    )


def test_a_trunk_may_take_images():
    class Convolution(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten())

    images = np.random.default_rng(1).normal(size=(60, 1, 5, 5))
    net = NeuralNetClassifier(Convolution, criterion=nn.CrossEntropyLoss, verbose=0)
    model = SharedNet(net, heads="source", scaler=None, random_state=0)

    assert model.fit(images, Y, sample_source=SOURCE).width_ == 4 * 3 * 3


def test_rows_may_come_in_any_order():
    """The first two rows of a table need not be of one source."""
    mixed = np.argsort(np.arange(60) % 20, kind="stable")
    assert set(SOURCE[mixed][:3]) == {"a", "b"}

    model = SharedNet(quick(), heads="source", stems="source", random_state=0)
    model.fit(X[mixed], Y[mixed], sample_source=SOURCE[mixed])

    proba = model.predict_proba(X, sample_source=SOURCE)
    assert model.precision_ == "float64"
    np.testing.assert_allclose(
        model.predict_proba(X[mixed], sample_source=SOURCE[mixed]),
        proba[mixed],
        atol=1e-12,
    )


def trunk_of(n_dims):
    class Odd(nn.Module):
        def __init__(self, n_features):
            super().__init__()
            self.layer = nn.Linear(n_features, 4)

        def forward(self, X):
            out = self.layer(X)
            return out.sum(dim=1) if n_dims == 1 else out[:, None]

    return Odd


@pytest.mark.parametrize("n_dims", [1, 3])
def test_a_trunk_of_another_shape_is_refused(n_dims):
    shape = r"\(2,\)" if n_dims == 1 else r"\(2, 1, 4\)"
    message = rf"The trunk Odd must give \(n_rows, width\), got shape {shape} for 2 r"
    with pytest.raises(SourceError, match=message):
        fitted(default_net(module=trunk_of(n_dims)))


def test_a_trunk_of_another_width_is_refused():
    net = NeuralNetClassifier(nn.Linear(5, 2), criterion=nn.CrossEntropyLoss)
    message = r"The trunk Linear did not take a batch of shape \(2, 3\) .*\n.*n_featur"
    with pytest.raises(SourceError, match=message):
        fitted(net)


# Modules with heads of their own ----------------------------------------------


class Whole(nn.Module):
    """A module that is taken whole: rows come sorted by source."""

    def __init__(self, n_features, n_outputs_by_source):
        super().__init__()
        self.body = nn.Linear(n_features, 7)
        self.shift = nn.Embedding(len(n_outputs_by_source), 7)
        self.outputs = nn.ModuleList([nn.Linear(7, n) for n in n_outputs_by_source])

    def hidden(self, X, source):
        return (self.body(X) + self.shift(source.long())).relu()

    def forward(self, X, source):
        hidden, present = self.hidden(X, source), source.unique_consecutive()
        assert len(present) == len(source.unique()), "rows come sorted by source"
        parts = [self.outputs[k](hidden[source == k]) for k in present.tolist()]
        return parts[0] if len(parts) == 1 else parts


class WholeThatEmbeds(Whole):
    def embed(self, X, source):
        return self.hidden(X, source)


@pytest.mark.parametrize("schedule", ["joint", "batches", "shuffled"])
@pytest.mark.parametrize("module", [Whole, WholeThatEmbeds])
def test_a_module_with_heads_of_its_own_is_taken_whole(module, schedule):
    net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss, verbose=0)
    model = fitted(net, schedule=schedule)

    assert type(model.module_) is module
    assert [head.out_features for head in model.module_.outputs] == [2, 3]
    assert set(model.predict(X[40:], sample_source=SOURCE[40:])) <= {
        "low",
        "mid",
        "top",
    }
    np.testing.assert_allclose(
        model.predict_proba(X, sample_source=SOURCE).sum(axis=1), 1
    )


def test_an_embedding_of_its_own_is_told_each_rows_source():
    net = NeuralNetClassifier(WholeThatEmbeds, criterion=nn.CrossEntropyLoss, verbose=0)
    model = fitted(net, scaler=None)

    codes = torch.as_tensor((SOURCE == "b").astype(int))
    with torch.no_grad():
        module = model.module_.double()
        expected = module.embed(torch.as_tensor(X), codes).numpy()
    found = model.transform(X, sample_source=SOURCE)

    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(SourceError, match="each row's source is needed"):
        model.transform(X)


def test_a_module_without_an_embedding_says_so():
    model = fitted(NeuralNetClassifier(Whole, criterion=nn.CrossEntropyLoss, verbose=0))
    message = r"Whole has no method embed\(X, source\), which transform needs"
    with pytest.raises(SourceError, match=message):
        model.transform(X, sample_source=SOURCE)
    with pytest.raises(SourceError, match=message):
        model.get_feature_names_out()


@pytest.mark.parametrize("setting", [{"head": (4,)}, {"stems": "source"}])
def test_heads_of_its_own_leave_nothing_for_head_and_stems(setting):
    (name,) = setting
    net = NeuralNetClassifier(Whole, criterion=nn.CrossEntropyLoss)
    with pytest.raises(SourceError, match=f"{name}=.* has no effect: the module"):
        fitted(net, **setting)


def test_a_module_whose_own_heads_have_other_widths_is_refused():
    net = NeuralNetClassifier(
        Whole, module__n_outputs_by_source=(2, 2), criterion=nn.CrossEntropyLoss
    )
    message = r"Whole gives 2 outputs, but 'b' has 3 classes \('low', 'mid', 'top'\)"
    with pytest.raises(SourceError, match=message):
        fitted(net)


# The criterion ----------------------------------------------------------------

WIDE = {"module__n_outputs": 6, "max_epochs": 3, "lr": 0.1, "verbose": 0}


@pytest.mark.parametrize(
    ("net", "last"),
    [
        (NeuralNetClassifier(MLP, **WIDE), nn.Softmax),
        (
            NeuralNetClassifier(MLP, criterion=nn.CrossEntropyLoss, **WIDE),
            nn.Linear,
        ),
        (NeuralNet(MLP, criterion=nn.NLLLoss, **WIDE), nn.LogSoftmax),
        (NeuralNet(MLP, criterion=nn.CrossEntropyLoss, **WIDE), nn.Linear),
    ],
    ids=["softmax", "logits", "logarithms", "plain logits"],
)
@pytest.mark.parametrize("weights", [None, "uncertainty"])
def test_heads_follow_the_criterion(net, last, weights):
    """Whatever the way to write it down, it is one and the same model."""
    model = fitted(net, task="classification", loss_weights=weights)

    for head in model.module_.heads:
        assert isinstance(list(head.modules())[-1], last)
    proba = model.predict_proba(X, sample_source=SOURCE)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert proba.min() >= 0
    reference = NeuralNetClassifier(MLP, criterion=nn.CrossEntropyLoss, **WIDE)
    expected = fitted(reference, loss_weights=weights).predict_proba(
        X, sample_source=SOURCE
    )
    np.testing.assert_allclose(proba, expected, atol=1e-5)


def test_numbers_that_are_no_probabilities_are_refused():
    net = NeuralNet(Whole, criterion=nn.NLLLoss, max_epochs=0, verbose=0)
    model = fitted(net, task="classification")
    with pytest.raises(SourceError, match="gives numbers that are not probabilities"):
        model.predict_proba(X, sample_source=SOURCE)


# Stems ------------------------------------------------------------------------


def pens_and_scans(seed=0):
    """Two ways to write digits down: by 4 and by 6 features, of 3 digits."""
    rng = np.random.default_rng(seed)
    n, digits = 90, np.arange(90) % 3
    pen = digits[:, None] + 0.3 * rng.normal(size=(n, 4))
    scan = -digits[:, None] + 0.3 * rng.normal(size=(n, 6))
    tables = {
        "pen": (pd.DataFrame(pen, columns=[f"p{i}" for i in range(4)]), digits),
        "scan": (pd.DataFrame(scan, columns=[f"s{i}" for i in range(6)]), digits),
    }
    return stack_sources(tables, join="outer")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scaler", "scale_by"),
    [(None, "pooled")]
    + [
        (s, by) for s in ("standard", "minmax", "robust") for by in ("pooled", "source")
    ],
)
def test_sources_with_other_columns_meet_behind_their_stems(scaler, scale_by):
    frame, y, sample_source = pens_and_scans()
    net = quick(max_epochs=15)
    settings = {"stems": "source", "scaler": scaler, "scale_by": scale_by}
    model = classifier(net, heads="source", **settings)

    model.fit(frame, y, sample_source=sample_source)

    assert [stem[0].in_features for stem in model.module_.stems] == [4, 6]
    assert model.module_.trunk[0].in_features == 6
    assert model.score(frame, y, sample_source=sample_source) > 0.9
    assert model.transform(frame, sample_source=sample_source).shape == (180, 32)


def test_a_stem_sees_only_the_columns_of_its_own_source():
    frame, y, sample_source = pens_and_scans()
    model = SharedNet(quick(), heads="source", stems="source", random_state=0)
    model.fit(frame, y, sample_source=sample_source)
    other = frame.copy()
    pen = sample_source == "pen"
    other.loc[pen, [f"s{i}" for i in range(6)]] = 1e3
    other.loc[~pen, ["p1", "p2"]] = -7.0

    before = model.predict_proba(frame, sample_source=sample_source)

    np.testing.assert_array_equal(
        model.predict_proba(other, sample_source=sample_source), before
    )
    np.testing.assert_array_equal(
        model.transform(other, sample_source=sample_source),
        model.transform(frame, sample_source=sample_source),
    )


def test_a_column_that_a_source_has_in_some_rows_only_is_refused():
    frame, y, sample_source = pens_and_scans()
    model = SharedNet(quick(), heads="source", stems="source", validation_fraction=None)
    frame.iloc[0, 4] = 99.0

    with pytest.raises(SourceError, match=r"Column 4 of 'pen' is NaN in 89 rows\. A"):
        model.fit(frame, y, sample_source=sample_source)


def test_a_value_missing_in_an_own_column_is_refused_in_fit_and_later():
    frame, y, sample_source = pens_and_scans()
    model = SharedNet(quick(), heads="source", stems="source", random_state=0)
    model.fit(frame, y, sample_source=sample_source)
    holed = frame.copy()
    holed.loc[holed.index[:2], "p3"] = np.nan

    message = r"Column 3 of 'pen' is NaN in 2 rows\. A stem takes columns that its sou"
    with pytest.raises(SourceError, match=message):
        model.predict(holed, sample_source=sample_source)
    with pytest.raises(SourceError, match=r"Column 3 of 'pen' .* impute them"):
        SharedNet(quick(), heads="source", stems="source").fit(
            holed, y, sample_source=sample_source
        )


def test_a_source_without_a_value_has_no_stem():
    frame, y, sample_source = pens_and_scans()
    frame = frame.where(pd.Series(sample_source != "pen"), other=np.nan)
    message = "stems='source' found no column with values for 'pen'"
    with pytest.raises(SourceError, match=message):
        SharedNet(quick(), heads="source", stems="source").fit(
            frame, y, sample_source=sample_source
        )


def test_stems_take_columns():
    images = np.random.default_rng(1).normal(size=(60, 1, 5, 5))
    model = SharedNet(quick(), heads="source", stems="source", scaler=None)
    with pytest.raises(SourceError, match=r"needs columns, but X has shape \(60, 1,"):
        model.fit(images, Y, sample_source=SOURCE)


def test_a_missing_value_without_stems_is_refused_with_a_cure():
    holed = X.copy()
    holed[3, 1] = np.nan
    with pytest.raises(SourceError, match=r"NaN.*table_preprocessor\(\) fills"):
        SharedNet(quick(), heads="source").fit(holed, Y, sample_source=SOURCE)


def test_an_unknown_source_has_no_stem_unless_it_borrows_one():
    model = fitted(stems="source", unknown_source="pooled")
    with pytest.raises(SourceError, match="'pooled' gives no embedding where each so"):
        model.transform(X, sample_source=["c"] * 60)

    borrows = fitted(stems="source", unknown_source="primary", primary_source="b")
    np.testing.assert_array_equal(
        borrows.transform(X, sample_source=["c"] * 60),
        borrows.transform(X, sample_source=["b"] * 60),
    )


# The module -------------------------------------------------------------------


def test_a_module_answers_with_a_tensor_for_one_source_and_a_list_for_several():
    module = MultiHead(nn.Linear(3, 4), [nn.Linear(4, 2), nn.Linear(4, 3)])
    x = torch.as_tensor(X[:5], dtype=torch.float32)

    both = module(x, torch.tensor([0, 0, 1, 1, 1]))
    second = module(x[2:], torch.tensor([1, 1, 1]))

    assert [tuple(part.shape) for part in both] == [(2, 2), (3, 3)]
    torch.testing.assert_close(second, both[1])
