"""How long does a shift report take, up to a million rows of 50 columns?

Two sources of unequal size, floats, one column that differs, a label. Memory is the
most held at a time above the table itself.
"""

import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))
from _measure import options, peak, report, write_json

from sktandem.shift import shift_report

N_FEATURES = 50
SIZES = (1_000, 10_000, 100_000, 1_000_000)


def pair(n):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, N_FEATURES))
    sample_source = np.where(rng.random(n) < 0.6, "large", "small")
    X[sample_source == "small", 0] += 0.5
    y = (X[:, :5].sum(axis=1) + rng.standard_normal(n) > 0).astype(int)
    return X, y, sample_source


def reported(X, y, sample_source):
    return shift_report(X, y, sample_source=sample_source)


def measured(n):
    data = pair(n)
    start, busy = time.perf_counter(), time.process_time()
    result = reported(*data)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    start = time.process_time()
    html = result.to_html()
    return {
        "rows": f"{n:,}",
        "seconds": seconds,
        "of processor": busy,
        "HTML, s": time.process_time() - start,
        "HTML, KB": len(html) / 1e3,
        "found": ", ".join(str(f.subject) for f in result.flagged if f.subject == 0),
    }


def main():
    args = options(__doc__, most=SIZES[-1])
    sizes = [n for n in SIZES if n <= args.most]
    with threadpool_limits(1):
        rows = [measured(n) for n in sizes]
        for row, n in zip(rows, sizes):
            few = n <= 10_000  # tracing many rows is slow
            data = pair(n) if few else None
            row["MB above X"] = (
                peak(lambda data=data: reported(*data)) / 1e6 if few else "-"
            )
    table = report(f"A shift report, {N_FEATURES} columns", rows)
    write_json(args.json, table)


if __name__ == "__main__":
    main()
