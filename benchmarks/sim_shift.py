"""How often does a shift report cry wolf, and what does it see?

Pairs of identical sources first: 20 features (normal, skewed, heavy-tailed, of five
words, of two values), related to each other, some values missing, a label of two
classes that depends on them. "alone" is the share of pairs in which a check has a
p-value below .05 by itself; "any alone" what a report would cry if each check were
taken so; "report" is the share of reports with any flagged finding. Then pairs with
one planted difference.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import beta
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))
from _measure import options, report, write_json

from sktandem.shift import shift_report
from sktandem.shift._features import adjusted

CHECKS = ("features", "missing", "labels", "joint", "concept")


def table(rng, n, *, moved=0.0, related=True, fahrenheit=False, gaps=0.05):
    common = rng.normal(size=(n, 4)) if related else np.zeros((n, 4))
    part = 0.7 if related else 0.0
    Z = (
        np.sqrt(1 - part**2) * rng.normal(size=(n, 20))
        + part * common[:, np.arange(20) % 4]
    )
    Z[:, 0] += moved
    made = {}
    for j in range(20):
        z = Z[:, j]
        if j % 5 == 0:
            made[f"normal{j}"] = z
        elif j % 5 == 1:
            made[f"skewed{j}"] = np.exp(z)
        elif j % 5 == 2:
            made[f"heavy{j}"] = np.sign(z) * z**2 * np.abs(z)
        elif j % 5 == 3:
            words = np.digitize(z, [-1, -0.3, 0.3, 1])
            made[f"words{j}"] = np.array(list("abcde"))[words]
        else:
            made[f"binary{j}"] = (z > 0.5).astype(float)
    frame = pd.DataFrame(made)
    frame["normal5"] = frame["normal5"] * 8 + 15
    if fahrenheit:
        frame["normal5"] = frame["normal5"] * 1.8 + 32
    frame.loc[rng.random(n) < gaps, "skewed1"] = np.nan
    frame.loc[rng.random(n) < 0.1, "words3"] = None
    return frame, Z


def labels(rng, Z, *, flipped=False, level=0.0):
    coef = np.zeros(20)
    coef[:4] = [1.0, 1.0, -1.0, 0.7]
    if flipped:
        coef[:2] *= -1
    logit = Z @ coef + np.sin(2 * Z[:, 5]) + level
    return (rng.random(len(Z)) < 1 / (1 + np.exp(-logit))).astype(int)


def pair(rng, n, other_X=None, other_y=None):
    (X_a, Z_a), (X_b, Z_b) = table(rng, n), table(rng, n, **(other_X or {}))
    y = np.concatenate([labels(rng, Z_a), labels(rng, Z_b, **(other_y or {}))])
    return pd.concat([X_a, X_b], ignore_index=True), y, ["a"] * n + ["b"] * n


PLANTED = {
    "one feature +0.3 sd": ({"moved": 0.3}, None),
    "one feature +0.6 sd": ({"moved": 0.6}, None),
    "lost correlations": ({"related": False}, None),
    "one feature in Fahrenheit": ({"fahrenheit": True}, None),
    "missing 25 % instead of 5 %": ({"gaps": 0.25}, None),
    "more positive labels (+0.16)": (None, {"level": 1.0}),
    "two coefficients flipped": (None, {"flipped": True}),
}


def reported(*given):
    X, y, sample_source = pair(*given)
    return shift_report(X, y, sample_source=sample_source)


def alone(result):
    """Tell which checks have a p-value below .05 when no other is thought of."""
    by_size = adjusted([f.p_value for f in result.features])
    by_gap = adjusted([f.missing_p_value for f in result.features])
    concept = result.concept
    told = concept is not None and concept.n_rows >= 1000
    return {
        "features": bool(np.nanmin(by_size) < 0.05),
        "missing": bool(np.nanmin(by_gap) < 0.05),
        "labels": result.labels.p_value < 0.05,
        "joint": result.joint.p_value < 0.05,
        "concept": bool(told and concept.p_value < 0.05),
        "energy": result.joint.energy_p_value < 0.05,
    }


def bounds(n_found, n):
    low = beta.ppf(0.025, n_found, n - n_found + 1) if n_found else 0.0
    high = beta.ppf(0.975, n_found + 1, n - n_found) if n_found < n else 1.0
    return f"{100 * low:.1f} to {100 * high:.1f}"


def percent(values):
    return f"{100 * np.mean(values):.1f}"


def wolf(n, repeats):
    rng = np.random.default_rng(n)
    results = [reported(rng, n) for _ in range(repeats)]
    by_itself = [alone(result) for result in results]
    flagged = [bool(result.flagged) for result in results]
    row = {"rows each": n, "pairs": repeats}
    row |= {check: percent([r[check] for r in by_itself]) for check in by_itself[0]}
    some = [any(r[check] for check in CHECKS) for r in by_itself]
    row |= {"any alone": percent(some), "report": percent(flagged)}
    row["95 %"] = bounds(sum(flagged), repeats)
    for check in CHECKS:
        row[f"report: {check}"] = percent(
            [any(f.check == check for f in result.flagged) for result in results]
        )
    said = [any(f.severity == "small" for f in result.findings) for result in results]
    row["small"] = percent(said)
    return row


def power(name, n, repeats):
    rng = np.random.default_rng(n + 1)
    results = [reported(rng, n, *PLANTED[name]) for _ in range(repeats)]
    row = {"planted": name, "rows each": n, "pairs": repeats}
    for check in ("schema", *CHECKS):
        row[check] = percent(
            [any(f.check == check for f in result.flagged) for result in results]
        )
    row["any"] = percent([bool(result.flagged) for result in results])
    return row


def main():
    args = options(__doc__, repeats=400, planted=60)
    start = time.perf_counter()
    with threadpool_limits(1):
        identical = [wolf(n, args.repeats) for n in (200, 2000)]
        first = report("Alarms on identical sources, %", identical)
        planted = [
            power(name, n, args.planted) for name in PLANTED for n in (200, 2000)
        ]
        second = report("Flagged where a difference was planted, %", planted)
    print(f"{time.perf_counter() - start:.0f} s")
    write_json(args.json, first, second)


if __name__ == "__main__":
    main()
