"""Do merges find what a published comparison found on the mushrooms?

Source: the 4,608 mushrooms of tapering stalk, all labelled. Target: those of
enlarging stalk, 46 of them labelled, the others to be told edible or poisonous.
LinearSVC on one-hot columns; errors on the target, mean of 10 drawings of the 46.
The published figures are those of the example gallery of ADAPT (A. de Mathelin
et al., "ADAPT: Awesome Domain Adaptation Python Toolbox", arXiv:2107.03049).
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))
from _measure import options, report, write_json

from sktandem import Merged
from sktandem.datasets import load_mushroom

N_LABELLED = 46
PUBLISHED = {
    "only the source": ".248 to .261",
    "merged": ".055",
    "merged, sources balanced": ".053 to .055",
    "only the 46 of the target": "not given",
}
STRATEGIES = {
    "only the source": {"tapering": 1, "enlarging": 0},
    "merged": None,
    "merged, sources balanced": "sources",
    "only the 46 of the target": {"tapering": 0, "enlarging": 1},
}


def errors(repeats):
    mushroom = load_mushroom(column="stalk_shape")  # a feature there as well
    X = OneHotEncoder().fit_transform(mushroom.data)
    y, source = np.asarray(mushroom.target), np.asarray(mushroom.sample_source)
    target = np.flatnonzero(source == "enlarging")
    found = {name: [] for name in STRATEGIES}
    for seed in range(repeats):
        labelled = np.random.default_rng(seed).choice(target, N_LABELLED, replace=False)
        train = np.r_[np.flatnonzero(source == "tapering"), labelled]
        test = np.setdiff1d(target, labelled)
        for name, balance in STRATEGIES.items():
            model = Merged(
                LinearSVC(), scaler=None, balance=balance, random_state=seed
            ).fit(X[train], y[train], sample_source=source[train])
            found[name].append(1 - model.score(X[test], y[test]))
    return found


def main():
    given = options(__doc__, repeats=10)
    with threadpool_limits(1):
        found = errors(given.repeats)
    rows = [
        {
            "strategy": name,
            "error": float(np.mean(values)),
            "sd": float(np.std(values, ddof=1)),
            "published": PUBLISHED[name],
        }
        for name, values in found.items()
    ]
    write_json(given.json, report("Mushroom, error on the target", rows))


if __name__ == "__main__":
    main()
