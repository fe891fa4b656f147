"""Data that do not fit in a table: cast by the batch, read when they are needed."""

import tracemalloc

import numpy as np
import pytest
from sklearn.preprocessing import RobustScaler
from skorch import NeuralNetClassifier
from torch import nn

from sktandem import SharedNet
from sktandem.nn._features import as_tensor, fit_features
from sktandem.nn._reader import Reader


class Small(nn.Module):
    """Images or rows of any number of values to two classes."""

    def __init__(self, n_values=12, n_outputs=2):
        super().__init__()
        self.out = nn.Linear(n_values, n_outputs)

    def forward(self, X):
        return self.out(X.flatten(1))


def small_net(**params):
    given = {"max_epochs": 2, "batch_size": 8, "verbose": 0, "lr": 0.1}
    return NeuralNetClassifier(Small, criterion=nn.CrossEntropyLoss, **given | params)


def two_cameras(n=50, shape=(3, 2, 2), seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 9, size=(n, *shape)).astype(np.uint8)
    return images, rng.integers(2, size=n), np.where(np.arange(n) < 30, "phone", "dslr")


def weights_of(model):
    return [weight.detach().numpy() for weight in model.module_.parameters()]


# Cast by the batch --------------------------------------------------------------


@pytest.mark.parametrize("heads", ["shared", "source"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float16", "float64"])
def test_numbers_of_any_type_train_the_net_of_single_precision(dtype, heads):
    X, y, source = two_cameras()
    net = small_net(module__n_outputs=2)
    kept = SharedNet(net, scaler=None, heads=heads, random_state=0)
    other = SharedNet(net, scaler=None, heads=heads, random_state=0)

    kept.fit(X.astype(np.float32), y, sample_source=source)
    other.fit(X.astype(dtype), y, sample_source=source)

    for a, b in zip(weights_of(kept), weights_of(other)):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(
        kept.predict_proba(X.astype(np.float32), sample_source=source),
        other.predict_proba(X.astype(dtype), sample_source=source),
    )


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float32", "float64"])
def test_no_type_of_numbers_is_copied_on_its_way_to_a_tensor(dtype, tmp_path):
    made = np.lib.format.open_memmap(
        tmp_path / "X.npy", mode="w+", dtype=dtype, shape=(9, 4)
    )
    made[:] = 1
    for X in (np.ones((9, 4), dtype), np.load(tmp_path / "X.npy", mmap_mode="r")):
        assert as_tensor(X).data_ptr() == X.ctypes.data


@pytest.mark.parametrize("scaler", ["standard", "minmax", "robust", None])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
def test_scales_are_learned_block_by_block(scaler, dtype):
    n = 20_000
    X = np.random.default_rng(0).integers(0, 9, size=(n, 400)).astype(dtype)
    y, source = np.arange(n) % 2, np.where(np.arange(n) < n // 2, "a", "b")
    rows = Reader(SharedNet(task="classification")).read(X, y, sample_source=source)
    used = np.arange(0, n, 2)

    tracemalloc.start()
    features, numbers = fit_features(
        rows, used, None, 0, scaler=scaler, scale_by="source" if scaler else "pooled"
    )
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert np.shares_memory(numbers, X)
    # Of a table that is 64 MB in double precision.
    assert most < 25e6
    if scaler == "robust":
        pooled = RobustScaler().fit(X[used].astype(float))
        np.testing.assert_allclose(features.maps.scale[-1], pooled.scale_)
