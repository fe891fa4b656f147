"""How long does `import sktandem` take beside the scikit-learn that it stands on?

By hand: the import of what a merge with honest scores takes. Each import runs in a
fresh process that times it, in turn, with its files read before. `beyond` is what
sktandem adds to a process that has imported those parts of scikit-learn.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent))
from _measure import options, report, write_json

HAND = "import sklearn.linear_model, sklearn.model_selection, sklearn.pipeline"
TIMED = """
import time
{before}
start = time.perf_counter()
{timed}
print(time.perf_counter() - start)
"""
VARIANTS = {
    "scikit-learn, by hand": ("", HAND),
    "sktandem": ("", "import sktandem"),
    "sktandem, beyond": (HAND, "import sktandem"),
}
if find_spec("torch") and find_spec("skorch"):
    VARIANTS["sktandem.nn"] = ("", "import sktandem.nn")


def seconds(before, timed):
    code = TIMED.format(before=before, timed=timed)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main(repeats):
    taken = {name: [] for name in VARIANTS}
    for round_ in range(repeats + 1):
        for name, (before, timed) in VARIANTS.items():
            took = seconds(before, timed)
            if round_:  # the first reads the files
                taken[name].append(took)
    hand = taken["scikit-learn, by hand"]
    return [
        {
            "import": name,
            "median s": median(times),
            "ratio": median(a / b for a, b in zip(times, hand)),
        }
        for name, times in taken.items()
    ]


if __name__ == "__main__":
    given = options(__doc__.splitlines()[0], repeats=11)
    title = f"Seconds to import, {given.repeats} repeats"
    write_json(given.json, report(title, main(given.repeats)))
