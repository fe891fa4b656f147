"""How do time and memory grow with rows, columns, sources and classes?

Each entry runs at a size and at four times that size in one respect, the rest as it
was. An exponent of 1 is growth in step, 2 is quadratic; the fixed cost of a call
lowers it. The learner, naive Bayes, grows in step itself. Memory is the most held at
a time, without what torch holds; --times 4 takes all sizes fourfold.
"""

import sys
import tempfile
import time
import warnings
from functools import partial
from math import log
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.naive_bayes import GaussianNB
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))
from _measure import options, peak, report, write_json

from sktandem import Merged, SharedNet, Tandem, read_sources, stack_sources
from sktandem.model_selection import compare_strategies, score_by_source
from sktandem.nn import default_net
from sktandem.shift import shift_report

BASE = {"rows": 4_000, "columns": 10, "sources": 2, "classes": 2}
FROM = {"rows": 4_000, "columns": 40, "sources": 8, "classes": 8}  # to four times that
AIM = 1.1


def net(**params):
    shape = {"max_epochs": 1, "batch_size": 256, "module__hidden_sizes": (16,)}
    return SharedNet(default_net(**shape), random_state=0, **params)


def data(rows, columns, sources, classes):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(rows) % classes)
    X = rng.standard_normal((rows, columns)) + y[:, None] / classes
    return X, y, np.char.add("source ", (np.arange(rows) % sources).astype(str))


def of_model(model, ask=None):
    """Return what is timed of a model: its fit, or what it answers."""

    def prepared(X, y, labels):
        if ask is None:
            return lambda: model.fit(X, y, sample_source=labels)
        fitted = model.fit(X, y, sample_source=labels)
        return lambda: ask(fitted, X, y, labels)

    return prepared


def predict(model, X, y, labels):
    return model.predict(X, sample_source=labels)


def score(model, X, y, labels):
    return score_by_source(model, X, y, sample_source=labels)


def compared(X, y, labels):
    few = {"cv": 2, "n_repeats": 1, "random_state": 0, "progress": False}
    return partial(compare_strategies, GaussianNB(), X, y, sample_source=labels, **few)


def shifted(X, y, labels):
    return partial(shift_report, X, y, sample_source=labels)


def stacked(X, y, labels):
    parts = {name: (X[labels == name], y[labels == name]) for name in np.unique(labels)}
    return partial(stack_sources, parts)


def read(folder, X, y, labels):
    """Files of CSV, written before the clock runs."""
    files = {}
    for name in np.unique(labels):
        table = pd.DataFrame(X[labels == name].round(3)).add_prefix("x")
        files[name] = folder / f"{name}.csv"
        table.assign(y=y[labels == name]).to_csv(files[name], index=False)
    return partial(read_sources, files, target="y", task="classification")


def entries(folder):
    own = {"scale_by": "source", "balance": "both", "representation": "indicator"}
    return {
        "Merged.fit": of_model(Merged(GaussianNB(), **own)),
        "Merged.predict": of_model(Merged(GaussianNB(), **own), predict),
        "SharedNet.fit": of_model(net()),
        "SharedNet.predict": of_model(net(), predict),
        "SharedNet.fit, heads": of_model(net(heads="source")),
        "SharedNet.predict, heads": of_model(net(heads="source"), predict),
        "Tandem.fit": of_model(Tandem(GaussianNB(), cv=2, random_state=0)),
        "compare_strategies": compared,
        "score_by_source": of_model(Merged(GaussianNB(), scale_by="source"), score),
        "shift_report": shifted,
        "stack_sources": stacked,
        "read_sources": partial(read, folder),
    }


def seconds(run):
    """Return the shortest of some runs: what else the machine does only adds."""
    taken = []
    while sum(taken) < 0.5 and len(taken) < 20:
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def grown(prepared, axis, times):
    """Return seconds and bytes at a size, and at four times that."""
    figures = []
    for factor in (1, 4):
        shape = BASE | {axis: FROM[axis] * factor}
        shape["rows"] *= times
        run = prepared(*data(**shape))
        figures.append((seconds(run), peak(run)))
    return figures


def main():
    given = options(__doc__, times=1, only="")
    rows = []
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        for name, prepared in entries(Path(folder)).items():
            for axis in BASE if given.only in name else ():
                (took, held), (longer, more) = grown(prepared, axis, given.times)
                growth = log(longer / took, 4)
                line = {"entry": name, "in": axis, "s": took, "s at 4x": longer}
                line |= {"time": growth, "memory": log(more / held, 4)}
                rows.append(line | {"": "above the aim" if growth > AIM else ""})
                print(*line.values(), file=sys.stderr)
    write_json(given.json, report(f"Exponents of growth, aim {AIM}", rows))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
