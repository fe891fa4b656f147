"""Is the chooser to be trusted, and what does it cost?

Real pairs, each cut into outer folds. Every fixed strategy and the chooser
(`Tandem`, which sees the training rows only) meet the
same held-out rows. A score is the mean over sources of accuracy or R2. The deficit is
what the chooser lacks to the best that models of a single source reach: for each
source the best of its own model and of any other source's, known only afterwards.

The red wines are also cut to 50 and to 200 rows beside all white ones, and judged on
the red rows left out, where the chooser's words can be held against the numbers.

The last tables are about time: the chooser against all strategies on all its folds,
and the comparison of the wines with one process and with two.
"""

import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier as BoostedClassifier
from sklearn.ensemble import HistGradientBoostingRegressor as BoostedRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

sys.path.insert(0, str(Path(__file__).parent))
from _measure import alternate, options, ratio, report, write_json

from sktandem import SourceWarning, Tandem, table_preprocessor
from sktandem.datasets import (
    load_heart_disease,
    load_lalonde,
    load_mushroom,
    load_student_performance,
    load_wine_quality,
)
from sktandem.members import OnlySource
from sktandem.members._fill import filled
from sktandem.members._names import (
    REFERENCE,
    default_members,
    member_name,
    resolve_members,
)
from sktandem.model_selection import compare_strategies, score_by_source

CHOOSERS = {"chooser": {}, "chooser, per source": {"per_source": True}}
CUTS = (50, 200)


def pairs():
    """Return X, y, sample_source and groups of each pair, by name."""
    wine = load_wine_quality(return_X_y=True)
    grades = load_wine_quality("classification", return_X_y=True)
    heart = load_heart_disease(return_X_y=True)
    student = load_student_performance()
    lalonde = load_lalonde(return_X_y=True)
    mushroom = load_mushroom(return_X_y=True)
    return {
        "wine, quality": (*wine, None),
        "wine, grades": (*grades, None),
        "heart": (*heart, None),
        "student": (
            student.data, student.target, student.sample_source, student.groups
        ),
        "lalonde": (*lalonde, None),
        "mushroom": (*mushroom, None),
    }  # fmt: skip


def estimators(y):
    """Return what is compared, by name; columns are prepared inside the folds."""
    if y.dtype.kind == "f":
        linear, boosted = Ridge(), BoostedRegressor(max_iter=60)
    else:
        linear, boosted = (
            LogisticRegression(max_iter=1000),
            BoostedClassifier(max_iter=40),
        )
    return {
        "linear": make_pipeline(table_preprocessor(), linear),
        "boosted": make_pipeline(table_preprocessor(), boosted),
    }


def chooser(estimator, **settings):
    return Tandem(estimator, scaler=None, random_state=0, **settings)


def compared(X, y, source, groups, estimator, n_repeats):
    """Return the mean outer score of every strategy and chooser on each source."""
    listed = default_members(estimator, scaler=None)[1:]
    strategies = {member_name(member): member for member in listed}
    for name in np.unique(source).tolist():
        strategies[f"only {name}"] = OnlySource(name=name)
    for name, settings in CHOOSERS.items():
        strategies[name] = chooser(estimator, **settings)
    comparison = compare_strategies(
        estimator, X, y, sample_source=source, groups=groups, strategies=strategies,
        scaler=None, cv=5, n_repeats=n_repeats, random_state=1, progress=False,
        scoring="r2" if y.dtype.kind == "f" else "accuracy",
    )  # fmt: skip
    scores = {}
    for contrast in comparison.contrasts:
        scores.setdefault(REFERENCE, {})[contrast.source] = contrast.reference_score
        scores.setdefault(contrast.strategy, {})[contrast.source] = contrast.score
    return scores


def single(scores):
    """Return the best that models of one source reach on each."""
    alone = [name for name in scores if name.startswith("only ")]
    return {
        source: max(scores[name][source] for name in [REFERENCE, *alone])
        for source in scores[REFERENCE]
    }


def deficits(n_repeats, only, wanted):
    """Measure every pair; return rows of deficits and the scores behind them."""
    rows, every = [], {}
    for pair, (X, y, source, groups) in pairs().items():
        if wanted and wanted not in pair:
            continue
        for kind, estimator in estimators(y).items():
            if only and only != kind:
                continue
            start = time.perf_counter()
            scores = compared(X, y, source, groups, estimator, n_repeats)
            macro = {name: np.mean(list(by.values())) for name, by in scores.items()}
            best = np.mean(list(single(scores).values()))
            every[pair, kind] = macro
            fixed = [n for n in macro if n not in CHOOSERS and not n.startswith("only")]
            rows.append(
                {
                    "pair": pair,
                    "model": kind,
                    "best single": float(best),
                    "chooser": float(macro["chooser"]),
                    "deficit": float(best - macro["chooser"]),
                    "per source": float(macro["chooser, per source"]),
                    "its deficit": float(best - macro["chooser, per source"]),
                    "best fixed": max(fixed, key=macro.get),
                    "minutes": (time.perf_counter() - start) / 60,
                }
            )
            print(rows[-1], flush=True)
    return rows, every


def ranks(every):
    """Return the mean rank of each strategy over pairs; 1 is best."""
    names = [
        name
        for name in next(iter(every.values()))
        if not name.startswith("only") and all(name in m for m in every.values())
    ]
    table = [rankdata([-round(m[name], 6) for name in names]) for m in every.values()]
    worst = [[m[REFERENCE] - m[name] for name in names] for m in every.values()]
    rows = [
        {"strategy": name, "mean rank": float(rank), "most below own": float(below)}
        for name, rank, below in zip(
            names, np.mean(table, axis=0), np.max(worst, axis=0)
        )
    ]
    return sorted(rows, key=lambda row: row["mean rank"])


def cut_wines(n_draws, only):
    """Cut the red wines short; return deficits, and words against the numbers."""
    X, y, source = load_wine_quality(return_X_y=True)
    red, white = np.flatnonzero(source == "red"), np.flatnonzero(source == "white")
    rows, words = [], {}
    for kind, estimator in estimators(y).items():
        if only and only != kind:
            continue
        for size in CUTS:
            found = {"own": [], "white": [], "chooser": []}
            for draw in range(n_draws):
                order = np.random.default_rng(draw).permutation(red)
                train, test = np.sort(np.r_[order[:size], white]), order[size:]
                model = chooser(estimator, y, primary_source="red", objective="primary")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", SourceWarning)
                    model.fit(X[train], y[train], sample_source=source[train])
                    scores = _fixed(model, X, y, source, train, test, estimator)
                found["own"].append(scores["own models"])
                found["white"].append(scores["only white"])
                found["chooser"].append(
                    score_by_source(
                        model,
                        X[test],
                        y[test],
                        sample_source=source[test],
                        scoring="r2",
                    ).overall
                )
                _hold_against(words, model.comparison_, scores)
            mean = {name: float(np.mean(values)) for name, values in found.items()}
            best = max(mean["own"], mean["white"])
            rows.append(
                {
                    "red rows": size,
                    "model": kind,
                    "own": mean["own"],
                    "only white": mean["white"],
                    "chooser": mean["chooser"],
                    "deficit": best - mean["chooser"],
                    "draws": n_draws,
                }
            )
            print(rows[-1], flush=True)
    told = [{"word": word, **counts} for word, counts in sorted(words.items())]
    return rows, told


def _fixed(model, X, y, source, train, test, estimator):
    """Return R2 on the left-out red rows of each strategy fitted on `train`."""
    strategies = resolve_members("default", estimator, scaler=None)
    strategies["only white"] = OnlySource(name="white")
    scores = {}
    for name, member in strategies.items():
        built = filled(member, estimator, scaler=None, random_state=0)
        built.fit(X[train], y[train], sample_source=source[train])
        scores[name] = score_by_source(
            built, X[test], y[test], sample_source=source[test], scoring="r2"
        ).overall
    return scores


def _hold_against(words, comparison, scores):
    """Count how often a word about red stood beside a gain or a loss left out."""
    for contrast in comparison.contrasts:
        if contrast.source != "red":
            continue
        gain = scores[contrast.strategy] - scores["own models"]
        counts = words.setdefault(
            contrast.verdict or "no verdict", {"said": 0, "gain": 0, "loss": 0}
        )
        counts["said"] += 1
        counts["gain" if gain > 0 else "loss"] += 1


def costs(repeats, only):
    """Time the chooser against all strategies on all its folds, and two processes."""
    X, y, source = load_wine_quality("classification", return_X_y=True)
    rows = []
    for kind, estimator in estimators(y).items():
        if only and only != kind:
            continue
        names = default_members(estimator, scaler=None)
        variants = {
            "chooser": lambda e=estimator: chooser(e).fit(
                X, y, sample_source=source
            ),
            "all in full": lambda e=estimator: compare_strategies(
                e, X, y, sample_source=source, scaler=None, cv=5, n_repeats=1,
                random_state=0, progress=False,
            ),
        }  # fmt: skip
        seconds = alternate(variants, repeats)
        rows.append(
            {
                "wine grades": kind,
                "strategies": len(names),
                "folds": 5,
                "chooser, s": float(np.median(seconds["chooser"])),
                "all in full, s": float(np.median(seconds["all in full"])),
                "ratio": ratio(seconds, "chooser", "all in full"),
            }
        )
    return rows


def processes(repeats):
    """Time the default comparison of the wines with one process and with two."""
    rows = []
    for task in "regression", "classification":
        X, y, source = load_wine_quality(task, return_X_y=True)
        found = {}

        def compare(n_jobs, X=X, y=y, source=source, found=found):
            found[n_jobs] = compare_strategies(
                None, X, y, sample_source=source, n_jobs=n_jobs, random_state=0,
                progress=False,
            )  # fmt: skip

        variants = {n_jobs: lambda n=n_jobs, run=compare: run(n) for n_jobs in (1, 2)}
        seconds = alternate(variants, repeats)
        rows.append(
            {
                "wines": task,
                "folds": "10 x 5",
                "strategies": len(found[1].design.strategies),
                "inner fits": "5 folds x 5 weights x 2 sources",
                "one, s": float(np.median(seconds[1])),
                "two, s": float(np.median(seconds[2])),
                "faster": ratio(seconds, 1, 2),
                "same result": str(found[1].contrasts == found[2].contrasts),
            }
        )
    return rows


def main():
    given = options(__doc__, repeats=1, draws=20, only="linear", pair="", part="all")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    tables = []
    if given.part in ("all", "pairs"):
        rows, every = deficits(given.repeats, given.only, given.pair)
        tables.append(report("Deficit to the best single-source model", rows))
        tables.append(report("Mean rank over pairs and models", ranks(every)))
        lacking = [row["deficit"] for row in rows]
        print(f"mean {np.mean(lacking):+.4f}, largest {np.max(lacking):+.4f}")
    if given.part in ("all", "cut"):
        rows, words = cut_wines(given.draws, given.only)
        tables.append(report("Red wines cut short, judged on those left out", rows))
        tables.append(report("What was said of red, and what came", words))
    if given.part in ("all", "cost"):
        tables.append(report("What choosing costs", costs(3, given.only)))
        tables.append(report("The default comparison of the wines", processes(1)))
    write_json(given.json, *tables)


if __name__ == "__main__":
    main()
