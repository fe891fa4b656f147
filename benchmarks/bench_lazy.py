"""What does a fit need beside its data, when they are large?

Peak of anonymous memory above the data, each case in a process of its own, beside
what skorch alone needs for the same net. Pages of a memory map do not count: the
system takes them back when it needs them. Freed blocks go back at once, or the
figure would be what the allocator keeps.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from _measure import options, report

CASES = {  # kind of array, shape of a row, scaler
    "uint8 images": ("uint8", (3, 32, 32), None),
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
            self.out = nn.Linear(int(np.prod(shape)), 2)

        def forward(self, X):
            return self.out(X.to(self.out.weight.dtype).flatten(1))

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
    start = time.perf_counter()
    with Peak() as peak:
        if who == "skorch":
            net.fit(X, y).predict(X)
        else:
            by = "source" if "by source" in case else "pooled"
            model = SharedNet(net, scaler=scaler, scale_by=by, random_state=0)
            model.fit(X, y, sample_source=source).predict(X, sample_source=source)
    print((peak.most - peak.before) / MB, time.perf_counter() - start)


def main():
    """Print MB above the data and seconds, of a fit and a prediction."""
    args = options(__doc__.splitlines()[0], mb=300, case="", who="", folder="")
    if args.case:
        measure(args.case, args.who, args.mb, args.folder)
        return
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
    report(main.__doc__, rows)


if __name__ == "__main__":
    main()
