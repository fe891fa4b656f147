"""Do time a row and memory beside X stay the same as tables grow?

A merge of two sources, fitted and asked, and one that is fitted in parts: 20 columns in
single precision, each size in a process of its own. Memory is the peak of what belongs
to no file above what was held once the data were there, in bytes a row for a fit on all
rows, and in MB for the fit in parts, which holds a part at a time. Time is what
the thread that fits had of a processor, which other work on the machine moves less.
"""

import os
import subprocess
import sys
import time

import numpy as np
from _measure import options, report, write_json
from bench_lazy import FREED, MB, Peak

SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
PART = 50_000  # rows


def rows_of(rng, n):
    """Return X, y and sources."""
    X = rng.standard_normal((n, 20), dtype=np.float32)
    source = np.where(np.arange(n) % 4 == 0, "lab", "clinic")
    return X, (X[:, 0] > 0).astype(np.int8), source


def measure(way, n):
    """Print seconds and bytes of one way to fit `n` rows."""
    from sklearn.linear_model import SGDClassifier

    from sktandem import Merged

    rng = np.random.default_rng(0)
    model = Merged(
        SGDClassifier(max_iter=2, tol=None, random_state=0),
        scale_by="source",
        balance="sources",
    )
    rows_of(rng, 1000)
    spent = 0.0
    if way == "fit":
        X, y, source = rows_of(rng, n)
        with Peak() as peak:
            start = time.thread_time()
            model.fit(X, y, sample_source=source).predict(X, sample_source=source)
            spent = time.thread_time() - start
    else:
        with Peak() as peak:
            for _ in range(n // PART):
                X, y, source = rows_of(rng, PART)
                start = time.thread_time()
                model.partial_fit(X, y, sample_source=source, classes=[0, 1])
                spent += time.thread_time() - start
    print(spent, peak.most - peak.before)


def main():
    """Print time a row and memory, of a fit on all rows and of a fit in parts."""
    args = options(__doc__.splitlines()[0], most=SIZES[-1], way="", n=0)
    if args.way:
        measure(args.way, args.n)
        return
    rows = []
    for n in [size for size in SIZES if size <= args.most]:
        row = {"rows": n}
        for way in ("fit", "partial_fit"):
            command = [sys.executable, __file__, "--way", way, "--n", str(n)]
            env = os.environ | FREED
            done = subprocess.run(command, capture_output=True, text=True, env=env)
            seconds, size = map(float, done.stdout.split())
            row[f"{way}: us a row"] = 1e6 * seconds / n
            if way == "fit":
                row["fit: bytes a row beside X (80)"] = size / n
            else:
                row["partial_fit: MB"] = size / MB
        rows.append(row)
    write_json(args.json, report(main.__doc__, rows))


if __name__ == "__main__":
    main()
