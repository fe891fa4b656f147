"""What does a prediction of one row cost beside skorch's, and the bare module's?

Two sources of 1,000 rows x 20, two classes, a perceptron 64-32; CPU time by one
thread, the ways taken in turn. SharedNet reads and checks its input, scales it, and
answers in double precision, so that a row gets the same answer alone as among others.
"""

import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from _measure import options, report, write_json

from sktandem import SharedNet
from sktandem.nn import default_net

AIMS = {"SharedNet": "<= 2 x skorch"}


def ways():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 20))
    y, source = (X[:, 0] > 0).astype(int), np.repeat(["a", "b"], 1000)
    net = default_net(max_epochs=2)
    shared = SharedNet(net, random_state=0).fit(X, y, sample_source=source)
    trunk = default_net(
        max_epochs=2, module__n_outputs=32, module__activate_output=True
    )
    heads = SharedNet(trunk, heads="source", random_state=0)
    heads.fit(X, y, sample_source=source)
    net.set_params(module__n_features=20, module__n_outputs=2, train_split=None)
    plain = net.fit(X.astype(np.float32), y)
    row, single = X[:1], X[:1].astype(np.float32)
    tensor = torch.from_numpy(single)

    def bare():
        with torch.no_grad():
            return torch.softmax(plain.module_(tensor), dim=1).numpy()

    return {
        "torch": bare,
        "skorch": lambda: plain.predict_proba(single),
        "SharedNet": lambda: shared.predict_proba(row),
        "SharedNet, heads": lambda: heads.predict_proba(row, sample_source=["a"]),
    }


def seconds(ask, n):
    start = time.process_time()
    for _ in range(n):
        ask()
    return (time.process_time() - start) / n


def main():
    torch.set_num_threads(1)
    given = options(__doc__, repeats=9, calls=200)
    asked = ways()
    taken = {name: [] for name in asked}
    for _ in range(given.repeats):
        for name, ask in asked.items():
            taken[name].append(seconds(ask, given.calls))
    rows = [
        {
            "predict_proba": name,
            "us": median(own) * 1e6,
            "/ torch": median(a / b for a, b in zip(own, taken["torch"])),
            "/ skorch": median(a / b for a, b in zip(own, taken["skorch"])),
            "aim": AIMS.get(name, ""),
        }
        for name, own in taken.items()
    ]
    write_json(given.json, report("One row", rows))


if __name__ == "__main__":
    main()
