"""Is the blend better than own models, than its members, and than bagging?

Each data set is drawn several times: some rows to train on, the others to test. A
cell is the mean over sources of the test loss as a part of the own models' loss:
log loss, or squared error. "bagged" are own models, bagged with as many fits as the
blend spends: a gain that bagging gives as well is not a gain of the second source.
"hindsight" is the member that is best in the mean over the draws, source by source;
"worst" is the blend's worst source in the mean over the draws. Nets blend own nets, a
shared one and one with heads. The documentation has the figures of ``--draws 10``, and
of ``--kinds linear,boosted,net``, which take hours.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import is_classifier
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.ensemble import HistGradientBoostingClassifier as BoostedClassifier
from sklearn.ensemble import HistGradientBoostingRegressor as BoostedRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).parent))
from _measure import options, report, write_json

from sktandem import SharedNet, Tandem, table_preprocessor
from sktandem.datasets import (
    load_heart_disease,
    load_lalonde,
    load_mushroom,
    load_student_performance,
    load_wine_quality,
    make_two_sources,
)
from sktandem.nn import default_net

EPS = 1e-12
N_BAGS = 36  # six members, on five folds and on all rows


def made(**settings):
    """Return two sources with a rule each, of 20 features."""
    return make_two_sources(4000, n_features=20, return_X_y=True, **settings)


def other_units(seed):
    X, y, source = made(concept_angle=0, random_state=seed)
    return X, np.where(source == "first", y, 40 * y + 300), source


def useless(seed):
    X, y, source = made(concept_angle=0, random_state=seed)
    rng = np.random.default_rng(seed)
    return X, np.where(source == "first", y, rng.permutation(y)), source


def cases():
    """Return a function that gives X, y, source, and the rows to train on of each."""
    wine = load_wine_quality(return_X_y=True)
    heart = load_heart_disease(return_X_y=True)
    student = load_student_performance(return_X_y=True)
    lalonde = load_lalonde(return_X_y=True)
    mushroom = load_mushroom(return_X_y=True)
    return {
        "heart": (lambda seed: heart, None),
        "wine": (lambda seed: wine, None),
        "wine, 200 red": (lambda seed: wine, {"red": 200}),
        "wine, 50 red": (lambda seed: wine, {"red": 50}),
        "pupils": (lambda seed: student, None),
        "lalonde": (lambda seed: lalonde, None),
        "mushroom": (lambda seed: mushroom, None),
        "same rule, 50": (
            lambda seed: made(concept_angle=0, random_state=seed), {"first": 50}
        ),
        "opposite rule, 50": (
            lambda seed: made(concept_angle=180, random_state=seed), {"first": 50}
        ),
        "opposite rule, 30": (
            lambda seed: made(concept_angle=180, random_state=seed), {"first": 30}
        ),
        "opposite rule, 100": (
            lambda seed: made(concept_angle=180, random_state=seed), {"first": 100}
        ),
        "opposite rule, 200": (
            lambda seed: made(concept_angle=180, random_state=seed), {"first": 200}
        ),
        "other units, 50": (other_units, {"first": 50}),
        "other units, 30": (other_units, {"first": 30}),
        "other units, 100": (other_units, {"first": 100}),
        "useless, 30": (useless, {"first": 30}),
        "useless, 100": (useless, {"first": 100}),
        "useless, 50": (useless, {"first": 50}),
        "useless, 200": (useless, {"first": 200}),
    }  # fmt: skip


def estimator_for(kind, y):
    numbers = y.dtype.kind == "f"
    if kind == "net":
        return default_net("regression" if numbers else "classification", verbose=0)
    if kind == "linear":
        return Ridge() if numbers else LogisticRegression(max_iter=1000)
    boosted = BoostedRegressor if numbers else BoostedClassifier
    return boosted(max_iter=60, random_state=0)


def scaler_for(X):
    """Return the scaling of numbers, or what prepares a mixed table."""
    mixed = hasattr(X, "dtypes") and any(kind.kind not in "fiu" for kind in X.dtypes)
    return table_preprocessor() if mixed or np.any(X != X) else "standard"


def bagged_for(estimator, scaler):
    kind = BaggingClassifier if is_classifier(estimator) else BaggingRegressor
    scaler = StandardScaler() if scaler == "standard" else scaler
    n_bags = N_BAGS
    if hasattr(estimator, "module"):  # a net, of three members
        estimator, n_bags = SharedNet(estimator, scaler=None), N_BAGS // 2
    return kind(make_pipeline(scaler, estimator), n_estimators=n_bags, random_state=0)


def split(y, source, sizes, seed):
    """Return rows to train on, half of each source or as many as said, and to test."""
    strata = source if y.dtype.kind == "f" else np.char.add(
        source.astype(str), y.astype(str)
    )  # fmt: skip
    halves = StratifiedShuffleSplit(1, test_size=0.5, random_state=seed)
    ((train, test),) = halves.split(np.zeros(len(y)), strata)
    for name, size in (sizes or {}).items():
        own = train[source[train] == name]
        train = np.concatenate([train[source[train] != name], own[:size]])
    return train, test


def losses(answers, y, classes):
    """Return the loss of each row."""
    if classes is None:
        return (y - answers.ravel()) ** 2
    place = {label: at for at, label in enumerate(classes.tolist())}
    true = answers[np.arange(len(y)), [place[label] for label in y.tolist()]]
    return -np.log(np.clip(true, EPS, 1))


def drawn(data, sizes, kind, seed):
    """Return the loss of every way on each source, as a part of own models'."""
    X, y, source = data(seed)
    y = np.asarray(y, dtype=float) if np.asarray(y).dtype.kind == "f" else np.asarray(y)
    source = np.asarray(source)
    train, test = split(y, source, sizes, seed)
    take = X.iloc.__getitem__ if hasattr(X, "iloc") else X.__getitem__
    estimator, scaler = estimator_for(kind, y), scaler_for(X)
    settings = {"scaler": scaler, "random_state": seed}
    model = Tandem(estimator, **settings)
    start = time.perf_counter()
    model.fit(take(train), y[train], sample_source=source[train])
    seconds = time.perf_counter() - start
    classes = getattr(model, "classes_", None)
    chosen = Tandem(estimator, combine="choose", **settings)
    chosen.fit(take(train), y[train], sample_source=source[train])

    def of(model):
        answer = model.predict if classes is None else model.predict_proba
        return answer(take(test), sample_source=source[test])

    ways = model.predict_members(take(test), sample_source=source[test])
    ways |= {"blend": of(model), "choose": of(chosen)}
    bagged = np.full_like(next(iter(ways.values())), np.nan)
    for name in np.unique(source):
        rows, asked = train[source[train] == name], source[test] == name
        try:
            own = bagged_for(estimator, scaler).fit(take(rows), y[rows])
        except ValueError:  # a bag of one class
            continue
        answer = own.predict if classes is None else own.predict_proba
        found = answer(take(test[asked])).reshape(asked.sum(), -1)
        bagged[asked] = found if classes is None else 0
        if classes is not None:
            bagged[np.ix_(asked, np.searchsorted(classes, own.classes_))] = found
    ways["bagged"] = bagged
    costs = {name: losses(answers, y[test], classes) for name, answers in ways.items()}
    found = {}
    for name in np.unique(source).tolist():
        asked = source[test] == name
        own = costs["own models"][asked].mean()
        found[name] = {way: cost[asked].mean() / own for way, cost in costs.items()}
    return found, list(model.members_), seconds


def row_of(case, draws):
    """Return a line of the table: means over draws and sources."""
    means = {  # by source and way
        name: {
            way: np.nanmean([found[name][way] for found, _, _ in draws])
            for way in draws[0][0][name]
        }
        for name in draws[0][0]
    }
    blend = [np.mean([of["blend"] for of in found.values()]) for found, _, _ in draws]
    row = {"case": case, "blend": float(np.mean(blend))}
    row["se"] = float(np.std(blend, ddof=1) / np.sqrt(len(blend)))
    row["worst"] = float(max(of["blend"] for of in means.values()))
    members = draws[0][1]
    best = [np.nanmin([of[way] for way in members]) for of in means.values()]
    row["hindsight"] = float(np.mean(best))
    for way in ("choose", "bagged", *members[1:]):
        row[way] = float(np.mean([of[way] for of in means.values()]))
    row["s"] = float(np.median([seconds for _, _, seconds in draws]))
    return row


def main():
    given = options(__doc__, draws=3, only="", kinds="linear")
    warnings.simplefilter("ignore")
    rows = []
    for kind in given.kinds.split(","):
        for case, (data, sizes) in cases().items():
            if given.only not in case:
                continue
            draws = [drawn(data, sizes, kind, seed) for seed in range(given.draws)]
            rows.append(row_of(f"{case}, {kind}", draws))
            told = (f"{k} {v:.3f}" for k, v in rows[-1].items() if k != "case")
            print(f"{case}, {kind}:", ", ".join(told), file=sys.stderr, flush=True)
    ways = dict.fromkeys(way for row in rows for way in row)  # not the same in all
    full = [{way: row.get(way, "") for way in ways} for row in rows]
    title = "Test loss as a part of the own models', mean over sources"
    write_json(given.json, report(title, full))


if __name__ == "__main__":
    main()
