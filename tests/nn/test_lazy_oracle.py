"""The loop one writes by hand over two DataLoaders, on images that are read lazily."""

import copy

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from sktandem import SharedNet, stack_sources
from sktandem.nn._order import Order
from sktandem.schedules import PlateauAlternation

SIZE, EPOCHS, SEED, THRESHOLD = 32, 6, 5, 0.02


class Photos(Dataset):
    def __init__(self, folder, n, seed):
        rng = np.random.default_rng(seed)
        self.targets, self.files = rng.integers(0, 2, n), []
        for place in range(n):
            self.files.append(folder / f"{seed}-{place}.npy")
            np.save(self.files[-1], rng.integers(0, 9, size=(1, 6, 6)).astype(np.uint8))

    def __len__(self):
        return len(self.files)

    def __getitem__(self, place):
        return np.load(self.files[place]), self.targets[place]


class Seeing(nn.Module):
    def __init__(self):
        super().__init__()
        self.see, self.out = nn.Conv2d(1, 3, 3), nn.Linear(48, 2)

    def forward(self, X):
        return self.out(self.see(X.float()).relu().flatten(1))


class Given:
    """The module with the weights that it has before the training."""

    def __init__(self, module):
        self.module = module

    def __call__(self):
        return copy.deepcopy(self.module)


def loader_of(dataset, name, n_passes, seed):
    """Return the batches of some passes, in the order of the package."""
    order = Order(seed, torch.arange(len(dataset)), name)
    rows = [order.take(len(dataset)).tolist() for _ in range(n_passes)]
    for own in rows:
        yield from DataLoader(Subset(dataset, own), batch_size=SIZE)


def by_epoch(batches, n_batches, valid_loss):
    """Yield the batches of one source, then of the other, in turn."""
    for epoch in range(EPOCHS):
        source = epoch % 2
        for _ in range(n_batches[source]):
            yield next(batches[source])


def by_batch(batches, n_batches, valid_loss):
    """Yield a batch of each source in turn, the smaller one beginning anew."""
    for _ in range(EPOCHS * max(n_batches)):
        for source in (0, 1):
            yield next(batches[source])


def by_plateau(batches, n_batches, valid_loss):
    """Yield the batches of one source until its validation loss stops falling."""
    source, before = 0, np.inf
    for _ in range(EPOCHS):
        for _ in range(n_batches[source]):
            yield next(batches[source])
        after = valid_loss(source)
        fell, before = before - after >= THRESHOLD, after
        if not fell:
            source, before = 1 - source, np.inf


@pytest.mark.parametrize("n_workers", [0, 1, 2])
@pytest.mark.parametrize(
    ("schedule", "by_hand"),
    [
        ("epochs", by_epoch),
        ("batches", by_batch),
        (PlateauAlternation(2, threshold=THRESHOLD), by_plateau),
    ],
    ids=["epochs", "batches", "plateau"],
)
def test_the_loop_over_two_loaders_ends_with_the_same_weights(
    schedule, by_hand, n_workers, tmp_path
):
    datasets = {"camera": Photos(tmp_path, 96, 1), "phone": Photos(tmp_path, 160, 2)}
    held = {"camera": Photos(tmp_path, 20, 3), "phone": Photos(tmp_path, 30, 4)}
    torch.manual_seed(0)
    start = Seeing()
    net = NeuralNetClassifier(
        Given(start),
        criterion=nn.CrossEntropyLoss,
        lr=0.1,
        max_epochs=EPOCHS,
        batch_size=SIZE,
        iterator_train__num_workers=n_workers,
        verbose=0,
    )
    X, y, source = stack_sources(datasets)
    how = {"scaler": None, "keep": "last", "random_state": SEED}
    model = SharedNet(net, schedule=schedule, **how)
    model.fit(X, y, sample_source=source, validation_data=stack_sources(held))

    module = copy.deepcopy(start)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    seed, n_batches = model.seed_, [len(d) // SIZE for d in datasets.values()]
    batches = [loader_of(d, name, 20, seed) for name, d in datasets.items()]

    @torch.no_grad()
    def valid_loss(source):
        [pair] = DataLoader([*held.values()][source], batch_size=99)
        return nn.functional.cross_entropy(module(pair[0]), pair[1]).item()

    for images, labels in by_hand(batches, n_batches, valid_loss):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(images), labels).backward()
        optimizer.step()

    for ours, theirs in zip(model.module_.parameters(), module.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)
        assert not torch.equal(ours, torch.zeros_like(ours))
