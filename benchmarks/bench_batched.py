"""How much sooner are many small nets trained as one than one after another?

Two sources of 1,000 rows x 20 each, two classes, a perceptron 64-32, Adam, a fifth of
the rows held out: nets of as many seeds, and so of other splits, orders and first
weights. Each figure is CPU time of all that a fit does, by one thread; the two ways
run in turn. --wine 1 adds one fit of Tandem on the wine data. Memory is the growth of
a fresh process, beyond the data it made first: of one fit, and of folds of one table.
"""

import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
import torch
from sklearn.base import clone

sys.path.insert(0, str(Path(__file__).parent))
from _measure import options, report, write_json

from sktandem import SharedNet, Tandem
from sktandem.data._rows import read_rows
from sktandem.datasets import load_wine_quality
from sktandem.nn import default_net
from sktandem.nn._together import fit_together
from sktandem.tandem import _out_of_fold

AIM = 0.125
N_FOLDS = 8


def table(n_rows, n_features):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_features))
    return X, (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int), np.arange(n_rows) % 2


def net_of(batch_size, epochs):
    return default_net(batch_size=batch_size, max_epochs=epochs)


def seconds(do):
    start = time.process_time()
    do()
    return time.process_time() - start


def nets(n_nets, batch_size, schedule, epochs, repeats):
    X, y, source = table(2000, 20)
    models = [
        SharedNet(net_of(batch_size, epochs), schedule=schedule, random_state=seed)
        for seed in range(n_nets)
    ]
    rows = read_rows(models[0], X, y, sample_source=source)

    def alone():
        for model in models:
            model.fit(X, y, sample_source=source)

    def together():
        fit_together((clone(model), rows) for model in models)

    models[0].fit(X, y, sample_source=source)
    taken = [(seconds(alone), seconds(together)) for _ in range(repeats)]
    return {
        "nets": n_nets,
        "batch": batch_size,
        "schedule": schedule,
        "s alone": median(one for one, _ in taken),
        "s together": median(other for _, other in taken),
        "together / alone": median(other / one for one, other in taken),
        "aim": f"<= {AIM}" if (n_nets, batch_size) == (32, 32) else "",
    }


def wine(repeats):
    X, y, source = load_wine_quality(return_X_y=True)
    model = Tandem(default_net("regression"), random_state=0)
    holds_net, taken = _out_of_fold.holds_net, []
    for _ in range(repeats):
        both = []
        for found in (lambda member: False, holds_net):
            _out_of_fold.holds_net = found
            both.append(seconds(lambda: model.fit(X, y, sample_source=source)))
        taken.append(both)
    return {
        "fit": "Tandem of nets on wine",
        "s alone": median(one for one, _ in taken),
        "s together": median(other for _, other in taken),
        "together / alone": median(other / one for one, other in taken),
    }


def memory(n_rows):
    fresh = multiprocessing.get_context("spawn")
    for folds in (1, N_FOLDS):
        with ProcessPoolExecutor(1, mp_context=fresh) as pool:
            yield pool.submit(grown, n_rows, folds).result()


def grown(n_rows, folds):
    torch.set_num_threads(1)
    small = table(200, 50)
    SharedNet(net_of(64, 1)).fit(small[0], small[1], sample_source=small[2])
    X, y, source = table(n_rows, 50)
    model = SharedNet(net_of(1024, 1), random_state=0)
    rows = read_rows(model, X, y, sample_source=source)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    parts = (np.flatnonzero(np.arange(n_rows) % 9 != fold) for fold in range(folds))
    fit_together((clone(model), rows.take(part)) for part in parts)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "folds": folds,
        "X MB": X.nbytes / 1e6,
        "extra MB": (after - before) * 1024 / 1e6,
        "extra MB a fold": (after - before) * 1024 / 1e6 / folds,
    }


def main():
    torch.set_num_threads(1)
    given = options(__doc__, epochs=20, repeats=2, wine=0, rows=200_000)
    cases = [(32, 32, "batches"), (32, 32, "shuffled"), (32, 64, "batches")]
    cases += [(8, 32, "batches"), (32, 32, "joint")]
    how = given.epochs, given.repeats
    done = [report("Nets trained together", [nets(*case, *how) for case in cases])]
    if given.wine:
        done.append(report("Tandem", [wine(given.wine)]))
    done.append(report("Memory", list(memory(given.rows))))
    write_json(given.json, *done)


if __name__ == "__main__":
    main()
