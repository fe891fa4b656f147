"""A cell of the matrix: one way on one problem, fitted once, its loss on each row."""

import base64
import json
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .memory import memory
from .problem import losses_of
from .ways import MOST_FITS, estimator_for, scaler_for, ways_of


@dataclass(frozen=True)
class Setting:
    """What a way is made from."""

    estimator: object
    scaler: object
    task: str
    seed: int


def run_cell(problem, learner, way, draw):
    """Fit a way and return its row: losses and seconds, or why there are none."""
    row = {"problem": problem.name, "learner": learner, "way": way, "draw": draw}
    train, test = problem.draw(draw)
    make, n_fits = ways_of(learner)[way]
    n_fits = n_fits(len(np.unique(train.source)))
    if n_fits > MOST_FITS[learner]:
        return row | {"error": f"left out: {n_fits:.0f} fits"}
    estimator = estimator_for(learner, problem.task)
    setting = Setting(estimator, scaler_for(train.X, test.X), problem.task, draw)
    before = memory(anew=True)
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = make(setting)
            X, y = as_floats(train, learner)
            model.fit(X, y, sample_source=train.source)
            X, _ = as_floats(test, learner)
            answer = model.predict_proba if is_of_classes(problem) else model.predict
            answers = answer(X, sample_source=test.source)
    except Exception as error:  # a row that says so
        return row | {"error": first_line(error)}
    seconds = time.perf_counter() - start
    added = memory() - before
    return row | measured(problem, test, answers, model, seconds, added)


def measured(problem, test, answers, model, seconds, added):
    """Return the columns of a row that has an answer."""
    classes = model.classes_ if is_of_classes(problem) else None
    losses = losses_of(np.asarray(answers), test.y, problem.task, classes)
    if not np.isfinite(losses).all():
        return {"error": "predicts values that are not finite"}
    row = {"seconds": round(seconds, 3), "memory": round(added, 1)}
    return row | {"losses": packed(losses, np.float32)}


def is_of_classes(problem):
    return problem.task == "classification"


def as_floats(rows, learner):
    """Return X and y; a net takes single precision."""
    if learner != "net" or hasattr(rows.X, "iloc"):
        return rows.X, rows.y
    return rows.X.astype(np.float32), rows.y


def first_line(error):
    text = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {text[0]}"[:200]


def packed(values, dtype):
    """Return an array as text, for one line of a file."""
    return base64.b64encode(np.asarray(values, dtype).tobytes()).decode()


def unpacked(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype).astype(float)


class Cache:
    """Rows in a file, one to a line: what is there is not run again."""

    def __init__(self, path):
        self.path = Path(path)
        self.rows = {}
        if self.path.exists():
            with self.path.open(encoding="utf-8") as lines:
                for line in lines:
                    if line.endswith("\n"):  # not one that was cut off
                        row = json.loads(line)
                        self.rows[key_of(row)] = row

    def add(self, row):
        self.rows[key_of(row)] = row
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")


def key_of(row):
    return row["problem"], row["learner"], row["way"], row["draw"]
