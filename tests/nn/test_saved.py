"""Nets without pickle: a folder of safetensors and JSON, and a file of skops."""

import copy
import json
import pickle
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier
from skorch.callbacks import EarlyStopping
from small_nets import classifier, quick, regressor
from torch import nn

from sktandem import (
    SharedNet,
    SourceError,
    SourceWarning,
    Tandem,
    table_preprocessor,
)
from sktandem.datasets import make_two_sources
from sktandem.files import TRUSTED_TYPES
from sktandem.members import OwnModels
from sktandem.nn import MLP
from sktandem.schedules import EpochAlternation

X, Y, SOURCE = make_two_sources(
    80, task="classification", return_X_y=True, random_state=0
)
_, NUMBERS, _ = make_two_sources(80, return_X_y=True, random_state=0)
WORDS = np.where(SOURCE == "first", np.where(Y == 1, "yes", "no"), "")
WORDS[SOURCE == "second"] = np.where(Y[SOURCE == "second"] == 1, "up", "down")
BOTH = np.where(SOURCE == "first", Y.astype(object), NUMBERS)


class Own(nn.Module):
    """A module of the user's, with batch normalisation and a tied weight."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.norm = nn.BatchNorm1d(n_features)
        self.first, self.second = nn.Linear(n_features, 4), nn.Linear(n_features, 4)
        self.second.weight = self.first.weight
        self.last = nn.Linear(8, n_outputs)

    def forward(self, X):
        X = self.norm(X)
        return self.last(torch.cat([self.first(X), self.second(X)], 1).relu())


class OwnNet(NeuralNetClassifier):
    pass


def own_net(kind=NeuralNetClassifier, **params):
    settings = {"criterion": nn.CrossEntropyLoss, "max_epochs": 2, "verbose": 0}
    return kind(**{"module": Own, **settings, **params})


def fitted(model, y=Y, X=X):
    return model.fit(X, y, sample_source=SOURCE)


MODELS = {
    "default": (lambda: classifier(), Y),
    "activation": (lambda: classifier(quick(module__activation=nn.Tanh)), Y),
    "numbers": (lambda: regressor(scale_target_by="pooled"), NUMBERS),
    "numbers by source": (
        lambda: regressor(scale_target_by="source", scale_by="source"),
        NUMBERS,
    ),
    "two targets": (lambda: regressor(), np.stack([NUMBERS, 2 * NUMBERS], 1)),
    "no net": (lambda: SharedNet(task="classification", random_state=0), Y),
    "words": (lambda: classifier(scaler="robust"), Y.astype(str).astype(object)),
    "heads": (lambda: classifier(heads="source"), WORDS),
    "wide heads": (lambda: classifier(heads="source", head=(6,)), WORDS),
    "stems": (lambda: classifier(heads="source", stems="source"), WORDS),
    "uncertainty": (
        lambda: classifier(heads="source", loss_weights="uncertainty"),
        WORDS,
    ),
    "heads of numbers": (lambda: regressor(heads="source"), NUMBERS),
    "both kinds": (
        lambda: SharedNet(
            task={"first": "classification", "second": "regression"},
            heads="source",
            random_state=0,
        ),
        BOTH,
    ),
    "average": (lambda: classifier(average="ema"), Y),
    "last, by source": (
        lambda: classifier(
            keep="last", batch_size={"first": 4, "second": 9}, balance="both"
        ),
        Y,
    ),
    "one number": (
        lambda: classifier(
            NeuralNetBinaryClassifier(
                MLP, max_epochs=2, verbose=0, module__hidden_sizes=(3,)
            )
        ),
        Y,
    ),
}


def assert_same(found, expected, X=X):
    """Two models say the same of everything, to the last bit."""
    for method in ("predict", "predict_proba", "transform"):
        if hasattr(expected, method):
            ours, theirs = (
                getattr(m, method)(X, sample_source=SOURCE) for m in (found, expected)
            )
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
    learned = {key for key in vars(expected) if key.endswith("_")}
    assert {key for key in vars(found) if key.endswith("_")} == learned
    assert found.sources_ == expected.sources_
    assert found.n_samples_by_source_ == expected.n_samples_by_source_
    ours, theirs = found.history_.to_list(), expected.history_.to_list()
    assert ours == json.loads(json.dumps(theirs))
    weights = found.net_.criterion_.state_dict()
    for key, value in expected.net_.criterion_.state_dict().items():
        assert torch.equal(weights[key], value)


def through_folder(model, folder, **params):
    model.save_pretrained(folder)
    return SharedNet.from_pretrained(folder, **params)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_from_a_folder_as_it_was_written(name, tmp_path):
    make, y = MODELS[name]
    model = fitted(make(), y)

    again = through_folder(model, tmp_path)

    assert_same(again, model)
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".safetensors"}
    assert type(again.net) is type(model.net)
    anew = fitted(clone(again), y)  # its settings are those that it was made with
    np.testing.assert_array_equal(
        anew.predict(X, sample_source=SOURCE), model.predict(X, sample_source=SOURCE)
    )


def test_the_columns_and_the_source_column_come_back(tmp_path):
    frame = pd.DataFrame(X).rename(columns=str).assign(site=SOURCE)
    model = classifier(source="site").fit(frame, Y)

    again = through_folder(model, tmp_path)

    np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    assert again.feature_names_in_.tolist() == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        again.predict(frame.rename(columns={"0": "other"}))


def test_a_net_of_tokens_or_images_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 9, (80, 5))
    images = rng.normal(size=(80, 1, 4, 4)).astype(np.float32)

    class Tokens(nn.Module):
        def __init__(self, n_outputs):
            super().__init__()
            self.embedding, self.last = nn.Embedding(9, 3), nn.Linear(3, n_outputs)

        def forward(self, X):
            return self.last(self.embedding(X).mean(1))

    class Images(nn.Module):
        def __init__(self, n_outputs):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(1, 2, 3), nn.Flatten(), nn.LazyLinear(n_outputs)
            )

        def forward(self, X):
            return self.layers(X)

    for module, rows in ((Tokens, tokens), (Images, images)):
        net = own_net(module=module)
        model = fitted(classifier(net, scaler=None), X=rows)
        again = through_folder(model, tmp_path / module.__name__, net=net)
        np.testing.assert_array_equal(
            again.predict_proba(rows), model.predict_proba(rows)
        )


def test_partial_fit_goes_on_from_a_folder(tmp_path):
    model = fitted(classifier())
    again = through_folder(model, tmp_path)

    again.partial_fit(X, Y, sample_source=SOURCE, epochs=2)

    assert len(again.history_) == len(model.history_) + 2
    assert again.n_samples_by_source_ != model.n_samples_by_source_


# What a folder cannot hold


def test_a_module_of_the_users_is_given_again(tmp_path):
    model = fitted(classifier(own_net(batch_size=16)))
    model.save_pretrained(tmp_path)

    with pytest.raises(
        SourceError, match=r"net__module.*from_pretrained\(folder, net=\.\.\.\) takes"
    ):
        SharedNet.from_pretrained(tmp_path)
    again = SharedNet.from_pretrained(tmp_path, net=own_net())

    assert_same(again, model)


def test_a_net_of_the_users_class_is_given_again(tmp_path):
    model = fitted(classifier(own_net(OwnNet)))
    model.save_pretrained(tmp_path)

    with pytest.raises(SourceError, match=r"\['net'\].*from_pretrained\(folder, net="):
        SharedNet.from_pretrained(tmp_path)
    again = SharedNet.from_pretrained(tmp_path, net=own_net(OwnNet))

    assert_same(again, model)


def test_what_only_trains_may_stay_away(tmp_path):
    net = quick(callbacks=[("stop", EarlyStopping(patience=9))])
    model = fitted(classifier(net, schedule=EpochAlternation(), augment=None))
    model.save_pretrained(tmp_path)

    with pytest.warns(SourceWarning, match=r"does not hold \['schedule', 'net__callb"):
        again = SharedNet.from_pretrained(tmp_path)

    assert_same(again, model)


def test_what_weights_stand_on_cannot_change(tmp_path):
    model = fitted(classifier())
    model.save_pretrained(tmp_path)
    for name in ("net", "heads", "scaler"):
        with pytest.raises(SourceError, match=rf"\['{name}'\] cannot be changed"):
            SharedNet.from_pretrained(tmp_path, **{name: None})
    with pytest.raises(SourceError, match="'verbos' is not a parameter of SharedNet"):
        SharedNet.from_pretrained(tmp_path, verbos=1)
    assert SharedNet.from_pretrained(tmp_path, verbose=0).verbose == 0


def test_a_folder_that_is_damaged_is_refused(tmp_path):
    model = fitted(classifier())
    with pytest.raises(SourceError, match=r"holds no sktandem\.json.*resume_from="):
        SharedNet.from_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    weights = next(tmp_path.glob("*.safetensors"))
    whole = weights.read_bytes()

    weights.write_bytes(whole[:50])
    with pytest.raises(SourceError, match="The weights do not fit MLP"):
        SharedNet.from_pretrained(tmp_path)
    weights.unlink()
    with pytest.raises(SourceError, match=r"safetensors' cannot be read"):
        SharedNet.from_pretrained(tmp_path)
    weights.write_bytes(whole)
    record = json.loads((tmp_path / "sktandem.json").read_text())
    for key, value, message in (
        ("format", 7, "is of format 7"),
        ("estimator", "SharedTextNet", "Read it by SharedTextNet.from_pretrained"),
        ("net", "system", "names the net 'system'"),
    ):
        (tmp_path / "sktandem.json").write_text(json.dumps({**record, key: value}))
        with pytest.raises(SourceError, match=message):
            SharedNet.from_pretrained(tmp_path)


def test_a_class_that_a_file_names_is_a_module_or_an_optimizer(tmp_path):
    fitted(classifier()).save_pretrained(tmp_path)
    file = tmp_path / "sktandem.json"
    record = json.loads(file.read_text())
    for name in ("os.system", "torch.nn.os", "torch.optim.Foo", "torch.load"):
        record["params"]["net__module"] = {"class": name}
        file.write_text(json.dumps(record))
        with pytest.raises((SourceError, TypeError)):
            SharedNet.from_pretrained(tmp_path)


def test_a_fitted_transformer_is_for_skops(tmp_path):
    model = fitted(classifier(scaler=StandardScaler()))
    with pytest.raises(SourceError, match=r"scaler=StandardScaler is a fitted transf"):
        model.save_pretrained(tmp_path)


def test_names_that_json_cannot_hold_are_refused(tmp_path):
    days = np.where(SOURCE == "first", np.datetime64("2024-01-01"), np.datetime64("2"))
    names = np.array(days.tolist(), dtype=object)
    model = classifier().fit(X, Y, sample_source=names)
    with pytest.raises(SourceError, match=r"The source .* is of type date"):
        model.save_pretrained(tmp_path)


# skops and pickle


@pytest.mark.parametrize("name", MODELS)
def test_pickles_and_copies_are_as_before(name):
    make, y = MODELS[name]
    model = fitted(make(), y)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert_same(again, model)
        assert again.net_.optimizer_.state_dict()["state"].keys() == (
            model.net_.optimizer_.state_dict()["state"].keys()
        )
    assert copy.copy(model).net_ is model.net_


def through_skops(model, trusted=()):
    from skops import io

    data = io.dumps(model)
    asked = set(io.get_untrusted_types(data=data))
    assert asked <= {*TRUSTED_TYPES, *trusted}
    return io.loads(data, trusted=sorted(asked))


skops = pytest.mark.skipif(not find_spec("skops"), reason="needs skops")


@skops
@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_from_skops_as_it_was_written(name):
    make, y = MODELS[name]
    model = fitted(make(), y)
    assert_same(through_skops(model), model)
    assert not hasattr(through_skops(make()), "net_")


@skops
def test_what_a_folder_cannot_hold_skops_does():
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "x", "y")})
    for model in (
        classifier(scaler=table_preprocessor()),
        classifier(schedule=EpochAlternation()),
    ):
        model = fitted(model, X=frame if model.scaler != "standard" else X)
        rows = frame if model.scaler != "standard" else X
        again = through_skops(model)
        np.testing.assert_array_equal(again.predict(rows), model.predict(rows))
    module = f"{Own.__module__}.Own"
    model = fitted(classifier(own_net()))
    assert_same(through_skops(model, [module]), model)


@skops
def test_nets_inside_a_tandem_come_back():
    members = {"shared": SharedNet(), "own": OwnModels()}
    model = fitted(Tandem(classifier(), members=members, cv=2, random_state=0))

    again = through_skops(model)

    np.testing.assert_array_equal(
        again.predict_proba(X, sample_source=SOURCE),
        model.predict_proba(X, sample_source=SOURCE),
    )


@skops
def test_what_skops_could_not_give_back_is_refused_when_it_is_written():
    from skops import io

    class Local(Own):
        pass

    for net, message in (
        (own_net(OwnNet), r"skops cannot hold net=OwnNet\(\.\.\.\)"),
        (
            own_net(NeuralNet, module=Own(X.shape[1], 2)),
            r"skops cannot hold net\.module=Own\(\.\.\.\)",
        ),
        (own_net(module=Local), r"net\.module is '.*Local', which cannot be imported"),
    ):
        model = fitted(classifier(net, task="classification"))
        with pytest.raises(SourceError, match=message) as found:
            io.dumps(model)
        assert "model.save_pretrained(folder)" in str(found.value)
    model = fitted(classifier(heads="source", head=lambda a, b: nn.Linear(a, b)))
    with pytest.raises(SourceError, match=r"head is '.*<lambda>', which cannot be imp"):
        io.dumps(model)
