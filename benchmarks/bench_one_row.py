"""What does a prediction of one row cost beside skorch's, and the bare module's?

Two sources of 1,000 rows x 20, two classes, a perceptron 64-32; CPU time by one
thread, the ways taken in turn. SharedNet reads and checks its input, scales it, and
answers in double precision, so that a row gets the same answer alone as among others.
A merge of a logistic regression is taken beside the pipeline with a StandardScaler, of
an array and of a data frame.
"""

import sys
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).parent))
from _measure import options, report, write_json

from sktandem import Merged, SharedNet
from sktandem.nn import default_net

AIMS = {"SharedNet": "<= 2 x skorch"}
MERGE_AIM = "<= 1.2 x pipeline"


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


def merges():
    import pandas as pd

    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 20))
    y, source = (X[:, 0] > 0).astype(int), np.repeat(["a", "b"], 1000)
    asked = {}
    for name, table in {
        "array": X,
        "data frame": pd.DataFrame(X).add_prefix("x"),
    }.items():
        plain = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, y)
        merged = Merged(LogisticRegression()).fit(table, y, sample_source=source)
        asked[name] = [partial(m.predict_proba, table[:1]) for m in (plain, merged)]
    return asked


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
    of_merges = []
    for name, pair in merges().items():
        turns = [
            [seconds(ask, given.calls) for ask in pair] for _ in range(given.repeats)
        ]
        of_merges.append(
            {
                "predict_proba of a merge": name,
                "us": median(ours for _, ours in turns) * 1e6,
                "/ pipeline": median(ours / plain for plain, ours in turns),
                "aim": MERGE_AIM,
            }
        )
    tables = report("One row", rows), report("One row of a merge", of_merges)
    write_json(given.json, *tables)


if __name__ == "__main__":
    main()
