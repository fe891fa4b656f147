"""Time and memory of alternatives, taken in turn in one process."""

import argparse
import gc
import json
import platform
import time
import tracemalloc
from pathlib import Path
from statistics import median

import numpy as np
import sklearn


def alternate(variants, repeats):
    """Return the seconds of each variant, run in turn, the order turned each round."""
    seconds = {name: [] for name in variants}
    for run in variants.values():  # once uncounted
        run()
    for round_ in range(repeats):
        names = list(variants)[:: 1 if round_ % 2 == 0 else -1]
        for name in names:
            gc.collect()
            start = time.perf_counter()
            variants[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds, ours, theirs):
    """Return the median of the ratios round by round."""
    return median(a / b for a, b in zip(seconds[ours], seconds[theirs]))


def peak(run):
    """Return the most memory that `run` held at a time, in bytes."""
    gc.collect()
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def options(description, **defaults):
    """Read the command line: --json, --repeats and what the benchmark adds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    return parser.parse_args()


def report(title, rows):
    """Print a table of dicts; return it with its setting."""
    print(f"{title}\n{_setting()}")
    heads = list(rows[0])
    cells = [[_cell(row[head]) for head in heads] for row in rows]
    widths = [max(len(h), *(len(c[i]) for c in cells)) for i, h in enumerate(heads)]
    for line in [heads, *cells]:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)))
    return {"title": title, "setting": _setting(), "rows": rows}


def write_json(path, *tables):
    """Write reported tables to a file, if one was asked for."""
    if path is not None:
        path.write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")


def _cell(value):
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _setting():
    return (
        f"Python {platform.python_version()}, numpy {np.__version__}, "
        f"scikit-learn {sklearn.__version__}, one thread"
    )
