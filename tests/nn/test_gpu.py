"""The same on a GPU, where there is one."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sktandem import SharedNet, stack_sources
from sktandem.data._rows import read_rows
from sktandem.datasets import make_two_sources
from sktandem.nn import default_net
from sktandem.nn._together import fit_together

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def data(task="classification"):
    rows = make_two_sources(
        2000, task=task, size_ratio=3, random_state=0, return_X_y=True
    )
    return dict(zip(("X", "y", "sample_source"), rows))


@pytest.mark.parametrize("schedule", ["batches", "joint", "shuffled", "plateau"])
@pytest.mark.parametrize("heads", ["shared", "source"])
def test_a_gpu_learns_what_the_cpu_learns(heads, schedule):
    X, y, sample_source = data().values()
    scores = {}
    for device in ("cpu", "cuda"):
        net = default_net(device=device, max_epochs=10)
        options = {"schedule": schedule, "average": "ema", "random_state": 0}
        model = SharedNet(net, heads=heads, **options)
        model.fit(X, y, sample_source=sample_source)
        scores[device] = model.score(X, y, sample_source=sample_source)
        assert next(model.module_.parameters()).device.type == device

    assert scores["cuda"] == pytest.approx(scores["cpu"], abs=0.03)


def test_predictions_of_a_gpu_are_in_single_precision():
    X, y, sample_source = data("regression")
    net = default_net("regression", device="cuda", max_epochs=5)

    model = SharedNet(net, scale_target_by=None, random_state=0).fit(
        X, y, sample_source=sample_source
    )

    assert model.precision_ == "float32"
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("n_workers", [0, 2])
def test_batches_go_to_the_gpu_from_pinned_memory(n_workers, monkeypatch):
    pinned, pin = [], torch.Tensor.pin_memory
    monkeypatch.setattr(
        torch.Tensor, "pin_memory", lambda x, *a: pinned.append(1) or pin(x, *a)
    )
    X, y, sample_source = data().values()
    rows = torch.utils.data.TensorDataset(torch.from_numpy(X.astype(np.float32)))
    rows = stack_sources({"all": (rows, y)})
    net = default_net(
        device="cuda",
        max_epochs=2,
        iterator_train__pin_memory=True,
        iterator_train__num_workers=n_workers,
    )
    how = {"scaler": None, "keep": "last", "random_state": 0}
    model = SharedNet(net, **how).fit(rows.X, y, sample_source=sample_source)
    assert pinned
    plain = SharedNet(default_net(device="cuda", max_epochs=2), **how)
    plain.fit(X.astype(np.float32), y, sample_source=sample_source)

    for a, b in zip(model.module_.parameters(), plain.module_.parameters()):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_torchs_random_state_of_the_gpu_stays_as_it_was():
    torch.cuda.manual_seed(0)
    before = torch.cuda.get_rng_state()

    net = default_net(device="cuda", max_epochs=2, module__dropout=0.5)
    SharedNet(net, random_state=0).fit(**data())

    assert torch.equal(torch.cuda.get_rng_state(), before)


@pytest.mark.parametrize("heads", ["shared", "source"])
def test_nets_are_trained_together_on_a_gpu(heads):
    given = data()
    net = default_net(device="cuda", max_epochs=4)
    models = [
        SharedNet(net, heads=heads, average="ema", random_state=seed)
        for seed in range(4)
    ]
    if heads == "source":
        trunk = {"module__n_outputs": 8, "module__activate_output": True}
        models = [model.set_params(net=net.set_params(**trunk)) for model in models]
    alone = [clone(model).fit(**given) for model in models]
    rows = read_rows(clone(models[0]), **given)

    counts = fit_together((model, rows) for model in models)

    assert counts == {"together": 4}
    for one, other in zip(alone, models):
        losses = [row["valid_loss"] for row in one.history_]
        assert [row["valid_loss"] for row in other.history_] == pytest.approx(
            losses, rel=0.01
        )
