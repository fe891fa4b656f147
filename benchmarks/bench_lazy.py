"""What does a fit need beside its data, when they are large, and how fast is it?

Memory: peak of anonymous memory above the data, each case in a process of its own,
beside what skorch alone needs for the same net. Pages of a memory map do not count: the
system takes them back when it needs them. Freed blocks go back at once, or the figure
would be what the allocator keeps.

Speed: images of two folders, read from PNG files, augmented, and trained on by a small
convolutional net, a batch of each source in turn. Beside it is the loop that one writes
by hand over two DataLoaders, with as many workers in all, and the same with Lightning's
CombinedLoader where that is installed. In turns in one process; medians of the rounds,
and ratios within a round. Beside the ratios by the clock are those of processor time,
that of the workers included, which other work on the machine moves less.
"""

import gc
import os
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from _measure import alternate, options, ratio, report, write_json

CASES = {  # kind of array, shape of a row, scaler
    "uint8 images": ("uint8", (3, 32, 32), None),
    "uint8 images, convolutions": ("uint8", (3, 32, 32), None),
    "uint8 images, memory map": ("uint8 map", (3, 32, 32), None),
    "float16 images": ("float16", (3, 32, 32), None),
    "float32 table, memory map, scaled": ("float32 map", (50,), "standard"),
    "uint8 table, scaled by source": ("uint8", (50,), "standard"),
}
MB = 1 << 20
FREED = {"MALLOC_MMAP_THRESHOLD_": "65536"}


def anonymous():
    """Return the bytes of this process that are no file's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if "RssAnon" in line).split()[1]) << 10


class Peak(threading.Thread):
    """Watches the memory of this process until the block ends."""

    def __enter__(self):
        self.before = self.most = anonymous()
        self.on = True
        self.start()
        return self

    def run(self):
        while self.on:
            self.most = max(self.most, anonymous())
            time.sleep(0.005)

    def __exit__(self, *error):
        self.on = False
        self.join()


def measure(case, who, mb, folder):
    """Print MB above the data of a fit and a prediction, and the seconds they took."""
    import torch
    from skorch import NeuralNetClassifier
    from torch import nn

    from sktandem import SharedNet

    torch.set_num_threads(1)
    kind, shape, scaler = CASES[case]
    dtype = np.dtype(kind.split()[0])
    n = mb * MB // (int(np.prod(shape)) * dtype.itemsize)

    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.seen, n_seen = nn.Identity(), int(np.prod(shape))
            if "convolutions" in case:
                self.seen = nn.Sequential(
                    nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(4)
                )
                n_seen = 16 * 4 * 4
            self.out = nn.Linear(n_seen, 2)

        def forward(self, X):
            return self.out(self.seen(X.to(self.out.weight.dtype)).flatten(1))

    path = Path(folder) / "X.npy"
    X = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(n, *shape))
    rng = np.random.default_rng(0)
    for at in range(0, n, 1 << 12):
        X[at : at + (1 << 12)] = rng.integers(0, 9, size=X[at : at + (1 << 12)].shape)
    del X
    X = np.load(path, mmap_mode="r" if "map" in kind else None)
    y, source = rng.integers(0, 2, n), np.where(np.arange(n) < 0.75 * n, "a", "b")
    net = NeuralNetClassifier(
        Module,
        criterion=nn.CrossEntropyLoss,
        lr=1e-4,
        max_epochs=1,
        batch_size=512,
        verbose=0,
    )

    def run(X, y, source):
        if who == "skorch":
            net.fit(X, y).predict(X)
        else:
            by = "source" if "by source" in case else "pooled"
            model = SharedNet(net, scaler=scaler, scale_by=by, random_state=0)
            model.fit(X, y, sample_source=source).predict(X, sample_source=source)

    few = slice(None, None, n // 64)
    run(X[few], y[few], source[few])  # what torch imports late is no part of it
    start = time.perf_counter()
    with Peak() as peak:
        run(X, y, source)
    print((peak.most - peak.before) / MB, time.perf_counter() - start)


def flipped(image):
    """Return an image mirrored half of the time, and a little brighter or darker."""
    import torch

    image = image.flip(-1) if torch.rand(1) < 0.5 else image
    return image * (0.8 + 0.4 * torch.rand(1))


def read(file):
    """Return an image with its channels first."""
    from PIL import Image

    return np.asarray(Image.open(file)).transpose(2, 0, 1)


def throughput(folder, n, n_workers, repeats, side):
    """Return images a second of each way, with so many workers for each source."""
    import torch
    from skorch import NeuralNetClassifier
    from torch import nn
    from torch.utils.data import DataLoader, Dataset

    from sktandem import SharedNet, stack_sources

    torch.set_num_threads(1)
    size, epochs, lr = 32, 5, 1e-3

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(3, 16, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(4),
                nn.Flatten(),
                nn.Linear(16 * (side // 8) ** 2, 2),
            )

        def forward(self, X):
            return self.layers(X / 255)

    class Files(Dataset):
        def __init__(self, files, y):
            self.files, self.y = files, y

        def __len__(self):
            return len(self.files)

        def __getitem__(self, place):
            image = torch.from_numpy(read(self.files[place]).copy())
            return flipped(image).float(), self.y[place]

    datasets = {
        name: (sorted(Path(folder, name).glob("*.png")), np.arange(n) % 2)
        for name in ("phone", "scanner")
    }

    def ours():
        net = NeuralNetClassifier(
            Net,
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.SGD,
            lr=lr,
            max_epochs=epochs,
            batch_size=size,
            verbose=0,
            iterator_train__num_workers=2 * n_workers,
        )
        model = SharedNet(
            net,
            scaler=None,
            augment=flipped,
            validation_fraction=None,
            schedule="batches",
            random_state=0,
        )
        X, y, source = stack_sources(datasets, reader=read)
        model.fit(X, y, sample_source=source)

    def loaders():
        how = {"num_workers": n_workers, "persistent_workers": n_workers > 0}
        return {
            name: DataLoader(Files(*pair), batch_size=size, shuffle=True, **how)
            for name, pair in datasets.items()
        }

    def train(batches_of_epoch):
        net = Net()
        optimizer, criterion = (
            torch.optim.SGD(net.parameters(), lr),
            nn.CrossEntropyLoss(),
        )
        for _ in range(epochs):
            for X, y in batches_of_epoch():
                optimizer.zero_grad()
                loss = criterion(net(X), y)
                loss.backward()
                optimizer.step()
                loss.item()

    def by_hand():
        made = loaders()
        train(lambda: (batch for pair in zip(*made.values()) for batch in pair))

    def with_lightning():
        made = CombinedLoader(loaders(), "min_size")
        train(lambda: (batch for batches, *_ in made for batch in batches.values()))

    ways = {"by hand": by_hand, "sktandem": ours}
    try:
        from pytorch_lightning.utilities import CombinedLoader

        ways["CombinedLoader"] = with_lightning
    except ImportError:
        pass
    processor = {way: [] for way in ways}

    def clocked(way):
        # Workers count when they have ended, as they have when a way returns.
        start = sum(os.times()[:4])
        ways[way]()
        gc.collect()
        processor[way].append(sum(os.times()[:4]) - start)

    seconds = alternate({way: partial(clocked, way) for way in ways}, repeats)
    processor = {way: own[1:] for way, own in processor.items()}  # once uncounted
    row = {"workers for each source": n_workers}
    for way in ways:
        row[f"{way}: images/s"] = round(2 * n * epochs / median(seconds[way]))
    for way in ("by hand", "CombinedLoader"):
        for how, measured in (("", seconds), (", processor time", processor)):
            known = way in ways
            told = 1 / ratio(measured, "sktandem", way) if known else "not installed"
            row[f"sktandem / {way}{how}"] = told
    return row


def speed(n, repeats, side):
    """Print images a second, read, augmented and trained on."""
    from PIL import Image

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("phone", "scanner"):
            Path(folder, name).mkdir()
            for place in range(n):
                image = rng.integers(0, 255, size=(side, side, 3)).astype(np.uint8)
                Image.fromarray(image).save(Path(folder, name, f"{place:05}.png"))
        rows = [throughput(folder, n, k, repeats, side) for k in (0, 1, 2)]
    return report(speed.__doc__, rows)


def main():
    """Print MB above the data and seconds, of a fit and a prediction."""
    asked = {"mb": 300, "images": 640, "side": 128, "repeats": 3, "only": ""}
    args = options(__doc__.splitlines()[0], **asked, case="", who="", folder="")
    if args.case:
        measure(args.case, args.who, args.mb, args.folder)
        return
    tables = []
    if args.only in ("", "speed"):
        tables.append(speed(args.images, args.repeats, args.side))
    if args.only in ("", "memory"):
        tables.append(memory(args))
    write_json(args.json, *tables)


def memory(args):
    """Print MB above the data and seconds, of a fit and a prediction."""
    rows = []
    for case in CASES:
        row = {"case": f"{case}, {args.mb} MB"}
        for who in ("skorch", "sktandem"):
            with tempfile.TemporaryDirectory() as folder:
                asked = ["--case", case, "--who", who, "--mb", str(args.mb)]
                command = [sys.executable, __file__, *asked, "--folder", folder]
                done = subprocess.run(
                    command, capture_output=True, text=True, env=os.environ | FREED
                )
            # skorch takes neither integers to scale nor halves.
            told = done.stdout.split() if done.returncode == 0 else ["nan", "nan"]
            row[f"{who}: MB above the data"], row[f"{who}: s"] = map(float, told)
        rows.append(row)
    return report(memory.__doc__, rows)


if __name__ == "__main__":
    main()
