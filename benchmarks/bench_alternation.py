"""What does a net that takes turns cost beside the loops one would write by hand?

Two sources of 20,000 and 16,000 rows x 20 float32, two classes, a perceptron
64-32 or of other widths, Adam, batches of the sources by turns. Each figure is of
all that the user waits for, `fit` as a whole included; none is subtracted. The
hand-written loops also shuffle anew in each pass and record the loss of each step.
Memory is the growth of a fresh process, beyond the data it made first.
"""

import multiprocessing
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import skorch
import torch
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

sys.path.insert(0, str(Path(__file__).parent))
from _measure import alternate, options, ratio, report, write_json

from sktandem import SharedNet, stack_sources
from sktandem.nn import MLP, default_net

N_FEATURES = 20
N_ROWS = {"large": 20_000, "small": 16_000}
LR = 1e-3
HIDDEN = (64, 32)  # of the perceptron; --hidden 256-128 asks for a larger one
EPOCHS = {32: 8, 128: 8, 1024: 40}  # of the whole fits
PASSES = {32: 4, 128: 12, 1024: 60}  # epochs when steps are timed
PARTS = 4  # the slow loops take one step for so many of the others'
AIMS = {  # at most this part of the plain loop; at least so many times as fast
    32: {"DataLoaders": 1.3, "skorch": 1.4},
    128: {"DataLoaders": 2.0, "skorch": 2.2},
    1024: {"DataLoaders": 4.2, "skorch": 4.6},
}


def datasets():
    rng = np.random.default_rng(0)
    rules = rng.standard_normal((2, N_FEATURES), dtype=np.float32)
    made = {}
    for (name, size), rule in zip(N_ROWS.items(), rules):
        X = rng.standard_normal((size, N_FEATURES), dtype=np.float32)
        noise = rng.standard_normal(size, dtype=np.float32)
        made[name] = X, (X @ rule + noise > 0).astype(np.int64)
    return made


def as_tensors(parts):
    return [(torch.from_numpy(X), torch.from_numpy(y)) for X, y in parts.values()]


def steps_per_epoch(sizes, batch_size):
    """As many batches for each source as the largest has."""
    return len(sizes) * -(-max(sizes) // batch_size)


# By hand ----------------------------------------------------------------------


def prepared(fused=False):
    torch.manual_seed(0)
    module = MLP(N_FEATURES, 2, hidden_sizes=HIDDEN)
    optimizer = torch.optim.Adam(module.parameters(), lr=LR, fused=fused or None)
    return module.train(), nn.CrossEntropyLoss(), optimizer


def step(module, criterion, optimizer, x, y):
    optimizer.zero_grad()
    loss = criterion(module(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def tutorial(parts, batch_size, n_steps):
    """A new iterator for every step, as many tutorials have it."""
    loaders, model, losses = loaders_of(parts, batch_size), prepared(), []
    for i in range(n_steps):
        for x, y in loaders[i % 2]:
            losses.append(step(*model, x, y))
            break
    return losses


def persistent(parts, batch_size, n_steps):
    """An iterator for each source, made anew when it is exhausted."""
    loaders = loaders_of(parts, batch_size)
    model, losses = prepared(), []
    batches = [iter(loader) for loader in loaders]
    for i in range(n_steps):
        try:
            x, y = next(batches[i % 2])
        except StopIteration:
            batches[i % 2] = iter(loaders[i % 2])
            x, y = next(batches[i % 2])
        losses.append(step(*model, x, y))
    return losses


def loaders_of(parts, batch_size):
    return [
        DataLoader(TensorDataset(*pair), batch_size=batch_size, shuffle=True)
        for pair in as_tensors(parts)
    ]


def slices(pairs, batch_size):
    """Yield batches of the sources by turns, each shuffled anew in each pass."""
    orders, starts = [None] * len(pairs), [len(x) for x, _ in pairs]
    while True:
        for s, (x, y) in enumerate(pairs):
            if starts[s] >= len(x):
                orders[s], starts[s] = torch.randperm(len(x)), 0
            rows = orders[s][starts[s] : starts[s] + batch_size]
            starts[s] += batch_size
            yield x[rows], y[rows]


def by_slices(parts, batch_size, n_steps, fused):
    model, losses = prepared(fused), []
    for x, y in islice(slices(as_tensors(parts), batch_size), n_steps):
        losses.append(step(*model, x, y))
    return losses


def skorch_on_all(parts, batch_size, epochs):
    """skorch as it comes, on all rows; its batches are in the order of the rows."""
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        MLP(N_FEATURES, 2, hidden_sizes=HIDDEN),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=LR,
        batch_size=batch_size,
        max_epochs=epochs,
        train_split=None,
        verbose=0,
    )
    X, y, _ = stack_sources(parts)
    return net.fit(X, y)


def fit_by_hand(parts, batch_size, epochs):
    """Split, standardise, train, validate, keep the best, tell what happened."""
    torch.manual_seed(0)
    train, valid = [], []
    for x, y in as_tensors(parts):
        order = torch.randperm(len(x))
        held, rest = order.split([len(x) // 5, len(x) - len(x) // 5])
        train.append((x[rest], y[rest]))
        valid.append((x[held], y[held]))
    everything = torch.cat([x for x, _ in train])
    mean, sd = everything.mean(0), everything.std(0, correction=0)
    train = [((x - mean) / sd, y) for x, y in train]
    valid = [((x - mean) / sd, y) for x, y in valid]

    module, criterion, optimizer = prepared(fused=True)
    batches, history, best, kept = slices(train, batch_size), [], float("inf"), None
    n_steps = steps_per_epoch([len(x) for x, _ in train], batch_size)
    for _ in range(epochs):
        module.train()
        losses = [[], []]
        for i in range(n_steps):
            x, y = next(batches)
            losses[i % 2].append(step(module, criterion, optimizer, x, y))
        module.eval()
        valid_losses, right = [], []
        with torch.no_grad():
            for x, y in valid:
                logits = module(x)
                valid_losses.append(criterion(logits, y).item())
                right.append((logits.argmax(1) == y).float().mean().item())
        history.append(
            {
                "train_losses": [sum(own) / len(own) for own in losses],
                "valid_losses": valid_losses,
                "accuracies": right,
            }
        )
        if sum(valid_losses) < best:
            best, kept = sum(valid_losses), deepcopy(module.state_dict())
    module.load_state_dict(kept)
    return module, history


# Ours -------------------------------------------------------------------------


def ours(data, batch_size, epochs, **settings):
    net = default_net(lr=LR, max_epochs=epochs, module__hidden_sizes=HIDDEN)
    model = SharedNet(
        net, schedule="batches", batch_size=batch_size, random_state=0, **settings
    )
    X, y, sample_source = data
    return model.fit(X, y, sample_source=sample_source)


def steps_of(data, batch_size, epochs, scaler):
    return ours(
        data,
        batch_size,
        epochs,
        scaler=scaler,
        validation_fraction=None,
        keep="last",
    )


# The figures ------------------------------------------------------------------


def each_step(batch_size, repeats, slow_repeats):
    parts = datasets()
    data = stack_sources(parts)
    epochs = PASSES[batch_size]
    n = epochs * steps_per_epoch(N_ROWS.values(), batch_size)
    few = n // PARTS
    skorch_epochs = max(1, epochs // PARTS)
    n_skorch = skorch_epochs * -(-sum(N_ROWS.values()) // batch_size)
    loops = {
        "slices": (lambda: by_slices(parts, batch_size, n, False), n),
        "slices, fused": (lambda: by_slices(parts, batch_size, n, True), n),
        "ours, no scaler": (lambda: steps_of(data, batch_size, epochs, None), n),
        "ours": (lambda: steps_of(data, batch_size, epochs, "standard"), n),
    }
    slow = {
        "new iterators": (lambda: tutorial(parts, batch_size, few), few),
        "DataLoaders": (lambda: persistent(parts, batch_size, few), few),
        "skorch": (lambda: skorch_on_all(parts, batch_size, skorch_epochs), n_skorch),
        # Once more beside them, so that ratios are of the same minutes.
        "ours": loops["ours"],
    }
    fast = per_step(loops, repeats)
    beside = per_step(slow, slow_repeats)
    rows = [
        step_row(batch_size, name, beside, "ours", AIMS[batch_size].get(name))
        for name in ("new iterators", "DataLoaders", "skorch")
    ]
    aims = {"ours, no scaler": 1.20, "ours": 1.20}
    return rows + [
        step_row(batch_size, name, fast, "slices, fused", aims.get(name))
        for name in loops
    ]


def per_step(loops, repeats):
    """Return the microseconds a step of each loop, round by round."""
    seconds = alternate({name: run for name, (run, _) in loops.items()}, repeats)
    return {
        name: [1e6 * s / loops[name][1] for s in own] for name, own in seconds.items()
    }


def step_row(batch_size, name, micros, beside, aim):
    bound = "<=" if beside == "slices, fused" else ">="
    return {
        "batch": batch_size,
        "loop": name,
        "us a step": round(median(micros[name])),
        "beside": beside,
        "ratio": ratio(micros, name, beside),
        "aim": "" if aim is None else f"{bound} {aim:.2f}",
    }


def whole_fits(batch_size, repeats):
    parts = datasets()
    data, epochs = stack_sources(parts), EPOCHS[batch_size]
    variants = {
        "hand": lambda: fit_by_hand(parts, batch_size, epochs),
        "ours": lambda: ours(data, batch_size, epochs),
    }
    seconds = alternate(variants, repeats)
    return {
        "batch": batch_size,
        "epochs": epochs,
        "hand s": median(seconds["hand"]),
        "ours s": median(seconds["ours"]),
        "ratio": ratio(seconds, "ours", "hand"),
        "aim": "<= 1.25",
    }


def memory(n, n_columns=50, **settings):
    """Return what one large fit holds and takes, in a process of its own."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        return pool.submit(large_fit, n, n_columns, settings).result()


def large_fit(n, n_columns, settings):
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    X = np.empty((n, n_columns), dtype=np.float32)
    y, source = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)

    def fill(rows):
        rng.standard_normal(out=X[rows], dtype=np.float32)
        y[rows] = X[rows, 0] > 0
        source[rows] = rows.start >= n * 3 // 5

    first = 20_000  # a small fit, so that what torch loads does not count
    for start in range(0, n, first):
        fill(slice(start, min(start + first, n)))
    ours((X[:first], y[:first], np.arange(first) % 2), 4096, 1, **settings)
    before = resident()
    model = ours((X, y, source), 4096, 2, **settings)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    data = X.nbytes + y.nbytes
    return {
        "rows": n,
        "columns": n_columns,
        "validation": str(settings.get("validation_fraction", 0.2)),
        "X and y MB": data / 1e6,
        "extra MB": (peak - before) / 1e6,
        "a row": (peak - before) / n,
        "extra / data": (peak - before) / data,
        "aim": "<= 0.75" if n_columns == 50 else "",
        "s an epoch": median(model.history_[:, "dur"]),
    }


def resident():
    """Return the memory held now, in bytes; Linux tells."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def main():
    given = options(
        __doc__,
        repeats=5,
        slow_repeats=2,
        fit_repeats=3,
        memory_rows=2_000_000,
        batch=0,
        hidden="64-32",
    )
    global HIDDEN
    HIDDEN = tuple(map(int, given.hidden.split("-")))
    torch.set_num_threads(1)
    batch_sizes = [given.batch] if given.batch else list(EPOCHS)
    versions = f"torch {torch.__version__}, skorch {skorch.__version__}"
    tables = []
    if given.repeats:
        rows = []
        for size in batch_sizes:
            rows += each_step(size, given.repeats, given.slow_repeats)
        tables.append(report(f"A step, {versions}", rows))
        print()
    if given.fit_repeats:
        rows = [whole_fits(size, given.fit_repeats) for size in batch_sizes]
        tables.append(report(f"A whole fit with validation, {versions}", rows))
        print()
    if given.memory_rows:
        rows = [
            memory(given.memory_rows),
            memory(given.memory_rows, validation_fraction=None),
            memory(given.memory_rows, 5),
        ]
        tables.append(report(f"Memory, batches of 4096, {versions}", rows))
    write_json(given.json, *tables)


if __name__ == "__main__":
    main()
