"""What does a default comparison cost, and a Tandem, beside the fits they are made of?

CPU time of one repeat of ten folds, on two sources: 10 columns of numbers, and a table
of 550 rows with strings and gaps, as ``python -m sktandem`` compares it; and of a
Tandem of own models and merges. "outside" is the part that is not spent in `fit` and
`predict` of the estimator that is compared, and "overhead" what is left without sums of
products and Newton's method, which stand for 500 fits. "/ by hand" is beside the
pipelines that a Tandem needs: a StandardScaler and the estimator, for each source and
for both, on five folds, where they predict, and on all rows. Each in a process of its
own. ``--old PATH`` takes turns with the package in another folder, as ``src`` of an
earlier commit.
"""

import os
import subprocess
import sys
import time
import warnings
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).parent))
from _measure import options, report, write_json

CASES = (
    ("compare", "ridge", 1_000),
    ("compare", "ridge", 10_000),
    ("compare", "logistic", 1_000),
    ("compare", "logistic", 10_000),
    ("compare", "mixed", 550),
    ("tandem", "ridge", 10_000),
    ("tandem", "logistic", 10_000),
)


def table(n, kind):
    """Return X, y and the source of two sources whose rules differ somewhat."""
    rng = np.random.default_rng(0)
    source = np.repeat(["a", "b"], [n // 3, n - n // 3])
    X, rule = rng.standard_normal((n, 10)), rng.standard_normal(10)
    own = (source == "b") * (X @ rng.standard_normal(10)) / 2
    y = X @ rule + own + rng.standard_normal(n)
    if kind == "ridge":
        return X, y, source
    if kind == "logistic":
        return X, (y > 0).astype(int), source
    import pandas as pd

    frame = pd.DataFrame(X[:, :3], columns=["age", "lab", "pressure"])
    frame = frame.mask(rng.random(frame.shape) < 0.08)
    for name, words in {"sex": "fm", "ward": "abcde", "smokes": ["no", "yes"]}.items():
        frame[name] = rng.choice([*words, None], n)
    return frame, (y + (frame["ward"] == "a") > 0).astype(int), source


def measure(what, kind, n):
    """Print the CPU seconds of a run, of the fits in it, and of the same by hand."""
    from sklearn.linear_model import LogisticRegression, Ridge

    from sktandem import Merged, Tandem
    from sktandem.cli._models import prepared
    from sktandem.members import OwnModels
    from sktandem.model_selection import compare_strategies

    warnings.simplefilter("ignore")
    estimator = Ridge() if kind == "ridge" else LogisticRegression(max_iter=1000)
    timed = type(estimator)
    answer = "predict" if kind == "ridge" else "predict_proba"
    model = prepared(estimator) if kind == "mixed" else estimator
    how = {"random_state": 0}

    def run(n, **more):
        X, y, source = table(n, kind)
        if what == "tandem":
            blend = Tandem(model, members=[OwnModels(), Merged()], **how)
            blend.fit(X, y, sample_source=source)
        else:
            settings = {"n_repeats": 1, "progress": False, **how}
            compare_strategies(model, X, y, sample_source=source, **settings)

    run(200)
    start = time.process_time()
    if what == "tandem":
        by_hand(estimator, answer, *table(n, kind))
    plain = time.process_time() - start
    inside, instead = [0.0], [0.0]
    for name in ("fit", answer):
        setattr(timed, name, clocked(getattr(timed, name), inside))
    if find_spec("sktandem.members._inner_losses"):  # which earlier packages have not
        from sktandem.members import _inner_losses

        for owner, name in (
            (_inner_losses, "least_squares_losses"),
            (_inner_losses.Logistic, "fit"),
        ):
            setattr(owner, name, clocked(getattr(owner, name), instead))
    start = time.process_time()
    run(n)
    print(time.process_time() - start, inside[0], instead[0], plain)


def by_hand(estimator, answer, X, y, source):
    """Fit and ask the pipelines that stand in a Tandem of own models and a merge."""
    everything = np.arange(len(X))
    folds = KFold(5, shuffle=True, random_state=0).split(X)
    for train, test in [*folds, (everything, everything[:0])]:
        for name in ("a", "b", None):
            own, asked = (
                rows if name is None else rows[source[rows] == name]
                for rows in (train, test)
            )
            model = make_pipeline(StandardScaler(), clone(estimator))
            model.fit(X[own], y[own])
            if len(asked):
                getattr(model, answer)(X[asked])


def clocked(method, inside):
    """Return a method whose CPU time is added up."""

    @wraps(method)
    def timed(*args, **kwargs):
        start = time.process_time()
        try:
            return method(*args, **kwargs)
        finally:
            inside[0] += time.process_time() - start

    return timed


def seconds(case, folder):
    """Return what one case takes with the package of a folder, in a new process."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if folder:
        environment["PYTHONPATH"] = folder
    command = [sys.executable, __file__, *map(str, case)]
    done = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    )
    return [float(part) for part in done.stdout.split()]


def main():
    """Print the CPU time of each case, and of the earlier package if one is named."""
    given = options(__doc__, repeats=3, old="")
    rows = []
    for case in CASES:
        now, before = [], []
        for _ in range(given.repeats):
            now.append(seconds(case, ""))
            if given.old:
                before.append(seconds(case, given.old))
        row = {"what": case[0], "estimator": case[1], "rows": case[2]}
        row["s"] = median(each[0] for each in now)
        row["outside"] = median(1 - each[1] / each[0] for each in now)
        row["overhead"] = median(1 - (each[1] + each[2]) / each[0] for each in now)
        plain = case[0] == "tandem"
        row["/ by hand"] = median(each[0] / each[3] for each in now) if plain else ""
        if given.old:
            row["s before"] = median(each[0] for each in before)
            row["ratio"] = median(a[0] / b[0] for a, b in zip(now, before))
        rows.append(row)
    write_json(given.json, report("Comparisons and blends", rows))


if __name__ == "__main__":
    if len(sys.argv) == 4 and not sys.argv[1].startswith("--"):
        measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        main()
