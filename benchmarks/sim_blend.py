"""Does the interval of a blend's gain hold?

What is estimated is the gain of a blend that is fitted on as many rows as a fold
trains on. Here it is known: the mean over many draws of what such blends save on
fresh rows. An interval covers if it holds that number; a claim is false if the
interval lies above zero where there is no gain.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

sys.path.insert(0, str(Path(__file__).parent))
from _measure import options, report, write_json

from sktandem import Tandem
from sktandem.members import OwnModels

N_FRESH = 4000
SETTINGS = {
    "same rule": (0.0, 1.0),
    "near rule": (0.6, 1.0),
    "opposite rule": (np.pi, 1.0),
    "same rule, much noise": (0.0, 3.0),
}


def draw(rng, sizes, angle, noise, classes):
    """Return X, y and the source of rows; the angle parts the two rules."""
    n = sum(sizes)
    X = rng.normal(size=(n, 5))
    source = np.repeat([0, 1], sizes)
    turned = np.cos(angle) * X[:, 0] + np.sin(angle) * X[:, 1]
    signal = np.where(source == 0, X[:, 0], turned) + 0.5 * X[:, 2]
    y = signal + noise * rng.normal(size=n)
    return X, (y > 0).astype(int) if classes else y, source


def lost(model, X, y, source, classes):
    if classes:
        p = model.predict_proba(X, sample_source=source)
        return -np.log(np.clip(p[np.arange(len(y)), y], 1e-15, 1))
    return (y - model.predict(X, sample_source=source)) ** 2


def run(angle, noise, classes, sizes, n_draws, seed):
    """Return the intervals of the small source, and the true gain of each draw."""
    rng = np.random.default_rng(seed)
    estimator = LogisticRegression() if classes else Ridge()
    intervals, gains = [], []
    for _ in range(n_draws):
        X, y, source = draw(rng, sizes, angle, noise, classes)
        model = Tandem(estimator, random_state=int(rng.integers(2**31)))
        gain = model.fit(X, y, sample_source=source).gain_[0]
        intervals.append((gain.low, gain.high))
        part = draw(rng, [int(0.8 * size) for size in sizes], angle, noise, classes)
        fresh = draw(rng, [N_FRESH, 1], angle, noise, classes)
        fresh = [values[:N_FRESH] for values in fresh]
        blend, own = (
            model.fit(*part[:2], sample_source=part[2])
            for model in (Tandem(estimator, random_state=0), OwnModels(estimator))
        )
        gains.append(np.mean(lost(own, *fresh, classes) - lost(blend, *fresh, classes)))
    return np.array(intervals), float(np.mean(gains))


def main():
    given = options(__doc__, draws=200, small=60, large=600, only="")
    warnings.simplefilter("ignore")
    rows = []
    for name, (angle, noise) in SETTINGS.items():
        if given.only not in name:
            continue
        for classes in (False, True):
            sizes = given.small, given.large
            found, true = run(angle, noise, classes, sizes, given.draws, 0)
            covers = (found[:, 0] <= true) & (true <= found[:, 1])
            rows.append(
                {
                    "setting": f"{name}, {'classes' if classes else 'numbers'}",
                    "true gain": true,
                    "covers, %": float(100 * covers.mean()),
                    "claims a gain, %": float(100 * (found[:, 0] > 0).mean()),
                    "claims a loss, %": float(100 * (found[:, 1] < 0).mean()),
                    "width": float(np.median(found[:, 1] - found[:, 0])),
                }
            )
            print(rows[-1], file=sys.stderr, flush=True)
    title = f"Intervals of the gain, {given.small} rows beside {given.large}"
    write_json(given.json, report(title, rows))


if __name__ == "__main__":
    main()
