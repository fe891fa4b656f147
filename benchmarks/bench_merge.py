"""What does a merge cost beside the code one would write by hand?

By hand: concatenate, StandardScaler, fit. Memory is the most held at a time
above the stacked X, which both have.
"""

import sys
import warnings
from pathlib import Path
from statistics import median

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge, SGDClassifier, SGDRegressor
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))
from _measure import alternate, options, peak, ratio, report, write_json

from sktandem import Merged, stack_sources

N_FEATURES = 50


def datasets(n):
    rng = np.random.default_rng(0)
    coef = rng.normal(size=N_FEATURES).astype(np.float32)
    made = {}
    for name, size in (("large", n * 3 // 5), ("small", n - n * 3 // 5)):
        X = rng.standard_normal((size, N_FEATURES), dtype=np.float32)
        noise = rng.standard_normal(size, dtype=np.float32)
        made[name] = (X + np.float32(3), X @ coef + noise)
    return made


def by_hand(estimator, parts):
    X = np.concatenate([X for X, _ in parts.values()])
    y = np.concatenate([y for _, y in parts.values()])
    return estimator.fit(StandardScaler().fit_transform(X), y)


def ours(estimator, parts):
    X, y, sample_source = stack_sources(parts)
    return Merged(estimator).fit(X, y, sample_source=sample_source)


def against_the_hand(n, repeats):
    parts = datasets(n)
    stacked = sum(X.nbytes for X, _ in parts.values())
    rows = []
    for name, make in {
        "Ridge": Ridge,
        "SGDRegressor": lambda: SGDRegressor(max_iter=3, tol=None, random_state=0),
    }.items():
        variants = {
            "hand": lambda make=make: by_hand(make(), parts),
            "ours": lambda make=make: ours(make(), parts),
        }
        seconds = alternate(variants, repeats)
        held = {who: peak(run) - stacked for who, run in variants.items()}
        rows.append(
            {
                "estimator": name,
                "hand s": median(seconds["hand"]),
                "ours s": median(seconds["ours"]),
                "time ratio": ratio(seconds, "ours", "hand"),
                "hand MB": held["hand"] / 1e6,
                "ours MB": held["ours"] / 1e6,
                "memory ratio": held["ours"] / held["hand"],
            }
        )
    return rows


def twenty_sources(n, repeats):
    rows = []
    for dtype in (np.float32, np.float64):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n, N_FEATURES)).astype(dtype)
        y = (X[:, 0] + rng.standard_normal(n) > 0).astype(int)
        source = rng.integers(0, 20, n)

        learners = {
            "Ridge, sag": Merged(Ridge(solver="sag", max_iter=10, tol=0)),
            "SGDClassifier": Merged(
                SGDClassifier(loss="log_loss", max_iter=10, tol=None)
            ),
        }
        for name, model in learners.items():
            rows.append(one_learner(name, model, X, y, source, repeats))
    return rows


def one_learner(name, model, X, y, source, repeats):
    def fit(representation):
        model.set_params(representation=representation, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y, sample_source=source)

    variants = {how: lambda how=how: fit(how) for how in ("indicator", "augmented")}
    seconds = alternate(variants, repeats)
    held = {how: peak(run) for how, run in variants.items()}
    return {
        "X": X.dtype.name,
        "estimator": name,
        "indicator s": median(seconds["indicator"]),
        "augmented s": median(seconds["augmented"]),
        "time ratio": ratio(seconds, "augmented", "indicator"),
        "indicator / X": held["indicator"] / X.nbytes,
        "augmented / X": held["augmented"] / X.nbytes,
        "dense copies / X": 21.0,
    }


def main():
    given = options(__doc__, rows=2_000_000, repeats=3)
    with threadpool_limits(1):
        merged = against_the_hand(given.rows, given.repeats)
        copies = twenty_sources(given.rows // 20, given.repeats)
    title = f"Merge, {given.rows:,} x {N_FEATURES} float32, two sources"
    first = report(title, merged)
    print()
    title = f"Augmented, {given.rows // 20:,} x {N_FEATURES}, twenty sources"
    write_json(given.json, first, report(title, copies))


if __name__ == "__main__":
    main()
