"""The public entries: what each is called with, legal settings and odd ones."""

import functools
import inspect
import pickle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import polars as pl
import torch
from fuzz_data import NAMES, Items, draw_data, pick, take
from fuzz_oracles import FAILED, call, check_call, check_estimator, dense, same
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from skorch import NeuralNetClassifier, NeuralNetRegressor

from sktandem import (
    Merged,
    SharedNet,
    SourceScaler,
    Tandem,
    members,
    read_sources,
    schedules,
    stack_sources,
    table_preprocessor,
)
from sktandem.datasets import make_two_sources
from sktandem.files import SourceTables, cleaning_report, load_model
from sktandem.model_selection import (
    LeaveOneSourceOut,
    SourceKFold,
    classification_report_by_source,
    compare_strategies,
    learning_curve_by_source,
    score_by_source,
    source_scorer,
    source_scorers,
)
from sktandem.nn import default_net
from sktandem.schedules._names import SCHEDULES
from sktandem.shift import find_shared_rows, shift_report

SHARES = {"a": 1, "b": 2, "c": 0.5}
LEARNERS = {
    "classification": [
        LogisticRegression(),
        DecisionTreeClassifier(max_depth=3, random_state=0),
        GaussianNB(),
        KNeighborsClassifier(3),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    "regression": [
        Ridge(),
        DecisionTreeRegressor(max_depth=3, random_state=0),
        LinearRegression(),
        KNeighborsRegressor(3),
        make_pipeline(StandardScaler(), Ridge()),
    ],
}
# What a user may set by mistake.
ODD = (None, True, -1, 0, 1.5, np.nan, "", "nonsense", (), [], {}, object(), Ridge)
ODD += (np.int64(2), np.array([1.0, 2.0]), {"a": -1}, {"nowhere": 1}, "a", ["a"], 99)
OFTEN = {
    "scaler": ["standard", "minmax", "robust", None, MinMaxScaler()],
    "primary_source": ["a", "b", None],
    "unknown_source": ["error", "primary", "pooled"],
    "random_state": [0, 1],
}
OFTEN["scaler"].append(table_preprocessor())
MERGED = OFTEN | {
    "scale_by": ["pooled", "source"],
    "scale_target_by": [None, "source"],
    "representation": ["shared", "indicator", "augmented"],
    "balance": [None, "sources", "classes", "both", SHARES],
    "balance_by": ["weight", "oversample", "undersample"],
}
CV = {"cv": [2, 3]}
MEMBERS = {
    "OnlySource": OFTEN | {"name": ["a", "b"]},
    "OtherSources": OFTEN,
    "OwnModels": OFTEN,
    "SimilarityWeighted": OFTEN | CV | {"clip": [10.0, 2]},
    "StackedOwnModels": OFTEN | CV,
    "StackedPrediction": OFTEN,
    "WeightedMerge": OFTEN | CV | {"weights": [(0.0, 1.0), [0.5]]},
}
TANDEM = (
    OFTEN
    | CV
    | {
        "combine": ["blend", "choose"],
        "loss": ["auto", 0.5],
        "members": [[members.OwnModels(), Merged()], {"own": members.OwnModels()}],
    }
)
NET = OFTEN | {
    "schedule": [
        *("epochs", "batches", "plateau", "sampled", "curriculum", "bandit", "joint"),
        *("shuffled", schedules.Phases([("joint", 1), ("epochs", 1)])),
        schedules.Joint(SHARES),
        schedules.EpochAlternation(last="a"),
    ],
    "stems": ["shared", "source"],
    "batch_size": [8, "auto", SHARES, None],
    "validation_fraction": [None, 0.2],
    "keep": ["last", "best"],
    "average": [None, "ema", "swa"],
    "loss_weights": ["size", "uncertainty", "dwa", SHARES],
    "balance": [None, "classes", "both"],
    "scale_by": ["pooled", "source"],
    "scale_target_by": ["auto", "pooled", "source", None],
}
COMPARE = {
    "primary_source": ["a", None],
    "strategies": [[Merged()], [members.OwnModels(), Merged(balance="sources")]],
    "cv": [2],
    "n_repeats": [1, 2],
    "margin": [0.01, 0.2],
    "scoring": [None, "accuracy", "r2", "neg_log_loss"],
    "scaler": OFTEN["scaler"],
    "random_state": [0],
}
CURVE = COMPARE | {"primary_source": ["a", "b"], "train_sizes": [(0.5, 1.0), [1.0]]}


def draw_settings(case, pools, always=()):
    """Draw values for some settings; now and then an odd one."""
    rng, drawn = case.rng, {}
    for name, pool in pools.items():
        if name in always or rng.random() < 0.35:
            pool = ODD if rng.random() < 0.03 else pool
            drawn[name] = pool[int(rng.integers(len(pool)))]
    case.seeded &= drawn.get("random_state", 0) is not None
    case.told.append(" ".join(f"settings: {drawn}".split()))
    return drawn


def draw(case, task=None, oddity=None):
    task = task or str(case.rng.choice(["classification", "regression"]))
    data = draw_data(case.rng, task, oddity)
    case.told.append(f"data of a {task}: {data.told}")
    return task, data


def like(case, data):
    """Draw rows to ask a model about that was fitted on `data`."""
    _, other = draw(case, "regression", 0.15)
    if data.column and isinstance(other.X, pd.DataFrame):
        other.X = other.X.assign(s=np.resize(["a", "b", "new", None], len(other.X)))
    return other


def draw_learner(case, task):
    other = case.rng.random() < 0.03
    pool = ODD if other else LEARNERS[task]
    learner = pool[int(case.rng.integers(len(pool)))]
    case.told.append(f"estimator: {learner!r}")
    return learner


def estimator_entry(kind, pools, always=("random_state",)):
    def run(case):
        task, data = draw(case)
        settings = draw_settings(case, pools, always)
        model = kind(draw_learner(case, task), source=data.column, **settings)
        check_estimator(case, model, data, like(case, data))

    return run


def odd_schedule(case):
    """Return a schedule with a wrong setting or two."""
    kinds = [kind for kind in SCHEDULES.values() if kind is not schedules.Shuffled]
    kind = kinds[int(case.rng.integers(len(kinds)))]
    pools = dict.fromkeys(inspect.signature(kind).parameters, ODD)
    return kind(**draw_settings(case, pools, list(pools)[:1]))


def net_entry(heads):
    def run(case):
        task, data = draw(case)
        net = default_net(task, max_epochs=1, module__hidden_sizes=(4,), batch_size=16)
        if heads == "source" and case.rng.random() < 0.2:
            net, task = None, {"a": task, "b": task}
        settings = draw_settings(case, NET, ("random_state",))
        if net is None:
            settings["task"] = task
        if case.rng.random() < 0.2:
            settings["schedule"] = odd_schedule(case)
        model = SharedNet(net, heads=heads, source=data.column, **settings)
        check_estimator(case, model, data, like(case, data))

    return run


IN_PARTS = {
    "classification": [SGDClassifier(loss="log_loss", random_state=0), GaussianNB()],
    "regression": [SGDRegressor(random_state=0)],
}


def in_parts(case):
    """Rows that come in parts: a part that is refused leaves what was learned."""
    task, data = draw(case)
    pools = {**MERGED, "balance": [None, "sources", SHARES], "balance_by": ["weight"]}
    settings = draw_settings(case, pools, ("random_state",))
    learner = IN_PARTS[task][int(case.rng.integers(len(IN_PARTS[task])))]
    model = Merged(learner, source=data.column, **settings)
    first = {"sources": list(NAMES)} if case.rng.random() < 0.9 else {}
    if task == "classification" and data.y is not None:
        first["classes"] = np.unique(np.asarray(data.y).astype(str))
        if np.asarray(data.y).dtype.kind in "biuf":
            first["classes"] = np.unique(np.asarray(data.y))
    params = data.fit_params()
    n = 0

    cuts = np.array_split(np.arange(data.n), 2)
    try:
        for value in (data.X, data.y, *params.values()):
            for cut in cuts:
                take(value, cut)
    except Exception:  # no part can be taken of what was drawn
        return

    def learn(which, rows, **first):
        at = {key: take(value, rows) for key, value in params.items()}
        return which.partial_fit(take(data.X, rows), take(data.y, rows), **at, **first)

    for rows in cuts:
        step = functools.partial(learn, model, rows, **({} if n else first))
        if call(case, "partial_fit", step, given=data.given, estimator=model) is FAILED:
            return
        n += len(rows)
    answers = call(case, "predict", lambda: answer(model, data, params))
    if answers is FAILED:
        return
    if sum(model.n_samples_by_source_.values()) > n:
        case.fault("law", "more rows were counted than came")

    def again():
        other = clone(model)
        for rows in cuts:
            other = learn(other, rows, **({} if rows is cuts[1] else first))
            other = pickle.loads(pickle.dumps(other))
        return same(answer(other, data, params), answers)

    if not call(case, "again", again, given=data.given):
        case.fault("law", "a second time, pickled in between, differs")


def answer(model, data, params):
    at = {key: value for key, value in params.items() if key == "sample_source"}
    return dense(model.predict(data.X, **at))


def plain(case):
    """A merge as a pipeline gives the same answers, or is refused."""
    task, data = draw(case)
    pools = {key: MERGED[key] for key in MERGED if not key.startswith(("sc", "rep"))}
    settings = draw_settings(
        case, pools | {"scaler": OFTEN["scaler"]}, ("random_state",)
    )
    model = Merged(draw_learner(case, task), source=data.column, **settings)
    params = data.fit_params()
    fitted = call(case, "fit", lambda: model.fit(data.X, data.y, **params))
    if fitted is FAILED:
        return
    answers = call(case, "predict", lambda: answer(model, data, params))
    pipeline = call(case, "to_pipeline", model.to_pipeline, estimator=model)
    if pipeline is FAILED or answers is FAILED:
        return
    found = call(case, "as a pipeline", lambda: dense(pipeline.predict(data.X)))
    if found is not FAILED and not same(found, answers):
        case.fault("law", "the pipeline predicts otherwise")


class OfParts(torch.nn.Module):
    """Takes arrays by name, or one array."""

    def __init__(self, n_outputs=3):
        super().__init__()
        self.linear = torch.nn.Linear(3, n_outputs)

    def forward(self, X=None, left=None, right=None):
        X = torch.cat([left, right], 1) if X is None else X
        return self.linear(X.flatten(1).float())


ITEMS = {
    "dict": lambda X: {"left": X[:, :2], "right": X[:, 2:]},
    "dataset": Items,
    "images": lambda X: X[:, :, None],
    "short dict": lambda X: {"left": X[:, :2], "right": X[1:, 2:]},
    "dict of words": lambda X: {"left": X[:, :2], "right": X[:, 2:].astype(str)},
    "empty dict": lambda X: {},
    "unequal": lambda X: [row[: 1 + i % 3] for i, row in enumerate(X)],
}


def items(case):
    """Rows that are no table: arrays by name, datasets, arrays of several lengths."""
    task, data = draw(case)
    shared = {"max_epochs": 1, "batch_size": 16, "verbose": 0}
    if task == "classification":
        net = NeuralNetClassifier(
            OfParts, criterion=torch.nn.CrossEntropyLoss, **shared
        )
    else:
        net = NeuralNetRegressor(OfParts, module__n_outputs=1, **shared)
    kind = pick(case.rng, ITEMS, 0.1, 3)
    case.told.append(f"X is {kind}")
    data.X, data.column = ITEMS[kind](case.rng.normal(size=(data.n, 3))), None
    data.source = data.source if data.source is not None else ["a"] * data.n
    pools = {key: value for key, value in NET.items() if key not in ("scaler", "stems")}
    settings = draw_settings(case, pools, ("random_state",)) | {"scaler": None}
    model = SharedNet(net, **settings)
    check_estimator(case, model, data, like(case, data))


class Published:
    """A model of somebody else: what it answers, and nothing besides."""

    def __init__(self, answers, classes=None):
        self.answers = answers
        if classes is not None:
            self.classes_ = np.asarray(classes)
            self.predict_proba = self.predict

    def predict(self, X):
        return np.resize(self.answers, (X.shape[0], *np.shape(self.answers)[1:]))


def donors(case):
    """Models of other people, some of which say what no model should."""
    task, data = draw(case)
    X = case.rng.normal(size=(30, 3))
    y = X[:, 0] if task == "regression" else np.resize([0, 1], 30)
    fitted = [clone(learner).fit(X, y) for learner in LEARNERS[task][:3]]
    said = [1.0], [np.nan], ["a"], [[1.0, 2.0]]
    pool = [*fitted, *map(FrozenEstimator, fitted), *map(Published, said)]
    for classes in ([0, 1], ["a", "c"], [1.0, 0.0]):
        pool.append(Published([[0.2, 0.8]], classes))
    settings = draw_settings(case, TANDEM, ("random_state", "cv"))
    settings["donors"] = {}
    for name in ("old", "new", "own models", 1)[: case.rng.choice([1, 2, 4])]:
        chosen = ODD if case.rng.random() < 0.05 else pool
        settings["donors"][name] = chosen[int(case.rng.integers(len(chosen)))]
    case.told.append(f"donors: {settings['donors']}")
    model = Tandem(draw_learner(case, task), source=data.column, **settings)
    check_estimator(case, model, data, like(case, data))


def tandem_of_nets(case):
    """Nets of one kind and size are trained together where that is possible."""
    task, data = draw(case)
    net = default_net(task, max_epochs=1, module__hidden_sizes=(4,), batch_size=16)
    settings = draw_settings(case, TANDEM, ("random_state", "cv"))
    model = Tandem(net, source=data.column, **settings)
    check_estimator(case, model, data, like(case, data))


def scaler(case):
    _, data = draw(case)
    pools = {key: OFTEN[key] for key in ("scaler", "primary_source", "unknown_source")}
    model = SourceScaler(source=data.column, **draw_settings(case, pools))
    check_estimator(case, model, data, like(case, data), "transform")


def preprocessor(case):
    _, data = draw(case)
    pools = {"scaler": ["standard", "minmax", None], "min_frequency": [None, 2, 0.1]}
    settings = draw_settings(case, pools)
    model = call(case, "make", lambda: table_preprocessor(**settings))
    if model is not FAILED:
        check_estimator(case, model, data, like(case, data), "transform")


def parts(case, data):
    """Return the data as one would hold them before they are stacked."""
    n_parts = int(case.rng.integers(1, 4))
    cuts = np.array_split(np.arange(data.n), n_parts)
    return {
        name: (take(data.X, rows), None if data.y is None else take(data.y, rows))
        for name, rows in zip(NAMES, cuts)
    }


def stack(case):
    _, data = draw(case)
    try:
        datasets = parts(case, data)
    except Exception:  # no part can be taken of what was drawn
        datasets = {"a": (data.X, data.y), "b": (data.y, data.X)}
    if case.rng.random() < 0.2:
        _, other = draw(case)
        datasets["d"] = (other.X, other.y)
    pools = {"join": ["exact", "inner", "outer"], "labels": [None, "str"]}
    pools |= {"column": [None, "s"], "target": [None, "x0"]}
    settings = draw_settings(case, pools)
    if settings.get("target") is not None:
        datasets = {name: X for name, (X, _) in datasets.items()}
    given = list(datasets.values())
    got = check_call(case, lambda: stack_sources(datasets, **settings), given)
    if got is FAILED or got.y is None:
        return
    if len(dense(got.y)) != len(got.sample_source):
        case.fault("law", "y and sample_source differ in length")


CELLS = {
    "numbers": lambda rng, n: rng.normal(size=n).round(2),
    "words": lambda rng, n: rng.choice(["north", "South", "north ", "süd", ""], n),
    "commas": lambda rng, n: rng.choice(["1,5", "2,25", "1.000,5", "NA"], n),
    "units": lambda rng, n: rng.choice(["12 cm", "3 kg", "7"], n),
    "dates": lambda rng, n: rng.choice(["2024-01-03", "03/04/2024", "4.5.2024"], n),
    "days": lambda rng, n: pd.Timestamp("2024-01-01") + pd.to_timedelta(range(n), "D"),
    "missing": lambda rng, n: np.full(n, np.nan),
    "objects": lambda rng, n: np.resize(np.array([1, "x", None], dtype=object), n),
    "bool": lambda rng, n: rng.random(n) < 0.5,
    "nullable": lambda rng, n: pd.array([1, None] * n, dtype="Int64")[:n],
    "formulas": lambda rng, n: rng.choice(["=1+1", "@x", "<b>"], n),
    "lists": lambda rng, n: pd.Series([[1]] * n, dtype=object),
    "huge": lambda rng, n: rng.choice([1e308, -1e308, np.inf], n),
    "long integers": lambda rng, n: rng.choice([str(10**30), "7"], n),
}


def tables(case):
    """Return one file for each source, as data frames, with a target."""
    rng, files = case.rng, {}
    kinds = {f"v{i}": pick(rng, CELLS, 0.8) for i in range(int(rng.integers(0, 4)))}
    target = pick(rng, CELLS, 0.4)
    for name in NAMES[: int(rng.integers(1, 4))]:
        n = (
            int(rng.choice([0, 1, 3]))
            if rng.random() < 0.1
            else int(rng.integers(5, 30))
        )
        one = {
            k: pick(rng, CELLS, 1) if rng.random() < 0.1 else v
            for k, v in kinds.items()
        }
        case.told.append(f"{name}: {n} rows of {one}, target {target}")
        table = pd.DataFrame({k: CELLS[v](rng, n) for k, v in one.items()})
        table["y"] = CELLS[target](rng, n)
        if rng.random() < 0.1:
            table.columns = [*table.columns[:-1], rng.choice(["Y ", "v0"])]
        if rng.random() < 0.1:
            table = table.set_axis(["p"] * len(table))
        if rng.random() < 0.1:
            try:
                table = pl.from_pandas(table)
            except Exception:
                case.told.append(f"{name} is none that polars can hold")
        files[name] = table
    return files


FILES = {
    "target": ["y", "v0", "nowhere"],
    "join": ["exact", "inner", "outer"],
    "clean": [None, "safe", ["case"], ["blanks", "dates"]],
    "task": ["auto", "classification", "regression"],
    "ignore": [(), ["v1"]],
    "groups": [(), ["v0"]],
    "missing": [(), ["7", "v0:x"]],
    "map": [None, {"north": 1}, {"v0:north": 2}],
    "rename": [None, {"v0": "w"}, {"v0": "v1"}],
    "convert": [(), ["a:v0*2"]],
    "drop_duplicates": [False, True],
    "date_order": [None, "day", "month"],
    "decimal": [None, ","],
}


def files_entry(function, always):
    def run(case):
        files = tables(case)
        settings = draw_settings(case, FILES, always)
        given = list(files.values())
        check_call(case, lambda: function(files, **settings), given)

    return run


def files_of_text(case):
    """CSV in which letters were lost, put in or doubled."""
    rng, files = case.rng, tables(case)
    with TemporaryDirectory() as folder:
        for name, table in files.items():
            if isinstance(table, pl.DataFrame):  # to_pandas needs pyarrow
                table = pd.DataFrame(table.to_dict(as_series=False))
            text = table.to_csv(index=False, sep=rng.choice([",", ";", "\t"]))
            for _ in range(int(rng.choice([0, 1, 5]))):
                if not text:
                    break
                at = int(rng.integers(len(text)))
                new = rng.choice(["", '"', ",", ";", "\n", "\r", "\0", "é", text[:at]])
                text = text[:at] + str(new) + text[at + 1 :]
            files[name] = Path(folder, f"{name}.csv")
            encoding = str(rng.choice(["utf-8", "utf-8-sig", "latin-1", "utf-16"]))
            files[name].write_text(text, encoding=encoding, errors="replace")
        pools = FILES | {"encoding": [None, "latin-1"], "separator": [None, ";", "tab"]}
        settings = draw_settings(case, pools, ("target",))
        check_call(case, lambda: read_sources(files, **settings), [])


def saved(case):
    """A model of files, saved and loaded, gives the same answers."""
    files = tables(case)
    pools = {key: FILES[key] for key in ("join", "clean", "task")}
    settings = {"target": "y"} | draw_settings(case, pools)
    read = call(case, "read_sources", lambda: read_sources(files, **settings))
    if not isinstance(read, SourceTables):
        return
    task = "regression" if np.asarray(read.y).dtype.kind in "iuf" else "classification"
    pools = {key: MERGED[key] for key in ("scale_by", "representation", "balance")}
    settings = {"scaler": table_preprocessor(), "unknown_source": "pooled"}
    settings |= draw_settings(case, pools)
    learner = Merged(LEARNERS[task][0], **settings)
    model = call(case, "fit", lambda: read.fit(learner))
    if model is FAILED:
        return
    name, table = next(iter(files.items()))
    answers = call(case, "predict", lambda: model.predict(table, name=name))
    with TemporaryDirectory() as folder:
        path = Path(folder, str(case.rng.choice(["m.skops", "m.joblib"])))
        if call(case, "save", lambda: model.save(path)) is FAILED:
            return
        loaded = call(case, "load_model", lambda: load_model(path))
    if loaded is FAILED:
        case.fault("law", "what was saved is not loaded")
    elif answers is not FAILED:
        after = call(case, "predict again", lambda: loaded.predict(table, name=name))
        if after is FAILED or not same(after, answers):
            case.fault("law", "a loaded model predicts otherwise")


def fitted(case, task):
    """Return a model fitted on plain data."""
    learner = LEARNERS[task][0]
    model = Merged(learner, scale_by="source", unknown_source="pooled")
    X, source = np.zeros((30, 3)), np.resize(list(NAMES), 30)
    X += np.arange(30)[:, None]
    y = np.arange(30.0) if task == "regression" else np.resize(["ill", "well"], 30)
    return model.fit(X, y, sample_source=source)


SCORINGS = [None, "accuracy", "r2", "roc_auc", "neg_log_loss", ["accuracy", "f1_macro"]]


def score(case):
    task, data = draw(case)
    model = fitted(case, task)
    settings = draw_settings(case, {"scoring": SCORINGS})
    settings |= data.fit_params()
    check_call(
        case,
        lambda: score_by_source(model, data.X, data.y, **settings),
        data.given,
    )


def report(case):
    _, data = draw(case, "classification")
    model = fitted(case, "classification")
    settings = draw_settings(case, {"output_dict": [False, True], "digits": [2, 3]})
    settings |= data.fit_params(weights=False)
    check_call(
        case,
        lambda: classification_report_by_source(model, data.X, data.y, **settings),
        data.given,
    )


def scorers(case):
    task, data = draw(case)
    model = fitted(case, task)
    settings = draw_settings(case, {"scoring": SCORINGS[1:]}, ("scoring",))
    every = case.rng.random() < 0.5

    def run():
        made = source_scorers(settings["scoring"], ["a", "b"])
        one = source_scorer(settings["scoring"], "a") if every else [*made.values()][-1]
        return one(model, data.X, data.y, **data.fit_params())

    check_call(case, run, data.given)


def comparison_entry(function, pools, always):
    def run(case):
        task, data = draw(case)
        settings = draw_settings(case, pools, always)
        settings |= data.fit_params(weights=False) | {"progress": False}
        if data.column:
            settings["source"] = data.column
        learner = draw_learner(case, task)
        check_call(
            case, lambda: function(learner, data.X, data.y, **settings), data.given
        )

    return run


def shift(case):
    task, data = draw(case)
    after = [None, SourceScaler(), Merged(LEARNERS[task][0]), StandardScaler()]
    settings = draw_settings(case, {"after": after, "random_state": [0, 1]})
    settings |= data.fit_params(weights=False)
    if data.column:
        settings["source"] = data.column
    y = None if case.rng.random() < 0.3 else data.y
    check_call(case, lambda: shift_report(data.X, y, **settings), data.given)


def shared(case):
    _, data = draw(case)
    pools = {"tolerance": [0.0, 0.1], "subset": [None, ["x0"], [0], "x0"]}
    settings = draw_settings(case, pools) | data.fit_params(weights=False)
    if data.column:
        settings["source"] = data.column
    got = check_call(case, lambda: find_shared_rows(data.X, **settings), data.given)
    if got is not FAILED and len(got.groups) != data.n:
        case.fault("law", "groups differ from rows in number")


def splitter(case):
    _, data = draw(case)
    pools = {"n_splits": [2, 3], "test_source": [None, "a"], "shuffle": [False, True]}
    leave = case.rng.random() < 0.4
    settings = {} if leave else draw_settings(case, pools)
    kind = LeaveOneSourceOut if leave else SourceKFold
    if settings.get("shuffle"):
        settings["random_state"] = 0
    params = data.fit_params(weights=False)
    if case.rng.random() < 0.3:
        params["groups"] = np.arange(data.n) // 2

    def run():
        cv = kind(source=data.column, **settings)
        return list(cv.split(data.X, data.y, **params))

    folds = check_call(case, run, data.given)
    if folds is FAILED:
        return
    tested = np.concatenate([test for _, test in folds]) if folds else np.empty(0)
    if len(np.unique(tested)) != len(tested):
        case.fault("law", "a row is tested twice")
    if any(np.intersect1d(train, test).size for train, test in folds):
        case.fault("law", "a row is trained on and tested")


def made(case):
    pools = {
        "n_samples": [10, 31, 2],
        "task": ["regression", "classification"],
        "n_features": [1, 5],
        "names": [("a", "b"), ["x", "y"]],
        "size_ratio": [1.0, 3, 0.2],
        "covariate_shift": [0.0, 2, [1.0] * 5],
        "label_shift": [0.0, 0.5],
        "unit_factor": [1.0, 100],
        "missing_features": [(), [0]],
        "noise": [0.5, 0.0, (0.1, 1)],
        "column": [None, "s"],
        "as_frame": [False, True],
        "return_X_y": [False, True],
        "random_state": [0],
    }
    settings = draw_settings(case, pools, ("n_samples", "random_state"))
    check_call(case, lambda: make_two_sources(**settings), [])


ENTRIES = {
    "Merged": estimator_entry(Merged, MERGED),
    "Tandem": estimator_entry(Tandem, TANDEM, ("random_state", "cv", "members")),
    "SharedNet": net_entry("shared"),
    "SharedNet, heads": net_entry("source"),
    **{
        name: estimator_entry(getattr(members, name), pools, ("random_state", "name"))
        for name, pools in MEMBERS.items()
    },
    "SourceScaler": scaler,
    "table_preprocessor": preprocessor,
    "stack_sources": stack,
    "read_sources": files_entry(read_sources, ("target",)),
    "read_sources, CSV": files_of_text,
    "cleaning_report": files_entry(cleaning_report, ()),
    "score_by_source": score,
    "classification_report_by_source": report,
    "source_scorer": scorers,
    "compare_strategies": comparison_entry(
        compare_strategies, COMPARE, ("strategies", "cv", "n_repeats", "random_state")
    ),
    "learning_curve_by_source": comparison_entry(
        learning_curve_by_source, CURVE, (*CURVE,)
    ),
    "shift_report": shift,
    "find_shared_rows": shared,
    "splitters": splitter,
    "make_two_sources": made,
    "Merged, in parts": in_parts,
    "Merged.to_pipeline": plain,
    "SharedNet, items": items,
    "Tandem, nets": tandem_of_nets,
    "Tandem, donors": donors,
    "read_sources, saved": saved,
}
torch.set_num_threads(1)
